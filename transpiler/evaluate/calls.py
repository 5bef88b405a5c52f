"""Interpreting calls: the program's own functions and classes, pure functions, and everything of Keras."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import libcst as cst

from transpiler.diagnostics import Refusal
from transpiler.evaluate import limits
from transpiler.evaluate.arrays import ARRAY_FUNCTIONS, array_method
from transpiler.evaluate.callbacks import only_callbacks
from transpiler.evaluate.classes import instantiate
from transpiler.evaluate.core import (
    Evaluator,
    FailedDependencyError,
    decided,
    is_build,
    is_failed,
    is_known,
    plain,
)
from transpiler.evaluate.functions import call_function, generate
from transpiler.evaluate.natives import METHODS, MUTATING, PURE, STRUCTURAL, only_reads
from transpiler.evaluate.rates import rate_method
from transpiler.evaluate.sources import dataset_method, flow
from transpiler.evaluate.values import (
    Bound,
    ClassValue,
    Function,
    Generator,
    InitialValue,
    Instance,
    Method,
    Native,
    Opaque,
    RateOf,
    Symbol,
    Twin,
)
from transpiler.graph.keras import ApiObject, Layer, Model, Tensor
from transpiler.graph.program import Array, Source
from transpiler.graph.symbolic import Expr, Leaf
from transpiler.rules.names import is_keras
from transpiler.rules.training import METHODS as METHODS_OF_MODELS
from transpiler.source.tree import walk

_ADDING = ("append", "extend", "insert")
_REPEATABLE = frozenset("builtins.len builtins.sum builtins.sorted os.getenv os.environ.get os.cpu_count".split())


def call(ev: Evaluator, node: cst.Call) -> Any:
    """The value of a call expression."""
    function = ev.eval(node.func)
    args, kwargs = arguments(ev, node)
    with ev.working_on(node):
        return invoke(ev, function, args, kwargs, node)


def arguments(ev: Evaluator, node: cst.Call) -> tuple[list[Any], dict[str, Any]]:
    """Evaluate the arguments of a call, ``*`` and ``**`` unpacked."""
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    for arg in node.args:
        value = ev.eval(arg.value)
        if arg.star == "*":
            if not isinstance(value, (list, tuple, range)):
                value = [Opaque("unpacked arguments known only at run time")]
            args.extend(value)
        elif arg.star == "**":
            if isinstance(value, dict):
                kwargs.update(value)
            else:
                kwargs["**"] = Opaque("unpacked arguments known only at run time")
        elif arg.keyword is not None:
            kwargs[arg.keyword.value] = value
        else:
            args.append(value)
    return args, kwargs


def invoke(ev: Evaluator, function: Any, args: list[Any], kwargs: dict[str, Any], node: cst.Call) -> Any:
    """Call a value."""
    if is_failed(function):
        raise FailedDependencyError
    if isinstance(function, Function):
        return call_function(ev, function, args, kwargs, node)
    if isinstance(function, Bound):
        return call_function(ev, function.function, [function.receiver, *args], kwargs, node)
    if isinstance(function, Instance) and isinstance(method := function.cls.lookup("__call__"), Function):
        return call_function(ev, method, [function, *args], kwargs, node)
    if isinstance(function, Symbol):
        return _call_symbol(ev, function, args, kwargs, node)
    if isinstance(function, Layer):
        from transpiler.evaluate.layers import call_layer

        return call_layer(ev, function, args, kwargs, node)
    if isinstance(function, Model):
        from transpiler.evaluate.model_calls import call_model

        return call_model(ev, function, args, kwargs, node)
    if isinstance(function, Method):
        return _call_method(ev, function, args, kwargs, node)
    if isinstance(function, ClassValue):
        return instantiate(ev, function, args, kwargs, node)
    if isinstance(function, ApiObject) and function.symbol.startswith("keras.initializers."):
        return InitialValue(function, args[0] if args else kwargs.get("shape"))
    if isinstance(function, Native):
        return function.call(ev, args, kwargs, node)
    return _unknown_call(ev, function, args, kwargs, node)


def _unknown_call(ev: Evaluator, function: Any, args: list[Any], kwargs: dict[str, Any], node: cst.Call) -> Any:
    """A call of something unknown: fine as long as no part of a model goes in."""
    if isinstance(node.func, cst.Attribute) and node.func.attr.value in METHODS_OF_MODELS:
        owner = ev.facts.values.get(id(node.func.value))
        if isinstance(owner, Opaque) and owner.maybe_model:
            raise Refusal(
                "KT302",
                f"`{ev.source(node.func)}` may be a Keras model's method, but the model is not known here",
                "call the function in this file, or trace a call with --entry",
            )
    for value in (*args, *kwargs.values()):
        if is_failed(value):
            raise FailedDependencyError
        if is_build(value):
            raise Refusal("KT105", f"`{ev.source(node.func)[:60]}` is not known, but takes part in building the model")
    if not (isinstance(function, Symbol) and only_reads(function.name)):
        for value in (*args, *kwargs.values()):
            _expose(ev, value, f"`{ev.source(node.func)[:60]}` may change it")
    result = Opaque(f"`{ev.source(node)[:60]}` is known only when the program runs", call_expr(ev, node))
    result.foreign = isinstance(function, Opaque) and function.foreign
    return result


def _expose(ev: Evaluator, value: Any, why: str) -> None:
    """Unknown code gets ``value``: it may change what it holds, and call it."""
    if isinstance(value, Bound):
        ev.cloud(value.receiver, why)
    if isinstance(value, (Function, Bound)):
        function = value.function if isinstance(value, Bound) else value
        for part in walk(function.node):
            if isinstance(part, (cst.Global, cst.Nonlocal)):
                for item in part.names:
                    _forget_name(function, item.name.value)
    else:
        ev.cloud(value, why)


def _forget_name(function: Function, name: str) -> None:
    owner = function.closure.find(name)
    if owner is not None and not is_build(owner.names[name]) and not isinstance(owner.names[name], Model):
        owner.names[name] = Opaque.named(name, name, f"`{name}` may be set by `{function.name}`")


def call_expr(ev: Evaluator, node: cst.Call) -> Expr:
    """An expression that names the result of a call by its source text."""
    text = ev.source(node)
    name = _size_name(text)
    if not _repeatable(ev, node):
        ev.single_calls[name] = count = ev.single_calls.get(name, 0) + 1
        name = name if count == 1 else f"{name}_{count}"
    return Expr.of_leaf(Leaf(name, "local", text))


@lru_cache(maxsize=1024)  # a loop asks for the same in each turn
def _size_name(text: str) -> str:
    base = "".join(c if c.isalnum() else "_" for c in text.replace("len(", "num_")).strip("_").lower()
    name = "_".join(part for part in base.split("_") if part)[:40]
    return name if name.isidentifier() else "size"


def _repeatable(ev: Evaluator, node: cst.Call) -> bool:
    """Whether a call gives the same when it is evaluated again: only those may become one parameter."""
    for part in walk(node):
        if isinstance(part, cst.Call):
            symbol = ev.facts.values.get(id(part.func))
            if not isinstance(symbol, Symbol) or symbol.name not in _REPEATABLE and symbol.name not in PURE:
                return False
    return True


# -- symbols and methods ----------------------------------------------------------------------------------------------
def _call_symbol(ev: Evaluator, symbol: Symbol, args: list[Any], kwargs: dict[str, Any], node: cst.Call) -> Any:
    name = symbol.name
    if is_keras(name):
        from transpiler.evaluate.api import call_api

        return call_api(ev, name, args, kwargs, node)
    if name in STRUCTURAL and not any(isinstance(v, (Opaque, Array)) for v in (*args, *kwargs.values())):
        return _structural(ev, name, args, kwargs)
    from transpiler.evaluate.specials import SPECIAL

    special = SPECIAL.get(name)
    if special is not None:
        found = special(ev, args, kwargs, node)
        if found is not NotImplemented:
            return found
    if name.startswith("numpy.") and (array := _numpy(name, args, kwargs)) is not None:
        return array
    if name in PURE and is_known(args) and is_known(kwargs):
        return _pure(name, args, kwargs)
    if name == "builtins.len" and args and isinstance(args[0], Array) and args[0].shape:
        return args[0].shape[0] if args[0].shape[0] is not None else _named_opaque(ev, node)
    result = _unknown_call(ev, symbol, args, kwargs, node) if not name.startswith("builtins.print") else None
    if isinstance(result, Opaque):
        result.foreign = not name.startswith("builtins.")
    return result


def _named_opaque(ev: Evaluator, node: cst.Call) -> Opaque:
    return Opaque(f"`{ev.source(node)[:60]}` is known only when the program runs", call_expr(ev, node))


def _structural(ev: Evaluator, name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
    if any(is_failed(v) for v in args):
        raise FailedDependencyError
    args = [decided(v) if isinstance(v, (Expr, range)) else v for v in args]
    for at, value in enumerate(args):
        if isinstance(value, Generator):
            args[at] = generate(ev, value)
            if args[at] is None:
                return Opaque(f"`{ev.source(ev.current)[:60]}` is known only when the program runs")
    try:
        result = STRUCTURAL[name](*args, **kwargs)
    except (TypeError, ValueError):
        return Opaque(f"`{name.rpartition('.')[2]}` of these values is not evaluated")
    return result


def _pure(name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
    if name in ("builtins.int", "builtins.float") and len(args) == 1 and isinstance(args[0], Expr):
        number = args[0].value
        if (name == "builtins.int") == isinstance(number, int):
            return args[0]
    args = decided(args)
    if any(isinstance(v, str) and len(v) > 4000 for v in args) and name == "builtins.int":
        raise limits.LimitReached("an integer of thousands of digits")
    try:
        result = PURE[name](*args, **plain(kwargs))
    except (TypeError, ValueError, OverflowError, ZeroDivisionError, ArithmeticError, IndexError):
        return Opaque(f"`{name.rpartition('.')[2]}` of these values is not evaluated")
    if isinstance(result, int) and abs(result) > limits.MAX_INTEGER:
        raise limits.LimitReached("an integer beyond 64 bits")
    return result


def _numpy(name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
    function = ARRAY_FUNCTIONS.get(name[len("numpy.") :])
    if function is None:
        return None
    if name in PURE and is_known(args) and args:
        return None
    if any(is_build(v) for v in args):
        return None
    try:
        return function(args, kwargs)
    except (TypeError, IndexError, KeyError, AttributeError):
        return Array()


def _call_method(ev: Evaluator, method: Method, args: list[Any], kwargs: dict[str, Any], node: cst.Call) -> Any:
    receiver = method.receiver
    if isinstance(receiver, Model):
        from transpiler.evaluate.model_calls import call_model_method

        return call_model_method(ev, receiver, method.name, args, kwargs, node)
    if isinstance(receiver, Source):
        return dataset_method(ev, receiver, method.name, args, kwargs, node)
    if isinstance(receiver, Twin):
        return flow(ev, method.name, args, kwargs)
    if isinstance(receiver, RateOf):
        return rate_method(ev, method.name, args, node)
    if isinstance(receiver, Array):
        return array_method(ev, receiver, method.name, args, kwargs)
    if isinstance(receiver, Layer) and method.name == "build" and ev.tracing:
        return None  # it is built when it is called
    if isinstance(receiver, Layer):
        from transpiler.evaluate.adapt import call_layer_method

        return call_layer_method(ev, receiver, method.name, args, kwargs, node)
    if isinstance(receiver, Tensor):
        raise Refusal("KT101", f"`{method.name}` of a symbolic tensor is not supported")
    return _container_method(ev, receiver, method.name, args, kwargs, node)


def _container_method(
    ev: Evaluator, receiver: Any, name: str, args: list[Any], kwargs: dict[str, Any], node: cst.Call
) -> Any:
    kind = dict if isinstance(receiver, dict) else tuple if isinstance(receiver, tuple) else type(receiver)
    if name not in METHODS.get(kind, ()):
        ev.cloud(receiver, f"`.{name}()` is not followed")
        return Opaque(f"`.{name}()` is not evaluated")
    if name == "sort" and kwargs.get("key") is not None:
        return _sort(ev, receiver, kwargs, node)
    if name in MUTATING:
        _note_change(ev, receiver, any(is_build(v) for v in (*args, *kwargs.values())), node)
    if kind is str:
        if not is_known(args):
            return Opaque("a string made of values known only at run time")
        _check_text(receiver, name, args)
    values = plain(args) if kind in (str, set) or name in ("get", "pop", "setdefault") else args
    found = _computed(ev, receiver, name, values, kwargs)
    return _checked_result(ev, found, name, node)


def _computed(ev: Evaluator, receiver: Any, name: str, values: Any, kwargs: dict[str, Any]) -> Any:
    """The result of a method of a Python value."""
    try:
        result = getattr(receiver, name)(*values, **kwargs)
        if name in MUTATING and not (name in _ADDING and only_callbacks(receiver)):
            ev.change(receiver)
    except (KeyError, IndexError, ValueError, TypeError, AttributeError):
        if is_known(values):
            raise Refusal("KT205", f"`.{name}()` fails with these arguments") from None
        if name in MUTATING:
            ev.cloud(receiver, "it is changed by values known only when the program runs")
        return Opaque(f"`.{name}()` of these values is not evaluated")
    return result


def _checked_result(ev: Evaluator, result: Any, name: str, node: cst.Call) -> Any:
    if isinstance(result, str) and len(result) > limits.MAX_TEXT:
        raise limits.LimitReached("a string too long")
    if name in ("items", "keys", "values"):
        return list(result)
    if is_build(result):
        ev.mark_build(node)
    return result


def _sort(ev: Evaluator, receiver: list[Any], kwargs: dict[str, Any], node: cst.Call) -> None:
    """``items.sort(key=…)``."""
    from transpiler.evaluate.specials import sort_by

    ordered = sort_by(ev, receiver, kwargs["key"], kwargs.get("reverse", False), node)
    if ordered is None:
        ev.cloud(receiver, "the order it is sorted in is not known")
    else:
        receiver[:] = ordered
        ev.change(receiver)


def _note_change(ev: Evaluator, receiver: Any, builds: bool, node: cst.Call) -> None:
    if builds and ev.unknown_depth:
        raise Refusal("KT203", "whether this belongs to the model depends on a condition known only at run time")
    if builds:
        ev.built += 1
        ev.mark_build(node)
    if isinstance(receiver, (list, dict, set)) and len(receiver) > limits.MAX_ITEMS:
        raise limits.LimitReached("a container with too many items")


def _check_text(receiver: str, name: str, args: list[Any]) -> None:
    known = plain(args)
    size = len(receiver)
    if name in ("zfill", "ljust", "rjust", "center") and known and isinstance(known[0], int):
        size = known[0]
    if name == "replace" and len(known) > 1 and isinstance(known[1], str):
        size = (len(receiver) + 1) * (len(known[1]) + 1)
    if name == "join" and known and isinstance(known[0], (list, tuple)):
        size = (len(receiver) + 1) * len(known[0]) + sum(len(str(v)) for v in known[0])
    if name == "format" and any(
        int("".join(c for c in part if c.isdecimal()) or 0) > 1000 for part in receiver.split("{")
    ):
        size = limits.MAX_TEXT + 1
    if size > limits.MAX_TEXT:
        raise limits.LimitReached("a string too long")
