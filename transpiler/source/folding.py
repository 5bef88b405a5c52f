"""Huge literals are taken out of a program before it is read, and put back into the output as they were.

Parsing, printing and formatting tables of many thousand numbers takes seconds, and nothing in them is translated. Their
values stay known to the evaluator.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

MIN_TEXT = 20_000  # characters of a literal that is taken out
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z")
_CONTAINERS = (ast.List, ast.Tuple, ast.Set, ast.Dict)


@dataclass
class Folded:
    """A program without its huge literals. ``texts`` and ``values`` are by the name that stands for each."""

    text: str
    texts: dict[str, str] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)

    def unfold(self, code: str) -> str:
        """``code`` with the literals in the places of their names."""
        for name, text in self.texts.items():
            code = code.replace(name, text)
        return code


def fold(text: str, tree: ast.Module) -> Folded:
    """Take the huge literals out of a program; ``tree`` is what Python reads."""
    folded = Folded(text)
    if len(text) < MIN_TEXT:
        return folded
    lines = _LINE.findall(text)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    stem = "huge_literal"
    while stem in text:
        stem += "_"
    for node in reversed(list(_huge(tree, starts, lines))):
        first = _offset(node.lineno, node.col_offset, starts, lines)
        last = first + _length(node, starts, lines)
        name = f"{stem}_{len(folded.texts)}_"
        folded.texts[name] = text[first:last]
        folded.values[name] = ast.literal_eval(node)
        gap = "\n" * ((node.end_lineno or node.lineno) - node.lineno)
        folded.text = folded.text[:first] + (f"({gap}{name})" if gap else name) + folded.text[last:]
    return folded


def _huge(tree: ast.AST, starts: list[int], lines: list[str]) -> Iterator[ast.expr]:
    """The outermost huge literals, in order."""
    stack: list[ast.AST] = [tree]
    found: list[ast.expr] = []
    while stack:
        node = stack.pop()
        if isinstance(node, _CONTAINERS) and _length(node, starts, lines) >= MIN_TEXT and _is_constant(node):
            found.append(node)
            continue
        stack.extend(ast.iter_child_nodes(node))
    yield from sorted(found, key=lambda node: (node.lineno, node.col_offset))


def _is_constant(node: ast.AST) -> bool:
    """Whether a literal is made of numbers, strings and containers of them only."""
    stack = [node]
    while stack:
        current = stack.pop()
        if isinstance(current, _CONTAINERS):
            stack.extend(child for child in ast.iter_child_nodes(current) if not isinstance(child, ast.Load))
        elif isinstance(current, ast.UnaryOp) and isinstance(current.op, (ast.USub, ast.UAdd)):
            stack.append(current.operand)
        elif not isinstance(current, ast.Constant):
            return False
    return True


def _length(node: ast.expr, starts: list[int], lines: list[str]) -> int:
    last = _offset(node.end_lineno or 0, node.end_col_offset or 0, starts, lines)
    return last - _offset(node.lineno, node.col_offset, starts, lines)


def _offset(line: int, column: int, starts: list[int], lines: list[str]) -> int:
    """The place in the text; Python counts the columns of a line in bytes."""
    own = lines[line - 1]
    return starts[line - 1] + (column if own.isascii() else len(own.encode()[:column].decode(errors="ignore")))
