"""What would be left of Keras in the output: names whose import or definition has gone. None may pass in silence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import libcst as cst

from transpiler.source.tree import children


@dataclass
class Names:
    """The names that code reads and binds."""

    read: set[str] = field(default_factory=set)
    bound: set[str] = field(default_factory=set)


def names_of(node: cst.CSTNode) -> Names:
    """The names that ``node`` reads and binds."""
    names = Names()
    stack = [(node, False)]  # with whether a name there is stored to
    while stack:
        current, storing = stack.pop()
        if type(current) is cst.Name:
            (names.bound if storing else names.read).add(current.value)
            continue
        below = _BELOW.get(type(current), children)(current)
        kind = type(current)  # these classes are abstract: to ask for instances is slow
        if kind in _BINDING:
            names.bound.update(_bound_by(current))
        target = getattr(current, "target", None) if kind in _STORING else None
        inside = storing and kind not in (cst.Attribute, cst.Subscript)
        stack.extend((child, inside or child is target) for child in below)
    return names


_BINDING = (cst.Param, cst.AsName, cst.FunctionDef, cst.ClassDef, cst.Import, cst.ImportFrom)
_STORING = (cst.AssignTarget, cst.For, cst.CompFor)
_Below = Callable[[Any], list[cst.CSTNode]]
_BELOW: dict[type[cst.CSTNode], _Below] = {
    cst.Attribute: lambda node: [node.value],
    cst.Subscript: lambda node: [node.value, *node.slice],
    cst.Arg: lambda node: [node.value],
    cst.Param: lambda node: [part for part in (node.default, node.annotation) if part is not None],
    cst.AsName: lambda node: [],
    cst.Import: lambda node: [],
    cst.ImportFrom: lambda node: [],
}


def _bound_by(node: cst.CSTNode) -> list[str]:
    """The names that a node binds by itself, not by an assignment in it."""
    if isinstance(node, (cst.Param, cst.AsName, cst.FunctionDef, cst.ClassDef)):
        return [node.name.value] if isinstance(node.name, cst.Name) else []
    if isinstance(node, cst.Import):
        return [alias.evaluated_alias or alias.evaluated_name.split(".")[0] for alias in node.names]
    if isinstance(node, cst.ImportFrom) and not isinstance(node.names, cst.ImportStar):
        return [alias.evaluated_alias or alias.evaluated_name for alias in node.names]
    return []


class Locate(cst.CSTVisitor):
    """Finds the first node that reads a name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.node: cst.CSTNode | None = None

    def visit_Arg(self, node: cst.Arg) -> bool:
        node.value.visit(self)
        return False

    def visit_Attribute(self, node: cst.Attribute) -> bool:
        node.value.visit(self)
        return False

    def visit_Name(self, node: cst.Name) -> None:
        if node.value == self.name and self.node is None:
            self.node = node
