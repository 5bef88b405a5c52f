"""Whole models: with ``--drop-in``, weights from a real ``.weights.h5`` file and float32, outputs equal Keras'."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from tests.fixtures import harness
from tests.fixtures.harness import Fixture

needs_keras = pytest.mark.skipif(find_spec("keras") is None, reason="Keras is the judge")
TOLERANCE = 1e-4


@needs_keras
@pytest.mark.parametrize("fixture", harness.fixtures(), ids=lambda f: f.name)
def test_forward_equals_keras(fixture: Fixture, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Every model that the program uses, on two batch sizes; and the program as a whole, drop-in as well."""
    judgement = harness.judge(fixture, request.config.cache.mkdir("judge"))
    assert not judgement.error
    result = harness.translate(fixture, drop_in=True)
    assert [d for d in result.diagnostics if d.severity == "error"] == []
    run = harness.run_translated(fixture, result, judgement, tmp_path, drop_in=True)
    assert not run.error, run.error
    assert run.problems == []
    assert run.unused == 0
    assert len(run.errors) >= 2 * judgement.models
    assert max(run.errors) <= TOLERANCE
    assert list(harness.differences(judgement.stdout, run.stdout, fixture.tolerance)) == []


@needs_keras
@pytest.mark.parametrize("fixture", harness.fixtures(), ids=lambda f: f.name)
def test_the_comparison_can_fail(fixture: Fixture, request: pytest.FixtureRequest) -> None:
    """With the redrawn weights the outputs depend on the inputs by a few per cent of their size at least."""
    judgement = harness.judge(fixture, request.config.cache.mkdir("judge"))
    assert not judgement.error
    for path in sorted(judgement.directory.glob("forward_*.npz")):
        arrays = np.load(path)
        for key in (key for key in arrays.files if key.startswith("output_5")):
            output = arrays[key]
            assert np.isfinite(output).all()
            assert np.std(output, axis=0).max() > 0.02 * np.abs(output).max(), f"{path.name}: {key}"
