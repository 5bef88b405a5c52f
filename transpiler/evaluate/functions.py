"""The program's own functions: defining them, binding arguments, interpreting their bodies."""

from __future__ import annotations

from typing import Any

import libcst as cst

from transpiler.diagnostics import Refusal
from transpiler.evaluate import limits
from transpiler.evaluate.core import FAILED, Creation, Evaluator, is_build, is_failed, is_known, plain
from transpiler.evaluate.scope import Scope
from transpiler.evaluate.values import (
    ClassMethod,
    Function,
    Generator,
    Opaque,
    Property,
    ReturnSignal,
    StaticMethod,
    Symbol,
)
from transpiler.graph.keras import Frame, Model
from transpiler.graph.symbolic import Expr, Leaf
from transpiler.rules.names import is_keras
from transpiler.source.tree import walk

_WRAPPERS = {
    "builtins.staticmethod": StaticMethod, "builtins.classmethod": ClassMethod, "builtins.property": Property,
    "functools.cached_property": Property,
}  # fmt: skip
# Decorators that leave what a function computes as it is.
_TRANSPARENT = frozenset(
    "functools.lru_cache functools.cache functools.wraps abc.abstractmethod typing.overload typing.final "
    "tensorflow.function tensorflow.autograph.experimental.do_not_convert contextlib.contextmanager "
    "keras.saving.register_keras_serializable keras.utils.register_keras_serializable atexit.register "
    "numba.jit numba.njit torch.no_grad torch.inference_mode".split()
)
_TRANSPARENT_LIBRARIES = ("click.", "pytest.", "typer.", "hydra.", "gin.", "flask.", "fire.")


def define_function(ev: Evaluator, node: cst.FunctionDef) -> None:
    """``def``, its decorators applied."""
    function = Function(node.name.value, node, ev.scope.for_closures(), parameter_defaults(ev, node.params))
    ev.facts.functions[id(node)] = function
    value: Any = function
    for decorator in reversed(node.decorators):
        found = ev.eval(decorator.decorator)
        value = FAILED if is_failed(found) else decorate(ev, found, value, decorator)
    ev.scope.set(node.name.value, value)


def decorate(ev: Evaluator, decorator: Any, value: Any, node: cst.Decorator) -> Any:
    """``value`` as a decorator gives it back."""
    from transpiler.evaluate.calls import invoke

    symbol = _decorator_symbol(ev, decorator, node)
    if symbol in _WRAPPERS and isinstance(value, Function):
        return _WRAPPERS[symbol](value)
    if symbol in _TRANSPARENT or symbol.startswith(_TRANSPARENT_LIBRARIES):
        return value
    if isinstance(node.decorator, cst.Attribute):
        owner = ev.facts.values.get(id(node.decorator.value))
        if isinstance(owner, Property) and node.decorator.attr.value in ("setter", "deleter"):
            setter = value if node.decorator.attr.value == "setter" else owner.setter
            return Property(owner.function, setter)
    if not symbol and not isinstance(decorator, Opaque):
        if not callable_value(decorator):
            return Opaque(f"`@{ev.source(node.decorator)}` is not evaluated")
        return invoke(ev, decorator, [value], {}, cst.Call(node.decorator))
    if isinstance(value, Function):
        value.decorator = ev.source(node.decorator)
    return value


def is_transparent(ev: Evaluator, node: cst.Decorator) -> bool:
    """Whether a decorator of Keras' or TensorFlow's leaves what a function computes as it is, and can go."""
    symbol = _decorator_symbol(ev, ev.facts.values.get(id(node.decorator)), node)
    return symbol in _TRANSPARENT and is_keras(symbol)


def callable_value(value: Any) -> bool:
    """Whether calling ``value`` means something to the evaluator."""
    from transpiler.evaluate.values import Bound, ClassValue, Instance, Native

    return isinstance(value, (Function, Native, Bound, ClassValue)) or (
        isinstance(value, Instance) and value.cls.lookup("__call__") is not None
    )


def _decorator_symbol(ev: Evaluator, decorator: Any, node: cst.Decorator) -> str:
    """The name of a decorator of a library, also where it is called with settings."""
    if isinstance(decorator, Symbol):
        return decorator.name
    if isinstance(node.decorator, cst.Call):
        owner = ev.facts.values.get(id(node.decorator.func))
        return owner.name if isinstance(owner, Symbol) else ""
    return ""


def parameter_defaults(ev: Evaluator, parameters: cst.Parameters) -> dict[str, Any]:
    """Defaults, evaluated where the function is defined."""
    found: dict[str, Any] = {}
    for param in (*parameters.posonly_params, *parameters.params, *parameters.kwonly_params):
        if param.default is not None:
            found[param.name.value] = ev.eval(param.default)
    return found


def call_function(ev: Evaluator, function: Function, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> Any:
    """Interpret a call of one of the program's functions."""
    if ev.unknown_depth and ev.open_steps > limits.MAX_OPEN_STEPS and function.calls > 2:
        return _not_followed(ev, function, args, kwargs)
    if len(ev.functions) >= limits.MAX_DEPTH:
        raise limits.LimitReached("calls are nested too deeply")
    owner = f"{function.owner.name}." if function.owner is not None else ""
    scope = Scope(owner + function.name, function.closure)
    scope.function = function.node
    bind_parameters(ev, function, scope, args, kwargs, node)
    function.calls += 1
    if isinstance(function.node, cst.FunctionDef) and _is_generator(function, function.node):
        return Generator(function, scope)
    outer, ev.scope = ev.scope, scope
    ev.functions.append(function)
    models_before = len(ev.program.models)
    try:
        with ev.modules.step(node), ev.frame(Frame("call", function.name, ev.span(node), function.calls)):
            result = _run_body(ev, function)
    finally:
        ev.functions.pop()
        ev.scope = outer
    if function.decorator is not None:
        result = _decorated(function, result)
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


def _not_followed(ev: Evaluator, function: Function, args: list[Any], kwargs: dict[str, Any]) -> Opaque:
    """One more call of a function in code that may or may not run, where such calls branch without end."""
    why = f"`{function.name}` may change it"
    for value in (*args, *kwargs.values()):
        if is_build(value):
            raise limits.LimitReached("too many calls under conditions known only at run time")
        ev.cloud(value, why)
    return Opaque(f"what `{function.name}` returns is not followed here")


def _decorated(function: Function, result: Any) -> Any:
    """What a call of a function returns whose decorator is not known."""
    if is_failed(result) or result is None:
        return result
    if is_build(result) or isinstance(result, Model):
        raise Refusal(
            "KT105",
            f"`{function.name}` takes part in building a model, but its decorator `@{function.decorator}` is not known",
            "remove the decorator, if it does not change what the function returns",
        )
    return Opaque(f"`@{function.decorator}` may change what `{function.name}` returns")


def _run_body(ev: Evaluator, function: Function) -> Any:
    if isinstance(function.node, cst.Lambda):
        return ev.eval(function.node.body)
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


def _is_generator(function: Function, node: cst.FunctionDef) -> bool:
    if function.generator is None:
        function.generator = any(type(part) is cst.Yield for part in walk(node.body, (cst.FunctionDef, cst.Lambda)))
    return function.generator


def generate(ev: Evaluator, generator: Generator) -> list[Any] | None:
    """The values that a generator function yields, or None where they are known only at run time."""
    function = generator.function
    assert isinstance(function.node, cst.FunctionDef)
    outer, ev.scope = ev.scope, generator.scope
    ev.functions.append(function)
    ev.yields.append(([], ev.unknown_depth))
    built = ev.built
    try:
        with ev.frame(Frame("call", function.name, ev.span(function.node), function.calls)):
            _run_body(ev, function)
    except limits.LoopBudgetSpent:
        if ev.built != built:
            raise
        ev.loop_budget = None
        return None
    finally:
        found, _ = ev.yields.pop()
        ev.functions.pop()
        ev.scope = outer
    return None if any(value is UNSURE for value in found) else found


UNSURE = Opaque("it is yielded under a condition known only at run time")


def yield_value(ev: Evaluator, node: cst.Yield) -> Any:
    """``yield value`` and ``yield from values``."""
    from transpiler.evaluate.loops import iterate

    inner = node.value.item if isinstance(node.value, cst.From) else node.value
    value = ev.eval(inner) if inner is not None else None
    if ev.yields:
        found, depth = ev.yields[-1]
        items = iterate(ev, value) if isinstance(node.value, cst.From) else [value]
        found.extend(items if items is not None and ev.unknown_depth == depth else [UNSURE])
        if len(found) > limits.MAX_BUILDING_TURNS:
            raise limits.LoopBudgetSpent
    return Opaque("what is sent into a generator")


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
    builder = is_builder(function) or _constructs(function)
    for name in (*positional, *keyword_only):
        if name not in given and name not in function.defaults:
            raise Refusal("KT205", f"`{function.name}` needs its argument `{name}`")
        value = given[name] if name in given else function.defaults[name]
        scope.names[name] = _parameter(ev, function, name, value, name in given, scope) if builder else value


def _parameter(ev: Evaluator, function: Function, name: str, value: Any, given: bool, scope: Scope) -> Any:
    """A number that a builder gets keeps the parameter's name, so that it can stay a parameter of the class."""
    if is_failed(value):
        return value
    speaks = ev.modules.speaks_home(ev.scope)  # the argument's text means the same where models of the output are built
    default = _default_text(ev, function, name)
    if isinstance(value, Opaque) and value.expr is not None:
        source = source_text(value.expr)
        home = _home(value.expr, ev.scope)
        named = speaks or all(leaf.parameter for leaf in value.expr.leaves())
        leaf = Leaf(name, "local", source, default, parameter=named, step=ev.steps, home=home, inner=scope)
        return Opaque(value.why, Expr.of_leaf(leaf), maybe_model=value.maybe_model)
    number = value.value if isinstance(value, Expr) else value
    if type(number) in (int, float):
        source = source_text(value) if isinstance(value, Expr) and speaks else repr(number)
        text = source if given else ""
        leaf = Leaf(name, "local", text, default, parameter=True, step=ev.steps, home=ev.scope, inner=scope)
        return Expr.of_leaf(leaf, number)
    return value


def _home(expr: Expr, scope: Scope) -> Scope:
    """Where the text of an expression means what it says: where its first name was read."""
    return next((leaf.home for leaf in expr.leaves() if leaf.home is not None), scope)


def _default_text(ev: Evaluator, function: Function, name: str) -> str | None:
    """The default of a parameter as the output can write it."""
    for param in (*function.node.params.params, *function.node.params.kwonly_params):
        if param.name.value == name and param.default is not None:
            if ev.modules.is_home(function.closure):
                return ev.source(param.default)
            known = plain(function.defaults[name])
            return repr(known) if type(known) in (int, float) else None
    return None


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


def _constructs(function: Function) -> bool:
    """Whether a function is the constructor of a layer or model: its numbers stay parameters of the class."""
    return function.name == "__init__" and function.owner is not None and bool(function.owner.keras)


def is_builder(function: Function) -> bool:
    """Whether a function looks as if it built and returned a model."""
    if isinstance(function.node, cst.Lambda):
        return False
    if function.builder is None:
        function.builder = _builds_and_returns(function.node.body)
    return function.builder
