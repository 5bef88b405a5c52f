"""Putting the output file together: imports, helpers, classes and the rewritten program."""

from __future__ import annotations

import ast
import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Any

import libcst as cst

from transpiler.diagnostics import diagnostic
from transpiler.emit.helpers import imports_of
from transpiler.evaluate.core import Evaluator
from transpiler.rewrite.freezing import Freezing
from transpiler.rewrite.functions import TensorFunctions
from transpiler.rewrite.import_order import import_lines, is_plain_import, name_order, sorted_block
from transpiler.rewrite.models import Translation
from transpiler.rewrite.neighbours import Neighbours
from transpiler.rewrite.program import Rewriter, Verbatim
from transpiler.rewrite.provided import note_copies
from transpiler.rewrite.residue import names_of
from transpiler.source.pieces import Piece
from transpiler.template_env import helper_source

_RUNS = {
    f"keras.Model.{name}"
    for name in (
        "fit",
        "evaluate",
        "predict",
        "train_on_batch",
        "test_on_batch",
        "predict_on_batch",
        "__call__",
        "fit_generator",
    )
}
_DEVICE = 'device = torch.device("cuda" if torch.cuda.is_available() else "cpu")\n'


def assemble(ev: Evaluator, translation: Translation, neighbours: Neighbours | None = None) -> list[Piece]:
    """The text of the output, not yet formatted, in pieces."""
    emitter = translation.emitter
    neighbours = neighbours or Neighbours()
    functions = TensorFunctions(ev, translation.comments)
    on_device = any(action.model is not None and action.symbol in _RUNS for action in ev.program.actions)
    rewriter = Rewriter(
        ev,
        translation.codes(),
        emitter.render,
        lambda: on_device,
        emitter.helper_names,
        Freezing(ev, translation, emitter.helpers_used.use),
        translation.comments,
        functions=functions,
        neighbours=neighbours,
    )
    statements, place = rewriter.module()
    rewriter.freezing.check_left()
    translation.written = frozenset(rewriter.written)
    note_copies(ev, translation, neighbours)
    helpers = [helper_source(name) for name in dict.fromkeys([*translation.helpers(), *functions.helpers])]
    if init := translation.init_weights():
        helpers.append(init)
    helpers.extend(source for source in emitter.helpers() if source.strip() not in map(str.strip, helpers))
    if on_device and (rewriter.placed or _runs_here(ev)):
        helpers.insert(0, _DEVICE)
    imports = translation.imports() | emitter.imports() | functions.imports | imports_of(helpers)
    _report_clashes(ev, helpers)
    return _Parts(ev, statements, place, helpers, imports).pieces()


def _runs_here(ev: Evaluator) -> bool:
    return any(action.node in ev.positions for action in ev.program.actions if action.symbol in _RUNS)


def _report_clashes(ev: Evaluator, helpers: list[str]) -> None:
    """A class or function of the program's own must not stand in the way of a helper's name."""
    ours = {name for source in helpers for name in re.findall(r"^(?:class|def) (\w+)", source, re.MULTILINE)}
    for node in ev.module.body:
        if isinstance(node, (cst.ClassDef, cst.FunctionDef)) and node.name.value in ours:
            span = ev.span(node)
            message = f"`{node.name.value}` is also the name of a class or function that the output needs"
            ev.diagnostics.append(diagnostic("KT105", message, span.line, span.column + 1, hint="rename it"))


@dataclass
class _Parts:
    """The parts of the output, before they are put together."""

    ev: Evaluator
    statements: list[Any]
    place: int
    helpers: list[str]
    imports: set[str]

    def __post_init__(self) -> None:
        module = self.ev.module
        alike = (module.default_indent, module.default_newline) == (_BLANK.default_indent, _BLANK.default_newline)
        self._same = set(map(id, module.body)) if alike else set()
        self._codes: dict[int, str] = {}
        self._kept: list[Any] = []  # the identities stand for these

    def pieces(self) -> list[Piece]:
        """Imports of the source that nothing uses any more are left out (those that were unused before stay)."""
        codes = [self._code(statement) for statement in self.statements]
        body = "".join([*self.helpers, *codes])
        gone = _gone(self._imported(), self.ev.positions.code, [*self.helpers, *codes])
        kept = [(at, _without(statement, gone)) for at, statement in enumerate(self.statements)]
        first = [s for at, s in kept if s is not None and at < self.place]
        after = [self._code(s) for at, s in kept if s is not None and at >= self.place]
        before = list(map(self._code, first))
        lines = merge_imports({line for line in self.imports if _used(line, body)}, "".join(before))
        if lines:
            before, lines = _with_theirs(first, lines)
        header = "".join(map(_code, self.ev.module.header))
        footer = "".join(map(_code, self.ev.module.footer))
        ours = "".join(f"{line}\n" for line in lines)
        helpers = [Piece(f"{helper}\n\n", shared=True) for helper in self.helpers]
        return [*map(Piece, [header, *before, f"{ours}\n\n"]), *helpers, *map(Piece, after), Piece(footer)]

    def _code(self, statement: Any) -> str:
        """The text of a statement; one that stayed as it was is taken from the source, if that is laid out as ours."""
        if id(statement) in self._same:
            text = self.ev.positions.text(statement) or ""
            return text if text.endswith("\n") else f"{text}\n"  # the last line of the file may have no end
        if id(statement) not in self._codes:
            self._codes[id(statement)] = _code(statement)
            self._kept.append(statement)
        return self._codes[id(statement)]

    def _imported(self) -> set[str]:
        """The names that the imports among the statements bind."""
        lines = [s for s in self.statements if isinstance(s, cst.SimpleStatementLine)]
        return {name for line in lines if isinstance(line.body[0], _IMPORTS) for name in names_of(line).bound}


def _with_theirs(first: list[Any], lines: list[str]) -> tuple[list[str], list[str]]:
    """Our import lines in order with the source's own that stand just before them; the texts before all of these."""
    start = len(first)
    while start and is_plain_import(first[start - 1]):
        start -= 1
    if start == len(first):
        return list(map(_code, first)), sorted_block(lines).splitlines()
    theirs = [line for statement in first[start:] for line in import_lines(statement)]
    gap = "\n" * len(first[start].leading_lines)
    return [*map(_code, first[:start]), gap], sorted_block([*theirs, *lines]).splitlines()


def _code(node: Any) -> str:
    if isinstance(node, Verbatim):
        return node.code
    return _BLANK.code_for_node(node)


_BLANK = cst.Module([])
_IMPORTS = (cst.Import, cst.ImportFrom)


@cache
def _bound(line: str) -> list[str]:
    statement = cst.parse_statement(line)
    return sorted(names_of(statement).bound)


def _used(line: str, text: str) -> bool:
    return any(name in text and re.search(rf"\b{re.escape(name)}\b", text) for name in _bound(line))


def merge_imports(lines: set[str], existing: str) -> list[str]:
    """Import lines, those from one module joined, without what the file imports already; plain imports first."""
    present = set(existing.splitlines())
    plain = sorted(line for line in lines if line.startswith("import ") and line not in present)
    froms: dict[str, set[str]] = {}
    for line in lines:
        if line.startswith("from ") and line not in present:
            module, names = re.fullmatch(r"from (\S+) import (.+)", line).groups()  # type: ignore[union-attr]
            froms.setdefault(module, set()).update(name.strip() for name in names.split(","))
    joined = [
        f"from {module} import {', '.join(sorted(names, key=name_order))}" for module, names in sorted(froms.items())
    ]
    return [*plain, *joined]


def _without(statement: Any, gone: set[str]) -> Any:
    if not isinstance(statement, cst.SimpleStatementLine):
        return statement
    small = statement.body[0]
    if len(statement.body) != 1 or not isinstance(small, _IMPORTS) or isinstance(small.names, cst.ImportStar):
        return statement
    kept = [a for a in small.names if (a.evaluated_alias or a.evaluated_name.split(".")[0]) not in gone]
    if len(kept) == len(small.names):
        return statement
    if not kept:
        return None
    kept[-1] = kept[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)
    return statement.with_changes(body=[small.with_changes(names=kept)])


_WORD = re.compile(r"[A-Za-z_]\w*")


def _gone(names: set[str], before: str, after: list[str]) -> set[str]:
    """The names of the source that no part of the output reads; only parts with such as became rarer are parsed.

    Names that were as rare before stay: nobody used them.
    """
    words = [_WORD.findall(part) for part in after]
    old, new = Counter(_WORD.findall(before)), Counter(chain.from_iterable(words))
    gone = {name for name in names if new[name] < old[name]}
    for part, found in zip(after, words, strict=True):
        if not gone.isdisjoint(found):
            gone -= {node.id for node in ast.walk(ast.parse(part)) if isinstance(node, ast.Name)}
    return gone
