"""Classes of the program's own among the rest: flags, comments, what is read off their objects."""

from __future__ import annotations

from transpiler import transpile

_PROGRAM = """
import numpy as np
from tensorflow import keras
from tensorflow.keras import layers


class Block(layers.Layer):
    # a comment above the constructor
    def __init__(self, units):
        super().__init__()
        self.units = units
        self.dense = layers.Dense(units)  # behind the dense layer

    def build(self, input_shape):
        # the scale
        self.scale = self.add_weight(shape=(input_shape[-1],), name="scale")

    def call(self, x):
        return self.dense(x * self.scale)


class Net(keras.Model):
    def __init__(self, n):
        super().__init__()
        self.first = Block(n)
        self.second = Block(n * 2)
        self.first.trainable = False

    def call(self, x):
        return self.second(self.first(x))


net = Net(4)
net.build((None, 3))
print(net.first.units, len(net.layers))
net.compile("adam", "mse")
net.fit(np.zeros((8, 3)), np.zeros((8, 8)))
net.optimizer.learning_rate = 0.1
"""


def test_objects_of_one_class_share_it_and_its_comments() -> None:
    code = transpile(_PROGRAM).code
    assert code.count("class Block") == 1
    assert "Block2" not in code
    for comment in ("# a comment above the constructor", "# behind the dense layer", "# the scale"):
        assert code.count(comment) == 1


def test_what_is_frozen_inside_a_class_is_frozen_where_the_object_is_made() -> None:
    lines = transpile(_PROGRAM).code.splitlines()
    made = next(at for at, line in enumerate(lines) if line.startswith("net = Net("))
    assert lines[made + 1] == "net.first.requires_grad_(False)"


def test_what_is_read_off_an_object_and_its_optimizer() -> None:
    result = transpile(_PROGRAM)
    assert result.complete, result.diagnostics
    assert "print(4, 2)" in result.code
    assert 'optimizer.param_groups[0]["lr"] = 0.1' in result.code


def test_a_layer_made_untrainable_is_told() -> None:
    result = transpile(_PROGRAM.replace("super().__init__()", "super().__init__(trainable=False)", 1))
    assert "`trainable=False`" in " ".join(each.message for each in result.diagnostics)
