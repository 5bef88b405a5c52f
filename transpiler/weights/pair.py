"""Two lists of layers, the model's and the file's, brought together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from transpiler.weights.errors import WeightsError
from transpiler.weights.read import FileLayer, numbered
from transpiler.weights.spec import LayerEntry, Place
from transpiler.weights.store import FileArray

Bound = dict[Place, tuple[FileArray, ...]]
Placed = tuple[Place, LayerEntry]
Fit = Callable[[Place, LayerEntry, FileLayer], Bound]


def pair(ours: Sequence[Placed], theirs: Sequence[FileLayer], fit: Fit) -> Bound:
    """Pair two lists of one length: the first way in which everything fits."""
    problem: WeightsError | None = None
    for order in _ways(ours, theirs):
        try:
            bound: Bound = {}
            for (place, entry), layer in zip(ours, order, strict=True):
                bound |= fit(place, entry, layer)
        except WeightsError as error:  # noqa: PERF203 - two turns at most
            problem = error  # the last way is Keras' own: by order
        else:
            return bound
    assert problem is not None
    raise problem


def _ways(ours: Sequence[Placed], theirs: Sequence[FileLayer]) -> Iterator[list[FileLayer]]:
    named = by_names([entry for _, entry in ours], theirs)
    if named is not None:
        yield named
    yield list(theirs)


def by_names(ours: Sequence[LayerEntry], theirs: Sequence[FileLayer]) -> list[FileLayer] | None:
    """Pair given names with themselves, and automatic ones by the rank of their numbers; None if that fails."""
    left = {layer.name: layer for layer in theirs if layer.name}
    if len(left) != len(theirs):
        return None
    found: dict[int, FileLayer] = {}
    kinds: dict[str, list[tuple[int, int]]] = {}
    for index, entry in enumerate(ours):
        if entry.explicit_name:
            if entry.name not in left:
                return None
            found[index] = left.pop(entry.name)
        else:
            base, number = numbered(entry.name)
            kinds.setdefault(base, []).append((number, index))
    others: dict[str, list[tuple[int, FileLayer]]] = {}
    for name, layer in left.items():
        base, number = numbered(name)
        others.setdefault(base, []).append((number, layer))
    for base, mine in kinds.items():
        if len(others.get(base, [])) != len(mine):
            return None
        ranked = sorted(others[base], key=lambda item: item[0])
        for (_, index), (_, layer) in zip(sorted(mine), ranked, strict=True):
            found[index] = layer
    return [found[index] for index in range(len(ours))]
