"""Running projects: the originals under Keras, with weights drawn anew, and the outputs where there is no Keras."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from transpiler.cli import command

_JUDGE = """
import runpy, sys
import keras
import numpy as np


def load_weights(self, path, *args, **kwargs):
    rng = np.random.default_rng(7)
    for weight in self.weights:
        low, high = (0.5, 1.5) if "variance" in weight.path or "gamma" in weight.path else (-0.5, 0.5)
        weight.assign(rng.uniform(low, high, weight.shape))
    self.save_weights(path)


keras.Model.load_weights = load_weights
runpy.{run}({target!r}, run_name="__main__")
"""

_RUNNER = """
import importlib.abc, runpy, sys


class NoKeras(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("keras", "tensorflow", "transpiler"):
            raise ImportError(f"{{name}} is not for the output")
        return None


sys.meta_path.insert(0, NoKeras())
runpy.{run}({target!r}, run_name="__main__")
"""


def under_keras(folder: Path, target: str) -> str:
    """Run a script (``segment.py``) or a module (``seg.segment``) of a project under Keras."""
    return _run(_JUDGE, folder, target)


def without_keras(folder: Path, target: str) -> str:
    """Run an output where neither Keras nor this package can be imported."""
    return _run(_RUNNER, folder, target)


def _run(template: str, folder: Path, target: str) -> str:
    run = "run_path" if target.endswith(".py") else "run_module"
    inner = (folder / target).parent if target.endswith(".py") else folder
    path = os.pathsep.join([str(inner)])
    environment = {**os.environ, "PYTHONPATH": path, "KERAS_BACKEND": "torch", "OMP_NUM_THREADS": "1"}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    code = template.format(run=run, target=target)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def transpile(folder: Path, *args: str) -> tuple[int, str]:
    """The command, as if started in a folder: its status and what it said."""
    said = io.StringIO()
    with _inside(folder), contextlib.redirect_stderr(said):
        try:
            status = command.main(list(args), standalone_mode=False)
        except click.ClickException as error:
            error.show(said)
            status = error.exit_code
    return int(status), said.getvalue()


@contextlib.contextmanager
def _inside(folder: Path) -> Iterator[None]:
    outer = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(outer)
