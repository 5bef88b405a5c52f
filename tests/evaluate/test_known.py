"""What the evaluator takes as known: never more than Python guarantees, and no less than people rely on."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from transpiler import transpile

HEAD = "import keras, sys, json, os, random, mylib\nimport numpy as np\n"
TAIL = """
m = keras.Sequential([keras.Input((4,))])
for _ in range(n):
    m.add(keras.layers.Dense(3, activation="relu"))
"""
_TEXT = Path(__file__).with_name("known.txt").read_text(encoding="utf-8")
_PARTS = re.split(r"^# --- (.+): (.+)\n", _TEXT, flags=re.MULTILINE)
CASES = list(zip(_PARTS[2::3], _PARTS[3::3], strict=True))


@pytest.mark.parametrize(("expected", "source"), CASES, ids=[name.replace(" ", "_") for name in _PARTS[1::3]])
def test_known(expected: str, source: str) -> None:
    """The number of layers that the loop adds is what the evaluator takes ``n`` for."""
    result = transpile(HEAD + source + TAIL)
    if expected == "refused":
        assert "KT105" in {found.code for found in result.diagnostics}
    elif expected == "unknown":
        assert not result.complete
        assert not any(model.layers for model in result.models)
    else:
        assert result.complete, result.diagnostics
        assert len(result.models[0].layers) == int(expected.removeprefix("== "))


def test_two_calls_are_two_parameters() -> None:
    """``int(input())`` gives another number each time, ``len(vocab)`` the same."""
    layers = "keras.layers.Dense(int(input())), keras.layers.Dense(len(vocab))"
    result = transpile(f"import keras\nm = keras.Sequential([keras.Input((4,)), {layers}, {layers}])\n")
    assert result.models[0].constructor.count("int(input())") == 2
    assert result.models[0].constructor.count("len(vocab)") == 1
