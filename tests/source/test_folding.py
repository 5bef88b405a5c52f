"""Huge literals: out of the program, known to the evaluator, and back where they were."""

from __future__ import annotations

import ast

from transpiler import transpile
from transpiler.source.folding import Folded, fold

NUMBERS = "[" + ", ".join(map(str, range(8000))) + "]"
ROWS = "[\n" + "".join(f"    [{i}, -{i}.5, 'é'],\n" for i in range(3000)) + "]"


def folded(text: str) -> Folded:
    return fold(text, ast.parse(text))


def test_a_small_program_stays_as_it_is() -> None:
    assert folded("a = [1, 2]\n").text == "a = [1, 2]\n"


def test_folded_and_unfolded() -> None:
    text = f"é = 1\na = {NUMBERS}; b = f({ROWS}, 3)\nc = [g(), *{NUMBERS}]\n"
    made = folded(text)
    assert len(made.text) < 6_000  # the lines of the rows are still there
    assert made.text.count("\n") == text.count("\n")
    assert list(made.values.values())[-1] == list(range(8000))
    assert ast.dump(ast.parse(made.unfold(made.text))) == ast.dump(ast.parse(text))


def test_what_is_not_constant_stays() -> None:
    names = "a = [" + "b, " * 10_000 + "]\n"
    assert folded(names).text == names


def test_translated() -> None:
    layer = "keras.layers.Dense(len(TABLE) // 800)"
    model = f"m = keras.Sequential([keras.Input((4,)), {layer}])"
    source = f"import keras\nTABLE = {NUMBERS}\n{model}\nprint(undefined, {ROWS})\n"
    result = transpile(source)
    assert result.complete, result.diagnostics
    assert f"TABLE = {NUMBERS}" in result.code
    assert ROWS in result.code
    assert "huge_literal" not in result.code
