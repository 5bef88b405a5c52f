# inputs: (8,)
import keras
from keras import layers, ops


class ArcMarginProduct(layers.Layer):
    """Cosines between features and class centres."""

    def __init__(self, n_classes, s=30, **kwargs):
        super().__init__(**kwargs)
        self.n_classes = n_classes
        self.s = s

    def build(self, input_shape):
        super().build(input_shape)
        self.W = self.add_weight(
            name="W",
            shape=(int(input_shape[-1]), self.n_classes),
            initializer="glorot_uniform",
            trainable=True,
            regularizer=None,
        )

    def call(self, x):
        cosine = ops.matmul(ops.normalize(x, axis=1), ops.normalize(self.W, axis=0))
        return cosine * self.s


inputs = keras.Input((8,))
outputs = layers.Softmax()(ArcMarginProduct(5, s=4)(layers.Dense(6)(inputs)))
model = keras.Model(inputs, outputs)
