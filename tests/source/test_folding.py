"""Huge literals: out of the program, known to the evaluator, and back where they were."""

from __future__ import annotations

import ast

from transpiler import transpile
from transpiler.source.folding import fold

NUMBERS = "[" + ", ".join(map(str, range(8000))) + "]"
ROWS = "[\n" + "".join(f"    [{i}, -{i}.5, 'é'],\n" for i in range(3000)) + "]"


def test_a_small_program_stays_as_it_is() -> None:
    assert fold("a = [1, 2]\n").text == "a = [1, 2]\n"


def test_folded_and_unfolded() -> None:
    text = f"é = 1\na = {NUMBERS}; b = f({ROWS}, 3)\nc = [g(), *{NUMBERS}]\n"
    folded = fold(text)
    assert len(folded.text) < 6_000  # the lines of the rows are still there
    assert folded.text.count("\n") == text.count("\n")
    assert list(folded.values.values())[-1] == list(range(8000))
    assert ast.dump(ast.parse(folded.unfold(folded.text))) == ast.dump(ast.parse(text))


def test_not_python_and_not_constant() -> None:
    broken = f"a = {NUMBERS} +\n"
    assert fold(broken).text == broken
    names = "a = [" + "b, " * 10_000 + "]\n"
    assert fold(names).text == names


def test_translated() -> None:
    source = (
        f"import keras\nTABLE = {NUMBERS}\n"
        "m = keras.Sequential([keras.Input((4,)), keras.layers.Dense(len(TABLE) // 800)])\n"
        f"print(undefined, {ROWS})\n"
    )
    result = transpile(source)
    assert result.complete, result.diagnostics
    assert f"TABLE = {NUMBERS}" in result.code
    assert ROWS in result.code
    assert "huge_literal" not in result.code
