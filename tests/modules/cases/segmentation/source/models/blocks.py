from tensorflow.keras import layers

WIDTH = 4


def conv_block(x, filters, kernel=3):
    """Convolution, normalisation, activation."""
    x = layers.Conv2D(filters, kernel, padding="same")(x)
    x = layers.BatchNormalization()(x)
    return layers.Activation("relu")(x)
