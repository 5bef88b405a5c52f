"""The comments of the source: each stands once in the output, with what took the place of the code it was for."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import libcst as cst

from transpiler.evaluate.core import Evaluator
from transpiler.graph.keras import Span
from transpiler.graph.torch import Call, Module, TorchModel
from transpiler.rewrite.disposition import DROP, KEEP, Dispositions
from transpiler.source.positions import Remark

_BLOCKS = (cst.If, cst.For, cst.While, cst.With, cst.Try, cst.TryStar, cst.Match, cst.FunctionDef, cst.ClassDef)


@dataclass(eq=False)
class _Statement:
    """A statement: the lines that it takes, the last line of its paragraph, its block's, and what becomes of it."""

    node: Any
    first: int
    last: int
    paragraph: int
    block: tuple[int, int]
    gone: bool  # nothing of it is left
    renewed: bool  # something of ours stands in its place


@dataclass(eq=False)
class _Note:
    """A comment and the lines of the code that it may be for, nearest first."""

    remark: Remark
    lines: list[tuple[int, int]] = field(default_factory=list)
    inside: bool = False  # behind or inside the code of the lines
    block: tuple[int, int] | None = None  # the lines of what stands around, if it may be for that
    free: bool = False  # its code is not in the output as it was


class Comments:
    """Finds for each comment the step of a model that it explains, and keeps account of which are written."""

    def __init__(self, ev: Evaluator) -> None:
        self.ev = ev
        self._dispositions = Dispositions(ev.facts)
        self.notes = [_Note(remark) for remark in ev.positions.comments()]
        self.done: set[int] = set()  # lines of the comments that are written
        self._idle: set[int] = set()  # lines of code that never runs
        if self.notes:
            self._statements = list(self._walk(ev.module.body, gone=False))
            for note in self.notes:
                self._look_around(note)

    # -- the code around each -----------------------------------------------------------------------------------------
    def _walk(self, body: Sequence[Any], *, gone: bool) -> Iterator[_Statement]:
        """All statements in the order of the source, those inside others after them."""
        spans = [self.ev.span(node) for node in body]
        ends = self._paragraphs(body, spans)
        for node, span, end in zip(body, spans, ends, strict=True):
            mine = gone or self._goes(node)
            made = not mine and self._creates(node)
            yield _Statement(node, span.line, span.end_line, end, (spans[0].line, spans[-1].end_line), mine, made)
            for block in _blocks(node):
                yield from self._walk(block, gone=mine)
            if isinstance(node, cst.If):
                self._note_idle(node)

    def _paragraphs(self, body: Sequence[Any], spans: list[Span]) -> list[int]:
        """The last line of the paragraph that goes on after each statement; not of one that makes a model."""
        ends = [span.end_line for span in spans]
        for at in reversed(range(len(body) - 1)):
            if not getattr(body[at + 1], "leading_lines", ()):
                ends[at] = ends[at + 1]
        makes = [span.end_line for node, span in zip(body, spans, strict=True) if self._creates(node)]
        return [
            span.end_line if any(span.end_line < line <= end for line in makes) else end
            for span, end in zip(spans, ends, strict=True)
        ]

    def _goes(self, node: Any) -> bool:
        if isinstance(node, cst.FunctionDef):
            return self._dispositions.function(node) != KEEP
        if isinstance(node, cst.ClassDef):
            return id(node) in self.ev.facts.custom_classes
        if not isinstance(node, (cst.SimpleStatementLine, *_BLOCKS[:-2])):
            return False
        return self._dispositions.statement(node) == DROP and not self._creates(node)

    def _creates(self, node: Any) -> bool:
        """Whether a line makes a model, so that its class is constructed there."""
        small = node.body[0] if isinstance(node, cst.SimpleStatementLine) else None
        value = getattr(small, "value", None)
        return value is not None and id(value) in self.ev.facts.creations

    def _note_idle(self, node: cst.If) -> None:
        taken = self.ev.facts.taken.get(id(node))
        if taken is not None and len(taken) == 1:
            other = node.orelse if True in taken else node.body
            if other is not None:
                span = self.ev.span(other)
                self._idle.update(range(span.line, span.end_line + 1))

    def _look_around(self, note: _Note) -> None:
        """Find the line that a comment stands in, or the statement that it stands above."""
        line = note.remark.line
        at = bisect_right(self._statements, line, key=lambda s: s.first)
        around = next((s for s in reversed(self._statements[:at]) if line <= s.last), None)
        if around is not None and (not isinstance(around.node, _BLOCKS) or not note.remark.alone):
            self._look_inside(note, around)
            return
        below = self._statements[at] if at < len(self._statements) else None
        if below is None or line < below.first - len(getattr(below.node, "leading_lines", ())):
            return
        note.free = below.gone and not isinstance(below.node, cst.FunctionDef)
        note.lines = [(below.first, below.last), (below.first, below.paragraph)]

    @staticmethod
    def _look_inside(note: _Note, around: _Statement) -> None:
        """Note what a comment inside a simple statement, or behind the head of a compound one, may be for."""
        line = note.remark.line
        if isinstance(around.node, _BLOCKS):
            note.free = around.gone and not isinstance(around.node, cst.FunctionDef)
            note.lines = [(line, around.last)]
            return
        note.inside = not note.remark.alone
        note.free = around.gone or around.renewed and line < around.last
        note.lines = [(line, line), (line, around.last), (line, around.paragraph)]
        note.block = around.block if note.inside and around.gone else None

    # -- the steps of the models --------------------------------------------------------------------------------------
    def attach(self, model: TorchModel, taken: Iterable[int] = (), within: cst.CSTNode | None = None) -> set[int]:
        """Give each step of a model its comments but those of the lines ``taken``; the lines of those given."""
        places = _Places(model.calls)
        found: dict[int, list[str]] = {}
        given: set[int] = set()
        for note in self.notes:
            if note.remark.line in taken or not (note.free or within is not None and self._is_in(note, within)):
                continue
            call = next((call for lines in note.lines if (call := places.first(*lines, note.inside)) is not None), None)
            if call is not None:
                found.setdefault(call, []).append(note.remark.text)
                given.add(note.remark.line)
        given |= self._attach_inputs(model, given | set(taken))
        for note in self.notes:
            if note.block is not None and note.remark.line not in {*given, *taken}:
                call = places.near(note.remark.line, *note.block)
                if call is not None:
                    found.setdefault(call, []).append(note.remark.text)
                    given.add(note.remark.line)
        for at, step in enumerate(model.calls):
            step.origin = replace(step.origin, comments=tuple(found.get(at, ())))
        return given

    def _attach_inputs(self, model: TorchModel, taken: set[int]) -> set[int]:
        """Give the inputs of a functional model the comments that stand behind them."""
        behind = {
            n.remark.line: n.remark.text for n in self.notes if n.free and n.inside and n.remark.line not in taken
        }
        found: set[int] = set()
        tensors = model.source.input_tensors()
        for value, at in zip(model.inputs, model.taken, strict=True):
            tensor = tensors[at]
            line = tensor.origin.span.end_line if tensor.origin is not None and not tensor.origin.span.file else 0
            value.comment = behind.get(line, "")
            found |= {line} & behind.keys()
        return found

    def _is_in(self, note: _Note, node: cst.CSTNode) -> bool:
        span = self.ev.span(node)
        return span.line <= note.remark.line <= span.end_line

    # -- what no step explains ----------------------------------------------------------------------------------------
    def left(self, node: Any, result: Sequence[Any]) -> list[cst.EmptyLine]:
        """The comments of a statement that stand nowhere in what was made of it; all of them are done then."""
        open_ = [note for note in self._of(node) if note.remark.line not in self.done]
        if not open_:
            return []
        self.done.update(note.remark.line for note in open_)
        if len(result) == 1 and result[0] is node:
            return []
        kept = [text for part in result for text in _texts(part)]
        lost = []
        for note in open_:
            if note.remark.text in kept:
                kept.remove(note.remark.text)
            elif note.remark.line not in self._idle:
                lost.append(cst.EmptyLine(comment=cst.Comment(note.remark.text)))
        leading = getattr(node, "leading_lines", ())
        if lost and leading and leading[0].comment is None and not result:
            lost.insert(0, cst.EmptyLine(indent=False))
        return lost

    def _of(self, node: Any) -> list[_Note]:
        """The comments in a statement and above it."""
        if not self.notes:
            return []
        lines = self.ev.positions.lines(node)
        return [note for note in self.notes if note.remark.line in lines]


def _blocks(node: Any) -> Iterator[Sequence[Any]]:
    """The statement lists inside a compound statement."""
    if not isinstance(node, _BLOCKS):
        return
    parts = [node, *getattr(node, "handlers", ()), *getattr(node, "cases", ()), getattr(node, "finalbody", None)]
    for part in parts:
        suite = getattr(part, "body", None)
        if isinstance(suite, cst.IndentedBlock):
            yield suite.body
    orelse = getattr(node, "orelse", None)
    if isinstance(orelse, cst.If):
        yield [orelse]
    elif orelse is not None and isinstance(orelse.body, cst.IndentedBlock):
        yield orelse.body.body


class _Places:
    """The steps of a model by the lines that they came from."""

    def __init__(self, calls: list[Call]) -> None:
        self.starts: dict[int, int] = {}  # line → the first step that code there made
        self.spans: list[tuple[int, int, int]] = []
        for at, call in enumerate(calls):
            spans = [call.origin.span, *(frame.span for frame in call.origin.frames if frame.kind == "call")]
            if isinstance(call.target, Module) and call.target.layer is not None:
                spans.append(call.target.layer.origin.span)
            for span in spans:
                if span.file:
                    continue  # its lines are those of another file
                known = calls[self.starts.setdefault(span.line, at)]
                if isinstance(known.target, str) and isinstance(call.target, Module) and known.layer is call.layer:
                    self.starts[span.line] = at  # not what only prepares the layer's input
                if span.line < span.end_line:
                    self.spans.append((span.line, span.end_line, at))

    def near(self, line: int, first: int, last: int) -> int | None:
        """The next step that code of a block made after a line, or else the one before."""
        below = self.first(line, last, inside=False)
        above = [self.starts[other] for other in range(first, line) if other in self.starts]
        return max(above, default=None) if below is None else below

    def first(self, first: int, last: int, inside: bool) -> int | None:
        """The first step that code of these lines made; ``inside`` counts code that only reaches into them."""
        found = [self.starts[line] for line in range(first, last + 1) if line in self.starts]
        if inside and not found:
            found = [at for start, end, at in self.spans if start <= last and first <= end]
        return min(found, default=None)


def _texts(node: Any) -> Iterator[str]:
    """The comments below a node, layout included."""
    if isinstance(node, cst.Comment):
        yield node.value
        return
    for child in getattr(node, "children", ()):
        yield from _texts(child)


__all__ = ["Comments"]
