"""``--verify`` of a file whose models other files make."""

from __future__ import annotations

from pathlib import Path

from transpiler import Options
from transpiler.verify import EQUAL, NOT_COMPARABLE, verify

_NET = """
from tensorflow import keras

def build(width):
    inputs = keras.Input((4,))
    return keras.Model(inputs, keras.layers.Dense(width)(inputs))
"""
_MAIN = """
from tensorflow import keras
from net import build

first = build(3)
own = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
"""


def test_models_of_other_files_are_told(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(_NET, encoding="utf-8")
    main = tmp_path / "main.py"
    main.write_text(_MAIN, encoding="utf-8")
    verdicts = {each.name: each for each in verify(_MAIN, str(main), Options(root=tmp_path))}
    assert verdicts["own"].status == EQUAL
    (other,) = (each for name, each in verdicts.items() if name != "own")
    assert (other.status, other.line) == (NOT_COMPARABLE, 5)
    assert "another file" in other.detail
