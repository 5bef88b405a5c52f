# inputs: (6,)
import keras
from keras import layers, ops


class NoisyBlock(layers.Layer):
    """Adds noise before, and scales after a dense layer while training."""

    def __init__(self, units, stddev=0.1):
        super().__init__()
        self.stddev = stddev
        self.dense = layers.Dense(units)
        self.norm = layers.BatchNormalization()
        self.extra = layers.BatchNormalization()

    def call(self, inputs, training=None):
        x = inputs
        if training:
            x = x + keras.random.normal(ops.shape(x), stddev=self.stddev)
        x = self.norm(self.dense(x), training=training)
        if not training:
            x = self.extra(x)
        return ops.tanh(x)


inputs = keras.Input((6,))
outputs = NoisyBlock(4)(inputs)
model = keras.Model(inputs, outputs)
