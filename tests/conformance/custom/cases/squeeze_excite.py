# inputs: (8, 8, 6)
import keras
from keras import layers, ops


class SqueezeExcite(layers.Layer):
    def __init__(self, ratio=2, **kwargs):
        super().__init__(**kwargs)
        self.ratio = ratio

    def build(self, input_shape):
        channels = input_shape[-1]
        self.squeeze = layers.GlobalAveragePooling2D()
        self.reduce = layers.Dense(channels // self.ratio, activation="relu")
        self.expand = layers.Dense(channels, activation="sigmoid")
        self.reshape = layers.Reshape((1, 1, channels))

    def call(self, inputs):
        x = self.squeeze(inputs)
        x = self.reduce(x)
        x = self.expand(x)
        return inputs * self.reshape(x)


inputs = keras.Input((8, 8, 6))
x = layers.Conv2D(8, 3, padding="same", activation="relu")(inputs)
x = SqueezeExcite()(x)
x = layers.Conv2D(4, 3, strides=2, padding="same")(x)
x = SqueezeExcite(ratio=4)(x)
outputs = layers.Dense(3)(layers.Flatten()(x))
model = keras.Model(inputs, outputs)
