"""The statements of ``forward`` before their variables have names: calls nested as a person nests them."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Union

from transpiler.emit import graph as kinds
from transpiler.emit.graph import Graph, call_kind
from transpiler.emit.sequential import Run, Step
from transpiler.graph.keras import Span
from transpiler.graph.torch import BUFFER, PARAMETER, Call, Module, Value

Part = Union[Value, "Tree"]
RUN = "run"
RETURN = "return"
SELECT = "{0} if self.training else {1}"
_DEEPEST, _DEEPEST_WRITTEN = 4, 8  # steps in one expression: of ours, and as the source has it
_WIDEST = 72
_LIGHT = re.compile(r"\{0\}(\[[-\d:, ]+\]|\.(long|float|int|bool|unsqueeze|squeeze)\([-\d, ]*\))+$")
_SLOT = re.compile(r"\{(\d+)\}")
_CALLEE = re.compile(r"\bself\.[\w.\[\]]+")
GENERIC = frozenset(
    """
    x y z h o out output outputs net network model inputs input inp layer layers tensor temp tmp res result prev current
    cur block tower branch feature features value data ret img image img_input input_img input_layer input_tensor
    """.split()
)


def is_generic(name: str | None) -> bool:
    """Whether a name of the source says nothing about the value."""
    return name is None or len(name) < 2 or name.strip("_0123456789").lower() in GENERIC


@dataclass(eq=False)
class Tree:
    """An expression: a template over values and other expressions."""

    template: str
    parts: tuple[Part, ...]
    operator: bool = False
    size: int = 1

    def reads(self) -> Iterator[Value]:
        """Yield the values that it reads, repeats included."""
        for part in self.parts:
            if isinstance(part, Tree):
                yield from part.reads()
            else:
                yield part

    def callees(self) -> set[str]:
        """The modules that it calls."""
        inner = [part.callees() for part in self.parts if isinstance(part, Tree)]
        return set(_CALLEE.findall(self.template)).union(*inner)

    def reader_of(self, value: Value) -> Tree | None:
        """The innermost expression that reads ``value`` itself."""
        for part in self.parts:
            found = part.reader_of(value) if isinstance(part, Tree) else None
            if part is value or found is not None:
                return found or self
        return None

    def text(self, names: Mapping[int, str]) -> str:
        """Print it with the names of its values."""

        def fill(match: re.Match[str]) -> str:
            part = self.parts[int(match[1])]
            if not isinstance(part, Tree):
                return names[id(part)]
            inner = part.text(names)
            return f"({inner})" if part.operator and _needs_brackets(inner, self.template, match) else inner

        return _SLOT.sub(fill, self.template)


def _needs_brackets(inner: str, outer: str, slot: re.Match[str]) -> bool:
    """Whether an operator inside an expression means something else without brackets."""
    before, after = (_SLOT.sub("x", part) for part in (outer[: slot.start()], outer[slot.end() :]))
    try:
        bare = ast.parse(f"{before}{inner}{after}", mode="eval")
    except SyntaxError:
        return True  # `x ** 2.sum()`
    return ast.dump(bare) != ast.dump(ast.parse(f"{before}({inner}){after}", mode="eval"))


@dataclass(eq=False)
class Line:
    """One statement: ``outputs`` are assigned from ``tree``; ``unpack`` is the left side where it is not just them."""

    tree: Tree
    outputs: tuple[Value, ...]
    kind: str
    unpack: str = ""
    comments: tuple[str, ...] = ()
    span: Span | None = None  # of the call in the source
    guard: tuple[Line, int] | None = None  # the choice between modes, and the side of it, that alone needs it

    @property
    def plain(self) -> bool:
        """Whether it assigns one value to one name."""
        return len(self.outputs) == 1 and not self.unpack


def build_lines(
    graph: Graph, steps: list[Step], callee: Callable[[Module | Run], str], noted: Container[int] = ()
) -> list[Line]:
    """Make the statements, nested, ending with the return statement; the comments of the calls ``noted`` left out."""
    lines: list[Line] = []
    weights: dict[int, Part] = {}
    for step in steps:
        if isinstance(step, Call) and isinstance(step.target, Module) and step.target.cls in (PARAMETER, BUFFER):
            weights[id(step.outputs[0])] = Tree(callee(step.target), (), size=0)
            continue
        line = _line(step, callee, noted)
        line.tree.parts = tuple(weights.get(id(part), part) for part in line.tree.parts)
        lines.append(line)
        while _nest(graph, lines):
            pass
    lines.append(_return_line(graph))
    lines[-1].tree.parts = tuple(weights.get(id(part), part) for part in lines[-1].tree.parts)
    if graph.single_output() is not None:
        _nest(graph, lines)
    _shortcuts_first(graph, lines)
    return lines


def _shortcuts_first(graph: Graph, lines: list[Line]) -> None:
    """Put ``shortcut = self.conv(x)`` before the line that makes another ``x`` of it, so that this may be called so."""
    for at, line in enumerate(lines):
        read = {id(value): value for value in line.tree.reads()}
        if not line.plain or len(read) != 1 or is_generic(graph.hint(line.outputs[0])):
            continue
        (value,) = read.values()
        readers = [i for i, other in enumerate(lines) if any(v is value for v in other.tree.reads())]
        if len(readers) != 2 or readers[1] != at or not lines[readers[0]].plain:
            continue
        between = set[str]().union(*(other.tree.callees() for other in lines[readers[0] : at]))
        if line.tree.callees() & between:
            continue  # a module that is called twice keeps the order of its calls
        if is_generic(graph.hint(value)) and is_generic(graph.hint(lines[readers[0]].outputs[0])):
            lines.insert(readers[0], lines.pop(at))


def _line(step: Step, callee: Callable[[Module | Run], str], noted: Container[int]) -> Line:
    first = step.calls[0] if isinstance(step, Run) else step
    comments = () if id(first) in noted else first.origin.comments
    if isinstance(step, Run):
        span = step.calls[-1].origin.span
        return Line(Tree(f"{callee(step)}({{0}})", step.inputs), step.outputs, RUN, "", comments, span)
    kind = call_kind(step)
    if isinstance(step.target, Module):
        arguments = step.arguments or ", ".join(f"{{{i}}}" for i in range(len(step.inputs)))
        tree = Tree(f"{callee(step.target)}({arguments})", step.inputs)
        unpack = _unpacking(step, tree)
        return Line(tree, step.outputs, kind, unpack, comments, step.origin.span)
    tree = Tree(step.target, step.inputs, step.operator)
    return Line(tree, step.outputs, kind, step.unpack, comments, step.origin.span)


def _unpacking(step: Call, tree: Tree) -> str:
    """The left side for a module's results; a nested model returns what its class does."""
    if step.unpack or not isinstance(step.target, Module) or step.target.subgraph is None:
        return step.unpack
    returned = step.target.subgraph.outputs
    if isinstance(returned, dict):
        tree.template += ".values()"
        returned = tuple(returned.values())
    if isinstance(returned, Value) or isinstance(returned, list) and len(returned) == 1:
        return ""
    slots = iter(range(len(step.outputs)))
    return structure_text(returned, lambda _: f"{{{next(slots)}}}", bare=True)


def structure_text(structure: Any, show: Callable[[Value], str], bare: bool = False) -> str:
    """Print a structure of values; tuples and lists both become tuples, as PyTorch modules return them."""
    if isinstance(structure, Value):
        return show(structure)
    if isinstance(structure, dict):
        from transpiler.emit.code import literal

        items = ", ".join(f"{literal(key)}: {structure_text(item, show)}" for key, item in structure.items())
        return f"{{{items}}}"
    text = ", ".join(structure_text(item, show) for item in structure)
    text = f"{text}," if len(structure) == 1 else text
    return text if bare else f"({text})"


def _return_line(graph: Graph) -> Line:
    single = graph.single_output()
    structure = graph.outputs if single is None else single
    values: list[Value] = []

    def slot(value: Value) -> str:
        values.append(value)
        return f"{{{len(values) - 1}}}"

    template = structure_text(structure, slot, bare=True)
    return Line(Tree(template, tuple(values), size=0), (), RETURN)


# -- nesting ----------------------------------------------------------------------------------------------------------
def _nest(graph: Graph, lines: list[Line]) -> bool:
    """Put the last statement but one inside the last, where a person would; say whether that was done."""
    if len(lines) < 2 or not _nests(graph, lines[-2], lines[-1]):
        return False
    inner, outer = lines[-2], lines[-1]
    value = inner.outputs[0]
    parts = tuple(inner.tree if part is value else part for part in outer.tree.parts)
    outer.tree = Tree(outer.tree.template, parts, outer.tree.operator, inner.tree.size + outer.tree.size)
    outer.comments = (*inner.comments, *outer.comments)
    del lines[-2]
    return True


def _nests(graph: Graph, inner: Line, outer: Line) -> bool:
    if not inner.plain or graph.readers[id(inner.outputs[0])] != 1:
        return False
    value = inner.outputs[0]
    slots = [i for i, part in enumerate(outer.tree.parts) if part is value]
    if len(slots) != 1 or outer.tree.template.count(f"{{{slots[0]}}}") != 1:
        return False
    if not _comes_first(outer.tree, slots[0]):
        return False
    if outer.kind == RETURN:
        return True
    if inner.tree.template == SELECT or outer.tree.template == SELECT and inner.tree.size > 1:
        return False
    deepest = _DEEPEST_WRITTEN if _written_inside(inner, outer) else _DEEPEST
    if inner.tree.size + outer.tree.size > deepest or not _fits_line(inner, outer):
        return False
    return _belongs(graph, inner, outer)


def _comes_first(tree: Tree, slot: int) -> bool:
    """Whether a slot stands before all nested expressions, so that nesting keeps the order of evaluation."""
    place = tree.template.index(f"{{{slot}}}")
    nested = [i for i, part in enumerate(tree.parts) if isinstance(part, Tree) and part.size]
    return all(place < tree.template.index(f"{{{i}}}") for i in nested)


def _written_inside(inner: Line, outer: Line) -> bool:
    """Whether the source wrote the inner step inside the outer one, or one Lambda or layer does both."""
    if inner.span is None or outer.span is None:
        return False
    if inner.span == outer.span:
        simple = (kinds.OP, kinds.PERMUTE, kinds.ACTIVATION)
        return inner.kind in simple and outer.kind in simple
    a, b = inner.span, outer.span
    begins = (b.line, b.column) <= (a.line, a.column)
    return begins and (a.end_line, a.end_column) <= (b.end_line, b.end_column)


def _fits_line(inner: Line, outer: Line) -> bool:
    names = dict.fromkeys((id(v) for line in (inner, outer) for v in line.tree.reads()), "xxxx")
    return len(inner.tree.text(names)) + len(outer.tree.text(names)) <= _WIDEST


def _belongs(graph: Graph, inner: Line, outer: Line) -> bool:
    """Whether the inner step is part of the outer one: an activation on a layer, a transpose around one."""
    if outer.kind in (kinds.ACTIVATION, kinds.NORM):
        return inner.kind not in (kinds.FLATTEN, kinds.DROPOUT, kinds.POOL, kinds.MODEL)
    hint = graph.hint(inner.outputs[0])
    later = graph.hint(outer.outputs[0]) if outer.outputs else None
    if not is_generic(hint) and hint != later:
        return False
    if _written_inside(inner, outer) and hint is None:
        return True
    if inner.kind in (kinds.PERMUTE, kinds.PAD) or _LIGHT.match(inner.tree.template):
        return not outer.tree.operator
    if outer.kind == kinds.FLATTEN:
        return inner.kind == kinds.EMBEDDING
    if outer.kind == kinds.PERMUTE:
        return inner.kind in (kinds.CONV, kinds.POOL, kinds.UP, kinds.ACTIVATION, kinds.NORM, kinds.PERMUTE)
    if outer.tree.operator and len(outer.tree.parts) > 1:
        heavy = (kinds.DROPOUT, kinds.CONV, kinds.LINEAR, kinds.NORM, kinds.EMBEDDING, RUN, kinds.MODEL)
        return inner.kind in heavy and inner.tree.size <= 2
    return False
