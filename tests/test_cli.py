"""The manners of the command: outputs, streams, exit statuses. Translation itself is replaced by a small stand-in."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from transpiler import ModelSummary, Options, Result
from transpiler.cli import main
from transpiler.diagnostics import diagnostic

KERAS = "import keras\n\nmodel = keras.Sequential()\n"
TORCH = "import torch\n\nmodel = torch.Sequential()\n"
PARTLY = KERAS + "x = keras.layers.Bad()\n"


@dataclass
class Ran:
    status: int
    out: str
    err: str
    raw: bytes


Command = Callable[..., Ran]


def translate(source: str, filename: str = "<string>", options: Options | None = None) -> Result:
    """Stand in for the real thing: renames, and knows a layer that it cannot do."""
    if "explode" in source:
        raise RuntimeError("boom\nboom")
    found = [
        diagnostic("KT101", "`keras.layers.Bad` is not supported", number, line.index("keras") + 1)
        for number, line in enumerate(source.split("\n"), 1)
        if "Bad" in line
    ]
    code = source.replace("keras", "torch") + (f"# {options}\n" if options and options != Options() else "")
    return Result(code, tuple(found), (ModelSummary("model", "Model", "Model()"),))


@pytest.fixture
def transpile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Command:
    """Run the command in an empty directory, standard input from a string."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("transpiler.transpile", translate)

    def run(*args: str, stdin: bytes = b"") -> Ran:
        monkeypatch.setattr(sys, "argv", ["transpile", *args])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with pytest.raises(SystemExit) as stopped:
            main()
        sys.stdout.flush()
        captured = capfdbinary.readouterr()
        assert b"Traceback" not in captured.err
        status = int(stopped.value.code or 0)
        return Ran(status, captured.out.decode(errors="replace"), captured.err.decode(), captured.out)

    return run


def files(**contents: str) -> None:
    for name, text in contents.items():
        Path(f"{name}.py").write_text(text)


def listing() -> list[str]:
    return sorted(path.name for path in Path().iterdir())


def test_the_output_goes_beside_the_input(transpile: Command) -> None:
    files(net=KERAS)
    ran = transpile("net.py")
    assert (ran.status, ran.out, ran.err) == (0, "", "wrote net_torch.py\n")
    assert Path("net_torch.py").read_text() == TORCH


def test_an_output_that_would_be_the_same_is_not_touched(transpile: Command) -> None:
    files(net=KERAS)
    transpile("net.py")
    os.utime("net_torch.py", (1, 1))
    assert transpile("net.py").err == "net_torch.py: up to date\n"
    assert Path("net_torch.py").stat().st_mtime == 1


def test_what_could_not_be_translated_gives_1_and_an_output(transpile: Command) -> None:
    files(net=PARTLY)
    ran = transpile("net.py")
    assert ran.status == 1
    assert "net.py:4:5: KT101 `keras.layers.Bad` is not supported\n" in ran.err
    assert Path("net_torch.py").exists()


def test_a_file_without_keras_is_passed_over(transpile: Command) -> None:
    files(plain="import os\n", talks="# like keras\n")
    ran = transpile("plain.py", "talks.py")
    assert ran.status == 0
    assert ran.err == "plain.py: no Keras in it; left alone\ntalks.py: no Keras in it; left alone\n"
    assert listing() == ["plain.py", "talks.py"]


def test_a_file_without_keras_need_not_even_parse(transpile: Command) -> None:
    Path("plain.py").write_bytes(b"print 'a' \xff\n")
    assert transpile("plain.py").status == 0


def test_a_bad_file_does_not_keep_the_next_from_its_turn(transpile: Command) -> None:
    files(a="import keras\nx = (\n", b=PARTLY, c=KERAS)
    ran = transpile("a.py", "none.py", "b.py", "c.py")
    assert ran.status == 2
    assert "a.py:2:5: KT002 cannot parse the file" in ran.err
    assert "2 | x = (" in ran.err
    assert "none.py:1:1: KT001 cannot read the file: No such file or directory" in ran.err
    assert listing() == ["a.py", "b.py", "b_torch.py", "c.py", "c_torch.py"]


def test_standard_input_to_standard_output(transpile: Command) -> None:
    ran = transpile("-", stdin=KERAS.encode())
    assert (ran.status, ran.out, ran.err) == (0, TORCH, "")
    assert transpile("-", stdin=b"import os\n").out == "import os\n"


def test_standard_output_by_o(transpile: Command) -> None:
    files(net=PARTLY)
    ran = transpile("net.py", "-o", "-", "--format", "json")
    assert ran.status == 1
    assert ran.out.startswith("import torch")
    assert json.loads(ran.err)[0]["code"] == "KT101"
    assert listing() == ["net.py"]


def test_line_ends_and_a_coding_line_stay_what_they_were(transpile: Command) -> None:
    text = "# -*- coding: latin-1 -*-\r\nimport keras\r\nx = 'ä'\r\n"
    Path("net.py").write_bytes(text.encode("latin-1"))
    assert transpile("net.py").status == 0
    assert Path("net_torch.py").read_bytes() == text.replace("keras", "torch").encode("latin-1")
    assert transpile("net.py", "--check").status == 0
    assert transpile("net.py", "-o", "-").raw == text.replace("keras", "torch").encode("latin-1")


def test_a_byte_order_mark_does_not_travel(transpile: Command) -> None:
    Path("net.py").write_text(KERAS, encoding="utf-8-sig")
    transpile("net.py")
    assert Path("net_torch.py").read_bytes() == TORCH.encode()


def test_an_output_file_and_an_output_directory(transpile: Command) -> None:
    files(a=KERAS, b=KERAS)
    assert transpile("a.py", "-o", "out.py").status == 0
    assert transpile("a.py", "b.py", "-o", "many").status == 0
    assert transpile("a.py", "-o", "new/").status == 0
    assert sorted(str(path) for path in Path().rglob("*.py") if path.name not in ("a.py", "b.py")) == [
        "many/a_torch.py",
        "many/b_torch.py",
        "new/a_torch.py",
        "out.py",
    ]


def test_a_directory_is_walked_and_mirrored(transpile: Command) -> None:
    for folder in ("src/deep", "src/.hidden", "src/env/lib", "src/__pycache__"):
        Path(folder).mkdir(parents=True)
        Path(folder, "net.py").write_text(KERAS)
    Path("src/env/pyvenv.cfg").touch()
    files(**{"src/a": KERAS, "src/plain": "import os\n"})
    ran = transpile("src")
    assert ran.err == "wrote src/a_torch.py\nwrote src/deep/net_torch.py\n"
    ran = transpile("src", "-o", "out")
    assert "wrote out/a_torch.py\n" in ran.err
    assert "wrote out/deep/net_torch.py\n" in ran.err
    assert "left alone" in ran.err  # the twins of the run before


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("net.py", "-o", "net.py"), "would be overwritten"),
        (("net.py", "-o", "./link.py"), "would be overwritten"),
        (("net.py", "-o", "b.py", "b.py"), "must be a directory"),
        (("net.py", "b.py", "-o", "out.py"), "must be a directory"),
        (("net.py", "b.py", "-o", "-"), "only one file"),
        (("sub/net.py", "net.py", "-o", "out"), "would both be written"),
        (("-", "net.py"), "cannot be combined"),
        (("-", "--check"), "name one with -o"),
        (("net.py", "--model", "m"), "need --weights"),
        (("net.py", "--weights-out", "m.pt"), "need --weights"),
        (("net.py", "b.py", "--weights", "w.h5"), "exactly one"),
        (("net.py", "--weights", "w.h5", "--check"), "cannot be combined"),
        (("net.py", "--report", "net.py"), "would be overwritten"),
        (("net.py", "--format", "xml"), "xml"),
        (("--nonsense",), "nonsense"),
        ((), "FILE"),
    ],
)
def test_usage_errors_give_2_and_write_nothing(transpile: Command, args: tuple[str, ...], says: str) -> None:
    Path("sub").mkdir()
    files(net=KERAS, b=KERAS, **{"sub/net": KERAS})
    Path("link.py").symlink_to("net.py")
    ran = transpile(*args)
    assert ran.status == 2
    assert says in ran.err
    assert listing() == ["b.py", "link.py", "net.py", "sub"]
    assert Path("net.py").read_text() == KERAS


def test_check_and_diff(transpile: Command) -> None:
    files(net=KERAS)
    ran = transpile("net.py", "--check")
    assert (ran.status, ran.err) == (1, "net_torch.py: out of date\n")
    ran = transpile("net.py", "--diff")
    assert ran.status == 0
    assert "+import torch\n" in ran.out
    assert listing() == ["net.py"]
    transpile("net.py")
    assert transpile("net.py", "--check", "--diff").status == 0
    Path("net_torch.py").write_text(TORCH.replace("model", "net"))
    ran = transpile("net.py", "--check", "--diff")
    assert ran.status == 1
    assert ran.out.startswith("--- net_torch.py\n+++ net_torch.py\n")
    assert "-net = torch" in ran.out


@pytest.mark.parametrize("form", ["json", "sarif"])
def test_machine_formats_go_to_standard_output(transpile: Command, form: str) -> None:
    files(net=PARTLY, ok=KERAS)
    ran = transpile("net.py", "ok.py", "--format", form)
    assert ran.status == 1
    assert json.loads(ran.out)
    assert ran.err == "wrote net_torch.py\nwrote ok_torch.py\n"


def test_the_report(transpile: Command) -> None:
    files(net=PARTLY)
    transpile("net.py", "--report", "out.json")
    content = json.loads(Path("out.json").read_text())
    assert [found["line"] for found in content["diagnostics"]] == [4]
    assert [model["constructor"] for model in content["models"]] == ["Model()"]
    assert transpile("net.py", "--report", "no/such/dir.json").status == 2


def test_options_reach_the_translation(transpile: Command) -> None:
    files(net=KERAS)
    ran = transpile("net.py", "-o", "-", "--drop-in", "--entry", "a()", "--entry", "b()")
    assert "Options(drop_in=True, entry=('a()', 'b()')" in ran.out


def test_the_projects_settings_count(transpile: Command) -> None:
    files(net=KERAS, old=KERAS)
    Path("pyproject.toml").write_text(
        '[tool.transpiler]\ndrop-in = true\nexclude = ["old.py"]\noutput = "torch/{name}.py"\n'
    )
    ran = transpile("net.py", "old.py", "torch/net.py")
    assert "wrote torch/net.py\nold.py: excluded in pyproject.toml; left alone\n" in ran.err
    assert "drop_in=True" in Path("torch/net.py").read_text()
    assert transpile("torch/net.py").err == "torch/net.py: the output of net.py; left alone\n"


def test_an_unknown_setting_gives_2(transpile: Command) -> None:
    files(net=KERAS)
    Path("pyproject.toml").write_text("[tool.transpiler]\ncolour = 1\n")
    ran = transpile("net.py")
    assert ran.status == 2
    assert "unknown key `colour`" in ran.err


def test_outputs_are_not_translated_again(transpile: Command) -> None:
    files(net=KERAS, net_torch=KERAS, other_torch=KERAS)
    ran = transpile("net.py", "net_torch.py", "other_torch.py")
    assert ran.err == "wrote net_torch.py\nnet_torch.py: the output of net.py; left alone\nwrote other_torch_torch.py\n"


def test_a_notebook_that_is_none_is_refused_with_advice(transpile: Command) -> None:
    Path("net.ipynb").write_text('{"cells": ["import keras"]}')
    ran = transpile("net.ipynb")
    assert ran.status == 2
    assert "net.ipynb:1:1: KT001 not a notebook that can be read: its `nbformat` is None" in ran.err
    assert "nbconvert" in ran.err


def test_a_fault_of_ours_is_one_line(transpile: Command) -> None:
    files(net=KERAS + "explode()\n", ok=KERAS)
    ran = transpile("net.py", "ok.py")
    assert ran.status == 1
    assert "net.py:1:1: KT999 internal error: RuntimeError: boom boom\n" in ran.err
    assert listing() == ["net.py", "ok.py", "ok_torch.py"]


def test_an_interruption_gives_130(transpile: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*args: object) -> Result:
        raise KeyboardInterrupt

    files(net=KERAS)
    monkeypatch.setattr("transpiler.transpile", interrupted)
    assert transpile("net.py").status == 130


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_output_that_cannot_be_written(transpile: Command) -> None:
    files(net=KERAS)
    Path("locked").mkdir(mode=0o555)
    ran = transpile("net.py", "-o", "locked/")
    assert ran.status == 2
    assert "cannot write locked/net_torch.py: Permission denied" in ran.err


def test_an_output_directory_that_is_a_file(transpile: Command) -> None:
    files(net=KERAS)
    Path("file").touch()
    ran = transpile("net.py", "-o", "file/out.py")
    assert ran.status == 2
    assert "cannot write file/out.py" in ran.err


@pytest.mark.parametrize(
    ("args", "status", "says"),
    [
        (("--weights", "none.h5"), 2, "none.h5:1:1: KT501 there is no such file"),
        (("--weights", "w.h5", "--weights-out", "w.txt"), 2, "must end in .pt or .safetensors"),
        (("--weights", "w.h5", "--weights-out", "w.h5"), 2, "would be overwritten"),
        (("--weights", "w.h5", "--model", "other"), 1, "no model `other`; it has `model`"),
    ],
)
def test_weights_that_cannot_be_converted(transpile: Command, args: tuple[str, ...], status: int, says: str) -> None:
    files(net=KERAS)
    Path("w.h5").write_bytes(b"no HDF5")
    ran = transpile("net.py", *args)
    assert ran.status == status
    assert says in ran.err
    assert Path("w.h5").read_bytes() == b"no HDF5"


def test_weights_of_a_file_without_keras(transpile: Command) -> None:
    files(net="import os\n")
    ran = transpile("net.py", "--weights", "w.h5")
    assert ran.status == 1
    assert "has no Keras model" in ran.err


def test_version_and_help(transpile: Command) -> None:
    assert transpile("--version").out.startswith("transpile, version ")
    text = transpile("--help").out
    assert "--drop-in" in text
    assert "--verify" in text
    assert "--review" not in text
