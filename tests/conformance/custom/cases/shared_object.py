# inputs: (6,); (6,)
import keras
from keras import layers, ops


class Distance(layers.Layer):
    def call(self, x, y):
        return ops.sqrt(ops.maximum(ops.sum(ops.square(x - y), axis=1, keepdims=True), 1e-7))


class Tower(layers.Layer):
    def __init__(self):
        super().__init__()
        self.hidden = layers.Dense(8, activation="relu")
        self.out = layers.Dense(4)

    def call(self, x):
        return self.out(self.hidden(x))


left = keras.Input((6,))
right = keras.Input((6,))
tower = Tower()
outputs = Distance()(tower(left), tower(right))
model = keras.Model([left, right], outputs)
