"""What becomes of each statement: it only described a model and goes, or it is kept and rewritten."""

from __future__ import annotations

from typing import Any

import libcst as cst

from transpiler.evaluate.core import Creation, Facts, is_build
from transpiler.evaluate.values import Created, Function, Opaque, Symbol
from transpiler.graph.keras import ApiObject, Model
from transpiler.rules.names import canonical, is_keras
from transpiler.source.tree import walk

KEEP, NEUTRAL, DROP = "keep", "neutral", "drop"


class Dispositions:
    """Answers for statements and functions; the answers of functions are remembered."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self._touched = True  # whether the line being looked at has actions or creations
        self._functions: dict[int, str] = {}

    # -- functions --------------------------------------------------------------------------------------------------
    def function(self, node: cst.FunctionDef) -> str:
        """``"builder"`` (only builds and returns a model), ``"helper"`` (only builds parts), or ``"keep"``."""
        if id(node) not in self._functions:
            self._functions[id(node)] = KEEP  # a recursive function keeps itself
            self._functions[id(node)] = self._function(node)
        return self._functions[id(node)]

    def _function(self, node: cst.FunctionDef) -> str:
        if id(node.body) not in self.facts.values and not self._visited(node):
            return KEEP
        if id(node) in self.facts.takes_apart:
            return KEEP
        answers = [self.statement(statement) for statement in node.body.body if not self._is_unused(statement)]
        if KEEP in answers or DROP not in answers or self._stores(node.body):
            return KEEP
        returned = list(self._returned(node.body))
        if any(isinstance(value, Model) for value in returned):
            return "builder" if all(isinstance(value, Model) for value in returned) else KEEP
        return "helper"

    def _is_unused(self, node: cst.CSTNode) -> bool:
        """Whether a statement is an inner function that was never called: it goes or stays with what is around it."""
        return isinstance(node, cst.FunctionDef) and not self._visited(node)

    def _stores(self, body: cst.CSTNode) -> bool:
        """Whether a function keeps anything but layers and tensors in attributes: then others rely on it."""
        for node in walk(body, closed=(cst.FunctionDef,)):
            if not isinstance(node, cst.Assign) or not any(isinstance(t.target, cst.Attribute) for t in node.targets):
                continue
            value = self.facts.values.get(id(node.value))
            if isinstance(value, Model) or not is_build(value):
                return True
        return False

    def _visited(self, node: cst.FunctionDef) -> bool:
        return any(id(statement) in self.facts.visited for statement in node.body.body)

    def _returned(self, body: cst.CSTNode) -> list[Any]:
        values = self.facts.values
        inside = walk(body, closed=(cst.FunctionDef, cst.Lambda))
        return [values[id(n.value)] for n in inside if isinstance(n, cst.Return) and id(n.value) in values]

    # -- statements -------------------------------------------------------------------------------------------------
    def statement(self, node: cst.CSTNode) -> str:
        """``keep``, ``drop`` (only describes models), or ``neutral`` (goes with its surroundings)."""
        if id(node) in self.facts.failed:
            return KEEP
        if isinstance(node, (cst.SimpleStatementLine, cst.SimpleStatementSuite)):
            return _combine([self.small(small, node) for small in node.body])
        if isinstance(node, cst.FunctionDef):
            return KEEP if self.function(node) == KEEP else DROP
        if isinstance(node, cst.ClassDef):
            return KEEP
        if isinstance(node, cst.If):
            return self._if(node)
        if isinstance(node, (cst.For, cst.While)):
            inner = [node.body, *([node.orelse.body] if node.orelse else [])]
            return _combine([self.block(body) for body in inner])
        if isinstance(node, cst.With):
            return self.block(node.body)
        if isinstance(node, (cst.Try, cst.TryStar)):
            return self.block(node.body)
        if isinstance(node, cst.Match):
            return _combine([self.block(case.body) for case in node.cases if self._visits(case.body)])
        return KEEP

    def _visits(self, body: cst.BaseSuite) -> bool:
        return any(id(statement) in self.facts.visited for statement in body.body)

    def block(self, body: cst.BaseSuite) -> str:
        """The disposition of a whole block."""
        if isinstance(body, cst.SimpleStatementSuite):
            return self.statement(body)
        return _combine([self.statement(statement) for statement in body.body])

    def _if(self, node: cst.If) -> str:
        taken = self.facts.taken.get(id(node), set())
        answers = []
        if True in taken or not taken:
            answers.append(self.block(node.body))
        orelse = node.orelse
        if orelse is not None and (False in taken or not taken):
            answers.append(self._if(orelse) if isinstance(orelse, cst.If) else self.block(orelse.body))
        return _combine(answers)

    def small(self, node: cst.CSTNode, line: cst.CSTNode) -> str:
        """The disposition of one small statement of a line."""
        if id(line) in self.facts.builds and not isinstance(line, cst.SimpleStatementSuite):
            return DROP  # it needed something that was refused, which has been told
        self._touched = id(line) in self.facts.touched or isinstance(line, cst.SimpleStatementSuite)
        return self._small(node)

    def _small(self, node: cst.CSTNode) -> str:
        if isinstance(node, (cst.Import, cst.ImportFrom)):
            return NEUTRAL
        if isinstance(node, (cst.Pass, cst.Assert, cst.Global, cst.Nonlocal, cst.Raise, cst.Break, cst.Continue)):
            return NEUTRAL
        if isinstance(node, cst.Return):
            return self._return(node)
        if isinstance(node, (cst.Assign, cst.AnnAssign, cst.AugAssign)):
            return self._assignment(node)
        if isinstance(node, cst.Expr):
            return self._expression(node)
        if isinstance(node, cst.Del):
            return DROP if id(node) in self.facts.builds else KEEP
        return KEEP

    def _return(self, node: cst.Return) -> str:
        if node.value is None:
            return NEUTRAL
        value = self.facts.values.get(id(node.value))
        if self._has_actions(node.value):
            return KEEP
        return DROP if isinstance(value, Model) or is_build(value) or self._is_part(value) else KEEP

    def _is_part(self, value: Any, depth: int = 0) -> bool:
        """Whether a value is a function that only builds parts of models, or holds such ones."""
        if isinstance(value, Function):
            return isinstance(value.node, cst.FunctionDef) and self.function(value.node) != KEEP
        items = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
        return bool(items) and depth < 8 and all(self._is_part(item, depth + 1) for item in items)

    def _assignment(self, node: cst.Assign | cst.AnnAssign | cst.AugAssign) -> str:
        if node.value is None:
            return NEUTRAL
        if self._has_actions(node.value):
            return KEEP
        value = self.facts.values.get(id(node.value))
        targets = [t.target for t in node.targets] if isinstance(node, cst.Assign) else [node.target]
        if self.sets_trainable(node):
            return KEEP
        if isinstance(value, Created):
            return NEUTRAL  # a tensor made of numbers: part of a model where it is used in one
        if any(id(target) in self.facts.builds for target in targets):
            return DROP
        if id(node.value) in self.facts.creations or isinstance(value, Model):
            return DROP
        if id(node.value) in self.facts.builds or describes(value) or self._is_part(value):
            return DROP
        if not _calls(node.value) and id(node.value) in self.facts.values:
            return NEUTRAL
        return (
            NEUTRAL
            if id(node.value) in self.facts.values and not isinstance(value, Opaque) and value is not None
            else KEEP
        )

    def sets_trainable(self, node: cst.CSTNode) -> bool:
        """Whether a statement is ``model.trainable = …`` for a model (a layer's flag is part of its description)."""
        if not isinstance(node, cst.Assign) or len(node.targets) != 1:
            return False
        target = node.targets[0].target
        if not isinstance(target, cst.Attribute) or target.attr.value != "trainable":
            return False
        return isinstance(self.facts.values.get(id(target.value)), Model)

    def _expression(self, node: cst.Expr) -> str:
        if isinstance(node.value, (cst.SimpleString, cst.ConcatenatedString)):
            return NEUTRAL
        if self._has_actions(node.value):
            return KEEP
        value = self.facts.values.get(id(node.value))
        if id(node.value) in self.facts.builds or id(node.value) in self.facts.creations or describes(value):
            return DROP
        return KEEP

    def _has_actions(self, node: cst.CSTNode) -> bool:
        return self._touched and any(id(part) in self.facts.actions for part in walk(node))

    def creation(self, node: cst.CSTNode) -> list[Creation]:
        """The creations at ``node`` that are to be written there: a builder's own are written where it is called."""
        return self.facts.creations.get(id(node), [])


def describes(value: Any, depth: int = 0) -> bool:
    """Whether a value is part of the description of models and training, without a twin of its own in the output."""
    if isinstance(value, ApiObject):
        return True
    if isinstance(value, Symbol):
        return is_keras(value.name)
    if isinstance(value, (list, tuple)) and value:
        return is_build(value) or depth < 8 and all(describes(item, depth + 1) for item in value)
    if isinstance(value, dict) and value:
        return is_build(value) or depth < 8 and all(describes(item, depth + 1) for item in value.values())
    return is_build(value)


def _combine(answers: list[str]) -> str:
    if KEEP in answers:
        return KEEP
    return DROP if DROP in answers else NEUTRAL


def _calls(node: cst.CSTNode) -> bool:
    return any(isinstance(part, cst.Call) for part in walk(node, closed=(cst.Lambda,)))


def keras_import(node: cst.Import | cst.ImportFrom) -> bool:
    """Whether an import brings in Keras or TensorFlow (and nothing else)."""
    from transpiler.evaluate.imports import dotted

    if isinstance(node, cst.ImportFrom):
        return not node.relative and is_keras(canonical(dotted(node.module)))
    return all(is_keras(canonical(dotted(alias.name))) for alias in node.names)


__all__ = ["DROP", "KEEP", "NEUTRAL", "Dispositions", "Function", "describes", "keras_import"]
