"""GroupQueryAttention: query heads in groups that share a key and a value head."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transpiler.diagnostics import Refusal
from transpiler.graph.keras import Layer, TensorSpec
from transpiler.graph.symbolic import is_known
from transpiler.graph.torch import Value, WeightMap, WeightOp, WeightRef
from transpiler.rules.arguments import refuse_given
from transpiler.rules.base import LayerRule, WeightSpec, layer_rule, params
from transpiler.rules.constraints import constraint
from transpiler.rules.initializers import initializer
from transpiler.rules.regularizers import regularizer

if TYPE_CHECKING:
    from transpiler.rules.lowering import Lowering

_PARTS = ("query", "key", "value", "output")


@layer_rule("keras.layers.GroupedQueryAttention")
class GroupQueryAttention(LayerRule):
    """A module of our own: torch's has one width for all heads."""

    params = params(
        "head_dim, num_query_heads, num_key_value_heads, dropout=0.0, use_bias=True, sliding_window=None, "
        "flash_attention=None, kernel_initializer='glorot_uniform', bias_initializer='zeros', "
        "kernel_regularizer=None, bias_regularizer=None, activity_regularizer=None, kernel_constraint=None, "
        "bias_constraint=None, use_gate=False, seed=None"
    )

    def normalize(self, config: dict[str, Any], legacy: int | None = None) -> dict[str, Any]:
        refuse_given(config, self.symbol, "sliding_window", "activity_regularizer", "use_gate")
        if config["num_query_heads"] % config["num_key_value_heads"]:
            raise Refusal("KT103", "`num_query_heads` must be a multiple of `num_key_value_heads`")
        return config

    def infer(
        self,
        layer: Layer,
        query: TensorSpec,
        value: TensorSpec,
        key: TensorSpec | None = None,
        return_attention_scores: bool = False,
        **call: Any,
    ) -> Any:
        if query.rank != 3 or not all(is_known(x.shape[-1]) for x in (query, value)):
            raise Refusal("KT104", "`GroupQueryAttention` takes (batch, time, features) of known width")
        if not return_attention_scores:
            return TensorSpec(query.shape)
        scores = (query.shape[0], layer.config["num_query_heads"], query.shape[1], value.shape[1])
        return TensorSpec(query.shape), TensorSpec(scores)

    def mask(self, layer: Layer, inputs: Any, masks: Any) -> Any:
        return "pass" if masks is True else "stop"

    def _shapes(self, layer: Layer, widths: tuple[Any, Any, Any]) -> dict[str, tuple[Any, ...]]:
        """The kernels: query, key, value and output."""
        heads, shared = layer.config["num_query_heads"], layer.config["num_key_value_heads"]
        size = layer.config["head_dim"]
        query, key, value = widths
        found = ((query, heads, size), (key, shared, size), (value, shared, size), (heads, size, query))
        return dict(zip(_PARTS, found, strict=True))

    def weights(self, layer: Layer, inputs: Any) -> tuple[WeightSpec, ...]:
        given = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
        query, value = given[0].shape[-1], given[min(1, len(given) - 1)].shape[-1]
        key = given[2].shape[-1] if len(given) > 2 else value
        specs = []
        for part, shape in self._shapes(layer, (query, key, value)).items():
            specs.append(WeightSpec(f"_{part}_dense/kernel", shape))
            if layer.config["use_bias"]:
                specs.append(WeightSpec(f"_{part}_dense/bias", shape[2:] if part == "output" else shape[1:]))
        return tuple(specs)

    def lower(
        self,
        cx: Lowering,
        layer: Layer,
        query: Value,
        value: Value,
        key: Any = None,
        mask: Any = None,
        attention_mask: Any = None,
        return_attention_scores: Any = False,
        training: Any = None,
        use_causal_mask: Any = False,
        **masks: Any,
    ) -> Any:
        if mask is not None or any(given is not None for given in masks.values()):
            raise Refusal("KT102", "`GroupQueryAttention` on masked steps is not supported")
        if training is not None and layer.config["dropout"]:
            raise Refusal("KT102", "an attention layer with dropout called with `training=` is not supported")
        values = [query, value if key is None else key, value]
        distinct = list(dict.fromkeys(values))
        arguments = ", ".join(f"{{{distinct.index(v)}}}" for v in values)
        if attention_mask is not None:
            arguments += f", mask={{{len(distinct)}}}" + ("" if attention_mask.spec.dtype == "bool" else ".bool()")
            distinct.append(attention_mask)
        arguments += ", causal=True" if use_causal_mask else ""
        module = self._module(cx, layer, tuple(v.spec.shape[-1] for v in values))
        specs = self.infer(layer, query.spec, value.spec, return_attention_scores=bool(return_attention_scores))
        if return_attention_scores:
            return tuple(cx.call(module, distinct, list(specs), arguments=arguments))
        return cx.call(module, distinct, [specs], unpack="{0}, _", arguments=arguments)[0]

    def _module(self, cx: Lowering, layer: Layer, widths: tuple[Any, ...]) -> Any:
        config, (query, key, value) = layer.config, widths
        extra: dict[str, Any] = {} if config["use_bias"] else {"bias": False}
        extra |= {name: width for name, width in (("kdim", key), ("vdim", value)) if width != query}
        if config["dropout"]:
            extra["dropout"] = config["dropout"]
        maps: list[WeightMap] = []
        tables: dict[str, dict[str, Any]] = {"initializers": {}, "regularizers": {}, "constraints": {}}
        for part, shape in self._shapes(layer, (query, key, value)).items():
            maps += _maps(layer, part, shape)
            # Keras counts the axes between which the equation contracts
            fans = (shape[0] * shape[1], shape[2]) if part == "output" else (shape[0], shape[1] * shape[2])
            for name, target in (("kernel", "weight"), ("bias", "bias"))[: 1 + bool(config["use_bias"])]:
                start = initializer(config[f"{name}_initializer"], fans if name == "kernel" else None)
                tables["initializers"][f"{part}.{target}"] = start
                tables["regularizers"][f"{part}.{target}"] = regularizer(config[f"{name}_regularizer"])
                tables["constraints"][f"{part}.{target}"] = constraint(config[f"{name}_constraint"])
        sizes = (config["num_query_heads"], config["num_key_value_heads"], config["head_dim"])
        options: dict[str, Any] = {**tables, **extra}
        return cx.module(
            "GroupedAttention", query, *sizes, layer=layer, role="attn", weights=tuple(maps),
            helpers=("grouped_attention",), **options,
        )  # fmt: skip


def _maps(layer: Layer, part: str, shape: tuple[Any, ...]) -> list[WeightMap]:
    path = (f"_{part}_dense",)
    flat = (shape[0] * shape[1], shape[2]) if part == "output" else (shape[0], shape[1] * shape[2])
    ops = (WeightOp("reshape", (flat,)), WeightOp("transpose", ((1, 0),)))
    maps = [WeightMap(f"{part}.weight", (WeightRef(layer, "kernel", path),), ops)]
    if layer.config["use_bias"]:
        bias = () if part == "output" else (WeightOp("reshape", ((flat[1],),)),)
        maps.append(WeightMap(f"{part}.bias", (WeightRef(layer, "bias", path),), bias))
    return maps
