"""Interpreting calls: the program's own functions and classes, pure functions, and everything of Keras."""

from __future__ import annotations

from typing import Any

import libcst as cst

from transpiler.diagnostics import Refusal
from transpiler.evaluate import limits
from transpiler.evaluate.arrays import ARRAY_FUNCTIONS, array_method
from transpiler.evaluate.core import (
    Creation,
    Evaluator,
    FailedDependencyError,
    decided,
    is_build,
    is_failed,
    is_known,
    plain,
)
from transpiler.evaluate.natives import METHODS, MUTATING, NAMESPACE, PURE, STRUCTURAL, only_reads
from transpiler.evaluate.scope import Scope
from transpiler.evaluate.values import (
    ClassValue,
    Function,
    Instance,
    Method,
    Native,
    Opaque,
    ReturnSignal,
    Symbol,
)
from transpiler.graph.keras import Frame, Layer, Model, Tensor
from transpiler.graph.program import Array
from transpiler.graph.symbolic import Expr, Leaf
from transpiler.rules.names import is_keras
from transpiler.rules.training import METHODS as METHODS_OF_MODELS
from transpiler.source.tree import walk


def call(ev: Evaluator, node: cst.Call) -> Any:
    """The value of a call expression."""
    if isinstance(node.func, cst.Name) and node.func.value == "super" and not node.args:
        return Opaque("super()")
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
    if isinstance(function, Symbol):
        return _call_symbol(ev, function, args, kwargs, node)
    if isinstance(function, Layer):
        from transpiler.evaluate.layers import call_layer

        return call_layer(ev, function, args, kwargs, node)
    if isinstance(function, Model):
        from transpiler.evaluate.models import call_model

        return call_model(ev, function, args, kwargs, node)
    if isinstance(function, Method):
        return _call_method(ev, function, args, kwargs, node)
    if isinstance(function, ClassValue):
        return instantiate(ev, function, args, kwargs, node)
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
    result = Opaque(f"`{ev.source(node)[:60]}` is known only when the program runs")
    if not (isinstance(function, Symbol) and only_reads(function.name)):
        for value in (*args, *kwargs.values()):
            ev.cloud(value, f"`{ev.source(node.func)[:60]}` may change it")
    result.foreign = isinstance(function, Opaque) and function.foreign
    result.expr = call_expr(ev, node)
    return result


def call_expr(ev: Evaluator, node: cst.Call) -> Expr:
    """An expression that names the result of a call by its source text."""
    text = ev.source(node)
    base = "".join(c if c.isalnum() else "_" for c in text.replace("len(", "num_")).strip("_").lower()
    name = "_".join(part for part in base.split("_") if part)[:40]
    return Expr.of_leaf(Leaf(name if name.isidentifier() else "size", "local", text))


# -- functions of the program -----------------------------------------------------------------------------------------
def define_function(ev: Evaluator, node: cst.FunctionDef) -> None:
    """``def``."""
    from transpiler.evaluate.core import FAILED

    function = Function(node.name.value, node, ev.scope, parameter_defaults(ev, node.params))
    ev.facts.functions[id(node)] = function
    value: Any = function
    for decorator in node.decorators:
        found = ev.eval(decorator.decorator)
        if is_failed(found):
            value = FAILED
    ev.scope.set(node.name.value, value)


def parameter_defaults(ev: Evaluator, parameters: cst.Parameters) -> dict[str, Any]:
    """Defaults, evaluated where the function is defined."""
    found: dict[str, Any] = {}
    for param in (*parameters.posonly_params, *parameters.params, *parameters.kwonly_params):
        if param.default is not None:
            found[param.name.value] = ev.eval(param.default)
    return found


def call_function(ev: Evaluator, function: Function, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> Any:
    """Interpret a call of one of the program's functions."""
    if len(ev.functions) >= limits.MAX_DEPTH:
        raise limits.LimitReached("calls are nested too deeply")
    scope = Scope(function.name, function.closure)
    bind_parameters(ev, function, scope, args, kwargs, node)
    function.calls += 1
    outer, ev.scope = ev.scope, scope
    ev.functions.append(function)
    models_before = len(ev.program.models)
    try:
        with ev.frame(Frame("call", function.name, ev.span(node), function.calls)):
            result = _run_body(ev, function)
    finally:
        ev.functions.pop()
        ev.scope = outer
    if isinstance(result, Model) and result in ev.program.models[models_before:]:
        ev.touch()
        ev.facts.creations.setdefault(id(node), []).append(
            Creation(result, node, ev.scope.qualified_name, function, ev.inside)
        )
        result.builder = result.builder or function.name
        result.hint = result.reference = None  # its caller names it
    elif is_build(result):
        ev.mark_build(node)
    return result


def _run_body(ev: Evaluator, function: Function) -> Any:
    if isinstance(function.node, cst.Lambda):
        return ev.eval(function.node.body)
    if _is_generator(function.node):
        return Opaque("a generator of the program's", foreign=True)
    ev.open_returns.append([])
    result = None
    try:
        ev.run(function.node.body.body)
    except ReturnSignal as signal:
        result = signal.value
    finally:
        others = ev.open_returns.pop()
    return _one_of(function, result, others)


def _one_of(function: Function, result: Any, others: list[Any]) -> Any:
    """What a call returns that may also have returned ``others``, under conditions known only at run time."""
    if is_build(result) or isinstance(result, Model):
        return result  # the others are not: where one of them is returned, the program does not build
    if not others or is_known(result) and all(is_known(v) and type(v) is type(result) and v == result for v in others):
        return result
    return Opaque(f"what `{function.name}` returns depends on a condition known only at run time")


def _is_generator(node: cst.FunctionDef) -> bool:
    return any(isinstance(part, cst.Yield) for part in walk(node.body, closed=(cst.FunctionDef, cst.Lambda)))


def bind_parameters(
    ev: Evaluator, function: Function, scope: Scope, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode
) -> None:
    """Bind arguments as Python does."""
    parameters = function.node.params
    positional = [p.name.value for p in (*parameters.posonly_params, *parameters.params)]
    keyword_only = [p.name.value for p in parameters.kwonly_params]
    given = dict(zip(positional, args))  # noqa: B905 - fewer arguments than parameters is usual
    rest = args[len(positional) :]
    if isinstance(parameters.star_arg, cst.Param):
        scope.names[parameters.star_arg.name.value] = tuple(rest)
    elif rest:
        raise Refusal("KT205", f"`{function.name}` takes {len(positional)} positional arguments, not {len(args)}")
    extra: dict[str, Any] = {}
    for name, value in kwargs.items():
        if name in positional or name in keyword_only:
            given[name] = value
        else:
            extra[name] = value
    if parameters.star_kwarg is not None:
        scope.names[parameters.star_kwarg.name.value] = extra
    elif extra:
        raise Refusal("KT205", f"`{function.name}` has no parameter `{next(iter(extra))}`")
    builder = is_builder(function)
    for name in (*positional, *keyword_only):
        if name not in given and name not in function.defaults:
            raise Refusal("KT205", f"`{function.name}` needs its argument `{name}`")
        value = given[name] if name in given else function.defaults[name]
        scope.names[name] = _parameter(ev, function, name, value, name in given) if builder else value


def _parameter(ev: Evaluator, function: Function, name: str, value: Any, given: bool) -> Any:
    """A number that a builder gets keeps the parameter's name, so that it can stay a parameter of the class."""
    if is_failed(value):
        return value
    default = None
    for param in (*function.node.params.params, *function.node.params.kwonly_params):
        if param.name.value == name and param.default is not None:
            default = ev.source(param.default)
    if isinstance(value, Opaque) and value.expr is not None:
        source = source_text(value.expr)
        return Opaque(value.why, Expr.of_leaf(Leaf(name, "local", source, default, parameter=True)))
    number = value.value if isinstance(value, Expr) else value
    if type(number) in (int, float):
        source = source_text(value) if isinstance(value, Expr) else repr(number)
        return Expr.of_leaf(Leaf(name, "local", source if given else "", default, parameter=True), number)
    return value


def source_text(expr: Expr) -> str:
    """``expr`` in the terms of the place where it was made."""
    if expr.leaf is not None:
        return expr.leaf.source or expr.leaf.name
    if expr.op == "const":
        return repr(expr.value)
    renamed = Expr(expr.op, tuple(_by_source(arg) for arg in expr.args), value=expr.value)
    return renamed.code()


def _by_source(expr: Expr) -> Expr:
    if expr.leaf is not None:
        return Expr.of_leaf(Leaf(expr.leaf.source or expr.leaf.name, expr.leaf.scope), expr.value)
    return Expr(expr.op, tuple(_by_source(arg) for arg in expr.args), value=expr.value)


def _builds_and_returns(body: cst.CSTNode) -> bool:
    """Whether there is a call of something that ends in Model or Sequential, and a return."""
    model = returns = False
    for node in walk(body):
        if isinstance(node, cst.Call):
            func = node.func
            last = func.attr if isinstance(func, cst.Attribute) else func
            model = model or isinstance(last, cst.Name) and last.value.endswith(("Model", "Sequential"))
        elif isinstance(node, cst.Return):
            returns = returns or node.value is not None
    return model and returns


def is_builder(function: Function) -> bool:
    """Whether a function looks as if it built and returned a model."""
    if isinstance(function.node, cst.Lambda):
        return False
    if function.builder is None:
        function.builder = _builds_and_returns(function.node.body)
    return function.builder


# -- classes of the program -------------------------------------------------------------------------------------------
def define_class(ev: Evaluator, node: cst.ClassDef) -> None:
    """``class``: its body is interpreted when nothing of Keras is a base; Keras subclasses are told."""
    from transpiler.evaluate.core import FAILED

    bases = tuple(ev.eval(base.value) for base in node.bases)
    ev.current = node
    for base in bases:
        if isinstance(base, Symbol) and is_keras(base.name):
            ev.scope.set(node.name.value, FAILED)
            raise Refusal("KT105", f"a subclass of `{base.name}` is not translated yet")
        if is_failed(base):
            ev.scope.set(node.name.value, FAILED)
            raise FailedDependencyError
    scope = Scope(node.name.value, ev.scope)
    outer, ev.scope = ev.scope, scope
    try:
        ev.run(node.body.body)
    finally:
        ev.scope = outer
    found = ClassValue(node.name.value, node, bases, scope.names)
    ev.classes.append(found)
    ev.scope.set(node.name.value, found)


def instantiate(ev: Evaluator, cls: ClassValue, args: list[Any], kwargs: dict[str, Any], node: cst.Call) -> Any:
    """An object of a class of the program's, its constructor interpreted."""
    instance = Instance(cls)
    ev.instances.setdefault(id(cls), instance)
    init = cls.lookup("__init__")
    if isinstance(init, Function):
        call_function(ev, init, [instance, *args], kwargs, node)
    elif any(not isinstance(base, ClassValue) for base in cls.bases):
        return Opaque(f"an object of `{cls.name}`", foreign=True)
    return instance


# -- symbols and methods ----------------------------------------------------------------------------------------------
def _call_symbol(ev: Evaluator, symbol: Symbol, args: list[Any], kwargs: dict[str, Any], node: cst.Call) -> Any:
    name = symbol.name
    if is_keras(name):
        from transpiler.evaluate.api import call_api

        return call_api(ev, name, args, kwargs, node)
    if name in STRUCTURAL and not any(isinstance(v, (Opaque, Array)) for v in (*args, *kwargs.values())):
        return _structural(ev, name, args, kwargs)
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
        from transpiler.evaluate.models import call_model_method

        return call_model_method(ev, receiver, method.name, args, kwargs, node)
    if isinstance(receiver, Array):
        return array_method(ev, receiver, method.name, args, kwargs)
    if isinstance(receiver, Instance):
        function = receiver.cls.lookup(method.name)
        assert isinstance(function, Function)
        return call_function(ev, function, [receiver, *args], kwargs, node)
    if isinstance(receiver, Layer):
        raise Refusal("KT302", f"`{method.name}` of a layer is not translated")
    if isinstance(receiver, Tensor):
        raise Refusal("KT101", f"`{method.name}` of a symbolic tensor is not supported")
    return _container_method(ev, receiver, method.name, args, kwargs, node)


def _container_method(
    ev: Evaluator, receiver: Any, name: str, args: list[Any], kwargs: dict[str, Any], node: cst.Call
) -> Any:
    kind = dict if isinstance(receiver, dict) else type(receiver)
    if name not in METHODS.get(kind, ()):
        return Opaque(f"`.{name}()` is not evaluated")
    if name in MUTATING:
        _note_change(ev, receiver, any(is_build(v) for v in (*args, *kwargs.values())), node)
    if kind is str and not is_known(args):
        return Opaque("a string made of values known only at run time")
    if kind is str and name in ("zfill", "replace", "join", "format", "count"):
        _check_text(receiver, name, args)
    values = plain(args) if kind in (str, set) or name in ("get", "pop", "setdefault") else args
    try:
        result = getattr(receiver, name)(*values, **kwargs)
        if name in MUTATING:
            ev.change(receiver)
    except (KeyError, IndexError, ValueError, TypeError, AttributeError):
        if is_known(args):
            raise Refusal("KT205", f"`.{name}()` fails with these arguments") from None
        if name in MUTATING:
            ev.cloud(receiver, "it is changed by values known only when the program runs")
        return Opaque(f"`.{name}()` of these values is not evaluated")
    if isinstance(result, str) and len(result) > limits.MAX_TEXT:
        raise limits.LimitReached("a string too long")
    if name in ("items", "keys", "values"):
        return list(result)
    if is_build(result):
        ev.mark_build(node)
    return result


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
    if name == "zfill" and known and isinstance(known[0], int):
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


# -- functions with meaning of their own ------------------------------------------------------------------------------
def _isinstance(ev: Evaluator, args: list[Any], kwargs: dict[str, Any], node: cst.Call) -> Any:
    if len(args) != 2 or isinstance(args[0], Opaque):
        return NotImplemented
    kinds = args[1] if isinstance(args[1], tuple) else (args[1],)
    names = {k.name.removeprefix("builtins.") for k in kinds if isinstance(k, Symbol)}
    value = args[0].value if isinstance(args[0], Expr) else args[0]
    if isinstance(value, Layer):
        return value.symbol in names or "keras.layers.Layer" in names
    if isinstance(value, Model):
        return bool(names & {"keras.Model", "keras.Sequential", "keras.layers.Layer"})
    if isinstance(value, (bool, int, float, str, list, tuple, dict, set)) or value is None:
        return any(base.__name__ in names for base in type(value).__mro__)
    return NotImplemented


def _getattr(ev: Evaluator, args: list[Any], kwargs: dict[str, Any], node: cst.Call) -> Any:
    from transpiler.evaluate.attributes import attribute

    if len(args) >= 2 and isinstance(args[1], str) and not isinstance(args[0], Opaque):
        fake = cst.Attribute(node.func, cst.Name(args[1])) if args[1].isidentifier() else None
        return attribute(ev, args[0], args[1], fake) if fake is not None else NotImplemented
    return NotImplemented


def _sum(ev: Evaluator, args: list[Any], kwargs: dict[str, Any], node: cst.Call) -> Any:
    from transpiler.evaluate.expressions import apply_binary

    if not args or not isinstance(args[0], (list, tuple)):
        return NotImplemented
    total: Any = args[1] if len(args) > 1 else 0
    for item in args[0]:
        total = (
            item
            if type(total) is int and total == 0 and not isinstance(item, Tensor)
            else apply_binary(ev, "+", total, item, node)
        )
    return total


def _sorted(ev: Evaluator, args: list[Any], kwargs: dict[str, Any], node: cst.Call) -> Any:
    if len(args) == 1 and is_known(args[0]) and not (set(kwargs) - {"reverse"}) and is_known(kwargs):
        try:
            return sorted(plain(args[0]), reverse=bool(plain(kwargs.get("reverse", False))))
        except TypeError:
            return NotImplemented
    return NotImplemented


def _map(ev: Evaluator, args: list[Any], kwargs: dict[str, Any], node: cst.Call) -> Any:
    if len(args) == 2 and isinstance(args[1], (list, tuple, range)):
        return [invoke(ev, args[0], [item], {}, node) for item in args[1]]
    return NotImplemented


def _partial(ev: Evaluator, args: list[Any], kwargs: dict[str, Any], node: cst.Call) -> Any:
    if not args:
        return NotImplemented

    def later(ev: Evaluator, more: list[Any], named: dict[str, Any], at: cst.Call) -> Any:
        return invoke(ev, args[0], [*args[1:], *more], {**kwargs, **named}, at)

    if isinstance(args[0], Symbol) and is_keras(args[0].name):
        ev.mark_build(node)
    return Native("partial", later)


def _next(ev: Evaluator, args: list[Any], kwargs: dict[str, Any], node: cst.Call) -> Any:
    if args and hasattr(args[0], "__next__"):
        return next(args[0], args[1] if len(args) > 1 else Opaque("an exhausted iterator"))
    return NotImplemented


def _super_or_print(ev: Evaluator, args: list[Any], kwargs: dict[str, Any], node: cst.Call) -> Any:
    return None


def _generator(ev: Evaluator, args: list[Any], kwargs: dict[str, Any], node: cst.Call) -> Any:
    """A random generator has the functions of ``numpy.random`` as methods."""
    return Symbol("numpy.random")


def _namespace(ev: Evaluator, args: list[Any], kwargs: dict[str, Any], node: cst.Call) -> Any:
    return Symbol(NAMESPACE) if not args else NotImplemented


def _code_as_text(ev: Evaluator, args: list[Any], kwargs: dict[str, Any], node: cst.Call) -> Any:
    raise Refusal("KT105", f"code that is run from text is not followed: `{ev.source(node)[:60]}`")


def _train_test_split(ev: Evaluator, args: list[Any], kwargs: dict[str, Any], node: cst.Call) -> Any:
    """scikit-learn's split: twice as many arrays, their lengths unknown."""
    parts = [v if isinstance(v, Array) else Array() for v in args]
    halves = [Array(None if p.shape is None else (None, *p.shape[1:]), p.dtype) for p in parts]
    return [half for half in halves for _ in range(2)]


SPECIAL: dict[str, Any] = {
    "numpy.random.RandomState": _generator,
    "numpy.random.default_rng": _generator,
    "sklearn.model_selection.train_test_split": _train_test_split,
    "builtins.globals": _namespace,
    "builtins.locals": _namespace,
    "builtins.vars": _namespace,
    "builtins.exec": _code_as_text,
    f"{NAMESPACE}.update": _code_as_text,
    f"{NAMESPACE}.setdefault": _code_as_text,
    "builtins.isinstance": _isinstance,
    "builtins.getattr": _getattr,
    "builtins.sum": _sum,
    "builtins.sorted": _sorted,
    "builtins.map": _map,
    "builtins.next": _next,
    "builtins.print": _super_or_print,
    "functools.partial": _partial,
}
