"""A Keras weight file in, the state dict of the translated model out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from transpiler.weights.apply import apply_ops
from transpiler.weights.errors import WeightsError
from transpiler.weights.match import match
from transpiler.weights.read import read_file
from transpiler.weights.spec import ModelWeights, Source
from transpiler.weights.store import open_h5

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
    with open_h5(Path(path)) as file:
        bound = match(read_file(file), spec)
        read: dict[Source, Array] = {}
        for entry in spec.entries:
            for source in entry.sources:
                if source not in read:
                    read[source] = bound[source.place][source.variable].read()
    return _state(spec, read)


def _state(spec: ModelWeights, read: dict[Source, Array]) -> dict[str, Array]:
    import numpy as np

    state: dict[str, Array] = {}
    for entry in spec.entries:
        made = apply_ops([read[source] for source in entry.sources], entry.ops)
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
