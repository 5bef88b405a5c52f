# inputs: (9,) int
import keras
from keras import layers, ops


class MaskedMean(layers.Layer):
    """Mean over the time steps that are not masked."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs, mask=None):
        if mask is None:
            return ops.mean(inputs, axis=1)
        mask = ops.cast(mask, "float32")
        mask = ops.expand_dims(mask, -1)
        total = ops.sum(inputs * mask, axis=1)
        return total / ops.maximum(ops.sum(mask, axis=1), 1.0)

    def compute_mask(self, inputs, mask=None):
        return None


class Scale(layers.Layer):
    def __init__(self):
        super().__init__()
        self.supports_masking = True

    def build(self, input_shape):
        self.factor = self.add_weight(shape=(input_shape[-1],), initializer="ones")

    def call(self, x):
        return x * self.factor


inputs = keras.Input((9,), dtype="int32")
x = layers.Embedding(8, 5, mask_zero=True)(inputs)
x = Scale()(x)
x = layers.LSTM(4, return_sequences=True)(x)
outputs = MaskedMean()(x)
model = keras.Model(inputs, outputs)
