"""``normalizer.adapt(data)``: the output makes the adapted layer there, and hands it to the model."""

from __future__ import annotations

from typing import Any

import libcst as cst

from transpiler.diagnostics import Refusal
from transpiler.evaluate.core import Evaluator
from transpiler.graph.keras import Layer
from transpiler.graph.program import Action, Array

ADAPT = "keras.layers.Normalization.adapt"


def call_layer_method(
    ev: Evaluator, layer: Layer, name: str, args: list[Any], kwargs: dict[str, Any], node: cst.Call
) -> None:
    """A method of a layer; ``adapt`` of a `Normalization` is the one that is translated."""
    if name != "adapt" or layer.symbol != "keras.layers.Normalization" or layer.config["mean"] is not None:
        raise Refusal("KT302", f"`{name}` of a layer is not translated")
    data = args[0] if args else kwargs.get("data")
    if not isinstance(data, Array) or len(args) + len(kwargs) != 1:
        raise Refusal("KT302", "`adapt` is translated on one NumPy array", "wrap the data: `adapt(np.array(data))`")
    if not isinstance(node.func, cst.Attribute) or not isinstance(node.func.value, cst.Name):
        raise Refusal("KT302", "`adapt` is translated for a layer in a variable of its own")
    if ev.origin(node).frames or ev.unknown_depth:
        raise Refusal("KT302", "`adapt` in a function, a loop or a branch is not translated")
    if node not in ev.positions:
        raise Refusal("KT302", "`adapt` in another file is not translated", "adapt the layer where the model is made")
    if any(_uses(model.layers, layer) for model in ev.program.models):
        raise Refusal("KT302", "`adapt` after the layer went into a model is not translated", "adapt it before")
    layer.config["adapted"] = node.func.value.value
    span, scope = ev.span(node), ev.scope.qualified_name
    ev.record(Action(ADAPT, {"data": data}, span, scope, discarded=True, node=node, layer=layer))


def _uses(layers: Any, layer: Layer) -> bool:
    return any(item is layer or _uses(getattr(item, "layers", ()), layer) for item in layers)
