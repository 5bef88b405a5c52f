"""Notebooks through the command: outputs, comparison, formats, directories, settings."""

from __future__ import annotations

import io
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.notebooks.programs import CASES, cell, cells_of, notebook
from transpiler.cli import main

NET = notebook(
    cell("# keras", "markdown"),
    "import keras\nmodel = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])",
    "x = 1",
)
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def transpile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Run the command in an empty directory; return status, standard output and error."""
    monkeypatch.chdir(tmp_path)

    def run(*args: str, stdin: bytes = b"") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["transpile", *args])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with pytest.raises(SystemExit) as stopped:
            main()
        sys.stdout.flush()
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return int(stopped.value.code or 0), out, err

    return run


def write(name: str, text: str = NET) -> None:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_bytes(text.encode())


def test_the_output_is_a_notebook_beside_the_input(transpile: Command) -> None:
    write("net.ipynb")
    assert transpile("net.ipynb") == (0, "", "wrote net_torch.ipynb\n")
    text = Path("net_torch.ipynb").read_text()
    assert "class MLP" in text
    assert cells_of(text)[2] == cells_of(NET)[2]
    assert transpile("net.ipynb")[2] == "net_torch.ipynb: up to date\n"
    assert transpile("net_torch.ipynb")[2] == "net_torch.ipynb: the output of net.ipynb; left alone\n"


def test_an_output_that_has_been_run_since_is_up_to_date(transpile: Command) -> None:
    write("net.ipynb")
    transpile("net.ipynb")
    ran = Path("net_torch.ipynb").read_text().replace('"outputs": []', '"outputs": [3]').replace("null", "5")
    Path("net_torch.ipynb").write_text(ran)
    assert transpile("net.ipynb", "--check")[0] == 0
    assert transpile("net.ipynb")[2] == "net_torch.ipynb: up to date\n"
    assert Path("net_torch.ipynb").read_text() == ran
    Path("net_torch.ipynb").write_text(ran.replace("x = 1", "x = 2"))
    assert transpile("net.ipynb", "--check") == (1, "", "net_torch.ipynb: out of date\n")


def test_a_diff_shows_sources(transpile: Command) -> None:
    write("net.ipynb")
    transpile("net.ipynb")
    write("net_torch.ipynb", Path("net_torch.ipynb").read_text().replace("x = 1", "x = 2"))
    status, out, _ = transpile("net.ipynb", "--diff")
    assert status == 0
    assert out.startswith("--- net_torch.ipynb\n+++ net_torch.ipynb\n")
    assert "\n # %% cell 3 [code]\n-x = 2\n+x = 1\n" in out
    assert '"' not in out.partition("@@")[2].partition("cell 3")[2]
    write("net_torch.ipynb", "no notebook\n")
    assert "-no notebook\n" in transpile("net.ipynb", "--diff")[1]


def test_line_ends_of_the_file_stay(transpile: Command) -> None:
    write("net.ipynb", NET.replace("\n", "\r\n"))
    assert transpile("net.ipynb")[0] == 0
    data = Path("net_torch.ipynb").read_bytes()
    assert data.count(b"\r\n") == data.count(b"\n") > 30
    assert transpile("net.ipynb", "--check")[0] == 0


def test_directories_have_notebooks_in_them(transpile: Command) -> None:
    write("src/net.ipynb")
    write("src/net.py", "import keras\nx = keras.Sequential()\n")
    write("src/.ipynb_checkpoints/net-checkpoint.ipynb")
    write("src/plain.ipynb", notebook(cell("About keras.", "markdown"), "x = 1  # like keras", "!pip install keras"))
    status, out, err = transpile("src", "-o", "out")
    assert (status, out) == (1, "")
    assert "wrote out/net_torch.ipynb\nwrote out/net_torch.py\n" in err
    assert sorted(path.name for path in Path("out").iterdir()) == ["net_torch.ipynb", "net_torch.py"]
    assert transpile("src/plain.ipynb")[2] == "src/plain.ipynb: no Keras in it; left alone\n"


def test_standard_input_may_be_a_notebook(transpile: Command) -> None:
    status, out, err = transpile("-", stdin=NET.encode())
    assert (status, err) == (0, "")
    assert "class MLP" in "".join(cells_of(out)[1]["source"])


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("net.ipynb", "-o", "net.py"), "must end in .ipynb"),
        (("net.py", "-o", "out.ipynb"), "must not end in .ipynb"),
        (("net.ipynb", "-o", "net.ipynb"), "would be overwritten"),
    ],
)
def test_kinds_of_files_are_not_mixed(transpile: Command, args: tuple[str, ...], says: str) -> None:
    write("net.ipynb")
    write("net.py", "import keras\n")
    status, _, err = transpile(*args)
    assert status == 2
    assert says in err
    assert sorted(path.name for path in Path().iterdir()) == ["net.ipynb", "net.py"]


def test_the_output_setting_counts_for_notebooks(transpile: Command) -> None:
    write("net.ipynb")
    write("pyproject.toml", '[tool.transpiler]\noutput = "torch/{name}.py"\n')
    assert transpile("net.ipynb")[2] == "wrote torch/net.ipynb\n"
    assert transpile("torch/net.ipynb")[2] == "torch/net.ipynb: the output of net.ipynb; left alone\n"


def test_findings_are_told_by_cell_and_line(transpile: Command) -> None:
    shutil.copy(CASES / "broken_cell.ipynb", "b.ipynb")
    status, _, err = transpile("b.ipynb")
    assert status == 1
    assert "wrote b_torch.ipynb\n" in err
    assert (
        "b.ipynb:cell 6:2:1: KT101 `keras.layers.Strange` is not supported\n"
        "  |\n1 | print('before')\n2 | layers.Strange(3)\n  | ^\n"
    ) in err
    assert "b.ipynb:cell 3:4:1: KT003 cannot parse this cell: " in err


@pytest.mark.parametrize("form", ["json", "sarif", "github"])
def test_machine_formats(transpile: Command, form: str) -> None:
    shutil.copy(CASES / "broken_cell.ipynb", "b.ipynb")
    status, out, _ = transpile("b.ipynb", "--format", form, "--report", "report.json")
    assert status == 1
    places = [(3, 4), (5, 1), (6, 2), (8, 1)]
    report: dict[str, Any] = json.loads(Path("report.json").read_text())
    assert [(found["cell"], found["line"]) for found in report["diagnostics"]] == places
    assert [model["name"] for model in report["models"]] == ["model"]
    if form == "json":
        assert [(found["cell"], found["line"]) for found in json.loads(out)] == places
    elif form == "sarif":
        results = json.loads(out)["runs"][0]["results"]
        assert [(found["properties"]["cell"], found["properties"]["line"]) for found in results] == places
    else:
        shown = [line.partition("::b.ipynb:cell ")[2].split(":")[:2] for line in out.splitlines()]
        assert shown == [[str(cell), str(line)] for cell, line in places]


@pytest.mark.parametrize("text", ["{'keras': 1}", '{"cells": "keras"}', "import keras"])
def test_what_is_no_notebook_gives_2(transpile: Command, text: str) -> None:
    write("bad.ipynb", text)
    write("net.ipynb")
    status, _, err = transpile("bad.ipynb", "net.ipynb")
    assert status == 2
    assert err.startswith("wrote net_torch.ipynb\nbad.ipynb:1:")
    assert "KT001" in err


def test_weights_of_a_notebooks_model(transpile: Command) -> None:
    keras = pytest.importorskip("keras")
    import torch

    write("net.ipynb")
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    model.save_weights("net.weights.h5")
    assert transpile("net.ipynb", "--weights", "net.weights.h5")[2] == "wrote net_torch.ipynb\nwrote net.pt\n"
    assert torch.load("net.pt", weights_only=True)["fc.weight"].shape == (3, 4)
