"""What nothing in the file calls is interpreted too: with defaults, and open values for the other parameters."""

from __future__ import annotations

from collections import Counter
from typing import Any

import libcst as cst

from transpiler.diagnostics import Refusal
from transpiler.evaluate.attributes import is_keras_value
from transpiler.evaluate.classes import instantiate
from transpiler.evaluate.core import Evaluator, FailedDependencyError
from transpiler.evaluate.functions import call_function
from transpiler.evaluate.layers import open_shape, rank_wanted
from transpiler.evaluate.models import make_block
from transpiler.evaluate.values import ClassValue, Function, Instance, Opaque, Signal
from transpiler.graph.keras import Model, Tensor, TensorSpec, walk_tensors
from transpiler.source.tree import walk

_MODEL_METHODS = {"compile", "fit", "predict", "evaluate", "train_on_batch", "add", "history"}


def guarded(ev: Evaluator, run: Any) -> None:
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
    ev.open_returns = []
    ev.yields = []
    while ev.scope.parent is not None:
        ev.scope = ev.scope.parent


def interpret_uncalled(ev: Evaluator) -> None:
    """Classes nobody makes an object of, then functions: those first that no other one mentions."""
    for cls in [cls for cls in ev.classes if cls.node in ev.positions and not cls.keras]:
        init = cls.lookup("__init__")
        if id(cls) not in ev.instances and isinstance(init, Function) and _matters(ev, cls.node):
            guarded(ev, lambda cls=cls, init=init: _make_alone(ev, cls, init))
    functions = [f for f in ev.facts.functions.values() if isinstance(f.node, cst.FunctionDef) and _is_outer(f)]
    functions = [function for function in functions if function.node in ev.positions]
    owners = _owners(ev)
    mentions = _mentions(ev, functions)
    for function in sorted(functions, key=lambda f: _is_mentioned(ev, f, mentions)):
        if function.calls == 0 and _matters(ev, function.node):
            owner = owners.get(id(function))
            guarded(ev, lambda function=function, owner=owner: _trace_alone(ev, function, owner))


def _is_outer(function: Function) -> bool:
    """Whether a function stands at the top of the file or of a plain class: inner ones belong to what is around."""
    if function.owner is not None:
        return not function.owner.keras  # Keras calls what its layers and models have
    return function.closure.parent is None


def _owners(ev: Evaluator) -> dict[int, Instance]:
    """By method: an object of its class."""
    found: dict[int, Instance] = {}
    for cls in ev.classes:
        instance = ev.instances.get(id(cls))
        for value in cls.attributes.values():
            if instance is not None and isinstance(value, Function):
                found[id(value)] = instance
    return found


def _mentions(ev: Evaluator, functions: list[Function]) -> Counter[str]:
    """How many functions read each name, or an attribute of that name."""
    return Counter(
        name
        for function in functions
        for name in ev.scan.reads.get(id(function.node), set()) | ev.scan.methods.get(id(function.node), set())
    )


def _is_mentioned(ev: Evaluator, function: Function, mentions: Counter[str]) -> bool:
    """Whether another function of the file reads the name of this one, which it then calls."""
    own = function.name in ev.scan.reads[id(function.node)] or function.name in ev.scan.methods[id(function.node)]
    return mentions[function.name] > own


def _matters(ev: Evaluator, node: Any) -> bool:
    """Whether a function or class can have to do with Keras at all."""
    if ev.scan.methods[id(node)] & _MODEL_METHODS:
        return True
    values = [ev.scope.names.get(name) for name in ev.scan.reads[id(node)]]
    return any(is_keras_value(value) or isinstance(value, (Function, Model, ClassValue)) for value in values)


def _make_alone(ev: Evaluator, cls: ClassValue, init: Function) -> None:
    args, kwargs = _open_arguments(ev, init, skip=1)
    ev.current = cls.node
    instantiate(ev, cls, args, kwargs, cst.Call(cst.Name(cls.name)))


def _trace_alone(ev: Evaluator, function: Function, owner: Instance | None) -> None:
    args, kwargs = _open_arguments(ev, function, skip=1 if owner is not None else 0)
    ev.current = function.node
    for value in args:
        name = ev.open_parameters.get(id(value))
        rank = _rank_of(ev, function, name, 0) if name is not None else None
        if rank is not None:
            open_tensor(ev, value, rank)
    args = [ev.parameter_tensors.get(id(value), value) for value in args]
    outer, ev.scope = ev.scope, function.closure
    try:
        result = call_function(ev, function, args if owner is None else [owner, *args], kwargs, function.node)
    finally:
        ev.scope = outer
    known = {id(tensor) for tensor in ev.parameter_tensors.values()}
    args = [ev.parameter_tensors.get(id(value), value) for value in args]
    inputs = [value for value in args if isinstance(value, Tensor) and id(value) in known]
    if inputs and any(True for _ in walk_tensors(result)):
        make_block(ev, function, inputs, result)


def _rank_of(ev: Evaluator, function: Function, name: str, depth: int) -> str | None:
    """The kind of layer that a function, or one it hands the parameter on to, first calls on a parameter."""
    assert isinstance(function.node, cst.FunctionDef)
    for node in walk(function.node.body):
        if not isinstance(node, cst.Call):
            continue
        at = next((i for i, a in enumerate(node.args) if isinstance(a.value, cst.Name) and a.value.value == name), None)
        if at is None:
            continue
        if isinstance(node.func, cst.Call):
            layer = node.func.func
            last = layer.attr.value if isinstance(layer, cst.Attribute) else getattr(layer, "value", "")
            if isinstance(last, str) and rank_wanted(last) is not None:
                return last
        callee = ev.scope.names.get(node.func.value) if isinstance(node.func, cst.Name) else None
        if isinstance(callee, Function) and isinstance(callee.node, cst.FunctionDef) and depth < 4:
            parameters = [p.name.value for p in callee.node.params.params]
            found = _rank_of(ev, callee, parameters[at], depth + 1) if at < len(parameters) else None
            if found is not None:
                return found
    return None


def open_tensor(ev: Evaluator, value: Opaque, kind: str) -> None:
    """A parameter that a layer is called on is a tensor, its rank as that kind of layer takes it."""
    name = ev.open_parameters[id(value)]
    shape = Opaque.named(name, f"{name}.shape", value.why)
    tensor = Tensor(TensorSpec(open_shape(shape, kind, parameter=True)), hint=name)
    ev.parameter_tensors[id(value)] = tensor


def _open_arguments(ev: Evaluator, function: Function, skip: int) -> tuple[list[Any], dict[str, Any]]:
    """Arguments for a call that nobody wrote: defaults, and open values for the rest."""
    assert isinstance(function.node, cst.FunctionDef)
    parameters = function.node.params
    names = [param.name.value for param in (*parameters.posonly_params, *parameters.params)][skip:]
    args = [function.defaults[name] if name in function.defaults else _open(ev, name) for name in names]
    only = [param.name.value for param in parameters.kwonly_params]
    return args, {name: _open(ev, name) for name in only if name not in function.defaults}


def _open(ev: Evaluator, name: str) -> Opaque:
    value = Opaque.named(name, name, f"`{name}` is a parameter that no call gives")
    value.maybe_model = True
    ev.open_parameters[id(value)] = name
    ev.keep_alive.append(value)
    return value
