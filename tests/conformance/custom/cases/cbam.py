# inputs: (6, 6, 4)
import keras
from keras import layers, ops


class ChannelAttention(layers.Layer):
    def __init__(self, filters, ratio):
        super().__init__()
        self.shared_layer_one = layers.Dense(filters // ratio, activation="relu", kernel_initializer="he_normal")
        self.shared_layer_two = layers.Dense(filters)

    def call(self, inputs):
        avg_pool = layers.GlobalAveragePooling2D()(inputs)
        avg_pool = self.shared_layer_two(self.shared_layer_one(avg_pool))
        max_pool = layers.GlobalMaxPooling2D()(inputs)
        max_pool = self.shared_layer_two(self.shared_layer_one(max_pool))
        attention = ops.sigmoid(avg_pool + max_pool)
        attention = ops.reshape(attention, (-1, 1, 1, inputs.shape[-1]))
        return layers.Multiply()([inputs, attention])


class SpatialAttention(layers.Layer):
    def __init__(self, kernel_size=3):
        super().__init__()
        self.conv2d = layers.Conv2D(1, kernel_size, padding="same", activation="sigmoid", use_bias=False)

    def call(self, inputs):
        avg_pool = ops.mean(inputs, axis=-1, keepdims=True)
        max_pool = ops.max(inputs, axis=-1, keepdims=True)
        attention = self.conv2d(ops.concatenate([avg_pool, max_pool], axis=-1))
        return inputs * attention


inputs = keras.Input((6, 6, 4))
outputs = layers.Conv2D(2, 3)(SpatialAttention()(ChannelAttention(4, 2)(inputs)))
model = keras.Model(inputs, outputs)
