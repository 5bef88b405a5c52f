# inputs: (6, 8)
import keras
from keras import layers, ops


class ClassToken(layers.Layer):
    def build(self, input_shape):
        self.hidden_size = input_shape[-1]
        self.cls = self.add_weight(name="cls", shape=(1, 1, self.hidden_size), initializer="zeros")

    def call(self, inputs):
        batch_size = ops.shape(inputs)[0]
        cls_broadcasted = ops.broadcast_to(self.cls, [batch_size, 1, self.hidden_size])
        return ops.concatenate([cls_broadcasted, inputs], 1)


class AddPositionEmbs(layers.Layer):
    """Adds (optionally learned) positional embeddings to the inputs."""

    def build(self, input_shape):
        assert len(input_shape) == 3
        self.pe = self.add_weight(
            name="pos_embedding",
            shape=(1, input_shape[1], input_shape[2]),
            initializer=keras.initializers.RandomNormal(stddev=0.06),
        )

    def call(self, inputs):
        return inputs + ops.cast(self.pe, dtype=inputs.dtype)


inputs = keras.Input((6, 8))
outputs = layers.Dense(2)(AddPositionEmbs()(ClassToken()(inputs))[:, 0])
model = keras.Model(inputs, outputs)
