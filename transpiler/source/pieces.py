"""A file in pieces that can be formatted one by one, and the skeleton that says how many blank lines are between them.

In the skeleton a small definition stands for definitions and a name for other compound statements: black decides on
blank lines by what kind of statement comes after what.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

_HEAD = re.compile(r"(?:[ \t]*(?:#[^\n]*)?\n)*")
_DEFINITION = re.compile(r"@|(?:async )?def |class ")
_COMPOUND = re.compile(r"(?:if|for|while|with|try)\b")
_DEFINES = re.compile(r"\b(?:def|class)\b")
_PLACE = re.compile(r"^(?:@_piece_\n)?(?:def )?_piece_(\d+)_(?:\(\):\n    return 0)?\n", re.MULTILINE)
_UNUSUAL = re.compile(r"fmt:|yapf:|[\r\f]|_piece_\d*_")  # what black reads across statements, and our own names
_INDENTED = re.compile(r"^[ \t]+#", re.MULTILINE)
_BLANK = re.compile(r"(?:[ \t]*\n)*")
_SHORTEST = 3  # lines; shorter pieces are not worth a call of black


@dataclass(frozen=True)
class Piece:
    """Whole top-level statements and the lines before and after them; ``shared``: many output files have them."""

    text: str
    shared: bool = False


@dataclass
class _Split:
    """A piece in three: blank lines and comments, statements, blank lines. What is not worth a call is all head."""

    head: str
    bodies: list[Piece] = field(default_factory=list)
    tail: str = ""

    @property
    def definition(self) -> bool:
        """Whether the statements are definitions."""
        return bool(self.bodies) and _DEFINITION.match(self.bodies[0].text) is not None

    def place(self, number: int) -> str:
        """What stands for the statements in a skeleton."""
        if not self.definition:
            return f"_piece_{number}_\n"
        decorator = "@_piece_\n" if self.bodies[0].text.startswith("@") else ""
        return f"{decorator}def _piece_{number}_():\n    return 0\n"


@dataclass
class Skeleton:
    """The text with names for ``bodies``: definitions that follow each other have one name."""

    text: str
    bodies: list[list[Piece]]

    @classmethod
    def of(cls, pieces: Sequence[Piece]) -> Skeleton | None:
        """The skeleton of a file; None where one statement may decide how another is formatted."""
        if any(_UNUSUAL.search(piece.text) or _INDENTED.search(_head(piece.text)) for piece in pieces):
            return None
        text, after_definition = "", False
        bodies: list[list[Piece]] = []
        for part in _joined(map(_split, pieces)):
            head = _spaced(part.head) if after_definition else part.head
            text += head
            if part.bodies:
                if part.definition and text.endswith("\n\n"):
                    text = text.rstrip("\n") + "\n\n\n"  # as black will have it
                text += part.place(len(bodies)) + part.tail
                bodies.append(part.bodies)
            after_definition = part.definition
        return cls(text, bodies)

    def filled(self, layout: str, bodies: Sequence[Sequence[str]]) -> str:
        """The formatted skeleton with the formatted bodies in their places."""
        return _PLACE.sub(lambda match: "\n\n".join(bodies[int(match[1])]), layout)


def _head(text: str) -> str:
    return _HEAD.match(text).group()  # type: ignore[union-attr]


def _spaced(text: str) -> str:
    """What follows a definition, after two blank lines."""
    return "\n\n" + text[_BLANK.match(text).end() :]  # type: ignore[union-attr]


def _split(piece: Piece) -> _Split:
    head = _head(piece.text)
    body = piece.text[len(head) :].rstrip()
    last = body[body.rfind("\n") + 1 :]
    whole = last[:1] in (" ", "\t") and not last.lstrip().startswith("#") and not last.endswith("...")
    alone = _DEFINITION.match(body) or (_COMPOUND.match(body) and not _DEFINES.search(body))
    if not (alone and whole and piece.text.endswith("\n") and body.count("\n") >= _SHORTEST - 1):
        return _Split(piece.text)
    tail = piece.text[len(head) + len(body) :].partition("\n")[2]
    return _Split(head, [Piece(f"{body}\n", piece.shared)], tail)


def _joined(parts: Iterable[_Split]) -> Iterator[_Split]:
    """Definitions with nothing but blank lines between become one part."""
    waiting = _Split("")
    for part in parts:
        blank = not part.head.strip()
        if waiting.definition and blank and part.definition:
            waiting.bodies += part.bodies
            waiting.tail = part.tail
        elif waiting.definition and blank and not part.bodies:
            waiting.tail += part.head
        else:
            yield waiting
            waiting = part
    yield waiting
