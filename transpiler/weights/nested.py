"""A nested model in an older file: one flat list of arrays, the trainable ones first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from transpiler.weights.errors import WeightsError
from transpiler.weights.fit import check, fit_legacy, same_shape
from transpiler.weights.pair import Bound, Placed, by_names
from transpiler.weights.read import FileLayer, WeightFile, numbered
from transpiler.weights.spec import LayerEntry, Place, Variable, walk
from transpiler.weights.store import FileArray

_MODELS = ("functional", "sequential", "model")  # what models are called by default
Slot = tuple[Placed, int]  # one variable of one layer


def fit_nested(place: Place, entry: LayerEntry, layer: FileLayer, file: WeightFile) -> Bound:
    """Find the layers' arrays: by the layers' names in the arrays' names, else by the order that Keras writes."""
    bound = _by_owner(place, entry, layer, file)
    if bound is not None:
        return bound
    orders = list(_orders(place, entry))
    for order in orders:
        if _agrees(order, layer.arrays):
            return _bound(order, layer.arrays)
    flat = LayerEntry(entry.class_name, entry.name, variables=tuple(_variable(slot) for slot in orders[0]))
    check(flat, flat.variables, layer.arrays)
    raise WeightsError(f"{entry.label}: the names of its weights in the file are not those of its layers")


# -- by names ---------------------------------------------------------------------------------------------------------
def _by_owner(place: Place, entry: LayerEntry, layer: FileLayer, file: WeightFile) -> Bound | None:
    """Group arrays by the layer that their names begin with; None where these layers cannot be told."""
    groups = _owners(layer)
    below = [((*place, index), inner) for index, inner in enumerate(entry.layers) if inner.weighted]
    for placed in (below, _leaves(place, entry)):
        order = by_names([inner for _, inner in placed], groups) if len(placed) == len(groups) else None
        if order is None:
            continue
        try:
            bound: Bound = {}
            for (where, inner), group in zip(placed, order, strict=True):
                if inner.layers or inner.inner:
                    bound |= fit_nested(where, inner, group, file)
                else:
                    bound[where] = fit_legacy(inner, group.arrays, file)
        except WeightsError:
            continue
        return bound
    return None


def _owners(layer: FileLayer) -> list[FileLayer]:
    groups: dict[str, FileLayer] = {}
    for array in layer.arrays:
        parts = array.parts
        if len(parts) > 2 and (parts[0] == layer.name or numbered(parts[0])[0] in _MODELS):
            parts = parts[1:]
        owner = parts[0]
        group = groups.setdefault(owner, FileLayer(owner, owner))
        group.arrays.append(FileArray(parts, array.shape, array.read))
    return list(groups.values())


def _leaves(place: Place, entry: LayerEntry) -> list[Placed]:
    """The layers with variables of their own, in Keras' order."""
    inside = list(walk(entry.layers, place))
    for attribute, inner in entry.inner:
        inside += walk(inner.layers, (*place, attribute))
    return [(where, leaf) for where, leaf in inside if leaf.variables]


# -- by order ---------------------------------------------------------------------------------------------------------
def _orders(place: Place, entry: LayerEntry) -> Iterator[list[Slot]]:
    """Orders in which Keras may have written: trainable first (with what is frozen, or all); layer by layer."""
    leaves = _leaves(place, entry)
    for placed in (leaves, [item for item in leaves if not item[1].repeated]):
        slots = [(item, index) for item in placed for index in range(len(item[1].variables))]
        frozen = set() if entry.trainable else {place for place, _ in placed}
        frozen |= {where for where, leaf in placed if not leaf.trainable}
        yield sorted(slots, key=lambda slot: not _variable(slot).trainable or slot[0][0] in frozen)
        yield sorted(slots, key=lambda slot: not _variable(slot).trainable)
        yield slots


def _variable(slot: Slot) -> Variable:
    (_, leaf), index = slot
    return leaf.variables[index]


def _agrees(order: Sequence[Slot], arrays: Sequence[FileArray]) -> bool:
    """Whether shapes fit, and names too where the file names variables as Keras does now."""
    if len(order) != len(arrays):
        return False
    wanted = {_variable(slot).name for slot in order}
    named = wanted <= {array.name for array in arrays}
    return all(
        same_shape(_variable(slot).shape, array.shape) and (not named or _variable(slot).name == array.name)
        for slot, array in zip(order, arrays, strict=True)
    )


def _bound(order: Sequence[Slot], arrays: Sequence[FileArray]) -> Bound:
    found: dict[Place, dict[int, FileArray]] = {}
    for ((place, _), index), array in zip(order, arrays, strict=True):
        found.setdefault(place, {})[index] = array
    return {place: tuple(by_index[i] for i in range(len(by_index))) for place, by_index in found.items()}
