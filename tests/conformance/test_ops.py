from __future__ import annotations

import numpy as np
import pytest

from tests.conformance.direct import check

HEAD = "import keras\nfrom keras import layers, ops\n"
RNG = np.random.default_rng(3)
IMAGE = RNG.normal(size=(2, 4, 6, 3))
SEQUENCE = RNG.normal(size=(2, 5, 4))


def image(expression: str, conv: bool = False) -> str:
    first = "x = layers.Conv2D(3, 1)(i)\n" if conv else "x = i\n"
    return f"{HEAD}i = keras.Input((4, 6, 3))\n{first}y = {expression}\nmodel = keras.Model(i, y)\n"


@pytest.mark.parametrize("conv", [False, True])
@pytest.mark.parametrize(
    "expression",
    [
        "x + 1", "2 - x", "x * x", "1 / (ops.abs(x) + 1)", "x / 3", "-x", "ops.abs(x)", "x ** 2",
        "(-2) ** ops.round(x)",
        "ops.maximum(x, 0.1)", "ops.minimum(0.1, x)", "ops.maximum(x, -x)", "ops.where(x > 0, x, 0.5)",
        "ops.sqrt(ops.square(x))", "ops.exp(x)", "ops.log(ops.abs(x) + 1)", "ops.tanh(x)", "ops.sigmoid(x)",
        "ops.softmax(x)", "ops.softmax(x, axis=1)", "ops.relu(x)", "ops.gelu(x)", "ops.gelu(x, approximate=False)",
        "ops.clip(x, -0.3, 0.4)", "ops.cast(x > 0, 'float32') * x", "x @ ops.transpose(x, (0, 1, 3, 2))",
        "x * ops.mean(x)", "x - ops.mean(x, axis=(1, 2), keepdims=True)", "x - ops.mean(x, axis=-1, keepdims=True)",
        "ops.floor(x)", "x % 0.7", "x // 0.7", "ops.logical_and(x > 0, x < 1)",
    ],
)  # fmt: skip
def test_elementwise(expression: str, conv: bool) -> None:
    check(image(expression, conv), IMAGE)


@pytest.mark.parametrize("conv", [False, True])
@pytest.mark.parametrize("name", ["sum", "mean", "max", "min", "var", "std", "prod", "logsumexp"])
@pytest.mark.parametrize(
    "axis", ["axis=None", "axis=1", "axis=-1", "axis=(1, 2)", "axis=[2, 3], keepdims=True", "axis=2"]
)
def test_reductions(name: str, axis: str, conv: bool) -> None:
    check(image(f"ops.{name}(x, {axis})", conv), IMAGE)


@pytest.mark.parametrize("conv", [False, True])
@pytest.mark.parametrize(
    "expression",
    [
        "ops.argmax(x, axis=-1)", "ops.argmin(x, axis=1)", "ops.norm(x, axis=-1)", "ops.normalize(x, axis=-1)",
        "ops.cumsum(x, axis=1)", "ops.flip(x, axis=1)", "ops.sort(x, axis=-1)", "ops.any(x > 1, axis=-1)",
        "ops.reshape(x, (-1, 24, 3))", "ops.reshape(x, (-1, 6, 12))", "ops.transpose(x, (0, 3, 1, 2))",
        "ops.expand_dims(x, -1)", "ops.expand_dims(x, 1)", "ops.squeeze(x[:, :1], 1)",
        "ops.concatenate([x, 2 * x], axis=-1)",
        "ops.concatenate([x, x], axis=1)", "ops.stack([x, x * 2], axis=1)", "ops.split(x, 3, axis=-1)",
        "ops.split(x, [1, 3], axis=1)", "ops.tile(x, (1, 2, 1, 3))", "ops.repeat(x, 2, axis=-1)",
        "ops.pad(x, [(0, 0), (1, 2), (0, 1), (0, 0)])", "ops.moveaxis(x, -1, 1)", "ops.swapaxes(x, 1, 3)",
        "x[:, 1]", "x[:, :, :, 0]", "x[..., :2]", "x[:, 1:, ::2]", "x[:, -1, None]", "x[:, 1:3, 2:-1, 1:]",
        "x[..., None]",
        "ops.take(x, [0, 2], axis=-1)", "ops.take(x, 1, axis=1)", "ops.einsum('bhwc,bhwd->bcd', x, x)",
        "ops.tensordot(x, x[0, 0], axes=[[3], [1]])", "ops.dot(x, x[0, 0, :3])",
        "ops.one_hot(ops.argmax(x, axis=-1), 3)",
        "ops.zeros_like(x) + x", "ops.arange(3) * x", "ops.ones((3,)) * x", "ops.broadcast_to(x[:, :1], (2, 4, 6, 3))",
        "ops.top_k(x, 2)[0]", "x[:, 2]",
    ],
)  # fmt: skip
def test_shapes(expression: str, conv: bool) -> None:
    check(image(expression, conv), IMAGE)


def test_features_survive_arithmetic() -> None:
    body = f"{HEAD}i = keras.Input((4, 6, 3))\nx = layers.Flatten()(layers.Conv2D(4, 3)(i))\n"
    check(body + "y = layers.Dense(2)(x * 2 + x)\nmodel = keras.Model(i, y)\n", IMAGE)
    check(body + "y = ops.softmax(x) + ops.sum(x, axis=-1, keepdims=True)\nmodel = keras.Model(i, y)\n", IMAGE)
    check(body + "y = x[:, 3:7]\nmodel = keras.Model(i, y)\n", IMAGE)


def test_look_up() -> None:
    tokens = np.array([[1, 2, 0], [3, 3, 1]])
    head = f"{HEAD}i = keras.Input((3,), dtype='int32')\n"
    check(head + "y = ops.one_hot(i, 4)\nmodel = keras.Model(i, y)\n", tokens)
    check(head + "y = ops.cast(i, 'float32') / 2\nmodel = keras.Model(i, y)\n", tokens)
