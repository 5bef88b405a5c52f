"""Functions that build models and that nobody calls, or that are called several times: their classes, beside Keras'."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from transpiler import Options, Result, transpile

LIBRARY = """
import keras
from keras import layers


def squeeze(x, ratio=4):
    filters = x.shape[-1]
    s = layers.GlobalAveragePooling2D()(x)
    s = layers.Dense(filters // ratio, activation="relu")(s)
    s = layers.Dense(filters, activation="sigmoid")(s)
    return layers.multiply([x, layers.Reshape((1, 1, filters))(s)])


def build_unet(input_shape, n_classes, base=8):
    inputs = keras.Input(input_shape)
    skips = []
    x = inputs
    for i in range(2):
        x = layers.Conv2D(base * 2**i, 3, padding="same", activation="relu")(x)
        x = squeeze(x)
        skips.append(x)
        x = layers.MaxPooling2D()(x)
    while skips:
        x = layers.UpSampling2D()(x)
        x = layers.concatenate([x, skips.pop()])
        x = layers.Conv2D(base, 3, padding="same", activation="relu")(x)
    return keras.Model(inputs, layers.Conv2D(n_classes, 1, activation="softmax")(x))


def build_mlp(input_shape, config):
    model = keras.Sequential()
    model.add(layers.Dense(config["hidden"], activation="relu", input_shape=input_shape))
    model.add(layers.Dense(config["classes"]))
    return model
"""


def classes(result: Result) -> dict[str, Any]:
    """The classes of a translation, run."""
    assert result.complete, result.diagnostics
    namespace: dict[str, Any] = {"__name__": "translated"}
    exec(compile(result.code, "translated.py", "exec"), namespace)
    return namespace


def sizes(module: torch.nn.Module) -> list[int]:
    return sorted(p.numel() for p in module.parameters())


def keras_sizes(call: str) -> list[int]:
    namespace: dict[str, Any] = {}
    exec(LIBRARY, namespace)
    model = eval(call, namespace)
    return sorted(int(np.prod(weight.shape)) for weight in model.trainable_weights)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("UNet(in_channels=3, n_classes=2)", "build_unet((16, 16, 3), 2)"),
        ("UNet(in_channels=1, n_classes=5, base=4)", "build_unet((8, 8, 1), 5, base=4)"),
        ("MLP(in_features=7, hidden=6, classes=5)", "build_mlp((7,), {'hidden': 6, 'classes': 5})"),
    ],
)
def test_a_builder_that_nobody_calls(ours: str, theirs: str) -> None:
    pytest.importorskip("keras")
    made = eval(ours, classes(transpile(LIBRARY)))
    assert sizes(made) == keras_sizes(theirs)


def test_its_forward_runs_in_channels_first_order() -> None:
    model = eval("UNet(in_channels=3, n_classes=2)", classes(transpile(LIBRARY)))
    assert model(torch.zeros(2, 3, 16, 16)).shape == (2, 2, 16, 16)


def test_a_block_that_nobody_calls() -> None:
    source = LIBRARY[: LIBRARY.index("def build_unet")]
    block = eval("Squeeze(in_channels=8)", classes(transpile(source)))
    assert block(torch.ones(2, 8, 4, 4)).shape == (2, 8, 4, 4)


def test_a_chosen_call() -> None:
    result = transpile(LIBRARY, options=Options(entry=("build_unet((32, 32, 3), n_classes=4)",)))
    model = next(model for model in result.models if model.class_name == "UNet")
    assert model.inputs[0]["shape"] == [None, 32, 32, 3]
    assert result.complete


def test_several_call_sites() -> None:
    calls = "small = build_unet((16, 16, 3), 2)\nlarge = build_unet((16, 16, 3), 5, base=16)\n"
    made = classes(transpile(LIBRARY + calls))
    pytest.importorskip("keras")
    assert sizes(made["small"]) == keras_sizes("build_unet((16, 16, 3), 2)")
    assert sizes(made["large"]) == keras_sizes("build_unet((16, 16, 3), 5, base=16)")
