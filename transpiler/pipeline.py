"""The stages in order: read, evaluate, lower, structure and render, splice, format."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from transpiler.diagnostics import Diagnostic
from transpiler.options import Options
from transpiler.result import Building, ModelSummary, Result


def run(source: str, filename: str = "<string>", options: Options | None = None) -> Result:
    """Translate one Keras program. Raises ``ReadError`` where it is not Python; everything else is a diagnostic."""
    from transpiler.source.collector import collector_paused
    from transpiler.source.format import format_code

    with collector_paused():  # but not for black, which leaves much garbage
        done = _translate(source, filename, options or Options())
    return Result(format_code(done.text), _ordered(done.found), done.models, done.building)


def run_notebook(source: str, filename: str, options: Options | None = None) -> Result:
    """Translate a notebook: its code cells are one program. Raises ``ReadError`` where it cannot be read."""
    from transpiler.source.cells import join
    from transpiler.source.collector import collector_paused
    from transpiler.source.notebooks import read_notebook
    from transpiler.source.read import ReadError

    notebook = read_notebook(source)
    program = join(notebook)
    try:
        with collector_paused():
            done = _translate(program.text, filename, options or Options(), program.place)
    except ReadError as error:
        raise ReadError(program.located(error.diagnostic)) from error
    code = notebook.with_sources(program.sources(done.text, done.lost))
    told = [*program.diagnostics, *map(program.located, done.found), *program.silenced(done.text, done.lost)]
    return Result(code, _ordered(told), done.models, done.building)


@dataclass(frozen=True)
class _Translated:
    """The text of the output, not yet formatted, and what goes with it. ``lost`` are lines that went with a refusal."""

    text: str
    found: list[Diagnostic]
    models: tuple[ModelSummary, ...]
    lost: list[int]
    building: Callable[[], Building]


def _translate(
    source: str, filename: str, options: Options, place: Callable[[int], str] = "line {}".format
) -> _Translated:
    """Evaluate, lower, render and splice."""
    from transpiler.evaluate import evaluate
    from transpiler.rewrite.assemble import assemble
    from transpiler.rewrite.building import building_of
    from transpiler.rewrite.models import translate_models
    from transpiler.source.positions import positions_of
    from transpiler.source.read import parse_module

    module = parse_module(source, filename)
    evaluation = evaluate(module, positions_of(module, place), options.entry)
    translated = translate_models(evaluation, filename, options)
    text = assemble(evaluation, translated, filename)
    building = partial(building_of, evaluation, translated, options.entry)
    return _Translated(text, evaluation.diagnostics, translated.summaries(), evaluation.lost_lines(), building)


def _ordered(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    return tuple(sorted(diagnostics, key=lambda d: (d.cell or 0, d.line, d.column, d.code)))
