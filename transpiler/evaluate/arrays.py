"""Arrays of which only shape and dtype are known: what NumPy's functions and methods do to these."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import libcst as cst

from transpiler.evaluate import limits
from transpiler.evaluate.core import Evaluator, is_known, plain
from transpiler.evaluate.values import Opaque, Symbol
from transpiler.graph.program import Array
from transpiler.graph.symbolic import Dim, Expr
from transpiler.graph.symbolic import is_known as dim_known

UNKNOWN_ARRAY = Array()


def array_binary(left: Any, right: Any) -> Array:
    """An elementwise operation: NumPy's broadcasting over what is known."""
    a = left.shape if isinstance(left, Array) else ()
    b = right.shape if isinstance(right, Array) else ()
    dtypes = [v.dtype for v in (left, right) if isinstance(v, Array)]
    dtype = dtypes[0] if len(set(dtypes)) == 1 else None
    if isinstance(left, float) or isinstance(right, float):
        dtype = dtype if dtype and dtype.startswith("float") else "float64"
    if a is None or b is None or _unshaped(left) or _unshaped(right):
        return Array(None, dtype)
    long, short = (a, b) if len(a) >= len(b) else (b, a)
    padded = (1,) * (len(long) - len(short)) + tuple(short)
    return Array(tuple(y if x == 1 else x for x, y in zip(long, padded, strict=True)), dtype)


def array_product(left: Any, right: Any) -> Array:
    """``left @ right``: the product of two matrices, or of rows of them by one."""
    dtype = left.dtype if isinstance(left, Array) and isinstance(right, Array) and left.dtype == right.dtype else None
    a, b = (value.shape if isinstance(value, Array) else None for value in (left, right))
    if not a or not b or len(a) < 2 or len(b) != 2:
        return Array(None, dtype)
    return Array((*a[:-1], b[-1]), dtype)


def _unshaped(value: Any) -> bool:
    """Whether an operand may be an array of any shape."""
    return isinstance(value, (list, tuple)) or isinstance(value, Opaque) and not value.scalar


def array_item(ev: Evaluator, value: Array, key: Any, node: cst.CSTNode) -> Any:
    """``x[key]`` by NumPy's basic indexing; anything fancier keeps the trailing axes only."""
    if value.shape is None:
        return Array(None, value.dtype)
    keys = list(key) if isinstance(key, tuple) else [key]
    if ... in keys:
        at = keys.index(...)
        used = sum(k is not None and k is not ... for k in keys)
        keys[at : at + 1] = [slice(None)] * (len(value.shape) - used)
    shape: list[Dim] = []
    rest = list(value.shape)
    for part in keys:
        if part is None:
            shape.append(1)
            continue
        if not rest:
            return UNKNOWN_ARRAY
        size = rest.pop(0)
        if isinstance(part, slice):
            shape.append(_slice_size(size, part))
        elif isinstance(part, (list, Array, Opaque)):
            known = part.shape[0] if isinstance(part, Array) and part.shape and part.dtype != "bool" else None
            if isinstance(part, Opaque):
                return UNKNOWN_ARRAY if len(keys) > 1 else Array(None, value.dtype)
            shape.append(len(part) if isinstance(part, list) else known)
    shape.extend(rest)
    return Array(tuple(shape), value.dtype) if shape else Opaque("an element of an array")


def _slice_size(size: Dim, part: slice) -> Dim:
    bounds = [plain(v) if is_known(v) else v for v in (part.start, part.stop, part.step)]
    if bounds == [None, None, None]:
        return size
    if not dim_known(size) or any(b is not None and not isinstance(b, int) for b in bounds):
        return None
    assert size is not None
    return len(range(*slice(*bounds).indices(int(size))))


def array_attribute(ev: Evaluator, value: Array, name: str, node: cst.CSTNode) -> Any:
    """``x.shape``, ``x.ndim``, ``x.T`` …; None where it is a method."""
    if name == "shape":
        if value.shape is None:
            return Opaque(f"`{ev.source(node)}` is known only when the program runs")
        text = ev.source(node)
        return tuple(_dim_value(text, i, d) for i, d in enumerate(value.shape))
    if name == "ndim" and value.shape is not None:
        return len(value.shape)
    if name == "T":
        return Array(None if value.shape is None else value.shape[::-1], value.dtype)
    if name in ("size", "dtype", "values", "index", "columns"):
        return Opaque(f"`{ev.source(node)}` is known only when the program runs")
    return None


def _dim_value(text: str, index: int, dim: Dim) -> Any:
    if dim is None:
        return Opaque.named(_shape_name(text, index), f"{text}[{index}]", f"`{text}[{index}]` is a run-time size")
    return dim


def _shape_name(text: str, index: int) -> str:
    base = text.split(".", maxsplit=1)[0]
    return f"{base}_dim{index}" if base.isidentifier() else f"dim{index}"


def _shape_of(args: list[Any], value: Array) -> Array:
    """The result of ``reshape``."""
    target = args[0] if len(args) == 1 and isinstance(args[0], (tuple, list)) else tuple(args)
    dims: list[Dim] = []
    for size in target:
        if isinstance(size, Opaque):
            dims.append(size.expr)
        elif isinstance(size, (int, Expr)):
            dims.append(plain(size) if is_known(size) else size)
        else:
            return Array(None, value.dtype)
    if -1 in [d for d in dims if isinstance(d, int)]:
        at = dims.index(-1)
        dims[at] = _infer_minus_one(value, dims)
    return Array(tuple(dims), value.dtype)


def _infer_minus_one(value: Array, dims: list[Dim]) -> Dim:
    if value.shape is None or not all(isinstance(d, int) for d in value.shape):
        return None
    total = 1
    for d in value.shape:
        total *= int(d)  # type: ignore[arg-type]
    rest = 1
    for d in dims:
        if not isinstance(d, int):
            return None
        rest *= d if d != -1 else 1
    return total // rest if rest else None


def _dtype(value: Any) -> str | None:
    if isinstance(value, str):
        return value
    if isinstance(value, Symbol):
        name = value.name.rpartition(".")[2]
        return {"float": "float64", "int": "int64"}.get(name, name)
    return None


def array_method(ev: Evaluator, value: Array, name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
    """The result of a method call on an array."""
    if name == "astype" and (args or kwargs):
        return Array(value.shape, _dtype(args[0] if args else kwargs.get("dtype")))
    if name == "reshape" and args:
        return _shape_of(args, value)
    if name in ("copy", "clip", "round"):
        return value
    if name in ("flatten", "ravel"):
        return _shape_of([-1], value)
    if name == "transpose":
        return _transpose(value, args)
    if name in ("mean", "sum", "max", "min", "std", "var", "argmax", "argmin"):
        return _reduce(value, kwargs.get("axis", args[0] if args else None), kwargs.get("keepdims", False))
    if name == "squeeze" and value.shape is not None and not args and not kwargs:
        return Array(tuple(d for d in value.shape if d != 1), value.dtype)
    value.items = None  # it may be sorted or filled in place
    return Opaque(f"the result of `.{name}()` is known only when the program runs")


def _transpose(value: Array, args: list[Any]) -> Array:
    axes = args[0] if len(args) == 1 and isinstance(args[0], (tuple, list)) else tuple(args)
    if value.shape is None or not is_known(axes):
        return Array(None, value.dtype)
    order = plain(axes) or tuple(range(len(value.shape)))[::-1]
    if sorted(order) != list(range(len(value.shape))):
        return UNKNOWN_ARRAY
    return Array(tuple(value.shape[i] for i in order), value.dtype)


def _reduce(value: Array, axis: Any, keepdims: Any) -> Any:
    axis = plain(axis) if is_known(axis) else axis
    if axis is None or value.shape is None:
        return Opaque("a number computed from an array", scalar=True)
    axes = axis if isinstance(axis, tuple) else (axis,)
    if not all(isinstance(a, int) for a in axes):
        return UNKNOWN_ARRAY
    rank = len(value.shape)
    drop = {a % rank for a in axes}
    shape = tuple(1 if i in drop else d for i, d in enumerate(value.shape) if keepdims is True or i not in drop)
    return Array(shape, value.dtype)


def _from_shape(args: list[Any], kwargs: dict[str, Any], default: str = "float64") -> Any:
    shape = kwargs.get("shape", kwargs.get("size", args[0] if args else ()))
    items = shape if isinstance(shape, (tuple, list)) else (shape,)
    dims: list[Dim] = []
    for size in items:
        if isinstance(size, Opaque):
            dims.append(size.expr)
        elif isinstance(size, (int, Expr)):
            dims.append(plain(size) if is_known(size) else size)
        else:
            return UNKNOWN_ARRAY
    dtype = kwargs.get("dtype", args[1] if len(args) > 1 else None)
    return Array(tuple(dims), _dtype(dtype) or default)


def _like(args: list[Any], kwargs: dict[str, Any]) -> Any:
    value = args[0] if args else None
    return value if isinstance(value, Array) else UNKNOWN_ARRAY


def _expand_dims(args: list[Any], kwargs: dict[str, Any]) -> Any:
    value = args[0]
    axis = kwargs.get("axis", args[1] if len(args) > 1 else None)
    if not isinstance(value, Array) or value.shape is None or not is_known(axis):
        return UNKNOWN_ARRAY
    axis = plain(axis)
    at = axis if axis >= 0 else len(value.shape) + 1 + axis
    return Array((*value.shape[:at], 1, *value.shape[at:]), value.dtype)


def _from_data(args: list[Any], kwargs: dict[str, Any]) -> Any:
    value = args[0] if args else None
    dtype = _dtype(kwargs.get("dtype", args[1] if len(args) > 1 else None))
    if isinstance(value, Array):
        return Array(value.shape, dtype or value.dtype)
    shape: list[Dim] = []
    while isinstance(value, (list, tuple)):
        shape.append(len(value))
        value = value[0] if value else None
    if isinstance(value, Array):
        return Array(None if value.shape is None else (*shape, *value.shape), dtype or value.dtype)
    if isinstance(value, Opaque) or not shape:
        return Array(None, dtype)
    kind = "float64" if isinstance(value, float) else "int64" if isinstance(value, int) else None
    row = plain(args[0]) if len(shape) == 1 and dtype is None and is_known(args[0]) else ()
    numbers = all(type(item) in (int, float) for item in row) and len({type(item) for item in row}) == 1
    return Array(tuple(shape), dtype or kind, tuple(row) if numbers else None)


def _concatenate(args: list[Any], kwargs: dict[str, Any]) -> Any:
    parts = args[0] if args else ()
    axis = plain(kwargs.get("axis", args[1] if len(args) > 1 else 0))
    if not isinstance(parts, (list, tuple)) or not all(isinstance(p, Array) and p.shape for p in parts):
        return UNKNOWN_ARRAY
    shape = list(parts[0].shape)
    if not isinstance(axis, int) or not -len(shape) <= axis < len(shape):
        return UNKNOWN_ARRAY
    sizes = [p.shape[axis] if len(p.shape) == len(shape) else None for p in parts]
    known = [size for size in sizes if size is not None]
    shape[axis] = sum(known) if len(known) == len(sizes) else None
    return Array(tuple(shape), parts[0].dtype)


def _arange(args: list[Any], kwargs: dict[str, Any]) -> Any:
    if args and is_known(args) and not kwargs and all(isinstance(plain(a), int) for a in args):
        values = plain(args)
        if len(values) < 3 or values[2]:
            row = range(*values)
            return Array((len(row),), "int64", tuple(row) if len(row) <= limits.MAX_BUILDING_TURNS else None)
    return Array((None,))


def _eye(args: list[Any], kwargs: dict[str, Any]) -> Any:
    size = plain(args[0]) if args and is_known(args[0]) else None
    return Array((size, size), "float64")


def _randn(args: list[Any], kwargs: dict[str, Any]) -> Any:
    return _from_shape([tuple(args)], kwargs)


def _sized(position: int, dtype: str = "float64") -> Callable[[list[Any], dict[str, Any]], Any]:
    def make(args: list[Any], kwargs: dict[str, Any]) -> Any:
        size = kwargs.get("size", args[position] if len(args) > position else None)
        if size is None:
            return Opaque("a random number", scalar=True)
        return _from_shape([size], {}, dtype)

    return make


def _stack(args: list[Any], kwargs: dict[str, Any]) -> Any:
    parts = args[0] if args else ()
    axis = plain(kwargs.get("axis", args[1] if len(args) > 1 else 0))
    if isinstance(parts, Array) and axis == 0:
        return parts
    if (
        not isinstance(parts, (list, tuple))
        or not parts
        or not all(isinstance(p, Array) and p.shape is not None for p in parts)
    ):
        return UNKNOWN_ARRAY
    if not isinstance(axis, int):
        return UNKNOWN_ARRAY
    shape = list(parts[0].shape)
    shape.insert(axis if axis >= 0 else len(shape) + 1 + axis, len(parts))
    return Array(tuple(shape), parts[0].dtype)


def _binary(args: list[Any], kwargs: dict[str, Any]) -> Any:
    return array_binary(args[0], args[1]) if len(args) == 2 else UNKNOWN_ARRAY


def _cast(dtype: str) -> Callable[[list[Any], dict[str, Any]], Any]:
    def cast(args: list[Any], kwargs: dict[str, Any]) -> Any:
        value = args[0] if args else None
        return Array(value.shape, dtype) if isinstance(value, Array) else Opaque("a number", scalar=True)

    return cast


ARRAY_FUNCTIONS: dict[str, Callable[[list[Any], dict[str, Any]], Any]] = {
    "zeros": _from_shape, "ones": _from_shape, "empty": _from_shape, "full": lambda a, k: _from_shape(a[:1], k),
    "zeros_like": _like, "ones_like": _like, "expand_dims": _expand_dims, "array": _from_data, "asarray": _from_data,
    "concatenate": _concatenate, "vstack": lambda a, k: UNKNOWN_ARRAY, "hstack": lambda a, k: UNKNOWN_ARRAY,
    "arange": _arange, "eye": _eye, "clip": _like, "log1p": _like, "exp": _like, "abs": _like, "round": _like,
    "squeeze": lambda a, k: array_method_of("squeeze", a, k), "reshape": lambda a, k: array_method_of("reshape", a, k),
    "transpose": lambda a, k: array_method_of("transpose", a, k), "mean": lambda a, k: array_method_of("mean", a, k),
    "argmax": lambda a, k: array_method_of("argmax", a, k), "sum": lambda a, k: array_method_of("sum", a, k),
    "random.rand": _randn, "random.randn": _randn, "random.random": _sized(0), "random.random_sample": _sized(0),
    "random.normal": _sized(2), "random.uniform": _sized(2), "random.randint": _sized(2, "int64"),
    "random.integers": _sized(2, "int64"), "random.binomial": _sized(2, "int64"), "random.choice": _sized(1),
    "random.poisson": _sized(1, "int64"), "random.exponential": _sized(1), "random.beta": _sized(2),
    "stack": _stack, "sin": _like, "cos": _like, "tanh": _like, "sqrt": _like, "log": _like, "maximum": _binary,
    "minimum": _binary, "where": lambda a, k: _like(a[1:], k), "float32": _cast("float32"), "float64": _cast("float64"),
    "pad": lambda a, k: Array(None), "repeat": lambda a, k: Array(None),
    "max": lambda a, k: array_method_of("max", a, k), "min": lambda a, k: array_method_of("min", a, k),
    "std": lambda a, k: array_method_of("std", a, k),
    "meshgrid": lambda a, k: Opaque("a mesh grid"),
    "random.standard_normal": _sized(0), "random.permutation": _like,
    "linspace": lambda a, k: Array((plain(a[2]),) if len(a) > 2 and is_known(a[2]) else (50,), "float64"),
}  # fmt: skip


def array_method_of(name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
    """``np.name(x, …)`` as ``x.name(…)``."""
    if args and isinstance(args[0], Array):
        return array_method(None, args[0], name, args[1:], kwargs)  # type: ignore[arg-type]
    return Opaque(f"the result of `numpy.{name}` is known only when the program runs")
