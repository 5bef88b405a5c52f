"""The symbolic evaluator: a LibCST module in, a :class:`~transpiler.graph.program.Program` and its facts out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import libcst as cst

from transpiler.diagnostics import Refusal, diagnostic
from transpiler.evaluate.attributes import is_keras_value
from transpiler.evaluate.classes import instantiate
from transpiler.evaluate.core import Evaluator, FailedDependencyError
from transpiler.evaluate.functions import call_function
from transpiler.evaluate.scan import scan_module
from transpiler.evaluate.values import ClassValue, Function, Instance, Opaque, Signal
from transpiler.graph.keras import Model
from transpiler.source.positions import Positions

_MODEL_METHODS = {"compile", "fit", "predict", "evaluate", "train_on_batch", "add", "history"}


def evaluate(module: cst.Module, positions: Positions, entries: Sequence[str] = ()) -> Evaluator:
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
    """Interpret what nothing called, with defaults and open parameters. Methods get an object of their class."""
    methods = {id(value): cls for cls in ev.classes for value in cls.attributes.values() if isinstance(value, Function)}
    customs = {id(value) for cls in ev.classes if cls.keras for value in cls.attributes.values()}
    for cls in ev.classes:
        if cls.keras:
            continue
        init = cls.lookup("__init__")
        if id(cls) not in ev.instances and isinstance(init, Function) and _matters(ev, cls.node):
            _guarded(ev, lambda cls=cls, init=init: _make_alone(ev, cls, init))
    for function in list(ev.facts.functions.values()):
        if id(function) in customs:
            continue
        if function.calls == 0 and isinstance(function.node, cst.FunctionDef) and _matters(ev, function.node):
            owning = methods.get(id(function))
            owner = ev.instances.get(id(owning)) if owning is not None else None
            _guarded(ev, lambda function=function, owner=owner: _trace_alone(ev, function, owner))


def _matters(ev: Evaluator, node: cst.FunctionDef | cst.ClassDef) -> bool:
    """Whether a function or class can have to do with Keras at all."""
    if ev.scan.methods[id(node)] & _MODEL_METHODS:
        return True
    values = [ev.scope.names.get(name) for name in ev.scan.reads[id(node)]]
    return any(is_keras_value(value) or isinstance(value, (Function, Model, ClassValue)) for value in values)


def _make_alone(ev: Evaluator, cls: ClassValue, init: Function) -> None:
    args, kwargs = _open_arguments(init, skip=1)
    ev.current = cls.node
    instantiate(ev, cls, args, kwargs, cst.Call(cst.Name(cls.name)))


def _trace_alone(ev: Evaluator, function: Function, owner: Instance | None) -> None:
    args, kwargs = _open_arguments(function, skip=1 if owner is not None else 0)
    ev.current = function.node
    outer, ev.scope = ev.scope, function.closure
    try:
        call_function(ev, function, args if owner is None else [owner, *args], kwargs, function.node)
    finally:
        ev.scope = outer


def _open_arguments(function: Function, skip: int) -> tuple[list[Any], dict[str, Any]]:
    """Arguments for a call that nobody wrote: defaults, and open values for the rest."""
    assert isinstance(function.node, cst.FunctionDef)
    parameters = function.node.params
    names = [param.name.value for param in (*parameters.posonly_params, *parameters.params)][skip:]
    args = [function.defaults[name] if name in function.defaults else _open(name) for name in names]
    only = [param.name.value for param in parameters.kwonly_params]
    return args, {name: _open(name) for name in only if name not in function.defaults}


def _open(name: str) -> Opaque:
    value = Opaque.named(name, name, f"`{name}` is a parameter that no call gives")
    value.maybe_model = True
    return value


__all__ = ["Evaluator", "evaluate"]
