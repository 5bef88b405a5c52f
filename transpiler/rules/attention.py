"""MultiHeadAttention, Attention and AdditiveAttention."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transpiler.diagnostics import Refusal
from transpiler.graph.keras import Layer, Tensor, TensorSpec
from transpiler.graph.symbolic import is_known
from transpiler.graph.torch import KERAS, Module, Value, WeightMap, WeightOp, WeightRef
from transpiler.rules.base import LayerRule, WeightSpec, layer_rule, params
from transpiler.rules.constraints import constraint
from transpiler.rules.initializers import initializer
from transpiler.rules.layout import normalize_axis
from transpiler.rules.regularizers import regularizer

if TYPE_CHECKING:
    from transpiler.rules.lowering import Lowering

_TRANSPOSE = WeightOp("transpose", ((1, 0),))


@layer_rule("keras.layers.MultiHeadAttention")
class MultiHeadAttention(LayerRule):
    """``nn.MultiheadAttention`` where the heads share out the embedding evenly, else a small module of our own."""

    params = params(
        "num_heads, key_dim, value_dim=None, dropout=0.0, use_bias=True, output_shape=None, attention_axes=None, "
        "sliding_window=None, flash_attention=None, kernel_initializer='glorot_uniform', bias_initializer='zeros', "
        "kernel_regularizer=None, bias_regularizer=None, activity_regularizer=None, kernel_constraint=None, "
        "bias_constraint=None, use_gate=False, seed=None"
    )

    def normalize(self, config: dict[str, Any], legacy: int | None = None) -> dict[str, Any]:
        for name in ("sliding_window", "activity_regularizer"):
            if config[name] is not None:
                raise Refusal("KT102", f"`MultiHeadAttention` with `{name}` is not supported")
        if config["use_gate"]:
            raise Refusal("KT102", "`MultiHeadAttention` with `use_gate` is not supported")
        if config["kernel_constraint"] is not None or config["bias_constraint"] is not None:
            raise Refusal("KT102", "`MultiHeadAttention` with constraints is not supported")
        config["value_dim"] = config["value_dim"] or config["key_dim"]
        shape = config["output_shape"]
        if shape is not None:
            config["output_shape"] = tuple(shape) if isinstance(shape, (list, tuple)) else (shape,)
            if len(config["output_shape"]) != 1:
                raise Refusal("KT102", "`output_shape` of several sizes is not supported")
        if isinstance(config["attention_axes"], int):
            config["attention_axes"] = (config["attention_axes"],)
        return config

    def infer(
        self,
        layer: Layer,
        query: TensorSpec,
        value: TensorSpec | None = None,
        key: TensorSpec | None = None,
        query_mask: Any = None,
        value_mask: Any = None,
        key_mask: Any = None,
        attention_mask: Any = None,
        return_attention_scores: bool = False,
        training: Any = None,
        use_causal_mask: bool = False,
    ) -> Any:
        if value is None:
            raise Refusal("KT103", "`MultiHeadAttention` is called with a query and a value")
        width = (layer.config["output_shape"] or (query.shape[-1],))[0]
        output = TensorSpec((*query.shape[:-1], width))
        if not return_attention_scores:
            return output
        if query.rank != 3:
            raise Refusal("KT102", "attention scores over several axes are not supported")
        scores = (query.shape[0], layer.config["num_heads"], query.shape[1], value.shape[1])
        return output, TensorSpec(scores)

    def mask(self, layer: Layer, inputs: Any, masks: Any) -> Any:
        return "pass" if masks is True else "stop"

    def weights(self, layer: Layer, inputs: Any) -> tuple[WeightSpec, ...]:
        """The variables of the four projections; ``inputs`` are the specs of query, value and maybe key."""
        given = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
        query, value = given[0].shape[-1], given[min(1, len(given) - 1)].shape[-1]
        key = given[2].shape[-1] if len(given) > 2 and given[2].rank == given[0].rank else value
        config = layer.config
        heads, key_dim, value_dim = config["num_heads"], config["key_dim"], config["value_dim"]
        shapes: dict[str, tuple[Any, ...]] = {
            "query": (query, heads, key_dim),
            "key": (key, heads, key_dim),
            "value": (value, heads, value_dim),
            "output": (heads, value_dim, (config["output_shape"] or (query,))[0]),
        }
        specs = []
        for name, shape in shapes.items():
            specs.append(WeightSpec(f"{name}_dense/kernel", shape))
            if config["use_bias"]:
                specs.append(WeightSpec(f"{name}_dense/bias", shape[2:] if name == "output" else shape[1:]))
        return tuple(specs)

    def lower(
        self,
        cx: Lowering,
        layer: Layer,
        query: Value,
        value: Any = None,
        key: Any = None,
        query_mask: Any = None,
        value_mask: Any = None,
        key_mask: Any = None,
        attention_mask: Any = None,
        return_attention_scores: Any = False,
        training: Any = None,
        use_causal_mask: Any = False,
    ) -> Any:
        if training is not None and layer.config["dropout"]:
            raise Refusal("KT102", "an attention layer with dropout called with `training=` is not supported")
        implicit = _implicit_masks(cx, layer)
        masks = [
            query_mask or implicit.get("query"),
            value_mask or implicit.get("value"),
            key_mask or implicit.get("key"),
        ]
        call = _Call(cx, layer, query, value, key if key is not None else value, masks, attention_mask)
        call.causal, call.scores = bool(use_causal_mask), bool(return_attention_scores)
        return call.emit()


def _implicit_masks(cx: Lowering, layer: Layer) -> dict[str, Value]:
    """The masks that travel with the call's tensors."""
    node = cx.node
    if node is None or node.target is not layer:
        return {}
    given = dict(zip(("query", "value", "key"), node.args, strict=False)) | dict(node.kwargs)
    return {
        name: cx.value(given[name].mask)
        for name in ("query", "value", "key")
        if isinstance(given.get(name), Tensor) and given[name].mask is not None
    }


class _Call:
    """One call of a MultiHeadAttention layer."""

    def __init__(
        self,
        cx: Lowering,
        layer: Layer,
        query: Value,
        value: Value,
        key: Value,
        masks: list[Value | None],
        attention_mask: Value | None,
    ) -> None:
        self.cx, self.layer, self.config = cx, layer, layer.config
        self.query, self.value, self.key = query, value, key
        self.masks, self.attention_mask = masks, attention_mask
        self.causal = self.scores = False
        self.dims = tuple(v.spec.shape[-1] for v in (query, key, value))

    def emit(self) -> Any:
        if self.query.spec.rank != 3:
            return self._over_axes()
        if self.builtin:
            return self._builtin()
        return self._own(self.query, self.value, self.key)

    @property
    def builtin(self) -> bool:
        """Whether ``nn.MultiheadAttention`` computes this."""
        config = self.config
        width = config["num_heads"] * config["key_dim"]
        if any(m is not None for m in self.masks) or self.attention_mask is not None:
            return False
        if config["output_shape"] not in (None, (self.dims[0],)) or config["value_dim"] != config["key_dim"]:
            return False
        if self.scores and config["dropout"]:
            return False
        return is_known(self.dims[0]) and width == self.dims[0]

    # -- torch's own ------------------------------------------------------------------------------------------------
    def _builtin(self) -> Any:
        cx, config = self.cx, self.config
        embed, kdim, vdim = self.dims
        extra: dict[str, Any] = {}
        if config["dropout"]:
            extra["dropout"] = config["dropout"]
        if not config["use_bias"]:
            extra["bias"] = False
        if kdim != embed or vdim != embed:
            extra |= {"kdim": kdim, "vdim": vdim}
        module = cx.module(
            "nn.MultiheadAttention",
            embed,
            config["num_heads"],
            layer=self.layer,
            role="attn",
            weights=self._builtin_maps(apart=bool("kdim" in extra)),
            **self._tables("in_proj", apart="kdim" in extra),
            **extra,
            batch_first=True,
        )
        return self._call_builtin(module)

    def _call_builtin(self, module: Module) -> Any:
        cx = self.cx
        distinct = list(dict.fromkeys([self.query, self.key, self.value]))
        slots = [f"{{{distinct.index(v)}}}" for v in (self.query, self.key, self.value)]
        arguments = ", ".join(slots)
        inputs = list(distinct)
        if self.causal:
            size = f"{slots[0]}.size(1), {slots[1]}.size(1)"
            blocked = f"torch.ones({size}, dtype=torch.bool, device={slots[0]}.device).triu(1)"
            steps = (self.query.spec.shape[1], self.key.spec.shape[1])
            mask = cx.op(blocked, distinct, TensorSpec(steps, "bool"), KERAS)
            arguments += f", attn_mask={{{len(inputs)}}}"
            inputs.append(mask)
        output = self._output_spec(self.query.spec)
        if not self.scores:
            made = cx.call(module, inputs, [output], unpack="{0}, _", arguments=f"{arguments}, need_weights=False")
            return made[0]
        arguments += ", average_attn_weights=False"
        return tuple(cx.call(module, inputs, [output, self._scores_spec()], arguments=arguments))

    def _output_spec(self, query: TensorSpec) -> TensorSpec:
        return TensorSpec((*query.shape[:-1], (self.config["output_shape"] or (query.shape[-1],))[0]))

    def _scores_spec(self) -> TensorSpec:
        batch, steps = self.query.spec.shape[:2]
        return TensorSpec((batch, self.config["num_heads"], steps, self.value.spec.shape[1]))

    def _ref(self, part: str, name: str) -> WeightRef:
        return WeightRef(self.layer, name, (f"{part}_dense",))

    def _projection(self, part: str, target: str, width: Any, depth: Any) -> WeightMap:
        """(D, heads, depth) → (heads · depth, D)."""
        ops = (WeightOp("reshape", ((width, self.config["num_heads"] * depth),)), _TRANSPOSE)
        return WeightMap(target, (self._ref(part, "kernel"),), ops)

    def _builtin_maps(self, apart: bool) -> tuple[WeightMap, ...]:
        embed, kdim, vdim = self.dims
        parts = (("query", "q", embed), ("key", "k", kdim), ("value", "v", vdim))
        maps = []
        if apart:
            maps += [self._projection(p, f"{s}_proj_weight", d, self.config["key_dim"]) for p, s, d in parts]
        else:
            joined = (WeightOp("reshape", ((embed, embed),)), _TRANSPOSE, WeightOp("concatenate", (0,)))
            maps.append(WeightMap("in_proj_weight", tuple(self._ref(p, "kernel") for p, _, _ in parts), joined))
        if self.config["use_bias"]:
            ops = (WeightOp("reshape", ((embed,),)), WeightOp("concatenate", (0,)))
            maps.append(WeightMap("in_proj_bias", tuple(self._ref(p, "bias") for p, _, _ in parts), ops))
        return (*maps, *self._output_maps("out_proj"))

    def _output_maps(self, target: str) -> list[WeightMap]:
        inner = self.config["num_heads"] * self.config["value_dim"]
        width = self._output_spec(self.query.spec).shape[-1]
        ops = (WeightOp("reshape", ((inner, width),)), _TRANSPOSE)
        maps = [WeightMap(f"{target}.weight", (self._ref("output", "kernel"),), ops)]
        if self.config["use_bias"]:
            maps.append(WeightMap(f"{target}.bias", (self._ref("output", "bias"),)))
        return maps

    def _tables(self, kind: str, apart: bool) -> dict[str, Any]:
        """Initialisers, regularisers and constraints by state key."""
        heads, key_dim, value_dim = (self.config[n] for n in ("num_heads", "key_dim", "value_dim"))
        width = self._output_spec(self.query.spec).shape[-1]
        depths = zip(self.dims, (key_dim, key_dim, value_dim), strict=True)
        fans = [(heads * d, depth * d) for d, depth in depths]
        names = ("query.weight", "key.weight", "value.weight")
        out, biases = "output", ["query.bias", "key.bias", "value.bias"]
        if kind == "in_proj":
            names = ("q_proj_weight", "k_proj_weight", "v_proj_weight") if apart else ("in_proj_weight",)  # type: ignore[assignment]
            out, biases = "out_proj", ["in_proj_bias"]
        entries = dict(zip(names, fans, strict=False)) | {f"{out}.weight": (heads * value_dim, heads * width)}
        kernels = {key: initializer(self.config["kernel_initializer"], fan) for key, fan in entries.items()}
        biases = [*biases, f"{out}.bias"] if self.config["use_bias"] else []
        starts = {key: initializer(self.config["bias_initializer"]) for key in biases}
        return {
            "initializers": kernels | starts,
            "regularizers": {key: regularizer(self.config["kernel_regularizer"]) for key in kernels}
            | {key: regularizer(self.config["bias_regularizer"]) for key in biases},
            "constraints": {key: constraint(self.config["kernel_constraint"]) for key in kernels},
        }

    # -- our own ----------------------------------------------------------------------------------------------------
    def _own_module(self) -> Module:
        config = self.config
        query, key, value = self.dims
        extra: dict[str, Any] = {}
        if key != query:
            extra["kdim"] = key
        if value != query:
            extra["vdim"] = value
        if config["value_dim"] != config["key_dim"]:
            extra["value_dim"] = config["value_dim"]
        width = self._output_spec(self.query.spec).shape[-1]
        if width != query:
            extra["out_dim"] = width
        if not config["use_bias"]:
            extra["bias"] = False
        if config["dropout"]:
            extra["dropout"] = config["dropout"]
        depths = (config["key_dim"], config["key_dim"], config["value_dim"])
        maps = []
        for part, dim, depth in zip(("query", "key", "value"), self.dims, depths, strict=True):
            maps.append(self._projection(part, f"{part}.weight", dim, depth))
            if config["use_bias"]:
                flat = (WeightOp("reshape", ((config["num_heads"] * depth,),)),)
                maps.append(WeightMap(f"{part}.bias", (self._ref(part, "bias"),), flat))
        return self.cx.module(
            "ProjectedAttention",
            query,
            config["num_heads"],
            config["key_dim"],
            layer=self.layer,
            role="attn",
            weights=(*maps, *self._output_maps("output")),
            helpers=("projected_attention",),
            **self._tables("own", apart=True),
            **extra,
        )

    def _own(self, query: Value, value: Value, key: Value) -> Any:
        mask = self._mask()
        distinct = list(dict.fromkeys([query, key, value]))
        arguments = ", ".join(f"{{{distinct.index(v)}}}" for v in (query, key, value))
        if mask is not None:
            arguments += f", mask={{{len(distinct)}}}"
            distinct.append(mask)
        if self.causal:
            arguments += ", causal=True"
        module = self._own_module()
        output = self._output_spec(query.spec)
        if not self.scores:
            made = self.cx.call(module, distinct, [output], unpack="{0}, _", arguments=arguments)
            return made[0]
        return tuple(self.cx.call(module, distinct, [output, self._scores_spec()], arguments=arguments))

    def _mask(self) -> Value | None:
        """All masks as one of shape (N, T, S), true where attention is allowed."""
        cx = self.cx
        parts: list[Value] = []
        texts: list[str] = []
        for mask, place in zip(self.masks, ("unsqueeze(2)", "unsqueeze(1)", "unsqueeze(1)"), strict=True):
            if mask is not None and (mask, place) not in zip(parts, texts, strict=True):
                parts.append(mask)
                texts.append(place)
        pieces = [f"{{{i}}}.{place}" for i, place in enumerate(texts)]
        if self.attention_mask is not None:
            convert = "" if self.attention_mask.spec.dtype == "bool" else ".bool()"
            pieces.append(f"{{{len(parts)}}}{convert}")
            parts.append(self.attention_mask)
        if not pieces:
            return None
        spec = TensorSpec((self.query.spec.shape[0], self.query.spec.shape[1], self.value.spec.shape[1]), "bool")
        value: Value = cx.op(" & ".join(pieces), parts, spec, KERAS, operator=len(pieces) > 1)
        return value

    def _over_axes(self) -> Any:
        """Inputs with several axes: those of attention become one, the others part of the batch."""
        cx, rank = self.cx, self.query.spec.rank
        if any(m is not None for m in self.masks) or self.attention_mask is not None or self.scores or self.causal:
            raise Refusal("KT102", "masks and scores of attention over several axes are not supported")
        if any(v is not self.query for v in (self.value, self.key)):
            raise Refusal("KT102", "attention over several axes is supported for one tensor with itself")
        axes = self.config["attention_axes"]
        chosen = list(range(1, rank - 1)) if axes is None else sorted(normalize_axis(a, rank) for a in axes)
        others = [a for a in range(rank - 1) if a not in chosen]
        order = [*others, *chosen, rank - 1]
        x = cx.keras_order(self.query)
        shape = x.spec.shape
        moved = (
            x
            if order == list(range(rank))
            else cx.op(
                f"{{0}}.permute({', '.join(map(str, order))})", x, TensorSpec(tuple(shape[a] for a in order)), KERAS
            )
        )
        count = len(others)
        flat = "" if count == 1 else f".flatten(0, {count - 1})"
        flat += "" if len(chosen) == 1 else f".flatten({1}, {len(chosen)})"
        steps = 1
        for a in chosen:
            steps = None if steps is None or shape[a] is None else steps * shape[a]  # type: ignore[assignment,operator]
        sequence = cx.op(f"{{0}}{flat}", moved, TensorSpec((None, steps, shape[-1])), KERAS)
        attended = self._own(sequence, sequence, sequence)
        return self._restored(moved, attended, order, count, len(chosen))

    def _restored(self, moved: Value, attended: Value, order: list[int], count: int, steps: int) -> Value:
        cx, shape = self.cx, moved.spec.shape
        width = attended.spec.shape[-1]
        back = [order.index(a) for a in range(len(order))]
        permute = "" if back == list(range(len(order))) else f".permute({', '.join(map(str, back))})"
        spread = f".unflatten(1, {{1}}.shape[{count}:{count + steps}])" if steps > 1 else ""
        spread += f".unflatten(0, {{1}}.shape[:{count}])" if count > 1 else ""
        whole = (*shape[:-1], width)
        value: Value = cx.op(
            f"{{0}}{spread}{permute}", [attended, moved], TensorSpec(tuple(whole[a] for a in back)), KERAS
        )
        return value
