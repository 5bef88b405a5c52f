"""Rewriting the expressions of kept statements: actions are rendered, creations become constructor calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import libcst as cst

from transpiler.diagnostics import Refusal
from transpiler.evaluate.core import Creation, Facts
from transpiler.graph.program import Action
from transpiler.source.tree import children

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
        self._blank = cst.Module([])
        self._way: set[int] | None = None  # the nodes that have something to be rewritten below them

    def on_visit(self, node: cst.CSTNode) -> bool:
        if self._way is None:
            self._way = set()
            self._find(node, self._way)
        return id(node) in self._way

    def _find(self, node: cst.CSTNode, way: set[int]) -> bool:
        """Whether there is something to be rewritten at or below ``node``, not in functions of their own."""
        if not isinstance(node, (cst.FunctionDef, cst.ClassDef)):
            below = [self._find(child, way) for child in children(node)]
            if any(below):
                way.add(id(node))
                return True
        return id(node) in self.facts.actions or id(node) in self.facts.creations

    def on_leave(self, original_node: cst.CSTNodeT, updated_node: cst.CSTNodeT) -> Any:
        actions = self.facts.actions.get(id(original_node))
        if actions:
            return self._action(original_node, updated_node, actions)
        creations = self.facts.creations.get(id(original_node))
        if creations:
            text = self.construct(original_node, creations)
            if text is not None:
                return cst.parse_expression(text)
        return updated_node

    def _action(self, original: cst.CSTNode, updated: cst.CSTNode, actions: list[Action]) -> cst.BaseExpression:
        texts, receiver = self._texts(original, updated, actions[0])
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
        assert isinstance(updated, cst.Call)
        receiver = (
            self._code(updated.func.value) if isinstance(updated.func, cst.Attribute) else self._code(updated.func)
        )
        texts: dict[str, str] = {}
        names = list(action.args)
        for position, arg in enumerate(updated.args):
            if arg.star:
                raise Refusal("KT301", "arguments unpacked with `*` or `**` are not translated in this call")
            if position < len(names):
                texts[names[position]] = self._code(arg.value)
        return texts, receiver

    def _code(self, node: cst.CSTNode) -> str:
        return self._blank.code_for_node(node).strip()


def _distinct(actions: list[Action]) -> list[Action]:
    """The actions of one place that can differ: by model and way of compiling, key of a history, use of a callback."""
    found: dict[tuple[Any, ...], Action] = {}
    for action in actions:
        fits = tuple(id(fit.compiled) for fit in action.callback.fits) if action.callback is not None else ()
        found.setdefault((id(action.model), id(action.compiled), str(action.args.get("key")), fits), action)
    return list(found.values())
