"""The symbolic evaluator: a LibCST module in, a :class:`~transpiler.graph.program.Program` and its facts out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import libcst as cst

from transpiler.diagnostics import Refusal, diagnostic
from transpiler.evaluate.calls import call_function
from transpiler.evaluate.core import Evaluator, FailedDependencyError
from transpiler.evaluate.values import Function, Opaque, Signal


class _Scan(cst.CSTVisitor):
    """One look over the module: names bound at its top level, every identifier, functions that speak of Keras."""

    def __init__(self) -> None:
        self.bound: Counter[str] = Counter()
        self.names: set[str] = set()
        self._depth = 0
        self._loops = 0

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        self._depth += 1

    def leave_FunctionDef(self, original_node: cst.FunctionDef) -> None:
        self._depth -= 1

    def visit_ClassDef(self, node: cst.ClassDef) -> None:
        self._depth += 1

    def leave_ClassDef(self, original_node: cst.ClassDef) -> None:
        self._depth -= 1

    def visit_For(self, node: cst.For) -> None:
        self._loops += 1
        if not self._depth:
            self._count(node.target, 2)

    def leave_For(self, original_node: cst.For) -> None:
        self._loops -= 1

    def visit_While(self, node: cst.While) -> None:
        self._loops += 1

    def leave_While(self, original_node: cst.While) -> None:
        self._loops -= 1

    def visit_AssignTarget(self, node: cst.AssignTarget) -> None:
        if not self._depth:
            self._count(node.target, 2 if self._loops else 1)

    def visit_AnnAssign(self, node: cst.AnnAssign) -> None:
        if not self._depth:
            self._count(node.target, 2 if self._loops else 1)

    def visit_AugAssign(self, node: cst.AugAssign) -> None:
        self._count(node.target, 2)

    def visit_Global(self, node: cst.Global) -> None:
        for item in node.names:
            self.bound[item.name.value] += 2

    def visit_Name(self, node: cst.Name) -> None:
        self.names.add(node.value)

    def visit_Attribute(self, node: cst.Attribute) -> bool:
        node.value.visit(self)
        return False

    def visit_Arg(self, node: cst.Arg) -> bool:
        node.value.visit(self)
        return False

    def visit_ImportFrom(self, node: cst.ImportFrom) -> bool:
        return False  # what an import binds is a name of the output only where it is read

    def _count(self, target: cst.BaseExpression, times: int) -> None:
        if isinstance(target, cst.Name):
            self.bound[target.value] += times
        elif isinstance(target, (cst.Tuple, cst.List)):
            for element in target.elements:
                self._count(element.value, times)


def evaluate(module: cst.Module, positions: Mapping[cst.CSTNode, Any], entries: Sequence[str] = ()) -> Evaluator:
    """Interpret ``module``; ``entries`` are calls to trace besides (``--entry``)."""
    ev = Evaluator(module, positions)
    scan = _Scan()
    module.visit(scan)
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
        if function.calls == 0 and isinstance(function.node, cst.FunctionDef):
            _guarded(ev, lambda function=function: _trace_alone(ev, function))


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
