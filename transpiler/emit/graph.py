"""What the printing of a class needs to know of its torch graph: who reads what, and what kind of step each call is."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from transpiler.graph.torch import Call, Module, TorchModel, Value

ACTIVATION, CONV, DROPOUT, EMBEDDING, FLATTEN = "activation", "conv", "dropout", "embedding", "flatten"
LINEAR, MODEL, NORM, OP, OTHER, PAD = "linear", "model", "norm", "op", "other", "pad"
PERMUTE, POOL, RNN, UP = "permute", "pool", "rnn", "up"

_ACTIVATION_CLASSES = (
    r"(ReLU6?|LeakyReLU|PReLU|ELU|SELU|GELU|CELU|SiLU|Mish|Sigmoid|LogSigmoid|Tanh|Softmax\d?d?|LogSoftmax|Softplus"
    r"|Softsign|Hard\w+|Tanhshrink|Softshrink|GLU|Threshold)$"
)
_ACTIVATION_CALLS = (
    r"(F|torch)\.(relu6?|leaky_relu|prelu|elu|selu|gelu|celu|silu|mish|sigmoid|logsigmoid|tanh|softmax|log_softmax"
    r"|softplus|softsign|hard\w+|tanhshrink|softshrink|glu|threshold)\("
)
_CLASS_KINDS = (
    (r"\w*(LSTM|GRU|RNN)\w*$", RNN),
    (r"(Lazy)?ConvTranspose\d?d?$|Upsample|UpsamplingNearest2d|PixelShuffle", UP),
    (r"(\w*)Conv\w*$", CONV),
    (r"(Lazy)?(Bi)?Linear$", LINEAR),
    (r"(\w*)Norm(\w*)$", NORM),
    (r"\w*Pool\w*$", POOL),
    (r"\w*Dropout\w*$", DROPOUT),
    (r"Embedding", EMBEDDING),
    (r"Flatten$", FLATTEN),
    (r"\w*Pad\d?d?$", PAD),
    (_ACTIVATION_CLASSES, ACTIVATION),
)
_TEMPLATE_KINDS = (
    (r"\{0\}\.(transpose|permute|movedim)\([^()]*(\([^()]*\))?[^()]*\)$", PERMUTE),
    (r"torch\.flatten\(\{0\}|\{0\}\.flatten\(", FLATTEN),
    (r"F\.pad\(", PAD),
    (r"F\.(max|avg|adaptive|lp)\w*pool", POOL),
    (r"F\.interpolate\(", UP),
    (r"F\.dropout", DROPOUT),
    (r"F\.(layer|batch|group|instance|rms)_norm", NORM),
    (_ACTIVATION_CALLS, ACTIVATION),
)


def class_kind(cls: str) -> str:
    """The kind of a module class, by its name."""
    name = cls.removeprefix("nn.")
    for pattern, kind in _CLASS_KINDS:
        if re.match(pattern, name):
            return kind
    return OTHER


def call_kind(call: Call) -> str:
    """The kind of a step: what it computes, be it a module or an expression."""
    if isinstance(call.target, Module):
        return MODEL if call.target.subgraph is not None else class_kind(call.target.cls)
    if len(call.inputs) == 1:
        for pattern, kind in _TEMPLATE_KINDS:
            if re.match(pattern, call.target):
                return kind
        if call.module_form is not None:
            return class_kind(call.module_form.partition("(")[0])
    return OP


def values_of(structure: Any) -> Iterator[Value]:
    """Yield the values in nested lists, tuples and dicts, in order."""
    if isinstance(structure, Value):
        yield structure
    elif isinstance(structure, (list, tuple)):
        for item in structure:
            yield from values_of(item)
    elif isinstance(structure, dict):
        for item in structure.values():
            yield from values_of(item)


def map_structure(structure: Any, table: dict[int, Value]) -> Any:
    """Copy a nested structure with values replaced by what ``table`` has for them."""
    if isinstance(structure, Value):
        return table.get(id(structure), structure)
    if isinstance(structure, (list, tuple)):
        return type(structure)(map_structure(item, table) for item in structure)
    if isinstance(structure, dict):
        return {key: map_structure(item, table) for key, item in structure.items()}
    return structure


@dataclass(eq=False)
class Graph:
    """A torch graph without empty steps and dead steps, and with its readers counted."""

    model: TorchModel
    inputs: list[Value]
    outputs: Any
    calls: list[Call]
    hints: dict[int, str] = field(default_factory=dict)
    readers: Counter[int] = field(default_factory=Counter)  # id of value → how often it is read (outputs too)
    module_calls: Counter[int] = field(default_factory=Counter)  # id of module → calls

    def hint(self, value: Value) -> str | None:
        """The source's name of a value."""
        return self.hints.get(id(value))

    def modules(self) -> list[Module]:
        """Every module once, in the order of first call."""
        found: dict[int, Module] = {}
        for call in self.calls:
            if isinstance(call.target, Module):
                found.setdefault(id(call.target), call.target)
        return list(found.values())

    def single_output(self) -> Value | None:
        """The one output, if the model has one and returns it bare (Keras unwraps a list of one)."""
        if isinstance(self.outputs, list) and len(self.outputs) == 1:
            return self.outputs[0] if isinstance(self.outputs[0], Value) else None
        return self.outputs if isinstance(self.outputs, Value) else None


def analyse(model: TorchModel) -> Graph:
    """Resolve steps that do nothing, drop those that nobody reads, and count readers."""
    alias: dict[int, Value] = {}
    calls: list[Call] = []
    hints = {id(v): v.hint for v in model.inputs if v.hint}
    for call in model.calls:
        inputs = tuple(alias.get(id(v), v) for v in call.inputs)
        if call.target == "{0}" and len(call.outputs) == 1:
            alias[id(call.outputs[0])] = inputs[0]
            hint = call.outputs[0].hint
            if hint:
                hints.setdefault(id(inputs[0]), hint)
            continue
        for value in call.outputs:
            if value.hint:
                hints.setdefault(id(value), value.hint)
        calls.append(call if inputs == call.inputs else replace(call, inputs=inputs))
    outputs = map_structure(model.outputs, alias)
    calls = _live(calls, outputs)
    graph = Graph(model, list(model.inputs), outputs, calls, hints)
    for call in calls:
        graph.readers.update(id(v) for v in call.inputs)
        if isinstance(call.target, Module):
            graph.module_calls[id(call.target)] += 1
    graph.readers.update(id(v) for v in values_of(outputs))
    return graph


def _live(calls: list[Call], outputs: Any) -> list[Call]:
    needed = {id(v) for v in values_of(outputs)}
    live: list[Call] = []
    for call in reversed(calls):
        if any(id(v) in needed for v in call.outputs):
            needed.update(id(v) for v in call.inputs)
            live.append(call)
    return live[::-1]
