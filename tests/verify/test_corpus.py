"""``benchmarks/corpus.py``: what it counts over a directory of programs."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

CORPUS = Path(__file__).resolve().parents[2] / "benchmarks" / "corpus.py"
GOOD = "import keras\nfrom keras import layers\nmodel = keras.Sequential([keras.Input((4,)), layers.Dense(2)])\n"
TOLD = GOOD + "model.add(layers.Dense(2, kernel_constraint=keras.nothing.like(this)))\nmodel.explode()\n"


def corpus(*args: object) -> str:
    """Run the script; return what it printed."""
    command = [sys.executable, str(CORPUS), "--jobs", "1", *map(str, args)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """Two programs, a notebook, and two files that are not for us."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "good.py").write_text(GOOD)
    (tmp_path / "sub" / "told.py").write_text(TOLD)
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": ["keras"]},
        {
            "cell_type": "code",
            "metadata": {},
            "execution_count": None,
            "outputs": [],
            "source": ["%matplotlib inline\n", GOOD],
        },
    ]
    notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
    (tmp_path / "sub" / "notebook.ipynb").write_text(json.dumps(notebook))
    (tmp_path / "other.py").write_text("import numpy\n")
    (tmp_path / "notes.txt").write_text("keras")
    return tmp_path


def test_outcomes_are_counted(programs: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    printed = corpus(programs, "--json", out, "--list", "KT302")
    for line in ("3 files", "2 translated", "1 told", "0 crashed", "0 timed out"):
        assert f" {line}\n" in printed
    assert f"{programs / 'sub' / 'told.py'}:5: KT302" in printed
    outcomes = {Path(path).name: answer["outcome"] for path, answer in json.loads(out.read_text()).items()}
    assert outcomes == {"good.py": "translated", "notebook.ipynb": "translated", "told.py": "told"}


def test_a_file_that_takes_too_long_is_counted(programs: Path) -> None:
    printed = corpus(programs / "good.py", "--limit", "0.01")
    assert " 1 timed out\n" in printed


@pytest.mark.skipif(find_spec("keras") is None, reason="Keras is the judge")
def test_models_that_keras_makes_are_counted(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(
        GOOD
        + "class Own(layers.Layer):\n    def call(self, x):\n        return x\n"
        + "data = open('missing.csv')\n"
        + "own = keras.Sequential([keras.Input((4,)), Own()])\n"
        + "odd = keras.Sequential([keras.Input((4,)), layers.Dense(2, activation=lambda x: keras.ops.erfinv(x))])\n"
        + "ready = keras.applications.MobileNetV2(weights='imagenet')\n"
    )
    printed = corpus(tmp_path, "--verify")
    assert " 2 made by real Keras\n" in printed
    assert " 1 of these translated and equal\n" in printed
    assert " 1 with layers of the program's own (aside)\n" in printed
    assert " 1 ready-made by keras.applications (aside)\n" in printed
    assert " 50.0% translated and equal" in printed
