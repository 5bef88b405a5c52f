# inputs: (6,)
import keras
from keras import layers, ops


class CrossLayer(layers.Layer):
    """One layer of a deep and cross network."""

    def __init__(self, num_layers=2, **kwargs):
        super().__init__(**kwargs)
        self.num_layers = num_layers

    def build(self, input_shape):
        dim = int(input_shape[-1])
        self.W = [
            self.add_weight(name=f"w_{i}", shape=(dim, 1), initializer="random_normal") for i in range(self.num_layers)
        ]
        self.b = [self.add_weight(name=f"b_{i}", shape=(dim,), initializer="zeros") for i in range(self.num_layers)]

    def call(self, inputs):
        x = inputs
        for i in range(self.num_layers):
            x = inputs * ops.matmul(x, self.W[i]) + self.b[i] + x
        return x


inputs = keras.Input((6,))
outputs = layers.Dense(1)(CrossLayer()(inputs))
model = keras.Model(inputs, outputs)
