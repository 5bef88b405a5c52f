"""Layers that add noise in training: the dropouts and Gaussian noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transpiler.diagnostics import Refusal
from transpiler.graph.keras import Layer, TensorSpec
from transpiler.graph.symbolic import is_known
from transpiler.graph.torch import FIRST, Module, Value
from transpiler.rules.base import LayerRule, layer_rule, params
from transpiler.rules.layout import call_text, literal

if TYPE_CHECKING:
    from transpiler.rules.lowering import Lowering


def checked_rate(layer_name: str, rate: Any) -> Any:
    """A dropout rate that Keras takes: from 0 to 1."""
    if is_known(rate) and not 0 <= rate <= 1:
        raise Refusal("KT103", f"`{layer_name}` takes a rate from 0 to 1, not {rate}")
    return rate


class _Noise(LayerRule):
    """A layer that keeps its input's shape and passes the mask."""

    layout = "any"

    def infer(self, layer: Layer, inputs: TensorSpec, **call: Any) -> TensorSpec:
        return inputs

    def mask(self, layer: Layer, inputs: Any, masks: Any) -> Any:
        return "pass"

    def normalize(self, config: dict[str, Any], legacy: int | None = None) -> dict[str, Any]:
        if "rate" in config:
            checked_rate(self.symbol, config["rate"])
        return config


def _refuse_forced_training(call: dict[str, Any]) -> None:
    if call.get("training") is not None:
        raise Refusal("KT102", "a noise layer called with `training=` of its own follows no `model.train()`")


def _apply(cx: Lowering, module: Module, x: Value, form: str | None) -> Value:
    value: Value = cx.call(module, x, x.spec, layout=x.layout, features=x.features, module_form=form)
    return value


@layer_rule("keras.layers.Dropout")
class Dropout(_Noise):
    """``nn.Dropout``; with a noise shape, one mask along its axes of size one."""

    params = params("rate, noise_shape=None, seed=None", rate="p")
    examples = (("Dropout(0.5)", (8,)),)

    def lower(self, cx: Lowering, layer: Layer, inputs: Value, training: Any = None) -> Value:
        rate = layer.config["rate"]
        if training is not None:
            return _forced(cx, layer, inputs, training)
        if layer.config["noise_shape"] is not None:
            return shared_dropout(cx, layer, inputs, rate, tuple(layer.config["noise_shape"]))
        if isinstance(rate, (int, float)) and rate == 0:
            return inputs
        module = cx.module("nn.Dropout", rate, layer=layer, role="dropout")
        return _apply(cx, module, inputs, call_text("nn.Dropout", rate) if isinstance(rate, (int, float)) else None)


def _forced(cx: Lowering, layer: Layer, x: Value, training: Any) -> Value:
    """``Dropout(0.5)(x, training=True)``: Monte Carlo dropout."""
    if not isinstance(training, bool) or layer.config["noise_shape"] is not None:
        raise Refusal("KT102", "`training` of a dropout layer must be True or False here")
    if not training:
        return x
    return cx.elementwise(f"F.dropout({{0}}, {literal(layer.config['rate'])})", x)


def shared_dropout(
    cx: Lowering, layer: Layer, x: Value, rate: Any, noise_shape: tuple[Any, ...], suffix: str = ""
) -> Value:
    """Dropout whose mask is shared along the axes at which ``noise_shape`` (in Keras' order) is one."""
    if len(noise_shape) != x.spec.rank:
        raise Refusal("KT103", f"`noise_shape` has {len(noise_shape)} axes, the input {x.spec.rank}")
    shared = []
    for axis, size in enumerate(noise_shape):
        if is_known(size) and size == 1:
            shared.append(cx.dim(x, axis))
        elif size is not None and size != x.spec.shape[axis] and axis != 0:
            raise Refusal("KT102", "`noise_shape` must be 1, None or the input's size at each axis")
    helpers = ("shared_dropout",)
    module = cx.module(
        "SharedDropout", rate, tuple(sorted(shared)), layer=layer, role="dropout", suffix=suffix, helpers=helpers
    )
    return _apply(cx, module, x, None)


class _SpatialDropout(_Noise):
    """Drops whole channels: ``nn.DropoutNd`` on channels-first input."""

    params = params("rate, data_format=None, seed=None", rate="p", data_format="dim_ordering")
    rank = 0

    def normalize(self, config: dict[str, Any], legacy: int | None = None) -> dict[str, Any]:
        if config["data_format"] not in (None, "channels_last", "tf", "default"):
            raise Refusal("KT102", f"`{self.symbol}` with channels-first data is not supported")
        return super().normalize(config, legacy)

    def infer(self, layer: Layer, inputs: TensorSpec, **call: Any) -> TensorSpec:
        if inputs.rank != self.rank + 2:
            raise Refusal("KT104", f"`{layer.symbol}` takes a tensor of rank {self.rank + 2}, not {inputs.rank}")
        return inputs

    def lower(self, cx: Lowering, layer: Layer, inputs: Value, training: Any = None) -> Value:
        _refuse_forced_training({"training": training})
        if inputs.layout != FIRST:
            ones = (None, *([1] * self.rank), None)
            return shared_dropout(cx, layer, inputs, layer.config["rate"], ones)
        cls, rate = f"nn.Dropout{self.rank}d", layer.config["rate"]
        return _apply(cx, cx.module(cls, rate, layer=layer, role="dropout"), inputs, None)


@layer_rule("keras.layers.SpatialDropout1D")
class SpatialDropout1D(_SpatialDropout):
    """Drops whole features of a sequence."""

    params = params("rate, seed=None, data_format=None", rate="p")
    rank = 1
    examples = (("SpatialDropout1D(0.3)", (6, 4)),)


@layer_rule("keras.layers.SpatialDropout2D")
class SpatialDropout2D(_SpatialDropout):
    """Drops whole channels of an image."""

    rank = 2
    examples = (("SpatialDropout2D(0.3)", (6, 5, 4)),)


@layer_rule("keras.layers.SpatialDropout3D")
class SpatialDropout3D(_SpatialDropout):
    """Drops whole channels of a volume."""

    rank = 3
    examples = (("SpatialDropout3D(0.3)", (4, 3, 5, 2)),)


class _Helper(_Noise):
    """A noise layer that torch has not: a helper module with one number."""

    cls = ""
    helper = ""
    param = ""

    def lower(self, cx: Lowering, layer: Layer, inputs: Value, training: Any = None) -> Value:
        _refuse_forced_training({"training": training})
        module = cx.module(self.cls, layer.config[self.param], layer=layer, role="noise", helpers=(self.helper,))
        return _apply(cx, module, inputs, None)


@layer_rule("keras.layers.GaussianNoise")
class GaussianNoise(_Helper):
    """Adds normal noise in training."""

    params = params("stddev, seed=None", stddev="sigma")
    cls, helper, param = "GaussianNoise", "gaussian_noise", "stddev"
    examples = (("GaussianNoise(0.1)", (8,)),)


@layer_rule("keras.layers.GaussianDropout")
class GaussianDropout(_Helper):
    """Multiplies by normal noise around one in training."""

    params = params("rate, seed=None", rate="p")
    cls, helper, param = "GaussianDropout", "gaussian_dropout", "rate"
    examples = (("GaussianDropout(0.3)", (8,)),)


@layer_rule("keras.layers.AlphaDropout")
class AlphaDropout(_Noise):
    """``nn.AlphaDropout``: keeps mean and variance of its input."""

    params = params("rate, noise_shape=None, seed=None")
    examples = (("AlphaDropout(0.3)", (8,)),)

    def lower(self, cx: Lowering, layer: Layer, inputs: Value, training: Any = None) -> Value:
        _refuse_forced_training({"training": training})
        if layer.config["noise_shape"] is not None:
            raise Refusal("KT102", "`AlphaDropout` with `noise_shape` is not supported")
        module = cx.module("nn.AlphaDropout", layer.config["rate"], layer=layer, role="dropout")
        return _apply(cx, module, inputs, None)
