"""Ops of networks: pooling, losses, attention, images, and products of linear algebra."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transpiler.diagnostics import Refusal
from transpiler.graph.keras import Layer, TensorSpec
from transpiler.graph.symbolic import is_known
from transpiler.graph.torch import FIRST, KERAS, Value
from transpiler.rules.base import LAYERS, bind
from transpiler.rules.layout import literal, normalize_axis, single
from transpiler.rules.ops_base import dtype_name, op
from transpiler.rules.spatial import check_padding, ntuple, padded, same_pads, window_shape

if TYPE_CHECKING:
    from transpiler.rules.lowering import Lowering


# -- as layers --------------------------------------------------------------------------------------------------------
def _as_layer(kind: str, origin: Any, **config: Any) -> Layer:
    """The layer that does what an op does."""
    rule = LAYERS[f"keras.layers.{kind}"]
    bound = rule.normalize(bind(kind, rule.params, (), config))
    return Layer(rule.symbol, bound, kind.lower(), False, origin)


def _channels_last(data_format: Any) -> None:
    if data_format not in (None, "channels_last"):
        raise Refusal("KT102", "`data_format` other than channels_last is not supported")


def _pool_config(kind: str, rank: int, pool_size: Any, strides: Any, padding: Any, data_format: Any) -> Any:
    _channels_last(data_format)
    given = {"pool_size": pool_size, "padding": padding} | ({} if strides is None else {"strides": strides})
    return f"{kind}Pooling{rank}D", given


def _pooling(name: str, kind: str) -> None:
    def spec(inputs: TensorSpec, pool_size: Any, strides: Any, padding: Any, data_format: Any) -> TensorSpec:
        which, config = _pool_config(kind, inputs.rank - 2, pool_size, strides, padding, data_format)
        layer = _as_layer(which, None, **config)
        made: TensorSpec = LAYERS[layer.symbol].infer(layer, inputs)
        return made

    @op(name, "inputs, pool_size, strides=None, padding='valid', data_format=None", spec, layout="first")
    def emit(cx: Lowering, inputs: Value, pool_size: Any, strides: Any, padding: Any, data_format: Any) -> Value:
        which, config = _pool_config(kind, inputs.spec.rank - 2, pool_size, strides, padding, data_format)
        made: Value = cx.lower_layer(_as_layer(which, cx.origin, **config), inputs)
        return made


_pooling("max_pool", "Max")
_pooling("average_pool", "Average")


def _adaptive(name: str, kind: str) -> None:
    def spec(inputs: TensorSpec, output_size: Any, data_format: Any) -> TensorSpec:
        _channels_last(data_format)
        layer = _as_layer(f"Adaptive{kind}Pooling{inputs.rank - 2}D", None, output_size=output_size)
        made: TensorSpec = LAYERS[layer.symbol].infer(layer, inputs)
        return made

    @op(name, "inputs, output_size, data_format=None", spec, layout="first")
    def emit(cx: Lowering, inputs: Value, output_size: Any, data_format: Any) -> Value:
        which = f"Adaptive{kind}Pooling{inputs.spec.rank - 2}D"
        made: Value = cx.lower_layer(_as_layer(which, cx.origin, output_size=output_size), inputs)
        return made


_adaptive("adaptive_average_pool", "Average")
_adaptive("adaptive_max_pool", "Max")

_RESIZE = (
    "images, size, interpolation='bilinear', antialias=False, crop_to_aspect_ratio=False, pad_to_aspect_ratio=False, "
    "fill_mode='constant', fill_value=0.0, data_format=None"
)


def _resize_config(size: Any, **rest: Any) -> dict[str, Any]:
    if not isinstance(size, (list, tuple)) or len(size) != 2:
        raise Refusal("KT103", "`resize` takes a size of two numbers")
    return {"height": size[0], "width": size[1], **rest}


def _resize_spec(images: TensorSpec, size: Any, **rest: Any) -> TensorSpec:
    layer = _as_layer("Resizing", None, **_resize_config(size, **rest))
    made: TensorSpec = LAYERS[layer.symbol].infer(layer, images)
    return made


@op("resize", _RESIZE, _resize_spec, layout="first")
def _resize(cx: Lowering, images: Value, size: Any, **rest: Any) -> Value:
    made: Value = cx.lower_layer(_as_layer("Resizing", cx.origin, **_resize_config(size, **rest)), images)
    return made


# -- images -----------------------------------------------------------------------------------------------------------
def _windows(images: TensorSpec, size: Any, strides: Any, dilation_rate: Any, padding: Any) -> tuple[Any, ...]:
    """Window, stride, dilation, padding, and how many windows fit."""
    if images.rank != 4:
        raise Refusal("KT102", "`extract_patches` is supported for batches of images")
    window = ntuple(size, 2, "size")
    step = window if strides is None else ntuple(strides, 2, "strides")
    dilation = ntuple(dilation_rate, 2, "dilation_rate")
    kind = check_padding(padding)
    return window, step, dilation, kind, window_shape(images.shape[1:-1], window, step, kind, dilation)


def _patches_spec(
    images: TensorSpec, size: Any, strides: Any, dilation_rate: Any, padding: Any, data_format: Any
) -> TensorSpec:
    _channels_last(data_format)
    window, *_, places = _windows(images, size, strides, dilation_rate, padding)
    channels = images.shape[-1]
    if channels is None or not all(is_known(place) for place in places):
        raise Refusal("KT201", "the size of the images must be known to `extract_patches`")
    return TensorSpec((images.shape[0], *places, window[0] * window[1] * channels), images.dtype)


@op("extract_patches", "images, size, strides=None, dilation_rate=1, padding='valid', data_format=None",
    _patches_spec, layout="first")  # fmt: skip
def _extract_patches(
    cx: Lowering, images: Value, size: Any, strides: Any, dilation_rate: Any, padding: Any, data_format: Any
) -> Value:
    """Keras has the channels innermost in a patch, ``F.unfold`` outermost."""
    spec = _patches_spec(images.spec, size, strides, dilation_rate, padding, data_format)
    window, step, dilation, kind, places = _windows(images.spec, size, strides, dilation_rate, padding)
    x = cx.channels_first(images)
    if kind == "same":
        pads = same_pads(x.spec.shape[1:-1], window, step, dilation)
        x = x if pads is None else padded(cx, x, pads)
    extra = "" if dilation == (1, 1) else f", dilation={single(dilation)}"
    columns = f"F.unfold({{0}}, {single(window)}{extra}, stride={single(step)})"
    turned = f".unflatten(1, (-1, {window[0] * window[1]})).transpose(1, 2).flatten(1, 2)"
    if images.spec.shape[-1] == 1:
        turned = ""
    text = f"{columns}{turned}.transpose(1, 2).unflatten(1, {literal(tuple(int(p) for p in places))})"
    value: Value = cx.op(text, x, spec, KERAS)
    return value


def _packed(x: TensorSpec, block_size: int, data_format: Any) -> TensorSpec:
    _channels_last(data_format)
    n, h, w, c = x.shape
    sizes = [None if d is None else d // block_size for d in (h, w)]
    return TensorSpec((n, *sizes, None if c is None else c * block_size**2), x.dtype)  # type: ignore[arg-type]


@op("space_to_depth", "x, block_size, data_format='channels_last'", _packed)
def _space_to_depth(cx: Lowering, x: Value, block_size: int, data_format: Any) -> Value:
    """TensorFlow has the channels of a block innermost, ``pixel_unshuffle`` outermost."""
    x = cx.channels_first(x)
    spec = _packed(x.spec, block_size, data_format)
    turned = f".unflatten(1, (-1, {block_size**2})).transpose(1, 2).flatten(1, 2)"
    extra = "" if x.spec.shape[-1] == 1 else turned
    value: Value = cx.op(f"F.pixel_unshuffle({{0}}, {block_size}){extra}", x, spec, FIRST)
    return value


# -- losses -----------------------------------------------------------------------------------------------------------
def _pair(target: TensorSpec, output: TensorSpec, from_logits: bool) -> TensorSpec:
    return output


@op("binary_crossentropy", "target, output, from_logits=False", _pair, layout="keras")
def _binary_crossentropy(cx: Lowering, target: Value, output: Value, from_logits: bool) -> Value:
    values = [cx.keras_order(output), cx.keras_order(target)]
    text = 'F.binary_cross_entropy({0}.clamp(1e-07, 1 - 1e-07), {1}, reduction="none")'
    if from_logits:
        text = 'F.binary_cross_entropy_with_logits({0}, {1}, reduction="none")'
    value: Value = cx.op(text, values, output.spec, KERAS)
    return value


def _categorical_spec(target: TensorSpec, output: TensorSpec, from_logits: bool, axis: Any) -> TensorSpec:
    if normalize_axis(axis, output.rank) != output.rank - 1:
        raise Refusal("KT102", "a cross-entropy along another axis than the last is not supported")
    return TensorSpec(output.shape[:-1], output.dtype)


def _log_likelihood(from_logits: bool) -> str:
    if from_logits:
        return "F.log_softmax({0}, dim=-1)"
    return "({0} / {0}.sum(dim=-1, keepdim=True)).clamp(1e-07, 1 - 1e-07).log()"


@op("categorical_crossentropy", "target, output, from_logits=False, axis=-1", _categorical_spec, layout="keras")
def _categorical_crossentropy(cx: Lowering, target: Value, output: Value, from_logits: bool, axis: Any) -> Value:
    values = [cx.keras_order(output), cx.keras_order(target)]
    spec = _categorical_spec(target.spec, output.spec, from_logits, axis)
    value: Value = cx.op(f"-({{1}} * {_log_likelihood(from_logits)}).sum(dim=-1)", values, spec, KERAS, operator=True)
    return value


@op("sparse_categorical_crossentropy", "target, output, from_logits=False, axis=-1", _categorical_spec, layout="keras")
def _sparse_categorical_crossentropy(cx: Lowering, target: Value, output: Value, from_logits: bool, axis: Any) -> Value:
    values = [cx.keras_order(output), cx.keras_order(target)]
    spec = _categorical_spec(target.spec, output.spec, from_logits, axis)
    column = "{1}.long()" if target.spec.rank == output.spec.rank else "{1}.long().unsqueeze(-1)"
    text = f"-torch.take_along_dim({_log_likelihood(from_logits)}, {column}, dim=-1).squeeze(-1)"
    value: Value = cx.op(text, values, spec, KERAS, operator=True)
    return value


def _multi_hot_spec(x: TensorSpec, num_classes: Any, axis: Any, dtype: Any, sparse: Any) -> TensorSpec:
    if axis not in (-1, x.rank) or sparse or x.rank != 2:
        raise Refusal("KT102", "`multi_hot` is supported for (batch, labels), along the last axis")
    return TensorSpec((x.shape[0], num_classes), dtype_name(dtype))


@op("multi_hot", "x, num_classes, axis=-1, dtype=None, sparse=False", _multi_hot_spec, layout="keras")
def _multi_hot(cx: Lowering, x: Value, num_classes: Any, axis: Any, dtype: Any, sparse: Any) -> Value:
    spec = _multi_hot_spec(x.spec, num_classes, axis, dtype, sparse)
    if spec.dtype != "float32":
        raise Refusal("KT102", f"`multi_hot` of dtype {spec.dtype} is not supported")
    value: Value = cx.op(f"F.one_hot({{0}}.long(), {literal(num_classes)}).amax(dim=1).float()", x, spec, KERAS)
    return value


# -- attention --------------------------------------------------------------------------------------------------------
_ATTENTION = (
    "query, key, value, bias=None, mask=None, scale=None, is_causal=False, flash_attention=None, "
    "attn_logits_soft_cap=None"
)


def _attention_spec(query: TensorSpec, key: TensorSpec, value: TensorSpec, **rest: Any) -> TensorSpec:
    if rest.get("attn_logits_soft_cap") is not None:
        raise Refusal("KT102", "`attn_logits_soft_cap` is not supported")
    if query.rank != 4 or key.shape[2] != query.shape[2]:
        raise Refusal("KT102", "`dot_product_attention` is supported for (batch, time, heads, size) of as many heads")
    return TensorSpec((*query.shape[:-1], value.shape[-1]), query.dtype)


@op("dot_product_attention", _ATTENTION, _attention_spec, layout="keras")
def _dot_product_attention(
    cx: Lowering, query: Value, key: Value, value: Value, bias: Any, mask: Any, scale: Any, is_causal: bool, **_: Any
) -> Value:
    if bias is not None or mask is not None and is_causal:
        raise Refusal("KT102", "`dot_product_attention` with a bias, or with a mask and `is_causal`, is not supported")
    values = [cx.keras_order(v) for v in (query, key, value)]
    extra = ""
    if mask is not None:
        values.append(cx.keras_order(mask))
        extra = ", attn_mask={3}" if mask.spec.dtype == "bool" else ", attn_mask={3}.bool()"
    extra += ", is_causal=True" if is_causal else ""
    extra += "" if scale is None else f", scale={literal(scale)}"
    heads = ", ".join(f"{{{i}}}.transpose(1, 2)" for i in range(3))
    spec = _attention_spec(query.spec, key.spec, value.spec)
    made: Value = cx.op(f"F.scaled_dot_product_attention({heads}{extra}).transpose(1, 2)", values, spec, KERAS)
    return made


# -- linear algebra ---------------------------------------------------------------------------------------------------
def _square(x: TensorSpec, **_: Any) -> TensorSpec:
    if x.rank < 2:
        raise Refusal("KT104", "a matrix is needed here")
    return x


def _of_matrix(name: str, template: str, scalar: bool = False) -> None:
    def spec(x: TensorSpec) -> TensorSpec:
        return TensorSpec(_square(x).shape[:-2], x.dtype) if scalar else _square(x)

    @op(name, "x", spec, layout="keras")
    def emit(cx: Lowering, x: Value) -> Value:
        x = cx.keras_order(x)
        value: Value = cx.op(template, x, spec(x.spec), KERAS)
        return value


_of_matrix("inv", "torch.linalg.inv({0})")
_of_matrix("det", "torch.linalg.det({0})", scalar=True)
_of_matrix("logdet", "torch.logdet({0})", scalar=True)


@op("cholesky", "x, upper=False", _square, layout="keras")
def _cholesky(cx: Lowering, x: Value, upper: bool) -> Value:
    x = cx.keras_order(x)
    value: Value = cx.op(f"torch.linalg.cholesky({{0}}{', upper=True' if upper else ''})", x, x.spec, KERAS)
    return value


@op("solve", "a, b", lambda a, b: TensorSpec(b.shape, a.dtype), layout="keras")
def _solve(cx: Lowering, a: Value, b: Value) -> Value:
    values = [cx.keras_order(a), cx.keras_order(b)]
    column = b.spec.rank == a.spec.rank - 1
    text = "torch.linalg.solve({0}, {1}.unsqueeze(-1)).squeeze(-1)" if column else "torch.linalg.solve({0}, {1})"
    value: Value = cx.op(text, values, TensorSpec(b.spec.shape, a.spec.dtype), KERAS)
    return value


# -- places in order --------------------------------------------------------------------------------------------------
@op("in_top_k", "targets, predictions, k", lambda targets, predictions, k: TensorSpec(targets.shape, "bool"),
    layout="keras")  # fmt: skip
def _in_top_k(cx: Lowering, targets: Value, predictions: Value, k: int) -> Value:
    """Equal values count for the target, as in TensorFlow."""
    values = [cx.keras_order(predictions), cx.keras_order(targets)]
    own = "torch.take_along_dim({0}, {1}.long().unsqueeze(-1), dim=-1)"
    text = f"({{0}} > {own}).sum(dim=-1) < {literal(k)}"
    value: Value = cx.op(text, values, TensorSpec(targets.spec.shape, "bool"), KERAS, operator=True)
    return value
