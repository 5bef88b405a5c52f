"""Layers that only Keras 1 and 2 had: dilated and transposed convolutions by their old names, Maxout, Highway."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from transpiler.diagnostics import Refusal
from transpiler.graph.keras import ApiObject, Layer, TensorSpec
from transpiler.graph.symbolic import is_known
from transpiler.graph.torch import Value, WeightMap, WeightOp, WeightRef
from transpiler.rules.activations import checked_activation
from transpiler.rules.arguments import refuse_given, settings
from transpiler.rules.base import LayerRule, WeightSpec, layer_rule, params
from transpiler.rules.convolution import Conv1D, Conv2D, Conv2DTranspose, Conv3DTranspose, legacy_kernel
from transpiler.rules.initializers import initializer
from transpiler.rules.layout import literal

if TYPE_CHECKING:
    from transpiler.rules.lowering import Lowering

_WEIGHTS = (
    "kernel_regularizer=None, bias_regularizer=None, activity_regularizer=None, kernel_constraint=None, "
    "bias_constraint=None, use_bias=True"
)
_OLD = {
    "kernel_initializer": "init",
    "kernel_regularizer": "W_regularizer",
    "bias_regularizer": "b_regularizer",
    "kernel_constraint": "W_constraint",
    "bias_constraint": "b_constraint",
    "use_bias": "bias",
}
_CONV = {
    "filters": "nb_filter",
    "padding": "border_mode",
    "strides": "subsample subsample_length",
    "data_format": "dim_ordering",
    **_OLD,
}
_START = "kernel_initializer='glorot_uniform', activation=None, weights=None, padding='valid', "


@layer_rule("keras.layers.AtrousConvolution1D")
class AtrousConvolution1D(Conv1D):
    """A dilated ``Conv1D``."""

    params = params(
        f"filters, kernel_size, {_START}strides=1, dilation_rate=1, {_WEIGHTS}, bias_initializer='zeros', "
        "data_format=None",
        **{**_CONV, "kernel_size": "filter_length", "dilation_rate": "atrous_rate"},
    )
    examples = (("AtrousConvolution1D(4, 3, atrous_rate=2)", (9, 3)), ("AtrousConvolution1D(4, 3)", (9, 3)))


@layer_rule("keras.layers.AtrousConvolution2D")
class AtrousConvolution2D(Conv2D):
    """A dilated ``Conv2D``."""

    params = params(
        f"filters, kernel_size, {_START}strides=(1, 1), dilation_rate=(1, 1), data_format=None, {_WEIGHTS}, "
        "bias_initializer='zeros'",
        **{**_CONV, "dilation_rate": "atrous_rate"},
    )
    examples = (
        ("AtrousConvolution2D(4, 3, 3, atrous_rate=(2, 2))", (9, 8, 3)),
        ("AtrousConvolution2D(4, 3, 2)", (9, 8, 3)),
    )

    def bind_legacy(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return _bound(args, kwargs, 2)


class _Deconvolution:
    """A transposed convolution whose output size is given as well; it must be the size that follows."""

    def bind_legacy(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        rank: int = self.rank  # type: ignore[attr-defined]
        return _bound(args, kwargs, rank)

    def normalize(self, config: dict[str, Any], legacy: int | None = None) -> dict[str, Any]:
        shape = config.pop("output_shape")
        config["dilation_rate"], config["output_padding"] = 1, None
        config = super().normalize(config, legacy)  # type: ignore[misc]
        return {**config, "output_shape": tuple(shape)}

    def infer(self, layer: Layer, inputs: TensorSpec, **call: Any) -> TensorSpec:
        made: TensorSpec = super().infer(layer, inputs)  # type: ignore[misc]
        given = layer.config["output_shape"]
        for wanted, size in zip(given[1:], made.shape[1:], strict=True):
            if is_known(wanted) and is_known(size) and wanted != size:
                raise Refusal("KT102", f"`output_shape={given}` is not {literal(made.shape[1:])}, which follows here")
        return made


def _bound(args: tuple[Any, ...], kwargs: dict[str, Any], rank: int) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The kernel's sizes as one argument."""
    found: tuple[tuple[Any, ...], dict[str, Any]] = legacy_kernel(args, {**kwargs, "keras1": True}, rank, 1)
    return found


_DECONV = (
    f"filters, kernel_size, output_shape, {_START}strides=1, data_format=None, {_WEIGHTS}, bias_initializer='zeros'"
)


@layer_rule("keras.layers.Deconvolution2D")
class Deconvolution2D(_Deconvolution, Conv2DTranspose):
    """Keras 1's ``Conv2DTranspose``."""

    params = params(_DECONV, **_CONV)
    examples = (("Deconvolution2D(4, 3, 3, (None, 12, 10, 4), subsample=(2, 2), border_mode='same')", (6, 5, 3)),)


@layer_rule("keras.layers.Deconvolution3D")
class Deconvolution3D(_Deconvolution, Conv3DTranspose):
    """Keras 1's ``Conv3DTranspose``."""

    params = params(_DECONV, **_CONV)
    examples = (("Deconvolution3D(4, 2, 2, 2, (None, 6, 8, 4, 4), subsample=(2, 2, 2))", (3, 4, 2, 3)),)


class _OldDense(LayerRule):
    """A layer on vectors with weights of its own."""

    layout = "keras"

    def normalize(self, config: dict[str, Any], legacy: int | None = None) -> dict[str, Any]:
        refuse_given(config, self.symbol, "activity_regularizer")
        if "activation" in config:
            config["activation"] = checked_activation(config["activation"])
        return config

    def width(self, inputs: TensorSpec) -> int:
        """The number of input features."""
        if inputs.rank != 2:
            raise Refusal("KT104", f"`{self.symbol}` takes a tensor of rank 2, not {inputs.rank}")
        if not is_known(inputs.shape[-1]):
            raise Refusal("KT201", f"the number of features before `{self.symbol}` must be known")
        return int(inputs.shape[-1])  # type: ignore[arg-type]


@layer_rule("keras.layers.MaxoutDense")
class MaxoutDense(_OldDense):
    """The largest of several linear layers, element by element."""

    params = params(
        f"output_dim, nb_feature=4, kernel_initializer='glorot_uniform', weights=None, {_WEIGHTS}, "
        "bias_initializer='zeros'",
        **_OLD,
    )

    def infer(self, layer: Layer, inputs: TensorSpec, **call: Any) -> TensorSpec:
        self.width(inputs)
        return TensorSpec((inputs.shape[0], layer.config["output_dim"]))

    def weights(self, layer: Layer, inputs: Any) -> tuple[WeightSpec, ...]:
        count, units = layer.config["nb_feature"], layer.config["output_dim"]
        kernel = WeightSpec("W", (count, inputs.shape[-1], units))
        return (kernel, WeightSpec("b", (count, units))) if layer.config["use_bias"] else (kernel,)

    def lower(self, cx: Lowering, layer: Layer, inputs: Value) -> Value:
        config = layer.config
        width, count, units = self.width(inputs.spec), config["nb_feature"], config["output_dim"]
        flat = count * units
        turn = (WeightOp("transpose", ((0, 2, 1),)), WeightOp("reshape", ((flat, width),)))
        maps = [WeightMap("weight", (WeightRef(layer, "W"),), turn)]
        keys = [("kernel", "weight")]
        if config["use_bias"]:
            maps.append(WeightMap("bias", (WeightRef(layer, "b"),), (WeightOp("reshape", ((flat,),)),)))
            keys.append(("bias", "bias"))
        tables: dict[str, Any] = settings(config, *keys)
        fan = prod((count, width, units)) ** 0.5  # what Keras 1 took for both fans of three axes
        tables["initializers"]["weight"] = initializer(config["kernel_initializer"], (fan, fan))
        extra: dict[str, Any] = {} if config["use_bias"] else {"bias": False}
        module = cx.module("nn.Linear", width, flat, layer=layer, role="fc", weights=tuple(maps), **tables, **extra)
        pieces = cx.call(module, inputs, TensorSpec((inputs.spec.shape[0], flat)))
        spec = self.infer(layer, inputs.spec)
        value: Value = cx.op(f"{{0}}.unflatten(1, ({count}, {literal(units)})).amax(dim=1)", pieces, spec)
        return value


@layer_rule("keras.layers.Highway")
class Highway(_OldDense):
    """A linear layer, and a gate that lets its input pass by."""

    params = params(
        f"kernel_initializer='glorot_uniform', activation=None, weights=None, {_WEIGHTS}, bias_initializer='zeros', "
        "transform_bias=-2",
        **_OLD,
    )

    def infer(self, layer: Layer, inputs: TensorSpec, **call: Any) -> TensorSpec:
        self.width(inputs)
        return inputs

    def weights(self, layer: Layer, inputs: Any) -> tuple[WeightSpec, ...]:
        width = inputs.shape[-1]
        names = ("W", "W_carry", "b", "b_carry") if layer.config["use_bias"] else ("W", "W_carry")
        return tuple(WeightSpec(name, (width, width) if name.startswith("W") else (width,)) for name in names)

    def lower(self, cx: Lowering, layer: Layer, inputs: Value) -> Value:
        gate = cx.op("torch.sigmoid({0})", self._linear(cx, layer, inputs, "carry"), inputs.spec)
        x = cx.activation(layer.config["activation"], self._linear(cx, layer, inputs, ""))
        value: Value = cx.op("{0} * {1} + (1 - {0}) * {2}", [gate, x, inputs], inputs.spec, operator=True)
        return value

    def _linear(self, cx: Lowering, layer: Layer, x: Value, part: str) -> Value:
        config, width = layer.config, self.width(x.spec)
        end = f"_{part}" if part else ""
        maps = [WeightMap("weight", (WeightRef(layer, f"W{end}"),), (WeightOp("transpose", ((1, 0),)),))]
        keys = [("kernel", "weight")]
        if config["use_bias"]:
            maps.append(WeightMap("bias", (WeightRef(layer, f"b{end}"),)))
            keys.append(("bias", "bias"))
        tables: dict[str, Any] = settings(config, *keys)
        if part and config["use_bias"]:
            start = ApiObject("keras.initializers.Constant", {"value": float(config["transform_bias"])})
            tables["initializers"]["bias"] = initializer(start)
        extra: dict[str, Any] = {} if config["use_bias"] else {"bias": False}
        module = cx.module(
            "nn.Linear", width, width, layer=layer, role="gate" if part else "fc", suffix=part, weights=tuple(maps),
            **tables, **extra,
        )  # fmt: skip
        value: Value = cx.call(module, x, x.spec)
        return value


@layer_rule("keras.layers.ThresholdedReLU")
class ThresholdedReLU(LayerRule):
    """Zero up to a threshold, the input above."""

    layout = "any"
    params = params("theta=1.0")
    examples = (("ThresholdedReLU(0.3)", (5,)),)

    def infer(self, layer: Layer, inputs: TensorSpec, **call: Any) -> TensorSpec:
        return inputs

    def mask(self, layer: Layer, inputs: Any, masks: Any) -> Any:
        return "pass"

    def lower(self, cx: Lowering, layer: Layer, inputs: Value, training: Any = None) -> Value:
        theta = literal(float(layer.config["theta"]))
        return cx.elementwise(f"F.threshold({{0}}, {theta}, 0.0)", inputs, f"nn.Threshold({theta}, 0.0)")
