# inputs: (5,)
import keras
from keras import layers, ops


class Standardize(layers.Layer):
    """Shifts and scales by statistics that are not trained."""

    def build(self, input_shape):
        dim = input_shape[-1]
        self.mean = self.add_weight(name="mean", shape=(dim,), initializer="zeros", trainable=False)
        self.scale = self.add_weight(name="scale", shape=(dim,), initializer="ones", trainable=True)
        self.offset = self.add_weight(name="offset", shape=(dim,), initializer="zeros", trainable=True)
        self.projection = self.add_weight(name="projection", shape=(dim, dim), initializer="orthogonal", trainable=False)

    def call(self, x):
        return ops.dot((x - self.mean) * self.scale, self.projection) + self.offset


inputs = keras.Input((5,))
outputs = Standardize()(layers.Dense(4)(inputs))
model = keras.Model(inputs, outputs)
