"""The README's example is what the tool does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from transpiler import transpile
from transpiler.cli import command

PATH = Path(__file__).resolve().parents[1] / "README.md"
README = PATH.read_text()


def block(marker: str) -> str:
    """Return the Python block that follows a marker."""
    found = re.search(rf"<!-- {marker} -->\n```python\n(.*?)```", README, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_example_comes_out_as_shown(pytestconfig: pytest.Config) -> None:
    result = transpile(block("before"), filename="volumes.py")
    assert not result.diagnostics
    if pytestconfig.getoption("--update-golden"):
        PATH.write_text(README.replace(block("after"), result.code))
    else:
        assert result.code == block("after")


def test_the_table_of_options_is_that_of_the_command() -> None:
    listed = set(re.findall(r"--[a-z][a-z-]+", CliRunner().invoke(command, ["--help"]).output))
    shown = set(re.findall(r"--[a-z][a-z-]+", README.split("## The command")[1].split("## Settings")[0]))
    assert listed - {"--help", "--version"} == shown
