"""Formatting piece by piece gives what black makes of the whole."""

from __future__ import annotations

from itertools import permutations, product
from pathlib import Path

import pytest

from transpiler.source.format import format_code, format_pieces
from transpiler.source.pieces import Piece, Skeleton

STATEMENTS = (
    "import os\n",
    "x = {  'a':1 }\n",
    "def one(a):\n    b = a+1\n    return b\n",
    "@cache\ndef two( a ):\n    b = '''\ntext'''\n    return b\n",
    "class Three( Base ):\n    '''What it is.'''\n    size = 1\n",
    "for i in range( 3 ):\n    print( i )\n    import re\n",
    "if a:\n    def four(): return 1\n    b = 2\nelse:\n    pass\n",
    "def five(): ...\n",
    "async def six(a,\n    b):\n    return a\n    # at the end\n",
    '"""Says something."""\n',
)
SPACES = ("", "\n\n\n\n", "# a comment\n", "\n# a comment\n\n")
FILES = ("values", "scan", "limits", "natives")
ROOT = Path(__file__).resolve().parents[2]


def assert_same(pieces: list[Piece]) -> None:
    assert format_pieces(pieces) == format_code("".join(piece.text for piece in pieces))


@pytest.mark.parametrize("first", STATEMENTS)
def test_blank_lines_are_those_of_the_whole(first: str) -> None:
    for second, space in product(STATEMENTS, SPACES):
        assert_same([Piece(first), Piece(space + second), Piece(f"{space}y = 1\n")])


@pytest.mark.parametrize("space", ["", "# a comment\n"])
def test_three_in_any_order(space: str) -> None:
    for order in permutations(STATEMENTS[2:7], 3):
        assert_same([Piece('"""A module."""\n'), *(Piece(space + text) for text in order), Piece("# the end\n")])


def test_helpers_next_to_each_other_are_one_place() -> None:
    helpers = [Piece(f"{text}\n\n", shared=True) for text in STATEMENTS[2:5]]
    pieces = [Piece("import os\n\n\n"), *helpers, Piece("x = 1\n")]
    skeleton = Skeleton.of(pieces)
    assert skeleton is not None
    assert [len(joined) for joined in skeleton.bodies] == [3]
    assert_same(pieces)


@pytest.mark.parametrize(
    "text",
    [
        "# fmt: off\nx = [1,\n  2]\n",
        "x = 1\r\n",
        "\fx = 1\n",
        "_piece_0_ = 1\n",
        "  # of the function above, or not\nx = 1\n",
    ],
)
def test_what_reaches_across_statements_is_formatted_as_a_whole(text: str) -> None:
    pieces = [Piece(STATEMENTS[2]), Piece(text), Piece(STATEMENTS[4])]
    assert Skeleton.of(pieces) is None
    assert_same(pieces)


@pytest.mark.parametrize("name", FILES)
def test_a_file_statement_by_statement(name: str) -> None:
    import libcst

    module = libcst.parse_module((ROOT / "transpiler" / "evaluate" / f"{name}.py").read_text())
    texts = ["".join(map(module.code_for_node, module.header)), *map(module.code_for_node, module.body)]
    assert_same([Piece(text) for text in texts])
