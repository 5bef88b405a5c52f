"""Weight maps at work: Keras arrays to one entry of a state dict, and back; and what a map does, in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from transpiler.graph.symbolic import number
from transpiler.graph.torch import WeightMap, WeightOp, WeightRef
from transpiler.weights.errors import WeightsError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

_JOINING = ("concatenate", "add")


def apply_map(weight_map: WeightMap, lookup: Callable[[WeightRef], Array]) -> Array:
    """Make one entry of a state dict from the arrays that ``lookup`` gives."""
    return apply_ops([lookup(ref) for ref in weight_map.sources], weight_map.ops)


def apply_ops(arrays: Sequence[Array], ops: Iterable[WeightOp]) -> Array:
    """Run the steps of a map over its source arrays; ops before a joining one act on each of them."""
    import numpy as np

    current = list(arrays)
    for op in ops:
        if op.kind == "zeros":
            current = [np.zeros(_shape(op.args[0]), "float32")]
        elif op.kind == "full":
            current = [np.full(_shape(op.args[0]), op.args[1], "float32")]
        elif op.kind == "concatenate":
            current = [np.concatenate(current, axis=int(op.args[0]))]
        elif op.kind == "add":
            current = [_sum(current)]
        else:
            current = [_OPS[op.kind](array, *op.args) for array in current]
    if len(current) != 1:
        raise ValueError(f"a weight map must give one array, not {len(current)}")
    return current[0]


def invert_map(weight_map: WeightMap, value: Array, sources: Sequence[Array]) -> None:
    """Write an entry of a state dict back into the source arrays it came from, in place.

    A map that splits fills its part only; the maps of the other parts fill the rest.
    """
    import numpy as np

    if any(op.kind == "add" for op in weight_map.ops):
        raise WeightsError(f"`{weight_map.target}` is a sum of several arrays and cannot be taken apart")
    if not all(source.flags.c_contiguous for source in sources):
        raise ValueError("the source arrays must be contiguous")
    if not sources:
        return
    ends = np.cumsum([0, *(source.size for source in sources)])
    numbered = [
        np.arange(start, start + source.size).reshape(source.shape)
        for start, source in zip(ends, sources, strict=False)
    ]
    moving = [op for op in weight_map.ops if op.kind != "scale"]
    origin = apply_ops(numbered, moving).ravel()
    factor = np.prod([float(op.args[0]) for op in weight_map.ops if op.kind == "scale"])
    flat = (np.asarray(value) / factor if factor != 1 else np.asarray(value)).ravel()
    for source, start in zip(sources, ends, strict=False):
        inside = (origin >= start) & (origin < start + source.size)
        source.reshape(-1)[origin[inside] - start] = flat[inside]  # a view, for the source is contiguous


def describe(weight_map: WeightMap) -> str:
    """Say what a map does: ``weight = kernel, axes (1, 0)``."""
    names = ["/".join((*ref.path, ref.name)) for ref in weight_map.sources]
    steps = [_describe_op(op, names) for op in weight_map.ops]
    start = "" if steps and names and weight_map.ops[0].kind in _JOINING else " and ".join(names)
    return f"{weight_map.target} = {', '.join(part for part in (start, *steps) if part)}"


def _describe_op(op: WeightOp, names: Sequence[str]) -> str:
    texts: dict[str, Callable[..., str]] = {
        "transpose": lambda axes: f"axes {tuple(axes)}",
        "reshape": lambda shape: f"reshaped to {_text(shape)}",
        "split": lambda axis, sections, index: f"part {index} of {_text(sections)} along axis {axis}",
        "concatenate": lambda axis: f"{' and '.join(names)} joined along axis {axis}",
        "permute_features": lambda axis, shape: f"axis {axis} from {_text(shape)} to channels-first order",
        "reorder": lambda axis, sections, order: f"the {sections} blocks of axis {axis} in the order {tuple(order)}",
        "add": lambda: f"the sum of {' and '.join(names)}",
        "zeros": lambda shape: f"zeros of shape {_text(shape)}",
        "full": lambda shape, value: f"{value} in the shape {_text(shape)}",
        "flip": lambda axes: f"reversed along {_text(axes)}",
        "scale": lambda factor: f"times {factor}",
    }
    return texts[op.kind](*op.args)


def _text(value: Any) -> str:
    if isinstance(value, (tuple, list)):
        inner = ", ".join(_text(item) for item in value)
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    return str(value)


# -- the steps --------------------------------------------------------------------------------------------------------
def _int(value: Any) -> int:
    if value is None:
        raise WeightsError("a size of this model is known only when the program runs; give it as a constant")
    return int(number(value))


def _shape(shape: Iterable[Any]) -> tuple[int, ...]:
    return tuple(_int(size) for size in shape)


def _axes(axes: Any) -> tuple[int, ...]:
    return tuple(int(axis) for axis in axes) if isinstance(axes, (tuple, list)) else (int(axes),)


def _sum(arrays: Sequence[Array]) -> Array:
    total: Array = arrays[0]
    for array in arrays[1:]:
        total = total + array
    return total


def _transpose(array: Array, axes: Sequence[Any]) -> Array:
    turned: Array = array.transpose(_axes(axes))
    return turned


def _reshape(array: Array, shape: Sequence[Any]) -> Array:
    unknown = sum(size is None for size in shape)
    if unknown == 1:  # the one size that only the running program knows follows from the others
        free: Array = array.reshape([-1 if size is None else _int(size) for size in shape])
        return free
    return array.reshape(_shape(shape))


def _split(array: Array, axis: int, sections: Any, index: int) -> Array:
    """One of ``sections`` equal parts, or of parts of the given sizes."""
    import numpy as np

    if isinstance(sections, (tuple, list)):
        ends = np.cumsum(_shape(sections))[:-1]
        return np.split(array, ends, axis=int(axis))[int(index)]
    return np.split(array, _int(sections), axis=int(axis))[int(index)]


def _permute_features(array: Array, axis: int, shape: Sequence[Any]) -> Array:
    """Bring a flattened axis from H,W,C to C,H,W order; ``shape`` is one (*spatial, C), or a tuple of such parts."""
    import numpy as np

    parts = shape if shape and isinstance(shape[0], (tuple, list)) else (shape,)
    order: list[Any] = []
    start = 0
    for part in parts:
        sizes = _shape(part)
        block = np.arange(start, start + int(np.prod(sizes))).reshape(sizes)
        order.append(np.moveaxis(block, -1, 0).ravel())
        start += block.size
    if start != array.shape[axis]:
        raise ValueError(f"{_text(shape)} has {start} features, the axis has {array.shape[axis]}")
    return np.take(array, np.concatenate(order), axis=axis)


def _reorder(array: Array, axis: int, sections: Any, order: Sequence[int]) -> Array:
    import numpy as np

    blocks = np.split(array, _int(sections), axis=int(axis))
    return np.concatenate([blocks[int(index)] for index in order], axis=int(axis))


def _flip(array: Array, axes: Any) -> Array:
    import numpy as np

    return np.flip(array, _axes(axes))


def _scale(array: Array, factor: Any) -> Array:
    scaled: Array = array * array.dtype.type(float(factor))
    return scaled


_OPS: dict[str, Callable[..., Any]] = {
    "transpose": _transpose,
    "reshape": _reshape,
    "split": _split,
    "permute_features": _permute_features,
    "reorder": _reorder,
    "flip": _flip,
    "scale": _scale,
}
