# inputs: (6,)
import keras
from keras import layers, ops


class Linear(layers.Layer):
    def __init__(self, output_dim, activation=None, **kwargs):
        self.output_dim = output_dim
        self.activation = keras.activations.get(activation)
        super(Linear, self).__init__(**kwargs)

    def build(self, input_shape):
        assert len(input_shape) >= 2
        self.kernel = self.add_weight(
            name="kernel", shape=(input_shape[1], self.output_dim), initializer="uniform", trainable=True
        )
        super(Linear, self).build(input_shape)

    def call(self, x):
        out = ops.dot(x, self.kernel)
        if self.activation is not None:
            out = self.activation(out)
        return out

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.output_dim)


inputs = keras.Input((6,))
outputs = Linear(3, activation="tanh")(inputs)
model = keras.Model(inputs, outputs)
