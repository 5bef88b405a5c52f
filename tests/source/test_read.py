"""Reading: encodings, line ends, and what cannot be read or parsed."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest

from transpiler.source.read import ReadError, decode, parse_ast, parse_module, read_source


@pytest.mark.parametrize(
    ("data", "text", "encoding"),
    [
        ("x = 'ä'\n".encode(), "x = 'ä'\n", "utf-8"),
        (codecs.BOM_UTF8 + b"x = 1\n", "x = 1\n", "utf-8-sig"),
        (
            "# -*- coding: latin-1 -*-\nx = 'ä'\n".encode("latin-1"),
            "# -*- coding: latin-1 -*-\nx = 'ä'\n",
            "iso-8859-1",
        ),
        ("#!/usr/bin/env python\n# vim: set fileencoding=cp1252 :\n'ä'".encode("cp1252"), None, "cp1252"),
        (b"", "", "utf-8"),
    ],
)
def test_encodings_as_python_reads_them(data: bytes, text: str | None, encoding: str) -> None:
    source = decode(data)
    assert source.encoding == encoding
    assert "ä" in source.text if text is None else source.text == text


@pytest.mark.parametrize(
    ("data", "text", "newline"),
    [
        (b"a\r\nb\r\n", "a\nb\n", "\r\n"),
        (b"a\nb\n", "a\nb\n", "\n"),
        (b"a\rb\r", "a\nb\n", "\n"),
        (b"a\nb\r\n", "a\nb\n", "\n"),
        (b"\nb\r\n", "\nb\n", "\n"),
        (b"\r\nb\r\n", "\nb\n", "\r\n"),
    ],
)
def test_line_ends(data: bytes, text: str, newline: str) -> None:
    source = decode(data)
    assert (source.text, source.newline) == (text, newline)


@pytest.mark.parametrize(
    ("data", "line", "says"),
    [
        (b"x = 1\ny = '\xe4'\n", 2, "not utf-8"),
        (b"x = 1\n\x00\n", 2, "null byte"),
        (b"# coding: nonsense\n", 1, "nonsense"),
        ("import keras\n".encode("utf-16"), 1, "UTF-16"),
    ],
)
def test_what_cannot_be_decoded_is_named_with_its_line(data: bytes, line: int, says: str) -> None:
    with pytest.raises(ReadError) as caught:
        decode(data)
    found = caught.value.diagnostic
    assert (found.code, found.line) == ("KT001", line)
    assert says in found.message


def test_a_missing_file_and_a_directory(tmp_path: Path) -> None:
    for path, says in ((tmp_path / "none.py", "No such file"), (tmp_path, "directory")):
        with pytest.raises(ReadError, match=says):
            read_source(path)


@pytest.mark.parametrize(
    ("text", "line", "hint"),
    [
        ("x = 1\ny = (\n", 2, "syntax"),
        ("if x:\npass\n", 2, "indentation"),
        ("import keras\nprint 'a'\n", 2, "2to3"),
        ("x = " + "(" * 5000 + ")" * 5000, 1, "s"),
        ("x = " + "-" * 200_000 + "1", 1, "s"),
    ],
)
def test_syntax_errors(text: str, line: int, hint: str) -> None:
    for parse in (parse_ast, parse_module):
        with pytest.raises(ReadError) as caught:
            parse(text)
        found = caught.value.diagnostic
        assert (found.code, found.line) == ("KT002", line)
        assert hint in found.hint


def test_warnings_about_the_users_strings_stay_quiet() -> None:
    assert parse_module("x = '\\d'\n").module.code == "x = '\\d'\n"
