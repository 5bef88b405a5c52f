# inputs: (7, 5)
import keras
from keras import layers, ops


class BahdanauAttention(layers.Layer):
    def __init__(self, units):
        super(BahdanauAttention, self).__init__()
        self.W1 = layers.Dense(units)
        self.W2 = layers.Dense(units)
        self.V = layers.Dense(1)

    def call(self, query, values):
        hidden_with_time_axis = ops.expand_dims(query, 1)
        score = self.V(ops.tanh(self.W1(values) + self.W2(hidden_with_time_axis)))
        attention_weights = ops.softmax(score, axis=1)
        context_vector = attention_weights * values
        context_vector = ops.sum(context_vector, axis=1)
        return context_vector, attention_weights


inputs = keras.Input((7, 5))
sequence, state = layers.GRU(6, return_sequences=True, return_state=True)(inputs)
context, weights = BahdanauAttention(4)(state, sequence)
outputs = layers.Dense(3)(layers.concatenate([context, state]))
model = keras.Model(inputs, [outputs, weights])
