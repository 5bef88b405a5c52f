"""The Keras side: layers, tensors, and the graph of calls that a program builds.

One node is one call of one layer or op. A layer called twice is one :class:`Layer` with two nodes. A nested model is
a node whose target is a :class:`Model`. Objects compare by identity: sharing is meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from transpiler.graph.symbolic import Shape


@dataclass(frozen=True)
class Span:
    """Where something stands in the source: lines from 1, columns from 0 as in LibCST.

    ``file`` is empty for the file that is being translated, and names another one of the project's.
    """

    line: int
    column: int
    end_line: int
    end_column: int
    file: str = ""


@dataclass(frozen=True)
class Frame:
    """One step of the way to a node: a call of a user's function, or one turn of a loop."""

    kind: str  # "call" or "loop"
    name: str
    span: Span
    turn: int = 0


@dataclass(frozen=True)
class Origin:
    """Where a node came from, and the comments for it in the output. Never part of a node's equality."""

    span: Span
    frames: tuple[Frame, ...] = ()
    comments: tuple[str, ...] = ()


@dataclass(frozen=True)
class ApiObject:
    """A configured object of the API that is neither layer nor tensor: say an initialiser or a loss.

    ``config`` is bound and normalised: every parameter by its Keras 3 name, defaults filled in.
    """

    symbol: str
    config: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(eq=False)
class FunctionRef:
    """A function of the user's, used as an activation, an initialiser, a Lambda body or a loss.

    ``trace`` calls it symbolically on tensors of the given specs and returns the graph of what it computed.
    ``source_name`` is the name by which the output may call the (kept) function, if it has one.
    """

    name: str
    trace: Callable[[tuple[TensorSpec, ...]], Model]
    source_name: str | None = None
    definition: Any = None  # the CST node that defines it


@dataclass(frozen=True)
class TensorSpec:
    """Shape (batch axis first, ``None`` where unknown) in Keras' layout, and dtype name."""

    shape: Shape
    dtype: str = "float32"

    @property
    def rank(self) -> int:
        return len(self.shape)


@dataclass(eq=False)
class Layer:
    """An instance of a Keras layer. ``config`` has every parameter of its rule, by Keras 3 names."""

    symbol: str
    config: dict[str, Any]
    name: str
    explicit_name: bool
    origin: Origin
    hint: str | None = None  # the variable or attribute that holds the layer
    trainable: bool = True
    untrained: bool = False  # made untrainable by the class of the program's own that it is a part of


@dataclass(eq=False)
class Tensor:
    """A symbolic tensor: one output of one node. ``hint`` is the variable that first held it."""

    spec: TensorSpec
    node: Node | None = None
    index: int = 0
    hint: str | None = None
    name: str | None = None  # of an Input: the `name=` it was given
    mask: Tensor | None = None  # the implicit Keras mask (bool, (N, T)) that travels with it
    origin: Origin | None = None  # of an Input

    @property
    def shape(self) -> Shape:
        return self.spec.shape

    @property
    def dtype(self) -> str:
        return self.spec.dtype


@dataclass(eq=False)
class Node:
    """One call. ``target`` is a layer, a nested model, or the canonical name of an op (``keras.ops.add``).

    ``args``/``kwargs`` are the call's arguments: tensors, constants, and lists, tuples and dicts of them.
    ``body`` is the traced graph of a Lambda layer's function.
    """

    target: Layer | Model | str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    origin: Origin
    outputs: tuple[Tensor, ...] = ()
    structure: Any = None  # outputs as the call returned them: a Tensor, or list/tuple/dict of them
    body: Model | None = None

    def input_tensors(self) -> list[Tensor]:
        return [*walk_tensors(self.args), *walk_tensors(self.kwargs)]


@dataclass(frozen=True)
class Pretrained:
    """Weights that a model starts with: ``path`` is the state dict that the output loads, made of Keras' ``file``."""

    path: str
    file: str


@dataclass(eq=False)
class Model:
    """A functional or Sequential model (or the graph of a traced function).

    ``inputs``/``outputs`` keep the structure the program gave (a Tensor, list, tuple or dict). ``layers`` holds
    Keras' ``model.layers`` in Keras' order: layers and nested models.
    """

    kind: str  # "functional", "sequential" or "function"
    inputs: Any
    outputs: Any
    name: str
    explicit_name: bool
    origin: Origin
    nodes: list[Node] = field(default_factory=list)
    layers: list[Layer | Model] = field(default_factory=list)
    hint: str | None = None  # the variable or attribute by which the source calls it
    reference: str | None = None  # how the statement that made it names it: `model`, `self.generator`
    builder: str | None = None  # the function whose call made it
    trainable: bool = True
    application: str | None = None  # the function of `keras.applications` that made it
    pretrained: Pretrained | None = None

    def input_tensors(self) -> list[Tensor]:
        return list(walk_tensors(self.inputs))

    def output_tensors(self) -> list[Tensor]:
        return list(walk_tensors(self.outputs))


@dataclass(eq=False)
class CustomModel(Model):
    """An object of a class of the program's that stands below ``Layer`` or ``Model``.

    Its graph is what its ``call`` computed on the first inputs; a node that calls it holds in ``body`` the graph of
    that very call. ``arguments`` are the constructor's, in the terms of the place where the object was made;
    ``attributes`` what it holds. ``home`` is the function of the source in whose body it was made.
    """

    class_name: str = ""
    docstring: str = ""
    is_layer: bool = True
    arguments: dict[str, Any] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)
    variables: list[Layer] = field(default_factory=list)
    bodies: list[Model] = field(default_factory=list)  # the graphs of all different calls, the first included
    methods: frozenset[int] = frozenset()  # the identities of the functions of its class
    home: int = 0


def walk_tensors(value: Any) -> Iterator[Tensor]:
    """Yield the tensors in nested lists, tuples and dicts, in order."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from walk_tensors(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from walk_tensors(item)


def map_tensors(value: Any, convert: Callable[[Tensor], Any]) -> Any:
    """Copy a nested structure with every tensor replaced."""
    if isinstance(value, Tensor):
        return convert(value)
    if isinstance(value, (list, tuple)):
        return type(value)(map_tensors(item, convert) for item in value)
    if isinstance(value, dict):
        return {key: map_tensors(item, convert) for key, item in value.items()}
    return value
