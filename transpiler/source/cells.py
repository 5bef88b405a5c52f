"""The code cells of a notebook as one program, and what became of it as cells again.

Between the cells stand marks, strings that nobody could have written: a translation keeps them as it keeps any string
that is a statement, so that each statement of the output is known to be of the cell whose mark stands before it.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from transpiler.diagnostics import Diagnostic, diagnostic
from transpiler.source.detect import mentions_keras, uses_keras
from transpiler.source.format import format_code
from transpiler.source.magics import CELL_MAGICS, TIMED, Mask, cell_magics
from transpiler.source.notebooks import Cell, Notebook
from transpiler.source.read import ReadError, parse_ast

_SEMICOLON = re.compile(r"[ \t]*;[ \t]*(#[^\n]*)?\s*")
_KERAS = re.compile(r"\bkeras\b")
_METHODS = re.compile(r"\bkeras\b|\.(fit|fit_generator|evaluate|predict|train_on_batch|compile|load_weights)\(")


@dataclass(frozen=True)
class PythonCell:
    """A cell that takes part in the program. ``head`` are its ``%%`` lines, ``quiet`` says that it ended with ``;``."""

    cell: Cell
    head: str
    mask: Mask
    quiet: bool
    tree: ast.Module

    @property
    def text(self) -> str:
        """The cell as it stands in the program."""
        return self.mask.text


@dataclass(frozen=True)
class Program:
    """The program that the code cells make. ``origins`` has the cell, line and cut columns of each line of it."""

    text: str
    mark: str
    cells: tuple[PythonCell, ...]
    origins: tuple[tuple[int, int, int], ...]
    diagnostics: tuple[Diagnostic, ...]  # of cells that are not part of it
    uses_keras: bool  # whether anything in the notebook has to do with Keras, or could have if it were Python

    def place(self, line: int) -> str:
        """What to call a line of the program."""
        cell, number, _ = self._origin(line)
        return f"cell {cell}, line {number}"

    def located(self, found: Diagnostic) -> Diagnostic:
        """A diagnostic of the program as one of the notebook."""
        cell, line, cut = self._origin(found.line)
        end = None if found.end_line is None else self._origin(found.end_line)[1]
        message = found.message
        for part in self.cells:
            message = part.mask.explained(message)
        return replace(found, message=message, cell=cell, line=line, column=found.column + cut, end_line=end)

    def _origin(self, line: int) -> tuple[int, int, int]:
        return self.origins[min(line, len(self.origins)) - 1] if self.origins else (1, 1, 0)

    def sources(self, code: str, lost: Collection[int] = ()) -> dict[int, str]:
        """The new sources of the cells that a translation of the program changed, by number.

        ``lost`` has lines of the program that were left out because of what could not be translated before them.
        """
        failed = {self._origin(line)[0] for line in lost}
        return {
            part.cell.number: _source(part, text, part.cell.number in failed)
            for part, text in zip(self.cells, self._parts(code), strict=True)
            if _differs(part.text, text)
        }

    def _parts(self, code: str) -> list[str]:
        """The text of each cell in a translation of the program."""
        parts = re.split(rf"^\"{self.mark} (\d+)\"\n", code, flags=re.MULTILINE)
        numbers = [int(number) for number in parts[1::2]]
        if numbers != [part.cell.number for part in self.cells] or parts[0].strip():
            raise ValueError("a cell of the notebook got lost")
        return parts[2::2]

    def silenced(self, code: str, lost: Collection[int]) -> list[Diagnostic]:
        """What to say of cells that only displayed something and are empty in a translation of the program."""
        failed = {self._origin(line)[0] for line in lost}
        found = diagnostic("KT105", "what this cell displays has no twin")
        return [
            replace(found, cell=part.cell.number, line=_last_line(part))
            for part, text in zip(self.cells, self._parts(code), strict=True)
            if _displays(part) and part.cell.number not in failed and not ast.parse(text).body
        ]


def join(notebook: Notebook) -> Program:
    """Make one program of the code cells. Cells that are not Python are left out, with a diagnostic where need be."""
    cells = notebook.code_cells()
    digest = hashlib.sha256("\0".join(cell.source for cell in cells).encode("utf-8", "replace")).hexdigest()[:16]
    read = [_read(cell, f"magic_{digest}_") for cell in cells]
    parts = [part for part in read if isinstance(part, PythonCell)]
    text, origins = [], []
    for part in parts:
        text.append(f'"cell {digest} {part.cell.number}"\n{part.text}')
        origins.append((part.cell.number, 1, 0))
        origins += [(part.cell.number, line, cut) for line, cut in part.mask.origins]
    outside = {problem.cell: problem for problem in read if isinstance(problem, Diagnostic)}
    keras = any(uses_keras(part.tree) for part in parts)
    keras = keras or any(cell.number in outside and _KERAS.search(cell.source) for cell in cells)
    found = [*outside.values()]
    found += [problem for part in parts for problem in _unread_magics(part)]
    return Program("".join(text), f"cell {digest}", tuple(parts), tuple(origins), tuple(found), keras)


def _read(cell: Cell, prefix: str) -> PythonCell | Diagnostic | None:
    """A cell as Python; a diagnostic where it should be and is not; None where it is none of our business."""
    magics, head = cell_magics(cell.source)
    body = cell.source[len(head) :]
    if any(magic not in CELL_MAGICS for magic in magics):
        return _foreign(cell, magics[-1], body)
    first = head.count("\n") + 1
    mask = Mask(f"{prefix}{cell.number}_")
    try:
        tree = _masked(mask, body, first)
    except ReadError as error:
        return _broken(cell, mask, error.diagnostic)
    quiet = _without_semicolon(mask, tree)
    return PythonCell(cell, head, mask, quiet, tree)


def _masked(mask: Mask, body: str, first: int) -> ast.Module:
    """The cell as Python; its masks are looked for only where it is none without them."""
    try:
        tree = parse_ast(body)
    except ReadError:
        mask.add(body, first)
        return parse_ast(mask.text)
    mask.add_plain(body.rstrip("\n"), first)
    return tree


def _broken(cell: Cell, mask: Mask, found: Diagnostic) -> Diagnostic:
    """A cell with a syntax error. It would not run, so that the others do without it."""
    line, cut = mask.origins[min(found.line, len(mask.origins)) - 1] if mask.origins else (1, 0)
    message = found.message.replace("the file", "this cell")
    return replace(found, code="KT003", message=message, cell=cell.number, line=line, column=found.column + cut)


def _foreign(cell: Cell, magic: str, body: str) -> Diagnostic | None:
    """A cell in another language or for another process: told of only if it is Python that uses Keras."""
    if not mentions_keras(body.encode("utf-8", "replace")):
        return None
    try:
        if not uses_keras(parse_ast(body)):
            return None
    except ReadError:
        return None
    message = f"this cell is not translated: its code is not run here, but given to `%%{magic}`"
    found = diagnostic("KT003", message, hint="translate that code as a file of its own")
    return replace(found, cell=cell.number)


def _unread_magics(part: PythonCell) -> Iterator[Diagnostic]:
    """Magics that stay as they are and have Keras code in them that would fail."""
    hint = "put the code in a cell of its own, below `%%time`"
    for at, line in enumerate(part.head.split("\n"), 1):
        if line.startswith("%%") and _METHODS.search(line):
            found = diagnostic("KT003", f"the code beside this magic is not translated: `{line}`", at, hint=hint)
            yield replace(found, cell=part.cell.number)
    for at, line in enumerate(part.mask.lines):
        for name in part.mask.names(line):
            text = part.mask.masked[name]
            if name not in part.mask.timed and TIMED.match(text) and _METHODS.search(text):
                number = part.mask.origins[at][0]
                found = diagnostic("KT003", f"the code of this magic is not translated: `{text}`", number, hint=hint)
                yield replace(found, cell=part.cell.number)


# -- the end of a cell, which is what it displays ---------------------------------------------------------------------
def _without_semicolon(mask: Mask, tree: ast.Module) -> bool:
    """Take the ``;`` away that a cell ends with to display nothing, as it would not survive; say if there was one."""
    if not tree.body:
        return False
    end_line, end = _end_of(tree.body[-1], mask.lines)
    rest = "\n".join([mask.lines[end_line][end:], *mask.lines[end_line + 1 :]])
    if _SEMICOLON.match(rest) is None:
        return False
    mask.lines[end_line] = mask.lines[end_line][:end] + mask.lines[end_line][end:].replace(";", "", 1)
    return True


def _end_of(statement: ast.stmt, lines: Sequence[str]) -> tuple[int, int]:
    """The index of the line where a statement ends, and the column there."""
    line = (statement.end_lineno or 1) - 1
    return line, len(lines[line].encode()[: statement.end_col_offset or 0].decode())


def _with_semicolon(code: str) -> str:
    tree = ast.parse(code)
    if not tree.body or not isinstance(tree.body[-1], ast.Expr):
        return code
    lines = code.split("\n")
    at, end = _end_of(tree.body[-1], lines)
    lines[at] = f"{lines[at][:end]};{lines[at][end:]}"
    return "\n".join(lines)


# -- back to cells ----------------------------------------------------------------------------------------------------
def _differs(before: str, after: str) -> bool:
    """Whether a translation changed a cell by more than its layout."""
    return before.strip("\n") != after.strip("\n") and format_code(before) != format_code(after)


def _source(part: PythonCell, text: str, failed: bool) -> str:
    """The new source of a cell."""
    code = format_code(part.mask.collapsed(text))
    if not code.strip():
        return _emptied(part, failed)
    if part.quiet:
        code = _with_semicolon(code)
    return part.head + part.mask.restored(code).rstrip("\n")


def _emptied(part: PythonCell, failed: bool) -> str:
    """What stands in a cell of which no statement is left: why, unless it only imported."""
    top = [line for line in part.head.splitlines() if line.strip() and not line.startswith("%%")]
    if failed or _displays(part):
        why = "because something above is not" if failed else "as it shows a part of the Keras model"
        lines = part.cell.source.strip("\n").split("\n")[len(top) :]
        return "\n".join([*top, f"# Not translated, {why}:", *(f"# {line}".rstrip() for line in lines)])
    if not all(isinstance(statement, (ast.Import, ast.ImportFrom)) for statement in part.tree.body):
        top.append("# This only described a model: nothing of it is left to run.")
    return "\n".join(top)


def _displays(part: PythonCell) -> bool:
    """Whether a cell ends with a value that is only looked at."""
    last = part.tree.body[-1] if part.tree.body else None
    if not isinstance(last, ast.Expr) or part.quiet:
        return False
    masked = isinstance(last.value, ast.Name) and last.value.id.startswith(part.mask.prefix)
    return not masked and not isinstance(last.value, ast.Call)


def _last_line(part: PythonCell) -> int:
    return part.mask.origins[part.tree.body[-1].lineno - 1][0]
