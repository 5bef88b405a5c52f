"""Adaptive pooling: windows that follow from the size of the result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transpiler.graph.keras import Layer, TensorSpec
from transpiler.graph.torch import FIRST, Value
from transpiler.rules.base import LayerRule, layer_rule, params
from transpiler.rules.layout import call_text, single
from transpiler.rules.spatial import check_format, check_rank, ntuple

if TYPE_CHECKING:
    from transpiler.rules.lowering import Lowering


class _Adaptive(LayerRule):
    """``nn.AdaptiveAvgPoolNd`` and ``nn.AdaptiveMaxPoolNd``."""

    layout = "first"
    rank = 0
    kind = ""
    params = params("output_size, data_format=None")

    def normalize(self, config: dict[str, Any], legacy: int | None = None) -> dict[str, Any]:
        config["output_size"] = ntuple(config["output_size"], self.rank, "output_size")
        check_format(config, self.symbol)
        return config

    def infer(self, layer: Layer, inputs: TensorSpec, **call: Any) -> TensorSpec:
        check_rank(layer.symbol, inputs, self.rank)
        return TensorSpec((inputs.shape[0], *layer.config["output_size"], inputs.shape[-1]), inputs.dtype)

    def lower(self, cx: Lowering, layer: Layer, inputs: Value) -> Value:
        cls, size = f"nn.Adaptive{self.kind}Pool{self.rank}d", single(layer.config["output_size"])
        module = cx.module(cls, size, layer=layer, role="pool")
        value: Value = cx.call(module, inputs, self.infer(layer, inputs.spec), FIRST, module_form=call_text(cls, size))
        return value


@layer_rule("keras.layers.AdaptiveAveragePooling1D")
class AdaptiveAveragePooling1D(_Adaptive):
    rank, kind = 1, "Avg"
    examples = (("AdaptiveAveragePooling1D(3)", (7, 3)),)


@layer_rule("keras.layers.AdaptiveAveragePooling2D")
class AdaptiveAveragePooling2D(_Adaptive):
    rank, kind = 2, "Avg"
    examples = (("AdaptiveAveragePooling2D((2, 3))", (7, 5, 3)),)


@layer_rule("keras.layers.AdaptiveAveragePooling3D")
class AdaptiveAveragePooling3D(_Adaptive):
    rank, kind = 3, "Avg"
    examples = (("AdaptiveAveragePooling3D(2)", (4, 5, 6, 2)),)


@layer_rule("keras.layers.AdaptiveMaxPooling1D")
class AdaptiveMaxPooling1D(_Adaptive):
    rank, kind = 1, "Max"
    examples = (("AdaptiveMaxPooling1D(3)", (7, 3)),)


@layer_rule("keras.layers.AdaptiveMaxPooling2D")
class AdaptiveMaxPooling2D(_Adaptive):
    rank, kind = 2, "Max"
    examples = (("AdaptiveMaxPooling2D((2, 3))", (7, 5, 3)),)


@layer_rule("keras.layers.AdaptiveMaxPooling3D")
class AdaptiveMaxPooling3D(_Adaptive):
    rank, kind = 3, "Max"
    examples = (("AdaptiveMaxPooling3D(2)", (4, 5, 6, 2)),)
