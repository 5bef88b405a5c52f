# inputs: (8,)
import keras
from keras import layers, ops


class Scale(layers.Layer):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def call(self, x):
        return x * self.factor


class Bias(layers.Layer):
    def build(self, input_shape):
        self.bias = self.add_weight(shape=(input_shape[-1],), initializer="zeros", name="bias")

    def call(self, x):
        return x + self.bias


model = keras.Sequential(
    [
        keras.Input((8,)),
        layers.Dense(6, activation="relu"),
        Scale(0.5),
        Bias(),
        layers.Dense(3),
        Bias(),
    ]
)
