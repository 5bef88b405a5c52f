"""A small U-Net."""

from tensorflow import keras
from tensorflow.keras import layers

from .blocks import WIDTH, conv_block


def build_unet(input_shape, num_classes, width=WIDTH):
    inputs = keras.Input(input_shape)
    down = conv_block(inputs, width)
    x = layers.MaxPooling2D()(down)
    x = conv_block(x, width * 2)
    x = layers.UpSampling2D()(x)
    x = layers.Concatenate()([x, down])
    x = conv_block(x, width)
    outputs = layers.Conv2D(num_classes, 1, activation="softmax")(x)
    return keras.Model(inputs, outputs)
