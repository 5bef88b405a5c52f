"""Interpreting statements."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import libcst as cst

from transpiler.diagnostics import Refusal
from transpiler.evaluate import limits
from transpiler.evaluate.assign import assign, augmented, delete
from transpiler.evaluate.branches import run_if, run_match, run_try
from transpiler.evaluate.classes import define_class
from transpiler.evaluate.core import FAILED, Evaluator, FailedDependencyError, is_build
from transpiler.evaluate.functions import define_function
from transpiler.evaluate.imports import import_from, import_names
from transpiler.evaluate.loops import run_for, run_while
from transpiler.evaluate.values import BreakSignal, ContinueSignal, Opaque, RaiseSignal, ReturnSignal
from transpiler.source.tree import walk


def execute(ev: Evaluator, node: cst.CSTNode) -> None:
    """Interpret one statement; what is refused inside becomes a diagnostic and its targets fail."""
    ev.tick()
    ev.facts.visited.add(id(node))
    outer, ev.statement = ev.statement, node
    current, ev.current = ev.current, node
    ev.stack.append(id(node))
    home = ev.home_statement
    if node in ev.positions:
        ev.home_statement = node
    try:
        STATEMENTS.get(type(node), _ignore)(ev, node)
    except (limits.LimitReached, RecursionError) as error:
        refusal = error if isinstance(error, Refusal) else limits.LimitReached("recursion is too deep")
        if ev.functions and not isinstance(node, cst.SimpleStatementLine):
            raise
        _fail(ev, node, refusal)
    except Refusal as error:
        _fail(ev, node, error)
    except FailedDependencyError:
        ev.modules.suffered = True
        ev.mark_build(node)
        _poison(ev, node)
    finally:
        ev.stack.pop()
        ev.statement = outer
        ev.current = current
        ev.home_statement = home


def _fail(ev: Evaluator, node: cst.CSTNode, error: Refusal) -> None:
    ev.facts.failed[id(node)] = ev.report(error)
    _poison(ev, node)


def _poison(ev: Evaluator, node: cst.CSTNode) -> None:
    """Give the names that a failed statement would have bound a failed value; a failed ``return`` returns one."""
    ev.poisoned += 1
    names = bound_names(ev, node)
    for name in names:
        ev.scope.set(name, FAILED)
    if isinstance(node, (cst.FunctionDef, cst.ClassDef)):
        names = [*names, node.name.value]
    ev.modules.poisoned(ev.scope, names)
    if isinstance(node, cst.SimpleStatementLine) and any(isinstance(small, cst.Return) for small in node.body):
        raise ReturnSignal(FAILED)


def bound_names(ev: Evaluator, node: cst.CSTNode) -> list[str]:
    """The plain names that ``node`` assigns, in order; functions and classes in it have names of their own."""
    found = ev.bound_names.get(id(node))
    if found is not None:
        return found
    found = ev.bound_names[id(node)] = []
    for part in walk(node, closed=(cst.FunctionDef, cst.ClassDef, cst.Lambda)):
        if isinstance(part, (cst.AssignTarget, cst.AugAssign, cst.AnnAssign, cst.For)):
            found.extend(_names_in(part.target))
    return found


def _names_in(target: cst.BaseExpression) -> Iterator[str]:
    if isinstance(target, cst.Name):
        yield target.value
    elif isinstance(target, cst.StarredElement):
        yield from _names_in(target.value)
    elif isinstance(target, (cst.Tuple, cst.List)):
        for element in target.elements:
            yield from _names_in(element if isinstance(element, cst.StarredElement) else element.value)


def _ignore(ev: Evaluator, node: cst.CSTNode) -> None:
    """Statements without effect on a model."""


def _line(ev: Evaluator, node: cst.SimpleStatementLine | cst.SimpleStatementSuite) -> None:
    for small in node.body:
        SMALL.get(type(small), _ignore)(ev, small)


def _expr(ev: Evaluator, node: cst.Expr) -> None:
    ev.eval(node.value)


def _assign(ev: Evaluator, node: cst.Assign) -> None:
    value = ev.eval(node.value)
    for target in node.targets:
        assign(ev, target.target, value, node.value)


def _ann_assign(ev: Evaluator, node: cst.AnnAssign) -> None:
    if node.value is not None:
        assign(ev, node.target, ev.eval(node.value), node.value)


def _return(ev: Evaluator, node: cst.Return) -> None:
    raise ReturnSignal(ev.eval(node.value) if node.value is not None else None)


def _break(ev: Evaluator, node: cst.CSTNode) -> None:
    raise BreakSignal


def _continue(ev: Evaluator, node: cst.CSTNode) -> None:
    raise ContinueSignal


def _raise(ev: Evaluator, node: cst.Raise) -> None:
    raise RaiseSignal


def _global(ev: Evaluator, node: cst.Global) -> None:
    ev.scope.globals.update(item.name.value for item in node.names)


def _nonlocal(ev: Evaluator, node: cst.Nonlocal) -> None:
    ev.scope.nonlocals.update(item.name.value for item in node.names)


def _assert(ev: Evaluator, node: cst.Assert) -> None:
    ev.eval(node.test)


def _with(ev: Evaluator, node: cst.With) -> None:
    for item in node.items:
        value = ev.eval(item.item)
        if item.asname is not None and isinstance(item.asname.name, cst.BaseExpression):
            assign(ev, item.asname.name, value if is_build(value) else Opaque("a context manager's value"), item.item)
    ev.run(node.body.body)


SMALL: dict[type, Callable[[Evaluator, Any], None]] = {
    cst.Expr: _expr,
    cst.Assign: _assign,
    cst.AnnAssign: _ann_assign,
    cst.AugAssign: augmented,
    cst.Return: _return,
    cst.Break: _break,
    cst.Continue: _continue,
    cst.Raise: _raise,
    cst.Global: _global,
    cst.Nonlocal: _nonlocal,
    cst.Assert: _assert,
    cst.Import: import_names,
    cst.ImportFrom: import_from,
    cst.Del: delete,
}

STATEMENTS: dict[type, Callable[[Evaluator, Any], None]] = {
    cst.SimpleStatementLine: _line,
    cst.SimpleStatementSuite: _line,
    cst.If: run_if,
    cst.For: run_for,
    cst.While: run_while,
    cst.With: _with,
    cst.Try: run_try,
    cst.TryStar: run_try,
    cst.Match: run_match,
    cst.FunctionDef: define_function,
    cst.ClassDef: define_class,
    **SMALL,
}
