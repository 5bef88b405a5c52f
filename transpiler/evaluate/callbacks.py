"""Callbacks of training: Keras' own, objects of the program's classes, and what their hooks do to the model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import libcst as cst

from transpiler.diagnostics import Refusal
from transpiler.evaluate.core import Evaluator
from transpiler.evaluate.values import Bound, ClassValue, Function, HistoryLogs, Instance, Opaque, Signal, Symbol
from transpiler.graph.keras import Model
from transpiler.graph.program import Action, Callback
from transpiler.rules.base import bind
from transpiler.rules.callbacks import ALIASES, BASE, CALLBACKS, HOOKS, OTHER_HOOKS, READABLE, hooks_of, kind_of
from transpiler.source.tree import walk

_PICTURES = {"write_graph", "write_images", "write_grads"}
_ROWS = ("epoch", "batch")  # what the first argument of a hook is called where there is one


def make_callback(ev: Evaluator, name: str, args: list[Any], kwargs: dict[str, Any], node: cst.Call) -> Callback:
    """``EarlyStopping(…)`` and the like."""
    from transpiler.evaluate.api import to_object
    from transpiler.evaluate.expressions import unknown_to_program

    signature = CALLBACKS[name]
    bound = bind(name, signature, tuple(args), kwargs)
    config = {key: to_object(ev, unknown_to_program(value)) for key, value in bound.items()}
    functions = {key: value for key, value in bound.items() if isinstance(value, (Function, Bound))}
    made = Callback(name, config, hooks_of(name, config), functions)
    if kind_of(name) == "LambdaCallback":
        made.logs = made.hooks
    positional = [param.name for param in signature][: len(args)]
    names = {alias: param.name for param in signature for alias in (param.name, *param.aliases)}
    if path := next((arg.value for arg in node.args if arg.keyword is None or arg.keyword.value == "filepath"), None):
        ev.checkpoint_paths[id(made)] = ev.source(path)
        ev.keep_alive.append(made)
    given = {key: config[key] for key in (*positional, *(names[key] for key in kwargs))}
    for option in _PICTURES & set(given):
        if given[option] not in (False, None, 0):
            ev.note("KT404", f"`{option}` of `{kind_of(name)}` writes pictures; the output writes the curves", node)
    ev.record(Action(name, given, ev.span(node), ev.scope.qualified_name, node=node, callback=made))
    return made


def is_callback_class(cls: Any) -> bool:
    """Whether a class of the program's is a subclass of Keras' ``Callback``."""
    return isinstance(cls, ClassValue) and any(
        isinstance(base, Symbol) and base.name == BASE for owner in cls.mro() for base in owner.bases
    )


def is_callback(value: Any) -> bool:
    """Whether ``fit`` takes ``value`` as a callback."""
    return isinstance(value, Callback) or isinstance(value, Instance) and is_callback_class(value.cls)


def only_callbacks(value: Any) -> bool:
    """Whether ``value`` is a list of callbacks: more may be added to it under any condition."""
    return isinstance(value, list) and bool(value) and all(map(is_callback, value))


def callback_attribute(ev: Evaluator, value: Callback, name: str, node: cst.Attribute) -> Any:
    """What the program reads from one of Keras' callbacks."""
    if name not in READABLE:
        raise Refusal("KT302", f"`{name}` of a callback is not translated")
    value.reads.add(name)
    return Opaque(f"`{ev.source(node)}` is known only when the program runs", foreign=True)


# -- fit --------------------------------------------------------------------------------------------------------------
def flat_callbacks(value: Any) -> Iterator[Any]:
    """The callbacks in what ``fit`` is given."""
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from flat_callbacks(item)
    elif value is not None:
        yield value


def given_callbacks(ev: Evaluator, value: Any) -> Any:
    """The argument ``callbacks`` as actions carry it: own objects become :class:`Callback` too."""
    if isinstance(value, (list, tuple)):
        return [given_callbacks(ev, item) for item in value]
    if isinstance(value, Instance) and is_callback_class(value.cls):
        return own_callback(ev, value)
    return value


def own_callback(ev: Evaluator, instance: Instance) -> Callback:
    """What is known of an object of a callback class of the program's; the same each time."""
    if id(instance) not in ev.own_callbacks:
        ev.own_callbacks[id(instance)] = _own_callback(ev, instance)
        ev.keep_alive.append(instance)
    return ev.own_callbacks[id(instance)]


def _own_callback(ev: Evaluator, instance: Instance) -> Callback:
    cls = instance.cls
    names = {name for owner in cls.mro() for name in ev.scan.methods[id(owner.node)]}
    functions: dict[str, Any] = {}
    for name in (*HOOKS, *ALIASES):
        if isinstance(found := cls.lookup(name), Function):
            functions[name] = found
    if other := sorted(OTHER_HOOKS & cls.all_attributes()):
        raise Refusal("KT301", f"`{other[0]}` of a callback is not translated")
    if "validation_data" in names and "validation_data" not in instance.attributes:
        raise Refusal("KT301", "callbacks have no `validation_data` of their own any more; hand the arrays in")
    logs = {name for name, function in functions.items() if _wants_logs(function)}
    return Callback("", {}, frozenset(functions), functions, frozenset(logs), frozenset(names | cls.all_attributes()))


def _wants_logs(function: Function) -> bool:
    """Whether a hook cannot be called without ``logs``, or looks at them."""
    params = function.node.params.params
    last = params[-1].name.value if params else ""
    if last in _ROWS or last not in ("logs", "log"):
        return True
    reads = any(isinstance(part, cst.Name) and part.value == last for part in walk(function.node.body))
    return reads or params[-1].default is None


def run_hooks(ev: Evaluator, made: Action, model: Model, value: Any) -> None:
    """Interpret the hooks of the callbacks that ``fit`` is given: they work on its model."""
    for callback in flat_callbacks(value):
        if isinstance(callback, Callback):
            callback.fits.append(made)
            _interpret(ev, callback, None, made)
        elif isinstance(callback, Instance) and is_callback_class(callback.cls):
            known = own_callback(ev, callback)
            known.fits.append(made)
            callback.attributes["model"] = model
            callback.attributes.setdefault("params", Opaque("`params` of a callback", foreign=True))
            _interpret(ev, known, callback, made)


def _interpret(ev: Evaluator, callback: Callback, instance: Instance | None, made: Action) -> None:
    """Each of its functions once, as code that may or may not run."""
    from transpiler.evaluate.functions import call_function

    for name, found in callback.functions.items():
        function, receiver = (found.function, found.receiver) if isinstance(found, Bound) else (found, instance)
        own = [] if receiver is None else [receiver]
        args = _schedule_arguments(function, len(own)) if name == "schedule" else _hook_arguments(name, made)
        try:
            with ev.uncertain():
                call_function(ev, function, [*own, *args], {}, made.node)
        except Signal:
            continue  # the program's own exits end the hook


def takes_rate(function: Any, bound: int = 0) -> bool:
    """Whether the function of a ``LearningRateScheduler`` takes the learning rate besides the epoch."""
    return len(function.node.params.params) - bound > 1


def _schedule_arguments(function: Function, bound: int) -> list[Any]:
    epoch = Opaque("the number of an epoch", scalar=True, foreign=True)
    rate = Opaque("the learning rate", scalar=True, foreign=True)
    return [epoch, rate] if takes_rate(function, bound) else [epoch]


def _hook_arguments(name: str, made: Action) -> list[Any]:
    logs = HistoryLogs("what training reports is known only when the program runs", foreign=True, action=made)
    if name in ("on_train_begin", "on_train_end"):
        return [logs]
    return [Opaque("the number of an epoch or a batch", scalar=True, foreign=True), logs]
