"""Branches: known ones are followed, of unknown ones every side is interpreted and what they bound is merged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import libcst as cst

from transpiler.diagnostics import Refusal
from transpiler.evaluate.core import Evaluator, decided, is_build, is_known, plain
from transpiler.evaluate.values import (
    BreakSignal,
    ClassValue,
    ContinueSignal,
    Instance,
    Opaque,
    RaiseSignal,
    ReturnSignal,
    Row,
    Symbol,
)
from transpiler.graph.keras import CustomModel, Model, Tensor
from transpiler.graph.program import Array
from transpiler.rules.names import is_keras
from transpiler.source.tree import walk


def truth(value: Any) -> bool | None:
    """The truth of ``value``, or None where it is unknown."""
    if is_known(value):
        return bool(decided(value))
    if isinstance(value, (list, tuple, dict, set)):
        return bool(value)
    if isinstance(value, Tensor):
        raise Refusal("KT204", "the truth of a symbolic tensor is known only when the program runs")
    if isinstance(value, CustomModel):
        return True
    if isinstance(value, (Opaque, Array, Symbol, Instance)):
        return None
    return True


def run_if(ev: Evaluator, node: cst.If) -> None:
    """``if``/``elif``/``else``."""
    known = truth(ev.eval(node.test))
    taken = ev.facts.taken.setdefault(id(node), set())
    if known is None:
        taken.update((True, False))
        orelse = node.orelse
        sides = [lambda: ev.run(node.body.body), (lambda: None) if orelse is None else lambda: _orelse(ev, orelse)]
        alternatives(ev, sides)
        return
    taken.add(known)
    if known:
        ev.run(node.body.body)
    elif node.orelse is not None:
        _orelse(ev, node.orelse)


def _orelse(ev: Evaluator, node: cst.If | cst.Else) -> None:
    if isinstance(node, cst.If):
        run_if(ev, node)
    else:
        ev.run(node.body.body)


def alternatives(ev: Evaluator, sides: Sequence[Callable[[], None]]) -> None:
    """Interpret pieces of code of which exactly one will run, and merge what they bound."""
    before = dict(ev.scope.names)
    ends: list[dict[str, Any]] = []
    with ev.uncertain():
        for run in sides:
            ev.scope.names = dict(before)
            if not side(ev, run):
                ends.append(ev.scope.names)
    ev.scope.names = before
    if not ends:
        raise ReturnSignal(Opaque("every side of a branch on an unknown condition leaves"))
    merged = ends[0]
    for end in ends[1:]:
        merged = _merge(merged, end)
    ev.scope.names = merged


def side(ev: Evaluator, run: Callable[[], None]) -> bool:
    """Run one side; True where it leaves the block (return, raise, break, continue)."""
    try:
        run()
    except ReturnSignal as signal:
        if is_build(signal.value) or isinstance(signal.value, Model):
            raise Refusal("KT203", "which model is returned depends on a condition known only at run time") from None
        if ev.open_returns:
            ev.open_returns[-1].append(signal.value)
        return True
    except (BreakSignal, ContinueSignal):
        ev.open_exits += 1
        return True
    except RaiseSignal:
        return True
    return False


def perhaps(ev: Evaluator, compute: Callable[[], Any]) -> Any:
    """The value of an expression that may or may not be evaluated when the program runs."""
    before = dict(ev.scope.names)
    with ev.uncertain():
        value = compute()
    if ev.scope.names != before:
        ev.scope.names = _merge(before, ev.scope.names)
    return value


def _merge(left: dict[str, Any], right: dict[str, Any]) -> dict[str, Any]:
    merged = dict(right)
    for name, value in left.items():
        if name not in right or right[name] is value or _same(right[name], value):
            merged[name] = value
        else:
            why = f"`{name}` differs between the branches of a condition known only at run time"
            merged[name] = Opaque.named(name, name, why)
            merged[name].maybe_model = isinstance(value, Model) or isinstance(right[name], Model)
    return merged


def _same(a: Any, b: Any) -> bool:
    return is_known(a) and is_known(b) and type(a) is type(b) and bool(a == b)


# -- try --------------------------------------------------------------------------------------------------------------
def run_try(ev: Evaluator, node: cst.Try | cst.TryStar) -> None:
    """``try``: handlers are interpreted where the body can fail when the program runs."""
    raised = False
    before = dict(ev.scope.names)
    guards = any(_catches_imports(handler) for handler in node.handlers)
    ev.modules.guards += guards
    try:
        ev.run(node.body.body)
        if node.orelse is not None:
            ev.run(node.orelse.body.body)
    except RaiseSignal:
        raised = True
    finally:
        ev.modules.guards -= guards
    if node.handlers and (raised or _can_fail(ev, node.body)):
        _handle(ev, node, before, raised)
    if node.finalbody is not None:
        ev.run(node.finalbody.body.body)


def _catches_imports(node: cst.ExceptHandler | cst.ExceptStarHandler) -> bool:
    """Whether a handler is there for a module that is missing."""
    names = {part.value for part in walk(node.type) if isinstance(part, cst.Name)} if node.type is not None else set()
    return node.type is None or not names.isdisjoint(("ImportError", "ModuleNotFoundError", "Exception"))


def _handle(ev: Evaluator, node: cst.Try | cst.TryStar, before: dict[str, Any], raised: bool) -> None:
    """What the handlers bind, from what the body may have bound before it failed."""
    after = ev.scope.names
    partly = _merge(before, after)

    def handler(body: cst.BaseSuite) -> Callable[[], None]:
        def run() -> None:
            ev.scope.names.update(partly)
            ev.run(body.body)

        return run

    def body() -> None:
        ev.scope.names.update(after)

    ev.scope.names = dict(before)
    alternatives(ev, [*([] if raised else [body]), *(handler(each.body) for each in node.handlers)])


def _can_fail(ev: Evaluator, body: cst.BaseSuite) -> bool:
    """Whether a block may fail at run time: imports of what the output needs cannot, nor can building models."""
    return any(not _is_safe(ev, statement) for statement in body.body)


def _is_safe(ev: Evaluator, node: cst.CSTNode) -> bool:
    if isinstance(node, cst.SimpleStatementLine):
        return all(_is_safe(ev, small) for small in node.body)
    if isinstance(node, (cst.Import, cst.ImportFrom)):
        names = [] if isinstance(node.names, cst.ImportStar) else [
            (a.evaluated_alias or a.evaluated_name.split(".")[0]) for a in node.names
        ]  # fmt: skip
        values = [scope.names[name] for name in names if (scope := ev.scope.find(name)) is not None]
        return all(isinstance(v, Symbol) and (is_keras(v.name) or v.name.startswith("numpy")) for v in values)
    if isinstance(node, cst.Assign):
        value = ev.facts.values.get(id(node.value))
        return is_known(value) or is_build(value) or isinstance(value, Symbol) and is_keras(value.name)
    return isinstance(node, (cst.Pass, cst.Global, cst.Nonlocal, cst.FunctionDef, cst.ClassDef))


# -- match ------------------------------------------------------------------------------------------------------------
def run_match(ev: Evaluator, node: cst.Match) -> None:
    """``match``: the first case that fits a known subject; every case that may fit an unknown one."""
    subject = ev.eval(node.subject)
    open_cases: list[cst.MatchCase] = []
    complete = False
    for case in node.cases:
        before = dict(ev.scope.names)
        fits = _fits(ev, case.pattern, subject)
        if fits is True and case.guard is not None:
            fits = truth(ev.eval(case.guard))
        if fits is False:
            ev.scope.names = before
            continue
        if fits is True and not open_cases:
            ev.run(case.body.body)
            return
        open_cases.append(case)
        ev.scope.names = before
        if fits is True:
            complete = True
            break
    sides: list[Callable[[], None]] = [_case(ev, case, subject) for case in open_cases]
    if sides:
        alternatives(ev, sides if complete else [*sides, lambda: None])


def _case(ev: Evaluator, case: cst.MatchCase, subject: Any) -> Callable[[], None]:
    def run() -> None:
        _fits(ev, case.pattern, subject)
        ev.run(case.body.body)

    return run


def _fits(ev: Evaluator, pattern: cst.MatchPattern, subject: Any) -> bool | None:
    """Whether a pattern fits, None where that is known only at run time; names in it are bound."""
    if isinstance(pattern, cst.MatchAs):
        fits = True if pattern.pattern is None else _fits(ev, pattern.pattern, subject)
        if pattern.name is not None:
            name = pattern.name.value
            ev.scope.set(name, subject if fits else Opaque.named(name, name, f"`{name}` is bound by a pattern"))
        return fits
    if isinstance(pattern, cst.MatchOr):
        found = [_fits(ev, element.pattern, subject) for element in pattern.patterns]
        return True if True in found else None if None in found else False
    if isinstance(pattern, (cst.MatchValue, cst.MatchSingleton)):
        value = ev.eval(pattern.value)
        if isinstance(value, Instance) and isinstance(subject, Instance):
            return value is subject
        return bool(plain(subject) == plain(value)) if is_known(subject) and is_known(value) else None
    if isinstance(pattern, (cst.MatchList, cst.MatchTuple)):
        return _fits_sequence(ev, pattern, subject)
    if isinstance(pattern, cst.MatchClass):
        return _fits_class(ev, pattern, subject)
    for name in _captures(pattern):
        ev.scope.set(name, Opaque.named(name, name, f"`{name}` is bound by a pattern"))
    return None


def _fits_sequence(ev: Evaluator, pattern: cst.MatchList | cst.MatchTuple, subject: Any) -> bool | None:
    elements = [element for element in pattern.patterns if isinstance(element, cst.MatchSequenceElement)]
    if not isinstance(subject, (list, tuple)) or len(elements) != len(pattern.patterns):
        for name in _captures(pattern):
            ev.scope.set(name, Opaque.named(name, name, f"`{name}` is bound by a pattern"))
        return None if isinstance(subject, (Opaque, list, tuple)) else False
    if len(subject) != len(elements):
        return False
    found = [_fits(ev, element.value, item) for element, item in zip(elements, subject, strict=True)]
    return False if False in found else None if None in found else True


def _fits_class(ev: Evaluator, pattern: cst.MatchClass, subject: Any) -> bool | None:
    cls = ev.eval(pattern.cls)
    if not isinstance(cls, ClassValue) or not isinstance(subject, (Instance, Row)) or pattern.patterns:
        for name in _captures(pattern):
            ev.scope.set(name, Opaque.named(name, name, f"`{name}` is bound by a pattern"))
        return None
    if not isinstance(subject, Instance) or cls not in subject.cls.mro() or id(subject) in ev.clouded:
        return None if isinstance(subject, Row) else False
    found = [_fits(ev, kwd.pattern, subject.attributes.get(kwd.key.value, Opaque(""))) for kwd in pattern.kwds]
    return False if False in found else None if None in found else True


def _captures(pattern: cst.CSTNode) -> list[str]:
    """The names that a pattern binds."""
    if isinstance(pattern, (cst.MatchAs, cst.MatchStar)) and pattern.name is not None:
        return [pattern.name.value]
    return [name for child in pattern.children for name in _captures(child)]
