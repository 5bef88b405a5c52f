# inputs: (6,)
import keras
from keras import layers, ops


class MLP(keras.Sequential):
    """A stack of dense layers."""

    def __init__(self, widths, num_classes):
        super().__init__()
        for width in widths:
            self.add(layers.Dense(width, activation="relu"))
        self.add(layers.Dense(num_classes))


model = MLP([8, 5], 3)
model.build((None, 6))
