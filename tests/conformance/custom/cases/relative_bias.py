# inputs: (5, 6)
import keras
from keras import layers, ops


class BiasedAttention(layers.Layer):
    """Self attention with a learnt bias for each pair of positions."""

    def __init__(self, dim, window, num_heads=2, qkv_bias=True, dropout_rate=0.0, **kwargs):
        super().__init__(**kwargs)
        self.dim = dim
        self.window = window
        self.num_heads = num_heads
        self.scale = (dim // num_heads) ** -0.5
        self.qkv = layers.Dense(dim * 3, use_bias=qkv_bias)
        self.dropout = layers.Dropout(dropout_rate)
        self.proj = layers.Dense(dim)

    def build(self, input_shape):
        self.relative_position_bias_table = self.add_weight(
            shape=(2 * self.window - 1, self.num_heads),
            initializer="zeros",
            trainable=True,
            name="table",
        )
        positions = ops.arange(self.window)
        relative = ops.expand_dims(positions, 1) - ops.expand_dims(positions, 0)
        self.relative_position_index = relative + self.window - 1

    def call(self, x):
        _, size, channels = x.shape
        head_dim = channels // self.num_heads
        x_qkv = self.qkv(x)
        x_qkv = ops.reshape(x_qkv, (-1, size, 3, self.num_heads, head_dim))
        x_qkv = ops.transpose(x_qkv, (2, 0, 3, 1, 4))
        q, k, v = x_qkv[0], x_qkv[1], x_qkv[2]
        q = q * self.scale
        k = ops.transpose(k, (0, 1, 3, 2))
        attn = q @ k
        bias = ops.take(self.relative_position_bias_table, self.relative_position_index, axis=0)
        bias = ops.transpose(bias, (2, 0, 1))
        attn = attn + ops.expand_dims(bias, axis=0)
        attn = keras.activations.softmax(attn, axis=-1)
        attn = self.dropout(attn)
        x_qkv = attn @ v
        x_qkv = ops.transpose(x_qkv, (0, 2, 1, 3))
        x_qkv = ops.reshape(x_qkv, (-1, size, channels))
        return self.proj(x_qkv)


inputs = keras.Input((5, 6))
outputs = BiasedAttention(6, 5)(inputs)
model = keras.Model(inputs, outputs)
