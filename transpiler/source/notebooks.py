"""Jupyter notebooks as text: the cells are read, and some of them edited; every other byte stays what it was."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from transpiler.diagnostics import diagnostic
from transpiler.source.read import ReadError

SUFFIX = ".ipynb"
_FORMATS = (2, 3, 4)
_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\n\r]*")
_ESCAPED = re.compile(r"\\u[0-9a-fA-F]{4}")
_Span = tuple[int, int]


@dataclass(frozen=True)
class Cell:
    """One cell. ``number`` counts all cells from 1; ``source`` has plain line feeds."""

    number: int
    kind: str  # "code", "markdown", "raw"
    source: str
    newline: str
    spans: Mapping[str, _Span]  # of the values of its keys in the notebook's text


@dataclass(frozen=True)
class Notebook:
    """The text of a notebook and its cells."""

    text: str
    cells: tuple[Cell, ...]
    python: bool  # whether its language is Python, as far as it says

    def code_cells(self) -> list[Cell]:
        """The cells with Python code in them."""
        return [cell for cell in self.cells if self.python and cell.kind == "code" and cell.source.strip()]

    def with_sources(self, sources: Mapping[int, str]) -> str:
        """The text of the notebook with new sources for some cells, by number; these lose their outputs."""
        edits: list[tuple[_Span, str]] = []
        for cell in self.cells:
            if cell.number not in sources:
                continue
            for key, span in cell.spans.items():
                if key in _SOURCES:
                    edits.append((span, self._rendered(cell, span, sources[cell.number])))
                elif key in _CLEARED:
                    edits.append((span, _CLEARED[key]))
        parts, at = [], 0
        for (start, end), text in sorted(edits):
            parts += [self.text[at:start], text]
            at = end
        return "".join([*parts, self.text[at:]])

    def _rendered(self, cell: Cell, span: _Span, source: str) -> str:
        """The JSON of a source: a list of lines where it was one, on as many lines of the file as before."""
        ascii_only = self.text.isascii() and _ESCAPED.search(self.text) is not None
        before = self.text[slice(*span)]
        if not before.startswith("["):
            return json.dumps(source.replace("\n", cell.newline), ensure_ascii=ascii_only)
        lines = [f"{line}{cell.newline}" for line in source.split("\n")]
        lines[-1] = lines[-1][: -len(cell.newline)]
        items = [json.dumps(line, ensure_ascii=ascii_only) for line in lines if line]
        start = _SPACE.match(before, 1)
        lead = start[0] if start else ""
        if "\n" not in lead:
            return f"[{', '.join(items)}]"
        return f"[{lead}{f',{lead}'.join(items)}{before[len(before[:-1].rstrip()) : -1]}]" if items else "[]"


_SOURCES = ("source", "input")  # `input` up to format 3
_CLEARED = {"outputs": "[]", "execution_count": "null", "prompt_number": "null"}


def read_notebook(text: str) -> Notebook:
    """Read the JSON text of a notebook, or raise :class:`ReadError` (KT001) where it is none."""
    data = _parsed(text)
    if not isinstance(data, dict) or not ("cells" in data or "worksheets" in data):
        raise _not_a_notebook("it has no cells")
    version = data.get("nbformat")
    if version not in _FORMATS or not isinstance(version, int):
        raise _not_a_notebook(f"its `nbformat` is {version!r:.40}; known are 2, 3 and 4")
    try:
        cells = tuple(_cell(text, number, span) for number, span in enumerate(_cell_spans(text, data), 1))
    except RecursionError as error:
        raise _not_a_notebook("it is nested too deeply") from error
    return Notebook(text, cells, _is_python(data.get("metadata")))


def looks_like_notebook(data: bytes) -> bool:
    """Say whether bytes without a file name are a notebook's."""
    return data.lstrip().startswith(b"{") and b'"nbformat"' in data


def readable(text: str) -> str:
    """The sources of the cells one after the other, for comparing notebooks; what is no notebook stays as it is."""
    try:
        cells = read_notebook(text).cells
    except ReadError:
        return text
    return "\n".join(f"# %% cell {cell.number} [{cell.kind}]\n{cell.source}\n" for cell in cells)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        message = f"the notebook is not valid JSON: {error.msg}"
        hint = "open and save it in Jupyter, or resolve its merge conflicts"
        raise ReadError(diagnostic("KT001", message, error.lineno, error.colno, hint=hint)) from error
    except (RecursionError, ValueError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise ReadError(diagnostic("KT001", f"cannot read the notebook: {reason}")) from error


def _not_a_notebook(reason: str) -> ReadError:
    hint = "give a Jupyter notebook; `jupyter nbconvert --to notebook` brings old ones up to date"
    return ReadError(diagnostic("KT001", f"not a notebook that can be read: {reason}", hint=hint))


def _cell_spans(text: str, data: Mapping[str, Any]) -> Iterator[_Span]:
    """Where the cells stand; up to format 3 they are in worksheets."""
    top = _members(text, _skip(text, 0))
    for holder, members in _holders(text, data, top):
        if not isinstance(holder.get("cells", []), list):
            raise _not_a_notebook("`cells` is not a list")
        if "cells" in members:
            yield from _items(text, members["cells"][0])


def _holders(
    text: str, data: Mapping[str, Any], top: Mapping[str, _Span]
) -> Iterator[tuple[Mapping[str, Any], Mapping[str, _Span]]]:
    if "cells" in data:
        yield data, top
        return
    sheets = data["worksheets"]
    if not isinstance(sheets, list) or not all(isinstance(sheet, dict) for sheet in sheets):
        raise _not_a_notebook("`worksheets` is not a list of objects")
    for sheet, (start, _) in zip(sheets, _items(text, top["worksheets"][0]), strict=True):
        yield sheet, _members(text, start)


def _cell(text: str, number: int, span: _Span) -> Cell:
    value = _DECODER.raw_decode(text, span[0])[0]
    if not isinstance(value, dict):
        raise _not_a_notebook(f"cell {number} is not an object")
    kind = value.get("cell_type")
    key = "input" if "input" in value and "source" not in value else "source"
    source = value.get(key, "")
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str) or not isinstance(kind, str):
        raise _not_a_notebook(f"cell {number} has no `cell_type`, or a `{key}` that is not text")
    if kind == "code" and not str(value.get("language", "python")).startswith("python"):
        kind = "raw"
    newline = "\r\n" if "\r\n" in source else "\n"
    plain = source.replace("\r\n", "\n").replace("\r", "\n")
    return Cell(number, kind, plain, newline, _members(text, span[0]))


def _is_python(metadata: Any) -> bool:
    """What the metadata says of the language; those that say nothing are Python."""
    names = []
    for key, field in (("language_info", "name"), ("kernelspec", "language")):
        table = metadata.get(key) if isinstance(metadata, dict) else None
        names.append(table.get(field) if isinstance(table, dict) else None)
    named = [name.lower() for name in names if isinstance(name, str) and name]
    return not named or "python" in named[0]


# -- where values stand in a JSON text that is known to be well-formed ------------------------------------------------
def _members(text: str, at: int) -> dict[str, _Span]:
    """The spans of the values of the object at ``at``."""
    spans: dict[str, _Span] = {}
    at = _skip(text, at + 1)
    while text[at] != "}":
        key, at = _DECODER.raw_decode(text, at)
        start = _skip(text, _skip(text, at) + 1)
        if key in spans:
            raise _not_a_notebook(f"the key {key!r:.40} stands twice in an object")
        spans[key] = (start, _DECODER.raw_decode(text, start)[1])
        at = _next(text, spans[key][1])
    return spans


def _items(text: str, at: int) -> Iterator[_Span]:
    """The spans of the items of the list at ``at``."""
    at = _skip(text, at + 1)
    while text[at] != "]":
        end = _DECODER.raw_decode(text, at)[1]
        yield at, end
        at = _next(text, end)


def _next(text: str, at: int) -> int:
    at = _skip(text, at)
    return _skip(text, at + 1) if text[at] == "," else at


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return at if found is None else found.end()
