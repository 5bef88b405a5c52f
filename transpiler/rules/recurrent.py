"""SimpleRNN, LSTM and GRU: ``nn.RNN``, ``nn.LSTM`` and ``nn.GRU`` where these are equal, else a written-out cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from transpiler.diagnostics import Refusal
from transpiler.graph.keras import ApiObject, Layer, TensorSpec
from transpiler.graph.symbolic import is_known
from transpiler.graph.torch import Module, Value
from transpiler.rules.base import LayerRule, WeightSpec, layer_rule, params
from transpiler.rules.noise import shared_dropout
from transpiler.rules.recurrent_cells import (
    OLD_HARD_SIGMOID,
    Cell,
    activation_code,
    activation_name,
    fused_arguments,
    own_arguments,
)

if TYPE_CHECKING:
    from transpiler.rules.lowering import Lowering

_COMMON = (
    "kernel_initializer='glorot_uniform', recurrent_initializer='orthogonal', bias_initializer='zeros', {extra}"
    "kernel_regularizer=None, recurrent_regularizer=None, bias_regularizer=None, activity_regularizer=None, "
    "kernel_constraint=None, recurrent_constraint=None, bias_constraint=None, dropout=0.0, recurrent_dropout=0.0, "
    "{seed}return_sequences=False, return_state=False, go_backwards=False, stateful=False, unroll=False, "
)
_SEED = "seed=None, "
_REST = "use_cudnn='auto', zero_output_for_mask=False, implementation=2, time_major=False"
_OLD = {
    "units": "output_dim",
    "kernel_initializer": "init",
    "recurrent_initializer": "inner_init",
    "kernel_regularizer": "W_regularizer",
    "recurrent_regularizer": "U_regularizer",
    "bias_regularizer": "b_regularizer",
    "dropout": "dropout_W",
    "recurrent_dropout": "dropout_U",
    "implementation": "consume_less",
}


# A state taken out of ``h_n`` → ``h_n`` itself, which the next recurrent layer may take as it is.
_STACKED: WeakKeyDictionary[Value, Value] = WeakKeyDictionary()


@dataclass
class Run:
    """What one direction gives: the outputs of all steps or the last one, and the last states."""

    output: Value
    states: list[Value]


class Recurrent(LayerRule):
    """A recurrent layer: one cell run over a batch-first sequence."""

    kind = ""  # "RNN", "LSTM" or "GRU"
    states = 1

    def normalize(self, config: dict[str, Any], legacy: int | None = None) -> dict[str, Any]:
        """Fill in defaults that depend on the version of Keras; refuse what is not translated."""
        if config.get("recurrent_activation") == "default":
            config["recurrent_activation"] = "hard_sigmoid" if legacy == 1 else "sigmoid"
        for name in ("activation", "recurrent_activation"):
            if legacy is not None and config.get(name) == "hard_sigmoid":
                config[name] = OLD_HARD_SIGMOID
        if config.get("reset_after", 0) is None:
            config["reset_after"] = legacy is None
        if config["time_major"]:
            raise Refusal("KT102", "`time_major=True` is not supported")
        if config["activity_regularizer"] is not None:
            raise Refusal("KT102", "`activity_regularizer` of a recurrent layer is not supported")
        return config

    def cell(self, layer: Layer, path: tuple[str, ...] = ("cell",), owner: Layer | None = None) -> Cell:
        """The cell of ``layer``; ``path`` leads to its weights from ``owner`` (a wrapper)."""
        return Cell(self.kind, layer.config, owner or layer, path)

    def infer(self, layer: Layer, inputs: Any, initial_state: Any = None, **call: Any) -> Any:
        sequence = inputs[0] if isinstance(inputs, (list, tuple)) else inputs
        if sequence.rank != 3:
            raise Refusal(
                "KT104", f"`{layer.symbol}` takes (batch, time, features), not a tensor of rank {sequence.rank}"
            )
        units = layer.config["units"]
        batch, steps = sequence.shape[0], sequence.shape[1]
        output = TensorSpec((batch, steps, units) if layer.config["return_sequences"] else (batch, units))
        if layer.config["return_state"]:
            return [output, *[TensorSpec((batch, units))] * self.states]
        return output

    def mask(self, layer: Layer, inputs: Any, masks: Any) -> Any:
        first = "pass" if layer.config["return_sequences"] else "stop"
        return (first, *["stop"] * self.states) if layer.config["return_state"] else first

    def weights(self, layer: Layer, inputs: Any) -> tuple[WeightSpec, ...]:
        sequence = inputs[0] if isinstance(inputs, (list, tuple)) else inputs
        return self.cell(layer).specs(sequence.shape[-1])

    def lower(
        self,
        cx: Lowering,
        layer: Layer,
        inputs: Any,
        initial_state: Any = None,
        mask: Any = None,
        training: Any = None,
    ) -> Any:
        if training is not None and (layer.config["dropout"] or layer.config["recurrent_dropout"]):
            raise Refusal("KT102", "a recurrent layer with dropout called with `training=` is not supported")
        inputs, state = split_state(inputs, initial_state)
        if isinstance(mask, (list, tuple)):
            mask = mask[0]
        run = self.run(cx, layer, self.cell(layer), inputs, state, mask)
        return [run.output, *run.states] if layer.config["return_state"] else run.output

    def run(
        self,
        cx: Lowering,
        layer: Layer,
        cell: Cell,
        x: Value,
        state: list[Value],
        mask: Value | None,
        suffix: str = "",
        zero_masked: bool = False,
    ) -> Run:
        """Emit one direction."""
        config = layer.config
        if config["dropout"] and not config["recurrent_dropout"]:
            x = shared_dropout(cx, cell.owner, x, config["dropout"], (None, 1, None), f"{suffix}dropout")
        if config["go_backwards"]:
            x = cx.op("torch.flip({0}, dims=(1,))", x, x.spec)
            mask = None if mask is None else cx.op("torch.flip({0}, dims=(1,))", mask, mask.spec)
        width = x.spec.shape[-1]
        zero_masked = zero_masked or bool(config["zero_output_for_mask"])
        if config.get("stateful") and (mask is not None or not fused(config)):
            raise Refusal("KT102", "`stateful=True` is supported without masks and for torch's own kinds of cells only")
        if fused(config):
            module = _fused_module(cx, cell, width, suffix, mask is not None, zero_masked)
            return _run_fused(cx, module, cell, x, state, mask, 1)
        module = _own_module(cx, cell, width, suffix, mask is not None and zero_masked)
        return _run_own(cx, module, cell, x, state, mask)


def split_state(inputs: Any, initial_state: Any) -> tuple[Value, list[Value]]:
    """The sequence and the initial states of a call: ``lstm(x, initial_state=[h, c])`` or ``lstm([x, h, c])``."""
    if isinstance(inputs, (list, tuple)):
        if initial_state is None and len(inputs) > 1:
            initial_state = list(inputs[1:])
        inputs = inputs[0]
    if isinstance(initial_state, Value):
        initial_state = [initial_state]
    return inputs, [s for s in initial_state or () if s is not None]


def fused(config: dict[str, Any]) -> bool:
    """Whether torch's own module computes this cell."""
    if config["recurrent_dropout"]:
        return False
    name = _plain_name(config["activation"])
    if "recurrent_activation" not in config:
        return name in ("tanh", "relu")
    if not config.get("reset_after", True):
        return False
    return name == "tanh" and _plain_name(config["recurrent_activation"]) == "sigmoid"


def _plain_name(act: Any) -> str | None:
    """The name of an activation that is given by name alone."""
    return activation_name(act) if act is None or isinstance(act, (str, ApiObject)) else None


def _fused_module(cx: Lowering, cell: Cell, width: Any, suffix: str, masked: bool, zero_masked: bool) -> Module:
    cls = f"nn.{cell.kind}"
    helpers: tuple[str, ...] = ()
    extra: dict[str, Any] = {}
    if masked:
        cls, helpers = f"Masked{cell.kind}", ("masked_steps", f"masked_{cell.kind.lower()}")
        if zero_masked:
            extra["zero_masked"] = True
    elif cell.config.get("stateful"):
        cls, helpers = f"Stateful{cell.kind}", ("keeps_state", f"stateful_{cell.kind.lower()}")
    if cell.kind == "RNN" and _plain_name(cell.config["activation"]) == "relu":
        extra["nonlinearity"] = "relu"
    return cx.module(
        cls,
        width,
        cell.units,
        layer=cell.owner,
        role=cell.kind.lower(),
        suffix=suffix,
        helpers=helpers,
        **fused_arguments([cell], width),
        **extra,
        batch_first=True,
    )


def _run_fused(
    cx: Lowering, module: Module, cell: Cell, x: Value, state: list[Value], mask: Value | None, directions: int
) -> Run:
    """Call torch's module and pick what is needed from ``output, h_n`` or ``output, (h_n, c_n)``."""
    run = call_fused(cx, module, cell, x, state, mask, directions)
    one = state_spec(cell, x)
    states = [cx.op("{0}[-1]", h, one) for h in run.states]
    _STACKED.update(zip(states, run.states, strict=True))
    if cell.config["return_sequences"]:
        return Run(run.output, states)
    # under a mask the first output is zero where the first state may not be
    return Run(cx.op("{0}[:, -1]", run.output, one) if state and mask is not None else states[0], states)


def state_spec(cell: Cell, x: Value) -> TensorSpec:
    """The spec of one state."""
    return TensorSpec((x.spec.shape[0], cell.units))


def call_fused(
    cx: Lowering, module: Module, cell: Cell, x: Value, state: Sequence[Value], mask: Value | None, directions: int
) -> Run:
    """Call ``nn.LSTM`` and the like: all outputs, and the stacked states ``(directions, N, units)``."""
    batch, steps = x.spec.shape[0], x.spec.shape[1]
    stacked = TensorSpec((directions, batch, cell.units))
    values = [x]
    arguments = "{0}"
    if mask is not None:
        values.append(mask)
        arguments += ", {1}"
    if state:
        values += _stacked(cx, cell, state, directions, stacked)
        slots = [f"{{{i}}}" for i in range(len(values) - cell.states, len(values))]
        arguments += f", {slots[0]}" if cell.states == 1 else f", ({', '.join(slots)})"
    specs = [TensorSpec((batch, steps, directions * cell.units)), *[stacked] * cell.states]
    unpack = "{0}, {1}" if cell.states == 1 else "{0}, ({1}, {2})"
    made = cx.call(module, values, specs, unpack=unpack, arguments=arguments if len(values) > 1 else "")
    return Run(made[0], made[1:])


def _stacked(cx: Lowering, cell: Cell, state: Sequence[Value], directions: int, spec: TensorSpec) -> list[Value]:
    """The initial states as torch takes them: with a leading axis for the directions."""
    if len(state) != cell.states * directions:
        raise Refusal("KT103", f"{cell.states * directions} initial states are needed, not {len(state)}")
    if directions == 1:
        return [_STACKED.get(value) or cx.op("{0}.unsqueeze(0)", value, spec) for value in state]
    pairs = [(state[i], state[i + cell.states]) for i in range(cell.states)]
    return [cx.op("torch.stack([{0}, {1}])", pair, spec) for pair in pairs]


def _own_module(cx: Lowering, cell: Cell, width: Any, suffix: str, zero_masked: bool) -> Module:
    config = cell.config
    extra: dict[str, Any] = {"zero_masked": True} if zero_masked else {}
    activation = activation_code(config["activation"])
    if activation.text != "torch.tanh":
        extra["activation"] = activation
    if "recurrent_activation" in config:
        recurrent = activation_code(config["recurrent_activation"])
        if recurrent.text != "torch.sigmoid":
            extra["recurrent_activation"] = recurrent
    if config["recurrent_dropout"]:
        extra["recurrent_dropout"] = config["recurrent_dropout"]
        if config["dropout"]:
            extra["dropout"] = config["dropout"]
    if not config["use_bias"]:
        extra["bias"] = False
    return cx.module(
        cell.own_class,
        width,
        cell.units,
        layer=cell.owner,
        role=cell.kind.lower(),
        suffix=suffix,
        helpers=("step_recurrence", cell.own_helper),
        **own_arguments(cell, width),
        **extra,
    )


def _run_own(cx: Lowering, module: Module, cell: Cell, x: Value, state: list[Value], mask: Value | None) -> Run:
    """Call a written-out cell: ``outputs, states`` with states of shape (N, units)."""
    values = [x]
    arguments = "{0}"
    if state:
        if len(state) != cell.states:
            raise Refusal("KT103", f"{cell.states} initial states are needed, not {len(state)}")
        values += state
        slots = ", ".join(f"{{{i + 1}}}" for i in range(cell.states))
        arguments += f", ({slots},)" if cell.states == 1 else f", ({slots})"
    if mask is not None:
        arguments += f", mask={{{len(values)}}}"
        values.append(mask)
    one = state_spec(cell, x)
    specs = [TensorSpec((x.spec.shape[0], x.spec.shape[1], cell.units)), *[one] * cell.states]
    unpack = "{0}, ({1},)" if cell.states == 1 else "{0}, ({1}, {2})"
    made = cx.call(module, values, specs, unpack=unpack, arguments=arguments if len(values) > 1 else "")
    sequence = cell.config["return_sequences"]
    # with a mask the last output may differ from the state: it starts at zero, not at the initial state
    last = cx.op("{0}[:, -1]", made[0], one) if state and mask is not None else made[1]
    return Run(made[0] if sequence else last, list(made[1:]))


@layer_rule("keras.layers.SimpleRNN")
class SimpleRNN(Recurrent):
    """Keras' fully connected RNN."""

    kind, states = "RNN", 1
    params = params(
        "units, activation='tanh', use_bias=True, " + _COMMON.format(extra="", seed="") + "seed=None, " + _REST, **_OLD
    )
    examples = (("SimpleRNN(4)", (5, 3)), ("SimpleRNN(4, activation='relu', return_sequences=True)", (5, 3)))


@layer_rule("keras.layers.LSTM", "keras.layers.CuDNNLSTM")
class LSTM(Recurrent):
    """Long short-term memory."""

    kind, states = "LSTM", 2
    params = params(
        "units, activation='tanh', recurrent_activation='default', use_bias=True, "
        + _COMMON.format(extra="unit_forget_bias=True, ", seed=_SEED)
        + _REST,
        recurrent_activation="inner_activation",
        **_OLD,
    )
    examples = (("LSTM(4)", (5, 3)), ("LSTM(4, return_sequences=True, activation='relu')", (5, 3)))


@layer_rule("keras.layers.GRU", "keras.layers.CuDNNGRU")
class GRU(Recurrent):
    """Gated recurrent unit; ``reset_after`` says where the reset gate acts."""

    kind, states = "GRU", 1
    params = params(
        "units, activation='tanh', recurrent_activation='default', use_bias=True, "
        + _COMMON.format(extra="", seed=_SEED)
        + "reset_after=None, "
        + _REST,
        recurrent_activation="inner_activation",
        **_OLD,
    )
    examples = (("GRU(4)", (5, 3)), ("GRU(4, reset_after=False, return_sequences=True)", (5, 3)))

    def normalize(self, config: dict[str, Any], legacy: int | None = None) -> dict[str, Any]:
        if self.symbol == "keras.layers.CuDNNGRU" and config["reset_after"] is None:
            config["reset_after"] = True
        return super().normalize(config, legacy)


def same_cell(left: dict[str, Any], right: dict[str, Any]) -> bool:
    """Whether two configs describe the same cell and the same outputs, but for the direction."""
    skipped = {"go_backwards", "seed", "kernel_initializer", "recurrent_initializer", "bias_initializer"}
    keys = left.keys() - skipped
    return left.keys() == right.keys() and all(
        left[key] is right[key] or (is_known(left[key]) or left[key] is None) and left[key] == right[key]
        for key in keys
    )
