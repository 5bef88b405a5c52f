# inputs: (6, 6, 3)
import keras
from keras import layers, ops


class ReflectionPadding2D(layers.Layer):
    def __init__(self, padding=(1, 1), **kwargs):
        self.padding = tuple(padding)
        super().__init__(**kwargs)

    def call(self, input_tensor, mask=None):
        padding_width, padding_height = self.padding
        padding_tensor = [
            [0, 0],
            [padding_height, padding_height],
            [padding_width, padding_width],
            [0, 0],
        ]
        return ops.pad(input_tensor, padding_tensor, mode="reflect")


inputs = keras.Input((6, 6, 3))
outputs = layers.Conv2D(3, 3)(ReflectionPadding2D()(inputs))
model = keras.Model(inputs, outputs)
