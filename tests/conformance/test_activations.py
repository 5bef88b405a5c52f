"""Activations by name and as layers, against Keras, on vectors, sequences and channels-first images."""

from __future__ import annotations

import numpy as np
import pytest

from tests.conformance.direct import check

HEAD = "import keras\nfrom keras import layers\n"
RNG = np.random.default_rng(5)
NAMES = (
    "relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "swish", "mish", "softplus", "softsign",
    "tanh", "sigmoid", "log_sigmoid", "hard_sigmoid", "hard_silu", "hard_swish", "hard_tanh", "tanh_shrink",
    "soft_shrink", "hard_shrink", "exponential", "linear", "squareplus", "sparse_plus", "sparse_sigmoid", "softmax",
    "log_softmax",
)  # fmt: skip
LAYERS = (
    "ReLU()", "ReLU(6.0)", "ReLU(max_value=1.5)", "ReLU(negative_slope=0.1)", "ReLU(threshold=0.5)",
    "ReLU(max_value=1.5, negative_slope=0.1, threshold=0.5)", "ReLU(max_value=1.5, negative_slope=0.1)",
    "LeakyReLU()", "LeakyReLU(0.1)", "LeakyReLU(alpha=0.2)", "ELU()", "ELU(0.5)", "Softmax()", "Softmax(axis=1)",
    "Softmax(axis=-1)", "PReLU()", "PReLU(shared_axes=[1])", "Activation(keras.activations.relu)",
)  # fmt: skip
INPUTS = {
    "vector": ((6,), "i"),
    "sequence": ((5, 4), "i"),
    "image": ((4, 5, 3), "i"),
    "first": ((4, 5, 3), "layers.Conv2D(3, 2)(i)"),
    "flat": ((4, 5, 3), "layers.Flatten()(layers.Conv2D(3, 2)(i))"),
}


def run(kind: str, layer: str) -> None:
    shape, x = INPUTS[kind]
    source = f"{HEAD}i = keras.Input({shape})\nmodel = keras.Model(i, layers.{layer}({x}))\n"
    check(source, RNG.normal(size=(2, *shape)) * 3)


@pytest.mark.parametrize("kind", INPUTS)
@pytest.mark.parametrize("name", NAMES)
def test_names(name: str, kind: str) -> None:
    run(kind, f"Activation('{name}')")


@pytest.mark.parametrize("kind", INPUTS)
@pytest.mark.parametrize("layer", LAYERS)
def test_layers(layer: str, kind: str) -> None:
    run(kind, layer)


@pytest.mark.parametrize("kind", ["sequence", "image", "first"])
@pytest.mark.parametrize("layer", ["Softmax(axis=[1, 2])", "PReLU(shared_axes=[1, 2])"])
def test_several_axes(layer: str, kind: str) -> None:
    run(kind, layer)
