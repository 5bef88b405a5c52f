"""Programs without end, of huge size, or that Keras would not take: a diagnostic each, and output that still parses."""

import ast

import pytest

from transpiler import transpile

HEAD = "import keras\nfrom keras import layers\n"
USE = "\nmodel = keras.Sequential([layers.Dense(n, input_dim=4)])\n"

LIMITS = {
    "long range as a list": "n = len(list(range(10**12)))" + USE,
    "long string": "n = len('a' * 10**9)" + USE,
    "tower of powers": "n = 10**10**8" + USE,
    "long list": "n = len([[1, 2]] * 10**8)" + USE,
    "nested comprehension": "n = len([i for i in range(10**4) for j in range(10**4) for k in range(10**4)])" + USE,
    "mutual recursion": "def f(x): return g(x)\ndef g(x): return f(x)\nn = f(1)" + USE,
    "self application": "f = lambda x: x(x)\nn = f(f)" + USE,
    "doubling list": "a = [1]\nfor i in range(100):\n    a = a + a\nn = len(a)" + USE,
    "doubling string": "a = 'x'\nfor i in range(100):\n    a += a\nn = len(a)" + USE,
    "growing integer": "n = 2\nfor i in range(1000):\n    n *= n" + USE,
    "format width": "n = len(f'{1:1000000000}')" + USE,
    "percent width": "n = len('%1000000000d' % 1)" + USE,
    "zfill": "n = len('1'.zfill(10**10))" + USE,
    "endless building": "m = keras.Sequential()\nwhile True:\n    m.add(layers.Dense(3))\n",
    "ten million layers": "m = keras.Sequential([keras.Input((4,))])\nfor i in range(10**7): m.add(layers.Dense(3))\n",
}

WRONG = {
    "negative units": ("m = keras.Sequential([layers.Dense(-3, input_dim=4)])", "KT103"),
    "text for units": ("m = keras.Sequential([layers.Dense('x', input_dim=4)])", "KT103"),
    "no stride": ("m = keras.Sequential([layers.Conv2D(3, 3, strides=0, input_shape=(4, 4, 1))])", "KT103"),
    "text for a rate": ("m = keras.Sequential([layers.Dense(2, input_dim=3), layers.Dropout('a')])", "KT103"),
    "kernel too large": ("m = keras.Sequential([layers.Conv2D(3, 9, input_shape=(4, 4, 1))])", "KT104"),
    "division by zero": ("n = 1 / 0" + USE, "KT205"),
    "unknown argument": ("m = keras.Sequential([layers.Dense(2, input_dim=3, sparkle=1)])", "KT102"),
}


@pytest.mark.parametrize("name", LIMITS)
def test_a_limit_is_told(name: str) -> None:
    result = transpile(HEAD + LIMITS[name], filename="program.py")
    assert "KT202" in {found.code for found in result.diagnostics}
    ast.parse(result.code)


@pytest.mark.parametrize("name", WRONG)
def test_what_keras_would_refuse_is_told(name: str) -> None:
    source, code = WRONG[name]
    result = transpile(HEAD + source + "\n", filename="program.py")
    assert [found.code for found in result.diagnostics][:1] == [code]
    ast.parse(result.code)


@pytest.mark.parametrize("loop", ["for i in range(10**12):\n    n += 1", "while True:\n    n += 1"])
def test_a_long_loop_that_builds_nothing_makes_its_numbers_unknown(loop: str) -> None:
    result = transpile(f"{HEAD}n = 0\n{loop}{USE}", filename="program.py")
    assert not result.diagnostics
    assert "n: int" in result.code


def test_names_of_the_input_never_become_code() -> None:
    name = "x'); import os; os.system('id')  #"
    result = transpile(HEAD + f'm = keras.Sequential([layers.Dense(3, input_dim=4, name="{name}")])\n', filename="a.py")
    attributes = {node.attr for node in ast.walk(ast.parse(result.code)) if isinstance(node, ast.Attribute)}
    assert "system" not in attributes


def test_a_container_in_itself_does_no_harm() -> None:
    result = transpile(HEAD + "a = []\na.append(a)\nn = len(a)" + USE, filename="program.py")
    ast.parse(result.code)
