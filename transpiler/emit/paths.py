"""Names of weight files: ``x.weights.h5`` of Keras is ``x.pt`` in the output."""

from __future__ import annotations

import ast
import re
from typing import Any

from transpiler.emit.arguments import parse

_ENDING = r"(\.weights)?\.(h5|hdf5|keras)"


def weights_path(value: Any, text: str) -> str:
    """The text of a weight file's name; ``value`` is what is known of it."""
    if isinstance(value, str) and re.match(r"""^["'].*["']$""", text):
        return repr(re.sub(f"{_ENDING}$", "", value) + ".pt")
    changed = re.sub(rf"""{_ENDING}(["']\)?)$""", r".pt\3", text)
    if changed != text and _ends_with_text(parse(text)):
        return changed
    return f"<weights_path>({text})"


def _ends_with_text(node: ast.expr | None) -> bool:
    """Whether the last string that stands in an expression is the end of its value."""
    if isinstance(node, ast.JoinedStr):
        return bool(node.values) and isinstance(node.values[-1], ast.Constant)
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str)
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Div)):
        return _ends_with_text(node.right)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args and not node.keywords:
        return ast.unparse(node.func) == "os.path.join" and _ends_with_text(node.args[-1])
    return False
