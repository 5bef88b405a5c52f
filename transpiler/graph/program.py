"""What the evaluator hands on: the models of a program and what the program does with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from transpiler.graph.keras import Layer, Model, Span
from transpiler.graph.symbolic import Dim


@dataclass
class Array:
    """A NumPy array, data frame or dataset part of which only shape and dtype are known.

    ``shape`` is None where even the rank is unknown; ``dtype`` likewise. ``items`` are the numbers of a short row that
    the program wrote down itself (``np.arange(3)``).
    """

    shape: tuple[Dim, ...] | None = None
    dtype: str | None = None
    items: tuple[int | float, ...] | None = None


@dataclass(frozen=True)
class Unknown:
    """A value that only the running program has."""

    why: str = ""


@dataclass(eq=False)
class Compiled:
    """What ``compile`` said, bound: values as the evaluator knows them (str, ApiObject, FunctionRef, list, dict, …).

    ``action`` is the compile action itself. ``trainable`` are ids of the layers that were trainable at that moment,
    None if all.
    """

    action: Action
    optimizer: Any
    loss: Any
    metrics: Any
    config: Mapping[str, Any]
    trainable: frozenset[int] | None = None


@dataclass(eq=False)
class History:
    """The value of ``model.fit(...)``."""

    action: Action


@dataclass(eq=False)
class Source:
    """Data that comes in batches: a ``pipeline`` of samples, a ``sequence`` of batches, a ``generator``.

    ``element`` is what one step of it gives, as far as it is known: arrays, and tuples and dicts of them.
    """

    kind: str
    element: Any = None
    batched: bool = True
    ends: bool = False  # a sequence that is told when an epoch ends

    def parts(self) -> tuple[Any, Any, bool]:
        """Inputs and targets of a batch, and whether there are weights besides."""
        if isinstance(self.element, (tuple, list)) and len(self.element) in (2, 3):
            return self.element[0], self.element[1], len(self.element) == 3
        return Unknown("what a batch holds is not known"), Unknown("what a batch holds is not known"), False


@dataclass(eq=False)
class Callback:
    """An object that ``fit`` calls in the course of training: of Keras, or (no ``symbol``) of a class of the program's.

    ``hooks`` are the methods that do something. ``reads`` are the attributes that the program looks at. ``fits`` are
    the calls that it is given to.
    """

    symbol: str
    config: dict[str, Any]
    hooks: frozenset[str]
    functions: dict[str, Any] = field(default_factory=dict)  # the evaluator's own
    logs: frozenset[str] = frozenset()  # the hooks that want `logs` wherever Keras gives nothing in them
    names: frozenset[str] = frozenset()  # the attributes that the class of an own one speaks of
    reads: set[str] = field(default_factory=set)
    fits: list[Action] = field(default_factory=list)


@dataclass(eq=False)
class Action:
    """One call that does something at run time: a method of a model or a function of the API.

    ``symbol`` is canonical: ``keras.Model.fit``, ``keras.utils.to_categorical``, ``keras.datasets.mnist.load_data``,
    ``keras.History.history`` (attribute reads). ``args`` are bound by parameter name, in the order given, and hold
    what the evaluator knows: plain Python values, Expr, Array, Unknown, ApiObject, FunctionRef, Model, History, and
    lists/tuples/dicts of them. Only arguments that the source gave are in it. ``scope`` is the qualified name of the
    function whose body the call stands in ("" at module level).
    """

    symbol: str
    args: dict[str, Any]
    span: Span
    scope: str = ""
    model: Model | None = None
    compiled: Compiled | None = None
    target: str | None = None  # the variable it is assigned to, if it is one plain name
    discarded: bool = False  # an expression statement: nobody reads the result
    frames: tuple[Any, ...] = ()
    node: Any = None  # the CST expression
    layer: Layer | None = None  # of a method of a layer
    callback: Callback | None = None  # that this call makes


@dataclass(eq=False)
class Program:
    """Everything the evaluator found, in program order."""

    models: list[Model] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    names: set[str] = field(default_factory=set)  # every identifier of the source: helpers must not clash
