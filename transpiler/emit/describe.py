"""One line that says what a network is made of, for its docstring."""

from __future__ import annotations

from collections import Counter

from transpiler.emit import graph as kinds
from transpiler.emit.graph import Graph, class_kind
from transpiler.graph.keras import CustomModel
from transpiler.graph.torch import BUFFER, PARAMETER, Module

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_ATTENTION, _TRANSPOSED, _WEIGHT = "attention", "transposed", "weight"
_TITLES = (
    (_ATTENTION, "Attention network"),
    (kinds.RNN, "Recurrent network"),
    (_TRANSPOSED, "Upsampling network"),
    (kinds.CONV, "Convolutional network"),
    (kinds.EMBEDDING, "Embedding network"),
    (kinds.LINEAR, "Multilayer perceptron"),
)
_COUNTED = (
    (kinds.EMBEDDING, "embedding"),
    (kinds.CONV, "convolution"),
    (_TRANSPOSED, "transposed convolution"),
    (kinds.RNN, "recurrent layer"),
    (_ATTENTION, "attention layer"),
    (kinds.LINEAR, "linear layer"),
    (_WEIGHT, "weight"),
)


def describe(graph: Graph, submodels: dict[int, str]) -> str:
    """A summary of the model: ``Convolutional network with two convolutions and one linear layer.``."""
    modules = graph.modules()
    nested = [submodels.get(id(m.subgraph), "") for m in modules if m.subgraph is not None]
    layer = isinstance(graph.model.source, CustomModel) and graph.model.source.is_layer
    counts = Counter(_kind(module) for module in modules if module.subgraph is None)
    if nested and len(nested) == len([m for m in modules if m.weights or m.subgraph]):
        chained = " followed by " if len(graph.inputs) == 1 else " and "
        return f"{chained.join(f'``{name}``' for name in nested)}."
    title = next((title for kind, title in _TITLES if counts[kind] and not layer), "Layer" if layer else "Network")
    parts = [_counted(counts[kind], noun) for kind, noun in _COUNTED if counts[kind]]
    parts += [_times(number, name) for name, number in Counter(nested).items()]
    if not parts:
        return f"{title} without weights."
    listed = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
    return f"{title} with {listed}."


def _times(number: int, name: str) -> str:
    """``Block``, or how many of them."""
    count = _NUMBERS[number] if number < len(_NUMBERS) else str(number)
    return f"``{name}``" if number == 1 else f"{count} times ``{name}``"


def _kind(module: Module) -> str:
    if module.cls in (PARAMETER, BUFFER):
        return _WEIGHT
    if "Attention" in module.cls:
        return _ATTENTION
    kind = class_kind(module.cls)
    return _TRANSPOSED if kind == kinds.UP and "Transpose" in module.cls else kind


def _counted(number: int, noun: str) -> str:
    text = _NUMBERS[number] if number < len(_NUMBERS) else str(number)
    return f"{text} {noun}{'' if number == 1 else 's'}"
