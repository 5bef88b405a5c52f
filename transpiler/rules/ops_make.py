"""Ops that make tensors: ranges, fills, constants, random numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transpiler.diagnostics import Refusal
from transpiler.graph.keras import Tensor, TensorSpec
from transpiler.graph.symbolic import Dim, Expr, is_known, number
from transpiler.graph.torch import KERAS, Value
from transpiler.rules.layout import literal
from transpiler.rules.ops_base import Placer, anchor, dtype_name, is_tensor, list_text, op, shape_of, torch_dtype
from transpiler.rules.ops_shape import dims_of, sizes_text

if TYPE_CHECKING:
    from transpiler.rules.lowering import Lowering


def _device(cx: Lowering, place: Placer) -> str:
    """``, device=x.device`` of a tensor at hand."""
    source = next((v for v in place.values if v.spec.rank > 0), None) or anchor(cx)
    return "" if source is None else f", device={place.text(source)}.device"


def _dtype(name: str, default: str) -> str:
    return "" if name == default else f", dtype={torch_dtype(name)}"


def _range_spec(start: Any, stop: Any, step: Any, dtype: Any) -> TensorSpec:
    parts = [p for p in (start, stop, step) if p is not None]
    floating = any(isinstance(p, float) for p in parts)
    name = dtype_name(dtype, "float32" if floating else "int32")
    size: Dim = None
    first, last = (0, start) if stop is None else (start, stop)
    if not any(is_tensor(p) for p in parts) and all(is_known(p) for p in parts) and not floating:
        size = len(range(int(number(first)), int(number(last)), int(number(step or 1))))
    elif isinstance(last, Expr) and not is_tensor(first) and first == 0 and step in (None, 1):
        size = last
    return TensorSpec((size,), name)


@op("arange", "start, stop=None, step=None, dtype=None", _range_spec)
def _arange(cx: Lowering, start: Any, stop: Any, step: Any, dtype: Any) -> Value:
    place = Placer()
    given = [start] if stop is None else [start, stop]
    if step not in (None, 1):
        given = [0, start, step] if stop is None else [start, stop, step]
    elif stop is not None and not is_tensor(start) and start == 0:
        given = [stop]
    spec = _range_spec(start, stop, step, dtype)
    text = ", ".join(place.text(g) for g in given)
    default = "float32" if any(isinstance(g, float) for g in given) else "int64"
    kind = "" if spec.dtype in ("int32", "int64") and default == "int64" else _dtype(spec.dtype, default)
    value: Value = cx.op(f"torch.arange({text}{kind}{_device(cx, place)})", place.values, spec, KERAS)
    return value


def _filled_spec(shape: Any, dtype: Any) -> TensorSpec:
    return TensorSpec(dims_of(shape), dtype_name(dtype))


def _filled(name: str) -> None:
    @op(name, "shape, dtype=None", _filled_spec)
    def emit(cx: Lowering, shape: Any, dtype: Any) -> Value:
        place = Placer()
        spec = _filled_spec(shape, dtype)
        text = sizes_text(place, shape, anchor(cx))
        template = f"torch.{name}({text or '()'}{_dtype(spec.dtype, 'float32')}{_device(cx, place)})"
        value: Value = cx.op(template, place.values, spec, KERAS)
        return value


_filled("zeros")
_filled("ones")


def _full_spec(shape: Any, fill_value: Any, dtype: Any) -> TensorSpec:
    return TensorSpec(dims_of(shape), dtype_name(dtype))


@op("full", "shape, fill_value, dtype=None", _full_spec)
def _full(cx: Lowering, shape: Any, fill_value: Any, dtype: Any) -> Value:
    place = Placer()
    spec = _full_spec(shape, fill_value, dtype)
    template = (
        f"torch.full(({sizes_text(place, shape, anchor(cx))},), {literal(fill_value)}, dtype={torch_dtype(spec.dtype)}"
    )
    value: Value = cx.op(template + f"{_device(cx, place)})", place.values, spec, KERAS)
    return value


def _eye_spec(N: Any, M: Any, k: Any, dtype: Any) -> TensorSpec:  # noqa: N803 - Keras' names
    return TensorSpec((N, N if M is None else M), dtype_name(dtype))


@op("eye", "N, M=None, k=0, dtype=None", _eye_spec)
def _eye(cx: Lowering, N: Any, M: Any, k: Any, dtype: Any) -> Value:  # noqa: N803 - Keras' names
    if k:
        raise Refusal("KT102", "`eye` with a shifted diagonal is not supported")
    place = Placer()
    sizes = literal(N) if M is None else f"{literal(N)}, {literal(M)}"
    spec = _eye_spec(N, M, k, dtype)
    template = f"torch.eye({sizes}{_dtype(spec.dtype, 'float32')}{_device(cx, place)})"
    value: Value = cx.op(template, place.values, spec, KERAS)
    return value


def _linspace_spec(start: Any, stop: Any, num: Any, dtype: Any) -> TensorSpec:
    return TensorSpec((num,), dtype_name(dtype))


@op("linspace", "start, stop, num=50, dtype=None", _linspace_spec)
def _linspace(cx: Lowering, start: Any, stop: Any, num: Any, dtype: Any) -> Value:
    place = Placer()
    text = f"torch.linspace({literal(start)}, {literal(stop)}, {literal(num)}"
    value: Value = cx.op(f"{text}{_device(cx, place)})", place.values, _linspace_spec(start, stop, num, dtype), KERAS)
    return value


def _constant_spec(x: Any, dtype: Any) -> TensorSpec:
    if isinstance(x, TensorSpec):
        return x if dtype is None else TensorSpec(x.shape, dtype_name(dtype))
    return TensorSpec(shape_of(x), dtype_name(dtype, "float32" if _floating(x) else "int32"))


def _floating(x: Any) -> bool:
    return any(_floating(i) for i in x) if isinstance(x, (list, tuple)) else isinstance(x, float)


@op("convert_to_tensor", "x, dtype=None", _constant_spec)
def _constant(cx: Lowering, x: Any, dtype: Any) -> Value:
    if isinstance(x, Value):
        from transpiler.rules.base import OPS

        return x if dtype is None else OPS["keras.ops.cast"].lower(cx, (x, dtype), {})  # type: ignore[return-value]
    place = Placer()
    spec = _constant_spec(x, dtype)
    kind = _dtype(spec.dtype, "float32" if _floating(x) else "int64") if spec.dtype != "int32" else ""
    value: Value = cx.op(f"torch.tensor({list_text(x)}{kind}{_device(cx, place)})", place.values, spec, KERAS)
    return value


# -- random numbers ---------------------------------------------------------------------------------------------------
def _like(cx: Lowering, shape: Any) -> Value | None:
    """The tensor that ``shape`` spells out: ``(shape(z)[0], 2)`` for a ``z`` of two features."""
    if cx.node is None or not isinstance(shape, (list, tuple)):
        return None
    keras_shape = next((a for a in (*cx.node.args, *cx.node.kwargs.values()) if isinstance(a, (list, tuple))), ())
    for size in keras_shape:
        if isinstance(size, Tensor) and size.node is not None and size.node.target == "keras.ops.shape":
            source = size.node.args[0]
            known = list(source.spec.shape)
            if len(known) == len(keras_shape) and all(
                _is_size(entry, source, axis) or (is_known(dim) and not isinstance(entry, Tensor) and entry == dim)
                for axis, (entry, dim) in enumerate(zip(keras_shape, known, strict=True))
            ):
                return cx.value(source)
    return None


def _is_size(entry: Any, source: Tensor, axis: int) -> bool:
    if not isinstance(entry, Tensor) or entry.node is None or entry.node.target != "keras.ops.shape":
        return False
    return entry.node.args[0] is source and entry.node.args[1] % source.spec.rank == axis


def _random(cx: Lowering, function: str, shape: Any) -> Value:
    """``torch.randn`` of a shape; ``randn_like`` where the shape is that of a tensor."""
    spec = TensorSpec(dims_of(shape))
    like = _like(cx, shape)
    if like is not None and like.spec.dtype.startswith("float"):
        made: Value = cx.op(f"torch.{function}_like({{0}})", like, like.spec, like.layout, like.features)
        return made
    place = Placer()
    text = sizes_text(place, shape, anchor(cx))
    value: Value = cx.op(f"torch.{function}({text}{_device(cx, place)})", place.values, spec, KERAS)
    return value


def _shape_spec(shape: Any, **_: Any) -> TensorSpec:
    return TensorSpec(dims_of(shape))


def _scaled(cx: Lowering, x: Value, factor: Any, shift: Any) -> Value:
    template = "{0}" if factor == 1 else f"{literal(factor)} * {{0}}"
    if shift != 0:
        template = f"{literal(shift)} + {template}"
    if template == "{0}":
        return x
    value: Value = cx.op(template, x, x.spec, x.layout, x.features, True)
    return value


@op("keras.random.normal", "shape, mean=0.0, stddev=1.0, dtype=None, seed=None", _shape_spec)
def _normal(cx: Lowering, shape: Any, mean: Any, stddev: Any, dtype: Any, seed: Any) -> Value:
    return _scaled(cx, _random(cx, "randn", shape), stddev, mean)


@op("keras.random.uniform", "shape, minval=0.0, maxval=1.0, dtype=None, seed=None", _shape_spec)
def _uniform(cx: Lowering, shape: Any, minval: Any, maxval: Any, dtype: Any, seed: Any) -> Value:
    if dtype_name(dtype) != "float32":
        raise Refusal("KT102", "random integers in a model are not supported")
    return _scaled(cx, _random(cx, "rand", shape), maxval - minval, minval)


@op("keras.random.dropout", "inputs, rate, noise_shape=None, seed=None", lambda inputs, **_: inputs)
def _dropout(cx: Lowering, inputs: Value, rate: Any, noise_shape: Any, seed: Any) -> Value:
    if noise_shape is not None:
        raise Refusal("KT102", "`dropout` with a noise shape is not supported here")
    return cx.elementwise(f"F.dropout({{0}}, {literal(rate)})", inputs)
