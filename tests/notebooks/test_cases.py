"""The notebooks of ``cases/``: their translations are the expected files, and do what the originals do."""

from __future__ import annotations

import ast
import json
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.fixtures import harness
from tests.notebooks.programs import CASES, cells_of, script
from transpiler import Result, transpile

NOTEBOOKS = sorted(path for path in CASES.glob("*.ipynb") if not path.stem.endswith("_torch"))
EXPECTED = {  # (code, cell, line) of what is told
    "broken_cell": [("KT003", 3, 4), ("KT003", 5, 1), ("KT101", 6, 2), ("KT003", 8, 1)],
}


def translate(path: Path) -> Result:
    return transpile(path.read_text(encoding="utf-8"), path.name)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_golden(path: Path, request: pytest.FixtureRequest) -> None:
    result = translate(path)
    assert [(d.code, d.cell, d.line) for d in result.diagnostics] == EXPECTED.get(path.stem, [])
    golden = path.with_name(f"{path.stem}_torch.ipynb")
    if request.config.getoption("--update-golden"):
        golden.write_text(result.code, encoding="utf-8")
    assert result.code == golden.read_text(encoding="utf-8")
    assert translate(path).code == result.code


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_only_sources_outputs_and_counts_of_changed_code_cells_differ(path: Path) -> None:
    before, after = path.read_text(encoding="utf-8"), translate(path).code
    changed = 0
    for old, new in zip(cells_of(before), cells_of(after), strict=True):
        source, count = ("input", "prompt_number") if "input" in old else ("source", "execution_count")
        if old.get(source) == new.get(source):
            assert old == new
        else:
            changed += 1
            assert old["cell_type"] == "code"
            assert new == {**old, source: new[source], "outputs": [], count: None}
            assert list(new) == list(old)
    assert changed
    kept = [line for line in before.splitlines() if line in set(after.splitlines())]
    assert json.loads(before)["metadata"] == json.loads(after)["metadata"]
    assert kept[0] == before.splitlines()[0]
    assert before[-5:] == after[-5:]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_nothing_of_the_marks_and_masks_is_left(path: Path) -> None:
    code = translate(path).code
    assert "magic_" not in code
    assert '"cell ' not in code


@dataclass(frozen=True)
class Program(harness.Fixture):
    """The code cells of a notebook as a fixture of the harness."""

    file: Path = Path()

    @property
    def source(self) -> Path:
        return self.file


@pytest.mark.skipif(find_spec("keras") is None, reason="Keras is the judge")
@pytest.mark.parametrize("name", ["digits", "two_inputs", "shell_and_timing"])
def test_the_cells_one_after_the_other_print_the_same_numbers(
    name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    path = CASES / f"{name}.ipynb"
    (tmp_path / f"{name}.py").write_text(script(path.read_text(encoding="utf-8")))
    program = Program(f"notebook_{name}", file=tmp_path / f"{name}.py")
    judgement = harness.judge(program, request.config.cache.mkdir("judge"))
    assert not judgement.error
    assert judgement.models
    result = translate(path)
    assert result.complete
    code = script(result.code)
    ast.parse(code)
    run = harness.run_translated(program, replace(result, code=code), judgement, tmp_path, drop_in=False)
    assert not run.error, run.error
    assert run.problems == []
    assert run.unused == 0
    assert judgement.stdout.strip()
    assert list(harness.differences(judgement.stdout, run.stdout, program.tolerance)) == []
