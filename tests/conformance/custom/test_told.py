"""What of subclassed layers and models is not translated is told, where it stands."""

from __future__ import annotations

import pytest

from transpiler import transpile

HEAD = """import keras
import numpy as np
from keras import layers, ops


class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.count = 0
        self.dense = layers.Dense(4)

"""
TAIL = """

model = Net()
model.compile("sgd", "mse")
model.fit(np.ones((8, 3)), np.ones((8, 4)))
"""
CALL = """
    def call(self, x):
        return self.dense(x)
"""
CASES = {
    "add_loss": ("    def call(self, x):\n        self.add_loss(ops.mean(x))\n        return x", "KT301", 13),
    "branch": ("    def call(self, x):\n        if ops.sum(x) > 0:\n            x = -x\n        return x", "KT204", 13),
    "counter": ("    def call(self, x):\n        self.count += 1\n        return self.dense(x)", "KT204", 13),
    "train_step": ("    def train_step(self, data):\n        return {}", "KT301", 16),
    "frozen part": (f"    def build(self, s):\n        self.dense.trainable = False\n{CALL}", "KT105", 22),
    "no tensor": ("    def call(self, x):\n        return 3", "KT105", 17),
    "assign": (
        "    def call(self, x):\n        self.dense(x).assign(1.0)\n        return self.dense(x)", "KT101", 13,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_told(name: str) -> None:
    body, code, line = CASES[name]
    result = transpile(f"{HEAD}{body}\n{TAIL}", "net.py")
    assert (code, line) in {(d.code, d.line) for d in result.diagnostics}, result.diagnostics
    assert not result.complete
    compile(result.code, "net_torch.py", "exec")


def test_a_class_that_nothing_uses_is_told() -> None:
    source = "from keras import layers\n\n\nclass Twice(layers.Layer):\n    def call(self, x):\n        return 2 * x\n"
    assert [d.code for d in transpile(source, "twice.py").diagnostics] == ["KT201"]


def test_an_object_that_two_models_share_is_one() -> None:
    source = """import keras
from keras import layers


class Block(layers.Layer):
    def __init__(self, units):
        super().__init__()
        self.dense = layers.Dense(units, trainable=False)

    def call(self, x):
        return self.dense(x)


inputs = keras.Input((6,))
block = Block(4)
encoder = keras.Model(inputs, block(inputs))
model = keras.Model(inputs, layers.Dense(2)(block(inputs)))
"""
    result = transpile(source, "shared.py")
    assert result.complete
    assert "block=encoder.block" in result.code
    assert "self.dense.requires_grad_(False)" in result.code
