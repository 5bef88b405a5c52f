"""A fixed number of random programs: what is translated computes what Keras computes."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("h5py")
pytest.importorskip("keras")
pytest.importorskip("torch")

from tests.fuzz.compare import compare
from tests.fuzz.programs import draw

pytestmark = pytest.mark.filterwarnings("ignore")

PROGRAMS, GROUPS = 40, 4


@pytest.mark.parametrize("group", range(GROUPS))
def test_random_programs_equal_keras(group: int, tmp_path: Path) -> None:
    """Both forms of output, float32, weights from a file; a refusal is allowed, but not for most."""
    kinds = []
    for seed in range(group, PROGRAMS, GROUPS):
        source, model = draw(seed)
        if not source:
            continue
        for outcome in compare(source, model, tmp_path / "drawn.weights.h5", seed):
            assert outcome.kind in ("equal", "refused", "skipped"), (
                f"seed {seed}: {outcome.told}\n{source}\n{outcome.code}"
            )
            kinds.append(outcome.kind)
    assert kinds.count("equal") > len(kinds) * 2 // 3
