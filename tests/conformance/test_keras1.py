"""Layers of Keras 1 and 2: against their successors in Keras 3, or against the formula where there is none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from tests.conformance.direct import Runner, codes, keras_model, lookup_in, redraw, translate
from transpiler.graph.torch import WeightRef

HEAD = "import keras\nfrom keras import layers\nfrom keras.layers import *\n"
RNG = np.random.default_rng(11)
SUCCESSORS = [
    ("AtrousConvolution1D(4, 3, atrous_rate=2, border_mode='same')",
     "Conv1D(4, 3, dilation_rate=2, padding='same')", (9, 3)),
    ("AtrousConvolution2D(4, 3, 2, atrous_rate=(2, 3), activation='relu')",
     "Conv2D(4, (3, 2), dilation_rate=(2, 3), activation='relu')", (9, 8, 3)),
    ("AtrousConvolution2D(nb_filter=4, nb_row=3, nb_col=2, bias=False)",
     "Conv2D(4, (3, 2), use_bias=False)", (9, 8, 3)),
    ("Deconvolution2D(4, 3, 3, output_shape=(None, 12, 10, 4), subsample=(2, 2), border_mode='same')",
     "Conv2DTranspose(4, 3, strides=2, padding='same')", (6, 5, 3)),
    ("Deconvolution2D(4, 3, 2, (None, 8, 6, 4))", "Conv2DTranspose(4, (3, 2))", (6, 5, 3)),
    ("Deconvolution3D(4, 2, 2, 2, (None, 6, 8, 4, 4), subsample=(2, 2, 2))",
     "Conv3DTranspose(4, 2, strides=2)", (3, 4, 2, 3)),
    ("TimeDistributedDense(4, activation='tanh')", "Dense(4, activation='tanh')", (5, 3)),
    ("ThresholdedReLU(0.3)", "ReLU(threshold=0.3)", (5,)),
    ("CuDNNLSTM(3)", "LSTM(3)", (5, 4)),
    ("CuDNNGRU(3, return_sequences=True)", "GRU(3, return_sequences=True)", (5, 4)),
]  # fmt: skip


def program(layer: str, shape: tuple[int, ...]) -> str:
    named = layer if layer.startswith(("Threshold", "ReLU")) else f"{layer[:-1]}, name='it')"
    return f"{HEAD}x = keras.Input({shape})\nmodel = keras.Model(x, layers.{named}(x))\n"


@pytest.mark.parametrize(("old", "new", "shape"), SUCCESSORS)
def test_successors(old: str, new: str, shape: tuple[int, ...]) -> None:
    judge = keras_model(program(new, shape))
    redraw(judge, np.random.default_rng(0))
    x = RNG.normal(size=(2, *shape))
    agree(program(old, shape), x, lookup_in(judge), judge(torch.as_tensor(x)).detach().numpy())


def agree(source: str, x: np.ndarray, lookup: Any, wanted: np.ndarray) -> None:
    torch.set_default_dtype(torch.float64)
    try:
        runner = Runner(translate(source)).double().eval()
        runner.load(lookup)
        with torch.no_grad():
            got = runner(torch.as_tensor(x)).numpy()
    finally:
        torch.set_default_dtype(torch.float32)
    np.testing.assert_allclose(got, wanted, atol=1e-9)


def by_name(arrays: dict[str, np.ndarray]) -> Any:
    def find(ref: WeightRef) -> np.ndarray:
        return arrays[ref.name]

    return find


def test_maxout() -> None:
    kernel, bias, x = RNG.normal(size=(4, 3, 5)), RNG.normal(size=(4, 5)), RNG.normal(size=(2, 3))
    wanted = (np.einsum("ni,kio->nko", x, kernel) + bias).max(axis=1)
    agree(program("MaxoutDense(5)", (3,)), x, by_name({"W": kernel, "b": bias}), wanted)
    wanted = np.einsum("ni,kio->nko", x, kernel[:2]).max(axis=1)
    agree(program("MaxoutDense(5, nb_feature=2, bias=False)", (3,)), x, by_name({"W": kernel[:2]}), wanted)


def test_highway() -> None:
    arrays = {"W": RNG.normal(size=(3, 3)), "W_carry": RNG.normal(size=(3, 3)), "b": RNG.normal(size=3),
              "b_carry": RNG.normal(size=3)}  # fmt: skip
    x = RNG.normal(size=(2, 3))
    gate = 1 / (1 + np.exp(-(x @ arrays["W_carry"] + arrays["b_carry"])))
    wanted = gate * np.tanh(x @ arrays["W"] + arrays["b"]) + (1 - gate) * x
    agree(program("Highway(activation='tanh')", (3,)), x, by_name(arrays), wanted)


@pytest.mark.parametrize(("size", "stride"), [((2, 3), (1, 1)), ((3, 2), (2, 1))])
def test_locally_connected_images(size: tuple[int, int], stride: tuple[int, int]) -> None:
    rows, columns = (6 - size[0]) // stride[0] + 1, (5 - size[1]) // stride[1] + 1
    kernel = RNG.normal(size=(rows * columns, size[0] * size[1] * 3, 4))
    bias, x = RNG.normal(size=(rows, columns, 4)), RNG.normal(size=(2, 6, 5, 3))
    wanted = np.zeros((2, rows, columns, 4))
    for i in range(rows):
        for j in range(columns):
            window = x[:, i * stride[0] :, j * stride[1] :][:, : size[0], : size[1]].reshape(2, -1)
            wanted[:, i, j] = np.maximum(window @ kernel[i * columns + j] + bias[i, j], 0)
    layer = f"LocallyConnected2D(4, {size}, strides={stride}, activation='relu')"
    agree(program(layer, (6, 5, 3)), x, by_name({"kernel": kernel, "bias": bias}), wanted)


def test_locally_connected_sequences() -> None:
    kernel, x = RNG.normal(size=(3, 2 * 4, 5)), RNG.normal(size=(2, 6, 4))
    wanted = np.stack([x[:, 2 * i : 2 * i + 2].reshape(2, -1) @ kernel[i] for i in range(3)], axis=1)
    layer = "LocallyConnected1D(5, 2, subsample_length=2, bias=False)"
    agree(program(layer, (6, 4)), x, by_name({"kernel": kernel}), wanted)


@pytest.mark.parametrize(
    ("mode", "layer"),
    [("mode='sum'", "Add()"), ("mode='mul'", "Multiply()"), ("mode='ave'", "Average()"), ("mode='max'", "Maximum()"),
     ("mode='concat', concat_axis=1", "Concatenate(axis=1)"), ("mode='concat'", "Concatenate()"),
     ("mode='dot', dot_axes=2", "Dot(axes=2)"), ("'sum'", "Add()")],
)  # fmt: skip
@pytest.mark.parametrize("form", ["merge([y, x], {})", "Merge({})([y, x])", "merge(inputs=[y, x], {})"])
def test_merge(mode: str, layer: str, form: str) -> None:
    if not mode.startswith("mode="):
        mode = mode if form.startswith("merge([") else f"mode={mode}"
    head = f"{HEAD}x = keras.Input((4, 3))\ny = layers.Permute((1, 2))(x)\n"
    judge = keras_model(f"{head}model = keras.Model(x, layers.{layer}([y, x]))\n")
    x = RNG.normal(size=(2, 4, 3))
    source = f"{head}model = keras.Model(x, {form.format(mode)})\n"
    agree(source, x, None, judge(torch.as_tensor(x)).numpy())


@pytest.mark.parametrize(
    "expression",
    ["merge([x, x], mode='cos')(x)", "merge([x, x], mode=lambda p: p[0])", "Merge([x, x], mode='sum')",
     "merge([x, x], output_shape=(3,))", "LocallyConnected1D(3, 2, padding='same')(x)", "Highway()(x)",
     "Deconvolution2D(3, 2, 2, (None, 9, 9, 3))(layers.Reshape((4, 3, 1))(x))"],
)  # fmt: skip
def test_refused(expression: str) -> None:
    assert codes(f"{HEAD}x = keras.Input((4, 3))\nmodel = keras.Model(x, {expression})\n")
