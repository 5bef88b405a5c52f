"""IPython's syntax: found where it is, kept as it is, and no obstacle for the Python around it."""

from __future__ import annotations

import ast

import pytest

from tests.notebooks.programs import notebook, sources
from transpiler import transpile
from transpiler.source.magics import Mask, cell_magics

MODEL = "import keras\nmodel = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])"


def mask(source: str) -> Mask:
    found = Mask("magic_0_")
    found.add(source, 1)
    return found


@pytest.mark.parametrize(
    "line",
    [
        "%matplotlib inline",
        "    %pip install -q 'x>=1'",
        "!nvidia-smi",
        "!!ls",
        "!echo it's (",
        "!pip install a \\\n    b \\\n  c",
        "?model.fit",
        "model.fit?",
        "np.*load*?",
        "model.fit??",
        "pip install keras",
        "cd ..",
        "ls -l",
        "/f 1 2",
        ",f a b",
        ";f a b",
        "files = !ls *.py",
        "a, b = !echo 1",
        "rows[0] = %sql SELECT 1",
        "t = %timeit -o f(1)",
        "%time f(1)",
        "%timeit -n 10 -r3 f(1)",
        "%time x = f(1); y = 2",
        "%time for x in y: pass",
    ],
)
def test_masked_and_put_back(line: str) -> None:
    source = f"if x:\n{line}\n    y = 1" if line.startswith(" ") else f"x = 1\n{line}\ny = 2"
    found = mask(source)
    ast.parse(found.text)
    assert all(end not in found.text for end in ("%", "!", "?"))
    assert found.restored(found.collapsed(found.text)).rstrip("\n") == source


@pytest.mark.parametrize(
    "source",
    [
        'text = """\n%matplotlib inline\n!ls\n"""\n!ls',
        "x = (7\n     % 3)\n!ls",
        "x = 7 \\\n    % 3\n!ls",
        "f(\n    'a %s'\n    % b,\n)\n!ls",
        "print('what?')  # why?\n!ls",
        "# !pip install\n!ls",
        "x = 'a = !b'\n!ls",
        "d = {\n'''\n%x\n''': 1}\n!ls",
        'x = "\\"\\"\\"%"\n!ls',
    ],
)
def test_what_only_looks_like_it_stays(source: str) -> None:
    found = mask(source)
    assert list(found.masked.values()) == ["!ls"]
    assert found.text.splitlines()[:-1] == source.splitlines()[:-1]


def test_lines_keep_their_numbers() -> None:
    found = mask("!a \\\n  b\nx = 1\n%time y = 2\nz = (3,\n 4)\n")
    assert found.lines[1:] == ["x = 1", "magic_0_1_begin", "y = 2", "magic_0_1_end", "z = (3,", " 4)"]
    assert found.origins == [(1, 0), (3, 0), (4, 6), (4, 6), (4, 6), (5, 0), (6, 0)]


@pytest.mark.parametrize(
    ("source", "names", "head"),
    [
        ("%%time\nx = 1", ["time"], "%%time\n"),
        ("\n%%capture out\n%%time\nx = 1", ["capture", "time"], "\n%%capture out\n%%time\n"),
        ("%%bash\n%%time\n", ["bash"], "%%bash\n"),
        ("%%!\nls", [""], "%%!\n"),
        ("x = 1\n%%time", [], ""),
        ("\n\nx = 1", [], ""),
        ("#@title Net\n%%time\nx = 1", ["time"], "#@title Net\n%%time\n"),
        ("#| export\n# what\nx = 1", [], "#| export\n"),
    ],
)
def test_cell_magics(source: str, names: list[str], head: str) -> None:
    assert cell_magics(source) == (names, head)


def test_a_magic_in_the_middle_of_a_translated_cell_keeps_its_place_and_indentation() -> None:
    body = "for i in range(2):\n  !echo start {i}\n  model.fit(x, y)\n  %reset_selective -f z"
    code = sources(transpile(notebook(MODEL + "\nmodel.compile('sgd', 'mse')", body), "a.ipynb").code)[1]
    assert code == (
        "for i in range(2):\n    !echo start {i}\n    fit(model, x, y, criterion, optimizer)\n    %reset_selective -f z"
    )


def test_what_a_magic_gives_is_unknown_and_read_where_it_is_given() -> None:
    body = "n = !nproc\nmodel = keras.Sequential([keras.Input((4,)), keras.layers.Dense(int(n[0]))])"
    result = transpile(notebook("import keras", body), "a.ipynb")
    code = sources(result.code)[1]
    assert code.startswith("n = !nproc\n")
    assert code.count("!nproc") == 1
    assert result.complete
    assert "int(n[0])" in code.partition("model = ")[2]


def test_a_message_about_a_magic_shows_it_and_breaks_no_string() -> None:
    body = """kind = %sql SELECT "a'\\nb"\nkeras.layers.Dense(2, activation=kind)"""
    result = transpile(notebook("import keras", body), "a.ipynb")
    (found,) = result.diagnostics
    assert """`%sql SELECT "a'\\nb"`""" in found.message
    magic, statement = sources(result.code)[1].split("\n", 1)
    assert magic == body.split("\n", maxsplit=1)[0]
    ast.parse(statement)
    assert "`a magic`" in statement


def test_what_must_stay_at_the_top_of_a_cell_does() -> None:
    code = sources(transpile(notebook(MODEL.replace("model", "#@title Net\n# the net\nmodel")), "a.ipynb").code)[0]
    assert "\n# the net\nmodel = " in code
    code = sources(transpile(notebook("import keras", "#@title Net\n" + MODEL), "a.ipynb").code)[1]
    assert code.startswith("#@title Net\nclass ")


@pytest.mark.parametrize(
    ("source", "becomes"),
    [
        ("#@title Imports\nfrom keras import layers", "#@title Imports"),
        ("%%capture\nfrom keras import layers", ""),
        (
            "%%time\n#@title a\nx = keras.Input((3,))",
            "#@title a\n# This only described a model: nothing of it is left to run.",
        ),
    ],
)
def test_the_top_of_a_cell_that_is_emptied(source: str, becomes: str) -> None:
    assert sources(transpile(notebook(MODEL, source), "a.ipynb").code)[1] == becomes


def test_await_at_the_top_level_of_a_changed_cell() -> None:
    body = "x = await load()\nasync for y in x:\n    print(model.predict(y))"
    result = transpile(notebook(MODEL, body), "a.ipynb")
    assert sources(result.code)[1] == "x = await load()\nasync for y in x:\n    print(predict(model, y))"


def test_the_code_of_a_timing_magic_is_translated() -> None:
    cells = [
        f"{MODEL}\nmodel.compile('sgd', 'mse')",
        "%time model.fit(x, y, epochs=3)",
        "%timeit -r 2 model.predict(x)",
    ]
    result = transpile(notebook(*cells), "a.ipynb")
    assert result.complete
    assert sources(result.code)[1:] == [
        "%time fit(model, x, y, criterion, optimizer, epochs=3)",
        "%timeit -r 2 predict(model, x)",
    ]


def test_timed_code_that_becomes_several_statements_stays_on_its_line() -> None:
    result = transpile(notebook(MODEL, "%time model.compile('sgd', 'mse')"), "a.ipynb")
    (line,) = sources(result.code)[1].splitlines()
    assert line.startswith("%time criterion = nn.MSELoss(); optimizer = torch.optim.SGD(")


def test_timed_code_that_only_describes_a_model_goes_with_its_magic() -> None:
    cells = ["import keras\nmodel = keras.Sequential()", "%time model.add(keras.layers.Dense(2, input_shape=(3,)))"]
    result = transpile(notebook(*cells), "a.ipynb")
    assert result.complete
    assert sources(result.code)[1] == "# This only described a model: nothing of it is left to run."


@pytest.mark.parametrize(
    "source",
    [
        "%%writefile net.py\nimport keras\n",
        "%%python3\nfrom tensorflow import keras\n",
        "t = %timeit -o model.predict(x)",
        "%time model.fit(x,",
        "%%timeit model.predict(x)\ny = 1",
    ],
)
def test_keras_code_behind_a_magic_that_is_not_translated_is_told(source: str) -> None:
    result = transpile(notebook(MODEL, source), "a.ipynb")
    assert [(found.code, found.cell, found.line) for found in result.diagnostics] == [("KT003", 2, 1)]
    assert sources(result.code)[1] == source


@pytest.mark.parametrize("source", ["%%bash\npip install keras", "%%html\n<b>keras</b>", "%%sql\nSELECT keras"])
def test_cells_of_other_languages_are_left_alone(source: str) -> None:
    result = transpile(notebook(MODEL, source), "a.ipynb")
    assert result.complete
    assert sources(result.code)[1] == source


def test_ipythons_names_and_await_are_fine() -> None:
    body = "display(model)\nget_ipython().run_line_magic('ls', '')\nawait task()\nIn[1], Out[2], _"
    result = transpile(notebook(MODEL, body), "a.ipynb")
    assert result.complete
    assert sources(result.code)[1] == body


@pytest.mark.parametrize(
    ("last", "becomes"),
    [
        ("model.predict(x);", "predict(model, x);"),
        ("model.predict(x) ;  # quiet", "predict(model, x);  # quiet"),
        ("model.predict(x)", "predict(model, x)"),
        ("model.predict(x)\n# the end", "predict(model, x)\n# the end"),
        ("p = model.predict(x);", "p = predict(model, x)"),
    ],
)
def test_the_end_of_a_cell_displays_what_it_did(last: str, becomes: str) -> None:
    result = transpile(notebook(MODEL, f"x = 1; {last}"), "a.ipynb")
    assert sources(result.code)[1] == f"x = 1\n{becomes}"
