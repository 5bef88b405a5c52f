"""The values of the symbolic evaluator that are not plain Python objects or parts of the layer graph.

Known numbers, strings, lists, dicts … are Python's own; :class:`~transpiler.graph.symbolic.Expr` is a number that
remembers its spelling; tensors, layers and models are the graph's. The rest is here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import libcst as cst

from transpiler.graph.keras import ApiObject, CustomModel, Origin
from transpiler.graph.symbolic import Expr, Leaf

if TYPE_CHECKING:
    from transpiler.evaluate.scope import Scope
    from transpiler.graph.keras import Model
    from transpiler.graph.program import Action
    from transpiler.source.project import ModuleSource, Part


@dataclass(frozen=True)
class Symbol:
    """Something imported, by canonical dotted name: ``keras.layers.Dense``, ``numpy.prod``, ``os.path.join``."""

    name: str


@dataclass(eq=False)
class Opaque:
    """A value that only the running program knows. ``expr`` is how to name it; ``why`` says where it comes from.

    ``foreign`` marks values of other libraries: their methods are none of Keras'. ``scalar`` marks single numbers.
    """

    why: str
    expr: Expr | None = None
    foreign: bool = False
    scalar: bool = False  # known to be a single number
    maybe_model: bool = False  # a model as far as one can tell: its methods must not pass untranslated

    @staticmethod
    def named(name: str, source: str, why: str, default: str | None = None) -> Opaque:
        return Opaque(why, Expr.of_leaf(Leaf(name, "local", source, default)))


@dataclass(eq=False)
class Created(Opaque):
    """The result of an op without tensor arguments (``ops.arange(n)``): a node as soon as a model uses it."""

    symbol: str = ""
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)


class InitialValue(Opaque):
    """What calling an initialiser gave: ``initializer(shape)``."""

    def __init__(self, initializer: ApiObject, shape: Any) -> None:
        super().__init__("the value of an initialiser is known only when the program runs")
        self.initializer = initializer
        self.shape = shape


@dataclass(eq=False)
class HistoryLogs(Opaque):
    """``history.history``: what ``fit`` reported, by name."""

    action: Action | None = None


@dataclass(eq=False)
class Twin:
    """An object of the API that the output has a class of its own for, by the name of its class."""

    symbol: str


@dataclass(eq=False)
class OptimizerOf:
    """``model.optimizer``."""

    model: Model


@dataclass(eq=False)
class RateOf(Opaque):
    """``model.optimizer.learning_rate``: a number that the output keeps in the optimizer."""


@dataclass(eq=False)
class Function:
    """A function or lambda of the program's, with its closure."""

    name: str
    node: cst.FunctionDef | cst.Lambda
    closure: Scope
    defaults: dict[str, Any] = field(default_factory=dict)
    calls: int = 0
    builder: bool | None = None  # whether it looks as if it built a model; found when asked
    generator: bool | None = None  # whether it yields; found when asked
    decorator: str | None = None  # one that is not known: it may change what calls return
    owner: ClassValue | None = None  # the class in whose body it stands

    def __repr__(self) -> str:
        return f"<function {self.name}>"


@dataclass(eq=False)
class Generator:
    """What a call of a generator function gives: its body has not run yet."""

    function: Function
    scope: Scope

    def __repr__(self) -> str:
        return f"<generator {self.function.name}>"


@dataclass(eq=False)
class StaticMethod:
    """A function under ``@staticmethod``."""

    function: Function


@dataclass(eq=False)
class ClassMethod:
    """A function under ``@classmethod``."""

    function: Function


@dataclass(eq=False)
class Property:
    """A function under ``@property``, and the one that sets it."""

    function: Function
    setter: Function | None = None


@dataclass(eq=False)
class ClassValue:
    """A class of the program's."""

    name: str
    node: cst.ClassDef
    bases: tuple[Any, ...]
    attributes: dict[str, Any]
    dataclass: bool = False
    record: bool = False  # a named tuple
    enum: bool = False
    keras: str = ""  # what of Keras it stands below: "layer", "model" or "sequential"

    def __repr__(self) -> str:
        return f"<class {self.name}>"

    def mro(self) -> list[ClassValue]:
        """The class and those above it, each before its own bases, as Python resolves methods."""
        above = [base.mro() for base in self.bases if isinstance(base, ClassValue)]
        found: list[ClassValue] = [self]
        for line in above:
            for cls in line:
                if cls in found:
                    found.remove(cls)
                found.append(cls)
        return found

    def lookup(self, name: str) -> Any:
        """The attribute as Python's method resolution finds it, or ``None``."""
        for cls in self.mro():
            if name in cls.attributes:
                return cls.attributes[name]
        return None

    def all_attributes(self) -> set[str]:
        """The names that the class or one above it sets."""
        return {name for cls in self.mro() for name in cls.attributes}


@dataclass(eq=False)
class Instance:
    """An object of one of the program's classes."""

    cls: ClassValue
    attributes: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"<an object of {self.cls.name}>"


class Subclassed(Instance, CustomModel):
    """An object of one of the program's classes that is a Keras layer or model."""

    def __init__(self, cls: ClassValue, name: str, origin: Origin) -> None:
        CustomModel.__init__(self, "custom", None, None, name, False, origin)
        Instance.__init__(self, cls)
        self.class_name = cls.name
        self.is_layer = cls.keras == "layer"
        self.calls: list[tuple[Any, Any]] = []  # how it has been called, and what that gave
        self.ready = False  # whether Keras' own constructor has run
        self.built = False
        self.running = False  # whether its `call` is being interpreted
        self.failed = False  # whether a part of it was refused
        self.sizes: dict[str, Leaf] = {}  # sizes of its inputs that are parameters of its class
        self.masks = False  # `supports_masking`


class TrainingFlag(int):
    """The ``training`` argument of a ``call`` that is being traced for one mode; it notes when it is asked."""

    asked = False

    def __bool__(self) -> bool:
        self.asked = True
        return int(self) != 0

    def __eq__(self, other: object) -> bool:
        self.asked = True
        return int(self) == other

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = int.__hash__


@dataclass(eq=False)
class Bound:
    """A method of one of the program's classes, bound to an object or to the class."""

    function: Function
    receiver: Instance | ClassValue

    def __repr__(self) -> str:
        return f"<method {self.function.name}>"


@dataclass(eq=False)
class Super:
    """``super()``: what stands above ``after`` for ``receiver``."""

    receiver: Instance | ClassValue
    after: ClassValue


@dataclass(eq=False)
class Field:
    """``dataclasses.field(…)``."""

    default: Any
    factory: Any


class Row(tuple[Any, ...]):  # noqa: SLOT001 - a tuple cannot have slots
    """A named tuple."""

    names: tuple[str, ...]


def make_row(names: Sequence[str], values: Sequence[Any]) -> Row:
    """A named tuple with these fields."""
    row = Row(values)
    row.names = tuple(names)
    return row


class DefaultDict(dict[Any, Any]):
    """A ``collections.defaultdict``."""

    factory: Any = None


@dataclass(eq=False)
class ProjectModule:
    """A module of the program's project. ``source`` is None for a folder without ``__init__.py``."""

    name: str
    path: Path
    part: Part
    source: ModuleSource | None
    scope: Scope
    running: bool = False  # its statements are being interpreted
    client: bool = False  # it imports home, and is interpreted to see how it calls it
    deferred: Any = None  # the import for which it is to be interpreted, if that waits for home
    open: bool = False  # it may have names that are not seen: it was not interpreted to its end, or changes itself


@dataclass(eq=False)
class Method:
    """A method looked up on a value: ``model.add``, ``filters.append``, ``x.reshape``."""

    receiver: Any
    name: str

    def __repr__(self) -> str:
        return f"<method {self.name}>"


@dataclass(eq=False)
class Native:
    """A Python callable of the evaluator's own (``functools.partial`` results, traced helpers)."""

    name: str
    call: Callable[..., Any]


class Signal(Exception):
    """Base of the control flow of the interpreted program."""


class ReturnSignal(Signal):
    """``return`` of the interpreted program."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value


class BreakSignal(Signal):
    """``break``."""


class ContinueSignal(Signal):
    """``continue``."""


class RaiseSignal(Signal):
    """``raise`` that the interpreted program itself reaches."""
