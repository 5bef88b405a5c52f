"""Pooling over windows, and over everything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transpiler.graph.keras import Layer, TensorSpec
from transpiler.graph.torch import FIRST, KERAS, Value
from transpiler.rules.base import LayerRule, layer_rule, params
from transpiler.rules.convolution import run_time_same
from transpiler.rules.layout import call_text, single
from transpiler.rules.spatial import (
    Pads,
    check_format,
    check_padding,
    check_rank,
    ntuple,
    padded,
    same_pads,
    symmetric,
    window_shape,
)

if TYPE_CHECKING:
    from transpiler.rules.lowering import Lowering


class _Pool(LayerRule):
    """Base of max and average pooling."""

    layout = "first"
    rank = 0

    def normalize(self, config: dict[str, Any], legacy: int | None = None) -> dict[str, Any]:
        config["pool_size"] = ntuple(config["pool_size"], self.rank, "pool_size")
        strides = config["strides"]
        config["strides"] = config["pool_size"] if strides is None else ntuple(strides, self.rank, "strides")
        config["padding"] = check_padding(config["padding"])
        check_format(config, self.symbol)
        return config

    def infer(self, layer: Layer, inputs: TensorSpec, **call: Any) -> TensorSpec:
        check_rank(layer.symbol, inputs, self.rank)
        config = layer.config
        ones = (1,) * self.rank
        sizes = window_shape(inputs.shape[1:-1], config["pool_size"], config["strides"], config["padding"], ones)
        return TensorSpec((inputs.shape[0], *sizes, inputs.shape[-1]), inputs.dtype)

    def lower(self, cx: Lowering, layer: Layer, inputs: Value) -> Value:
        config = layer.config
        spec = self.infer(layer, inputs.spec)
        pads: Pads | None = ((0, 0),) * self.rank
        if config["padding"] == "same":
            pads = same_pads(inputs.spec.shape[1:-1], config["pool_size"], config["strides"], (1,) * self.rank)
        if pads is None:
            return self.unknown_size(cx, layer, inputs, spec)
        return self.pool(cx, layer, inputs, spec, pads)

    def arguments(self, config: dict[str, Any], pads: Pads) -> tuple[Any, dict[str, Any]]:
        """The window, and the keyword arguments that differ from torch's defaults."""
        found: dict[str, Any] = {}
        if config["strides"] != config["pool_size"]:
            found["stride"] = single(config["strides"])
        if symmetric(pads) and any(left for left, _ in pads):
            found["padding"] = single(tuple(left for left, _ in pads))
        return single(config["pool_size"]), found

    def module_call(
        self, cx: Lowering, layer: Layer, x: Value, spec: TensorSpec, cls: str, window: Any, **kwargs: Any
    ) -> Value:
        """Call the torch pool."""
        module = cx.module(cls, window, layer=layer, role="pool", **kwargs)
        result: Value = cx.call(module, x, spec, FIRST, module_form=call_text(cls, window, **kwargs))
        return result

    def pool(self, cx: Lowering, layer: Layer, x: Value, spec: TensorSpec, pads: Pads) -> Value:
        """Pool with known padding."""
        raise NotImplementedError

    def unknown_size(self, cx: Lowering, layer: Layer, x: Value, spec: TensorSpec) -> Value:
        """Pool with padding that depends on a run-time size."""
        raise NotImplementedError


class _Max(_Pool):
    def _fits(self, config: dict[str, Any], pads: Pads) -> bool:
        """Torch pads by half the window at most."""
        return symmetric(pads) and all(p <= k // 2 for (p, _), k in zip(pads, config["pool_size"], strict=True))

    def pool(self, cx: Lowering, layer: Layer, x: Value, spec: TensorSpec, pads: Pads) -> Value:
        if not self._fits(layer.config, pads):
            x = padded(cx, x, pads, 'float("-inf")')
            pads = ((0, 0),) * self.rank
        window, arguments = self.arguments(layer.config, pads)
        return self.module_call(cx, layer, x, spec, f"nn.MaxPool{self.rank}d", window, **arguments)

    def unknown_size(self, cx: Lowering, layer: Layer, x: Value, spec: TensorSpec) -> Value:
        if layer.config["pool_size"] == layer.config["strides"] == (2,) * self.rank:
            return self.module_call(cx, layer, x, spec, f"nn.MaxPool{self.rank}d", 2, ceil_mode=True)
        config = {**layer.config, "kernel_size": layer.config["pool_size"], "dilation_rate": (1,) * self.rank}
        x = run_time_same(cx, x, config, 'float("-inf")')
        return self.pool(cx, layer, x, spec, ((0, 0),) * self.rank)


class _Average(_Pool):
    def pool(self, cx: Lowering, layer: Layer, x: Value, spec: TensorSpec, pads: Pads) -> Value:
        config = layer.config
        fits = symmetric(pads) and all(p <= k // 2 for (p, _), k in zip(pads, config["pool_size"], strict=True))
        window, arguments = self.arguments(config, pads)
        cls = f"nn.AvgPool{self.rank}d"
        if fits:
            if "padding" in arguments:
                arguments["count_include_pad"] = False
            return self.module_call(cx, layer, x, spec, cls, window, **arguments)
        if all(p == 0 for p, _ in pads) and self._ceil_fits(x, config, pads):
            return self.module_call(cx, layer, x, spec, cls, window, **arguments, ceil_mode=True)
        return self.unknown_size(cx, layer, x, spec)

    @staticmethod
    def _ceil_fits(x: Value, config: dict[str, Any], pads: Pads) -> bool:
        """With ``ceil_mode`` torch lets the last window hang over the end and counts only what is inside."""
        windows = zip(x.spec.shape[1:-1], config["pool_size"], config["strides"], pads, strict=True)
        return all(
            end == 0 or -(-(int(n) - k) // s) + 1 == -(-int(n) // s)  # type: ignore[arg-type]
            for n, k, s, (_, end) in windows
        )

    def unknown_size(self, cx: Lowering, layer: Layer, x: Value, spec: TensorSpec) -> Value:
        config = layer.config
        if config["pool_size"] == config["strides"] == (2,) * self.rank:
            return self.module_call(cx, layer, x, spec, f"nn.AvgPool{self.rank}d", 2, ceil_mode=True)
        module = cx.module(
            "SameAvgPool", config["pool_size"], config["strides"], layer=layer, role="pool", helpers=("same_avg_pool",)
        )
        result: Value = cx.call(module, x, spec, FIRST)
        return result


_WINDOW = "pool_size={size}, strides=None, padding='valid', data_format=None, name=None"
_OLD = {"padding": "border_mode", "data_format": "dim_ordering"}
_OLD1 = {"pool_size": "pool_length", "strides": "stride", **_OLD}


def _window(size: str) -> Any:
    text = _WINDOW.replace(", name=None", "").format(size=size)
    return params(text, **(_OLD1 if size == "2" else _OLD))


@layer_rule("keras.layers.MaxPooling1D")
class MaxPooling1D(_Max):
    rank = 1
    params = _window("2")
    examples = (("MaxPooling1D(2)", (9, 3)),)


@layer_rule("keras.layers.MaxPooling2D")
class MaxPooling2D(_Max):
    rank = 2
    params = _window("(2, 2)")
    examples = (("MaxPooling2D(3, strides=2, padding='same')", (8, 9, 3)),)


@layer_rule("keras.layers.MaxPooling3D")
class MaxPooling3D(_Max):
    rank = 3
    params = _window("(2, 2, 2)")
    examples = (("MaxPooling3D()", (6, 4, 5, 2)),)


@layer_rule("keras.layers.AveragePooling1D")
class AveragePooling1D(_Average):
    rank = 1
    params = params("pool_size=2, strides=None, padding='valid', data_format=None", **_OLD1)
    examples = (("AveragePooling1D(2)", (9, 3)),)


@layer_rule("keras.layers.AveragePooling2D")
class AveragePooling2D(_Average):
    rank = 2
    params = _window("(2, 2)")
    examples = (("AveragePooling2D(3, strides=1, padding='same')", (8, 9, 3)),)


@layer_rule("keras.layers.AveragePooling3D")
class AveragePooling3D(_Average):
    rank = 3
    params = _window("(2, 2, 2)")
    examples = (("AveragePooling3D(2)", (6, 4, 5, 2)),)


# -- global -----------------------------------------------------------------------------------------------------------
class _Global(LayerRule):
    """Pools away every spatial axis."""

    layout = "any"
    rank = 0
    function = ""
    params = params("data_format=None, keepdims=False", data_format="dim_ordering")

    def normalize(self, config: dict[str, Any], legacy: int | None = None) -> dict[str, Any]:
        check_format(config, self.symbol)
        return config

    def infer(self, layer: Layer, inputs: TensorSpec, **call: Any) -> TensorSpec:
        check_rank(layer.symbol, inputs, self.rank)
        if layer.config["keepdims"]:
            return TensorSpec((inputs.shape[0], *(1,) * self.rank, inputs.shape[-1]), inputs.dtype)
        return TensorSpec((inputs.shape[0], inputs.shape[-1]), inputs.dtype)

    def lower(self, cx: Lowering, layer: Layer, inputs: Value) -> Value:
        return self.reduce(cx, layer, inputs)

    def reduce(self, cx: Lowering, layer: Layer, x: Value) -> Value:
        """``x.mean(dim=(2, 3))`` or ``x.amax(dim=…)``."""
        dims = tuple(sorted(cx.dim(x, axis) for axis in range(1, self.rank + 1)))
        keep = layer.config["keepdims"]
        where = str(dims[0]) if len(dims) == 1 else str(dims)
        text = f"{{0}}.{self.function}(dim={where}{', keepdim=True' if keep else ''})"
        result: Value = cx.op(text, x, self.infer(layer, x.spec), x.layout if keep else KERAS)
        return result


class _GlobalAverage(_Global):
    function = "mean"


class _GlobalMax(_Global):
    function = "amax"


@layer_rule("keras.layers.GlobalAveragePooling1D")
class GlobalAveragePooling1D(_GlobalAverage):
    """The mean over time; masked steps do not count."""

    rank = 1
    examples = (("GlobalAveragePooling1D()", (6, 3)),)

    def lower(self, cx: Lowering, layer: Layer, inputs: Value, mask: Value | None = None) -> Value:
        if mask is None:
            return self.reduce(cx, layer, inputs)
        x = cx.keras_order(inputs)
        spec = self.infer(layer, x.spec)
        keep = ", keepdim=True" if layer.config["keepdims"] else ""
        unsqueezed = ".unsqueeze(-1)" if layer.config["keepdims"] else ""
        template = f"({{0}} * {{1}}.unsqueeze(-1)).sum(dim=1{keep}) / {{1}}.sum(dim=1, keepdim=True){unsqueezed}"
        result: Value = cx.op(template, [x, mask], spec, KERAS, operator=True)
        return result


@layer_rule("keras.layers.GlobalAveragePooling2D")
class GlobalAveragePooling2D(_GlobalAverage):
    rank = 2
    examples = (("GlobalAveragePooling2D()", (6, 5, 3)),)


@layer_rule("keras.layers.GlobalAveragePooling3D")
class GlobalAveragePooling3D(_GlobalAverage):
    rank = 3
    examples = (("GlobalAveragePooling3D()", (3, 4, 5, 2)),)


@layer_rule("keras.layers.GlobalMaxPooling1D")
class GlobalMaxPooling1D(_GlobalMax):
    rank = 1
    examples = (("GlobalMaxPooling1D()", (6, 3)),)


@layer_rule("keras.layers.GlobalMaxPooling2D")
class GlobalMaxPooling2D(_GlobalMax):
    rank = 2
    examples = (("GlobalMaxPooling2D(keepdims=True)", (6, 5, 3)),)


@layer_rule("keras.layers.GlobalMaxPooling3D")
class GlobalMaxPooling3D(_GlobalMax):
    rank = 3
    examples = (("GlobalMaxPooling3D()", (3, 4, 5, 2)),)
