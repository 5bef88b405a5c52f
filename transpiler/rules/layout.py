"""Axis arithmetic between Keras' logical order and the physical order of a channels-first tensor."""

from __future__ import annotations

import re
from typing import Any

from transpiler.diagnostics import Refusal
from transpiler.graph.symbolic import Dim, Expr, is_known, number
from transpiler.graph.torch import FIRST, Code, FeatureOrder, Value


def normalize_axis(axis: Any, rank: int) -> int:
    """A Keras axis as a non-negative int; raises KT104 where it is out of range."""
    index = int(axis)
    if not -rank <= index < rank:
        raise Refusal("KT104", f"axis {index} is out of range for a tensor of rank {rank}")
    return index % rank


def physical_dim(value: Value, axis: Any) -> int:
    """The torch dim at which a logical axis of ``value`` lies."""
    rank = value.spec.rank
    index = normalize_axis(axis, rank)
    if value.layout != FIRST or index == 0 or rank < 3:
        return index
    return 1 if index == rank - 1 else index + 1


def permute_text(rank: int, to_first: bool) -> str:
    """The method call that moves the channel axis: ``permute(0, 3, 1, 2)``, or a transpose for sequences."""
    if rank == 3:
        return "transpose(1, 2)"
    order = [0, rank - 1, *range(1, rank - 1)] if to_first else [0, *range(2, rank), 1]
    return f"permute({', '.join(map(str, order))})"


def literal(value: Any) -> str:
    """A constant as source text; numbers that the running program gives are refused here (see :func:`inline_dim`)."""
    if isinstance(value, Code):
        return value.text
    if isinstance(value, Expr):
        return inline_dim(value)
    if isinstance(value, (tuple, list)):
        inner = ", ".join(literal(item) for item in value)
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if isinstance(value, float) and value != value:  # NaN
        return 'float("nan")'
    if value in (float("inf"), float("-inf")) and isinstance(value, float):
        return f'float("{value}")'
    text = repr(value)
    return re.sub(r"e([-+]?)0(?=\d$)", r"e\1", text) if isinstance(value, float) else text


def inline_dim(value: float | Expr) -> str:
    """A number as text that is valid inside ``forward``: names of module level stay, others become their value."""
    if isinstance(value, Expr):
        if all(leaf.scope == "global" for leaf in value.leaves()):
            return value.code()
        if not value.known:
            raise Refusal("KT201", f"`{value}` must be known here: it is used inside `forward`")
        for leaf in value.leaves():
            leaf.structural = True  # a class made with another number would not fit what stands here
        return repr(number(value))
    return repr(value)


def call_text(callee: str, *args: Any, **kwargs: Any) -> str:
    """``nn.MaxPool2d(2, padding=1)``; keyword arguments that are ``None`` are left out."""
    parts = [literal(arg) for arg in args]
    parts += [f"{key}={literal(value)}" for key, value in kwargs.items() if value is not None]
    return f"{callee}({', '.join(parts)})"


def single(values: tuple[Any, ...]) -> Any:
    """``3`` for ``(3, 3)``: torch takes one int for equal ones."""
    return values[0] if all(_same(v, values[0]) for v in values) else tuple(values)


def _same(left: Any, right: Any) -> bool:
    if isinstance(left, Expr) or isinstance(right, Expr):
        return str(left) == str(right)
    return bool(left == right)


def known_features(shape: tuple[Dim, ...]) -> FeatureOrder | None:
    """The feature order of a channels-first tensor of Keras shape ``shape`` (without batch) once flattened.

    None where it is already in order (one channel or one pixel) or where a size is unknown.
    """
    if not all(is_known(dim) for dim in shape):
        return None
    sizes = tuple(int(number(dim)) for dim in shape if dim is not None)
    return FeatureOrder((sizes,)) if not in_order(sizes) else None


def in_order(sizes: tuple[int, ...]) -> bool:
    """Whether flattening gives the same order channels first as channels last."""
    if sizes[-1] == 1:
        return True
    return all(size == 1 for size in sizes[:-1])


def is_featured(value: Value) -> bool:
    """Whether the last axis lies in another order than Keras'."""
    return value.features is not None and any(not in_order(part) for part in value.features.parts)
