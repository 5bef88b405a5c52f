"""The stages in order: read, evaluate, lower, structure and render, splice, format."""

from __future__ import annotations

from transpiler.diagnostics import Diagnostic
from transpiler.options import Options
from transpiler.result import ModelSummary, Result


def run(source: str, filename: str = "<string>", options: Options | None = None) -> Result:
    """Translate one Keras program. Raises ``ReadError`` where it is not Python; everything else is a diagnostic."""
    from transpiler.source.collector import collector_paused
    from transpiler.source.format import format_code

    with collector_paused():  # but not for black, which leaves much garbage
        text, found, models = _translate(source, filename, options or Options())
    return Result(format_code(text), _ordered(found), models)


def _translate(source: str, filename: str, options: Options) -> tuple[str, list[Diagnostic], tuple[ModelSummary, ...]]:
    """The text of the output, not yet formatted, with what was found and the models."""
    from transpiler.evaluate import evaluate
    from transpiler.rewrite.assemble import assemble
    from transpiler.rewrite.models import translate_models
    from transpiler.source.positions import positions_of
    from transpiler.source.read import parse_module

    module = parse_module(source, filename)
    evaluation = evaluate(module, positions_of(module), options.entry)
    translated = translate_models(evaluation, filename, options)
    text = assemble(evaluation, translated, filename)
    return text, evaluation.diagnostics, translated.summaries()


def _ordered(diagnostics: list[Diagnostic]) -> tuple[Diagnostic, ...]:
    return tuple(sorted(diagnostics, key=lambda d: (d.line, d.column, d.code)))
