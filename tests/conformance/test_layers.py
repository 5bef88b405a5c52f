"""Every layer of the core families against real Keras, over a grid of arguments, in both modes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.conformance.direct import Runner, translate
from tests.conformance.layer_cases import Case, all_cases
from transpiler.graph.torch import FIRST, TorchModel, WeightRef

ROOT = Path(__file__).resolve().parents[2]
CASES = all_cases()


def _judged(backend: str, cases: list[Case], path: Path) -> dict[Case, dict[str, Any]]:
    """Outputs, inputs and weights of the cases under one Keras backend, by one process."""
    programs = [{"source": c.source, "inputs": [[2, *s] for s in c.shapes]} for c in cases]
    job = json.dumps({"backend": backend, "programs": programs, "path": str(path)})
    environment = {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.conformance.judge_worker"]
    done = subprocess.run(command, input=job, text=True, capture_output=True, check=False, cwd=ROOT, env=environment)
    assert done.returncode == 0, done.stdout[-500:] + done.stderr[-2000:]
    found: dict[Case, dict[str, Any]] = {case: {} for case in cases}
    with np.load(path) as arrays:
        for key in arrays.files:
            number, _, rest = key.partition("/")
            found[cases[int(number)]][rest] = arrays[key]
    return found


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> dict[Case, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("judge")
    found: dict[Case, dict[str, Any]] = {}
    for backend in ("torch", "tensorflow"):
        cases = [case for case in CASES if case.judge == backend]
        found |= _judged(backend, cases, folder / f"{backend}.npz")
    return found


def _run(model: TorchModel, inputs: list[np.ndarray], weights: dict[str, np.ndarray]) -> np.ndarray:
    """Our output in Keras' order, whatever layout the model takes and gives."""

    def lookup(ref: WeightRef) -> np.ndarray:
        return weights[f"w/{ref.layer.name}/{ref.name}"]

    tensors = []
    for array, value in zip(inputs, model.inputs, strict=True):
        tensor = torch.as_tensor(array)
        tensors.append(tensor.movedim(-1, 1) if value.layout == FIRST else tensor)
    runner = Runner(model).double().eval()
    with torch.no_grad():
        runner(*tensors)  # lazy modules take their sizes from the first call
        runner.load(lookup)
        result = runner(*tensors)
    output = model.outputs
    return np.asarray(result.movedim(1, -1) if output.layout == FIRST and output.spec.rank > 2 else result)


@pytest.mark.parametrize("drop_in", [True, False], ids=["drop-in", "native"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_layer_gives_keras_numbers(case: Case, drop_in: bool, judged: dict[Case, dict[str, Any]]) -> None:
    wanted = judged[case]
    inputs = [wanted[f"in/{i}"] for i in range(len(case.shapes))]
    torch.set_default_dtype(torch.float64)
    try:
        model = translate(case.source, drop_in=drop_in)
        got = _run(model, inputs, wanted)
    finally:
        torch.set_default_dtype(torch.float32)
    assert got.shape == wanted["out"].shape
    assert model.outputs.spec.rank == got.ndim
    np.testing.assert_allclose(got, wanted["out"], rtol=1e-9, atol=1e-9)
    stated = [d if isinstance(d, int) else None for d in model.outputs.spec.shape[1:]]
    assert all(a is None or a == b for a, b in zip(stated, got.shape[1:], strict=True)), (stated, got.shape)
