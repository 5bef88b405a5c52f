"""The symbolic evaluator: a LibCST module in, a :class:`~transpiler.graph.program.Program` and its facts out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import libcst as cst

from transpiler.diagnostics import Refusal, diagnostic
from transpiler.evaluate.attributes import is_keras_value
from transpiler.evaluate.calls import call_function
from transpiler.evaluate.core import Evaluator, FailedDependencyError
from transpiler.evaluate.scan import scan_module
from transpiler.evaluate.values import ClassValue, Function, Opaque, Signal
from transpiler.graph.keras import Model

_MODEL_METHODS = {"compile", "fit", "predict", "evaluate", "train_on_batch", "add", "history"}


def evaluate(module: cst.Module, positions: Mapping[cst.CSTNode, Any], entries: Sequence[str] = ()) -> Evaluator:
    """Interpret ``module``; ``entries`` are calls to trace besides (``--entry``)."""
    ev = Evaluator(module, positions)
    scan = scan_module(module)
    ev.scan = scan
    ev.program.names = scan.names
    ev.constants = {name for name, count in scan.bound.items() if count == 1}
    _guarded(ev, lambda: ev.run(module.body))
    for entry in entries:
        _guarded(ev, lambda entry=entry: _entry(ev, entry))
    _uncalled(ev)
    for model in ev.program.models:
        try:
            ev.settle(model)
        except Refusal as error:
            span = model.origin.span
            found = diagnostic(error.code, error.message, span.line, span.column + 1, hint=error.hint)
            ev.diagnostics.append(found)
            ev.failed_models.add(id(model))
        except FailedDependencyError:
            ev.failed_models.add(id(model))
    return ev


def _guarded(ev: Evaluator, run: Any) -> None:
    """Run; the program's own exits end it quietly, refusals become diagnostics."""
    try:
        run()
    except Signal:
        pass
    except Refusal as error:
        ev.report(error)
    except RecursionError:
        ev.report(Refusal("KT202", "the program is nested too deeply: the evaluator gives up here"))
    except FailedDependencyError:
        pass
    ev.unknown_depth = 0
    ev.frames = ()
    ev.functions = []
    while ev.scope.parent is not None:
        ev.scope = ev.scope.parent


def _entry(ev: Evaluator, text: str) -> None:
    try:
        expression = cst.parse_expression(text)
    except cst.ParserSyntaxError:
        raise Refusal("KT201", f"--entry {text!r} is not a Python expression") from None
    ev.eval(expression)


def _uncalled(ev: Evaluator) -> None:
    """Interpret the functions that nothing called, with their defaults; other parameters stay open."""
    for function in list(ev.facts.functions.values()):
        if function.calls == 0 and isinstance(function.node, cst.FunctionDef) and _matters(ev, function.node):
            _guarded(ev, lambda function=function: _trace_alone(ev, function))


def _matters(ev: Evaluator, node: cst.FunctionDef) -> bool:
    """Whether a function can have to do with Keras at all."""
    if ev.scan.methods[id(node)] & _MODEL_METHODS:
        return True
    return any(is_keras_value(ev.scope.names.get(name)) for name in ev.scan.reads[id(node)]) or any(
        isinstance(ev.scope.names.get(name), (Function, Model, ClassValue)) for name in ev.scan.reads[id(node)]
    )


def _trace_alone(ev: Evaluator, function: Function) -> None:
    assert isinstance(function.node, cst.FunctionDef)
    parameters = function.node.params
    args: list[Any] = []
    for param in (*parameters.posonly_params, *parameters.params):
        name = param.name.value
        if name not in function.defaults:
            args.append(Opaque.named(name, name, f"`{name}` is a parameter that no call gives"))
        else:
            args.append(function.defaults[name])
    kwargs = {
        p.name.value: Opaque.named(p.name.value, p.name.value, f"`{p.name.value}` is a parameter that no call gives")
        for p in parameters.kwonly_params
        if p.name.value not in function.defaults
    }
    ev.current = function.node
    outer, ev.scope = ev.scope, function.closure
    try:
        call_function(ev, function, args, kwargs, function.node)
    finally:
        ev.scope = outer


__all__ = ["Evaluator", "evaluate"]
