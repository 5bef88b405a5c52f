"""What a translated model's weights are, as plain data: the Keras layers, and how each state entry is made of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from transpiler.graph.torch import WeightOp

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from transpiler.graph.keras import Model
    from transpiler.graph.torch import TorchModel

Place = tuple[int | str, ...]  # the way to a layer: indices into `layers`, attribute names into wrappers


@dataclass(frozen=True)
class Variable:
    """One variable of a Keras layer. ``path`` leads into sublayers (``("forward_layer", "cell")``).

    A dimension is an :class:`~transpiler.weights.sizes.OpenSize` or None where only the running program knows it; the
    shape is None where no rule states it.
    """

    name: str
    shape: tuple[Any, ...] | None
    trainable: bool = True
    path: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The variable's name with the way to it."""
        return "/".join((*self.path, self.name))


@dataclass(frozen=True)
class LayerEntry:
    """A layer of a Keras model, or a nested model (then ``layers`` holds its layers).

    ``inner`` are models that a wrapper layer holds, by attribute (``TimeDistributed(model)``: ``layer``).
    ``repeated`` marks a layer that stands at an earlier place too: Keras 3 files hold its weights there only.
    """

    class_name: str
    name: str
    explicit_name: bool = False
    variables: tuple[Variable, ...] = ()
    layers: tuple[LayerEntry, ...] = ()
    inner: tuple[tuple[str, LayerEntry], ...] = ()
    trainable: bool = True
    repeated: bool = False
    custom: bool = False  # of a class of the program's own: `inner` are its parts by the way to each

    @property
    def weighted(self) -> bool:
        """Whether the layer or anything in it has variables."""
        below = (*self.layers, *(entry for _, entry in self.inner))
        return bool(self.variables) or any(entry.weighted for entry in below)

    @property
    def label(self) -> str:
        """How messages call the layer."""
        return f"layer `{self.name}` ({self.class_name})"


@dataclass(frozen=True)
class Source:
    """One variable of the layer at a place."""

    place: Place
    variable: int


@dataclass(frozen=True)
class StateEntry:
    """One entry of the state dict: the steps that make it of its sources."""

    key: str
    sources: tuple[Source, ...]
    ops: tuple[WeightOp, ...] = ()


@dataclass(frozen=True)
class ModelWeights:
    """The weights of one translated model. Plain data that can be pickled.

    ``counters`` are integer buffers that Keras has no counterpart of (``num_batches_tracked``). ``problem`` says
    why the weights cannot be converted, if so.
    """

    name: str
    layers: tuple[LayerEntry, ...]
    entries: tuple[StateEntry, ...]
    counters: tuple[str, ...] = ()
    problem: str | None = None
    whole: bool = False  # the one entry of `layers` is the model itself


def walk(layers: tuple[LayerEntry, ...], place: Place = ()) -> Iterator[tuple[Place, LayerEntry]]:
    """Yield every entry with its place, outer before inner, in Keras' order."""
    for index, entry in enumerate(layers):
        here = (*place, index)
        yield here, entry
        yield from walk(entry.layers, here)
        for attribute, inner in entry.inner:
            yield (*here, attribute), inner
            yield from walk(inner.layers, (*here, attribute))


# Sublayers by what files and rules call them: attribute, private attribute, or layer name.
_SYNONYMS = {
    "query": "query_dense", "key": "key_dense", "value": "value_dense", "attention_output": "output_dense",
}  # fmt: skip
_DIRECTION = re.compile(r"^(forward|backward)(_.*)?$", re.DOTALL)  # `forward_lstm_1`
# The order of Keras' own `weights` where it is not that of the attributes' names.
SUBLAYER_RANK = {
    "forward_layer": 0, "backward_layer": 1, "query_dense": 0, "key_dense": 1, "value_dense": 2, "output_dense": 3,
}  # fmt: skip


def canonical_path(path: Sequence[str]) -> tuple[str, ...]:
    """A way into sublayers without underscores in front and synonyms."""
    plain = [_DIRECTION.sub(r"\1_layer", step.lstrip("_")) for step in path]
    return tuple(_SYNONYMS.get(step, step) for step in plain)


def sublayer_rank(path: Sequence[str]) -> list[int]:
    """Where a sublayer stands among its like in Keras' order."""
    return [SUBLAYER_RANK.get(step, 0) for step in canonical_path(path)]


def build_weight_spec(model: Model, tm: TorchModel, paths: Mapping[int, Any]) -> ModelWeights:
    """Describe the weights of ``model`` as lowered to ``tm``.

    ``paths`` gives for the id of each module its attribute path in the class of the model that calls it
    (``"encoder.conv1"``); modules of nested models lie below the path of the nested model's module.
    """
    from transpiler.weights.build import SpecBuilder

    return SpecBuilder(model, paths).build(tm)
