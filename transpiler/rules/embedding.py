"""Embedding and Masking: where implicit masks begin."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from transpiler.diagnostics import Refusal
from transpiler.graph.keras import Layer, TensorSpec
from transpiler.graph.torch import Value, WeightMap, WeightRef
from transpiler.rules.base import LayerRule, WeightSpec, layer_rule, params
from transpiler.rules.constraints import constraint
from transpiler.rules.initializers import initializer
from transpiler.rules.layout import literal
from transpiler.rules.regularizers import regularizer

if TYPE_CHECKING:
    from transpiler.rules.lowering import Lowering


@layer_rule("keras.layers.Embedding")
class Embedding(LayerRule):
    """``nn.Embedding``; the mask of ``mask_zero`` travels apart from it."""

    params = params(
        "input_dim, output_dim, embeddings_initializer='uniform', embeddings_regularizer=None, "
        "embeddings_constraint=None, mask_zero=False, lora_rank=None, lora_alpha=None, "
        "quantization_config=None, activity_regularizer=None, dropout=0.0",
        embeddings_initializer="init",
        embeddings_regularizer="W_regularizer",
        embeddings_constraint="W_constraint",
    )
    examples = (("Embedding(20, 4)", (6,)), ("Embedding(20, 4, mask_zero=True)", (6,)))

    def normalize(self, config: dict[str, Any], legacy: int | None = None) -> dict[str, Any]:
        for name in ("lora_rank", "quantization_config", "activity_regularizer"):
            if config[name] is not None:
                raise Refusal("KT102", f"`Embedding` with `{name}` is not supported")
        if config["dropout"]:
            raise Refusal("KT102", "the `dropout` that Keras 1's `Embedding` had is not supported")
        return config

    def infer(self, layer: Layer, inputs: TensorSpec, **call: Any) -> TensorSpec:
        return TensorSpec((*inputs.shape, layer.config["output_dim"]))

    def mask(self, layer: Layer, inputs: Any, masks: Any) -> Any:
        return "make" if layer.config["mask_zero"] else "stop"

    def mask_ops(self, layer: Layer) -> tuple[tuple[str, tuple[Any, ...], dict[str, Any]], ...]:
        return (("keras.ops.not_equal", (0,), {}),)

    def weights(self, layer: Layer, inputs: Any) -> tuple[WeightSpec, ...]:
        return (WeightSpec("embeddings", (layer.config["input_dim"], layer.config["output_dim"])),)

    def lower(self, cx: Lowering, layer: Layer, inputs: Value) -> Value:
        config = layer.config
        if cx.options.drop_in or inputs.spec.dtype not in ("int32", "int64"):
            inputs = cx.op("{0}.long()", inputs, replace(inputs.spec, dtype="int64"))
        module = cx.module(
            "nn.Embedding",
            config["input_dim"],
            config["output_dim"],
            layer=layer,
            role="embedding",
            weights=(WeightMap("weight", (WeightRef(layer, "embeddings"),)),),
            # torch takes the columns for the fan-in
            initializers={"weight": _turned(config)},
            regularizers={"weight": regularizer(config["embeddings_regularizer"])},
            constraints={"weight": constraint(config["embeddings_constraint"])},
        )
        value: Value = cx.call(module, inputs, self.infer(layer, inputs.spec))
        return value


def _turned(config: dict[str, Any]) -> Any:
    return initializer(config["embeddings_initializer"], fans=(config["input_dim"], config["output_dim"]))


@layer_rule("keras.layers.Masking")
class Masking(LayerRule):
    """Zeroes the steps whose features all equal a value, and masks them from there on."""

    params = params("mask_value=0.0")
    examples = (("Masking(mask_value=-1.0)", (5, 3)),)

    def infer(self, layer: Layer, inputs: TensorSpec, **call: Any) -> TensorSpec:
        return inputs

    def mask(self, layer: Layer, inputs: Any, masks: Any) -> Any:
        return "make"

    def mask_ops(self, layer: Layer) -> tuple[tuple[str, tuple[Any, ...], dict[str, Any]], ...]:
        return (("keras.ops.not_equal", (layer.config["mask_value"],), {}), ("keras.ops.any", (), {"axis": -1}))

    def lower(self, cx: Lowering, layer: Layer, inputs: Value) -> Value:
        value = layer.config["mask_value"]
        if value == 0:
            return inputs  # zeroing zeros
        template = f"{{0}} * ({{0}} != {literal(value)}).any(dim=-1, keepdim=True)"
        result: Value = cx.op(template, inputs, inputs.spec, operator=True)
        return result
