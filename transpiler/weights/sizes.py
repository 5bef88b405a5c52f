"""Sizes that only the running program knows: the arrays of a weight file say what they were."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from transpiler.graph.symbolic import Expr
from transpiler.graph.torch import WeightOp
from transpiler.weights.spec import ModelWeights, walk

if TYPE_CHECKING:
    from transpiler.weights.spec import Source


@dataclass(frozen=True)
class OpenSize:
    """An expression over names whose values are not known, as plain data.

    ``op`` is ``"name"``, ``"const"`` or one of ``+ - * //``; ``args`` are its name, its number, or its operands.
    """

    op: str
    args: tuple[Any, ...]

    def value(self, known: Mapping[str, int]) -> int | None:
        """The number, where all names in it are known."""
        if self.op == "const":
            return int(self.args[0])
        if self.op == "name":
            return known.get(str(self.args[0]))
        left, right = (arg.value(known) for arg in self.args)
        if left is None or right is None or self.op == "//" and right == 0:
            return None
        results: dict[str, int] = {"+": left + right, "-": left - right, "*": left * right, "//": left // (right or 1)}
        return results[self.op]

    def solve(self, value: int, known: dict[str, int]) -> None:
        """Find the one unknown name from the number that the whole is, where that is possible."""
        if self.op == "name":
            known.setdefault(self.args[0], value)
        if self.op not in ("+", "-", "*"):
            return
        left, right = self.args
        a, b = left.value(known), right.value(known)
        if a is None and b is not None:
            if self.op == "*" and b and value % b == 0:
                left.solve(value // b, known)
            elif self.op != "*":
                left.solve(value - b if self.op == "+" else value + b, known)
        elif a is not None and b is None:
            if self.op == "*" and a and value % a == 0:
                right.solve(value // a, known)
            elif self.op != "*":
                right.solve(value - a if self.op == "+" else a - value, known)


def plain_size(value: Any) -> Any:
    """Sizes as numbers or :class:`OpenSize`, deep in tuples."""
    if isinstance(value, Expr):
        return value.value if value.known else _open(value)
    if isinstance(value, (tuple, list)):
        return tuple(plain_size(item) for item in value)
    return value


def _open(expr: Expr) -> OpenSize | None:
    if expr.leaf is not None:
        return OpenSize("name", (f"{expr.leaf.name} {expr.leaf.source}",))
    if expr.op == "const":
        return OpenSize("const", (expr.value,))
    if expr.op not in ("+", "-", "*", "//"):
        return None
    args = [OpenSize("const", (arg.value,)) if arg.known else _open(arg) for arg in expr.args]
    return None if None in args else OpenSize(expr.op, tuple(args))


def solved(spec: ModelWeights, shapes: Mapping[Source, tuple[int, ...]]) -> dict[str, int]:
    """The values of names that the shapes of a file's arrays give."""
    variables = {(place, i): v for place, entry in walk(spec.layers) for i, v in enumerate(entry.variables)}
    known: dict[str, int] = {}
    for _ in range(2):  # a sum of two names is solved once one of them is known
        for source, shape in shapes.items():
            variable = variables.get((source.place, source.variable))
            for wanted, size in zip(variable.shape or () if variable else (), shape, strict=False):
                if isinstance(wanted, OpenSize):
                    wanted.solve(size, known)
    return known


def settle(op: WeightOp, known: Mapping[str, int]) -> WeightOp:
    """A step with its open sizes as numbers, None where they stay unknown."""
    return WeightOp(op.kind, _settled(op.args, known))


def _settled(value: Any, known: Mapping[str, int]) -> Any:
    if isinstance(value, OpenSize):
        return value.value(known)
    if isinstance(value, tuple):
        return tuple(_settled(item, known) for item in value)
    return value
