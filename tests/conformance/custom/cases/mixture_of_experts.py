# inputs: (6,)
import keras
from keras import layers, ops


class MixtureOfExperts(layers.Layer):
    def __init__(self, num_experts, units, **kwargs):
        super().__init__(**kwargs)
        self.experts = [layers.Dense(units, activation="relu") for _ in range(num_experts)]
        self.gate = layers.Dense(num_experts, activation="softmax")

    def call(self, x):
        weights = self.gate(x)
        expert_outputs = ops.stack([expert(x) for expert in self.experts], axis=1)
        return ops.sum(ops.expand_dims(weights, -1) * expert_outputs, axis=1)


inputs = keras.Input((6,))
outputs = layers.Dense(1)(MixtureOfExperts(3, 5)(inputs))
model = keras.Model(inputs, outputs)
