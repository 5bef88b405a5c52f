"""What Keras 1, Theano and cuDNN wrote in another form, brought to the form of Keras 2 and 3."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from transpiler.weights.read import WeightFile
from transpiler.weights.spec import LayerEntry
from transpiler.weights.store import FileArray

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

_CONVOLUTIONS = ("Conv1D", "Conv2D", "Conv3D", "Conv2DTranspose", "ConvLSTM2D")
# Keras 1 kept the arrays of each gate apart: for every gate in Keras 2's order, where its W, U and b begin.
_GATES = {12: (0, 6, 3, 9), 9: (0, 3, 6)}


def adapted(entry: LayerEntry, arrays: list[FileArray], file: WeightFile) -> list[FileArray]:
    """The arrays of a layer in today's form; as they are where they are in it, or in none that is known."""
    if entry.class_name == "Bidirectional" and len(arrays) % 2 == 0:
        half = len(arrays) // 2
        return [*_recurrent(arrays[:half]), *_recurrent(arrays[half:])]
    if entry.class_name in ("LSTM", "GRU", "CuDNNLSTM", "CuDNNGRU"):
        return _recurrent(arrays)
    if entry.class_name in ("Conv1D", "Conv2D", "Conv3D", "Conv2DTranspose") and file.keras_version.startswith("1"):
        return _old_convolution(entry, arrays)
    return arrays


def flipped(entry: LayerEntry, arrays: Sequence[FileArray], file: WeightFile) -> list[FileArray]:
    """Theano's convolutions turn their kernels around; everyone else's do not."""
    if file.backend != "theano" or entry.class_name not in _CONVOLUTIONS:
        return list(arrays)
    kernels = 2 if entry.class_name == "ConvLSTM2D" else 1
    return [*(_changed(array, array.shape, _turn) for array in arrays[:kernels]), *arrays[kernels:]]


def _changed(array: FileArray, shape: tuple[int, ...], change: Callable[[Array], Array]) -> FileArray:
    """An array that is changed once it is read."""
    return FileArray(array.parts, shape, lambda: change(array.read()))


def _turn(kernel: Array) -> Array:
    import numpy as np

    return np.flip(kernel, tuple(range(kernel.ndim - 2)))


# -- Keras 1 ----------------------------------------------------------------------------------------------------------
def _old_convolution(entry: LayerEntry, arrays: list[FileArray]) -> list[FileArray]:
    wanted = entry.variables[0].shape if entry.variables else None
    if not arrays or wanted is None:
        return arrays
    kernel = arrays[0]
    if entry.class_name == "Conv1D" and len(kernel.shape) == 4:
        if kernel.shape[1] == 1 and kernel.shape[0] == wanted[0]:
            new = _changed(kernel, (kernel.shape[0], *kernel.shape[2:]), lambda array: array[:, 0])
        else:  # (filters, inputs, length, 1)
            new = _changed(kernel, kernel.shape[2::-1], lambda array: array[..., 0].transpose(2, 1, 0))
        return [new, *arrays[1:]]
    rank = len(kernel.shape)
    if entry.class_name == "Conv2DTranspose":
        return [_transposed(kernel, (0, 1, 3, 2)), *arrays[1:]] if rank == 4 else arrays
    if rank >= 4 and kernel.shape != wanted:  # Theano's order of axes: filters and inputs first
        return [_transposed(kernel, (*range(2, rank), 1, 0)), *arrays[1:]]
    return arrays


def _transposed(array: FileArray, axes: tuple[int, ...]) -> FileArray:
    return _changed(array, tuple(array.shape[axis] for axis in axes), lambda read: read.transpose(axes))


# -- recurrent layers -------------------------------------------------------------------------------------------------
def _recurrent(arrays: list[FileArray]) -> list[FileArray]:
    if len(arrays) in _GATES:
        starts = _GATES[len(arrays)]
        return [_joined([arrays[start + kind] for start in starts], name) for kind, name in enumerate(_NAMES)]
    if len(arrays) == len(_NAMES) and len(arrays[0].shape) == len(arrays[1].shape) == 2:
        return _from_cudnn(arrays)
    return arrays


_NAMES = ("kernel", "recurrent_kernel", "bias")


def _joined(arrays: list[FileArray], name: str) -> FileArray:
    import numpy as np

    first = arrays[0].shape
    shape = (*first[:-1], sum(array.shape[-1] if array.shape else 0 for array in arrays))
    parts = (*arrays[0].parts[:-1], name)
    return FileArray(parts, shape, lambda: np.concatenate([array.read() for array in arrays], axis=-1))


def _from_cudnn(arrays: list[FileArray]) -> list[FileArray]:
    """CuDNNLSTM and CuDNNGRU kept two biases in a row, and their kernels transposed gate by gate."""
    kernel, recurrent, bias = arrays
    units, wide = recurrent.shape
    if bias.shape != (2 * wide,) or units == 0 or wide % units:
        return arrays
    gates = wide // units
    if gates == 4:
        new_bias = _changed(bias, (wide,), lambda array: array[:wide] + array[wide:])
    else:
        new_bias = _changed(bias, (2, wide), lambda array: array.reshape(2, wide))
    return [
        _changed(kernel, kernel.shape, lambda array: _by_gates(array, gates, _reread)),
        _changed(recurrent, recurrent.shape, lambda array: _by_gates(array, gates, lambda gate: gate.T)),
        new_bias,
    ]


def _by_gates(array: Array, gates: int, change: Callable[[Array], Array]) -> Array:
    import numpy as np

    return np.hstack([change(gate) for gate in np.hsplit(array, gates)])


def _reread(gate: Array) -> Array:
    read: Array = gate.T.reshape(gate.shape, order="F")
    return read
