"""The expressions of a slice: what makes a model is recorded, arrays become stand-ins, training and printing go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import libcst as cst

from transpiler.evaluate.core import Evaluator
from transpiler.evaluate.functions import source_text
from transpiler.graph.program import Array
from transpiler.graph.symbolic import Expr
from transpiler.source.tree import walk

_FREE = 8  # for dimensions of arrays that nobody knows


class Recording(cst.CSTTransformer):
    """Wraps what makes a model, replaces arrays, and takes out training and printing."""

    def __init__(self, ev: Evaluator, sites: Mapping[int, int]) -> None:
        self.facts = ev.facts
        self.sites = sites

    def on_leave(self, original_node: Any, updated_node: Any) -> Any:
        """Look up every node by the identity it has in the source."""
        if id(original_node) in self.sites and isinstance(updated_node, cst.BaseExpression):
            number = cst.Integer(str(self.sites[id(original_node)]))
            return cst.Call(cst.Name("__record__"), [cst.Arg(number), cst.Arg(updated_node)])
        if isinstance(original_node, (cst.Call, cst.Attribute)):
            text = _array_text(self.facts.values.get(id(original_node)))
            return updated_node if text is None else cst.parse_expression(text)
        if isinstance(original_node, cst.Expr) and self._is_noise(original_node):
            return cst.Pass()
        return updated_node

    def _is_noise(self, node: cst.Expr) -> bool:
        if any(id(part) in self.facts.actions for part in walk(node)):
            return not any(id(part) in self.sites for part in walk(node))
        return isinstance(node.value, cst.Call) and last_name(node.value.func) in ("print", "summary", "plot_model")


def _array_text(value: Any, depth: int = 0) -> str | None:
    """The call that makes a stand-in for arrays of known shape, also nested in tuples and lists."""
    if isinstance(value, Array) and value.shape is not None:
        shape = ", ".join(map(_size, value.shape))
        return f"__array__([{shape}], {value.dtype or 'float32'!r})"
    if isinstance(value, (list, tuple)) and value and depth < 3:
        parts = [_array_text(item, depth + 1) for item in value]
        if all(part is not None for part in parts):
            return f"({', '.join(map(str, parts))},)"
    return None


def _size(dim: Any) -> str:
    """A dimension as text: what only the running program knows is computed there."""
    if isinstance(dim, Expr):
        return repr(dim.value) if dim.known else source_text(dim)
    return repr(dim) if isinstance(dim, int) else str(_FREE)


def last_name(func: cst.BaseExpression) -> str:
    """The last part of a dotted name: `fit` of `model.fit`."""
    if isinstance(func, cst.Attribute):
        return func.attr.value
    return func.value if isinstance(func, cst.Name) else ""
