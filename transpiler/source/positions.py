"""Where the nodes of a module stand, and the text of each as the source has it.

LibCST's ``PositionProvider`` counts lines at every token. Here one pass over the module notes which tokens belong to
which node; lines, columns and texts are worked out from that for the few nodes somebody asks about.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate

import libcst as cst
from libcst._nodes.internal import CodegenState
from libcst.metadata import CodePosition, CodeRange

from transpiler.source.folding import Folded
from transpiler.source.read import Parsed

_NEWLINE = re.compile(r"\r\n?|\n")
_Range = tuple[int, int]  # of tokens


@dataclass(frozen=True)
class Remark:
    """A comment; ``alone`` on its line, or behind code."""

    line: int
    text: str
    alone: bool


class _Recorder(CodegenState):
    """Notes by node where its tokens begin and end: with all whitespace, and without what means nothing."""

    __slots__ = ("_starts", "inner", "whole")

    def __init__(self, module: cst.Module) -> None:
        super().__init__(default_indent=module.default_indent, default_newline=module.default_newline)
        self.whole: dict[cst.CSTNode, _Range] = {}
        self.inner: dict[cst.CSTNode, _Range] = {}
        self._starts: list[int] = []

    def before_codegen(self, node: cst.CSTNode) -> None:
        self._starts.append(len(self.tokens))

    def after_codegen(self, node: cst.CSTNode) -> None:
        self.whole[node] = (self._starts.pop(), len(self.tokens))

    def record_syntactic_position(  # type: ignore[override]  # no generator, which would take longer
        self, node: cst.CSTNode, *, start_node: cst.CSTNode | None = None, end_node: cst.CSTNode | None = None
    ) -> _Inner:
        return _Inner(self, node, start_node, end_node)

    def of(self, node: cst.CSTNode) -> _Range:
        return self.inner.get(node) or self.whole[node]


class _Inner:
    """Within: the tokens of a node without what means nothing."""

    __slots__ = ("_end", "_first", "_node", "_recorder", "_start")

    def __init__(
        self, recorder: _Recorder, node: cst.CSTNode, start: cst.CSTNode | None, end: cst.CSTNode | None
    ) -> None:
        self._recorder, self._node, self._start, self._end = recorder, node, start, end

    def __enter__(self) -> None:
        self._first = len(self._recorder.tokens)

    def __exit__(self, *_: object) -> None:
        recorder = self._recorder
        first = self._first if self._start is None else recorder.of(self._start)[0]
        last = len(recorder.tokens) if self._end is None else recorder.of(self._end)[1]
        recorder.inner[self._node] = (first, last)


class Positions:
    """Line and column ranges and texts by node; nodes that are not of the module have none.

    ``place`` says what to call a line in texts of the output.
    """

    def __init__(self, module: cst.Module, place: Callable[[int], str], folded: Folded | None = None) -> None:
        self.place = place
        self.folded = folded or Folded("")
        recorder = _Recorder(module)
        module._codegen(recorder)  # what PositionProvider does
        self._whole, self._inner = recorder.whole, recorder.inner
        self._offsets = [0, *accumulate(map(len, recorder.tokens))]
        self.code = "".join(recorder.tokens)
        self._lines = [0, *(found.end() for found in _NEWLINE.finditer(self.code))]

    def get(self, node: cst.CSTNode) -> CodeRange | None:
        """Where ``node`` stands, without the whitespace around it."""
        found = self._inner.get(node) or self._whole.get(node)
        return None if found is None else CodeRange(self._position(found[0]), self._position(found[1]))

    def __contains__(self, node: cst.CSTNode) -> bool:
        return node in self._whole

    def text(self, node: cst.CSTNode) -> str | None:
        """The text of ``node`` with its whitespace and its parentheses; None if it is not of the module."""
        found = self._whole.get(node)
        return None if found is None else self.code[self._offset(found[0]) : self._offset(found[1])]

    def lines(self, node: cst.CSTNode) -> range:
        """The lines of a statement with the comments above it and those at the end of its block."""
        first, last = map(self._position, self._whole[node])
        return range(first.line, last.line + (last.column > 0))

    def comments(self) -> list[Remark]:
        """All comments of the module in order."""
        found: list[Remark] = []
        for node, (token, _) in self._whole.items():
            if isinstance(node, cst.Comment):
                place = self._position(token)
                before = self.code[self._lines[place.line - 1] : self._offset(token)]
                found.append(Remark(place.line, node.value, alone=not before.strip()))
        return sorted(found, key=lambda remark: remark.line)

    def _offset(self, token: int) -> int:
        return self._offsets[min(token, len(self._offsets) - 1)]

    def _position(self, token: int) -> CodePosition:
        offset = self._offset(token)
        line = bisect_right(self._lines, offset)
        return CodePosition(line, offset - self._lines[line - 1])


def positions_of(parsed: Parsed, place: Callable[[int], str] = "line {}".format) -> Positions:
    """The positions of all nodes of a module."""
    return Positions(parsed.module, place, parsed.folded)
