"""Values that differ between training and inference: what only one of them needs is computed under a condition."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from transpiler.emit.lines import RETURN, SELECT, Line, Part, Tree
from transpiler.graph.torch import Value


def guard_lines(lines: list[Line]) -> list[Line]:
    """Move statements that only one side of a choice needs to the choice, and mark them."""
    for choice in [line for line in lines if chosen(line) is not None]:
        at = lines.index(choice)
        sides = [_needed_only(lines, at, side) for side in (0, 1)]
        for side, found in enumerate(sides):
            for line in found:
                line.guard = (choice, side)
        moved = [line for found in sides for line in found]
        lines = [*(line for line in lines[:at] if line not in moved), *moved, *lines[at:]]
    return lines


def chosen(line: Line) -> Tree | None:
    """The choice that a statement consists of, if it does."""
    tree = line.tree
    if line.kind == RETURN and tree.template == "{0}" and isinstance(tree.parts[0], Tree):
        tree = tree.parts[0]
    return tree if tree.template == SELECT else None


def _needed_only(lines: list[Line], at: int, side: int) -> list[Line]:
    """The statements before a choice whose results nothing but that side of it reads."""
    choice = chosen(lines[at])
    assert choice is not None
    other = {id(value) for value in _reads(choice.parts[1 - side])}
    wanted = {id(value) for value in _reads(choice.parts[side])} - other
    for line in lines[at + 1 :]:
        wanted -= {id(value) for value in line.tree.reads()}
    found: list[Line] = []
    for line in reversed(lines[:at]):
        outputs = {id(value) for value in line.outputs}
        if (
            line.guard is None
            and chosen(line) is None
            and outputs & wanted
            and not _read_by_others(line, lines, at, found)
        ):
            found.append(line)
            wanted |= {id(value) for value in line.tree.reads()}
    return found[::-1]


def _read_by_others(line: Line, lines: list[Line], at: int, found: list[Line]) -> bool:
    outputs = {id(value) for value in line.outputs}
    choice = chosen(lines[at])
    assert choice is not None
    for reader in lines:
        if reader in found or reader is lines[at]:
            continue
        if any(id(value) in outputs for value in reader.tree.reads()):
            return True
    sides = [any(id(value) in outputs for value in _reads(part)) for part in choice.parts]
    return all(sides)


def _reads(part: Part) -> Iterable[Value]:
    return part.reads() if isinstance(part, Tree) else (part,)


def guarded_body(lines: list[Line], show: Callable[[int, Line], list[str]], left: Callable[[Line], str],
                 text: Callable[[Part], str]) -> list[str]:  # fmt: skip
    """The statements as text, those of a choice in the blocks of an ``if``."""
    body: list[str] = []
    blocks: dict[int, tuple[list[str], list[str]]] = {}
    for index, line in enumerate(lines):
        if line.guard is not None:
            blocks.setdefault(id(line.guard[0]), ([], []))[line.guard[1]].extend(show(index, line))
        elif id(line) in blocks:
            body += _choice(line, blocks[id(line)], left, text)
        else:
            body += show(index, line)
    return body


def _choice(
    line: Line, blocks: tuple[list[str], list[str]], left: Callable[[Line], str], text: Callable[[Part], str]
) -> list[str]:
    tree = chosen(line)
    assert tree is not None
    training, inference = blocks
    first, second = text(tree.parts[0]), text(tree.parts[1])
    if line.kind == RETURN:
        on, off = _ending(training, "return ", first), _ending(inference, "return ", second)
        return ["if self.training:", *_indented(on), *off]
    name = left(line)
    on, off = _ending(training, f"{name} = ", first), _ending(inference, f"{name} = ", second)
    if not on:
        return ["if not self.training:", *_indented(off)]
    return ["if self.training:", *_indented(on), *(["else:", *_indented(off)] if off else [])]


def _ending(lines: list[str], start: str, value: str) -> list[str]:
    """Statements with the one that hands on the value; one that only computes it for that becomes it."""
    if lines and lines[-1].startswith(f"{value} = "):
        return [*lines[:-1], start + lines[-1].removeprefix(f"{value} = ")]
    return lines if start == f"{value} = " else [*lines, f"{start}{value}"]


def _indented(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]
