"""Models called on data: predictions of images and vectors, and calls in training mode, against Keras."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras")
torch = pytest.importorskip("torch")

from transpiler import transpile  # noqa: E402

BUILD = """
import numpy as np
import keras
from keras import layers

inputs = keras.Input((6, 5, 3))
h = layers.Conv2D(4, 3, padding="same", activation="relu")(inputs)
h = layers.BatchNormalization()(h)
mask = layers.Conv2D(2, 3, name="mask")(h)
kind = layers.Dense(3, activation="softmax", name="kind")(layers.GlobalAveragePooling2D()(h))
model = keras.Model(inputs, OUTPUTS)
"""
X = "x = np.random.default_rng(0).normal(size=(40, 6, 5, 3)).astype('float32')\n"
SINGLE, LIST, DICT = "mask", "[mask, kind]", "{'kind': kind, 'mask': mask}"


def leaves(value: Any) -> list[np.ndarray]:
    if isinstance(value, dict):
        return [part for key in sorted(value) for part in leaves(value[key])]
    if isinstance(value, (list, tuple)):
        return [part for item in value for part in leaves(item)]
    return [np.asarray(value.detach() if isinstance(value, torch.Tensor) else value)]


def run_both(outputs: str, text: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    """What a program leaves in ``found``, under Keras and translated; both load the same weights."""
    monkeypatch.chdir(folder)
    build = BUILD.replace("OUTPUTS", outputs)
    scope: dict[str, Any] = {}
    exec(build, scope)
    draw = np.random.default_rng(1)
    scope["model"].set_weights([draw.uniform(0.2, 1.0, w.shape) - 0.4 * (w.ndim > 1) for w in scope["model"].weights])
    scope["model"].save_weights("start.weights.h5")
    source = f"{build}model.load_weights('start.weights.h5')\n{X}{text}"
    exec(source, scope)
    result = transpile(source)
    assert not result.diagnostics, result.diagnostics
    torch.save(result.state_dict("start.weights.h5", model="model"), "start.pt")
    translated: dict[str, Any] = {"__name__": "translated"}
    exec(result.code, translated)
    return scope["found"], translated["found"]


CALLS = {
    "predict": "found = model.predict(x, verbose=0)\n",
    "call": "found = model(x)\n",
    "inference": "found = model(x, training=False)\n",
    "training": "found = model(x, training=True)\n",
    "after training": "model(x[:4], training=True)\nfound = model.predict(x, verbose=0)\n",
}


@pytest.mark.parametrize("outputs", [SINGLE, LIST, DICT])
@pytest.mark.parametrize("call", CALLS)
def test_outputs(call: str, outputs: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected, found = run_both(outputs, CALLS[call], tmp_path, monkeypatch)
    assert type(found) is type(expected) or outputs == SINGLE
    for a, b in zip(leaves(found), leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_parts_are_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "mask, kind = model.predict(x, batch_size=7, verbose=0)\nfound = [mask[:, 1], kind.argmax(-1)]\n"
    expected, found = run_both(LIST, text, tmp_path, monkeypatch)
    for a, b in zip(leaves(found), leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "text",
    ["model(x, training=len(x) > n)", "model(x, mask=x)",
     "model.layers[2].trainable = False; model(x, training=True)"],
)  # fmt: skip
def test_refused(text: str) -> None:
    result = transpile(f"from elsewhere import n\n{BUILD.replace('OUTPUTS', LIST)}{X}{text}\n")
    assert [d for d in result.diagnostics if d.code in ("KT302", "KT203")]
