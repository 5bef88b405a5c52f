"""RNN around one of Keras' cells or a stack of them, and the cells themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from transpiler.diagnostics import Refusal
from transpiler.graph.keras import Layer, TensorSpec
from transpiler.graph.torch import Value
from transpiler.rules.base import LAYERS, LayerRule, WeightSpec, layer_rule, params
from transpiler.rules.recurrent import Recurrent, split_state
from transpiler.rules.recurrent_cells import OLD_HARD_SIGMOID, Cell

if TYPE_CHECKING:
    from transpiler.rules.lowering import Lowering

_WEIGHTS = (
    "kernel_initializer='glorot_uniform', recurrent_initializer='orthogonal', bias_initializer='zeros', {extra}"
    "kernel_regularizer=None, recurrent_regularizer=None, bias_regularizer=None, kernel_constraint=None, "
    "recurrent_constraint=None, bias_constraint=None, dropout=0.0, recurrent_dropout=0.0, "
)


class RecurrentCell(LayerRule):
    """One step of a recurrent layer; it is what ``RNN`` is made of."""

    recurrent = ""  # the layer of the same cell
    file_name = ""  # what Keras calls it in weight files

    def normalize(self, config: dict[str, Any], legacy: int | None = None) -> dict[str, Any]:
        for name in ("activation", "recurrent_activation"):
            if legacy is not None and config.get(name) == "hard_sigmoid":
                config[name] = OLD_HARD_SIGMOID
        return config

    def infer(self, layer: Layer, *inputs: Any, **call: Any) -> Any:
        raise Refusal("KT102", f"a `{layer.symbol}` called by itself is not supported", "run it by `RNN`")


@layer_rule("keras.layers.SimpleRNNCell")
class SimpleRNNCell(RecurrentCell):
    """The cell of ``SimpleRNN``."""

    recurrent, file_name = "keras.layers.SimpleRNN", "simple_rnn_cell"
    params = params("units, activation='tanh', use_bias=True, " + _WEIGHTS.format(extra="") + "seed=None")


@layer_rule("keras.layers.LSTMCell")
class LSTMCell(RecurrentCell):
    """The cell of ``LSTM``."""

    recurrent, file_name = "keras.layers.LSTM", "lstm_cell"
    params = params(
        "units, activation='tanh', recurrent_activation='sigmoid', use_bias=True, "
        + _WEIGHTS.format(extra="unit_forget_bias=True, ")
        + "seed=None, implementation=2"
    )


@layer_rule("keras.layers.GRUCell")
class GRUCell(RecurrentCell):
    """The cell of ``GRU``."""

    recurrent, file_name = "keras.layers.GRU", "gru_cell"
    params = params(
        "units, activation='tanh', recurrent_activation='sigmoid', use_bias=True, "
        + _WEIGHTS.format(extra="")
        + "reset_after=True, seed=None, implementation=2"
    )


@layer_rule("keras.layers.StackedRNNCells")
class StackedRNNCells(LayerRule):
    """Cells one after another within a step."""

    params = params("cells")

    def normalize(self, config: dict[str, Any], legacy: int | None = None) -> dict[str, Any]:
        config["cells"] = _checked(config["cells"])
        return config

    def infer(self, layer: Layer, *inputs: Any, **call: Any) -> Any:
        raise Refusal("KT102", "`StackedRNNCells` called by itself is not supported", "run it by `RNN`")


def _checked(cells: Any) -> tuple[Layer, ...]:
    """The cells as a tuple, if all are Keras' own."""
    items = tuple(cells) if isinstance(cells, (list, tuple)) else ()
    if not items or not all(isinstance(c, Layer) and isinstance(LAYERS[c.symbol], RecurrentCell) for c in items):
        raise Refusal("KT102", "`RNN` is supported around LSTMCell, GRUCell, SimpleRNNCell and stacks of them")
    return items


@dataclass(frozen=True)
class _Part:
    """One cell of an ``RNN`` as a recurrent layer of its own."""

    rule: Recurrent
    cell: Cell


@layer_rule("keras.layers.RNN")
class RNN(LayerRule):
    """Runs a cell over a sequence; a stack of cells is a stack of recurrent layers."""

    params = params(
        "cell, return_sequences=False, return_state=False, go_backwards=False, stateful=False, unroll=False, "
        "zero_output_for_mask=False, time_major=False"
    )
    examples = (("RNN(LSTMCell(4))", (5, 3)), ("RNN([GRUCell(4), SimpleRNNCell(2)], return_sequences=True)", (5, 3)))

    def normalize(self, config: dict[str, Any], legacy: int | None = None) -> dict[str, Any]:
        for name in ("stateful", "time_major"):
            if config[name]:
                raise Refusal("KT102", f"`{name}=True` of `RNN` is not supported")
        cell = config["cell"]
        if isinstance(cell, Layer) and cell.symbol == "keras.layers.StackedRNNCells":
            config["cell"] = list(cell.config["cells"])
        elif isinstance(cell, (list, tuple)):
            config["cell"] = list(_checked(cell))
        else:
            _checked([cell])
        return config

    def infer(self, layer: Layer, inputs: Any, initial_state: Any = None, **call: Any) -> Any:
        sequence = inputs[0] if isinstance(inputs, (list, tuple)) else inputs
        if sequence.rank != 3:
            raise Refusal("KT104", f"`RNN` takes (batch, time, features), not a tensor of rank {sequence.rank}")
        batch, steps = sequence.shape[:2]
        parts = _parts(layer)
        units = parts[-1].cell.units
        output = TensorSpec((batch, steps, units) if layer.config["return_sequences"] else (batch, units))
        if not layer.config["return_state"]:
            return output
        states: list[Any] = [[TensorSpec((batch, p.cell.units))] * p.cell.states for p in parts]
        return [output, *(states[0] if len(parts) == 1 else [s if len(s) > 1 else s[0] for s in states])]

    def mask(self, layer: Layer, inputs: Any, masks: Any) -> Any:
        first = "pass" if layer.config["return_sequences"] else "stop"
        states = sum(part.cell.states for part in _parts(layer)) if layer.config["return_state"] else 0
        return (first, *["stop"] * states)

    def weights(self, layer: Layer, inputs: Any) -> tuple[WeightSpec, ...]:
        width = (inputs[0] if isinstance(inputs, (list, tuple)) else inputs).shape[-1]
        found: list[WeightSpec] = []
        for part in _parts(layer):
            found += part.cell.specs(width)
            width = part.cell.units
        return tuple(found)

    def lower(
        self,
        cx: Lowering,
        layer: Layer,
        inputs: Any,
        initial_state: Any = None,
        mask: Any = None,
        training: Any = None,
    ) -> Any:
        parts = _parts(layer)
        if training is not None and any(p.cell.config["dropout"] or p.cell.config["recurrent_dropout"] for p in parts):
            raise Refusal("KT102", "a recurrent layer with dropout called with `training=` is not supported")
        mask = mask[0] if isinstance(mask, (list, tuple)) else mask
        if len(parts) == 1:
            x, state = split_state(inputs, initial_state)
            given = [state]
        else:
            x, given = _split_stack(inputs, initial_state, parts)
        if layer.config["go_backwards"]:
            x = cx.op("torch.flip({0}, dims=(1,))", x, x.spec)
            mask = None if mask is None else cx.op("torch.flip({0}, dims=(1,))", mask, mask.spec)
        states: list[Any] = []
        for number, (part, state) in enumerate(zip(parts, given, strict=True)):
            suffix = f"cell{number + 1}" if len(parts) > 1 else ""
            made = Layer(part.rule.symbol, part.cell.config, layer.name, False, layer.origin)
            run = part.rule.run(cx, made, part.cell, x, state, mask, suffix)
            x = run.output
            states.append(run.states if len(parts) == 1 or part.cell.states > 1 else run.states[0])
        if not layer.config["return_state"]:
            return x
        return [x, *(states[0] if len(parts) == 1 else states)]


def _split_stack(inputs: Any, initial_state: Any, parts: list[_Part]) -> tuple[Value, list[list[Value]]]:
    """The sequence, and the states for each cell of a stack."""
    if isinstance(inputs, (list, tuple)):
        initial_state = inputs[1:] if initial_state is None and len(inputs) > 1 else initial_state
        inputs = inputs[0]
    if initial_state is None:
        return inputs, [[] for _ in parts]
    states = [list(s) if isinstance(s, (list, tuple)) else [s] for s in initial_state]
    if [len(s) for s in states] != [part.cell.states for part in parts]:
        raise Refusal("KT103", "`initial_state` must have the states of each cell of the stack")
    return inputs, states


def _parts(layer: Layer) -> list[_Part]:
    """The cells in order, each with the settings of the layer of its kind."""
    cells = layer.config["cell"]
    if isinstance(cells, Layer):
        return [_part(layer, cells, ("cell",), bool(layer.config["return_sequences"]))]
    parts: list[_Part] = []
    names: list[str] = []
    for number, cell in enumerate(cells):
        rule = LAYERS[cell.symbol]
        assert isinstance(rule, RecurrentCell)
        count = names.count(rule.file_name)
        names.append(rule.file_name)
        path = ("cell", "cells", f"{rule.file_name}_{count}" if count else rule.file_name)
        last = number == len(cells) - 1
        parts.append(_part(layer, cell, path, not last or bool(layer.config["return_sequences"])))
    return parts


def _part(layer: Layer, cell: Layer, path: tuple[str, ...], sequences: bool) -> _Part:
    rule = LAYERS[cell.symbol]
    assert isinstance(rule, RecurrentCell)
    recurrent = LAYERS[rule.recurrent]
    assert isinstance(recurrent, Recurrent)
    settings = {
        "return_sequences": sequences, "return_state": layer.config["return_state"], "go_backwards": False,
        "zero_output_for_mask": layer.config["zero_output_for_mask"],
    }  # fmt: skip
    return _Part(recurrent, Cell(recurrent.kind, {**cell.config, **settings}, layer, path))
