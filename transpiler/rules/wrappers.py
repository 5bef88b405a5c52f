"""Bidirectional and TimeDistributed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from transpiler.diagnostics import Refusal
from transpiler.graph.keras import Layer, Model, TensorSpec
from transpiler.graph.symbolic import is_known
from transpiler.graph.torch import KERAS, Value
from transpiler.rules.base import LAYERS, LayerRule, WeightSpec, layer_rule, params
from transpiler.rules.layout import literal
from transpiler.rules.recurrent import Recurrent, Run, call_fused, fused, same_cell, split_state, state_spec
from transpiler.rules.recurrent_cells import Cell, fused_arguments

if TYPE_CHECKING:
    from transpiler.rules.lowering import Lowering

_MERGES = {"sum": "{0} + {1}", "mul": "{0} * {1}", "ave": "({0} + {1}) / 2"}


@layer_rule("keras.layers.Bidirectional")
class Bidirectional(LayerRule):
    """Two directions of a recurrent layer: one bidirectional module where both have the same cell."""

    params = params("layer, merge_mode='concat', weights=None, backward_layer=None")
    examples = (
        ("Bidirectional(LSTM(4))", (5, 3)),
        ("Bidirectional(GRU(4, return_sequences=True), merge_mode='sum')", (5, 3)),
    )

    def normalize(self, config: dict[str, Any], legacy: int | None = None) -> dict[str, Any]:
        forward, backward = config["layer"], config["backward_layer"]
        if not isinstance(forward, Layer) or not isinstance(LAYERS[forward.symbol], Recurrent):
            raise Refusal("KT102", "`Bidirectional` is supported around SimpleRNN, LSTM and GRU")
        if any(isinstance(one, Layer) and one.config.get("stateful") for one in (forward, backward)):
            raise Refusal("KT102", "`stateful=True` of a layer in `Bidirectional` is not supported")
        if config["weights"] is not None:
            raise Refusal("KT102", "`weights` of `Bidirectional` is not supported")
        if config["merge_mode"] not in (*_MERGES, "concat", None):
            raise Refusal("KT103", f"`{config['merge_mode']}` is not a merge mode of `Bidirectional`")
        if backward is None:
            if forward.config["go_backwards"]:
                raise Refusal("KT103", "both directions of `Bidirectional` would go backwards")
            return config
        if not isinstance(backward, Layer) or not isinstance(LAYERS[backward.symbol], Recurrent):
            raise Refusal("KT102", "`backward_layer` must be SimpleRNN, LSTM or GRU")
        if forward.config["go_backwards"] == backward.config["go_backwards"]:
            raise Refusal("KT103", "the two directions of `Bidirectional` go the same way")
        for name in ("return_sequences", "return_state"):
            if forward.config[name] != backward.config[name]:
                raise Refusal("KT103", f"the two directions of `Bidirectional` differ in `{name}`")
        return config

    def infer(self, layer: Layer, inputs: Any, initial_state: Any = None, **call: Any) -> Any:
        forward, _ = _directions(layer)
        rule = LAYERS[forward.symbol]
        made = rule.infer(forward, inputs)
        output, states = (made[0], made[1:]) if isinstance(made, list) else (made, [])
        outputs = [output, output]
        if layer.config["merge_mode"] is not None:
            doubled = layer.config["merge_mode"] == "concat"
            outputs = [TensorSpec((*output.shape[:-1], 2 * output.shape[-1])) if doubled else output]
        everything = [*outputs, *states, *states]
        return everything if len(everything) > 1 else everything[0]

    def mask(self, layer: Layer, inputs: Any, masks: Any) -> Any:
        made = self.infer(layer, inputs)
        if not isinstance(made, list):
            return "pass" if layer.config["layer"].config["return_sequences"] else "stop"
        outputs = 1 if layer.config["merge_mode"] is not None else 2
        first = "pass" if layer.config["layer"].config["return_sequences"] else "stop"
        return (*[first] * outputs, *["stop"] * (len(made) - outputs))

    def weights(self, layer: Layer, inputs: Any) -> tuple[WeightSpec, ...]:
        sequence = inputs[0] if isinstance(inputs, (list, tuple)) else inputs
        return tuple(spec for cell in _cells(layer) for spec in cell.specs(sequence.shape[-1]))

    def lower(
        self,
        cx: Lowering,
        layer: Layer,
        inputs: Any,
        initial_state: Any = None,
        mask: Any = None,
        training: Any = None,
    ) -> Any:
        x, state = split_state(inputs, initial_state)
        mask = mask[0] if isinstance(mask, (list, tuple)) else mask
        forward, backward = _directions(layer)
        if training is not None and (forward.config["dropout"] or forward.config["recurrent_dropout"]):
            raise Refusal("KT102", "a recurrent layer with dropout called with `training=` is not supported")
        if _one_module(forward, backward):
            outputs, states = _together(cx, layer, x, state, mask)
        else:
            outputs, states = _apart(cx, layer, x, state, mask)
        everything = [*outputs, *(states if forward.config["return_state"] else [])]
        return everything if len(everything) > 1 else everything[0]


def _directions(layer: Layer) -> tuple[Layer, Layer]:
    """The two layers; the backward one is a copy of the other where none was given."""
    forward = layer.config["layer"]
    backward = layer.config["backward_layer"]
    if backward is None:
        config = {**forward.config, "go_backwards": True}
        backward = Layer(forward.symbol, config, forward.name, False, forward.origin)
    return forward, backward


def _cells(layer: Layer) -> tuple[Cell, Cell]:
    forward, backward = _directions(layer)
    return (
        _rule(forward).cell(forward, ("forward_layer", "cell"), layer),
        _rule(backward).cell(backward, ("backward_layer", "cell"), layer),
    )


def _rule(layer: Layer) -> Recurrent:
    rule = LAYERS[layer.symbol]
    assert isinstance(rule, Recurrent)
    return rule


def _one_module(forward: Layer, backward: Layer) -> bool:
    """Whether ``bidirectional=True`` says it all: the same cell both ways, with masks drawn for neither."""
    if forward.config["go_backwards"] or forward.config["dropout"] or not fused(forward.config):
        return False
    return _rule(forward).kind == _rule(backward).kind and same_cell(forward.config, backward.config)


def _together(
    cx: Lowering, layer: Layer, x: Value, state: list[Value], mask: Value | None
) -> tuple[list[Value], list[Value]]:
    cells = _cells(layer)
    cell = cells[0]
    cls = f"nn.{cell.kind}"
    helpers: tuple[str, ...] = ()
    extra: dict[str, Any] = {}
    if mask is not None:
        cls, helpers = f"Masked{cell.kind}", ("masked_steps", f"masked_{cell.kind.lower()}")
        if cell.config["return_sequences"]:
            extra["zero_masked"] = True
    if cell.kind == "RNN" and cell.config["activation"] == "relu":
        extra["nonlinearity"] = "relu"
    width = x.spec.shape[-1]
    arguments = {**fused_arguments(cells, width), **extra, "batch_first": True, "bidirectional": True}
    role = cell.kind.lower()
    module = cx.module(cls, width, cell.units, layer=layer, role=role, helpers=helpers, **arguments)
    run = call_fused(cx, module, cell, x, state, mask, 2)
    return _picked(cx, layer, cell, x, run)


def _picked(cx: Lowering, layer: Layer, cell: Cell, x: Value, run: Run) -> tuple[list[Value], list[Value]]:
    """Outputs and states out of a bidirectional module's results."""
    one, mode = state_spec(cell, x), layer.config["merge_mode"]
    states = [cx.op(f"{{0}}[{i}]", h, one) for i in (0, 1) for h in run.states]
    if not cell.config["return_sequences"]:
        h = run.states[0]
        if mode == "concat":
            spec = TensorSpec((one.shape[0], 2 * cell.units))
            return [cx.op("torch.cat([{0}[0], {0}[1]], dim=1)", h, spec)], states
        return _merged(cx, mode, states[0], states[cell.states]), states
    if mode == "concat":
        return [run.output], states
    half = TensorSpec((*run.output.spec.shape[:-1], cell.units))
    forward, backward = cx.op("{0}.chunk(2, dim=-1)", run.output, [half, half])
    return _merged(cx, mode, forward, backward), states


def _merged(cx: Lowering, mode: str | None, forward: Value, backward: Value) -> list[Value]:
    if mode is None:
        return [forward, backward]
    spec = forward.spec
    if mode == "concat":
        spec = TensorSpec((*spec.shape[:-1], 2 * spec.shape[-1]))  # type: ignore[operator,arg-type]
        return [cx.op("torch.cat([{0}, {1}], dim=-1)", [forward, backward], spec)]
    return [cx.op(_MERGES[mode], [forward, backward], spec, operator=True)]


def _apart(
    cx: Lowering, layer: Layer, x: Value, state: list[Value], mask: Value | None
) -> tuple[list[Value], list[Value]]:
    runs = []
    half = len(state) // 2
    for inner, cell, part, suffix in zip(
        _directions(layer), _cells(layer), (state[:half], state[half:]), ("forward", "backward"), strict=True
    ):
        zero = bool(inner.config["return_sequences"])
        runs.append(_rule(inner).run(cx, inner, cell, x, part, mask, suffix, zero))
    forward, backward = runs
    last = backward.output
    if layer.config["layer"].config["return_sequences"]:
        last = cx.op("torch.flip({0}, dims=(1,))", last, last.spec)
    return _merged(cx, layer.config["merge_mode"], forward.output, last), [*forward.states, *backward.states]


# -- TimeDistributed --------------------------------------------------------------------------------------------------
# Layers that act on each element, or along the last axis, and so need no folding.
_POINTWISE = frozenset(
    f"keras.layers.{name}"
    for name in ("Dense", "Activation", "Dropout", "ReLU", "LeakyReLU", "ELU", "Softmax", "LayerNormalization")
)
_FOLDED: WeakKeyDictionary[Value, Value] = WeakKeyDictionary()  # an unfolded output → itself with time in the batch


@layer_rule("keras.layers.TimeDistributed")
class TimeDistributed(LayerRule):
    """Any layer or model on each time step: time is folded into the batch."""

    params = params("layer")
    layout = "any"
    examples = (("TimeDistributed(Dense(4))", (5, 3)), ("TimeDistributed(Conv2D(4, 3))", (3, 6, 5, 2)))

    def normalize(self, config: dict[str, Any], legacy: int | None = None) -> dict[str, Any]:
        inner = config["layer"]
        if not isinstance(inner, (Layer, Model)):
            raise Refusal("KT103", "`TimeDistributed` takes a layer or a model")
        if _has_batch_statistics(inner):
            raise Refusal(
                "KT102",
                "`TimeDistributed` around BatchNormalization is not supported: each step has its own statistics",
            )
        return config

    def infer(self, layer: Layer, inputs: TensorSpec, **call: Any) -> TensorSpec:
        if inputs.rank < 3:
            raise Refusal("KT104", "`TimeDistributed` needs an input of rank 3 or more")
        made = _step(layer.config["layer"], TensorSpec((inputs.shape[0], *inputs.shape[2:]), inputs.dtype))
        return TensorSpec((inputs.shape[0], inputs.shape[1], *made.shape[1:]), made.dtype)

    def mask(self, layer: Layer, inputs: Any, masks: Any) -> Any:
        return "pass"

    def weights(self, layer: Layer, inputs: Any) -> tuple[WeightSpec, ...]:
        inner = layer.config["layer"]
        if isinstance(inner, Model):
            return ()
        return LAYERS[inner.symbol].weights(inner, TensorSpec((inputs.shape[0], *inputs.shape[2:]), inputs.dtype))

    def lower(self, cx: Lowering, layer: Layer, inputs: Value, mask: Any = None, training: Any = None) -> Value:
        inner = layer.config["layer"]
        if isinstance(inner, Layer) and inner.symbol in _POINTWISE and not _shaped(inner):
            value: Value = cx.lower_layer(inner, inputs)
            return value
        folded = _folded(cx, inputs)
        given = {}
        if mask is not None and mask.spec.rank > 2 and isinstance(inner, Layer):
            given["mask"] = cx.op("{0}.flatten(0, 1)", mask, TensorSpec((None, *mask.spec.shape[2:]), "bool"))
        if isinstance(inner, Model):
            made = cx.submodel(inner, [folded])
        else:
            made = cx.lower_layer(inner, folded, **given)
        if not isinstance(made, Value):
            raise Refusal("KT102", "`TimeDistributed` around a layer with several outputs is not supported")
        return _unfolded(cx, inputs, made)


def _shaped(inner: Layer) -> bool:
    """Whether a pointwise layer is set to something that counts axes from the front."""
    axis = inner.config.get("axis", -1)
    return inner.config.get("noise_shape") is not None or axis not in (-1, [-1], (-1,))


def _step(inner: Layer | Model, spec: TensorSpec) -> TensorSpec:
    """What one step becomes."""
    if isinstance(inner, Layer):
        made = LAYERS[inner.symbol].infer(inner, spec)
    else:
        outputs = inner.output_tensors()
        if len(outputs) != 1:
            raise Refusal("KT102", "`TimeDistributed` around a model with several outputs is not supported")
        made = outputs[0].spec
    if not isinstance(made, TensorSpec):
        raise Refusal("KT102", "`TimeDistributed` around a layer with several outputs is not supported")
    return made


def _has_batch_statistics(inner: Layer | Model) -> bool:
    if isinstance(inner, Layer):
        return inner.symbol == "keras.layers.BatchNormalization" and inner.trainable
    return inner.trainable and any(_has_batch_statistics(item) for item in inner.layers)


def _folded(cx: Lowering, x: Value) -> Value:
    if x in _FOLDED:
        return _FOLDED[x]
    x = cx.keras_order(x)
    spec = TensorSpec((None, *x.spec.shape[2:]), x.spec.dtype)
    value: Value = cx.op("{0}.flatten(0, 1)", x, spec, KERAS)
    return value


def _unfolded(cx: Lowering, inputs: Value, made: Value) -> Value:
    steps = inputs.spec.shape[1]
    flat = cx.keras_order(made)
    spec = TensorSpec((inputs.spec.shape[0], steps, *flat.spec.shape[1:]), flat.spec.dtype)
    if steps is not None and is_known(steps):
        value: Value = cx.op(f"{{0}}.unflatten(0, (-1, {literal(steps)}))", flat, spec, KERAS)
    else:
        size = f"{{1}}.size({cx.dim(inputs, 1)})"
        value = cx.op(f"{{0}}.unflatten(0, (-1, {size}))", [flat, inputs], spec, KERAS)
    _FOLDED[value] = made
    return value
