"""A Keras weight file in, the state dict of the translated model out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from transpiler.weights.apply import apply_ops
from transpiler.weights.errors import WeightsError
from transpiler.weights.isolate import read_apart
from transpiler.weights.sizes import settle, solved
from transpiler.weights.spec import ModelWeights, Source

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    Array = NDArray[Any]


def convert(path: str | Path, spec: ModelWeights) -> dict[str, Array]:
    """Read a weight file (.weights.h5, .h5, .keras) as the arrays of a state dict.

    Raises :class:`WeightsError` for a file that is broken or does not fit, OSError for one that cannot be opened.
    """
    if spec.problem is not None:
        raise WeightsError(f"the weights of `{spec.name}` cannot be converted: {spec.problem}")
    return _state(spec, read_apart(Path(path), spec))


def _state(spec: ModelWeights, read: dict[Source, Array]) -> dict[str, Array]:
    import numpy as np

    state: dict[str, Array] = {}
    known = solved(spec, {source: array.shape for source, array in read.items()})
    for entry in spec.entries:
        arrays = [read[source] for source in entry.sources]
        try:
            made = apply_ops(arrays, [settle(op, known) for op in entry.ops])
        except ValueError as error:
            shapes = ", ".join(str(array.shape) for array in arrays)
            raise WeightsError(f"`{entry.key}` cannot be made of arrays of shape {shapes}: {error}") from error
        state[entry.key] = np.array(made, order="C")  # its own memory: two entries may come of one array
    for key in spec.counters:
        state[key] = np.zeros((), "int64")
    return state


def to_state_dict(arrays: dict[str, Array]) -> dict[str, torch.Tensor]:
    """Turn arrays into tensors."""
    import torch

    return {key: torch.from_numpy(array) for key, array in arrays.items()}


def load_state_dict(path: str | Path, spec: ModelWeights) -> dict[str, torch.Tensor]:
    """Read a weight file as a state dict of tensors."""
    return to_state_dict(convert(path, spec))
