"""The body of ``forward``: names for its values, never taking one from a value that is still needed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from transpiler.emit.graph import PERMUTE, RNN, Graph
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
    comments: list[str] = field(default_factory=list)  # behind the parameters

    @property
    def signature(self) -> str:
        """The parameters after ``self``, those with a comment on lines of their own."""
        texts = [f"{name}: {kind}" for name, kind in self.params]
        if not any(self.comments):
            return ", ".join(texts)
        lines = [f"{text},  {comment_text(comment)}" for text, comment in zip(texts, self.comments, strict=True)]
        return "\n" + "".join(f"        {line.rstrip('# ')}\n" for line in lines) + "    "


def render_forward(graph: Graph, lines: list[Line], input_names: Iterable[str | None]) -> Forward:
    """Name the values of the statements and print them."""
    lines = guard_lines(lines)
    namer = _ValueNamer(graph, lines, list(input_names))
    names = namer.run()

    def show(index: int, line: Line) -> list[str]:
        return [*map(comment_text, line.comments), _statement(line, names, namer, index)]

    def text(part: Part) -> str:
        return part.text(names) if isinstance(part, Tree) else names[id(part)]

    body = guarded_body(lines, show, lambda line: names[id(line.outputs[0])], text)
    params = [(names[id(value)], "Tensor") for value in graph.inputs]
    return Forward(params, annotation(graph), body, names, [value.comment for value in graph.inputs])


def comment_text(text: str) -> str:
    """A comment of the source as one line."""
    if text.startswith("#") and len(text.splitlines()) == 1:
        return text.rstrip()
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
                name = name or self._of_its_source(line, wishes) or inherited.get(id(value))
                wishes[id(value)] = self._clean(name or "x")
        return wishes

    def _of_its_source(self, line: Line, wishes: dict[int, str]) -> str | None:
        """The telling name of the value that a line only turns round."""
        values = list(line.tree.reads())
        if line.kind != PERMUTE or len(values) != 1 or self.born[id(values[0])] < 0:
            return None
        return None if is_generic(wishes[id(values[0])]) else wishes[id(values[0])]

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
        branches: dict[int, Value] = {}
        for value in self.order:
            if not self.is_read(value) or not self._outlives(value, wishes):
                continue
            if self.born[id(value)] < 0:
                if self.graph.hint(value) is None and wishes[id(value)] == "x":
                    wishes[id(value)] = "inputs"
            elif self._is_added(value):
                wishes[id(value)] = "residual"
            elif is_generic(wishes[id(value)]):
                together = self._siblings(value, wishes)
                if self._meets_its_own(value) or len(together) < 2:
                    skips.append(value)
                else:
                    branches |= {id(v): v for v in together}
        self._number(skips, "skip", wishes)
        self._number([value for value in self.order if id(value) in branches], "branch", wishes)

    def _number(self, values: list[Value], name: str, wishes: dict[int, str]) -> None:
        """Name values ``skip``, or ``skip1`` and so on where several are needed at a time."""
        overlap = any(self.last[id(a)] > self.born[id(b)] for a, b in pairwise(values))
        for number, value in enumerate(values, 1):
            wishes[id(value)] = f"{name}{number}" if overlap else name

    def _meets_its_own(self, value: Value) -> bool:
        """Whether a value comes together with what was made of it, as a skip connection does."""
        made = {id(value)}
        for line in self.lines[self.born[id(value)] + 1 : self.last[id(value)] + 1]:
            read = {id(v) for v in line.tree.reads()} & made
            if id(value) in read and len(read) > 1:
                return True
            if read:
                made |= {id(v) for v in line.outputs}
        return False

    def _siblings(self, value: Value, wishes: dict[int, str]) -> list[Value]:
        """The values of the same name that are read together with a value, and itself."""
        name = wishes[id(value)]
        found: dict[int, Value] = {}
        for line in self.lines[self.born[id(value)] + 1 : self.last[id(value)] + 1]:
            together = {id(v): v for v in line.tree.reads() if self.born[id(v)] >= 0}
            if id(value) in together:
                found |= {key: v for key, v in together.items() if v is value or wishes[key] == name}
        return list(found.values())

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
