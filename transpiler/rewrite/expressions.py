"""Rewriting the expressions of kept statements: actions are rendered, creations become constructor calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import libcst as cst

from transpiler.diagnostics import Refusal
from transpiler.evaluate.core import Creation, Facts, plain
from transpiler.evaluate.natives import PURE, STRUCTURAL
from transpiler.evaluate.values import Symbol
from transpiler.graph.program import Action
from transpiler.source.tree import children


class LocatedRefusal(Refusal):
    """A refusal that knows its place."""

    def __init__(self, error: Refusal, node: cst.CSTNode) -> None:
        super().__init__(error.code, error.message, error.hint)
        self.node = node


Render = Callable[[Action, Mapping[str, str], str], Any]
Construct = Callable[[cst.CSTNode, list[Creation]], "str | None"]


class ExpressionRewriter(cst.CSTTransformer):
    """Rewrites one statement bottom-up. A statement-level replacement is left in :attr:`statements`."""

    def __init__(self, facts: Facts, render: Render, construct: Construct) -> None:
        super().__init__()
        self.facts = facts
        self.render = render
        self.construct = construct
        self.statements: list[str] | None = None
        self.reads: list[cst.CSTNode] = []  # of attributes of models and layers, which the output does not have
        self._blank = cst.Module([])
        self._starts: list[int] = []  # how many reads there were when each open node was entered
        self._way: set[int] | None = None  # the nodes that have something to be rewritten below them

    def on_visit(self, node: cst.CSTNode) -> bool:
        if self._way is None:
            self._way = set()
            self._find(node, self._way)
        self._starts.append(len(self.reads))
        return id(node) in self._way

    def _find(self, node: cst.CSTNode, way: set[int]) -> bool:
        """Whether there is something to be rewritten at or below ``node``, not in functions of their own."""
        if not isinstance(node, (cst.FunctionDef, cst.ClassDef)):
            below = [self._find(child, way) for child in children(node)]
            if any(below):
                way.add(id(node))
                return True
        key = id(node)
        return key in self.facts.actions or key in self.facts.creations or key in self.facts.introspected

    def on_leave(self, original_node: cst.CSTNodeT, updated_node: cst.CSTNodeT) -> Any:
        start = self._starts.pop()
        actions = self.facts.actions.get(id(original_node))
        if actions:
            return self._action(original_node, updated_node, actions)
        creations = self.facts.creations.get(id(original_node))
        if creations:
            text = self.construct(original_node, creations)
            if text is not None:
                return cst.parse_expression(text)
        return self._introspected(original_node, updated_node, start)

    def _introspected(self, original: cst.CSTNode, updated: cst.CSTNodeT, start: int) -> Any:
        """What was read off a model has no twin: the value stands there itself, if it can be written down."""
        if id(original) in self.facts.introspected:
            self.reads.append(original)
        elif len(self.reads) == start or not isinstance(original, (cst.Call, cst.Subscript, cst.ListComp)):
            return updated
        if id(original) not in self.facts.values:
            return updated
        value = plain(self.facts.values[id(original)])
        if not _is_literal(value) or isinstance(original, cst.Call) and not self._computes(original):
            return updated
        del self.reads[start:]
        return cst.parse_expression(repr(value))

    def _computes(self, call: cst.Call) -> bool:
        """Whether a call does nothing but compute a value."""
        function = self.facts.values.get(id(call.func))
        return isinstance(function, Symbol) and (function.name in PURE or function.name in STRUCTURAL)

    def rewrite(self, node: cst.CSTNode) -> Any:
        """``node`` rewritten; refused where something read off a model would stay."""
        new = node.visit(self)
        if self.reads:
            first = cst.ensure_type(self.reads[0], cst.Attribute)
            raise LocatedRefusal(
                Refusal("KT302", f"`{first.attr.value}` of a model or layer is not translated here"), first
            )
        return new

    def _action(self, original: cst.CSTNode, updated: cst.CSTNode, actions: list[Action]) -> cst.BaseExpression:
        texts, receiver = self._texts(original, updated, actions[0])
        if (creations := self.facts.creations.get(id(original))) and (made := self.construct(original, creations)):
            receiver = made  # a model is made here, and something done to it
        rendered = [self.render(action, texts, receiver) for action in _distinct(actions)]
        first = rendered[0]
        if any((r.text, r.statements) != (first.text, first.statements) for r in rendered[1:]):
            raise Refusal("KT303", "this call works on different models from turn to turn, which need different code")
        if first.statements is not None:
            self.statements = list(first.statements)
            assert isinstance(updated, cst.BaseExpression)
            return updated
        return cst.parse_expression(first.text)

    def _texts(self, original: cst.CSTNode, updated: cst.CSTNode, action: Action) -> tuple[dict[str, str], str]:
        if isinstance(updated, cst.Name):
            return {}, self._code(updated)
        if isinstance(updated, cst.Attribute):
            return {}, self._code(updated.value)
        if isinstance(updated, cst.Subscript):
            return {"key": self._code(updated.slice[0])}, self._code(updated.value)
        assert isinstance(original, cst.Call)
        assert isinstance(updated, cst.Call)
        receiver = (
            self._code(updated.func.value) if isinstance(updated.func, cst.Attribute) else self._code(updated.func)
        )
        given: list[str] = []
        for before, arg in zip(original.args, updated.args, strict=True):
            given += self._unpacked(before, arg) if arg.star else [self._code(arg.value)]
        texts = dict(zip(action.args, given))  # noqa: B905 - the rest are defaults
        return texts, receiver

    def _unpacked(self, before: cst.Arg, arg: cst.Arg) -> list[str]:
        """The texts of the single arguments behind ``*args`` and ``**options``, where it is known what these hold."""
        value, text = self.facts.values.get(id(before.value)), self._code(arg.value)
        if isinstance(value, dict) and all(isinstance(key, str) for key in value):
            return [f"{text}[{key!r}]" for key in value]
        if isinstance(value, (list, tuple)) and arg.star == "*":
            return [f"{text}[{at}]" for at in range(len(value))]
        raise Refusal("KT301", "arguments unpacked with `*` or `**` are not translated where they are not known")

    def _code(self, node: cst.CSTNode) -> str:
        return self._blank.code_for_node(node).strip()


def _is_literal(value: Any) -> bool:
    """Whether a value can be written down as it is."""
    if isinstance(value, (tuple, list)):
        return type(value) in (tuple, list) and all(map(_is_literal, value))
    return value is None or type(value) in (bool, int, float, str)


def _distinct(actions: list[Action]) -> list[Action]:
    """The actions of one place that can differ: by model and way of compiling, key of a history, use of a callback."""
    found: dict[tuple[Any, ...], Action] = {}
    for action in actions:
        fits = tuple(id(fit.compiled) for fit in action.callback.fits) if action.callback is not None else ()
        found.setdefault((id(action.model), id(action.compiled), str(action.args.get("key")), fits), action)
    return list(found.values())
