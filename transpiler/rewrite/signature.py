"""What a model is, as text: two models with one signature compute the same, whoever traced them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transpiler.evaluate.values import Function, Symbol
from transpiler.graph.keras import ApiObject, FunctionRef, Layer, Model, Tensor
from transpiler.graph.symbolic import Expr


def signature(model: Model) -> str:
    """Layers with their settings, wiring, shapes, in the order they were made."""
    return _Writer().model(model)


class _Writer:
    """Numbers layers and tensors as they are met, so that sharing shows."""

    def __init__(self) -> None:
        self.layers: dict[int, int] = {}
        self.tensors: dict[int, int] = {}

    def model(self, model: Model) -> str:
        inputs = "; ".join(f"{self.value(t)}: {self.value(t.shape)} {t.dtype}" for t in model.input_tensors())
        lines = [f"{model.kind} {self.value(model.inputs)} ({inputs})"]
        for node in model.nodes:
            made = self.value(list(node.outputs))
            body = self.model(node.body) if node.body is not None else ""
            arguments = f"{self.value(node.args)} {self.value(node.kwargs)}"
            lines.append(f"{made} = {self.target(node.target)} {arguments} {body}")
        return "\n".join([*lines, self.value(model.outputs)])

    def target(self, target: Layer | Model | str) -> str:
        if isinstance(target, str):
            return target
        known = id(target) in self.layers
        number = self.layers.setdefault(id(target), len(self.layers))
        if known:
            return f"#{number}"
        if isinstance(target, Model):
            return f"#{number} [{self.model(target)}]"
        name = target.name if target.explicit_name else ""
        inference = target.symbol == "keras.layers.BatchNormalization" and not target.trainable
        return f"#{number} {target.symbol} {name} {self.value(target.config)} {inference}"

    def value(self, value: Any) -> str:
        if isinstance(value, Tensor):
            return f"%{self.tensors.setdefault(id(value), len(self.tensors))}"
        if isinstance(value, (Layer, Model)):
            return self.target(value)
        if isinstance(value, Expr):
            return repr(value.value) if value.known else f"?{'?'.join(leaf.name for leaf in value.leaves())}"
        if isinstance(value, ApiObject):
            return f"{value.symbol}({self.value(value.config)})"
        if isinstance(value, (FunctionRef, Function, Symbol)):
            return value.name
        if isinstance(value, Mapping):
            return "{" + ", ".join(f"{self.value(k)}: {self.value(v)}" for k, v in value.items()) + "}"
        if isinstance(value, (list, tuple)):
            return "[" + ", ".join(map(self.value, value)) + "]"
        known = value is None or isinstance(
            value, (bool, int, float, complex, str, bytes, range, slice, set, frozenset)
        )
        return repr(value) if known else type(value).__name__
