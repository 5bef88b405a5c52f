"""Draw many programs: ``python -m tests.fuzz FIRST COUNT [FOLDER]``; faults are written to the folder."""

from __future__ import annotations

import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path

from tests.fuzz.compare import compare
from tests.fuzz.programs import draw


def main() -> None:
    """Count what became of them, and tell the reasons of refusals."""
    first, count = int(sys.argv[1]), int(sys.argv[2])
    folder = Path(sys.argv[3]) if len(sys.argv) > 3 else Path(tempfile.mkdtemp())
    folder.mkdir(exist_ok=True, parents=True)
    warnings.simplefilter("ignore")
    kinds: Counter[str] = Counter()
    refusals: Counter[str] = Counter()
    for seed in range(first, first + count):
        source, model = draw(seed)
        if not source:
            kinds["not drawn"] += 1
            continue
        for drop_in, outcome in enumerate(compare(source, model, folder / "drawn.weights.h5", seed)):
            kinds[outcome.kind] += 1
            if outcome.kind == "refused":
                refusals[outcome.told] += 1
            elif outcome.kind not in ("equal", "skipped"):
                print(
                    seed,
                    "drop-in" if drop_in else "default",
                    outcome.kind,
                    " ".join(outcome.told.split())[:250],
                    flush=True,
                )
                (folder / f"{seed}_{drop_in}.py").write_text(source)
                (folder / f"{seed}_{drop_in}_torch.py").write_text(outcome.code)
    print(dict(kinds))
    for told, times in refusals.most_common(25):
        print(times, told)


if __name__ == "__main__":
    main()
