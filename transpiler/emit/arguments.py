"""Source texts of arguments, taken apart: lists, dicts and calls as the program wrote them."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from transpiler.graph.symbolic import Expr
from transpiler.rules.base import OBJECTS


@lru_cache(maxsize=256)
def parse(text: str) -> ast.expr | None:
    """The expression that ``text`` is, or None. Not to be changed: the same text gives the same tree."""
    try:
        return ast.parse(f"({text})", mode="eval").body
    except SyntaxError:
        return None


def _segment(text: str, node: ast.AST) -> str:
    return ast.get_source_segment(f"({text})", node) or ""


def elements(text: str) -> list[str] | None:
    """The texts of the elements of a list or tuple display; None for any other expression."""
    node = parse(text)
    if not isinstance(node, (ast.List, ast.Tuple)) or any(isinstance(e, ast.Starred) for e in node.elts):
        return None
    return [_segment(text, element) for element in node.elts]


def items(text: str) -> dict[str, str] | None:
    """The texts of the values of a dict display with literal keys; None for any other expression."""
    node = parse(text)
    if not isinstance(node, ast.Dict):
        return None
    found: dict[str, str] = {}
    for key, value in zip(node.keys, node.values, strict=True):
        if not isinstance(key, ast.Constant) or not isinstance(key.value, str):
            return None
        found[key.value] = _segment(text, value)
    return found


def is_name(text: str) -> bool:
    """Whether ``text`` is a plain name or a dotted one."""
    node = parse(text)
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name)


def call_texts(symbol: str, text: str) -> dict[str, str]:
    """The texts of the arguments of a constructor call, by Keras 3 name; empty if ``text`` is no such call."""
    node = parse(text)
    signature = OBJECTS.get(symbol, ())
    if not isinstance(node, ast.Call) or not signature:
        return {}
    found = {p.name: _segment(text, a) for p, a in zip(signature, node.args, strict=False)}
    names = {alias: p.name for p in signature for alias in (p.name, *p.aliases)}
    for keyword in node.keywords:
        if keyword.arg in names:
            found[names[keyword.arg]] = _segment(text, keyword.value)
    return found


def code_of(value: Any) -> str:
    """A known value as source text; expressions of the program's constants keep their names."""
    if isinstance(value, Expr):
        by_name = not value.known or all(leaf.scope == "global" for leaf in value.leaves())
        return value.code() if by_name else repr(value.value)
    return repr(value)


def plain_number(value: Any) -> Any:
    """``value`` without its spelling, if it is a number that is known."""
    return value.value if isinstance(value, Expr) else value


def argument(config: Mapping[str, Any], texts: Mapping[str, str], name: str) -> str:
    """One argument of an object as source text: as written where that is a number or a name, else its value."""
    value = config[name]
    node = parse(texts[name]) if name in texts else None
    written = node is not None and all(
        isinstance(n, (ast.Name, ast.Constant, ast.BinOp, ast.UnaryOp, ast.operator, ast.unaryop, ast.expr_context,
                       ast.Attribute, ast.Subscript))
        for n in ast.walk(node)
    )  # fmt: skip
    if written:
        return texts[name]
    if isinstance(value, (int, float, str, bool, tuple, Expr)) or value is None:
        return code_of(value)
    return texts.get(name, "")
