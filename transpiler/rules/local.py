"""LocallyConnected1D and 2D: convolutions whose weights differ from place to place."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from transpiler.diagnostics import Refusal
from transpiler.graph.keras import Layer, TensorSpec
from transpiler.graph.symbolic import is_known
from transpiler.graph.torch import FIRST, Value, WeightMap, WeightOp, WeightRef
from transpiler.rules.activations import checked_activation
from transpiler.rules.arguments import refuse_given, settings
from transpiler.rules.base import LayerRule, WeightSpec, layer_rule, params
from transpiler.rules.convolution import legacy_kernel
from transpiler.rules.initializers import initializer
from transpiler.rules.spatial import check_format, check_padding, check_rank, ntuple, window_shape

if TYPE_CHECKING:
    from transpiler.rules.lowering import Lowering

_PARAMS = (
    "filters, kernel_size, strides=1, padding='valid', data_format=None, activation=None, use_bias=True, "
    "kernel_initializer='glorot_uniform', bias_initializer='zeros', kernel_regularizer=None, bias_regularizer=None, "
    "activity_regularizer=None, kernel_constraint=None, bias_constraint=None, implementation=1"
)
_OLD = {
    "filters": "nb_filter", "kernel_size": "filter_length", "strides": "subsample subsample_length",
    "padding": "border_mode", "data_format": "dim_ordering", "kernel_initializer": "init",
    "kernel_regularizer": "W_regularizer", "bias_regularizer": "b_regularizer", "kernel_constraint": "W_constraint",
    "bias_constraint": "b_constraint", "use_bias": "bias",
}  # fmt: skip


class _LocallyConnected(LayerRule):
    """A layer on (batch, *spatial, channels)."""

    layout = "first"
    rank = 0
    params = params(_PARAMS, **_OLD)

    def bind_legacy(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        found: tuple[tuple[Any, ...], dict[str, Any]] = legacy_kernel(args, kwargs, self.rank, 1)
        return found

    def normalize(self, config: dict[str, Any], legacy: int | None = None) -> dict[str, Any]:
        refuse_given(config, self.symbol, "activity_regularizer")
        for name in ("kernel_size", "strides"):
            config[name] = ntuple(config[name], self.rank, name)
        if check_padding(config["padding"]) != "valid" or config["implementation"] != 1:
            raise Refusal("KT102", f"`{self.symbol}` is supported with `padding='valid'` and `implementation=1`")
        check_format(config, self.symbol)
        config["activation"] = checked_activation(config["activation"])
        return config

    def infer(self, layer: Layer, inputs: TensorSpec, **call: Any) -> TensorSpec:
        check_rank(layer.symbol, inputs, self.rank)
        if not all(is_known(size) for size in inputs.shape[1:]):
            raise Refusal("KT201", f"the sizes before `{layer.symbol}` must be known")
        return TensorSpec((inputs.shape[0], *self._places(layer, inputs), layer.config["filters"]))

    def _places(self, layer: Layer, inputs: TensorSpec) -> tuple[int, ...]:
        config = layer.config
        ones = (1,) * self.rank
        sizes = window_shape(inputs.shape[1:-1], config["kernel_size"], config["strides"], "valid", ones)
        return tuple(int(size) for size in sizes if size is not None)

    def weights(self, layer: Layer, inputs: Any) -> tuple[WeightSpec, ...]:
        places, filters = self._places(layer, inputs), layer.config["filters"]
        kernel = WeightSpec("kernel", (prod(places), prod(layer.config["kernel_size"]) * inputs.shape[-1], filters))
        return (kernel, WeightSpec("bias", (*places, filters))) if layer.config["use_bias"] else (kernel,)

    def lower(self, cx: Lowering, layer: Layer, inputs: Value) -> Value:
        config = layer.config
        places, kernel = self._places(layer, inputs.spec), config["kernel_size"]
        channels, filters = int(inputs.spec.shape[-1]), config["filters"]  # type: ignore[arg-type]
        extra: dict[str, Any] = {} if config["use_bias"] else {"bias": False}
        if set(config["strides"]) != {1}:
            extra["stride"] = config["strides"]
        keys = (("kernel", "weight"), ("bias", "bias")) if config["use_bias"] else (("kernel", "weight"),)
        tables: dict[str, Any] = settings(config, *keys)
        fans = (prod(kernel) * channels * prod(places), filters * prod(places))
        tables["initializers"]["weight"] = initializer(config["kernel_initializer"], fans)
        module = cx.module(
            "LocallyConnected", channels, filters, places, kernel, layer=layer, role="local",
            weights=self._maps(layer, places, channels), helpers=("locally_connected",), **tables, **extra,
        )  # fmt: skip
        x = cx.call(module, inputs, self.infer(layer, inputs.spec), FIRST)
        return cx.activation(config["activation"], x)

    def _maps(self, layer: Layer, places: tuple[int, ...], channels: int) -> tuple[WeightMap, ...]:
        """Keras has the channels last in a window, torch first."""
        kernel, filters, rank = layer.config["kernel_size"], layer.config["filters"], self.rank
        order = (*range(rank), 2 * rank, *range(rank, 2 * rank), 2 * rank + 1)
        ops = (
            WeightOp("reshape", ((*places, *kernel, channels, filters),)), WeightOp("transpose", (order,)),
            WeightOp("reshape", ((*places, channels * prod(kernel), filters),)),
        )  # fmt: skip
        maps = [WeightMap("weight", (WeightRef(layer, "kernel"),), ops)]
        if layer.config["use_bias"]:
            maps.append(WeightMap("bias", (WeightRef(layer, "bias"),)))
        return tuple(maps)


@layer_rule("keras.layers.LocallyConnected1D")
class LocallyConnected1D(_LocallyConnected):
    rank = 1


@layer_rule("keras.layers.LocallyConnected2D")
class LocallyConnected2D(_LocallyConnected):
    rank = 2
