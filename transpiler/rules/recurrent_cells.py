"""Recurrent cells: their weights in Keras and torch, and the names of the written-out ones."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from transpiler.diagnostics import Refusal
from transpiler.graph.keras import ApiObject, Layer
from transpiler.graph.torch import Code, WeightMap, WeightOp, WeightRef
from transpiler.rules.activations import FORMS, checked_activation
from transpiler.rules.base import WeightSpec
from transpiler.rules.constraints import constraint
from transpiler.rules.initializers import forget_bias, frozen_zeros, initializer
from transpiler.rules.regularizers import regularizer

_GATES = {"RNN": 1, "LSTM": 4, "GRU": 3}
_STATES = {"RNN": 1, "LSTM": 2, "GRU": 1}
_TRANSPOSE = WeightOp("transpose", ((1, 0),))


@dataclass(frozen=True)
class Cell:
    """One cell: its kind, its config, and where its weights are (``path`` from the layer ``owner``)."""

    kind: str
    config: dict[str, Any]
    owner: Layer
    path: tuple[str, ...]

    @property
    def units(self) -> Any:
        return self.config["units"]

    @property
    def gates(self) -> int:
        return _GATES[self.kind]

    @property
    def states(self) -> int:
        return _STATES[self.kind]

    @property
    def own_class(self) -> str:
        return f"Step{self.kind}"

    @property
    def own_helper(self) -> str:
        return f"step_{self.kind.lower()}"

    @property
    def two_biases(self) -> bool:
        return bool(self.config.get("reset_after", False))

    def ref(self, name: str) -> WeightRef:
        return WeightRef(self.owner, name, self.path)

    def specs(self, width: Any) -> tuple[WeightSpec, ...]:
        """The variables in Keras' order."""
        wide = self.gates * self.units
        shapes: dict[str, tuple[Any, ...]] = {"kernel": (width, wide), "recurrent_kernel": (self.units, wide)}
        if self.config["use_bias"]:
            shapes["bias"] = (2, wide) if self.two_biases else (wide,)
        return tuple(WeightSpec("/".join((*self.path, name)), shape) for name, shape in shapes.items())


def fused_arguments(cells: Sequence[Cell], width: Any) -> dict[str, Any]:
    """``cx.module``'s keywords for torch's own RNN over one direction, or two."""
    weights: list[WeightMap] = []
    tables: dict[str, dict[str, Any]] = {"initializers": {}, "regularizers": {}, "constraints": {}}
    for cell, end in zip(cells, ("_l0", "_l0_reverse"), strict=False):
        weights += _fused_maps(cell, end)
        _fill(tables, cell, {"kernel": f"weight_ih{end}", "recurrent": f"weight_hh{end}", "bias": f"bias_ih{end}"})
        if cell.config["use_bias"]:
            second = initializer(cell.config["bias_initializer"]) if cell.two_biases else frozen_zeros()
            tables["initializers"][f"bias_hh{end}"] = second
    arguments: dict[str, Any] = {"weights": tuple(weights), **tables}
    if not cells[0].config["use_bias"]:
        arguments["bias"] = False
    return arguments


def _fill(tables: dict[str, dict[str, Any]], cell: Cell, keys: dict[str, str]) -> None:
    config = cell.config
    for name, key in keys.items():
        if name == "bias" and not config["use_bias"]:
            continue
        start = initializer(config[f"{name}_initializer"])
        if name == "bias" and config.get("unit_forget_bias"):
            start = forget_bias(cell.units, config["bias_initializer"])
        tables["initializers"][key] = start
        tables["regularizers"][key] = regularizer(config[f"{name}_regularizer"])
        tables["constraints"][key] = constraint(config[f"{name}_constraint"])
    if cell.two_biases and config["bias_regularizer"] is not None:
        raise Refusal("KT102", "`bias_regularizer` of a GRU with `reset_after=True` is not supported")


def _fused_maps(cell: Cell, end: str) -> list[WeightMap]:
    """Gates i, f, c, o are torch's i, f, g, o; z, r, h become r, z, n."""
    turn: tuple[WeightOp, ...] = (_TRANSPOSE,)
    if cell.kind == "GRU":
        turn = (WeightOp("reorder", (1, 3, (1, 0, 2))), _TRANSPOSE)
    maps = [
        WeightMap(f"weight_ih{end}", (cell.ref("kernel"),), turn),
        WeightMap(f"weight_hh{end}", (cell.ref("recurrent_kernel"),), turn),
    ]
    if not cell.config["use_bias"]:
        return maps
    wide = cell.gates * cell.units
    if cell.two_biases:
        for index, name in enumerate(("bias_ih", "bias_hh")):
            ops = (*_half(index, wide), WeightOp("reorder", (0, 3, (1, 0, 2))))
            maps.append(WeightMap(f"{name}{end}", (cell.ref("bias"),), ops))
        return maps
    maps.append(WeightMap(f"bias_ih{end}", (cell.ref("bias"),)))
    maps.append(WeightMap(f"bias_hh{end}", (), (WeightOp("zeros", ((wide,),)),)))
    return maps


def _half(index: int, wide: Any) -> tuple[WeightOp, ...]:
    return (WeightOp("split", (0, 2, index)), WeightOp("reshape", ((wide,),)))


def own_arguments(cell: Cell, width: Any) -> dict[str, Any]:
    """``cx.module``'s keywords for a written-out cell; its gates stay in Keras' order."""
    tables: dict[str, dict[str, Any]] = {"initializers": {}, "regularizers": {}, "constraints": {}}
    _fill(tables, cell, {"kernel": "input.weight", "recurrent": "recurrent.weight", "bias": "input.bias"})
    maps = [
        WeightMap("input.weight", (cell.ref("kernel"),), (_TRANSPOSE,)),
        WeightMap("recurrent.weight", (cell.ref("recurrent_kernel"),), (_TRANSPOSE,)),
    ]
    arguments: dict[str, Any] = {}
    if cell.kind == "GRU" and cell.two_biases:
        arguments["reset_after"] = True
    if cell.config["use_bias"] and cell.two_biases:
        wide = cell.gates * cell.units
        for index, key in enumerate(("input.bias", "recurrent.bias")):
            maps.append(WeightMap(key, (cell.ref("bias"),), _half(index, wide)))
        tables["initializers"]["recurrent.bias"] = initializer(cell.config["bias_initializer"])
    elif cell.config["use_bias"]:
        maps.append(WeightMap("input.bias", (cell.ref("bias"),)))
    return {"weights": tuple(maps), **tables, **arguments}


# Keras 1 and 2 had a straight line where Keras 3 has torch's.
OLD_HARD_SIGMOID = "hard_sigmoid_keras2"


def activation_name(act: Any) -> str | None:
    """The Keras 3 name of an activation that is given by name alone; None for the linear one."""
    if act == OLD_HARD_SIGMOID:
        return OLD_HARD_SIGMOID
    if isinstance(act, ApiObject) and not act.config:
        act = act.symbol
    name = checked_activation(act)
    if name is None or isinstance(name, str):
        return name
    raise Refusal("KT102", f"a `{type(act).__name__}` as a recurrent layer's activation is not supported")


def activation_code(act: Any) -> Code:
    """An activation as the text of a callable on one tensor."""
    name = activation_name(act)
    if name is None:
        return Code("nn.Identity()")
    if name == OLD_HARD_SIGMOID:
        return Code("lambda x: (0.2 * x + 0.5).clamp(0, 1)")
    if name in ("softmax", "log_softmax"):
        return Code("nn.Softmax(dim=-1)" if name == "softmax" else "nn.LogSoftmax(dim=-1)")
    if name not in FORMS:
        raise Refusal("KT102", f"`{name}` as a recurrent layer's activation is not supported")
    template = FORMS[name].template
    if plain := re.fullmatch(r"([\w.]+)\(\{0\}\)", template):
        return Code(plain[1])
    return Code("lambda x: " + template.format("x"))
