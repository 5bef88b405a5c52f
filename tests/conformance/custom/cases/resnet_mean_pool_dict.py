# inputs: (6,); (4,)
import keras
from keras import layers, ops


class TwoTower(keras.Model):
    def __init__(self, dim):
        super().__init__()
        self.user = layers.Dense(dim, activation="relu")
        self.item = layers.Dense(dim, activation="relu")

    def call(self, inputs):
        u = self.user(inputs[0])
        v = self.item(inputs[1])
        return {"score": ops.sum(u * v, axis=-1, keepdims=True), "user": u}


model = TwoTower(5)
model([ops.zeros((1, 6)), ops.zeros((1, 4))])
