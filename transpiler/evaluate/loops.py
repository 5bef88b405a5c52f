"""Interpreting loops: turn by turn while they build models, and not for longer than needed otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import Any

import libcst as cst

from transpiler.diagnostics import Refusal
from transpiler.evaluate import limits
from transpiler.evaluate.assign import assign
from transpiler.evaluate.classes import members
from transpiler.evaluate.core import FAILED, Evaluator, FailedDependencyError, decided, is_build, is_failed
from transpiler.evaluate.functions import generate
from transpiler.evaluate.values import BreakSignal, ClassValue, ContinueSignal, Generator, Opaque
from transpiler.graph.keras import Frame, Tensor
from transpiler.graph.program import Array


def iterate(ev: Evaluator, value: Any) -> Iterable[Any] | None:
    """The elements to loop over, or None where they are unknown."""
    if is_failed(value):
        raise FailedDependencyError
    value = decided(value) if not isinstance(value, (list, tuple, dict)) else value
    if isinstance(value, (list, tuple)):
        return list(value)
    if isinstance(value, (range, str, bytes)):
        return value
    if isinstance(value, (dict, set, frozenset)):
        return list(value)
    if isinstance(value, Iterator):
        return value
    if isinstance(value, Array) and value.items is not None:
        return value.items
    if isinstance(value, Generator):
        return generate(ev, value)
    if isinstance(value, ClassValue) and value.enum:
        return list(members(value))
    if isinstance(value, Tensor):
        raise Refusal("KT204", "looping over a symbolic tensor is not possible, in Keras neither")
    return None


@contextmanager
def _quiet_budget(ev: Evaluator) -> Iterator[None]:
    """A bound for a loop that may turn out to build nothing; an outer bound stays in force."""
    outer = ev.loop_budget
    budget = ev.steps + limits.MAX_LOOP_STEPS
    ev.loop_budget = budget if outer is None else min(outer, budget)
    try:
        yield
    finally:
        ev.loop_budget = outer


def run_for(ev: Evaluator, node: cst.For) -> None:
    """``for target in items: …``."""
    items = iterate(ev, ev.eval(node.iter))
    if items is None:
        _unknown_turn(ev, node, node.target)
        return
    broke = False
    built, changed, exits = ev.built, len(ev.changed), ev.open_exits
    try:
        with _quiet_budget(ev):
            broke = _turns(ev, node, items)
    except limits.LoopBudgetSpent:
        if ev.built != built:
            raise limits.LimitReached("this loop takes too many steps") from None
        _forget(ev, node, changed)
    _open_end(ev, node, built, changed, exits)
    if node.orelse is not None and not broke:
        ev.run(node.orelse.body.body)


def _open_end(ev: Evaluator, node: cst.For | cst.While, built: int, changed: int, exits: int) -> None:
    """After a loop that a condition known only at run time may have left early, or cut a turn of short."""
    if ev.open_exits == exits:
        return
    ev.open_exits = exits
    if ev.built != built:
        raise Refusal("KT203", "how often this loop builds layers depends on a condition known only at run time")
    _forget(ev, node, changed)


def _turns(ev: Evaluator, node: cst.For, items: Iterable[Any]) -> bool:
    """Run the turns; True where a ``break`` ended them."""
    actions_before, changed = len(ev.program.actions), len(ev.changed)
    for turn, item in enumerate(items):
        ev.tick()
        built = ev.built
        assign(ev, node.target, item, None)
        try:
            with ev.frame(Frame("loop", "for", ev.span(node), turn)):
                ev.run(node.body.body)
        except ContinueSignal:
            continue
        except BreakSignal:
            return True
        if ev.built != built and isinstance(items, Sized) and len(items) > limits.MAX_BUILDING_TURNS:
            raise limits.LimitReached(f"a loop of {len(items)} turns that builds layers")
        if turn >= 1 and ev.built == built and len(ev.program.actions) > actions_before:
            _forget(ev, node, changed)  # a training loop: more turns show nothing new
            return False
        if ev.built != built and ev.loop_budget is not None:
            ev.loop_budget = ev.steps + limits.MAX_LOOP_STEPS
    return False


def _unknown_turn(ev: Evaluator, node: cst.For | cst.While, target: cst.BaseExpression | None) -> None:
    """Interpret the body of a loop of unknown length once, as code that may or may not run."""
    from transpiler.evaluate.branches import side

    if target is not None:
        names = [target.value] if isinstance(target, cst.Name) else []
        assign(ev, target, Opaque(f"`{names[0] if names else 'it'}` changes from turn to turn"), None)
    before = dict(ev.scope.names)
    with ev.uncertain():
        side(ev, lambda: ev.run(node.body.body))
    for name, value in list(ev.scope.names.items()):
        if name in before and before[name] is not value:
            if is_failed(value) or is_failed(before[name]):
                ev.scope.names[name] = FAILED
                continue
            if is_build(value) or is_build(before[name]):
                raise Refusal("KT203", f"`{name}` is built in a loop whose number of turns is known only at run time")
            ev.scope.names[name] = Opaque.named(name, name, f"`{name}` changes in a loop")


def run_while(ev: Evaluator, node: cst.While) -> None:
    """``while test: …``."""
    from transpiler.evaluate.branches import truth

    built, turns, changed, exits = ev.built, 0, len(ev.changed), ev.open_exits
    try:
        with _quiet_budget(ev):
            while True:
                ev.tick()
                known = truth(ev.eval(node.test))
                if known is None:
                    _unknown_turn(ev, node, None)
                    return
                if not known:
                    break
                turns += 1
                if ev.built != built and turns > limits.MAX_OPEN_TURNS:
                    raise limits.LimitReached("a loop without an end in sight that builds layers")
                actions = len(ev.program.actions)
                try:
                    ev.run(node.body.body)
                except ContinueSignal:
                    continue
                except BreakSignal:
                    return
                if len(ev.program.actions) > actions and ev.built == built:
                    _forget(ev, node, changed)
                    return
    except limits.LoopBudgetSpent:
        if ev.built != built:
            raise limits.LimitReached("this loop takes too many steps") from None
        _forget(ev, node, changed)
    _open_end(ev, node, built, changed, exits)
    if node.orelse is not None:
        ev.run(node.orelse.body.body)


def _forget(ev: Evaluator, node: cst.For | cst.While, changed: int) -> None:
    """After a loop that was not run to its end: what it assigns or fills is unknown."""
    from transpiler.evaluate.statements import bound_names

    for name in bound_names(ev, node):
        value = ev.scope.names.get(name)
        if name in ev.scope.names and not is_build(value) and not isinstance(value, Array):
            ev.scope.names[name] = Opaque.named(name, name, f"`{name}` changes in a loop")
    for container in ev.changed[changed:]:
        ev.cloud(container, "it changes in a loop")
