# inputs: (8, 8, 4)
import keras
from keras import layers, ops


class LayerScale(layers.Layer):
    """Layer scale module: a factor for each channel."""

    def __init__(self, init_values, projection_dim, **kwargs):
        super().__init__(**kwargs)
        self.init_values = init_values
        self.projection_dim = projection_dim

    def build(self, _):
        self.gamma = self.add_weight(
            shape=(self.projection_dim,),
            initializer=keras.initializers.Constant(self.init_values),
            trainable=True,
        )

    def call(self, x):
        return x * self.gamma


class StochasticDepth(layers.Layer):
    """Drops whole samples of a residual branch."""

    def __init__(self, drop_path_rate, **kwargs):
        super().__init__(**kwargs)
        self.drop_path_rate = drop_path_rate

    def call(self, x, training=None):
        if training:
            keep_prob = 1 - self.drop_path_rate
            shape = (ops.shape(x)[0],) + (1,) * (len(x.shape) - 1)
            random_tensor = keep_prob + keras.random.uniform(shape, 0, 1)
            random_tensor = ops.floor(random_tensor)
            return (x / keep_prob) * random_tensor
        return x


inputs = keras.Input((8, 8, 4))
x = layers.DepthwiseConv2D(3, padding="same")(inputs)
x = layers.LayerNormalization(epsilon=1e-6)(x)
x = layers.Dense(16, activation="gelu")(x)
x = layers.Dense(4)(x)
x = LayerScale(1e-1, 4)(x)
x = StochasticDepth(0.2)(x)
x = layers.Add()([inputs, x])
outputs = layers.Dense(3)(layers.GlobalAveragePooling2D()(x))
model = keras.Model(inputs, outputs)
