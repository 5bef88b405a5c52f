# inputs: (7, 12)
import keras
from keras import layers, ops


class MultiHeadSelfAttention(layers.Layer):
    def __init__(self, embed_dim, num_heads=8):
        super().__init__()
        self.embed_dim = embed_dim
        self.num_heads = num_heads
        if embed_dim % num_heads != 0:
            raise ValueError(f"embedding dimension = {embed_dim} should be divisible by number of heads = {num_heads}")
        self.projection_dim = embed_dim // num_heads
        self.query_dense = layers.Dense(embed_dim)
        self.key_dense = layers.Dense(embed_dim)
        self.value_dense = layers.Dense(embed_dim)
        self.combine_heads = layers.Dense(embed_dim)

    def attention(self, query, key, value):
        score = ops.matmul(query, ops.transpose(key, axes=(0, 1, 3, 2)))
        dim_key = ops.cast(ops.shape(key)[-1], "float32")
        scaled_score = score / ops.sqrt(dim_key)
        weights = ops.softmax(scaled_score, axis=-1)
        output = ops.matmul(weights, value)
        return output, weights

    def separate_heads(self, x, batch_size):
        x = ops.reshape(x, (batch_size, -1, self.num_heads, self.projection_dim))
        return ops.transpose(x, axes=[0, 2, 1, 3])

    def call(self, inputs):
        batch_size = ops.shape(inputs)[0]
        query = self.query_dense(inputs)
        key = self.key_dense(inputs)
        value = self.value_dense(inputs)
        query = self.separate_heads(query, batch_size)
        key = self.separate_heads(key, batch_size)
        value = self.separate_heads(value, batch_size)
        attention, weights = self.attention(query, key, value)
        attention = ops.transpose(attention, axes=[0, 2, 1, 3])
        concat_attention = ops.reshape(attention, (batch_size, -1, self.embed_dim))
        output = self.combine_heads(concat_attention)
        return output


inputs = keras.Input((7, 12))
outputs = MultiHeadSelfAttention(12, num_heads=3)(inputs)
model = keras.Model(inputs, outputs)
