"""Models that a program saves and loads again."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("keras")
pytest.importorskip("torch")

from tests.training.curves import compare, data, program
from transpiler import transpile

COMPILE = "optimizer='adam', loss='sparse_categorical_crossentropy', metrics=['accuracy']"
FIT = """
from keras.models import load_model
path = "best.keras"
history = model.fit(x, y, epochs=6, shuffle=False, validation_split=0.3, verbose=0,
                    callbacks=[keras.callbacks.ModelCheckpoint(path, 'loss', save_best_only=True, mode='max')]).history
"""
ENDS = {
    "another name": "model.save('last.keras')\nother = load_model('last.keras')\n"
    "score = other.evaluate(x, y, verbose=0)\npredicted = other.predict(x, verbose=0)\n",
    "the best": "model = load_model(path)\nscore = model.evaluate(x, y, verbose=0)\n",
    "gone before": "del model\nmodel = keras.saving.load_model(path)\nscore = model.evaluate(x, y, verbose=0)\n",
    "not compiled": "predicted = load_model(path, compile=False).predict(x, verbose=0)\n",
    "compiled again": "model = load_model(path)\n"
    "model.compile(optimizer='sgd', loss='sparse_categorical_crossentropy', metrics=['acc'])\n"
    "history = model.fit(x, y, epochs=2, shuffle=False, verbose=0).history\n",
}


@pytest.mark.parametrize("end", ENDS)
def test_loaded(end: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    compare(program(4, "softmax", COMPILE, FIT + ENDS[end]), data(4, "index"))


@pytest.mark.parametrize(
    ("end", "words"),
    [
        ("model = load_model('other.keras')\nmodel.predict(x)\n", "which model this file holds"),
        ("model = load_model(path)\nmodel.fit(x, y)\n", "optimizer's state"),
    ],
)
def test_refused(end: str, words: str) -> None:
    result = transpile(program(4, "softmax", COMPILE, FIT + end))
    assert any(words in d.message for d in result.diagnostics)


def test_pictures_are_told() -> None:
    result = transpile(program(4, "softmax", COMPILE, "keras.utils.plot_model(model, to_file='m.png')\n"))
    assert [(d.code, d.severity) for d in result.diagnostics] == [("KT404", "note")]
    assert "plot_model" not in result.code
