"""The public functions and types, and what importing them costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from jinja2 import UndefinedError

import transpiler
from transpiler import ModelSummary, Result, transpile
from transpiler.diagnostics import diagnostic
from transpiler.result import ModelChoiceError
from transpiler.template_env import environment, helper_source, template_directory

FIRST = ModelSummary("gan.generator", "Generator", "Generator()", aliases=("build_generator", "g"))
SECOND = ModelSummary("critic", "Critic", "Critic()")


def test_the_public_names_are_there() -> None:
    assert set(transpiler.__all__) == {"Diagnostic", "ModelSummary", "Options", "Result", "transpile"}
    assert all(hasattr(transpiler, name) for name in transpiler.__all__)


def test_importing_is_light() -> None:
    program = (
        "import sys, transpiler; print(sorted({'libcst', 'black', 'jinja2', 'click', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_source_that_cannot_be_parsed_comes_back_with_a_diagnostic() -> None:
    result = transpile("import keras\nx = (\n")
    assert [(found.code, found.line) for found in result.diagnostics] == [("KT002", 2)]
    assert not result.complete
    assert result.code == "import keras\nx = (\n"


def test_notes_do_not_make_a_result_incomplete() -> None:
    assert Result("", (diagnostic("KT401", "m"),)).complete
    assert not Result("", (diagnostic("KT101", "m"),)).complete


@pytest.mark.parametrize("name", ["gan.generator", "generator", "build_generator", "g", "Generator"])
def test_a_model_is_found_by_what_the_source_calls_it(name: str) -> None:
    assert Result("", (), (FIRST, SECOND)).model(name) is FIRST


def test_the_only_model_needs_no_name() -> None:
    assert Result("", (), (SECOND,)).model() is SECOND


@pytest.mark.parametrize(
    ("models", "name", "says"),
    [
        ((), None, "no model that could be translated"),
        ((FIRST, SECOND), None, "several models: `gan.generator`, `critic`"),
        ((FIRST, SECOND), "none", "no model `none`; it has `gan.generator`, `critic`"),
        ((SECOND, SECOND), "critic", "several models answer to `critic`"),
    ],
)
def test_a_choice_that_cannot_be_made_says_why(models: tuple[ModelSummary, ...], name: str | None, says: str) -> None:
    with pytest.raises(ModelChoiceError, match=says):
        Result("", (), models).model(name)


def test_templates_are_found_and_strict() -> None:
    with pytest.raises(UndefinedError):
        environment().from_string("{{ nothing }}").render()
    assert environment().from_string("{% if x %}\n{{ x }}\n{% endif %}\n").render(x="'<'") == "'<'\n"


@pytest.mark.parametrize("path", sorted((template_directory() / "helpers").glob("*.jinja")), ids=lambda path: path.name)
def test_every_helper_is_python(path: Path) -> None:
    source = helper_source(path.name.removesuffix(".py.jinja"))
    compile(source, path.name, "exec")
    assert source.endswith("\n")


def test_a_program_without_keras_comes_back_as_it_is() -> None:
    """Byte for byte, however black would lay it out."""
    source = "x   = [ 1,2 ]  # keras\r\n\n\nprint( x )"
    result = transpile(source)
    assert result.code == source
    assert result.complete
