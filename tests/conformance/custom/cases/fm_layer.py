# inputs: (7,)
import keras
from keras import layers, ops


class FactorizationMachine(layers.Layer):
    def __init__(self, k, reg=1e-4, **kwargs):
        super().__init__(**kwargs)
        self.k = k
        self.reg = reg

    def build(self, input_shape):
        self.w0 = self.add_weight(name="w0", shape=(1,), initializer=keras.initializers.Zeros(), trainable=True)
        self.w = self.add_weight(
            name="w", shape=(input_shape[-1], 1), initializer="random_normal",
            regularizer=keras.regularizers.l2(self.reg), trainable=True,
        )
        self.v = self.add_weight(
            name="v", shape=(input_shape[-1], self.k), initializer="random_normal",
            regularizer=keras.regularizers.l2(self.reg), trainable=True,
        )

    def call(self, inputs, **kwargs):
        first_order = self.w0 + ops.matmul(inputs, self.w)
        square_sum = ops.square(ops.matmul(inputs, self.v))
        sum_square = ops.matmul(ops.square(inputs), ops.square(self.v))
        second_order = 0.5 * ops.sum(square_sum - sum_square, axis=1, keepdims=True)
        return ops.sigmoid(first_order + second_order)


inputs = keras.Input((7,))
outputs = FactorizationMachine(3)(inputs)
model = keras.Model(inputs, outputs)
