"""A project whose translation is the expected text, file by file."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.modules.running import transpile

CASE = Path(__file__).parent / "cases" / "segmentation"


def test_golden(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    shutil.copytree(CASE / "source", tmp_path / "source")
    status, said = transpile(tmp_path, "source", "-o", "out")
    assert status == 0, said
    found = {
        path.relative_to(tmp_path / "out").as_posix(): path.read_text() for path in (tmp_path / "out").rglob("*.py")
    }
    if request.config.getoption("--update-golden"):
        shutil.rmtree(CASE / "expected", ignore_errors=True)
        shutil.copytree(tmp_path / "out", CASE / "expected")
    expected = CASE / "expected"
    assert found == {path.relative_to(expected).as_posix(): path.read_text() for path in expected.rglob("*.py")}
