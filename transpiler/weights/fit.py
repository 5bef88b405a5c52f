"""Which array of a layer's group is which of the layer's variables; shapes are compared before anything is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from transpiler.weights.errors import WeightsError
from transpiler.weights.legacy import adapted, flipped
from transpiler.weights.read import WeightFile
from transpiler.weights.spec import SUBLAYER_RANK, LayerEntry, Variable, canonical_path, sublayer_rank
from transpiler.weights.store import FileArray

Arrays = tuple[FileArray, ...]
Shape = Sequence[Any]  # numbers, and what only the running program knows
Part = tuple[tuple[str, ...], list[FileArray]]


def fit_leaf(entry: LayerEntry, parts: Sequence[Part]) -> Arrays:
    """Fit the numbered arrays of a Keras 3 group: sublayer by sublayer, and in order within each."""
    theirs = {canonical_path(path): list(arrays) for path, arrays in parts}
    ours: dict[tuple[str, ...], list[int]] = {}
    for index, variable in enumerate(entry.variables):
        ours.setdefault(canonical_path(variable.path), []).append(index)
    if set(ours) == set(theirs):
        found: dict[int, FileArray] = {}
        for path, indices in ours.items():
            arrays = check(entry, [entry.variables[i] for i in indices], theirs[path])
            found.update(zip(indices, arrays, strict=True))
        return tuple(found[index] for index in range(len(entry.variables)))
    ranked = sorted(theirs.items(), key=lambda item: (sublayer_rank(item[0]), item[0]))
    return check(entry, entry.variables, [array for _, arrays in ranked for array in arrays])


def fit_legacy(entry: LayerEntry, arrays: Sequence[FileArray], file: WeightFile) -> Arrays:
    """Fit the named arrays of an older file, whatever form an older Keras gave them."""
    arrays = flipped(entry, adapted(entry, list(arrays), file), file)
    by_names = _by_names(entry.variables, arrays)
    return check(entry, entry.variables, arrays if by_names is None else by_names)


def _by_names(variables: Sequence[Variable], arrays: Sequence[FileArray]) -> list[FileArray] | None:
    """Pair by the variables' names and sublayers; None where that does not give each variable its own array."""
    if len(variables) != len(arrays):
        return None
    found = []
    for variable in variables:
        steps = {step for step in canonical_path(variable.path) if step in SUBLAYER_RANK}
        fitting = [a for a in arrays if a.name == variable.name and steps <= set(canonical_path(a.parts[:-1]))]
        if len(fitting) != 1:
            return None
        found += fitting
    return found if len({id(array) for array in found}) == len(found) else None


def check(entry: LayerEntry, variables: Sequence[Variable], arrays: Sequence[FileArray]) -> Arrays:
    """Compare shapes one by one; arrays that only count something may follow."""
    extra = arrays[len(variables) :]
    if len(arrays) < len(variables) or any(array.shape != () for array in extra):
        wanted = ", ".join(f"`{variable.label}` {_shown(variable.shape)}" for variable in variables)
        given = ", ".join(str(array.shape) for array in arrays) or "none"
        raise WeightsError(f"{entry.label}: the model needs {wanted or 'no weights'}; the file has {given}")
    for variable, array in zip(variables, arrays, strict=False):
        if not same_shape(variable.shape, array.shape):
            raise WeightsError(
                f"{entry.label}: `{variable.label}` has shape {array.shape} in the file, "
                f"but the model needs {_shown(variable.shape)}"
            )
    return tuple(arrays[: len(variables)])


def same_shape(wanted: Shape | None, given: Sequence[int]) -> bool:
    """Whether a shape of the file is the one that the model needs; unknown sizes fit any."""
    if wanted is None:
        return True
    if len(wanted) != len(given):
        return False
    return all(not isinstance(w, int) or w == g for w, g in zip(wanted, given, strict=True))


def _shown(shape: Shape | None) -> str:
    if shape is None:
        return "(any shape)"
    return str(tuple(size if isinstance(size, int) else "?" for size in shape)).replace("'?'", "?")
