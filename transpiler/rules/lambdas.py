"""Lambda layers: the evaluator traces their function, and lowering puts that graph in place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transpiler.diagnostics import Refusal
from transpiler.graph.keras import Layer
from transpiler.rules.base import LayerRule, layer_rule, params

if TYPE_CHECKING:
    from transpiler.rules.lowering import Lowering


@layer_rule("keras.layers.Lambda")
class Lambda(LayerRule):
    """A function as a layer. ``output_shape`` only told Keras what tracing finds out."""

    layout = "any"
    params = params("function, output_shape=None, mask=None, arguments=None")

    def normalize(self, config: dict[str, Any], legacy: int | None = None) -> dict[str, Any]:
        if config["mask"] is not None:
            raise Refusal("KT102", "`Lambda` with a `mask` of its own is not supported")
        return config

    def infer(self, layer: Layer, inputs: Any, **call: Any) -> Any:
        raise Refusal("KT105", f"the Lambda layer `{layer.name}` cannot be used inside a wrapper")

    def lower(self, cx: Lowering, layer: Layer, inputs: Any, **call: Any) -> Any:
        raise Refusal("KT105", f"the Lambda layer `{layer.name}` cannot be used inside a wrapper")
