"""Writing whole files, and formatting."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from transpiler.source.format import FormatError, format_code
from transpiler.source.write import replacing, write_atomic


def test_a_new_file_gets_the_usual_mode(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    before = os.umask(0o027)
    try:
        write_atomic(path, "x = 'ä'\n", newline="\r\n")
    finally:
        os.umask(before)
    assert path.read_bytes() == "x = 'ä'\r\n".encode()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_an_existing_file_keeps_its_mode_and_a_link_stays_one(tmp_path: Path) -> None:
    real, link = tmp_path / "real.py", tmp_path / "link.py"
    real.write_text("old")
    real.chmod(0o755)
    link.symlink_to(real)
    write_atomic(link, "new")
    assert link.is_symlink()
    assert real.read_text() == "new"
    assert stat.S_IMODE(real.stat().st_mode) == 0o755


def test_a_pipe_is_written_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_atomic(pipe, "text")
        assert os.read(reader, 100) == b"text"
    finally:
        os.close(reader)
    assert pipe.is_fifo()


def interrupted(path: Path) -> None:
    with replacing(path) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        write_atomic(path, "ä", encoding="ascii")
    with pytest.raises(KeyboardInterrupt):
        interrupted(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_format_is_blacks_with_its_own_defaults() -> None:
    assert format_code("x = {  'a':1 }") == 'x = {"a": 1}\n'
    assert format_code("") == ""


def test_what_is_not_python_cannot_be_formatted() -> None:
    with pytest.raises(FormatError):
        format_code("x = (")
