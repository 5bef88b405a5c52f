"""Dense, Flatten, Reshape and the other plain layers, against Keras."""

from __future__ import annotations

import numpy as np
import pytest

from tests.conformance.direct import check, codes

HEAD = "import keras\nfrom keras import layers\n"
RNG = np.random.default_rng(4)


def sequential(shape: tuple[int, ...], *chain: str) -> str:
    return f"{HEAD}model = keras.Sequential([keras.Input({shape}), {', '.join('layers.' + c for c in chain)}])\n"


def run(shape: tuple[int, ...], *chain: str, drop_in: bool = True) -> None:
    check(sequential(shape, *chain), RNG.normal(size=(2, *shape)), drop_in=drop_in)


@pytest.mark.parametrize("shape", [(3,), (5, 3), (4, 5, 3), (2, 4, 5, 3)])
@pytest.mark.parametrize(
    "layer",
    [
        "Dense(4)", "Dense(4, use_bias=False)", "Dense(4, 'relu')", "Dense(4, activation='softmax')",
        "Dense(units=4, activation='gelu')", "Dense(4, kernel_regularizer='l2', bias_initializer='ones')",
        "Dense(4, kernel_initializer={'class_name': 'HeNormal', 'config': {}})",
        "Dense(4, activation=layers.LeakyReLU(0.1))", "Dense(4, activation=lambda t: t * 2 + 1)",
        "Dense(4, activation=keras.ops.gelu)", "Dense(4, activation=keras.activations.gelu)",
    ],
)  # fmt: skip
def test_dense(layer: str, shape: tuple[int, ...]) -> None:
    run(shape, layer)


@pytest.mark.parametrize("drop_in", [True])
@pytest.mark.parametrize(
    "chain",
    [
        ("Conv2D(3, 2)", "Flatten()", "Dense(4)"),
        ("Conv2D(3, 2)", "Flatten()"),
        ("Conv2D(3, 2)", "Flatten()", "Dropout(0.5)", "Activation('tanh')", "Dense(4)"),
        ("Conv2D(3, 2)", "Flatten()", "BatchNormalization()", "Dense(4)"),
        ("Conv2D(3, 2)", "Flatten()", "RepeatVector(2)"),
        ("Conv2D(3, 2)", "Flatten()", "Softmax()"),
        ("Conv2D(3, 2)", "Flatten()", "PReLU()", "Dense(4)"),
        ("Conv2D(3, 2)", "Flatten()", "Reshape((3, -1))"),
        ("Conv2D(3, 2)", "Dense(4)", "Flatten()", "Dense(2)"),
        ("Conv2D(3, 2)", "Reshape((-1, 3))", "Dense(4)"),
        ("Conv2D(3, 2)", "Permute((3, 1, 2))", "Flatten()", "Dense(2)"),
        ("Conv2D(1, 2)", "Flatten()", "Dense(4)"),
        ("Conv2D(3, (4, 5))", "Flatten()", "Dense(4)"),
    ],
    ids=lambda chain: "-".join(part.partition("(")[0] for part in chain),
)
def test_features(chain: tuple[str, ...], drop_in: bool) -> None:
    run((4, 5, 3), *chain, drop_in=drop_in)


@pytest.mark.parametrize(
    ("shape", "layer"),
    [
        ((12,), "Reshape((3, 4))"), ((12,), "Reshape((2, 2, 3))"), ((6, 4), "Reshape((-1, 2))"),
        ((6, 2, 2), "Reshape((24,))"), ((4,), "Reshape((1, 1, 4))"), ((3, 4, 2), "Reshape((6, -1))"),
        ((4, 3), "Permute((2, 1))"), ((4, 5, 3), "Permute((3, 1, 2))"), ((4, 5, 3), "Permute((1, 2, 3))"),
        ((4,), "RepeatVector(3)"), ((4, 3), "Flatten()"), ((4,), "Flatten()"), ((4, 5, 3), "Flatten()"),
        ((4,), "Identity()"), ((4,), "Rescaling(1 / 255)"), ((4,), "Rescaling(2.0, offset=-1.0)"),
        ((4, 5, 3), "Rescaling(1 / 127.5, offset=-1)"),
    ],
)  # fmt: skip
def test_shapes(shape: tuple[int, ...], layer: str) -> None:
    run(shape, layer)


@pytest.mark.parametrize(
    "layer",
    [
        "Dense(4, activity_regularizer='l2')", "Dense(4, lora_rank=2)", "Dense(0)", "Dense(4, activation='nonsense')",
        "Dense()", "Permute((1, 3))", "Reshape((7,))", "Activation('relu', activity_regularizer='l1')",
    ],
)  # fmt: skip
def test_refusals(layer: str) -> None:
    assert codes(sequential((4, 3), layer))
