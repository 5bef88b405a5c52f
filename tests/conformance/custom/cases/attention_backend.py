# inputs: (7, 5)
from tensorflow.keras import backend as K
from tensorflow.keras.layers import Dense, Input, Layer
from tensorflow.keras.models import Model


class Attention(Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)

    def build(self, input_shape):
        self.W = self.add_weight(shape=(input_shape[-1], 1), initializer="glorot_uniform", name="W")
        self.b = self.add_weight(shape=(input_shape[1],), initializer="zeros", name="b")
        super().build(input_shape)

    def call(self, x):
        et = K.squeeze(K.tanh(K.dot(x, self.W)), axis=-1) + self.b
        at = K.softmax(et)
        at = K.expand_dims(at, axis=-1)
        output = x * at
        return K.sum(output, axis=1)


inputs = Input((7, 5))
outputs = Dense(2)(Attention()(inputs))
model = Model(inputs, outputs)
