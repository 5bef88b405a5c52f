"""Nothing of Keras may be left: names that have gone, and statements that read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import libcst as cst

from transpiler.diagnostics import Refusal
from transpiler.evaluate.core import Evaluator, is_build
from transpiler.evaluate.functions import is_transparent
from transpiler.evaluate.values import Symbol
from transpiler.rewrite.expressions import LocatedRefusal
from transpiler.rewrite.residue import Locate, names_of
from transpiler.rewrite.state import RewriteState, Statement
from transpiler.rules.names import is_keras
from transpiler.source.tree import walk


@dataclass(eq=False)
class Leftovers(RewriteState):
    """Keeps account of the names that the output lacks, and refuses what would read them."""

    def _raise(self, node: Statement, code: str, message: str) -> Statement:
        place = self.ev.positions.place(self.ev.span(position_of(node)).line)
        text = f"raise NotImplementedError({f'{code} ({place}): {message}'!r})"
        statement = cst.parse_statement(text)
        for name in names_of(node).bound:
            self.failed_names.add(name)
        return statement.with_changes(leading_lines=getattr(node, "leading_lines", ()))

    def _note_dropped(self, node: Statement, why: str) -> None:
        bound = {node.name.value} if isinstance(node, (cst.FunctionDef, cst.ClassDef)) else names_of(node).bound
        for name in bound:
            self.dropped_names.setdefault(name, why)
        for name in self._changed_by(node):
            self.dropped_names.setdefault(name, "it is changed by code that only describes a model")

    def _changed_by(self, node: Statement) -> set[str]:
        """The names of the module whose values change in functions that are called by a statement."""
        found: set[str] = set()
        for stack, target in self.ev.effects:
            if id(node) not in stack[:-1]:
                continue
            if isinstance(target, str):
                found.add(target)
            elif not is_build(target):
                found |= {name for name, value in self.ev.scope.names.items() if value is target}
        return found

    def _checked(self, original: Statement, new: Statement) -> Statement:
        if id(original) not in self.ev.facts.touched and not self._suspicious(original):
            return new
        names = names_of(new)
        theirs = self.ev.scan.reads.get(id(original), names.read)
        for name in sorted(names.read & theirs):  # others are our own, even where they are called like a module
            self._check_name(name, original)
        for name in names.bound:
            self.dropped_names.pop(name, None)
        return new

    def _suspicious(self, original: Statement) -> bool:
        """Whether a statement that is kept as it is reads a name that has gone."""
        reads = self.ev.scan.reads.get(id(original))
        return reads is None or any(self._is_keras_name(name) or name in self.dropped_names for name in reads)

    def _checked_test(self, original: cst.If, new: cst.If) -> cst.If:
        for name in sorted(names_of(new.test).read):
            self._check_name(name, original)
        return new

    def _checked_head(self, original: Any, new: Any) -> Any:
        head = (
            [new.iter]
            if isinstance(new, cst.For)
            else [new.test]
            if isinstance(new, cst.While)
            else [i.item for i in new.items]
        )
        for part in head:
            for name in sorted(names_of(part).read):
                self._check_name(name, original)
        return new

    def _check_name(self, name: str, original: Statement) -> None:
        if name in self.helper_names():
            return  # a helper of ours that took over the name
        if name in self.written and any(id(part) in self.ev.facts.creations for part in walk(original)):
            return  # the class of a network has the name of the function that made it
        value = self.ev.scope.names.get(name)
        from_keras = isinstance(value, Symbol) and is_keras(value.name)
        if name in self.failed_names or not from_keras and name not in self.dropped_names:
            return
        locate = Locate(name)
        original.visit(locate)
        where = locate.node or original
        what = f"`{value.name}`" if isinstance(value, Symbol) else f"`{name}`"
        if isinstance(value, Symbol):
            full = self._full_symbol(original, name) or value.name
            raise LocatedRefusal(Refusal("KT101", f"`{full}` is not translated here"), where)
        raise LocatedRefusal(
            Refusal("KT105", f"{what} is used here, but has no twin: {self.dropped_names[name]}"), where
        )

    def _full_symbol(self, original: Statement, name: str) -> str | None:
        finder = _Symbols(self.ev, name)
        original.visit(finder)
        return finder.found

    def _speaks_of_keras(self, node: cst.If) -> bool:
        read = names_of(node.test).read
        taken = self.ev.facts.taken.get(id(node), set())
        if True not in taken:
            read |= names_of(node.body).read
        if False not in taken and node.orelse is not None:
            read |= names_of(node.orelse).read
        return any(self._is_keras_name(name) for name in read)

    def _is_keras_name(self, name: str) -> bool:
        value = self.ev.scope.names.get(name)
        return isinstance(value, Symbol) and is_keras(value.name) or name in self.dropped_names

    def _head_of_function(self, node: cst.FunctionDef) -> cst.FunctionDef:
        """A kept function without what its head says in terms of Keras: decorators without effect, annotations."""
        kept = self._decorators(node)
        defaults = [part.default for part in walk(node.params) if isinstance(part, cst.Param)]
        for default in defaults:
            for name in sorted(names_of(default).read) if default is not None else ():
                self._check_name(name, node)
        head = node.with_changes(decorators=kept)
        if not any(self._is_keras_name(n) for n in names_of(node.params).read | _names_of_annotation(node.returns)):
            return head
        returns = None if _names_of_annotation(node.returns) & self._keras_names() else node.returns
        return head.with_changes(params=node.params.visit(_Annotations(self._keras_names())), returns=returns)

    def _decorators(self, node: cst.FunctionDef | cst.ClassDef) -> list[cst.Decorator]:
        """The decorators that stay: all but those of Keras' without effect; others of its are refused."""
        kept = [each for each in node.decorators if not is_transparent(self.ev, each)]
        for each in kept:
            for name in sorted(names_of(each).read):
                self._check_name(name, node)
        return kept

    def _keras_names(self) -> set[str]:
        return {name for name in self.ev.scope.names if self._is_keras_name(name)}


def _names_of_annotation(annotation: cst.Annotation | None) -> set[str]:
    return set() if annotation is None else names_of(annotation).read


class _Annotations(cst.CSTTransformer):
    """Leaves out annotations that name something of Keras."""

    def __init__(self, keras: set[str]) -> None:
        self.keras = keras

    def leave_Param(self, original_node: cst.Param, updated_node: cst.Param) -> cst.Param:
        told = _names_of_annotation(original_node.annotation) & self.keras
        return updated_node.with_changes(annotation=None) if told else updated_node


class _Symbols(cst.CSTVisitor):
    """Finds the longest dotted Keras name that starts with a given name."""

    def __init__(self, ev: Evaluator, name: str) -> None:
        self.ev = ev
        self.name = name
        self.found: str | None = None

    def visit_Attribute(self, node: cst.Attribute) -> bool:
        value = self.ev.facts.values.get(id(node))
        root: cst.BaseExpression = node
        while isinstance(root, cst.Attribute):
            root = root.value
        if self.found is None and isinstance(value, Symbol) and isinstance(root, cst.Name) and root.value == self.name:
            self.found = value.name
            return False
        return True


def position_of(node: Statement) -> Any:
    """The node that a finding about a statement points at."""
    if isinstance(node, cst.SimpleStatementLine):
        first = node.body[0]
        if isinstance(first, (cst.Expr, cst.Assign, cst.Return)) and first.value is not None:
            return first.value if isinstance(first, cst.Expr) else first
        return first
    return node


__all__ = ["Leftovers", "position_of"]
