"""The statements of a program that build its models, cut out: what ``--verify`` runs under Keras.

A backward slice over names: what an expression that makes a model reads is kept, and what that reads; training,
printing and plotting go; arrays of known shape are replaced by calls of ``__array__``. Each expression that makes
a model is wrapped, so that whoever runs the slice gets hold of the model.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import libcst as cst

from transpiler.evaluate.core import Evaluator, is_build
from transpiler.evaluate.values import Opaque
from transpiler.graph.program import Array
from transpiler.rewrite.recording import Recording, last_name
from transpiler.rewrite.residue import names_of
from transpiler.source.tree import walk

_CONTROL = (cst.Pass, cst.Break, cst.Continue, cst.Global, cst.Nonlocal, cst.Raise)
_Assignment = (cst.Assign, cst.AnnAssign, cst.AugAssign)
_Simple = (cst.SimpleStatementLine, cst.SimpleStatementSuite)
Statement = Any  # a CST statement


class Slicer:
    """Cuts one module. ``sites`` numbers the expressions to be recorded; ``extra`` are names to be kept everywhere."""

    def __init__(self, ev: Evaluator, sites: Mapping[int, int], extra: Collection[str]) -> None:
        self.facts = ev.facts
        self.sites = sites
        self.extra = set(extra)
        self._creating = _creating_names(ev.module, sites)
        self._rewriter = Recording(ev, sites)

    def module(self, module: cst.Module, calls: Sequence[str]) -> str:
        """The text of the slice; ``calls`` are source lines to be run at its end."""
        tail = cst.parse_module("\n".join([*calls, ""]))
        needed = self.extra | names_of(tail).read
        return cst.Module([*self.block(module.body, needed), *tail.body]).code

    # -- blocks -----------------------------------------------------------------------------------------------------
    def block(self, statements: Sequence[Statement], needed: set[str]) -> list[Statement]:
        """The statements to keep; ``needed`` grows by the names that they read, until nothing is added."""
        while True:
            before = len(needed)
            kept: list[Statement] = []
            for statement in reversed(statements):
                kept[:0] = self._statement(statement, needed)
            if len(needed) == before:
                return kept

    def _statement(self, node: Statement, needed: set[str]) -> list[Statement]:
        if isinstance(node, _Simple):
            return self._line(node, needed)
        if isinstance(node, cst.FunctionDef):
            return [self._function(node, needed)] if node.name.value in needed else []
        if isinstance(node, cst.ClassDef):
            return [self._class(node, needed)] if node.name.value in needed else []
        if isinstance(node, cst.If):
            return self._if(node, needed)
        if isinstance(node, (cst.For, cst.While, cst.With)):
            return self._compound(node, needed)
        if isinstance(node, cst.Try):
            return self._try(node, needed)
        return []

    def _suite(self, suite: cst.BaseSuite, needed: set[str]) -> cst.IndentedBlock | None:
        """A sliced block, None where nothing but control flow is left of it."""
        statements = suite.body if isinstance(suite, cst.IndentedBlock) else [suite]
        kept = self.block(statements, needed)
        real = [s for s in kept if not (isinstance(s, _Simple) and all(isinstance(b, _CONTROL) for b in s.body))]
        return cst.IndentedBlock(kept) if real else None

    def _function(self, node: cst.FunctionDef, needed: set[str]) -> cst.FunctionDef:
        inner = set(self.extra)
        statements = node.body.body if isinstance(node.body, cst.IndentedBlock) else [node.body]
        body = cst.IndentedBlock(self.block(statements, inner) or [_PASS])
        new = node.with_changes(body=body)
        needed.update(names_of(new).read)
        return new

    def _class(self, node: cst.ClassDef, needed: set[str]) -> cst.ClassDef:
        """A class as it is, without training and printing in its methods and without methods that nothing reaches."""
        rewritten = cst.ensure_type(node.visit(self._rewriter), cst.ClassDef)
        if not node.bases and isinstance(rewritten.body, cst.IndentedBlock):
            rewritten = rewritten.with_changes(body=_reached(rewritten.body, self._creating | {"call"}))
        needed.update(names_of(rewritten).read)
        return rewritten

    def _if(self, node: cst.If, needed: set[str]) -> list[Statement]:
        body = self._suite(node.body, needed)
        orelse: cst.If | cst.Else | None = None
        if isinstance(node.orelse, cst.If):
            found = self._if(node.orelse, needed)
            orelse = found[0] if found else None
        elif node.orelse is not None:
            other = self._suite(node.orelse.body, needed)
            orelse = cst.Else(other) if other is not None else None
        if body is None and orelse is None:
            return []
        needed.update(names_of(node.test).read)
        return [node.with_changes(body=body or _EMPTY, orelse=orelse, leading_lines=())]

    def _compound(self, node: Any, needed: set[str]) -> list[Statement]:
        body = self._suite(node.body, needed)
        if body is None:
            return []
        head = node.with_changes(body=_EMPTY, leading_lines=(), **({} if isinstance(node, cst.With) else _NO_ELSE))
        head = head.visit(self._rewriter) if not isinstance(node, cst.With) else head
        needed.update(names_of(head).read)
        self._suite(node.body, needed)
        new = head.with_changes(body=body)
        if isinstance(node, cst.With) and not any(self._decides(item.item) for item in node.items):
            return [_guard(new, sorted(names_of(node).bound))]  # a file, say, that is not there
        return [new]

    def _try(self, node: cst.Try, needed: set[str]) -> list[Statement]:
        body = self._suite(node.body, needed)
        handlers = [h.with_changes(body=self._suite(h.body, needed) or _EMPTY) for h in node.handlers]
        if body is None:
            return []
        for handler in handlers:
            needed.update(names_of(handler).read)
        return [node.with_changes(body=body, handlers=handlers, orelse=None, finalbody=None, leading_lines=())]

    # -- lines ------------------------------------------------------------------------------------------------------
    def _line(self, node: Any, needed: set[str]) -> list[Statement]:
        kept: list[Statement] = []
        for small in reversed(node.body):
            if self._keeps(small, needed):
                new = self._rewritten(small)
                needed.update(names_of(new).read)
                if any(id(part) in self.sites for part in walk(small)):
                    needed.update(names_of(small).bound)  # what is added to the model later
                kept[:0] = [self._guarded(small, cst.SimpleStatementLine([new]))]
        return kept

    def _rewritten(self, node: cst.BaseSmallStatement) -> cst.BaseSmallStatement:
        if isinstance(node, cst.Return) and node.value is not None and self._acts(node.value):
            return cst.Return()
        new = node.visit(self._rewriter)
        assert isinstance(new, cst.BaseSmallStatement)
        return new.with_changes(semicolon=cst.MaybeSentinel.DEFAULT)

    def _keeps(self, node: cst.BaseSmallStatement, needed: set[str]) -> bool:
        if isinstance(node, (cst.Import, cst.ImportFrom)):
            return isinstance(node.names, cst.ImportStar) or _is_future(node) or bool(names_of(node).bound & needed)
        if isinstance(node, (*_CONTROL, cst.Return)):
            return True
        if any(id(part) in self.sites for part in walk(node)):
            return True
        if isinstance(node, _Assignment):
            targets = [t.target for t in node.targets] if isinstance(node, cst.Assign) else [node.target]
            return any(_roots(target) & needed for target in targets) or self._calls_creating(node)
        return isinstance(node, cst.Expr) and self._expression(node, needed)

    def _expression(self, node: cst.Expr, needed: set[str]) -> bool:
        """Whether an expression statement changes something needed, or makes models in what it calls."""
        if self._acts(node.value) or not isinstance(node.value, cst.Call):
            return False
        func = node.value.func
        if self._calls_creating(node) or (isinstance(func, cst.Attribute) and _roots(func) & needed):
            return True
        return id(node.value) in self.facts.builds and bool(names_of(node).read & needed)

    def _calls_creating(self, node: cst.CSTNode) -> bool:
        return any(last_name(part.func) in self._creating for part in walk(node) if isinstance(part, cst.Call))

    def _acts(self, node: cst.CSTNode) -> bool:
        return any(id(part) in self.facts.actions for part in walk(node))

    def _guarded(self, original: cst.BaseSmallStatement, line: cst.SimpleStatementLine) -> Statement:
        """What only the running program has may fail for want of its files: then a value is made up."""
        if not isinstance(original, (cst.Assign, cst.Expr)) or self._decides(_subject(original)):
            return line
        plain = isinstance(original, cst.Assign) and all(_is_plain(t.target) for t in original.targets)
        names = sorted(names_of(original).bound) if plain else []
        return _guard(line, names)

    def _decides(self, node: cst.BaseExpression) -> bool:
        """Whether an expression has to do with models, or is known."""
        if any(id(part) in self.sites for part in walk(node)) or self._calls_creating(node):
            return True
        value = self.facts.values.get(id(node))
        return is_build(value) or not _is_unsure(value)


def _creating_names(module: cst.Module, sites: Mapping[int, int]) -> set[str]:
    """Functions and methods in whose bodies models are made, also by calls; and classes whose constructors do."""
    bodies: list[tuple[set[str], set[str], bool]] = []
    for node in walk(module):
        if isinstance(node, (cst.FunctionDef, cst.ClassDef)):
            parts = list(walk(node.body))
            called = {last_name(part.func) for part in parts if isinstance(part, cst.Call)}
            bodies.append(({node.name.value}, called, any(id(part) in sites for part in parts)))
    found: set[str] = set()
    while True:
        more = {name for names, called, makes in bodies if makes or called & found for name in names}
        if more <= found:
            return found
        found |= more


def _reached(body: cst.IndentedBlock, wanted: set[str]) -> cst.IndentedBlock:
    """A class body with only those methods that its constructor or a wanted method reaches."""
    methods = {s.name.value: s for s in body.body if isinstance(s, cst.FunctionDef)}
    reached = {name for name in methods if name.startswith("__") or name in wanted}
    while True:
        parts = [part for name in reached for part in walk(methods[name])]
        names = {part.attr.value for part in parts if isinstance(part, cst.Attribute)} & methods.keys()
        if names <= reached:
            break
        reached |= names
    kept = [s for s in body.body if not isinstance(s, cst.FunctionDef) or s.name.value in reached]
    return body.with_changes(body=kept or [_PASS])


def _roots(target: cst.BaseExpression) -> set[str]:
    """The names that an assignment to ``target`` binds or changes."""
    if isinstance(target, cst.Name):
        return {target.value}
    if isinstance(target, (cst.Attribute, cst.Subscript)):
        return _roots(target.value)
    if isinstance(target, cst.Call):
        return _roots(target.func)
    if isinstance(target, (cst.Tuple, cst.List)):
        return {name for element in target.elements for name in _roots(element.value)}
    return set()


def _guard(statement: Statement, names: Sequence[str]) -> cst.Try:
    """A statement that may fail: then its names get values that are made up."""
    invented = "\n".join(f"    {name} = __unknown__({name!r})" for name in names) or "    pass"
    guard = cst.ensure_type(cst.parse_statement(f"try:\n    pass\nexcept Exception:\n{invented}\n"), cst.Try)
    return guard.with_changes(body=cst.IndentedBlock([statement]))


def _subject(node: cst.Assign | cst.Expr) -> cst.BaseExpression:
    """What a statement is about: the container that it stores into, or its value."""
    target = node.targets[0].target if isinstance(node, cst.Assign) else None
    return target.value if isinstance(target, cst.Subscript) else node.value


def _is_plain(target: cst.BaseExpression) -> bool:
    if isinstance(target, (cst.Tuple, cst.List)):
        return all(_is_plain(element.value) for element in target.elements)
    return isinstance(target, cst.Name)


def _is_unsure(value: Any) -> bool:
    if isinstance(value, (tuple, list)):
        return any(map(_is_unsure, value))
    return isinstance(value, (Opaque, Array))


def _is_future(node: cst.Import | cst.ImportFrom) -> bool:
    return isinstance(node, cst.ImportFrom) and isinstance(node.module, cst.Name) and node.module.value == "__future__"


_PASS = cst.SimpleStatementLine([cst.Pass()])
_EMPTY = cst.IndentedBlock([_PASS])
_NO_ELSE = {"orelse": None}
