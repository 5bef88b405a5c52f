"""Walking LibCST trees without the whitespace: several times faster than a visitor, which copies what it visits."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import fields
from functools import cache

import libcst as cst

_LAYOUT = {
    "lpar", "rpar", "lbracket", "rbracket", "lbrace", "rbrace", "comma", "semicolon", "equal", "dot", "operator",
    "leading_lines", "lines_after_decorators", "trailing_whitespace", "header", "footer", "asynchronous", "newline",
    "indent", "first_colon", "second_colon", "colon",
}  # fmt: skip


def children(node: cst.CSTNode) -> list[cst.CSTNode]:
    """The nodes directly below ``node`` that are not layout, in the order of its fields."""
    found: list[cst.CSTNode] = []
    for name in _names(type(node)):
        value = getattr(node, name)
        if isinstance(value, (list, tuple)):
            found.extend(value)
        elif _is_node(value.__class__):
            found.append(value)
    return found


def walk(node: cst.CSTNode, closed: Collection[type[cst.CSTNode]] = ()) -> Iterator[cst.CSTNode]:
    """``node`` and all that is below it, layout left out; what is below nodes of ``closed`` kinds is left out too."""
    stack = [node]
    while stack:
        current = stack.pop()
        yield current
        if type(current) not in closed:
            stack.extend(reversed(children(current)))


@cache
def _names(kind: type[cst.CSTNode]) -> tuple[str, ...]:
    """The fields of a kind of node that can hold nodes."""
    names = (field.name for field in fields(kind))
    return tuple(name for name in names if name not in _LAYOUT and not name.startswith("whitespace"))


@cache
def _is_node(kind: type) -> bool:
    return issubclass(kind, cst.CSTNode)
