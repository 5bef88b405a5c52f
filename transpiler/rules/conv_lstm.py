"""ConvLSTM1D, 2D and 3D: a written-out cell of convolutions, run over (N, C, T, *spatial)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transpiler.diagnostics import Refusal
from transpiler.graph.keras import Layer, TensorSpec
from transpiler.graph.symbolic import is_known
from transpiler.graph.torch import FIRST, Code, Module, Value, WeightMap, WeightOp, WeightRef
from transpiler.rules.base import LayerRule, WeightSpec, layer_rule, params
from transpiler.rules.constraints import constraint
from transpiler.rules.initializers import forget_bias, initializer
from transpiler.rules.layout import single
from transpiler.rules.recurrent import split_state
from transpiler.rules.recurrent_cells import activation_code
from transpiler.rules.regularizers import regularizer
from transpiler.rules.spatial import check_format, check_padding, check_rank, ntuple, padded, same_pads, symmetric
from transpiler.rules.spatial import window_shape as sizes_after

if TYPE_CHECKING:
    from transpiler.rules.lowering import Lowering

_PATH = ("cell",)
_PARAMS = (
    "filters, kernel_size, strides=1, padding='valid', data_format=None, dilation_rate=1, activation='tanh', "
    "recurrent_activation='sigmoid', use_bias=True, kernel_initializer='glorot_uniform', "
    "recurrent_initializer='orthogonal', bias_initializer='zeros', unit_forget_bias=True, kernel_regularizer=None, "
    "recurrent_regularizer=None, bias_regularizer=None, activity_regularizer=None, kernel_constraint=None, "
    "recurrent_constraint=None, bias_constraint=None, dropout=0.0, recurrent_dropout=0.0, seed=None, "
    "return_sequences=False, return_state=False, go_backwards=False, stateful=False, unroll=False"
)
_OLD = {
    "filters": "nb_filter", "padding": "border_mode", "strides": "subsample", "data_format": "dim_ordering",
    "kernel_initializer": "init", "recurrent_initializer": "inner_init", "recurrent_activation": "inner_activation",
    "dropout": "dropout_W", "recurrent_dropout": "dropout_U",
}  # fmt: skip


class _ConvLSTM(LayerRule):
    """A layer on (batch, time, *spatial, channels)."""

    layout = "first"
    rank = 0
    params = params(_PARAMS, **_OLD)

    def normalize(self, config: dict[str, Any], legacy: int | None = None) -> dict[str, Any]:
        for name in ("kernel_size", "strides", "dilation_rate"):
            config[name] = ntuple(config[name], self.rank, name)
        config["padding"] = check_padding(config["padding"])
        check_format(config, self.symbol)
        if config["stateful"]:
            raise Refusal("KT102", "`stateful=True` is not supported: the state between batches is not kept")
        if config["activity_regularizer"] is not None:
            raise Refusal("KT102", "`activity_regularizer` of a recurrent layer is not supported")
        return config

    def state_shape(self, layer: Layer, sequence: TensorSpec) -> TensorSpec:
        """The spec of one state, which is one step's output too."""
        config = layer.config
        windows = (config["kernel_size"], config["strides"], config["padding"], config["dilation_rate"])
        sizes = sizes_after(sequence.shape[2:-1], *windows)
        return TensorSpec((sequence.shape[0], *sizes, config["filters"]))

    def infer(self, layer: Layer, inputs: Any, initial_state: Any = None, **call: Any) -> Any:
        sequence = inputs[0] if isinstance(inputs, (list, tuple)) else inputs
        check_rank(layer.symbol, sequence, self.rank + 1)
        if not all(is_known(size) for size in sequence.shape[2:]):
            raise Refusal("KT201", f"`{layer.symbol}` must know the size and the channels of its images, as in Keras")
        state = self.state_shape(layer, sequence)
        output = state
        if layer.config["return_sequences"]:
            output = TensorSpec((state.shape[0], sequence.shape[1], *state.shape[1:]))
        return [output, state, state] if layer.config["return_state"] else output

    def weights(self, layer: Layer, inputs: Any) -> tuple[WeightSpec, ...]:
        config = layer.config
        channels = (inputs[0] if isinstance(inputs, (list, tuple)) else inputs).shape[-1]
        wide = 4 * config["filters"]
        kernel = WeightSpec("cell/kernel", (*config["kernel_size"], channels, wide))
        recurrent = WeightSpec("cell/recurrent_kernel", (*config["kernel_size"], config["filters"], wide))
        bias = (WeightSpec("cell/bias", (wide,)),) if config["use_bias"] else ()
        return (kernel, recurrent, *bias)

    def lower(
        self,
        cx: Lowering,
        layer: Layer,
        inputs: Any,
        initial_state: Any = None,
        mask: Any = None,
        training: Any = None,
    ) -> Any:
        config = layer.config
        if mask is not None:
            raise Refusal("KT102", f"`{layer.symbol}` on masked steps is not supported")
        if training is not None and (config["dropout"] or config["recurrent_dropout"]):
            raise Refusal("KT102", "a recurrent layer with dropout called with `training=` is not supported")
        x, state = split_state(inputs, initial_state)
        spec = self.state_shape(layer, x.spec)
        channels, steps = x.spec.shape[-1], x.spec.shape[1]
        x, padding = self._padded(cx, layer, x)
        if config["go_backwards"]:
            x = cx.op("torch.flip({0}, dims=(2,))", x, x.spec)
        module = self._module(cx, layer, channels, padding)
        if state and len(state) != 2:
            raise Refusal("KT103", f"2 initial states are needed, not {len(state)}")
        every = TensorSpec((spec.shape[0], steps, *spec.shape[1:]))
        arguments = "{0}, ({1}, {2})" if state else ""
        unpack = "{0}, ({1}, {2})"
        made = cx.call(module, [x, *state], [every, spec, spec], FIRST, unpack=unpack, arguments=arguments)
        output = made[0] if config["return_sequences"] else made[1]
        return [output, *made[1:]] if config["return_state"] else output

    def _padded(self, cx: Lowering, layer: Layer, x: Value) -> tuple[Value, Any]:
        """The input, padded where the convolution's own argument cannot say it, and that argument."""
        config = layer.config
        if config["padding"] == "valid":
            return x, 0
        pads = same_pads(x.spec.shape[2:-1], config["kernel_size"], config["strides"], config["dilation_rate"])
        assert pads is not None  # the sizes are known
        if symmetric(pads):
            return x, single(tuple(left for left, _ in pads))
        return padded(cx, x, ((0, 0), *pads)), 0

    def _module(self, cx: Lowering, layer: Layer, channels: Any, padding: Any) -> Module:
        config = layer.config
        extra: dict[str, Any] = {} if config["use_bias"] else {"bias": False}
        for name, usual in (("activation", "torch.tanh"), ("recurrent_activation", "torch.sigmoid")):
            code = activation_code(config[name])
            if code.text != usual:
                extra[name] = code
        for name in ("dropout", "recurrent_dropout"):
            if config[name]:
                extra[name] = config[name]
        if single(config["strides"]) != 1:
            extra["stride"] = single(config["strides"])
        if padding:
            extra["padding"] = padding
        if single(config["dilation_rate"]) != 1:
            extra["dilation"] = single(config["dilation_rate"])
        return cx.module(
            "StepConvLSTM", Code(f"nn.Conv{self.rank}d"), channels, config["filters"], single(config["kernel_size"]),
            layer=layer, role="conv_lstm", weights=self._maps(layer), helpers=("step_conv_lstm",),
            **self._objects(layer), **extra,
        )  # fmt: skip

    def _maps(self, layer: Layer) -> tuple[WeightMap, ...]:
        turn = (WeightOp("transpose", ((self.rank + 1, self.rank, *range(self.rank)),)),)
        maps = [
            WeightMap("input.weight", (WeightRef(layer, "kernel", _PATH),), turn),
            WeightMap("recurrent.weight", (WeightRef(layer, "recurrent_kernel", _PATH),), turn),
        ]
        if layer.config["use_bias"]:
            maps.append(WeightMap("input.bias", (WeightRef(layer, "bias", _PATH),)))
        return tuple(maps)

    @staticmethod
    def _objects(layer: Layer) -> dict[str, Any]:
        """Initialisers, regularisers and constraints by state key."""
        config = layer.config
        keys = {"kernel": "input.weight", "recurrent": "recurrent.weight"}
        if config["use_bias"]:
            keys["bias"] = "input.bias"
        starts = {key: initializer(config[f"{name}_initializer"]) for name, key in keys.items()}
        if config["use_bias"] and config["unit_forget_bias"]:
            starts["input.bias"] = forget_bias(config["filters"], config["bias_initializer"])
        return {
            "initializers": starts,
            "regularizers": {key: regularizer(config[f"{name}_regularizer"]) for name, key in keys.items()},
            "constraints": {key: constraint(config[f"{name}_constraint"]) for name, key in keys.items()},
        }


@layer_rule("keras.layers.ConvLSTM1D")
class ConvLSTM1D(_ConvLSTM):
    rank = 1
    examples = (("ConvLSTM1D(4, 3)", (4, 6, 3)),)


@layer_rule("keras.layers.ConvLSTM2D")
class ConvLSTM2D(_ConvLSTM):
    rank = 2
    examples = (("ConvLSTM2D(4, 3, padding='same', return_sequences=True)", (4, 6, 5, 3)),)


@layer_rule("keras.layers.ConvLSTM3D")
class ConvLSTM3D(_ConvLSTM):
    rank = 3
    examples = (("ConvLSTM3D(2, 2)", (3, 4, 5, 3, 2)),)
