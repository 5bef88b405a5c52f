"""UnitNormalization, RMSNormalization, Normalization, and adaptive pooling, against Keras."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.conformance.direct import check, codes

HEAD = "import keras\nfrom keras import layers\n"
RNG = np.random.default_rng(8)


def program(layer: str, shape: tuple[int, ...], more: str = "") -> str:
    return f"{HEAD}x = keras.Input({shape})\ny = layers.{layer}(x)\n{more}model = keras.Model(x, y)\n"


def run(layer: str, shape: tuple[int, ...], **kwargs: Any) -> None:
    check(program(layer, shape), RNG.normal(size=(2, *shape)), **kwargs)
    if len(shape) == 3:  # after a convolution the tensor lies channels first
        chain = f"Conv2D({shape[-1]}, 1)(x)\ny = layers.{layer}(y)\ny = layers.Conv2D(2, 1)"
        source = program("X", shape).replace("layers.X(x)", f"layers.{chain}(y)")
        check(source, RNG.normal(size=(2, *shape)), **kwargs)


@pytest.mark.parametrize("shape", [(4,), (5, 4), (5, 6, 4)])
@pytest.mark.parametrize("layer", ["UnitNormalization()", "RMSNormalization()", "RMSNormalization(epsilon=0.3)"])
def test_last_axis(layer: str, shape: tuple[int, ...]) -> None:
    run(layer, shape)


@pytest.mark.parametrize(
    "layer",
    ["UnitNormalization(axis=1)", "UnitNormalization(axis=(1, 2))", "UnitNormalization(axis=[1, 2, 3])",
     "RMSNormalization(axis=[2, 3])"],
)  # fmt: skip
def test_other_axes(layer: str) -> None:
    run(layer, (5, 6, 4))


@pytest.mark.parametrize("shape", [(4,), (5, 4), (5, 6, 4)])
@pytest.mark.parametrize(
    "arguments",
    ["mean=[0.5, -1.0, 2.0, 0.0], variance=[1.0, 0.25, 3.0, 0.0]", "mean=2.0, variance=4.0", "", "axis=None",
     "axis=None, mean=1, variance=2", "mean=[2.0], variance=[0.3]", "mean=0.3, variance=2.0, invert=True",
     "axis=1", "invert=True"],
)  # fmt: skip
def test_normalization(arguments: str, shape: tuple[int, ...]) -> None:
    run(f"Normalization({arguments})", shape)


@pytest.mark.parametrize("arguments", ["axis=(1, 3)", "axis=(2, 3), mean=[1.0, 2.0, 3.0, 4.0], variance=[2.0] * 4"])
def test_normalization_over_several_axes(arguments: str) -> None:
    run(f"Normalization({arguments})", (5, 6, 4))


@pytest.mark.parametrize("kind", ["Average", "Max"])
@pytest.mark.parametrize(
    ("rank", "shape", "size"),
    [(1, (7, 3), "3"), (1, (7, 3), "(1,)"), (2, (7, 5, 3), "3"), (2, (7, 5, 3), "(2, 4)"), (2, (4, 3, 3), "(6, 3)"),
     (3, (4, 5, 6, 2), "(2, 5, 4)"), (3, (4, 5, 6, 2), "1")],
)  # fmt: skip
def test_adaptive_pooling(kind: str, rank: int, shape: tuple[int, ...], size: str) -> None:
    run(f"Adaptive{kind}Pooling{rank}D({size})", shape)


@pytest.mark.parametrize(
    ("layer", "code"),
    [
        ("Normalization(mean=1.0)", "KT103"), ("Normalization(mean=[1.0, 2.0], variance=[1.0, 2.0])", "KT104"),
        ("Normalization(mean=[[1.0]], variance=[[2.0]])", "KT102"), ("RMSNormalization(axis=0)", "KT102"),
        ("RMSNormalization(axis=1)", "KT102"),
        ("UnitNormalization(axis=4)", "KT104"), ("AdaptiveMaxPooling2D(2)", "KT104"),
        ("AdaptiveMaxPooling1D(2, data_format='channels_first')", "KT102"),
    ],
)  # fmt: skip
def test_refused(layer: str, code: str) -> None:
    assert code in codes(program(layer, (5, 4)))
