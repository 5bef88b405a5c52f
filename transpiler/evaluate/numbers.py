"""Calls of the API that need no tensor: arithmetic on numbers, and ``get`` of what is named."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from transpiler.evaluate.core import is_known, plain
from transpiler.evaluate.values import Native, Symbol
from transpiler.graph.symbolic import Expr
from transpiler.rules.opnames import op_name

_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "sqrt": math.sqrt, "rsqrt": lambda x: 1.0 / math.sqrt(x), "exp": math.exp, "log": math.log, "log2": math.log2,
    "log10": math.log10, "floor": math.floor, "ceil": math.ceil, "abs": abs, "square": lambda x: x * x, "sin": math.sin,
    "cos": math.cos, "tan": math.tan, "negative": lambda x: -x, "power": lambda x, y: x**y, "maximum": max,
    "minimum": min, "add": lambda x, y: x + y, "subtract": lambda x, y: x - y, "multiply": lambda x, y: x * y,
    "divide": lambda x, y: x / y, "floor_divide": lambda x, y: x // y, "mod": lambda x, y: x % y,
}  # fmt: skip


def number_call(name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
    """The result of an op on plain numbers; NotImplemented where it is none."""
    op = op_name(name)
    if not args or not op or not all(_is_number(value) for value in args[:2] if not isinstance(value, (str, Symbol))):
        return NotImplemented
    if not _is_number(args[0]):
        return NotImplemented
    if op in ("cast", "convert_to_tensor"):
        return _cast(args[0], args[1] if len(args) > 1 else kwargs.get("dtype"), op)
    if op not in _FUNCTIONS or set(kwargs) - {"name"}:
        return NotImplemented
    try:
        return _FUNCTIONS[op](*(plain(value) for value in args))
    except (TypeError, ValueError, ArithmeticError):
        return NotImplemented


def _is_number(value: Any) -> bool:
    number = value.value if isinstance(value, Expr) else value
    return isinstance(number, (int, float)) and not isinstance(number, bool) and is_known(value)


def _cast(value: Any, dtype: Any, op: str) -> Any:
    name = dtype.name.rpartition(".")[2] if isinstance(dtype, Symbol) else plain(dtype)
    if name is None and op != "cast":
        return value
    if not isinstance(name, str):
        return NotImplemented
    if name.startswith("float"):
        return float(plain(value))
    return int(plain(value)) if name.startswith(("int", "uint")) else NotImplemented


_GETTERS = ("keras.activations.get", "keras.initializers.get", "keras.regularizers.get", "keras.constraints.get")


def getter(name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
    """``keras.activations.get("relu")`` and its like: the thing that is named; NotImplemented for any other call."""
    if name not in _GETTERS or len(args) + len(kwargs) != 1:
        return NotImplemented
    value = args[0] if args else next(iter(kwargs.values()))
    if name != _GETTERS[0]:
        return value
    if value is None:
        return Native("linear", lambda ev, args, kwargs, node: args[0])
    return Symbol(f"keras.activations.{value}") if isinstance(value, str) else value
