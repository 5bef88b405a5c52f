"""Convolutions, transposed, depthwise and separable ones."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from transpiler.diagnostics import Refusal
from transpiler.graph.keras import Layer, TensorSpec
from transpiler.graph.symbolic import Dim, is_known
from transpiler.graph.torch import FIRST, Module, Value, WeightMap, WeightOp, WeightRef
from transpiler.rules.base import LayerRule, WeightSpec, layer_rule, params
from transpiler.rules.constraints import constraint
from transpiler.rules.initializers import initializer
from transpiler.rules.layout import single
from transpiler.rules.regularizers import regularizer
from transpiler.rules.spatial import (
    Pads,
    check_format,
    check_padding,
    check_rank,
    ntuple,
    padded,
    same_pads,
    scalar_dim,
    symmetric,
    window_shape,
)

if TYPE_CHECKING:
    from transpiler.rules.lowering import Lowering

_KERNEL = (
    "kernel_initializer='glorot_uniform', bias_initializer='zeros', kernel_regularizer=None, bias_regularizer=None, "
    "activity_regularizer=None, kernel_constraint=None, bias_constraint=None"
)
_OLD = {
    "padding": "border_mode",
    "strides": "subsample subsample_length",
    "data_format": "dim_ordering",
    "use_bias": "bias",
    "kernel_initializer": "init",
    "kernel_regularizer": "W_regularizer",
    "bias_regularizer": "b_regularizer",
    "kernel_constraint": "W_constraint",
    "bias_constraint": "b_constraint",
}
_KERAS1 = {"border_mode", "subsample", "nb_filter", "W_regularizer", "init", "dim_ordering", "bias"}


def legacy_kernel(args: tuple[Any, ...], kwargs: dict[str, Any], rank: int, first: int) -> Any:
    """Keras 1 gave the kernel's sizes one by one: ``Convolution2D(32, 3, 3)``, ``nb_row=3``."""
    kwargs = dict(kwargs)
    for name in ("kernel_dim1", "kernel_dim2", "kernel_dim3"):
        if name in kwargs:
            kwargs.setdefault("kernel_size", ())
            kwargs["kernel_size"] = (*kwargs["kernel_size"], kwargs.pop(name))
    if "nb_row" in kwargs and "nb_col" in kwargs:
        kwargs["kernel_size"] = (kwargs.pop("nb_row"), kwargs.pop("nb_col"))
    sizes = args[first : first + rank]
    keras1 = kwargs.pop("keras1", False) or bool(_KERAS1 & set(kwargs))
    ints = all(isinstance(size, int) and not isinstance(size, bool) for size in sizes)
    if rank > 1 and len(sizes) == rank and ints and (keras1 or len(args) > first + rank):
        args = (*args[:first], tuple(sizes), *args[first + rank :])
    return args, kwargs


class _Conv(LayerRule):
    """Base of the ordinary convolutions."""

    layout = "first"
    rank = 0

    def bind_legacy(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        bound: tuple[tuple[Any, ...], dict[str, Any]] = legacy_kernel(args, kwargs, self.rank, 1)
        return bound

    def normalize(self, config: dict[str, Any], legacy: int | None = None) -> dict[str, Any]:
        config["kernel_size"] = ntuple(config["kernel_size"], self.rank, "kernel_size")
        config["strides"] = ntuple(config["strides"], self.rank, "strides")
        config["dilation_rate"] = ntuple(config.get("dilation_rate", 1), self.rank, "dilation_rate")
        allowed = ("valid", "same", "causal") if self.rank == 1 else ("valid", "same")
        config["padding"] = check_padding(config["padding"], allowed)
        check_format(config, self.symbol)
        if config.get("activity_regularizer") is not None:
            raise Refusal("KT102", "`activity_regularizer` is not supported yet")
        return config

    def infer(self, layer: Layer, inputs: TensorSpec, **call: Any) -> TensorSpec:
        check_rank(layer.symbol, inputs, self.rank)
        config = layer.config
        sizes = window_shape(
            inputs.shape[1:-1], config["kernel_size"], config["strides"], config["padding"], config["dilation_rate"]
        )
        self.check_groups(config, inputs.shape[-1])
        return TensorSpec((inputs.shape[0], *sizes, self.channels(config, inputs.shape[-1])), inputs.dtype)

    def check_groups(self, config: dict[str, Any], channels: Dim) -> None:
        """Groups must divide both numbers of channels."""
        groups = config.get("groups", 1)
        if groups != 1 and is_known(channels) and (int(channels) % groups or int(config["filters"]) % groups):  # type: ignore[arg-type]
            filters = config["filters"]
            raise Refusal("KT104", f"{groups} groups do not divide {channels} input channels and {filters} filters")

    def channels(self, config: dict[str, Any], channels: Dim) -> Dim:
        """The number of output channels."""
        result: Dim = config["filters"]
        return result

    def weights(self, layer: Layer, inputs: Any) -> tuple[WeightSpec, ...]:
        config = layer.config
        channels = inputs.shape[-1]
        groups = config.get("groups", 1)
        per_group = channels if groups == 1 or channels is None else channels // groups
        kernel = WeightSpec("kernel", (*config["kernel_size"], per_group, config["filters"]))
        return (kernel, WeightSpec("bias", (config["filters"],))) if config["use_bias"] else (kernel,)

    def lower(self, cx: Lowering, layer: Layer, inputs: Value) -> Value:
        config = layer.config
        x, padding = before_window(cx, inputs, config)
        spec = self.infer(layer, inputs.spec)
        channels = inputs.spec.shape[-1]
        lazy = channels is None
        args = (config["filters"],) if lazy else (channels, config["filters"])
        module = cx.module(
            f"nn.{'Lazy' if lazy else ''}Conv{self.rank}d",
            *args,
            layer=layer,
            role="conv",
            weights=kernel_maps(layer, self.rank),
            **kernel_objects(layer, None),
            **window_arguments(config, padding),
        )
        return cx.activation(config["activation"], cx.call(module, x, spec, FIRST))


def window_arguments(config: dict[str, Any], padding: Any) -> dict[str, Any]:
    """The keyword arguments of a torch convolution that differ from torch's defaults."""
    found: dict[str, Any] = {"kernel_size": single(config["kernel_size"])}
    if single(config["strides"]) != 1:
        found["stride"] = single(config["strides"])
    if padding:
        found["padding"] = padding
    if single(config["dilation_rate"]) != 1:
        found["dilation"] = single(config["dilation_rate"])
    if config.get("groups", 1) != 1:
        found["groups"] = config["groups"]
    if not config["use_bias"]:
        found["bias"] = False
    return found


def before_window(cx: Lowering, x: Value, config: dict[str, Any]) -> tuple[Value, Any]:
    """The input, padded where torch's own argument cannot say it, and that argument (0 where it is not needed)."""
    kernel, strides, dilation = config["kernel_size"], config["strides"], config["dilation_rate"]
    if config["padding"] == "valid":
        return x, 0
    if config["padding"] == "causal":
        return padded(cx, x, ((dilation[0] * (kernel[0] - 1), 0),)), 0
    pads = same_pads(x.spec.shape[1:-1], kernel, strides, dilation)
    if pads is None:
        return run_time_same(cx, x, config), 0
    if symmetric(pads):
        sides = tuple(left for left, _ in pads)
        return x, single(sides)
    return padded(cx, x, pads), 0


def run_time_same(cx: Lowering, x: Value, config: dict[str, Any], value: str = "0.0") -> Value:
    """``same`` padding that depends on a size known only when the model runs."""
    kernel, strides, dilation = config["kernel_size"], config["strides"], config["dilation_rate"]
    call = f"same_pad({{0}}, {kernel}, {strides}, {dilation}{'' if value == '0.0' else f', value={value}'})"
    spec = TensorSpec((x.spec.shape[0], *(None,) * len(kernel), x.spec.shape[-1]), x.spec.dtype)
    result: Value = cx.op(call, x, spec, FIRST, helpers=("same_pad",))
    return result


def kernel_maps(layer: Layer, rank: int) -> tuple[WeightMap, ...]:
    """(…, in, out) → (out, in, …), and the bias."""
    axes = (rank + 1, rank, *range(rank))
    maps = [WeightMap("weight", (WeightRef(layer, "kernel"),), (WeightOp("transpose", (axes,)),))]
    if layer.config["use_bias"]:
        maps.append(WeightMap("bias", (WeightRef(layer, "bias"),)))
    return tuple(maps)


def kernel_objects(layer: Layer, found_fans: Any, kernel: str = "kernel") -> dict[str, Any]:
    """Initialisers, regularisers and constraints of a kernel and a bias, by state key."""
    config = layer.config
    names = {"weight": kernel} | ({"bias": "bias"} if config["use_bias"] and kernel == "kernel" else {})
    made: dict[str, Any] = {"initializers": {}, "regularizers": {}, "constraints": {}}
    for key, name in names.items():
        made["initializers"][key] = initializer(config[f"{name}_initializer"], found_fans if key == "weight" else None)
        made["regularizers"][key] = regularizer(config.get(f"{name}_regularizer"))
        made["constraints"][key] = constraint(config.get(f"{name}_constraint"))
    return made


@layer_rule("keras.layers.Conv1D")
class Conv1D(_Conv):
    rank = 1
    params = params(
        "filters, kernel_size, strides=1, padding='valid', data_format=None, dilation_rate=1, groups=1, "
        f"activation=None, use_bias=True, {_KERNEL}",
        **{**_OLD, "filters": "nb_filter", "kernel_size": "filter_length"},
    )
    examples = (("Conv1D(8, 3)", (10, 4)), ("Conv1D(8, 2, padding='causal', dilation_rate=2)", (10, 4)))


@layer_rule("keras.layers.Conv2D")
class Conv2D(_Conv):
    rank = 2
    params = params(
        "filters, kernel_size, strides=(1, 1), padding='valid', data_format=None, dilation_rate=(1, 1), groups=1, "
        f"activation=None, use_bias=True, {_KERNEL}",
        **{**_OLD, "filters": "nb_filter"},
    )
    examples = (("Conv2D(8, 3)", (10, 9, 4)), ("Conv2D(8, (3, 2), strides=2, padding='same')", (10, 9, 4)))


@layer_rule("keras.layers.Conv3D")
class Conv3D(_Conv):
    rank = 3
    params = params(
        "filters, kernel_size, strides=(1, 1, 1), padding='valid', data_format=None, dilation_rate=(1, 1, 1), "
        f"groups=1, activation=None, use_bias=True, {_KERNEL}",
        **{**_OLD, "filters": "nb_filter"},
    )
    examples = (("Conv3D(4, 3)", (6, 6, 5, 2)),)


# -- transposed -------------------------------------------------------------------------------------------------------
class _Transpose(_Conv):
    """``nn.ConvTransposeNd``: Keras' sizes are n·s (same) and n·s + max(k - s, 0) (valid)."""

    def normalize(self, config: dict[str, Any], legacy: int | None = None) -> dict[str, Any]:
        config = super().normalize(config, legacy)
        if config["padding"] == "causal":
            raise Refusal("KT103", "a transposed convolution has no causal padding")
        if config.get("output_padding") is not None:
            config["output_padding"] = ntuple(config["output_padding"], self.rank, "output_padding", least=0)
            if any(o >= s for o, s in zip(config["output_padding"], config["strides"], strict=True)):
                raise Refusal("KT103", "`output_padding` must be smaller than the stride")
        if config.get("output_shape") is not None:
            raise Refusal("KT102", "`output_shape` of a transposed convolution is not supported")
        return config

    def infer(self, layer: Layer, inputs: TensorSpec, **call: Any) -> TensorSpec:
        check_rank(layer.symbol, inputs, self.rank)
        sizes = tuple(self._size(layer.config, axis, size) for axis, size in enumerate(inputs.shape[1:-1]))
        return TensorSpec((inputs.shape[0], *sizes, layer.config["filters"]), inputs.dtype)

    def _size(self, config: dict[str, Any], axis: int, size: Dim) -> Dim:
        if size is None:
            return None
        stride: int = config["strides"][axis]
        reach = self._reach(config, axis)
        extra = config.get("output_padding")
        if extra is not None:
            shown = reach % 2 if config["padding"] == "same" else reach
            return scalar_dim((size - 1) * stride + (shown + extra[axis]))
        if config["padding"] == "same":
            return scalar_dim(size * stride)
        return scalar_dim(size * stride + max(reach - stride, 0))

    @staticmethod
    def _reach(config: dict[str, Any], axis: int) -> int:
        reach: int = config["dilation_rate"][axis] * (config["kernel_size"][axis] - 1) + 1
        return reach

    def weights(self, layer: Layer, inputs: Any) -> tuple[WeightSpec, ...]:
        config = layer.config
        kernel = WeightSpec("kernel", (*config["kernel_size"], config["filters"], inputs.shape[-1]))
        return (kernel, WeightSpec("bias", (config["filters"],))) if config["use_bias"] else (kernel,)

    def lower(self, cx: Lowering, layer: Layer, inputs: Value) -> Value:
        config = layer.config
        padding, output_padding, crop = self._torch_padding(config)
        channels = inputs.spec.shape[-1]
        spec = self.infer(layer, inputs.spec)
        lazy = channels is None
        arguments = window_arguments(config, single(padding) if any(padding) else 0)
        if any(output_padding):
            arguments["output_padding"] = single(output_padding)
        module = cx.module(
            f"nn.{'Lazy' if lazy else ''}ConvTranspose{self.rank}d",
            *((config["filters"],) if lazy else (channels, config["filters"])),
            layer=layer,
            role="deconv",
            weights=kernel_maps(layer, self.rank),
            **kernel_objects(layer, None),
            **arguments,
        )
        x = self._called(cx, module, inputs, spec, crop)
        return cx.activation(config["activation"], x)

    def _called(self, cx: Lowering, module: Module, x: Value, spec: TensorSpec, crop: Pads) -> Value:
        if not any(n for pair in crop for n in pair):
            result: Value = cx.call(module, x, spec, FIRST)
            return result
        sizes = tuple(
            n if n is None else scalar_dim(n + a + b) for n, (a, b) in zip(spec.shape[1:-1], crop, strict=True)
        )
        full = cx.call(module, x, TensorSpec((spec.shape[0], *sizes, spec.shape[-1]), spec.dtype), FIRST)
        return padded(cx, full, tuple((-a, -b) for a, b in crop))

    def _torch_padding(self, config: dict[str, Any]) -> tuple[tuple[int, ...], tuple[int, ...], Any]:
        """Torch's ``padding`` and ``output_padding``, and what is cropped after where these cannot say it.

        Torch gives (n - 1)·s + reach - 2·padding + output_padding; Keras' ``same`` cuts the surplus reach - s in
        halves, the larger one at the end, and fills up with zeros (bias) where reach < s.
        """
        padding, extra, crop = [], [], []
        for axis in range(self.rank):
            surplus = self._surplus(config, axis)
            front, odd = divmod(max(surplus, 0), 2)
            padding.append(front)
            extra.append(max(-surplus, 0))
            crop.append((0, odd))
        return tuple(padding), tuple(extra), tuple(crop)

    def _surplus(self, config: dict[str, Any], axis: int) -> int:
        """How much longer torch's bare output is than Keras': cut in halves if positive, filled at the end if not."""
        reach, stride = self._reach(config, axis), config["strides"][axis]
        given = config.get("output_padding")
        if given is not None:
            shown: int = given[axis]
            return (reach - reach % 2 if config["padding"] == "same" else 0) - shown
        surplus: int = reach - stride
        return surplus if config["padding"] == "same" else min(surplus, 0)


_TRANSPOSE = (
    "filters, kernel_size, strides={ones}, padding='valid', output_padding=None, data_format=None, "
    "dilation_rate={ones}, activation=None, use_bias=True, " + _KERNEL + ", output_shape=None"
)

_TRANSPOSE_3D = _TRANSPOSE.format(ones="(1, 1, 1)").replace(
    "output_padding=None, data_format=None", "data_format=None, output_padding=None"
)  # Keras' own order for volumes


@layer_rule("keras.layers.Conv1DTranspose")
class Conv1DTranspose(_Transpose):
    rank = 1
    params = params(_TRANSPOSE.format(ones="1"), **{**_OLD, "filters": "nb_filter"})
    examples = (("Conv1DTranspose(4, 3, strides=2, padding='same')", (6, 3)),)


@layer_rule("keras.layers.Conv2DTranspose")
class Conv2DTranspose(_Transpose):
    rank = 2
    params = params(_TRANSPOSE.format(ones="(1, 1)"), **{**_OLD, "filters": "nb_filter"})
    examples = (("Conv2DTranspose(4, 3, strides=2, padding='same')", (6, 5, 3)),)


@layer_rule("keras.layers.Conv3DTranspose")
class Conv3DTranspose(_Transpose):
    rank = 3
    params = params(_TRANSPOSE_3D, **{**_OLD, "filters": "nb_filter"})
    examples = (("Conv3DTranspose(4, 2, strides=2)", (3, 4, 3, 2)),)


# -- depthwise and separable ------------------------------------------------------------------------------------------
_DEPTHWISE = (
    "kernel_size, strides={ones}, padding='valid', depth_multiplier=1, data_format=None, dilation_rate={ones}, "
    "activation=None, use_bias=True, depthwise_initializer='glorot_uniform', bias_initializer='zeros', "
    "depthwise_regularizer=None, bias_regularizer=None, activity_regularizer=None, depthwise_constraint=None, "
    "bias_constraint=None"
)
_DEPTHWISE_OLD = {k: v for k, v in _OLD.items() if not k.startswith("kernel")} | {
    "depthwise_initializer": "kernel_initializer init",
    "depthwise_regularizer": "kernel_regularizer",
    "depthwise_constraint": "kernel_constraint",
}


def depthwise_map(layer: Layer, rank: int, channels: Any) -> WeightMap:
    """(…, c, m) → (c·m, 1, …): output channel c·m + j."""
    kernel = layer.config["kernel_size"]
    multiplier = layer.config["depth_multiplier"]
    axes = (rank, rank + 1, *range(rank))
    shape = (channels * multiplier, 1, *kernel)
    return WeightMap(
        "weight",
        (WeightRef(layer, "kernel" if "filters" not in layer.config else "depthwise_kernel"),),
        (WeightOp("transpose", (axes,)), WeightOp("reshape", (shape,))),
    )


def _known_channels(layer: Layer, channels: Dim) -> int:
    if not is_known(channels):
        raise Refusal("KT201", f"the number of channels before `{layer.symbol.rpartition('.')[2]}` must be known")
    return int(channels)  # type: ignore[arg-type]


class _Depthwise(_Conv):
    def bind_legacy(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return args, kwargs

    def check_groups(self, config: dict[str, Any], channels: Dim) -> None:
        """Every channel is its own group."""

    def channels(self, config: dict[str, Any], channels: Dim) -> Dim:
        return None if channels is None else channels * config["depth_multiplier"]

    def weights(self, layer: Layer, inputs: Any) -> tuple[WeightSpec, ...]:
        config = layer.config
        channels, multiplier = inputs.shape[-1], config["depth_multiplier"]
        kernel = WeightSpec("kernel", (*config["kernel_size"], channels, multiplier))
        return (kernel, WeightSpec("bias", (channels * multiplier,))) if config["use_bias"] else (kernel,)

    def lower(self, cx: Lowering, layer: Layer, inputs: Value) -> Value:
        config = layer.config
        channels = _known_channels(layer, inputs.spec.shape[-1])
        x, padding = before_window(cx, inputs, config)
        spec = self.infer(layer, inputs.spec)
        maps = [depthwise_map(layer, self.rank, channels)]
        if config["use_bias"]:
            maps.append(WeightMap("bias", (WeightRef(layer, "bias"),)))
        field, multiplier = prod(config["kernel_size"]), config["depth_multiplier"]
        objects = kernel_objects(layer, (field * channels, field * multiplier), "depthwise")
        if config["use_bias"]:
            objects["initializers"]["bias"] = initializer(config["bias_initializer"])
            objects["regularizers"]["bias"] = regularizer(config["bias_regularizer"])
            objects["constraints"]["bias"] = constraint(config["bias_constraint"])
        arguments = window_arguments({**config, "groups": channels}, padding)
        module = cx.module(
            f"nn.Conv{self.rank}d", channels, channels * multiplier, layer=layer, role="depthwise", weights=tuple(maps),
            **objects, **arguments,
        )  # fmt: skip
        return cx.activation(config["activation"], cx.call(module, x, spec, FIRST))


@layer_rule("keras.layers.DepthwiseConv1D")
class DepthwiseConv1D(_Depthwise):
    rank = 1
    params = params(_DEPTHWISE.format(ones="1"), **_DEPTHWISE_OLD)
    examples = (("DepthwiseConv1D(3, depth_multiplier=2)", (8, 3)),)


@layer_rule("keras.layers.DepthwiseConv2D")
class DepthwiseConv2D(_Depthwise):
    rank = 2
    params = params(_DEPTHWISE.format(ones="(1, 1)"), **_DEPTHWISE_OLD)
    examples = (("DepthwiseConv2D(3, depth_multiplier=2)", (8, 7, 3)),)


_SEPARABLE = (
    "filters, kernel_size, strides={ones}, padding='valid', data_format=None, dilation_rate={ones}, "
    "depth_multiplier=1, activation=None, use_bias=True, depthwise_initializer='glorot_uniform', "
    "pointwise_initializer='glorot_uniform', bias_initializer='zeros', depthwise_regularizer=None, "
    "pointwise_regularizer=None, bias_regularizer=None, activity_regularizer=None, depthwise_constraint=None, "
    "pointwise_constraint=None, bias_constraint=None"
)
_SEPARABLE_OLD = {k: v for k, v in _OLD.items() if not k.startswith("kernel")} | {"filters": "nb_filter"}


class _Separable(_Conv):
    """Depthwise, then pointwise; bias and activation belong to the second."""

    def check_groups(self, config: dict[str, Any], channels: Dim) -> None:
        """Every channel is its own group."""

    def weights(self, layer: Layer, inputs: Any) -> tuple[WeightSpec, ...]:
        config = layer.config
        channels, multiplier = inputs.shape[-1], config["depth_multiplier"]
        found = [
            WeightSpec("depthwise_kernel", (*config["kernel_size"], channels, multiplier)),
            WeightSpec("pointwise_kernel", (*(1,) * self.rank, channels * multiplier, config["filters"])),
        ]
        return (*found, WeightSpec("bias", (config["filters"],))) if config["use_bias"] else tuple(found)

    def lower(self, cx: Lowering, layer: Layer, inputs: Value) -> Value:
        config = layer.config
        channels = _known_channels(layer, inputs.spec.shape[-1])
        middle = channels * config["depth_multiplier"]
        x, padding = before_window(cx, inputs, config)
        spec = self.infer(layer, inputs.spec)
        field = prod(config["kernel_size"])
        depthwise = cx.module(
            f"nn.Conv{self.rank}d", channels, middle, layer=layer, role="depthwise", suffix="depthwise",
            weights=(depthwise_map(layer, self.rank, channels),),
            **kernel_objects(layer, (field * channels, field * config["depth_multiplier"]), "depthwise"),
            **window_arguments({**config, "groups": channels, "use_bias": False}, padding),
        )  # fmt: skip
        x = cx.call(depthwise, x, TensorSpec((*spec.shape[:-1], middle), spec.dtype), FIRST)
        x = cx.call(self._pointwise(cx, layer, middle), x, spec, FIRST)
        return cx.activation(config["activation"], x)

    def _pointwise(self, cx: Lowering, layer: Layer, middle: int) -> Module:
        config = layer.config
        axes = (self.rank + 1, self.rank, *range(self.rank))
        maps = [WeightMap("weight", (WeightRef(layer, "pointwise_kernel"),), (WeightOp("transpose", (axes,)),))]
        objects = kernel_objects(layer, (middle, config["filters"]), "pointwise")
        if config["use_bias"]:
            maps.append(WeightMap("bias", (WeightRef(layer, "bias"),)))
            objects["initializers"]["bias"] = initializer(config["bias_initializer"])
            objects["regularizers"]["bias"] = regularizer(config["bias_regularizer"])
            objects["constraints"]["bias"] = constraint(config["bias_constraint"])
        bias: dict[str, Any] = {} if config["use_bias"] else {"bias": False}
        return cx.module(
            f"nn.Conv{self.rank}d", middle, config["filters"], layer=layer, role="pointwise", suffix="pointwise",
            weights=tuple(maps), kernel_size=1, **objects, **bias,
        )  # fmt: skip


@layer_rule("keras.layers.SeparableConv1D")
class SeparableConv1D(_Separable):
    rank = 1
    params = params(_SEPARABLE.format(ones="1"), **_SEPARABLE_OLD)
    examples = (("SeparableConv1D(6, 3, padding='same')", (8, 3)),)


@layer_rule("keras.layers.SeparableConv2D")
class SeparableConv2D(_Separable):
    rank = 2
    params = params(_SEPARABLE.format(ones="(1, 1)"), **_SEPARABLE_OLD)
    examples = (("SeparableConv2D(6, 3, depth_multiplier=2)", (8, 7, 3)),)
