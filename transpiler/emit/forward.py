"""The body of ``forward``: names for its values, never taking one from a value that is still needed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from transpiler.emit.graph import RNN, Graph
from transpiler.emit.lines import RETURN, Line, Part, Tree, is_generic
from transpiler.emit.modes import guard_lines, guarded_body
from transpiler.emit.names import FILE_NAMES, Namer, numbered, variable
from transpiler.graph.torch import Value

_FREE_NAME = re.compile(r"(?<![\w.\"'])[A-Za-z_]\w*")
_RNN_RESULTS = {1: "h_n", 2: "c_n"}
_ALTERNATIVES = {"x": ("out", "h"), "out": ("x", "h")}


@dataclass
class Forward:
    """The method as text: parameters with annotations, the return annotation, and the body's lines."""

    params: list[tuple[str, str]]
    returns: str
    body: list[str]
    names: dict[int, str] = field(default_factory=dict)


def render_forward(graph: Graph, lines: list[Line], input_names: Iterable[str | None]) -> Forward:
    """Name the values of the statements and print them."""
    lines = guard_lines(lines)
    namer = _ValueNamer(graph, lines, list(input_names))
    names = namer.run()

    def show(index: int, line: Line) -> list[str]:
        comments = [] if graph.model.source.kind == "sequential" else map(comment_text, line.comments)
        return [*comments, _statement(line, names, namer, index)]

    def text(part: Part) -> str:
        return part.text(names) if isinstance(part, Tree) else names[id(part)]

    body = guarded_body(lines, show, lambda line: names[id(line.outputs[0])], text)
    params = [(names[id(value)], "Tensor") for value in graph.inputs]
    return Forward(params, annotation(graph), body, names)


def comment_text(text: str) -> str:
    """A comment of the source as one line."""
    return f"# {' '.join(text.split()).lstrip('# ')}".rstrip()


def annotation(graph: Graph) -> str:
    """The return annotation of ``forward``."""
    single = graph.single_output()
    return _structure_annotation(graph.outputs if single is None else single)


def _structure_annotation(structure: Any) -> str:
    if isinstance(structure, Value):
        return "Tensor"
    if isinstance(structure, dict):
        kinds = {_structure_annotation(item) for item in structure.values()}
        return f"dict[str, {' | '.join(sorted(kinds))}]"
    inner = [_structure_annotation(item) for item in structure]
    if len(inner) > 4 and len(set(inner)) == 1:
        return f"tuple[{inner[0]}, ...]"
    return f"tuple[{', '.join(inner)}]"


def _statement(line: Line, names: dict[int, str], namer: _ValueNamer, index: int) -> str:
    text = line.tree.text(names)
    if line.kind == RETURN:
        return f"return {text}"
    targets = [names[id(v)] if namer.is_read(v) else "_" for v in line.outputs]
    if line.unpack:
        left = re.sub(r"\{(\d+)\}", lambda m: targets[int(m[1])], line.unpack)
        while (shorter := re.sub(r"\((_, )*_,?\)", "_", left)) != left:
            left = shorter
    else:
        left = ", ".join(targets)
    return f"{left} = {text}"


class _ValueNamer:
    """Chooses names in two passes: what each value would like to be called, then what is free at each statement."""

    def __init__(self, graph: Graph, lines: list[Line], input_names: list[str | None]) -> None:
        self.graph = graph
        self.lines = lines
        self.input_names = input_names
        self.born: dict[int, int] = {id(v): -1 for v in graph.inputs}
        self.last: dict[int, int] = {}
        self.order: list[Value] = list({id(v): v for v in graph.inputs}.values())
        self.reserved = set(FILE_NAMES)
        for index, line in enumerate(lines):
            for value in line.tree.reads():
                self.last[id(value)] = index
            for value in line.outputs:
                self.born[id(value)] = index
                self.order.append(value)
            self._reserve(line)

    def _reserve(self, line: Line) -> None:
        def walk(tree: Any) -> None:
            self.reserved.update(_FREE_NAME.findall(tree.template))
            for part in tree.parts:
                if not isinstance(part, Value):
                    walk(part)

        walk(line.tree)

    def is_read(self, value: Value) -> bool:
        """Whether any statement reads the value."""
        return id(value) in self.last

    # -- first pass: wishes -----------------------------------------------------------------------------------------
    def run(self) -> dict[int, str]:
        """Name every value."""
        wishes = self._wishes()
        self._rename_long_lived(wishes)
        return self._allocate(wishes)

    def _wishes(self) -> dict[int, str]:
        wishes: dict[int, str] = {}
        for value, name in zip(self.graph.inputs, self.input_names, strict=True):
            wishes.setdefault(id(value), self._clean(name or self.graph.hint(value) or "x"))
        inherited = self._inherited()
        for line in self.lines:
            for index, value in enumerate(line.outputs):
                name = self.graph.hint(value)
                if name is None and line.kind == RNN and len(line.outputs) > 1:
                    name = _RNN_RESULTS.get(index)
                if name is None and value.spec.dtype == "bool":
                    name = "mask"
                name = name or inherited.get(id(value))
                wishes[id(value)] = self._clean(name or "x")
        return wishes

    def _clean(self, name: str) -> str:
        cleaned = variable(name.rpartition(".")[2])
        return f"{cleaned}_" if cleaned in self.reserved else cleaned

    def _inherited(self) -> dict[int, str]:
        """Names for values that the source never named: that of the value that they go into next."""
        inherited: dict[int, str] = {}
        for line in reversed(self.lines):
            if len(line.outputs) != 1:
                continue
            name = self.graph.hint(line.outputs[0]) or inherited.get(id(line.outputs[0]))
            sources = {id(value): value for value in line.tree.reads()}
            if name is not None and len(sources) == 1:
                inherited.setdefault(*next((key, name) for key in sources))
        return inherited

    def _rename_long_lived(self, wishes: dict[int, str]) -> None:
        """Give a value that outlives a later one of the same name a name of its own: ``residual``, ``skip1``."""
        skips: list[Value] = []
        for value in self.order:
            if not self.is_read(value) or not self._outlives(value, wishes):
                continue
            if self.born[id(value)] < 0:
                if self.graph.hint(value) is None and wishes[id(value)] == "x":
                    wishes[id(value)] = "inputs"
            elif self._is_added(value):
                wishes[id(value)] = "residual"
            elif is_generic(wishes[id(value)]):
                skips.append(value)
        overlap = any(self.last[id(a)] > self.born[id(b)] for a, b in pairwise(skips))
        for number, value in enumerate(skips, 1):
            wishes[id(value)] = f"skip{number}" if overlap else "skip"

    def _outlives(self, value: Value, wishes: dict[int, str]) -> bool:
        start, end, name = self.born[id(value)], self.last[id(value)], wishes[id(value)]
        return any(
            start < self.born[id(other)] < end and wishes[id(other)] == name and self.is_read(other)
            for other in self.order
        )

    def _is_added(self, value: Value) -> bool:
        tree = self.lines[self.last[id(value)]].tree.reader_of(value)
        return tree is not None and tree.operator and " + " in tree.template

    # -- second pass: what is free ----------------------------------------------------------------------------------
    def _allocate(self, wishes: dict[int, str]) -> dict[int, str]:
        names: dict[int, str] = {}
        holders: dict[str, Value] = {}
        namer = Namer(self.reserved)
        for value in self.graph.inputs:
            if id(value) not in names:
                names[id(value)] = namer.unique(wishes[id(value)])
                holders[names[id(value)]] = value
        for index, line in enumerate(self.lines):
            taken = {name for name, value in holders.items() if self.last.get(id(value), -1) > index}
            for value in line.outputs:
                if not self.is_read(value):
                    continue
                name = self._free(wishes[id(value)], taken | self.reserved)
                names[id(value)] = name
                holders[name] = value
                taken.add(name)
        return names

    @staticmethod
    def _free(wish: str, taken: set[str]) -> str:
        others: tuple[str, ...] = _ALTERNATIVES.get(wish, ())
        for name in (wish, *others):
            if name not in taken:
                return name
        number = 2
        while numbered(wish, number) in taken:
            number += 1
        return numbered(wish, number)
