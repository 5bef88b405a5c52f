# inputs: (6,)
import keras
from keras import layers, ops


class Wide(keras.Model):
    def __init__(self, units=7, **kwargs):
        inputs = keras.Input((6,))
        x = layers.Dense(units, activation="relu")(inputs)
        outputs = layers.Dense(2)(layers.concatenate([inputs, x]))
        super().__init__(inputs=inputs, outputs=outputs, **kwargs)


model = Wide()
