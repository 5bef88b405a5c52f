"""docs/supported.md says what the rules do; its statements hold where the tool is asked."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from transpiler import transpile

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "supported.md").read_text(encoding="utf-8")
WRITTEN_FOR = re.findall(r"Keras (3[\d.]+\d)", PAGE)


def rows(section: str) -> dict[str, tuple[str, str, int]]:
    """Status, remark and number of cases by symbol, in one section of the page."""
    _, _, text = PAGE.partition(f"\n## {section}\n")
    assert text, section
    table = [
        line.strip("| ").split(" | ") for line in text.partition("\n## ")[0].splitlines() if line.startswith("| `")
    ]
    return {cells[0].split("`")[1]: (cells[1], *_rest(cells)) for cells in table}


def _rest(cells: list[str]) -> tuple[str, int]:
    last = cells[-1].strip("| ")
    return (cells[2] if len(cells) > 2 else "", int(last) if last.isdigit() else 0)


def test_page_is_up_to_date() -> None:
    keras = pytest.importorskip("keras", reason="the page is made from the installed Keras")
    if [keras.__version__] != WRITTEN_FOR:
        pytest.skip(f"the page is of Keras {WRITTEN_FOR}, not {keras.__version__}")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "KERAS_BACKEND": "torch"}
    command = [sys.executable, "-m", "tools.supported", "--check"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize(
    ("section", "symbol", "status"),
    [
        ("keras.layers", "Dense", "partly"), ("keras.layers", "Add", "supported"),
        ("keras.layers", "Hashing", "refused"),
        ("keras.ops", "sum", "supported"), ("keras.ops", "while_loop", "refused"), ("keras.losses", "Dice", "refused"),
        ("keras.optimizers", "Adam", "partly"), ("keras.optimizers", "Lion", "refused"),
        ("keras.callbacks", "EarlyStopping", "supported"), ("keras.callbacks", "BackupAndRestore", "refused"),
        ("Methods of a model", "fit", "supported"), ("Methods of a model", "to_json", "refused"),
        ("Layers of Keras 1 and 2", "ThresholdedReLU", "supported"), ("TensorFlow", "tf.reduce_sum", "supported"),
    ],
)  # fmt: skip
def test_status(section: str, symbol: str, status: str) -> None:
    assert rows(section)[symbol][0] == status


@pytest.mark.parametrize("symbol", ["Dense", "Conv2D", "LSTM", "BatchNormalization"])
def test_layers_that_every_program_has_are_tested(symbol: str) -> None:
    assert rows("keras.layers")[symbol][2] > 20


CALLS = {
    "Dense": "Dense(2{})", "Conv1D": "Conv1D(2, 2{})", "LSTM": "LSTM(2{})", "GRU": "GRU(2{})",
    "LayerNormalization": "LayerNormalization({})", "EinsumDense": "EinsumDense('abc,cd->abd', (None, 2){})",
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_what_is_named_is_refused(name: str) -> None:
    status, remark, _ = rows("keras.layers")[name]
    assert status == "partly"
    for argument in re.findall(r"`(.+?)`", remark):
        given = argument if "=" in argument else f"{argument}=True"
        call = CALLS[name].format(f", {given}").replace("(, ", "(")
        source = f"import keras\n\nx = keras.Input((4, 3))\ny = keras.layers.{call}(x)\n"
        found = transpile(source, filename="program.py").diagnostics
        assert any(d.code == "KT102" and argument.partition("=")[0] in d.message for d in found), argument
