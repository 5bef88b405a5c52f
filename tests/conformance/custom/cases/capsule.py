# inputs: (6, 4)
import keras
from keras import layers, ops


def squash(s):
    norm = ops.sum(ops.square(s), axis=-1, keepdims=True)
    return norm / (1 + norm) * s / ops.sqrt(norm + 1e-7)


class CapsuleLayer(layers.Layer):
    def __init__(self, num_capsule, dim_capsule, routings=3, **kwargs):
        super().__init__(**kwargs)
        self.num_capsule = num_capsule
        self.dim_capsule = dim_capsule
        self.routings = routings

    def build(self, input_shape):
        self.input_num_capsule = input_shape[1]
        self.input_dim_capsule = input_shape[2]
        self.W = self.add_weight(
            shape=[self.num_capsule, self.input_num_capsule, self.dim_capsule, self.input_dim_capsule],
            initializer="glorot_uniform",
            name="W",
        )
        self.built = True

    def call(self, inputs, training=None):
        inputs_hat = ops.einsum("jida,bia->bjid", self.W, inputs)
        b = ops.zeros_like(inputs_hat[:, :, :, 0])
        for i in range(self.routings):
            c = ops.softmax(b, axis=1)
            outputs = squash(ops.einsum("bji,bjid->bjd", c, inputs_hat))
            if i < self.routings - 1:
                b += ops.einsum("bjd,bjid->bji", outputs, inputs_hat)
        return outputs


class Length(layers.Layer):
    def call(self, inputs, **kwargs):
        return ops.sqrt(ops.sum(ops.square(inputs), -1) + 1e-7)


inputs = keras.Input((6, 4))
outputs = Length()(CapsuleLayer(3, 5)(inputs))
model = keras.Model(inputs, outputs)
