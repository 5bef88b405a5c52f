"""Layers that merge tensors, against Keras."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.conformance.direct import check, codes

HEAD = "import keras\nfrom keras import layers\n"
RNG = np.random.default_rng(6)
KINDS = ("Add", "Multiply", "Average", "Maximum", "Minimum")


def program(shapes: list[tuple[int, ...]], layer: str, before: str = "{}") -> str:
    inputs = ", ".join(f"keras.Input({shape})" for shape in shapes)
    merged = ", ".join(before.format(f"i[{k}]") for k in range(len(shapes)))
    return f"{HEAD}i = [{inputs}]\nmodel = keras.Model(i, layers.{layer}([{merged}]))\n"


def run(shapes: list[tuple[int, ...]], layer: str, before: str = "{}") -> None:
    check(program(shapes, layer, before), *[RNG.normal(size=(2, *shape)) for shape in shapes])


SHAPES: list[list[tuple[int, ...]]] = [
    [(3,), (3,)], [(4, 3), (4, 3), (4, 3)], [(4, 5, 3), (4, 5, 3)], [(4, 5, 3), (1, 1, 3)], [(4, 3), (3,)],
    [(4, 5, 3), (3,), (5, 3)],
]  # fmt: skip


@pytest.mark.parametrize("shapes", SHAPES, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_elementwise(kind: str, shapes: list[tuple[int, ...]]) -> None:
    run(shapes, f"{kind}()")


@pytest.mark.parametrize(
    "kind", ["Subtract()", *(f"{kind}()" for kind in KINDS), "Concatenate()", "Concatenate(axis=1)"]
)
@pytest.mark.parametrize("before", ["layers.Conv2D(3, 2)({})", "layers.Flatten()(layers.Conv2D(3, 2)({}))"])
def test_after_convolution(kind: str, before: str) -> None:
    run([(4, 5, 2), (4, 5, 2)], kind, before)


@pytest.mark.parametrize(
    ("shapes", "layer"),
    [
        ([(3,), (2,)], "Concatenate()"), ([(4, 3), (4, 2), (4, 1)], "Concatenate()"),
        ([(4, 3), (2, 3)], "Concatenate(axis=1)"), ([(4, 5, 3), (4, 2, 3)], "Concatenate(axis=2)"),
        ([(4, 5, 3), (4, 5, 1)], "Concatenate(axis=-1)"), ([(4, 3), (4, 3)], "Subtract()"),
        ([(4,), (4,)], "Dot(axes=1)"), ([(4,), (4,)], "Dot(axes=-1, normalize=True)"),
        ([(3, 4), (4, 5)], "Dot(axes=(2, 1))"), ([(3, 4), (5, 4)], "Dot(axes=2)"), ([(4, 3), (4, 5)], "Dot(axes=1)"),
        ([(3, 4), (5, 4)], "Dot(axes=-1, normalize=True)"), ([(3, 4), (4,)], "Dot(axes=(2, 1))"),
        ([(2, 3, 4), (4, 5)], "Dot(axes=(3, 1))"),
    ],
)  # fmt: skip
def test_joins(shapes: list[tuple[int, ...]], layer: str) -> None:
    run(shapes, layer)


def test_features_of_several_kinds() -> None:
    source = (
        f"{HEAD}i = keras.Input((4, 5, 2))\na = layers.Flatten()(layers.Conv2D(3, 2)(i))\n"
        "b = layers.Flatten()(layers.Conv2D(2, 3)(i))\nc = layers.GlobalMaxPooling2D()(i)\n"
        "model = keras.Model(i, layers.Dense(4)(layers.Concatenate()([a, c, b])))\n"
    )
    check(source, RNG.normal(size=(2, 4, 5, 2)))


@pytest.mark.parametrize("kind", ["Add()", "Multiply()", "Maximum()", "Minimum()", "Concatenate()"])
@pytest.mark.parametrize("other", ["a", "layers.Dense(3)(a)", "j"])
def test_masks(kind: str, other: str) -> None:
    source = (
        f"{HEAD}i = keras.Input((5,), dtype='int32')\nj = keras.Input((5, 3))\n"
        f"a = layers.Embedding(6, 3, mask_zero=True)(i)\nx = layers.{kind}([a, {other}])\n"
        "model = keras.Model([i, j], [x, layers.LSTM(2)(x)])\n"
    )
    tokens: Any = np.array([[1, 2, 3, 0, 0], [0, 0, 4, 5, 1]])
    check(source, tokens, RNG.normal(size=(2, 5, 3)))


@pytest.mark.parametrize(
    ("shapes", "layer"),
    [
        ([(3,), (3,), (3,)], "Subtract()"), ([(3,), (4,)], "Add()"), ([(4, 3), (3,)], "Concatenate()"),
        ([(4, 3), (5, 3)], "Concatenate()"), ([(4,), (5,)], "Dot(axes=1)"), ([(4,), (4,)], "Dot(axes=0)"),
    ],
)  # fmt: skip
def test_refusals(shapes: list[tuple[int, ...]], layer: str) -> None:
    assert codes(program(shapes, layer))
