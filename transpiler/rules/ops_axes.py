"""The less common ops along axes: medians and quantiles, NaN-aware sums, differences, diagonals, joins and turns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transpiler.diagnostics import Refusal
from transpiler.graph.keras import TensorSpec
from transpiler.graph.symbolic import Dim, Expr, is_known, number
from transpiler.graph.torch import KERAS, Value
from transpiler.rules.base import OPS, params
from transpiler.rules.layout import literal, normalize_axis
from transpiler.rules.ops_base import FLOATS, FunctionOp, is_tensor, op, register, same
from transpiler.rules.ops_reduce import axes_of, reduced_shape

if TYPE_CHECKING:
    from transpiler.rules.lowering import Lowering


def _lowered(cx: Lowering, name: str, *args: Any, **kwargs: Any) -> Any:
    """Another op, from within a rule."""
    return OPS[f"keras.ops.{name}"].lower(cx, args, kwargs)


def _float_spec(x: TensorSpec, axis: Any = None, keepdims: bool = False, **_: Any) -> TensorSpec:
    dtype = x.dtype if x.dtype in FLOATS else "float32"
    return TensorSpec(reduced_shape(x.shape, axis, keepdims), dtype)


def _same_spec(x: TensorSpec, axis: Any = None, keepdims: bool = False, **_: Any) -> TensorSpec:
    return TensorSpec(reduced_shape(x.shape, axis, keepdims), x.dtype)


def _dims(axis: Any, rank: int) -> str:
    """``, dim=1`` for axes of a tensor in Keras' order; nothing where all are meant."""
    if axis is None:
        return ""
    axes = axes_of(axis, rank)
    return f", dim={axes[0] if len(axes) == 1 else axes}"


# -- NaN-aware --------------------------------------------------------------------------------------------------------
def _nan_reduction(name: str, template: str, spec: Any) -> None:
    def emit(cx: Lowering, x: Value, axis: Any, keepdims: bool) -> Value:
        x = cx.keras_order(x)
        keep = ", keepdim=True" if keepdims and axis is not None else ""
        if keepdims and axis is None:
            raise Refusal("KT102", f"`{name}` over all axes with `keepdims` is not supported")
        where = (_dims(axis, x.spec.rank) + keep).removeprefix(", ")
        value: Value = cx.op(template.format("{0}", where), x, spec(x.spec, axis, keepdims), KERAS)
        return value

    register(name, FunctionOp(params("x, axis=None, keepdims=False"), spec, emit, "keras"))


_nan_reduction("nansum", "{0}.nansum({1})", _same_spec)
_nan_reduction("nanmean", "{0}.nanmean({1})", _float_spec)
_nan_reduction("nanmax", '{0}.nan_to_num(nan=float("-inf")).amax({1})', _same_spec)
_nan_reduction("nanmin", '{0}.nan_to_num(nan=float("inf")).amin({1})', _same_spec)


# -- order ------------------------------------------------------------------------------------------------------------
def _quantile_spec(x: TensorSpec, q: Any, axis: Any, method: str, keepdims: bool) -> TensorSpec:
    if is_tensor(q) or not isinstance(q, (int, float)) or not 0 <= q <= 1:
        raise Refusal("KT102", "`quantile` is supported for one number from 0 to 1")
    if axis is not None and len(axes_of(axis, x.rank)) > 1:
        raise Refusal("KT102", "`quantile` over several axes is not supported")
    return _float_spec(x, axis, keepdims)


@op("quantile", "x, q, axis=None, method='linear', keepdims=False", _quantile_spec, layout="keras")
def _quantile(cx: Lowering, x: Value, q: Any, axis: Any, method: str, keepdims: bool) -> Value:
    x = cx.keras_order(x)
    if method != "linear":
        raise Refusal("KT102", "`quantile` with another `method` than 'linear' is not supported: Keras ignores it too")
    keep = ", keepdim=True" if keepdims else ""
    text = f"torch.quantile({{0}}, {literal(float(q))}{_dims(axis, x.spec.rank)}{keep})"
    value: Value = cx.op(text, x, _quantile_spec(x.spec, q, axis, method, keepdims), KERAS)
    return value


@op("median", "x, axis=None, keepdims=False", _float_spec, layout="keras")
def _median(cx: Lowering, x: Value, axis: Any, keepdims: bool) -> Value:
    """Torch's own median takes the lower of the two in the middle."""
    value: Value = _lowered(cx, "quantile", x, 0.5, axis=axis, keepdims=keepdims)
    return value


@op("percentile", "x, q, axis=None, method='linear', keepdims=False",
    lambda x, q, axis, method, keepdims: _quantile_spec(x, q if is_tensor(q) else q / 100, axis, method, keepdims),
    layout="keras")  # fmt: skip
def _percentile(cx: Lowering, x: Value, q: Any, axis: Any, method: str, keepdims: bool) -> Value:
    value: Value = _lowered(cx, "quantile", x, q / 100, axis=axis, method=method, keepdims=keepdims)
    return value


@op("ptp", "x, axis=None, keepdims=False", _same_spec, layout="keras")
def _ptp(cx: Lowering, x: Value, axis: Any, keepdims: bool) -> Value:
    high = _lowered(cx, "max", x, axis, keepdims)
    value: Value = _lowered(cx, "subtract", high, _lowered(cx, "min", x, axis, keepdims))
    return value


@op("average", "x, axis=None, weights=None", lambda x, axis, weights: _float_spec(x, axis), layout="keras")
def _average(cx: Lowering, x: Value, axis: Any, weights: Any) -> Value:
    if weights is not None:
        raise Refusal("KT102", "`average` with weights is not supported", "multiply, sum and divide by hand")
    value: Value = _lowered(cx, "mean", x, axis, False)
    return value


# -- differences and diagonals ----------------------------------------------------------------------------------------
def _minus(dim: Dim, count: int) -> Dim:
    return None if dim is None else dim - count  # type: ignore[return-value]


def _diff_spec(a: TensorSpec, n: int, axis: Any) -> TensorSpec:
    at = normalize_axis(axis, a.rank)
    return TensorSpec(tuple(_minus(d, n) if i == at else d for i, d in enumerate(a.shape)), a.dtype)


@op("diff", "a, n=1, axis=-1", _diff_spec, layout="keras")
def _diff(cx: Lowering, a: Value, n: int, axis: Any) -> Value:
    a = cx.keras_order(a)
    count = "" if n == 1 else f", n={n}"
    spec = _diff_spec(a.spec, n, axis)
    value: Value = cx.op(f"torch.diff({{0}}{count}, dim={normalize_axis(axis, a.spec.rank)})", a, spec, KERAS)
    return value


def _triangle(name: str) -> None:
    @op(name, "x, k=0", same, layout="keras")
    def emit(cx: Lowering, x: Value, k: int) -> Value:
        x = cx.keras_order(x)
        value: Value = cx.op(f"torch.{name}({{0}}{f', {literal(k)}' if k else ''})", x, x.spec, KERAS)
        return value


_triangle("tril")
_triangle("triu")


def _corner(x: TensorSpec, offset: int, axis1: int, axis2: int) -> tuple[tuple[Dim, ...], Dim]:
    """The axes that stay, and the length of the diagonal."""
    first, second = normalize_axis(axis1, x.rank), normalize_axis(axis2, x.rank)
    rows, columns = x.shape[first], x.shape[second]
    kept = tuple(d for i, d in enumerate(x.shape) if i not in (first, second))
    if not is_known(rows) or not is_known(columns):
        return kept, None
    height, width = int(number(rows)), int(number(columns))  # type: ignore[arg-type]
    return kept, max(min(height + min(offset, 0), width - max(offset, 0)), 0)


def _diagonal_spec(x: TensorSpec, offset: int, axis1: int, axis2: int) -> TensorSpec:
    kept, length = _corner(x, offset, axis1, axis2)
    return TensorSpec((*kept, length), x.dtype)


@op("diagonal", "x, offset=0, axis1=0, axis2=1", _diagonal_spec, layout="keras")
def _diagonal(cx: Lowering, x: Value, offset: int, axis1: int, axis2: int) -> Value:
    x = cx.keras_order(x)
    text = f"torch.diagonal({{0}}, offset={literal(offset)}, dim1={literal(axis1)}, dim2={literal(axis2)})"
    value: Value = cx.op(text, x, _diagonal_spec(x.spec, offset, axis1, axis2), KERAS)
    return value


def _trace_spec(x: TensorSpec, offset: int, axis1: int, axis2: int) -> TensorSpec:
    return TensorSpec(_corner(x, offset, axis1, axis2)[0], x.dtype)


@op("trace", "x, offset=0, axis1=0, axis2=1", _trace_spec, layout="keras")
def _trace(cx: Lowering, x: Value, offset: int, axis1: int, axis2: int) -> Value:
    value: Value = _lowered(cx, "sum", _lowered(cx, "diagonal", x, offset, axis1, axis2), -1)
    return value


# -- turns and joins --------------------------------------------------------------------------------------------------
@op("fliplr", "x", same, layout="keras")
def _fliplr(cx: Lowering, x: Value) -> Value:
    value: Value = _lowered(cx, "flip", x, 1)
    return value


@op("flipud", "x", same, layout="keras")
def _flipud(cx: Lowering, x: Value) -> Value:
    value: Value = _lowered(cx, "flip", x, 0)
    return value


def _rot90_spec(array: TensorSpec, k: int, axes: Any) -> TensorSpec:
    first, second = (normalize_axis(a, array.rank) for a in axes)
    shape = list(array.shape)
    if k % 2:
        shape[first], shape[second] = shape[second], shape[first]
    return TensorSpec(tuple(shape), array.dtype)


@op("rot90", "array, k=1, axes=(0, 1)", _rot90_spec, layout="keras")
def _rot90(cx: Lowering, array: Value, k: int, axes: Any) -> Value:
    x = cx.keras_order(array)
    spec = _rot90_spec(x.spec, k, axes)
    value: Value = cx.op(f"torch.rot90({{0}}, {literal(k)}, dims={tuple(axes)})", x, spec, KERAS)
    return value


def _ravel_spec(x: TensorSpec) -> TensorSpec:
    if not all(is_known(dim) for dim in x.shape):
        return TensorSpec((None,), x.dtype)
    total = 1
    for dim in x.shape:
        total *= int(number(dim))  # type: ignore[arg-type]
    return TensorSpec((total,), x.dtype)


@op("ravel", "x", _ravel_spec, layout="keras")
def _ravel(cx: Lowering, x: Value) -> Value:
    x = cx.keras_order(x)
    value: Value = cx.op("{0}.flatten()", x, _ravel_spec(x.spec), KERAS)
    return value


def _stack_rule(name: str, least: int, axis: int) -> None:
    """``vstack`` and its like: a concatenation for tensors of enough axes."""

    def spec(xs: Any) -> TensorSpec:
        if any(x.rank < least for x in xs):
            raise Refusal("KT102", f"`{name}` of tensors of rank below {least} is not supported")
        made: Any = OPS["keras.ops.concatenate"].infer(xs, axis=axis)
        assert isinstance(made, TensorSpec)
        return made

    @op(name, "xs", spec, layout="keras")
    def emit(cx: Lowering, xs: Any) -> Value:
        value: Value = _lowered(cx, "concatenate", xs, axis=axis)
        return value


_stack_rule("vstack", 2, 0)
_stack_rule("hstack", 2, 1)
_stack_rule("dstack", 3, 2)


def _append_spec(x1: TensorSpec, x2: TensorSpec, axis: Any) -> TensorSpec:
    if axis is None:
        raise Refusal("KT102", "`append` without an axis is not supported")
    made: Any = OPS["keras.ops.concatenate"].infer([x1, x2], axis=axis)
    assert isinstance(made, TensorSpec)
    return made


@op("append", "x1, x2, axis=None", _append_spec, layout="keras")
def _append(cx: Lowering, x1: Value, x2: Value, axis: Any) -> Value:
    value: Value = _lowered(cx, "concatenate", [x1, x2], axis=axis)
    return value


def _slice_spec(inputs: TensorSpec, start_indices: Any, shape: Any) -> TensorSpec:
    starts, sizes = list(start_indices), list(shape)
    if len(starts) != inputs.rank or len(sizes) != inputs.rank or not all(isinstance(s, (int, Expr)) for s in starts):
        raise Refusal("KT102", "`slice` needs known starts and one size for each axis")
    whole = [dim if is_known(size) and size == -1 else size for dim, size in zip(inputs.shape, sizes, strict=True)]
    return TensorSpec(tuple(None if is_tensor(size) else size for size in whole), inputs.dtype)


@op("slice", "inputs, start_indices, shape", _slice_spec, layout="keras")
def _slice(cx: Lowering, inputs: Value, start_indices: Any, shape: Any) -> Value:
    x = cx.keras_order(inputs)
    parts = []
    for start, size in zip(start_indices, shape, strict=True):
        first = literal(start)
        if is_tensor(size):
            raise Refusal("KT201", "the sizes of a `slice` must be known")
        end = "" if is_known(size) and size == -1 else literal(start + size)
        parts.append(f"{'' if first == '0' else first}:{end}")
    while parts and parts[-1] == ":":
        parts.pop()
    spec = _slice_spec(x.spec, start_indices, shape)
    value: Value = cx.op(f"{{0}}[{', '.join(parts)}]", x, spec, KERAS) if parts else x
    return value


def _outer_spec(x1: TensorSpec, x2: TensorSpec) -> TensorSpec:
    if x1.rank != 1 or x2.rank != 1:
        raise Refusal("KT102", "`outer` is supported for two vectors")
    return TensorSpec((x1.shape[0], x2.shape[0]), x1.dtype)


@op("outer", "x1, x2", _outer_spec, layout="keras")
def _outer(cx: Lowering, x1: Value, x2: Value) -> Value:
    value: Value = cx.op("torch.outer({0}, {1})", [x1, x2], _outer_spec(x1.spec, x2.spec), KERAS)
    return value


def _cross_spec(x1: TensorSpec, x2: TensorSpec, axis: Any = None, **_: Any) -> TensorSpec:
    axis = -1 if axis is None else axis
    if x1.rank != x2.rank or x1.shape[normalize_axis(axis, x1.rank)] != 3:
        raise Refusal("KT102", "`cross` is supported for tensors of one rank with three entries along the axis")
    return x1


@op("cross", "x1, x2, axisa=-1, axisb=-1, axisc=-1, axis=None", _cross_spec, layout="keras")
def _cross(cx: Lowering, x1: Value, x2: Value, axisa: Any, axisb: Any, axisc: Any, axis: Any) -> Value:
    if (axisa, axisb, axisc) != (-1, -1, -1):
        raise Refusal("KT102", "`cross` is supported with `axis` alone")
    dim = normalize_axis(-1 if axis is None else axis, x1.spec.rank)
    value: Value = cx.op(f"torch.cross({{0}}, {{1}}, dim={dim})", [x1, x2], x1.spec, KERAS)
    return value


def _repeated(x: TensorSpec, n: Any) -> TensorSpec:
    if x.rank != 2:
        raise Refusal("KT104", f"`repeat` takes a tensor of rank 2, not {x.rank}")
    return TensorSpec((x.shape[0], n, x.shape[1]), x.dtype)


@op("repeat_vector", "x, n", _repeated, layout="keras")
def _repeat_vector(cx: Lowering, x: Value, n: Any) -> Value:
    x = cx.keras_order(x)
    value: Value = cx.op(f"{{0}}.unsqueeze(1).expand(-1, {literal(n)}, -1)", x, _repeated(x.spec, n), KERAS)
    return value
