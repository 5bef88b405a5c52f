"""Printing of values as Python source, in the way a person writes them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from transpiler.graph.symbolic import Expr, Leaf
from transpiler.graph.torch import Code

LeafNames = Callable[[Leaf], str]

# Keyword arguments of torch's modules that take one number for all spatial axes.
_SQUARE_KEYWORDS = frozenset(
    ("kernel_size", "stride", "padding", "dilation", "output_padding", "output_size", "scale_factor", "size")
)
_SQUARE_CLASSES = ("Conv", "Pool", "Pad", "Upsample", "Crop", "PixelShuffle")


def float_code(value: float) -> str:
    """Print a float: ``0.5``, ``1e-3``, ``2.5e-05`` stays short, infinities become ``float("inf")``."""
    if math.isnan(value) or math.isinf(value):
        return f'float("{value}")'
    if value == 0:
        return "0.0" if math.copysign(1.0, value) > 0 else "-0.0"
    mantissa, exponent = f"{value:e}".split("e")
    digits = mantissa.rstrip("0").rstrip(".")
    short = f"{digits}e{int(exponent)}"
    if "." not in digits and not -3 < int(exponent) < 7 and float(short) == value:
        return short
    text = repr(value)
    if "e" in text:
        digits, exponent = text.split("e")
        return f"{digits}e{int(exponent)}"
    return text


def string_code(value: str) -> str:
    """Print a string with double quotes where that needs no more escapes, so that black leaves it."""
    text = repr(value)
    if text.startswith("'") and '"' not in text and "\\'" not in text:
        return f'"{text[1:-1]}"'
    return text


def expr_code(expr: Expr, names: LeafNames | None = None) -> str:
    """Print an expression, its leaves called as ``names`` says."""
    return (expr if names is None else _renamed(expr, names)).code()


def _renamed(expr: Expr, names: LeafNames) -> Expr:
    if expr.leaf is not None:
        return Expr.of_leaf(replace(expr.leaf, name=names(expr.leaf)), expr.value)
    return Expr(expr.op, tuple(_renamed(arg, names) for arg in expr.args), value=expr.value)


def literal(value: Any, names: LeafNames | None = None) -> str:
    """Print a value: numbers, strings, None, containers, expressions and ready code."""
    if isinstance(value, Code):
        return value.text
    if isinstance(value, Expr):
        return expr_code(value, names)
    if value is None or isinstance(value, (bool, int)):
        return repr(value)
    if isinstance(value, float):
        return float_code(value)
    if isinstance(value, str):
        return string_code(value)
    if isinstance(value, tuple):
        items = ", ".join(literal(item, names) for item in value)
        return f"({items},)" if len(value) == 1 else f"({items})"
    if isinstance(value, list):
        return "[" + ", ".join(literal(item, names) for item in value) + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{literal(k, names)}: {literal(v, names)}" for k, v in value.items()) + "}"
    raise TypeError(f"cannot print a value of type {type(value).__name__}")


def squared(value: Any, names: LeafNames | None = None) -> Any:
    """Return the one number of a tuple of equal numbers; anything else as it is."""
    if not isinstance(value, tuple) or not value:
        return value
    if any(item is None or isinstance(item, (bool, str, tuple)) for item in value):
        return value
    return value[0] if len({literal(item, names) for item in value}) == 1 else value


def constructor_code(cls: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], names: LeafNames | None = None) -> str:
    """Print ``nn.Conv2d(3, 16, kernel_size=3)``: tuples of equal numbers as one number where torch takes that."""
    torch_class = cls.startswith("nn.")
    spatial = torch_class and any(part in cls for part in _SQUARE_CLASSES)
    parts = [literal(squared(arg, names) if spatial else arg, names) for arg in args]
    for key, value in kwargs.items():
        shown = squared(value, names) if torch_class and key in _SQUARE_KEYWORDS else value
        parts.append(f"{key}={literal(shown, names)}")
    return f"{cls}({', '.join(parts)})"


def exprs_of(value: Any) -> Iterator[Expr]:
    """Yield every expression in nested containers."""
    if isinstance(value, Expr):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from exprs_of(item)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from exprs_of(item)
