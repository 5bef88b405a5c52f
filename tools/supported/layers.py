"""Layers: which of their arguments are refused, asked of the tool with a small program a layer."""

from __future__ import annotations

from functools import cache

from tools.supported.objects import other_values, shown
from transpiler import transpile
from transpiler.rules.base import LAYERS, Param

_HEAD = "import keras\nfrom keras import layers\nfrom keras.layers import *\n\n"


# Calls of the layers whose rules have no example: the call, the input's shape, and how it is used.
_CALLS = {
    "keras.layers.MultiHeadAttention": ("MultiHeadAttention(2, 3)", (5, 8), "(x, x)"),
    "keras.layers.GroupedQueryAttention": ("GroupQueryAttention(3, 4, 2)", (5, 8), "(x, x)"),
    "keras.layers.Attention": ("Attention()", (5, 8), "([x, x])"),
    "keras.layers.AdditiveAttention": ("AdditiveAttention()", (5, 8), "([x, x])"),
    "keras.layers.MaxoutDense": ("MaxoutDense(2)", (3,), "(x)"),
    "keras.layers.Highway": ("Highway()", (3,), "(x)"),
    "keras.layers.LocallyConnected1D": ("LocallyConnected1D(2, 3)", (6, 3), "(x)"),
    "keras.layers.LocallyConnected2D": ("LocallyConnected2D(2, 3)", (6, 5, 3), "(x)"),
    "keras.layers.SimpleRNNCell": ("RNN(SimpleRNNCell(2))", (5, 3), "(x)"),
    "keras.layers.LSTMCell": ("RNN(LSTMCell(2))", (5, 3), "(x)"),
    "keras.layers.GRUCell": ("RNN(GRUCell(2))", (5, 3), "(x)"),
}  # fmt: skip


@cache
def refused_arguments(symbol: str) -> list[str]:
    """The arguments of a layer that are refused where they are given, by the layer's first example."""
    rule = LAYERS[symbol]
    if not rule.examples and symbol not in _CALLS:
        return []
    call, shapes, use = _CALLS.get(symbol) or (*rule.examples[0], "(x)")
    several = isinstance(shapes, list)
    lines = [f"x = [{', '.join(f'keras.Input({s})' for s in shapes)}]" if several else f"x = keras.Input({shapes})"]
    asked: dict[int, tuple[Param, str]] = {}
    first = _HEAD.count("\n") + len(lines) + 1
    for param in rule.params:
        if f"{param.name}=" in call:
            continue
        for value in other_values(param.default, param.name):
            asked[first + len(asked)] = (param, shown(param, value))
            lines.append(f"y = layers.{_with(call, param.name, value, inside=symbol.endswith('Cell'))}{use}")
    found = []
    for diagnostic in transpile(_HEAD + "\n".join(lines) + "\n", filename="layers.py").diagnostics:
        if diagnostic.line not in asked or diagnostic.code not in ("KT102", "KT301"):
            continue
        param, argument = asked[diagnostic.line]
        if f"`{param.name}" in diagnostic.message:
            found.append(argument)
    return list(dict.fromkeys(found))


def _with(call: str, name: str, value: object, inside: bool) -> str:
    """A call, or the call inside it, with one more argument."""
    head = call.rstrip(")") if inside else call[: call.rindex(")")]
    return f"{head}{'' if head.endswith('(') else ', '}{name}={value!r}{call[len(head) :]}"
