"""Lines with several statements, names that change their meaning, and where imports go."""

from __future__ import annotations

import pytest

from transpiler import transpile

MODEL = """
import keras
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
"""


@pytest.mark.parametrize(
    "line",
    [
        "x = 1; model.compile('adam', 'mse'); y = 2",
        "model.compile('adam', 'mse'); x = 1; y = 2;",
        "if ready(): x = 1; model.compile('adam', 'mse'); y = 2",
    ],
)
def test_a_statement_that_becomes_several_leaves_the_rest_of_its_line(line: str) -> None:
    result = transpile(f"{MODEL}{line}\n")
    assert result.complete
    words = result.code.partition("\nmodel = ")[2].split()
    order = [words.index(name) for name in ("x", "criterion", "optimizer", "y")]
    assert (order == sorted(order)) is line.startswith(("x", "if"))


def test_a_name_that_our_code_takes_over_from_keras_is_no_remainder_of_keras() -> None:
    training = "model.compile('adam', 'mse', metrics=['mae'])\nmodel.fit(x, y)\n"
    result = transpile(f"from keras import metrics\n{MODEL}{training}")
    assert result.complete
    assert "fit(model, x, y, criterion, optimizer, metrics)" in result.code


def test_what_is_still_read_from_keras_under_such_a_name_is_told() -> None:
    training = "model.compile('adam', 'mse', metrics=['mae'])\nprint(metrics.Strange())\n"
    result = transpile(f"from keras import metrics\n{MODEL}{training}")
    assert [(found.code, found.line) for found in result.diagnostics] == [("KT101", 6)]


def test_our_imports_go_among_those_beside_the_keras_import() -> None:
    result = transpile("import os\nos.nice(1)\nimport keras\nimport numpy as np\n" + MODEL + "np.zeros(3)\n")
    assert "import numpy as np\nfrom torch import Tensor, nn\n\n\ndef init_weights" in result.code
