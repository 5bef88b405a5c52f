"""Numbers that remember how the source wrote them.

An :class:`Expr` is a scalar with an expression tree and, where it is known, a value. Arithmetic on it gives an
``Expr`` again, so the width of a layer can be printed as ``filters * 2`` and a flattened size as ``32 * 5 * 5 * 5``.
With a known value it compares and hashes like that number. Without one, asking for its value raises
:class:`UnknownValueError`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any, TypeAlias

Number: TypeAlias = int | float


class UnknownValueError(Exception):
    """A number was demanded of an expression that only the running program knows."""

    def __init__(self, expr: Expr) -> None:
        super().__init__(f"the value of `{expr}` is known only when the program runs")
        self.expr = expr


@dataclass(eq=False)
class Leaf:
    """A name of the source that a number came from.

    ``scope`` is ``"global"`` for a module-level constant (usable inside a class body as it is) or ``"local"`` for a
    builder's parameter or a run-time value, which becomes a constructor parameter called ``name``. ``source`` is the
    expression that gives it where the model is built; ``default`` is the source text of the parameter's default.
    ``structural`` is set once the program has branched or looped on it: then a known value is printed as that value,
    for a class with another one would have another structure.
    """

    name: str
    scope: str = "local"
    source: str = ""
    default: str | None = None
    structural: bool = False
    step: int = -1  # when it was read first, and
    home: Any = None  # the scope in which ``source`` means what it says
    origin: Expr | None = None  # of an attribute: what it was set to
    inner: Any = None  # of a builder's parameter: the scope of that call
    owner: str = ""  # the class whose methods may read it, for ``self.width``
    parameter: bool = False  # of a builder function: inside it, the name itself is the source
    here: bool | None = None  # whether the source means something in the file of the output; None where nobody asked

    def become(self, other: Leaf) -> None:
        """Mean what another leaf means from now on."""
        for each in fields(self):
            setattr(self, each.name, getattr(other, each.name))

    @property
    def inside(self) -> str:
        """The expression inside the function that builds the model."""
        return self.name if self.parameter else self.source


_PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2, "//": 2, "%": 2, "neg": 3, "**": 4}


@dataclass(frozen=True, eq=False, repr=False)
class Expr:
    """A scalar expression: a leaf, a constant, or an operator over expressions."""

    op: str
    args: tuple[Expr, ...] = ()
    leaf: Leaf | None = None
    value: Number | None = field(default=None)

    @staticmethod
    def const(value: Number) -> Expr:
        return Expr("const", value=value)

    @staticmethod
    def of_leaf(leaf: Leaf, value: Number | None = None) -> Expr:
        return Expr("leaf", leaf=leaf, value=value)

    @property
    def known(self) -> bool:
        return self.value is not None

    def require(self) -> Number:
        """Return the value, or raise :class:`UnknownValueError`."""
        if self.value is None:
            raise UnknownValueError(self)
        return self.value

    def leaves(self) -> Iterator[Leaf]:
        """Yield every leaf that shows in the text, left to right, repeats included."""
        if self.leaf is not None and not self._frozen:
            yield self.leaf
        for arg in self.args:
            yield from arg.leaves()

    @property
    def _frozen(self) -> bool:
        return self.leaf is not None and self.leaf.structural and self.value is not None

    @property
    def _all_frozen(self) -> bool:
        """Whether names of the source are in it, and all of them are printed as their values."""
        return self.value is not None and self._named and not any(True for _ in self.leaves())

    @property
    def _named(self) -> bool:
        return self.leaf is not None or any(arg._named for arg in self.args)

    # -- arithmetic -------------------------------------------------------------------------------------------------
    def __add__(self, other: Scalar) -> Scalar:
        return binary("+", self, other)

    def __radd__(self, other: Scalar) -> Scalar:
        return binary("+", other, self)

    def __sub__(self, other: Scalar) -> Scalar:
        return binary("-", self, other)

    def __rsub__(self, other: Scalar) -> Scalar:
        return binary("-", other, self)

    def __mul__(self, other: Scalar) -> Scalar:
        return binary("*", self, other)

    def __rmul__(self, other: Scalar) -> Scalar:
        return binary("*", other, self)

    def __floordiv__(self, other: Scalar) -> Scalar:
        return binary("//", self, other)

    def __rfloordiv__(self, other: Scalar) -> Scalar:
        return binary("//", other, self)

    def __truediv__(self, other: Scalar) -> Scalar:
        return binary("/", self, other)

    def __rtruediv__(self, other: Scalar) -> Scalar:
        return binary("/", other, self)

    def __mod__(self, other: Scalar) -> Scalar:
        return binary("%", self, other)

    def __pow__(self, other: Scalar) -> Scalar:
        return binary("**", self, other)

    def __rpow__(self, other: Scalar) -> Scalar:
        return binary("**", other, self)

    def __neg__(self) -> Scalar:
        return Expr("neg", (self,), value=None if self.value is None else -self.value)

    # -- as a number ------------------------------------------------------------------------------------------------
    def __int__(self) -> int:
        return int(self.require())

    def __index__(self) -> int:
        value = self.require()
        if not isinstance(value, int):
            raise TypeError(f"`{self}` is not an integer")
        return value

    def __float__(self) -> float:
        return float(self.require())

    def __bool__(self) -> bool:
        return bool(self.require())

    def __lt__(self, other: Scalar) -> bool:
        return self.require() < number(other)

    def __le__(self, other: Scalar) -> bool:
        return self.require() <= number(other)

    def __gt__(self, other: Scalar) -> bool:
        return self.require() > number(other)

    def __ge__(self, other: Scalar) -> bool:
        return self.require() >= number(other)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Expr) and (self.value is None or other.value is None):
            return self.value is other.value and str(self) == str(other)
        if isinstance(other, (int, float, Expr)):
            return self.value is not None and self.value == number(other)
        return NotImplemented

    def __hash__(self) -> int:
        return hash(str(self)) if self.value is None else hash(self.value)

    # -- as text ----------------------------------------------------------------------------------------------------
    def __str__(self) -> str:
        return self.code()

    def __repr__(self) -> str:
        return f"Expr({self.code()!r}, {self.value!r})"

    def code(self) -> str:
        """The expression as Python source."""
        if self.op == "const" or self._frozen or self._all_frozen:
            return repr(self.value)
        if self.leaf is not None:
            return self.leaf.name
        if self.op == "neg":
            return f"-{self._operand(self.args[0], 3)}"
        level = _PRECEDENCE[self.op]
        left, right = self.args
        tight = level + (self.op not in ("+", "*"))
        return f"{self._operand(left, level)} {self.op} {self._operand(right, tight)}"

    @staticmethod
    def _operand(arg: Expr, level: int) -> str:
        inner = _PRECEDENCE.get(arg.op, 9)
        return f"({arg.code()})" if inner < level else arg.code()


Scalar: TypeAlias = int | float | Expr
Dim: TypeAlias = int | Expr | None
Shape: TypeAlias = tuple[Dim, ...]


def number(value: Scalar) -> Number:
    """The plain number behind ``value``; raises :class:`UnknownValueError` where there is none."""
    return value.require() if isinstance(value, Expr) else value


def is_known(value: Dim) -> bool:
    """Whether ``value`` is a number now."""
    return value is not None and (not isinstance(value, Expr) or value.known)


def _lift(value: Scalar) -> Expr:
    return value if isinstance(value, Expr) else Expr.const(value)


def _compute(op: str, a: Number, b: Number) -> Number:
    if op == "+":
        return a + b
    if op == "-":
        return a - b
    if op == "*":
        return a * b
    if op == "//":
        return a // b
    if op == "/":
        return a / b
    if op == "%":
        return a % b
    if abs(b) > 64 or abs(a) > 2**32:
        raise OverflowError("power too large")
    result: Number = a**b
    return result


def binary(op: str, left: Scalar, right: Scalar) -> Scalar:
    """``left op right``, folded to a plain number where both sides are plain numbers."""
    if not isinstance(left, Expr) and not isinstance(right, Expr):
        return _compute(op, left, right)
    a, b = _lift(left), _lift(right)
    if op == "*" and a.op == "const" and a.value == 1 or op == "+" and a.op == "const" and a.value == 0:
        return b
    if b.op == "const" and (op in ("*", "//") and b.value == 1 or op in ("+", "-") and b.value == 0):
        return a
    value = None if a.value is None or b.value is None else _compute(op, a.value, b.value)
    return Expr(op, (a, b), value=value)


def product(factors: tuple[Scalar, ...]) -> Scalar:
    """The product of ``factors`` that keeps showing them: ``32 * 5 * 5 * 5``; factors of one are left out."""
    shown = [f for f in factors if isinstance(f, Expr) or f != 1]
    if not shown:
        return 1
    if len(shown) == 1:
        return shown[0]
    result = _lift(shown[0])
    for factor in shown[1:]:
        other = _lift(factor)
        value = None if result.value is None or other.value is None else result.value * other.value
        result = Expr("*", (result, other), value=value)
    return result
