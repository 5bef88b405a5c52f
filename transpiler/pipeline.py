"""The stages in order: read, evaluate, lower, structure and render, splice, format."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from transpiler.diagnostics import Diagnostic
from transpiler.options import Options
from transpiler.result import ModelSummary, Result

if TYPE_CHECKING:
    from transpiler.source.pieces import Piece


def run(source: str, filename: str = "<string>", options: Options | None = None) -> Result:
    """Translate one Keras program. Raises ``ReadError`` where it is not Python; everything else is a diagnostic."""
    from transpiler.source.collector import collector_paused
    from transpiler.source.format import format_pieces

    with collector_paused():  # but not for black, which leaves much garbage
        pieces, found, models, _ = _translate(source, filename, options or Options())
    return Result(format_pieces(pieces), _ordered(found), models)


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
            pieces, found, models, lost = _translate(program.text, filename, options or Options(), program.place)
    except ReadError as error:
        raise ReadError(program.located(error.diagnostic)) from error
    text = "".join(piece.text for piece in pieces)
    code = notebook.with_sources(program.sources(text, lost))
    told = [*program.diagnostics, *map(program.located, found), *program.silenced(text, lost)]
    return Result(code, _ordered(told), models)


def _translate(
    source: str, filename: str, options: Options, place: Callable[[int], str] = "line {}".format
) -> tuple[list[Piece], list[Diagnostic], tuple[ModelSummary, ...], list[int]]:
    """The pieces of the output, not yet formatted, what was found, the models, the lines that went with a refusal."""
    from transpiler.evaluate import evaluate
    from transpiler.rewrite.assemble import assemble
    from transpiler.rewrite.models import translate_models
    from transpiler.source.positions import positions_of
    from transpiler.source.read import parse_module

    module = parse_module(source, filename)
    evaluation = evaluate(module, positions_of(module, place), options.entry)
    translated = translate_models(evaluation, filename, options)
    pieces = assemble(evaluation, translated, filename)
    return pieces, evaluation.diagnostics, translated.summaries(), evaluation.lost_lines()


def _ordered(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    return tuple(sorted(diagnostics, key=lambda d: (d.cell or 0, d.line, d.column, d.code)))
