# inputs: (6, 6, 3)
import keras
from keras import layers, ops


class InstanceNormalization(layers.Layer):
    """Normalises each image and channel by itself."""

    def __init__(self, epsilon=1e-5, **kwargs):
        super().__init__(**kwargs)
        self.epsilon = epsilon

    def build(self, input_shape):
        self.scale = self.add_weight(
            name="scale",
            shape=input_shape[-1:],
            initializer=keras.initializers.RandomNormal(1.0, 0.02),
            trainable=True,
        )
        self.offset = self.add_weight(name="offset", shape=input_shape[-1:], initializer="zeros", trainable=True)

    def call(self, x):
        mean, variance = ops.moments(x, axes=[1, 2], keepdims=True)
        inv = ops.rsqrt(variance + self.epsilon)
        normalized = (x - mean) * inv
        return self.scale * normalized + self.offset


inputs = keras.Input((6, 6, 3))
outputs = layers.Conv2D(2, 3)(InstanceNormalization()(layers.Conv2D(4, 3)(inputs)))
model = keras.Model(inputs, outputs)
