"""Ops along axes: sums and means, extremes, norms, cumulative sums, softmax."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transpiler.diagnostics import Refusal
from transpiler.graph.keras import TensorSpec
from transpiler.graph.symbolic import Shape
from transpiler.graph.torch import FIRST, KERAS, Value
from transpiler.rules.base import params
from transpiler.rules.layout import literal, normalize_axis
from transpiler.rules.ops_base import FLOATS, FunctionOp, as_float, op, register, same

if TYPE_CHECKING:
    from transpiler.rules.lowering import Lowering


def axes_of(axis: Any, rank: int) -> tuple[int, ...]:
    """An axis argument as sorted Keras axes; None means all."""
    if axis is None:
        return tuple(range(rank))
    chosen = axis if isinstance(axis, (list, tuple)) else [axis]
    return tuple(sorted(normalize_axis(a, rank) for a in chosen))


def reduced_shape(shape: Shape, axis: Any, keepdims: bool) -> Shape:
    """The shape after reducing along ``axis``."""
    axes = axes_of(axis, len(shape))
    if keepdims:
        return tuple(1 if i in axes else dim for i, dim in enumerate(shape))
    return tuple(dim for i, dim in enumerate(shape) if i not in axes)


class _Plan:
    """Where a reduction acts physically, and how its result lies."""

    def __init__(self, cx: Lowering, x: Value, axis: Any, keepdims: bool) -> None:
        axes = axes_of(axis, x.spec.rank)
        last = x.spec.rank - 1
        if x.features is not None and last in axes and len(axes) < x.spec.rank and keepdims:
            x = cx.keras_order(x)
        if x.layout == FIRST and not keepdims and axis is not None and 0 in axes:
            x = cx.keras_order(x)
        self.x = x
        self.shape = reduced_shape(x.spec.shape, axis, keepdims)
        kept_channel = keepdims or last not in axes
        self.layout = FIRST if x.layout == FIRST and kept_channel and len(self.shape) >= 3 else KERAS
        self.features = x.features if last not in axes else None
        self.all = axis is None and not keepdims
        dims = tuple(sorted(cx.dim(x, a) for a in axes))
        self.dims: Any = dims[0] if len(dims) == 1 else dims

    def arguments(self, keepdims: bool) -> list[str]:
        if self.all:
            return []
        return [f"dim={self.dims}", *(["keepdim=True"] if keepdims else [])]


def _reduction(method: str, dtype: str = "same", *more: str) -> FunctionOp:
    """A reduction that is a method of torch tensors: ``{0}.sum(dim=1, keepdim=True)``."""

    def result(x: TensorSpec) -> str:
        if dtype == "same":
            return "int32" if x.dtype == "bool" and method in ("sum", "prod") else x.dtype
        if dtype == "float":
            return x.dtype if x.dtype in FLOATS else "float32"
        return dtype

    def spec(x: TensorSpec, axis: Any, keepdims: bool) -> TensorSpec:
        return TensorSpec(reduced_shape(x.shape, axis, keepdims), result(x))

    def emit(cx: Lowering, x: Value, axis: Any, keepdims: bool) -> Value:
        plan = _Plan(cx, x, axis, keepdims)
        convert = ".float()" if dtype == "float" and x.spec.dtype not in FLOATS else ""
        text = ", ".join(plan.arguments(keepdims) + list(more))
        made = TensorSpec(plan.shape, result(x.spec))
        value: Value = cx.op(f"{{0}}{convert}.{method}({text})", plan.x, made, plan.layout, plan.features)
        return value

    return FunctionOp(params("x, axis=None, keepdims=False"), spec, emit)


register("sum", _reduction("sum"))
register("mean", _reduction("mean", "float"))
register("max", _reduction("amax"))
register("min", _reduction("amin"))
register("any", _reduction("any", "bool"))
register("all", _reduction("all", "bool"))
register("var", _reduction("var", "float", "correction=0"))
register("std", _reduction("std", "float", "correction=0"))
register("count_nonzero", _reduction("count_nonzero", "int32"))


def _logsumexp_spec(x: TensorSpec, axis: Any, keepdims: bool) -> TensorSpec:
    return TensorSpec(reduced_shape(x.shape, axis, keepdims), x.dtype)


@op("logsumexp", "x, axis=None, keepdims=False", _logsumexp_spec)
def _logsumexp(cx: Lowering, x: Value, axis: Any, keepdims: bool) -> Value:
    plan = _Plan(cx, x, axis, keepdims)
    extra = ", keepdim=True" if keepdims else ""
    value: Value = cx.op(
        f"torch.logsumexp({{0}}, dim={plan.dims}{extra})", plan.x, TensorSpec(plan.shape, x.spec.dtype), plan.layout
    )
    return value


@op("prod", "x, axis=None, keepdims=False", _logsumexp_spec)
def _prod(cx: Lowering, x: Value, axis: Any, keepdims: bool) -> Value:
    plan = _Plan(cx, x, axis, keepdims)
    if plan.all:
        template = "{0}.prod()"
    else:
        dims = plan.dims if isinstance(plan.dims, tuple) else (plan.dims,)
        extra = ", keepdim=True" if keepdims else ""
        template = "{0}" + "".join(f".prod(dim={d}{extra})" for d in reversed(dims))
    value: Value = cx.op(template, plan.x, TensorSpec(plan.shape, x.spec.dtype), plan.layout, plan.features)
    return value


def _norm_spec(x: TensorSpec, ord: Any, axis: Any, keepdims: bool) -> TensorSpec:  # noqa: A002 - Keras' name
    return TensorSpec(reduced_shape(x.shape, axis, keepdims))


@op("norm", "x, ord=None, axis=None, keepdims=False", _norm_spec)
def _norm(cx: Lowering, x: Value, ord: Any, axis: Any, keepdims: bool) -> Value:  # noqa: A002 - Keras' name
    if ord == "euclidean":
        ord = 2  # noqa: A001
    if ord is not None and (not isinstance(ord, (int, float)) or len(axes_of(axis, x.spec.rank)) > 1):
        raise Refusal("KT102", f"`norm` with `ord={ord!r}` over these axes is not supported")
    plan = _Plan(cx, x, axis, keepdims)
    first = [] if ord in (None, 2) else [literal(ord)]
    text = ", ".join(["{0}", *first, *plan.arguments(keepdims)])
    value: Value = cx.op(f"torch.linalg.vector_norm({text})", plan.x, TensorSpec(plan.shape), plan.layout)
    return value


@op("normalize", "x, axis=-1, order=2, epsilon=None", as_float)
def _normalize(cx: Lowering, x: Value, axis: Any, order: Any, epsilon: Any) -> Value:
    """Keras: x / max(norm, epsilon)."""
    extra = "" if order == 2 else f"p={literal(float(order))}, "
    bound = f", eps={literal(1e-7 if epsilon is None else epsilon)}"
    return cx.elementwise(f"F.normalize({{0}}, {extra}dim={_dims(cx, x, axis)}{bound})", x)


def _dims(cx: Lowering, x: Value, axis: Any) -> Any:
    axes = sorted(cx.dim(x, a) for a in axes_of(axis, x.spec.rank))
    return axes[0] if len(axes) == 1 else tuple(axes)


def _arg_spec(x: TensorSpec, axis: Any, keepdims: bool) -> TensorSpec:
    return TensorSpec(reduced_shape(x.shape, axis, keepdims), "int32")


def _arg(name: str) -> None:
    @op(name, "x, axis=None, keepdims=False", _arg_spec)
    def emit(cx: Lowering, x: Value, axis: Any, keepdims: bool) -> Value:
        x = cx.keras_order(x)
        text = ", ".join(
            [*([f"dim={cx.dim(x, axis)}"] if axis is not None else []), *(["keepdim=True"] if keepdims else [])]
        )
        value: Value = cx.op(f"{{0}}.{name}({text})", x, _arg_spec(x.spec, axis, keepdims), KERAS)
        return value


_arg("argmax")
_arg("argmin")


def _along(name: str, template: str, default: str, signature: str = "axis", spec: Any = same) -> None:
    """An op that keeps the shape and acts along one axis."""

    @op(name, f"x, {signature}={default}", spec)
    def emit(cx: Lowering, x: Value, axis: Any) -> Value:
        if axis is None:
            raise Refusal("KT102", f"`{name}` needs an axis here")
        if isinstance(axis, (list, tuple)) and len(axis) == 1:
            axis = axis[0]
        if isinstance(axis, (list, tuple)):
            raise Refusal("KT102", f"`{name}` over several axes is not supported")
        if x.features is not None and normalize_axis(axis, x.spec.rank) == x.spec.rank - 1 and "softmax" not in name:
            x = cx.keras_order(x)
        value: Value = cx.op(template.format("{0}", cx.dim(x, axis)), x, spec(x=x.spec), x.layout, x.features)
        return value


_along("softmax", "torch.softmax({0}, dim={1})", "-1", spec=as_float)
_along("log_softmax", "F.log_softmax({0}, dim={1})", "-1", spec=as_float)
_along("cumsum", "torch.cumsum({0}, dim={1})", "None")
_along("cumprod", "torch.cumprod({0}, dim={1})", "None")
_along("sort", "torch.sort({0}, dim={1}).values", "-1")


@op("argsort", "x, axis=-1", lambda x, axis: TensorSpec(x.shape, "int32"))
def _argsort(cx: Lowering, x: Value, axis: Any) -> Value:
    x = cx.keras_order(x)
    value: Value = cx.op(
        f"torch.argsort({{0}}, dim={cx.dim(x, axis)}, stable=True)", x, TensorSpec(x.spec.shape, "int32"), KERAS
    )
    return value


@op("flip", "x, axis=None", same)
def _flip(cx: Lowering, x: Value, axis: Any) -> Value:
    x = cx.keras_order(x) if x.features is not None else x
    dims = tuple(sorted(cx.dim(x, a) for a in axes_of(axis, x.spec.rank)))
    value: Value = cx.op(f"torch.flip({{0}}, dims={dims})", x, x.spec, x.layout)
    return value


@op("roll", "x, shift, axis=None", same)
def _roll(cx: Lowering, x: Value, shift: Any, axis: Any) -> Value:
    x = cx.keras_order(x)
    dims = "" if axis is None else f", dims={literal(axis)}"
    value: Value = cx.op(f"torch.roll({{0}}, {literal(shift)}{dims})", x, x.spec, KERAS)
    return value


def _top_k_spec(x: TensorSpec, k: Any, sorted: bool) -> tuple[TensorSpec, TensorSpec]:  # noqa: A002 - Keras' name
    shape = (*x.shape[:-1], k)
    return TensorSpec(shape, x.dtype), TensorSpec(shape, "int32")


@op("top_k", "x, k, sorted=True", _top_k_spec)
def _top_k(cx: Lowering, x: Value, k: Any, sorted: bool) -> tuple[Value, ...]:  # noqa: A002 - Keras' name
    x = cx.keras_order(x)
    made = cx.op(f"torch.topk({{0}}, {literal(k)}, dim=-1)", x, _top_k_spec(x.spec, k, sorted), KERAS)
    return tuple(made)


@op("moments", "x, axes, keepdims=False", lambda x, axes, keepdims: (_norm_spec(x, None, axes, keepdims),) * 2)
def _moments(cx: Lowering, x: Value, axes: Any, keepdims: bool) -> tuple[Value, Value]:
    from transpiler.rules.base import OPS

    mean: Any = OPS["keras.ops.mean"].lower(cx, (x, axes, keepdims), {})
    var: Any = OPS["keras.ops.var"].lower(cx, (x, axes, keepdims), {})
    return mean, var
