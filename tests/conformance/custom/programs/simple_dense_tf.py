# inputs: (5,)
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers


class SimpleDense(layers.Layer):
    def __init__(self, units=32):
        super(SimpleDense, self).__init__()
        self.units = units

    def build(self, input_shape):
        w_init = tf.random_normal_initializer()
        self.w = tf.Variable(
            name="kernel",
            initial_value=w_init(shape=(input_shape[-1], self.units), dtype="float32"),
            trainable=True,
        )
        b_init = tf.zeros_initializer()
        self.b = tf.Variable(name="bias", initial_value=b_init(shape=(self.units,), dtype="float32"), trainable=True)

    def call(self, inputs):
        return tf.matmul(inputs, self.w) + self.b


inputs = tf.keras.Input((5,))
x = SimpleDense(4)(inputs)
outputs = SimpleDense(units=2)(x)
model = tf.keras.Model(inputs, outputs)
