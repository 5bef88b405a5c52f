"""Which layer of the file is which layer of the model: by names where both sides have them, else by class and order."""

from __future__ import annotations

from collections.abc import Sequence

from transpiler.weights.errors import WeightsError
from transpiler.weights.fit import check, fit_leaf, fit_legacy
from transpiler.weights.nested import fit_nested
from transpiler.weights.pair import Bound, Placed, pair
from transpiler.weights.read import FileLayer, WeightFile, numbered
from transpiler.weights.spec import LayerEntry, ModelWeights, Place, walk

_HINT = 'save the weights as "….weights.h5" with Keras 3'


def match(file: WeightFile, spec: ModelWeights) -> Bound:
    """Find the arrays of every layer that has variables, in the order of its entry."""
    if spec.whole:
        if file.root is None:
            raise WeightsError("this older format does not say which layer of the program's own a weight is of", _HINT)
        return _fit_group((0,), spec.layers[0], file.root)
    ours = [((index,), entry) for index, entry in enumerate(spec.layers) if entry.weighted]
    theirs = [layer for layer in file.layers if layer.weighted]
    if not file.legacy:
        return _match_groups(ours, theirs)
    if any(entry.custom for _, entry in walk(spec.layers)):
        raise WeightsError("this older format does not say which layer of the program's own a weight is of", _HINT)

    def fit(place: Place, entry: LayerEntry, layer: FileLayer) -> Bound:
        if entry.layers or entry.inner:
            return fit_nested(place, entry, layer, file)
        return {place: fit_legacy(entry, layer.arrays, file)}

    if len(ours) != len(theirs):
        raise _count_error(ours, theirs)
    return pair(ours, theirs, fit)


# -- Keras 3: classes apart -------------------------------------------------------------------------------------------
def _match_groups(ours: Sequence[Placed], theirs: Sequence[FileLayer]) -> Bound:
    """Match the layers of one model, class by class: groups of a file are named after classes."""
    classes: dict[str, list[Placed]] = {}
    for place, entry in ours:
        if not entry.repeated:
            classes.setdefault(_class_key(entry), []).append((place, entry))
    groups: dict[str, list[FileLayer]] = {}
    for layer in sorted(theirs, key=lambda layer: numbered(layer.group)[1]):
        groups.setdefault(_group_key(layer.group), []).append(layer)
    if {key: len(found) for key, found in classes.items()} != {key: len(found) for key, found in groups.items()}:
        raise _count_error([item for item in ours if not item[1].repeated], theirs)
    bound: Bound = {}
    for key, placed in classes.items():
        bound |= pair(placed, groups[key], _fit_group)
    return bound


def _class_key(entry: LayerEntry) -> str:
    return "functional" if entry.class_name == "Functional" else entry.class_name.lower()


def _group_key(group: str) -> str:
    base = numbered(group)[0]
    return "functional" if base == "model" else base


def _fit_group(place: Place, entry: LayerEntry, layer: FileLayer) -> Bound:
    if entry.custom:
        return _fit_custom(place, entry, layer)
    if entry.layers:
        inside = [((*place, index), inner) for index, inner in enumerate(entry.layers) if inner.weighted]
        return _match_groups(inside, [child for child in layer.layers if child.weighted])
    bound: Bound = {}
    for attribute, inner in entry.inner:
        if attribute not in layer.children:
            raise WeightsError(f"{entry.label}: the file lacks its `{attribute}`")
        bound |= _fit_group((*place, attribute), inner, layer.children[attribute])
    return bound or {place: fit_leaf(entry, list(layer.parts()))}


def _fit_custom(place: Place, entry: LayerEntry, layer: FileLayer) -> Bound:
    """An object of the program's own: its weights, and its parts by the names of its attributes."""
    bound: Bound = {}
    if entry.variables:
        bound[place] = check(entry, entry.variables, layer.arrays)
    for path, inner in entry.inner:
        if not inner.weighted:
            continue
        group: FileLayer | None = layer
        for step in path.split("/"):
            group = group.children.get(step) if group is not None else None
        if group is None:
            raise WeightsError(f"{entry.label}: the file lacks its `{path}`")
        bound |= _fit_group((*place, path), inner, group)
    return bound


def _count_error(ours: Sequence[Placed], theirs: Sequence[FileLayer]) -> WeightsError:
    """Name a layer that only one side has."""
    mine: dict[str, list[str]] = {}
    for _, entry in ours:
        mine.setdefault(_class_key(entry), []).append(entry.label)
    for layer in theirs:
        label = f"`{layer.name or layer.group}`"
        left = mine.get(_group_key(layer.group))
        if left:
            left.pop()
        elif _knows_classes(theirs):
            return WeightsError(f"the file has weights of a layer {label} that the model lacks{_counts(ours, theirs)}")
    for labels in mine.values():
        if labels and _knows_classes(theirs):
            return WeightsError(f"the file has no weights of {labels[-1]}{_counts(ours, theirs)}")
    known = ", ".join(entry.label for _, entry in ours[:8])
    return WeightsError(f"file and model differ{_counts(ours, theirs)}: {known}")


def _knows_classes(theirs: Sequence[FileLayer]) -> bool:
    return any(layer.name != layer.group for layer in theirs)


def _counts(ours: Sequence[Placed], theirs: Sequence[FileLayer]) -> str:
    shown = [f"`{layer.name or layer.group}` {_shapes(layer)}" for layer in theirs[:4]]
    shapes = f" ({', '.join(shown + ['...'] * (len(theirs) > len(shown)))})" if shown else ""
    return f": {len(theirs)} layers with weights in the file{shapes}, {len(ours)} in the model"


def _shapes(layer: FileLayer) -> str:
    return " ".join(str(array.shape) for array in layer.all_arrays()[:2])
