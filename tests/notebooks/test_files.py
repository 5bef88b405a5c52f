"""Notebooks as files: what is no code keeps every byte, and what is no notebook is refused at once."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tests.notebooks.programs import cell, cells_of, notebook, sources
from transpiler import transpile
from transpiler.source.notebooks import read_notebook, readable

MODEL = "import keras\nmodel = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])\nname = 'Größe'"


def edited(text: str, source: str = "a = 1\n\nb = 'ß'") -> str:
    """Give the first code cell a new source."""
    found = read_notebook(text)
    return found.with_sources({found.code_cells()[0].number: source})


@pytest.mark.parametrize("indent", [None, 1, 4, "\t"])
@pytest.mark.parametrize("escaped", [False, True])
@pytest.mark.parametrize("as_list", [True, False])
def test_the_text_around_a_source_stays(indent: Any, escaped: bool, as_list: bool) -> None:
    whole = json.loads(notebook(cell("ä", "markdown"), cell("x = 'ä'\ny = 2"), cell("z"), zoo=[1.50, 1e5, "\u2028"]))
    if not as_list:
        whole["cells"][1]["source"] = "x = 'ä'\ny = 2"

    def dump() -> str:
        return json.dumps(whole, indent=indent, ensure_ascii=escaped)

    before = dump()
    whole["cells"][1] |= {"source": "a = 1\n\nb = 'ß'", "outputs": [], "execution_count": None}
    if as_list:
        whole["cells"][1]["source"] = ["a = 1\n", "\n", "b = 'ß'"]
    assert edited(before) == dump()


def test_numbers_escapes_and_order_are_not_touched() -> None:
    text = (
        '{"nbformat_minor": 2, "metadata": {"x": 1.50, "y": 1E5, "n": NaN, "s": "\\/\\u00e4\\ud800"},\n'
        '"cells":[{"source":["x = 1"],"cell_type":"code","metadata":{"a":1.0},"outputs":[1],"execution_count":3}]\n'
        ', "nbformat":4}'
    )
    expected = text.replace('["x = 1"]', '["y"]').replace("[1],", "[],").replace(":3}", ":null}")
    assert edited(text, "y") == expected


def test_windows_line_ends_in_a_source_stay() -> None:
    text = notebook(cell("import keras\r\nmodel = keras.Sequential([keras.layers.Dense(2)])\r\nx = 1"))
    (code,) = sources(transpile(text, "a.ipynb").code)
    assert "class " in code
    assert code.count("\r\n") == code.count("\n") > 3


def test_cells_that_a_translation_leaves_as_they_were_keep_their_layout_and_outputs() -> None:
    untidy = "x  =  {'a':1}\nif x :\n  y = 1;"
    text = notebook(MODEL, untidy, cell("#  comment only"), cell(""), cell("raw", "raw"))
    result = transpile(text, "a.ipynb")
    assert cells_of(result.code)[1:] == cells_of(text)[1:]


def test_comments_stay_in_their_cells() -> None:
    text = notebook("# one\nimport keras\n# two", "# three\nx = 1\n# four", "# five", "y = 2\n# six")
    assert [source.count("#") for source in sources(transpile(text, "a.ipynb").code)] == [2, 2, 1, 1]


def test_a_name_bound_again_has_the_value_of_the_cell_above() -> None:
    dense = "model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(units)])"
    result = transpile(notebook("import keras\nunits = 3", dense, "units = 5", dense), "a.ipynb")
    assert [[layer["module"] for layer in model.layers] for model in result.models] == [["fc"], ["fc"]]
    assert [model.outputs[0]["shape"][-1] for model in result.models] == [3, 5]


def test_a_refusal_names_cell_and_line_in_the_output_too() -> None:
    result = transpile(notebook("import keras", "\n\nkeras.layers.Strange(2)"), "a.ipynb")
    (found,) = result.diagnostics
    assert (found.cell, found.line, found.column) == (2, 3, 1)
    assert "KT101 (cell 2, line 3): " in sources(result.code)[1]


def test_what_needs_a_refused_cell_stays_as_a_comment() -> None:
    result = transpile(
        notebook("import keras", "m = keras.layers.Strange(2)", "h = m(keras.Input((2,)))\n\nm.x"), "a.ipynb"
    )
    assert sources(result.code)[2] == (
        "# Not translated, because something above is not:\n# h = m(keras.Input((2,)))\n#\n# m.x"
    )


def test_a_cell_that_only_showed_a_part_of_the_keras_model_is_told() -> None:
    layers = "import keras\nx = keras.layers.Dense(2)"
    result = transpile(notebook(layers, "x"), "a.ipynb")
    assert [(found.code, found.cell) for found in result.diagnostics] == [("KT105", 2)]


def test_our_imports_go_below_a_cell_magic_and_among_the_imports() -> None:
    cells = [
        "%%capture\nimport os\nimport keras\nimport numpy as np\nx = np.zeros((2, 4))",
        MODEL + "\nmodel.predict(x)",
    ]
    code = sources(transpile(notebook("!ls", *cells), "a.ipynb").code)[1]
    assert code.startswith("%%capture\nimport os\n\nimport numpy as np\nimport torch\n")
    assert code.endswith("\n\n\nx = np.zeros((2, 4))")


def test_a_notebook_of_another_language_is_none_of_our_business() -> None:
    text = notebook("library(keras)", metadata={"kernelspec": {"language": "R"}})
    result = transpile(text, "a.ipynb")
    assert (result.code, result.diagnostics) == (text, ())


def test_comparing_is_for_people() -> None:
    shown = readable(notebook(cell("# Title", "markdown"), "x = 1"))
    assert shown == "# %% cell 1 [markdown]\n# Title\n\n# %% cell 2 [code]\nx = 1\n"


def bad(**more: Any) -> str:
    return notebook(MODEL, **more)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not valid JSON"),
        ("import keras\n", "not valid JSON"),
        (bad()[:-40], "not valid JSON"),
        (bad().replace('"cells"', "<<<<<<< HEAD\n"), "not valid JSON"),
        ("[]", "has no cells"),
        ("null", "has no cells"),
        ('{"nbformat": 4}', "has no cells"),
        (bad(nbformat=5), "nbformat"),
        (bad(nbformat="4"), "nbformat"),
        (bad(nbformat=True), "nbformat"),
        (bad(nbformat=[4]), "nbformat"),
        (bad(cells={}), "not a list"),
        (bad(cells=3), "not a list"),
        (bad(cells=["keras"]), "cell 1 is not an object"),
        (bad(cells=[cell("x"), None]), "cell 2 is not an object"),
        (bad(cells=[{**cell("x"), "source": 3}]), "cell 1 has no"),
        (bad(cells=[{**cell("x"), "source": ["x", 3]}]), "cell 1 has no"),
        (bad(cells=[{**cell("x"), "cell_type": None}]), "cell 1 has no"),
        ('{"nbformat": 3, "worksheets": 1}', "worksheets"),
        ('{"nbformat": 3, "worksheets": [[]]}', "worksheets"),
        ('{"nbformat": 3, "worksheets": [{"cells": 1}]}', "not a list"),
        ('{"nbformat": 4, "cells": [{"cell_type": "code", "source": "keras", "source": "x"}]}', "stands twice"),
        ('{"nbformat": 4, "cells": ' + "[" * 100_000 + "]" * 100_000 + "}", "nested too deeply"),
        ('{"nbformat": 4, "cells": [], "x": ' + "9" * 5000 + "}", "digits"),
    ],
)
def test_what_is_no_notebook_is_refused(text: str, says: str) -> None:
    result = transpile(text, "a.ipynb")
    assert result.code == text
    (found,) = result.diagnostics
    assert found.code == "KT001"
    assert says in found.message


def test_broken_json_is_told_with_its_line() -> None:
    text = bad().replace('"nbformat": 4', '"nbformat": ,')
    (found,) = transpile(text, "a.ipynb").diagnostics
    assert found.line == text[: text.index('"nbformat": ,')].count("\n") + 1


@pytest.mark.parametrize("source", ["x = '\ud800'", "x = 1\0", "x = (", "print 'keras'", "  x = 1", "x = " + "(" * 500])
def test_a_cell_that_is_not_python_stays_and_the_rest_is_translated(source: str) -> None:
    text = json.dumps(json.loads(notebook(MODEL, "y = 1")) | {"cells": [cell(MODEL), cell(source), cell("z = model")]})
    result = transpile(text, "a.ipynb")
    assert [(found.code, found.cell) for found in result.diagnostics] == [("KT003", 2)]
    assert "class MLP" in sources(result.code)[0]
    assert cells_of(result.code)[1] == cells_of(text)[1]


def test_duplicate_ids_and_odd_metadata_do_no_harm() -> None:
    text = notebook(cell(MODEL, id="a"), cell("x", id="a", metadata=3), metadata=[1])
    assert transpile(text, "a.ipynb").complete


@pytest.mark.parametrize(
    "text",
    [
        notebook(MODEL, *["x = 1"] * 3000),
        notebook(MODEL, "!x\n" + "'" * 30_000),
        notebook(MODEL, "!x\n" + "(" * 30_000),
        notebook(MODEL, "!x\n" + '"""' * 10_001),
        notebook(MODEL, "!x\n" + "\\\n" * 30_000),
        notebook(MODEL, "!ls\n" * 5_000),
        notebook(MODEL, "%time f()\n" * 5_000),
        notebook(MODEL, cell("x", outputs=[{"data": {"image/png": "A" * 8_000_000}}])),
        notebook(MODEL, "a = " + "b, " * 10_000 + "!"),
    ],
)
def test_large_and_odd_notebooks_take_no_time(text: str) -> None:
    start = time.process_time()
    transpile(text, "a.ipynb")
    assert time.process_time() - start < 10
