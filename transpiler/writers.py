"""How diagnostics are printed: text like ruff's, JSON, SARIF 2.1.0, GitHub annotations; and the report."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from transpiler.diagnostics import CODES, Diagnostic
from transpiler.result import ModelSummary

MAX_WIDTH = 120  # of an excerpt
_SARIF_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json"


@dataclass(frozen=True)
class FileResult:
    """What came out of one input: its name as the user gave it, its text if it could be read, what was found.

    ``cells`` has the text of each cell of a notebook, by number.
    """

    file: str
    text: str = ""
    diagnostics: tuple[Diagnostic, ...] = ()
    models: tuple[ModelSummary, ...] = field(default=(), repr=False)
    cells: Mapping[int, str] = field(default_factory=dict, repr=False)

    def lines(self, cell: int | None) -> list[str]:
        """The lines that a diagnostic's line is one of."""
        text = self.cells.get(cell, "") if cell else self.text
        return text.rstrip("\n").split("\n")


def render(results: Sequence[FileResult], form: str) -> str:
    """Print the diagnostics of all inputs in one of the formats of ``--format``; text ends with a line end."""
    return _WRITERS[form](results)


def report(results: Sequence[FileResult]) -> str:
    """Return the content of ``--report``."""
    models = [{**model.to_json(), "file": result.file} for result in results for model in result.models]
    return _dump({"version": 1, "diagnostics": _plain(results), "models": models})


# -- text -------------------------------------------------------------------------------------------------------------
def _text(results: Sequence[FileResult]) -> str:
    blocks = []
    for result in results:
        blocks += [_text_block(result, found, result.lines(found.cell)) for found in _sorted(result.diagnostics)]
    return "".join(f"{block}\n" for block in blocks)


def _text_block(result: FileResult, found: Diagnostic, lines: Sequence[str]) -> str:
    kind = "" if found.severity == "error" else f"[{found.severity}] "
    head = f"{_clean(_place(result.file, found))}: {found.code} {kind}{_clean(found.message)}"
    hint = [f"   = help: {_clean(found.hint)}"] if found.hint else []
    return "\n".join([head, *_excerpt(found, lines), *hint, ""])


def _place(file: str, found: Diagnostic) -> str:
    cell = f":cell {found.cell}" if found.cell else ""
    return f"{file}{cell}:{found.line}:{found.column}"


def _excerpt(found: Diagnostic, lines: Sequence[str]) -> list[str]:
    """Return the line in question with one line around it, and carets below what is meant."""
    if not 1 <= found.line <= len(lines) or not lines[found.line - 1].strip():
        return []
    wanted = range(max(found.line - 1, 1), min(found.line + 1, len(lines)) + 1)
    width = len(str(wanted[-1]))
    offset = max(found.column - 1 - MAX_WIDTH // 2, 0)
    out = [f"{' ' * width} |"]
    for number in wanted:
        shown = _clean(lines[number - 1].replace("\t", " "))[offset : offset + MAX_WIDTH].rstrip()
        out.append(f"{number:>{width}} | {shown}".rstrip())
        if number == found.line:
            out.append(f"{' ' * width} | {' ' * (found.column - 1 - offset)}{'^' * _extent(found, lines, offset)}")
    return [*out, f"{' ' * width} |"]


def _extent(found: Diagnostic, lines: Sequence[str], offset: int) -> int:
    """Return how many carets to draw: to the end of what is meant, or of its first line."""
    end = len(lines[found.line - 1].rstrip()) + 1
    if found.end_column is not None and found.end_line in (None, found.line):
        end = min(found.end_column, end)
    elif found.end_line is None:
        end = found.column + 1
    return max(min(end - found.column, MAX_WIDTH - (found.column - 1 - offset)), 1)


def _clean(text: str) -> str:
    """Make text from a program safe to print on one line of a terminal."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text.replace("\n", " "))


# -- JSON -------------------------------------------------------------------------------------------------------------
def _json(results: Sequence[FileResult]) -> str:
    return _dump(_plain(results))


def _plain(results: Iterable[FileResult]) -> list[dict[str, Any]]:
    return [_plain_one(result.file, found) for result in results for found in _sorted(result.diagnostics)]


def _plain_one(file: str, found: Diagnostic) -> dict[str, Any]:
    return {
        "file": file,
        "code": found.code,
        "severity": found.severity,
        "message": found.message,
        "hint": found.hint,
        "line": found.line,
        "column": found.column,
        "end_line": found.end_line,
        "end_column": found.end_column,
        "cell": found.cell,
    }


# -- SARIF ------------------------------------------------------------------------------------------------------------
def _sarif(results: Sequence[FileResult]) -> str:
    from transpiler import __version__

    used = sorted({found.code for result in results for found in result.diagnostics})
    index = {code: number for number, code in enumerate(used)}
    driver = {"name": "transpile", "version": __version__, "rules": [_sarif_rule(code) for code in used]}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [
            _sarif_result(result.file, found, index) for result in results for found in _sorted(result.diagnostics)
        ],
    }
    return _dump({"$schema": _SARIF_SCHEMA, "version": "2.1.0", "runs": [run]})


def _sarif_rule(code: str) -> dict[str, Any]:
    rule = CODES[code]
    return {
        "id": code,
        "shortDescription": {"text": rule.title},
        "help": {"text": rule.hint},
        "defaultConfiguration": {"level": rule.severity},
    }


def _sarif_result(file: str, found: Diagnostic, index: dict[str, int]) -> dict[str, Any]:
    region: dict[str, int] = {"startLine": found.line, "startColumn": found.column}
    if found.end_line is not None and found.end_column is not None:
        region |= {"endLine": found.end_line, "endColumn": found.end_column}
    hint = f"\nhelp: {found.hint}" if found.hint else ""
    place: dict[str, Any] = {}
    properties = {}
    if found.cell:  # a line of the file says nothing to those who see cells
        region = {"startLine": 1, "startColumn": 1}
        place = {"logicalLocations": [{"name": f"cell {found.cell}"}]}
        properties = {"properties": {"cell": found.cell, "line": found.line, "column": found.column}}
        hint = f"\nat: cell {found.cell}, line {found.line}{hint}"
    return {
        "ruleId": found.code,
        "ruleIndex": index[found.code],
        "level": found.severity,
        "message": {"text": found.message + hint},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": _uri(file)}, "region": region}, **place}],
        **properties,
    }


def _uri(file: str) -> str:
    path = Path(file)
    return path.as_uri() if path.is_absolute() else quote(path.as_posix())


# -- GitHub -----------------------------------------------------------------------------------------------------------
_GITHUB_LEVELS = {"error": "error", "warning": "warning", "note": "notice"}


def _github(results: Sequence[FileResult]) -> str:
    return "".join(_github_line(result.file, found) for result in results for found in _sorted(result.diagnostics))


def _github_line(file: str, found: Diagnostic) -> str:
    places: dict[str, str | int] = {"file": file, "line": found.line, "col": found.column}
    if found.cell:
        places |= {"line": 1, "col": 1}  # what GitHub shows is the file; the message has the cell
    elif found.end_line is not None:
        places["endLine"] = found.end_line
    if not found.cell and found.end_column is not None and found.end_line in (None, found.line):
        places["endColumn"] = found.end_column
    places["title"] = f"{found.code} {CODES[found.code].title}"
    properties = ",".join(f"{key}={_github_property(str(value))}" for key, value in places.items())
    message = f"{_place(file, found)}: {found.code} {found.message}"
    message += f"\nhelp: {found.hint}" if found.hint else ""
    return f"::{_GITHUB_LEVELS[found.severity]} {properties}::{_github_data(message)}\n"


def _github_data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _github_property(text: str) -> str:
    return _github_data(text).replace(":", "%3A").replace(",", "%2C")


# -- shared -----------------------------------------------------------------------------------------------------------
def _sorted(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    return sorted(diagnostics, key=lambda found: (found.cell or 0, found.line, found.column, found.code))


def _dump(value: Any) -> str:
    return json.dumps(value, indent=2) + "\n"


_WRITERS: dict[str, Callable[[Sequence[FileResult]], str]] = {
    "text": _text,
    "json": _json,
    "sarif": _sarif,
    "github": _github,
}
