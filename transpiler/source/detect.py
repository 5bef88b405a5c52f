"""Whether a file has anything to do with Keras: asked of its bytes first, so that the usual no is fast."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

_WORD = re.compile(rb"keras")
_MODULE = re.compile(r"(^|\.)(tf_)?keras(_applications)?(\.|$)")
_IMPORTERS = {"__import__", "import_module"}


def mentions_keras(data: bytes) -> bool:
    """Say whether the bytes of a source file have the word at all; if not, there is nothing to translate."""
    return _WORD.search(data) is not None


def uses_keras(tree: ast.Module) -> bool:
    """Say whether a program imports Keras or reaches it as an attribute; comments and strings do not count."""
    return any(_MODULE.search(name) for node in ast.walk(tree) for name in _names(node))


def _names(node: ast.AST) -> Iterator[str]:
    """Yield the names of modules that a node may bring in."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and not node.level:
        yield from (f"{node.module}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.Attribute):
        yield node.attr
    elif isinstance(node, ast.Call) and node.args:
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        first = node.args[0]
        if called in _IMPORTERS and isinstance(first, ast.Constant) and isinstance(first.value, str):
            yield first.value
