"""Layers that learn their statistics from the program's data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from transpiler import Options, transpile

HEAD = """import numpy as np
import keras
from keras import layers

data = np.arange({count}, dtype="float32").reshape({shape}) % 7
norm = layers.Normalization({arguments})
norm.adapt({data})
"""
SEQUENTIAL = "model = keras.Sequential([keras.Input({shape}), norm, layers.Dense(2)])\n"
FUNCTIONAL = (
    "inputs = keras.Input({shape})\nx = layers.Conv2D(3, 2)(norm(inputs))\n"
    "model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x)))\n"
)


def program(shape: tuple[int, ...], arguments: str = "", data: str = "data", body: str = SEQUENTIAL) -> str:
    count = int(np.prod(shape))
    return HEAD.format(count=count, shape=shape, arguments=arguments, data=data) + body.format(shape=shape[1:])


@pytest.mark.parametrize(
    ("shape", "arguments", "data", "body"),
    [
        ((10, 3), "", "data", SEQUENTIAL), ((10, 3), "axis=None", "np.array(data)", SEQUENTIAL),
        ((10, 3), "axis=-1, invert=True", "data", SEQUENTIAL), ((10, 4, 3), "axis=(1, 2)", "data", SEQUENTIAL),
        ((10, 4, 5, 3), "", "data", FUNCTIONAL), ((10, 4, 5, 3), "axis=2", "data[:6]", FUNCTIONAL),
        ((10, 4, 5, 1), "", "data / 7", FUNCTIONAL),
    ],
)  # fmt: skip
@pytest.mark.parametrize("drop_in", [True, False])
def test_adapted_normalization(
    shape: tuple[int, ...], arguments: str, data: str, body: str, drop_in: bool, tmp_path: Path
) -> None:
    source = program(shape, arguments, data, body)
    theirs: dict[str, Any] = {}
    exec(source, theirs)
    theirs["model"].save_weights(tmp_path / "x.weights.h5")
    result = transpile(source, filename="p.py", options=Options(drop_in=drop_in))
    assert not result.diagnostics, result.diagnostics
    ours: dict[str, Any] = {}
    exec(result.code, ours)
    fresh = ours["model"].state_dict()
    state = result.state_dict(str(tmp_path / "x.weights.h5"), model="model")
    for key in [key for key in fresh if key.startswith("norm.")]:
        torch.testing.assert_close(fresh[key], state[key])
    ours["model"].load_state_dict(state)
    x = np.random.default_rng(0).normal(size=(2, *shape[1:])).astype("float32")
    tensor = torch.as_tensor(x)
    if not drop_in and len(shape) == 4:
        tensor = tensor.movedim(-1, 1)
    got = ours["model"].eval()(tensor).detach().numpy()
    np.testing.assert_allclose(got, theirs["model"](x).detach().cpu().numpy(), atol=1e-4)


@pytest.mark.parametrize(
    "source",
    [
        program((10, 3), data="[1, 2]"),
        program((10, 3)).replace("norm.adapt(data)\n", "") + "norm.adapt(data)\n",
        program((10, 3)).replace("norm.adapt(data)", "for i in range(2):\n    norm.adapt(data)"),
        program((10, 3)).replace("norm.adapt(data)", "norm.adapt(data, steps=3)"),
        program((10, 3), arguments="mean=1.0, variance=2.0"),
        program((10, 3)).replace("norm.adapt(data)", "norm.build((None, 3))"),
    ],
)
def test_refused(source: str) -> None:
    assert any(d.code == "KT302" for d in transpile(source, filename="p.py").diagnostics)
