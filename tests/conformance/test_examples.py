"""The examples that rules of layers carry, against real Keras."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from tests.conformance.direct import check
from transpiler.rules.base import LAYERS

# Those that the installed Keras has. It gives the images of `RandomCrop` back whole: see test_augmentation.py.
EXAMPLES = [
    (call, shapes)
    for symbol, rule in LAYERS.items()
    for call, shapes in rule.examples
    if hasattr(keras.layers, symbol.rpartition(".")[2]) and not call.startswith("RandomCrop")
]


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@pytest.mark.parametrize(("call", "shapes"), EXAMPLES, ids=[f"{c} on {s}" for c, s in EXAMPLES])
def test_example(call: str, shapes: Any) -> None:
    given = shapes if isinstance(shapes, list) else [shapes]
    names = "abcd"[: len(given)]
    lines = [f"{name} = keras.Input({shape})" for name, shape in zip(names, given, strict=True)]
    inputs = f"[{', '.join(names)}]" if isinstance(shapes, list) else "a"
    source = "\n".join(
        ["import keras", "from keras import layers", "from keras.layers import *", *lines,
         f"y = layers.{call}({inputs})", f"model = keras.Model({inputs}, y)", ""]
    )  # fmt: skip
    rng = np.random.default_rng(11)
    check(source, *(rng.integers(0, 2, (2, *shape)).astype(float) for shape in given))
