# inputs: (7, 5)
import keras
from keras import layers, ops


class Attention(layers.Layer):
    """Attention over time steps, with a weight and a bias for each."""

    def __init__(self, return_sequences=False, **kwargs):
        self.return_sequences = return_sequences
        super().__init__(**kwargs)

    def build(self, input_shape):
        self.W = self.add_weight(name="att_weight", shape=(input_shape[-1], 1), initializer="normal")
        self.b = self.add_weight(name="att_bias", shape=(input_shape[1], 1), initializer="zeros")
        super().build(input_shape)

    def call(self, x):
        e = ops.tanh(ops.matmul(x, self.W) + self.b)
        a = ops.softmax(e, axis=1)
        output = x * a
        if self.return_sequences:
            return output
        return ops.sum(output, axis=1)


inputs = keras.Input((7, 5))
x = layers.Bidirectional(layers.LSTM(4, return_sequences=True))(inputs)
x = Attention(return_sequences=True)(x)
x = Attention()(x)
outputs = layers.Dense(2)(x)
model = keras.Model(inputs, outputs)
