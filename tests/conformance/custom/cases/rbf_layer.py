# inputs: (5,)
import keras
from keras import layers, ops


class RBFLayer(layers.Layer):
    def __init__(self, units, gamma, **kwargs):
        super(RBFLayer, self).__init__(**kwargs)
        self.units = units
        self.gamma = gamma

    def build(self, input_shape):
        self.mu = self.add_weight(
            name="mu", shape=(int(input_shape[1]), self.units), initializer="uniform", trainable=True
        )
        super(RBFLayer, self).build(input_shape)

    def call(self, inputs):
        diff = ops.expand_dims(inputs, -1) - self.mu
        l2 = ops.sum(ops.power(diff, 2), axis=1)
        res = ops.exp(-1 * self.gamma * l2)
        return res

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.units)


inputs = keras.Input((5,))
outputs = layers.Dense(2)(RBFLayer(4, 0.5)(inputs))
model = keras.Model(inputs, outputs)
