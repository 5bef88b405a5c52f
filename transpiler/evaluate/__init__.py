"""The symbolic evaluator: a LibCST module in, a :class:`~transpiler.graph.program.Program` and its facts out."""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst

from transpiler.diagnostics import Refusal, diagnostic
from transpiler.evaluate.attributes import is_keras_value
from transpiler.evaluate.core import Evaluator, FailedDependencyError
from transpiler.evaluate.scan import scan_module
from transpiler.evaluate.uncalled import guarded, interpret_uncalled
from transpiler.graph.keras import Model
from transpiler.source.positions import Positions


def evaluate(module: cst.Module, positions: Positions, entries: Sequence[str] = ()) -> Evaluator:
    """Interpret ``module``; ``entries`` are calls to trace besides (``--entry``)."""
    ev = Evaluator(module, positions)
    scan = scan_module(module)
    ev.scan = scan
    ev.program.names = scan.names
    ev.constants = {name for name, count in scan.bound.items() if count == 1}
    guarded(ev, lambda: ev.run(module.body))
    for entry in entries:
        guarded(ev, lambda entry=entry: _entry(ev, entry))
    interpret_uncalled(ev)
    ev.program.names -= {name for name, value in ev.scope.names.items() if is_keras_value(value)}
    for model in ev.program.models:
        _settled(ev, model)
    return ev


def _settled(ev: Evaluator, model: Model) -> None:
    """Settle a model's graph; one that cannot be is noted as failed."""
    try:
        ev.settle(model)
    except Refusal as error:
        span = model.origin.span
        found = diagnostic(error.code, error.message, span.line, span.column + 1, hint=error.hint)
        ev.diagnostics.append(found)
        ev.failed_models.add(id(model))
    except FailedDependencyError:
        ev.failed_models.add(id(model))


def _entry(ev: Evaluator, text: str) -> None:
    try:
        expression = cst.parse_expression(text)
    except cst.ParserSyntaxError:
        raise Refusal("KT201", f"--entry {text!r} is not a Python expression") from None
    ev.eval(expression)


__all__ = ["Evaluator", "evaluate"]
