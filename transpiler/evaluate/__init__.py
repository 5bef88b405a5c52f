"""The symbolic evaluator: a LibCST module in, a :class:`~transpiler.graph.program.Program` and its facts out."""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst

from transpiler.diagnostics import Refusal, diagnostic
from transpiler.evaluate.attributes import is_keras_value
from transpiler.evaluate.core import Evaluator, FailedDependencyError
from transpiler.evaluate.modules import Modules
from transpiler.evaluate.scan import scan_module
from transpiler.evaluate.uncalled import guarded, interpret_uncalled
from transpiler.evaluate.values import Subclassed
from transpiler.graph.keras import Model, Span
from transpiler.source.positions import Positions


def evaluate(
    module: cst.Module, positions: Positions, entries: Sequence[str] = (), modules: Modules | None = None
) -> Evaluator:
    """Interpret ``module``; ``entries`` are calls to trace besides (``--entry``), ``modules`` those of its project."""
    ev = Evaluator(module, positions)
    scan = scan_module(module)
    ev.scan = scan
    ev.program.names = scan.names
    ev.scope.constants = {name for name, count in scan.bound.items() if count == 1}
    ev.scope.rebound = set(scan.bound)
    if modules is not None:
        ev.modules = modules
        modules.start(ev)
    guarded(ev, lambda: ev.run(module.body))
    for entry in entries:
        guarded(ev, lambda entry=entry: _entry(ev, entry))
    guarded(ev, lambda: ev.modules.finish(ev))
    interpret_uncalled(ev)
    ev.program.names -= {name for name, value in ev.scope.names.items() if is_keras_value(value)}
    for model in ev.program.models:
        _settled(ev, model)
    return ev


def works_on_models(modules: Modules) -> bool:
    """Whether code of home does anything with models that the files which import it give it."""
    assert modules.home is not None
    ev = Evaluator(modules.home.module, modules.home.positions)
    ev.modules = modules
    modules.start(ev)
    guarded(ev, lambda: ev.run(ev.module.body))
    guarded(ev, lambda: modules.finish(ev))
    return any(action.node in ev.positions for action in ev.program.actions)


def _settled(ev: Evaluator, model: Model) -> None:
    """Settle a model's graph; one that cannot be is noted as failed."""
    try:
        ev.settle(model)
    except Refusal as error:
        if concerns_home(ev, model):
            blame(ev, model, error)
        ev.failed_models.add(id(model))
    except FailedDependencyError:
        ev.failed_models.add(id(model))


def concerns_home(ev: Evaluator, model: Model) -> bool:
    """Whether home builds a model, has it built, or works on it."""
    if not ev.modules.loaded or any(creation.node in ev.positions for creation in ev.creations_of(model)):
        return True
    if isinstance(model, Subclassed) and model.cls.node in ev.positions:
        return True
    return any(action.model is model and action.node in ev.positions for action in ev.program.actions)


def blame(ev: Evaluator, model: Model, error: Refusal, span: Span | None = None) -> None:
    """Tell what was refused of a model at ``span``, or where home built it."""
    span = span or model.origin.span
    message = error.message
    if span.file:
        message = f"{message} (in {span.file}, line {span.line})"
        here = [creation.node for creation in ev.creations_of(model) if creation.node in ev.positions]
        span = ev.span(here[0]) if here else Span(1, 0, 1, 0)
    found = diagnostic(error.code, message, span.line, span.column + 1, hint=error.hint)
    if found not in ev.diagnostics:
        ev.diagnostics.append(found)


def _entry(ev: Evaluator, text: str) -> None:
    try:
        expression = cst.parse_expression(text)
    except cst.ParserSyntaxError:
        raise Refusal("KT201", f"--entry {text!r} is not a Python expression") from None
    ev.eval(expression)


__all__ = ["Evaluator", "Modules", "blame", "concerns_home", "evaluate", "works_on_models"]
