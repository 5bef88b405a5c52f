"""Layers and models as people subclass them: outputs, gradients and weight files equal Keras'."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.conformance.custom.judge_tools import STEP, flat, weigh
from transpiler import Options, transpile

PROGRAMS = sorted((Path(__file__).parent / "cases").glob("*.py"))
TOLERANCE = 1e-4
needs_keras = pytest.mark.skipif(find_spec("keras") is None, reason="Keras is the judge")


def _backend(program: Path) -> str:
    return "tensorflow" if "tensorflow" in program.read_text() else "torch"


@pytest.fixture(scope="session")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything that Keras says, by program: one process for each backend."""
    directory = tmp_path_factory.mktemp("judged")
    judge = Path(__file__).parent / "judge.py"
    for backend in ("torch", "tensorflow"):
        names = [str(program) for program in PROGRAMS if _backend(program) == backend]
        environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
        command = [sys.executable, "-W", "ignore", str(judge), str(directory), *names]
        subprocess.run(command, check=True, env=environment, capture_output=True, timeout=900)
    return directory


def _run(code: str, constructor: str, state: dict[str, torch.Tensor]) -> torch.nn.Module:
    scope: dict[str, Any] = {"__name__": "translated"}
    exec(compile(code, "translated.py", "exec"), scope)
    module: torch.nn.Module = eval(constructor, scope)
    module.load_state_dict(state)
    return module.eval()


@needs_keras
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_outputs_and_gradients(program: Path, judged: Path) -> None:
    result = transpile(program.read_text(), program.name, Options(drop_in=True))
    assert [(d.code, d.line, d.message) for d in result.diagnostics] == []
    here = judged / program.stem
    arrays = np.load(here / "arrays.npz")
    before = result.state_dict(here / "before.weights.h5", "model")
    module = _run(result.code, result.model("model").constructor, before)
    inputs = [torch.from_numpy(arrays[f"input_{i}"]) for i in range(sum(key.startswith("input") for key in arrays))]
    floats = [x.requires_grad_() for x in inputs if x.is_floating_point()]
    outputs = flat(module(*inputs))
    for index, output in enumerate(outputs):
        _check(output, arrays[f"output_{index}"])
        assert np.isfinite(arrays[f"output_{index}"]).all()
    sum((o * torch.from_numpy(w)).sum() for o, w in zip(outputs, weigh(outputs), strict=True)).backward()
    for index, given in enumerate(floats):
        _check(given.grad, arrays[f"slope_{index}"])
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.grad is not None:
                parameter -= STEP * parameter.grad
    after = result.state_dict(here / "after.weights.h5", "model")
    for key, value in module.state_dict().items():
        _check(value, after[key].numpy(), key)


def _check(mine: Any, theirs: Any, what: str = "") -> None:
    mine = mine.detach().numpy()
    assert mine.shape == theirs.shape
    assert np.abs(mine - theirs).max(initial=0.0) <= TOLERANCE * max(1.0, np.abs(theirs).max(initial=0.0)), what


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_class_names_are_kept(program: Path) -> None:
    """Every class of the source stands in the output under its own name, and Keras is gone."""
    source = program.read_text()
    code = transpile(source, program.name).code
    for line in source.splitlines():
        if line.startswith("class ") and "Base(" not in line:
            name = line.removeprefix("class ").partition("(")[0]
            assert f"class {name}(nn.Module):" in code
    assert "keras." not in code
    assert "import keras" not in code
