"""The less common ops against Keras, on tensors that lie channels first or not."""

# ruff: noqa: E501 - tables
from __future__ import annotations

import numpy as np
import pytest

from tests.conformance.direct import check, codes

HEAD = "import keras\nfrom keras import layers, ops\n"
RNG = np.random.default_rng(12)
IMAGE = RNG.normal(size=(2, 4, 6, 4))
MATRIX = RNG.normal(size=(2, 3, 3))


def image(expression: str, conv: bool = False) -> str:
    first = "x = layers.Conv2D(4, 1)(i)\n" if conv else "x = i\n"
    return f"{HEAD}i = keras.Input((4, 6, 4))\n{first}y = {expression}\nmodel = keras.Model(i, y)\n"


ELEMENTWISE = [
    *(f"ops.{name}(x)" for name in (
        "cbrt", "exp2", "deg2rad", "rad2deg", "erfc", "sinc", "i0", "trunc", "fabs", "copy", "signbit", "isposinf",
        "isneginf", "isreal", "conj", "real", "celu", "hard_shrink", "soft_shrink", "squareplus", "hard_tanh",
        "sparse_plus", "sparse_sigmoid", "nan_to_num")),
    *(f"ops.{name}(x, ops.sin(x))" for name in (
        "fmax", "fmin", "fmod", "hypot", "logaddexp", "logaddexp2", "heaviside", "nextafter")),
    *(f"ops.{name}(ops.cast(x * 4, 'int32'), ops.cast(x * 9, 'int32'))" for name in (
        "bitwise_and", "bitwise_or", "bitwise_xor", "gcd", "lcm")),
    "ops.left_shift(ops.cast(ops.abs(x) * 4, 'int32'), 2)", "ops.erfinv(ops.tanh(x))", "ops.celu(x, 0.3)",
    "ops.hard_shrink(x, 0.2)", "ops.soft_shrink(x, threshold=0.2)", "ops.squareplus(x, 2)",
    "ops.threshold(x, 0.1, -1.0)", "ops.isclose(x, x + 1e-6)", "ops.isclose(x, x + 1e-3, rtol=0.1)",
    "ops.full_like(x, 2.5) * x", "ops.saturate_cast(x * 200, 'uint8')", "ops.ldexp(x, ops.cast(x, 'int32'))",
]  # fmt: skip


@pytest.mark.parametrize("conv", [False, True])
@pytest.mark.parametrize("expression", ELEMENTWISE)
def test_elementwise(expression: str, conv: bool) -> None:
    check(image(expression, conv), IMAGE)


@pytest.mark.parametrize("conv", [False, True])
@pytest.mark.parametrize(
    "expression",
    [
        *(f"ops.{name}(x{axis})" for name in ("median", "nansum", "nanmean", "nanmax", "nanmin", "ptp")
          for axis in ("", ", axis=-1", ", axis=1, keepdims=True")),
        "ops.nansum(x, axis=(1, 2))", "ops.quantile(x, 0.3, axis=-1)", "ops.quantile(x, 0.3, axis=1, keepdims=True)",
        "ops.percentile(x, 30, axis=-1)", "ops.average(x, axis=1)", "ops.diff(x)", "ops.diff(x, n=2, axis=1)",
        "ops.tril(x)", "ops.triu(x, 1)", "ops.diagonal(x)", "ops.diagonal(x, 1, 1, 2)", "ops.trace(x, axis1=1, axis2=3)",
        "ops.fliplr(x)", "ops.flipud(x)", "ops.rot90(x, axes=(1, 2))", "ops.rot90(x, 2, axes=(1, 3))", "ops.ravel(x)",
        "ops.vstack([x, 2 * x])", "ops.hstack([x, 2 * x])", "ops.dstack([x, 2 * x])", "ops.append(x, 2 * x, axis=-1)",
        "ops.slice(x, (0, 1, 2, 0), (2, 2, 3, 4))", "ops.outer(x[0, 0, 0], x[1, 0, 0])",
        "ops.cross(x[..., :3], x[..., 1:])",
    ],
)  # fmt: skip
def test_axes(expression: str, conv: bool) -> None:
    check(image(expression, conv), IMAGE)


@pytest.mark.parametrize("conv", [False, True])
@pytest.mark.parametrize(
    "expression",
    [
        "ops.max_pool(x, 2)", "ops.max_pool(x, (2, 3), strides=1, padding='same')", "ops.average_pool(x, 2, padding='valid')",
        "ops.adaptive_average_pool(x, (2, 4))", "ops.adaptive_max_pool(x, (2, 2))", "ops.image.resize(x, (7, 5))",
        "ops.image.resize(x, (3, 9), interpolation='nearest')", "ops.image.resize(x, (3, 3), crop_to_aspect_ratio=True)",
        "ops.image.extract_patches(x, 2)", "ops.image.extract_patches(x, (3, 2), strides=1)",
        "ops.image.extract_patches(x, 3, strides=2, padding='same')", "ops.image.extract_patches(x, 2, 1, dilation_rate=2)",
        "ops.image.extract_patches(x[..., :1], 2)", "ops.space_to_depth(x, 2)",
        "ops.binary_crossentropy(ops.sigmoid(i), ops.sigmoid(x))",
        "ops.binary_crossentropy(ops.sigmoid(i), x, from_logits=True)",
        "ops.categorical_crossentropy(ops.softmax(i), ops.softmax(x))",
        "ops.categorical_crossentropy(ops.softmax(i), x, from_logits=True)",
        "ops.sparse_categorical_crossentropy(ops.argmax(i, axis=-1), ops.softmax(x))",
        "ops.sparse_categorical_crossentropy(ops.argmax(i, axis=-1), x, from_logits=True)",
        "ops.dot_product_attention(x, 2 * x, ops.sin(x))", "ops.dot_product_attention(x, x, x, is_causal=True, scale=0.3)",
        "ops.dot_product_attention(x, x, x, mask=ops.transpose(x, (0, 2, 1, 3)) > -1.5)",
    ],
)  # fmt: skip
def test_networks(expression: str, conv: bool) -> None:
    check(image(expression, conv), IMAGE)


@pytest.mark.parametrize("name", ["inv", "det", "logdet"])
def test_matrices(name: str) -> None:
    square = "ops.matmul(x, ops.transpose(x, (0, 2, 1))) + ops.eye(3)"
    body = f"{HEAD}x = keras.Input((3, 3))\ny = ops.{name}({square})\nmodel = keras.Model(x, y)\n"
    check(body, MATRIX)


@pytest.mark.parametrize("expression", ["ops.cholesky({})", "ops.cholesky({}, upper=True)", "ops.solve({}, x)"])
def test_solutions(expression: str) -> None:
    square = "ops.matmul(x, ops.transpose(x, (0, 2, 1))) + ops.eye(3)"
    check(f"{HEAD}x = keras.Input((3, 3))\ny = {expression.format(square)}\nmodel = keras.Model(x, y)\n", MATRIX)


def test_look_up() -> None:
    tokens = np.array([[1, 2, 0], [3, 3, 1]])
    check(f"{HEAD}i = keras.Input((3,), dtype='int32')\nmodel = keras.Model(i, ops.multi_hot(i, 4))\n", tokens)
    source = (
        f"{HEAD}i = keras.Input((), dtype='int32')\nx = keras.Input((5,))\n"
        "model = keras.Model([i, x], ops.in_top_k(i, x, 2))\n"
    )
    check(source, np.array([1, 4, 0]), RNG.normal(size=(3, 5)))


SPELLINGS = {
    "tf.image.resize(x, (7, 5))": "ops.image.resize(x, (7, 5))",
    "tf.image.extract_patches(x, [1, 2, 3, 1], [1, 1, 2, 1], [1, 1, 1, 1], 'VALID')": "ops.image.extract_patches(x, (2, 3), (1, 2))",
    "tf.image.extract_patches(images=x, sizes=[1, 2, 2, 1], strides=[1, 2, 2, 1], rates=[1, 1, 1, 1], padding='SAME')":
        "ops.image.extract_patches(x, 2, padding='same')",
    "tf.image.flip_left_right(x)": "ops.flip(x, axis=2)", "tf.image.flip_up_down(x)": "ops.flip(x, axis=1)",
    "tf.nn.max_pool2d(x, 2, 2, 'SAME')": "ops.max_pool(x, 2, 2, 'same')",
    "tf.nn.avg_pool2d(x, ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding='VALID')": "ops.average_pool(x, 2, 2)",
    "tf.nn.sigmoid_cross_entropy_with_logits(labels=ops.sigmoid(x), logits=x)": "ops.binary_crossentropy(ops.sigmoid(x), x, from_logits=True)",
    "tf.nn.softmax_cross_entropy_with_logits(ops.softmax(x), x)": "ops.categorical_crossentropy(ops.softmax(x), x, from_logits=True)",
    "tf.nn.space_to_depth(x, 2)": "ops.space_to_depth(x, 2)", "tf.math.erfc(x)": "ops.erfc(x)",
    "K.repeat(x[:, 0, 0], 3)": "ops.repeat(ops.expand_dims(x[:, 0, 0], 1), 3, axis=1)",
    "K.binary_crossentropy(K.sigmoid(x), K.sigmoid(2 * x))": "ops.binary_crossentropy(ops.sigmoid(x), ops.sigmoid(2 * x))",
    "K.categorical_crossentropy(K.softmax(x), x, from_logits=True)": "ops.categorical_crossentropy(ops.softmax(x), x, from_logits=True)",
    "K.slice(x, (0, 1, 0, 0), (2, 2, 6, 4))": "x[:, 1:3]",
}  # fmt: skip


@pytest.mark.parametrize("spelled", SPELLINGS)
def test_spellings(spelled: str) -> None:
    import torch

    from tests.conformance.direct import Runner, keras_model, translate

    ours = image(spelled).replace(
        "import keras\n", "import keras\nimport tensorflow as tf\nfrom keras import backend as K\n"
    )
    wanted = keras_model(image(SPELLINGS[spelled]))(torch.as_tensor(IMAGE)).numpy()
    torch.set_default_dtype(torch.float64)
    try:
        got = Runner(translate(ours))(torch.as_tensor(IMAGE)).numpy()
    finally:
        torch.set_default_dtype(torch.float32)
    np.testing.assert_allclose(got, wanted, atol=1e-9)


@pytest.mark.parametrize(
    "expression",
    ["ops.fmax(x, 0.5)", "ops.quantile(x, [0.2, 0.4])", "ops.quantile(x, 0.3, method='lower')", "ops.average(x, weights=x)", "ops.append(x, x)",
     "ops.max_pool(x, 2, data_format='channels_first')", "ops.saturate_cast(x, 'int64')", "ops.outer(x, x)",
     "ops.image.resize(x, (3, 3), interpolation='bicubic')", "ops.dot_product_attention(x, x, x, bias=x)"],
)  # fmt: skip
def test_refused(expression: str) -> None:
    assert codes(image(expression))
