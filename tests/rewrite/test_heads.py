"""The heads of functions and classes that stay: nothing of Keras may be left in them."""

from __future__ import annotations

import pytest

from transpiler import transpile

HEAD = "import keras\nimport tensorflow as tf\nimport functools\n"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("@tf.function\ndef f(a):\n    print(a)\n", "def f(a):"),
        ("@tf.function(jit_compile=True)\n@functools.cache\ndef f(a):\n    print(a)\n", "@functools.cache\ndef f(a):"),
        ("@keras.saving.register_keras_serializable('x')\ndef f(a):\n    print(a)\n", "def f(a):"),
        ("def f(a: tf.Tensor, b: int = 2) -> tf.Tensor:\n    print(a)\n", "def f(a, b: int = 2):"),
        ("@keras.saving.register_keras_serializable()\nclass C:\n    n = 3\n", "class C:"),
    ],
)
def test_what_goes(source: str, expected: str) -> None:
    result = transpile(HEAD + source)
    assert result.complete, result.diagnostics
    assert expected in result.code
    assert "keras" not in result.code
    assert "tf." not in result.code


@pytest.mark.parametrize(
    "source",
    [
        "def f(a, act=tf.nn.relu):\n    print(act)\n",
        "@tf.custom_gradient\ndef f(a):\n    print(a)\n",
        "def f(a, *, act=keras.ops.relu):\n    print(act)\n",
    ],
)
def test_what_is_told(source: str) -> None:
    assert "KT101" in {found.code for found in transpile(HEAD + source).diagnostics}


def test_where_a_summary_goes() -> None:
    model = "m = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])\n"
    assert "print(m)" in transpile(HEAD + model + "m.summary(line_length=80)\n").code
    assert "(log.info)(str(m))" in transpile(HEAD + model + "m.summary(print_fn=log.info)\n").code.replace(
        "log.info(str(m))", "(log.info)(str(m))"
    )
