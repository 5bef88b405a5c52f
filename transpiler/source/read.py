"""From the bytes of a file to its text, with the problems that Python itself would see named by line."""

from __future__ import annotations

import ast
import codecs
import io
import sys
import tokenize
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from transpiler.diagnostics import Diagnostic, diagnostic
from transpiler.source.folding import Folded, fold

if TYPE_CHECKING:
    import libcst as cst

MAX_BYTES = 20_000_000  # of a file
MAX_TEXT = 2_000_000  # characters of a program without its huge literals
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class ReadError(Exception):
    """A source that cannot be read or parsed; carries the diagnostic."""

    def __init__(self, found: Diagnostic) -> None:
        super().__init__(found.message)
        self.diagnostic = found


@dataclass(frozen=True)
class SourceText:
    """A source: its text with plain line feeds, and how the file had it."""

    text: str
    encoding: str = "utf-8"
    newline: str = "\n"


def read_bytes(path: Path) -> bytes:
    """Return the content of a file, or raise :class:`ReadError` (KT001)."""
    try:
        if path.is_dir():
            raise ReadError(diagnostic("KT001", "is a directory, not a file"))
        if path.stat().st_size > MAX_BYTES:
            raise ReadError(diagnostic("KT001", f"the file is larger than {MAX_BYTES // 1_000_000} MB"))
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ReadError(diagnostic("KT001", f"cannot read the file: {reason}")) from error


def decode(data: bytes) -> SourceText:
    """Decode as Python does: byte order mark, coding line, else UTF-8."""
    if data.startswith(_UTF16_MARKS):
        raise ReadError(diagnostic("KT001", "the file is UTF-16, which Python does not read", hint="save it as UTF-8"))
    nul = data.find(b"\0")
    if nul >= 0:
        raise ReadError(diagnostic("KT001", "the file has a null byte: not a text file", _line_of(data, nul)))
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        message = f"the bytes are not {error.encoding}: {error.reason}"
        hint = "save it as UTF-8, or name its encoding in a coding line (`# -*- coding: latin-1 -*-`)"
        raise ReadError(diagnostic("KT001", message, _line_of(data, error.start), hint=hint)) from error
    except (SyntaxError, LookupError) as error:
        hint = "name an encoding that Python knows in the coding line"
        raise ReadError(diagnostic("KT001", str(error.args[0]), hint=hint)) from error
    return SourceText(_plain_newlines(text), encoding, _newline_of(text))


def parse_ast(text: str, filename: str = "<string>") -> ast.Module:
    """Parse with Python's own parser, or raise :class:`ReadError` (KT002, with the line)."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes in the user's strings are not our business
            return ast.parse(text, filename)
    except SyntaxError as error:
        raise ReadError(_syntax_diagnostic(error)) from error
    except (ValueError, OverflowError, RecursionError, MemoryError) as error:
        message = f"cannot parse the file: {str(error) or 'it is nested too deeply'}"
        raise ReadError(diagnostic("KT002", message, hint="simplify the file")) from error


@dataclass(frozen=True)
class Parsed:
    """A program as LibCST reads it, but for its huge literals, which are in ``folded``."""

    module: cst.Module
    folded: Folded


def parse_module(text: str, filename: str = "<string>", *, folds: bool = True) -> Parsed:
    """Parse with LibCST, or raise :class:`ReadError` (KT002, with the line; KT001 where it is too large)."""
    tree = parse_ast(text, filename)  # LibCST accepts some programs that Python does not, and says less of the others
    folded = fold(text, tree) if folds else Folded(text)
    if len(folded.text) > MAX_TEXT:
        raise ReadError(diagnostic("KT001", f"the program is larger than {MAX_TEXT // 1_000_000} million characters"))
    import libcst

    try:
        return Parsed(libcst.parse_module(folded.text), folded)
    except RecursionError as error:
        raise ReadError(
            diagnostic("KT002", "cannot parse the file: it is nested too deeply", hint="simplify the file")
        ) from error
    except libcst.ParserSyntaxError as error:
        found = diagnostic("KT002", f"cannot parse the file: {error.message}", error.raw_line, error.raw_column + 1)
        raise ReadError(found) from error


def too_deep() -> Diagnostic:
    """What is told of a program that no recursion gets to the end of."""
    return diagnostic("KT002", "cannot parse the file: it is nested too deeply", hint="simplify the file")


def read_source(path: Path) -> SourceText:
    """Read and decode a file."""
    return decode(read_bytes(path))


def read_stdin() -> bytes:
    """Return what stands on standard input, as bytes."""
    return sys.stdin.buffer.read()


def _syntax_diagnostic(error: SyntaxError) -> Diagnostic:
    message = f"cannot parse the file: {error.msg}"
    if "Missing parentheses in call to" in (error.msg or ""):
        return diagnostic("KT002", message, error.lineno or 1, error.offset or 1, hint="Python 2: run `2to3 -w` first")
    hint = "fix the syntax" if not isinstance(error, IndentationError) else "fix the indentation"
    return diagnostic("KT002", message, error.lineno or 1, max(error.offset or 1, 1), hint=hint)


def _line_of(data: bytes, position: int) -> int:
    return data.count(b"\n", 0, position) + 1


def _newline_of(text: str) -> str:
    """Return the line end that the first line has."""
    end = text.find("\n")
    return "\r\n" if end > 0 and text[end - 1] == "\r" else "\n"


def _plain_newlines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
