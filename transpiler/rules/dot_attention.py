"""Attention and AdditiveAttention: one head, no projections, and no scaling unless it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transpiler.diagnostics import Refusal
from transpiler.graph.keras import ApiObject, Layer, TensorSpec
from transpiler.graph.torch import WeightMap, WeightRef
from transpiler.rules.base import LayerRule, WeightSpec, layer_rule, params
from transpiler.rules.initializers import initializer

if TYPE_CHECKING:
    from transpiler.rules.lowering import Lowering


class _DotAttention(LayerRule):
    """A layer called on ``[query, value]`` or ``[query, value, key]``."""

    def infer(
        self,
        layer: Layer,
        inputs: Any,
        mask: Any = None,
        training: Any = None,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        if not isinstance(inputs, (list, tuple)) or len(inputs) not in (2, 3):
            raise Refusal("KT103", f"`{layer.symbol}` is called on a list of query, value and maybe key")
        query, value = inputs[0], inputs[1]
        output = TensorSpec((*query.shape[:-1], value.shape[-1]))
        if not return_attention_scores:
            return output
        return output, TensorSpec((*query.shape[:-1], value.shape[-2]))

    def mask(self, layer: Layer, inputs: Any, masks: Any) -> Any:
        return "pass" if isinstance(masks, (list, tuple)) and masks[0] else "stop"

    def scale_shape(self, query: TensorSpec) -> tuple[Any, ...]:
        """The shape of the variable ``scale``."""
        return ()

    def kind(self, layer: Layer) -> str:
        """How scores are made: ``dot``, ``concat`` or ``additive``."""
        return str(layer.config["score_mode"])

    def weights(self, layer: Layer, inputs: Any) -> tuple[WeightSpec, ...]:
        specs = [WeightSpec("scale", self.scale_shape(inputs[0]))] if layer.config["use_scale"] else []
        if self.kind(layer) == "concat":
            specs.append(WeightSpec("concat_score_weight", ()))
        return tuple(specs)

    def lower(
        self,
        cx: Lowering,
        layer: Layer,
        inputs: Any,
        mask: Any = None,
        training: Any = None,
        return_attention_scores: Any = False,
        use_causal_mask: Any = False,
    ) -> Any:
        if training is not None and layer.config["dropout"]:
            raise Refusal("KT102", "an attention layer with dropout called with `training=` is not supported")
        values = [cx.keras_order(v) for v in inputs]
        specs = self.infer(layer, [v.spec for v in values], return_attention_scores=bool(return_attention_scores))
        distinct = list(dict.fromkeys(values))
        arguments = ", ".join(f"{{{distinct.index(v)}}}" for v in values)
        for name, given in zip(("query_mask", "value_mask"), mask or (), strict=False):
            if given is not None:
                distinct += [] if given in distinct else [given]
                arguments += f", {name}={{{distinct.index(given)}}}"
        if use_causal_mask:
            arguments += ", causal=True"
        module = self._module(cx, layer, values[0].spec)
        if return_attention_scores:
            return tuple(cx.call(module, distinct, list(specs), arguments=arguments))
        return cx.call(module, distinct, [specs], unpack="{0}, _", arguments=arguments)[0]

    def _module(self, cx: Lowering, layer: Layer, query: TensorSpec) -> Any:
        extra: dict[str, Any] = {}
        if self.kind(layer) != "dot":
            extra["scores"] = self.kind(layer)
        if layer.config["dropout"]:
            extra["dropout"] = layer.config["dropout"]
        maps, starts = [], {}
        for spec in self.weights(layer, [query]):
            maps.append(WeightMap(spec.name, (WeightRef(layer, spec.name),)))
            starts[spec.name] = self.start(spec.name)
        if layer.config["use_scale"]:
            extra["scale_shape"] = self.scale_shape(query)
        return cx.module(
            "DotAttention",
            layer=layer,
            role="attn",
            weights=tuple(maps),
            helpers=("dot_attention",),
            initializers=starts,
            **extra,
        )

    def start(self, name: str) -> ApiObject:
        """The initialiser of a variable."""
        made = initializer("ones")
        assert isinstance(made, ApiObject)
        return made


@layer_rule("keras.layers.Attention")
class Attention(_DotAttention):
    """Luong's attention: scores are dot products."""

    params = params("use_scale=False, score_mode='dot', dropout=0.0, seed=None")

    def normalize(self, config: dict[str, Any], legacy: int | None = None) -> dict[str, Any]:
        if config["score_mode"] not in ("dot", "concat"):
            raise Refusal("KT103", f"`{config['score_mode']}` is not a score mode of `Attention`")
        return config


@layer_rule("keras.layers.AdditiveAttention")
class AdditiveAttention(_DotAttention):
    """Bahdanau's attention: scores are sums of tanh."""

    params = params("use_scale=True, dropout=0.0, seed=None")

    def kind(self, layer: Layer) -> str:
        return "additive"

    def scale_shape(self, query: TensorSpec) -> tuple[Any, ...]:
        return (query.shape[-1],)

    def start(self, name: str) -> ApiObject:
        made = initializer("glorot_uniform", fans=(1, 1))
        assert isinstance(made, ApiObject)
        return made
