"""One line that says what a network is made of, for its docstring."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
from itertools import pairwise

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
_BUILDING = re.compile(
    r"^(?:(?:build|create|make|return|construct|define|generate|instantiate|get|set up|initialize|compile)s?"
    r"(?:,? and )?)+\s+",
    re.IGNORECASE,
)
_EMPTY = frozenset("a an the our this keras tensorflow functional sequential model network net function".split())
_LONGEST = 90


def model_summary(docstring: str, names: Collection[str]) -> str:
    """The first sentence of a builder's docstring, as one about the model; empty if it is about the parameters."""
    sentence = re.split(r"(?<=[.!?])\s|\n\s*\n", docstring.strip())[0]
    text = " ".join(sentence.split())
    text = re.sub(r"(?:,? and returns? (?:it|the model))?\.?$", "", _BUILDING.sub("", text))
    words = re.findall(r"\w+", text)
    telling = [word for word in words if word.lower() not in _EMPTY]
    if len(text) > _LONGEST or not telling or not text[0].isalnum() or {*words} & {*names}:
        return ""
    return f"{text[0].upper()}{text[1:]}."


def describe(graph: Graph, submodels: dict[int, str]) -> str:
    """A summary of the model: ``Convolutional network with two convolutions and one linear layer.``."""
    modules = graph.modules()
    nested = [submodels.get(id(m.subgraph), "") for m in modules if m.subgraph is not None]
    layer = isinstance(graph.model.source, CustomModel) and graph.model.source.is_layer
    counts = Counter(_kind(module) for module in modules if module.subgraph is None)
    if nested and len(nested) == len([m for m in modules if m.weights or m.subgraph]):
        return _composition(graph, nested)
    title = next((title for kind, title in _TITLES if counts[kind] and not layer), "Layer" if layer else "Network")
    parts = [_counted(counts[kind], noun) for kind, noun in _COUNTED if counts[kind]]
    parts += [_times(number, name) for name, number in Counter(nested).items()]
    if not parts:
        return f"{title} without weights."
    listed = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
    return f"{title} with {listed}."


def _composition(graph: Graph, nested: list[str]) -> str:
    """A summary of a model whose weights are all in other models."""
    names = [f"``{name}``" for name in nested]
    calls = [call for call in graph.calls if isinstance(call.target, Module) and call.target.subgraph]
    if len(graph.inputs) > 1 and graph.module_calls[id(calls[0].target)] == len(graph.inputs):
        return f"{' followed by '.join([f'{names[0]} on each input', *names[1:]])}."
    chained = all(set(after.inputs) <= set(before.outputs) for before, after in pairwise(calls))
    if len(names) > 1 and (len(graph.inputs) > 1 or not chained):
        return f"{_counted_names(nested)} side by side."
    last = graph.calls[-1].target
    function = re.match(r"(?:torch|F)\.(\w+)\(", last) if isinstance(last, str) else None
    if len(graph.calls) == 2 and function is not None:
        names.append(f"``{function[1]}``")
    return f"{' followed by '.join(names)}."


def _counted_names(names: list[str]) -> str:
    """``Left`` and ``Right``; three ``Member``."""
    counts = Counter(names)
    texts = [f"``{name}``" if count == 1 else f"{_number(count)} ``{name}``" for name, count in counts.items()]
    return " and ".join(texts)[:1].upper() + " and ".join(texts)[1:]


def _number(number: int) -> str:
    return _NUMBERS[number] if number < len(_NUMBERS) else str(number)


def _times(number: int, name: str) -> str:
    """``Block``, or how many of them."""
    return f"``{name}``" if number == 1 else f"{_number(number)} times ``{name}``"


def _kind(module: Module) -> str:
    if module.cls in (PARAMETER, BUFFER):
        return _WEIGHT
    if "Attention" in module.cls:
        return _ATTENTION
    kind = class_kind(module.cls)
    return _TRANSPOSED if kind == kinds.UP and "Transpose" in module.cls else kind


def _counted(number: int, noun: str) -> str:
    return f"{_number(number)} {noun}{'' if number == 1 else 's'}"
