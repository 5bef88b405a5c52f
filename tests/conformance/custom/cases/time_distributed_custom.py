# inputs: (4, 6)
import keras
from keras import layers, ops


class Project(layers.Layer):
    def __init__(self, units):
        super().__init__()
        self.dense = layers.Dense(units, activation="tanh")

    def call(self, x):
        return self.dense(x)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], 3)


inputs = keras.Input((4, 6))
outputs = layers.TimeDistributed(Project(3))(inputs)
model = keras.Model(inputs, outputs)
