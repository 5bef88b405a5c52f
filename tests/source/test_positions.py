"""Positions and texts are those of LibCST; and what is private in LibCST and used for them is still there."""

from __future__ import annotations

import inspect
from pathlib import Path

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider, WhitespaceInclusivePositionProvider

from transpiler.source.folding import Folded
from transpiler.source.positions import positions_of
from transpiler.source.read import Parsed
from transpiler.source.tree import walk

ROOT = Path(__file__).resolve().parents[2]
PRIVATE = {
    "before_codegen": ["self", "node"],
    "after_codegen": ["self", "node"],
    "record_syntactic_position": ["self", "node", "start_node", "end_node"],
}


def test_libcst_has_the_private_names() -> None:
    from libcst._nodes import internal

    state = getattr(internal, "CodegenState", None)
    assert state is not None, "LibCST has no CodegenState any more: transpiler/source/positions.py is built on it"
    for name, expected in PRIVATE.items():
        method = getattr(state, name, None)
        assert method is not None, f"LibCST's CodegenState has no {name} any more, which positions.py overrides"
        assert list(inspect.signature(method).parameters) == expected, f"CodegenState.{name} takes other parameters"
    assert list(inspect.signature(cst.Module._codegen).parameters)[:2] == ["self", "state"]
    assert internal.CodegenState(default_indent="", default_newline="").tokens == []


def test_positions_are_those_of_the_provider() -> None:
    source = (ROOT / "fixtures" / "resnet_blocks" / "resnet_blocks.py").read_text()
    wrapper = MetadataWrapper(cst.parse_module(source), unsafe_skip_copy=True)
    expected = wrapper.resolve(PositionProvider)
    whole = wrapper.resolve(WhitespaceInclusivePositionProvider)
    positions = positions_of(Parsed(wrapper.module, Folded(source)))
    lines = source.splitlines(keepends=True)
    assert positions.code == source
    for node in walk(wrapper.module):
        assert positions.get(node) == expected[node]
        if not isinstance(node, cst.Module):
            assert positions.text(node) == _between(lines, whole[node])


def _between(lines: list[str], found: cst.metadata.CodeRange) -> str:
    start, end = found.start, found.end
    if start.line == end.line:
        return lines[start.line - 1][start.column : end.column] if start.line <= len(lines) else ""
    last = lines[end.line - 1][: end.column] if end.line <= len(lines) else ""
    return "".join([lines[start.line - 1][start.column :], *lines[start.line : end.line - 1], last])
