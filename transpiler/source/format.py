"""The formatter: black, as a library, with its own defaults and not the project's settings.

A file is formatted piece by piece. Where black changes anything, it does its work twice; in pieces only those are done
twice that it changes, and the helpers, which are the same in many files, are done once in a process.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from transpiler.source.pieces import Piece, Skeleton

if TYPE_CHECKING:
    from black.mode import Mode

LINE_LENGTH = 88


class FormatError(Exception):
    """The text that should be formatted is not Python: a fault of this package."""


def format_code(code: str) -> str:
    """Format with black; the result is what black itself would leave alone."""
    from black import format_str
    from black.parsing import InvalidInput

    try:
        return format_str(code, mode=_mode())
    except (InvalidInput, ValueError, RecursionError) as error:
        raise FormatError(str(error)) from error


def format_pieces(pieces: Sequence[Piece]) -> str:
    """Format the text that ``pieces`` are, one after the other: what ``format_code`` makes of the whole."""
    skeleton = Skeleton.of(pieces)
    if skeleton is None:
        return format_code("".join(piece.text for piece in pieces))
    bodies = [list(map(_format_piece, joined)) for joined in skeleton.bodies]
    return skeleton.filled(format_code(skeleton.text), bodies)


def _format_piece(piece: Piece) -> str:
    return _format_shared(piece.text) if piece.shared else format_code(piece.text)


@lru_cache(maxsize=512)
def _format_shared(text: str) -> str:
    return format_code(text)


@cache
def _mode() -> Mode:
    from black.mode import Mode, TargetVersion

    return Mode(target_versions={TargetVersion.PY310}, line_length=LINE_LENGTH)
