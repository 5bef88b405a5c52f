# inputs: (12, 3)
import keras
from keras import layers, ops


class GatedActivationUnit(layers.Layer):
    def __init__(self, activation="tanh", **kwargs):
        super().__init__(**kwargs)
        self.activation = keras.activations.get(activation)

    def call(self, inputs):
        n_filters = inputs.shape[-1] // 2
        linear_output = self.activation(inputs[..., :n_filters])
        gate = keras.activations.sigmoid(inputs[..., n_filters:])
        return self.activation(linear_output) * gate


def wavenet_residual_block(inputs, n_filters, dilation_rate):
    z = layers.Conv1D(2 * n_filters, kernel_size=2, padding="causal", dilation_rate=dilation_rate)(inputs)
    z = GatedActivationUnit()(z)
    z = layers.Conv1D(n_filters, kernel_size=1)(z)
    return layers.Add()([z, inputs]), z


inputs = keras.Input((12, 3))
z = layers.Conv1D(4, kernel_size=2, padding="causal")(inputs)
skip_to_last = []
for dilation_rate in [1, 2]:
    z, skip = wavenet_residual_block(z, 4, dilation_rate)
    skip_to_last.append(skip)
z = keras.activations.relu(layers.Add()(skip_to_last))
outputs = layers.Conv1D(2, kernel_size=1)(z)
model = keras.Model(inputs, outputs)
