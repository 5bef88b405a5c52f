# inputs: (4,); (4,); (4,)
import keras
from keras import layers, ops


class GatedLinearUnit(layers.Layer):
    def __init__(self, units):
        super().__init__()
        self.linear = layers.Dense(units)
        self.sigmoid = layers.Dense(units, activation="sigmoid")

    def call(self, inputs):
        return self.linear(inputs) * self.sigmoid(inputs)


class VariableSelection(layers.Layer):
    def __init__(self, num_features, units):
        super().__init__()
        self.grns = list()
        for idx in range(num_features):
            grn = GatedLinearUnit(units)
            self.grns.append(grn)
        self.grn_concat = GatedLinearUnit(units)
        self.softmax = layers.Dense(units=num_features, activation="softmax")

    def call(self, inputs):
        v = layers.concatenate(inputs)
        v = self.grn_concat(v)
        v = ops.expand_dims(self.softmax(v), axis=-1)
        x = []
        for idx, input in enumerate(inputs):
            x.append(self.grns[idx](input))
        x = ops.stack(x, axis=1)
        outputs = ops.squeeze(ops.matmul(ops.transpose(v, axes=[0, 2, 1]), x), axis=1)
        return outputs


features = [keras.Input((4,)) for _ in range(3)]
outputs = layers.Dense(1)(VariableSelection(3, 6)(features))
model = keras.Model(features, outputs)
