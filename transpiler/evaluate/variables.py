"""Weights that the program's own layers make: ``add_weight`` and ``tf.Variable``."""

from __future__ import annotations

from typing import Any

import libcst as cst

from transpiler.diagnostics import Refusal
from transpiler.evaluate.core import Evaluator, FailedDependencyError, is_failed, is_known, plain, require_known
from transpiler.evaluate.values import Created, InitialValue, Opaque, Subclassed, Symbol
from transpiler.graph.keras import ApiObject, Layer, Node, Tensor
from transpiler.graph.symbolic import Expr
from transpiler.rules.base import LAYERS
from transpiler.rules.variables import VARIABLE

_KNOWN = {
    "name", "shape", "dtype", "initializer", "regularizer", "trainable", "constraint", "autocast", "aggregation",
    "use_resource", "synchronization", "overwrite_with_gradient", "caching_device", "experimental_autocast",
}  # fmt: skip
_KERAS3 = ("shape", "initializer", "dtype", "trainable", "autocast", "regularizer", "constraint", "aggregation", "name")
_KERAS2 = ("name", "shape", "dtype", "initializer", "regularizer", "trainable", "constraint")


def add_weight(ev: Evaluator, owner: Subclassed, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> Tensor:
    """``self.add_weight(…)``, with the positional order of Keras 3, or of Keras 2 where a name comes first."""
    order = _KERAS2 if args and (isinstance(args[0], str) or args[0] is None) else _KERAS3
    given = dict(zip(order, args)) | kwargs  # noqa: B905 - fewer arguments is usual
    unknown = set(given) - _KNOWN
    if unknown:
        raise Refusal("KT102", f"`add_weight` has no argument `{min(unknown)}` that is known here")
    shape = given.get("shape")
    config = {
        "shape": _sizes(() if shape is None else shape),
        "weight_initializer": _start(ev, given.get("initializer")),
        "weight_regularizer": _object(ev, given.get("regularizer")),
        "weight_constraint": _object(ev, given.get("constraint")),
        "dtype": _dtype(given.get("dtype")),
        "trained": given.get("trainable") is None or bool(require_known(given["trainable"], "`trainable`")),
        "variable": _name(given.get("name"), owner),
    }
    if given.get("initializer") is None:
        config["weight_initializer"] = ApiObject("keras.initializers.GlorotUniform", {})
    return make_variable(ev, owner, config, node)


def make_variable(ev: Evaluator, owner: Subclassed, config: dict[str, Any], node: cst.CSTNode) -> Tensor:
    """A weight of ``owner`` as a symbolic tensor."""
    from transpiler.evaluate.operators import finish_node

    layer = Layer(VARIABLE, config, config["variable"], False, ev.origin(node))
    layer.trainable = owner.trainable
    owner.variables.append(layer)
    ev.keep_alive.append(layer)
    made = Node(layer, (), {}, ev.origin(node))
    tensor: Tensor = finish_node(ev, made, LAYERS[VARIABLE].infer(layer), node)
    return tensor


def _sizes(shape: Any) -> tuple[Any, ...]:
    if isinstance(shape, (int, Expr)):
        shape = (shape,)
    if is_failed(shape):
        raise FailedDependencyError
    if not isinstance(shape, (tuple, list)):
        raise Refusal("KT201", "the shape of a weight must be known when the model is translated")
    return tuple(_size(item) for item in shape)


def _size(value: Any) -> Any:
    if is_failed(value):
        raise FailedDependencyError
    if isinstance(value, Opaque) and value.expr is not None:
        return value.expr
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if not isinstance(value, (int, Expr)):
        raise Refusal("KT201", "the shape of a weight depends on a size of the input that is not known")
    return value


def _dtype(value: Any) -> str:
    name = value.name.rpartition(".")[2] if isinstance(value, Symbol) else plain(value)
    if name is None or isinstance(value, Opaque):
        return "float32"
    if name not in ("float32", "int32", "int64", "bool"):
        raise Refusal("KT102", f"a weight of type {name!r} is not supported")
    return str(name)


def _name(value: Any, owner: Subclassed) -> str:
    base = value if isinstance(value, str) and value else "variable"
    taken = {layer.config["variable"] for layer in owner.variables}
    name, number = base, 1
    while name in taken:
        name, number = f"{base}_{number}", number + 1
    return name


def _object(ev: Evaluator, value: Any) -> Any:
    from transpiler.evaluate.api import to_object

    found = to_object(ev, value)
    if isinstance(found, Opaque):
        raise Refusal("KT201", f"this must be known when the model is translated: {found.why}")
    return plain(found) if is_known(found) else found


def _start(ev: Evaluator, value: Any) -> Any:
    """The initialiser; numbers that the program gives are refused where they are not all alike."""
    found = _object(ev, value)
    if isinstance(found, (list, tuple, int, float)):
        raise Refusal("KT102", "this initialiser is not supported")
    return found


def variable_of(ev: Evaluator, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> Tensor | None:
    """``tf.Variable(initial_value, …)`` made by a method of a layer; None anywhere else."""
    owner = _owner(ev)
    if owner is None:
        return None
    names = ("initial_value", "trainable", "validate_shape", "caching_device", "name", "variable_def", "dtype")
    if isinstance(kwargs.get("initializer"), (ApiObject, str)):  # keras.Variable(initializer, shape, …)
        return add_weight(ev, owner, [], kwargs, node)
    given = dict(zip(names, args)) | kwargs  # noqa: B905 - fewer arguments is usual
    value = given.get("initial_value")
    start, shape = _initial(value)
    config = {
        "shape": shape, "weight_initializer": start, "weight_regularizer": None,
        "weight_constraint": _object(ev, given.get("constraint")),
        "dtype": _dtype(given.get("dtype")),
        "trained": given.get("trainable") is None or bool(require_known(given["trainable"], "`trainable`")),
        "variable": _name(given.get("name"), owner),
    }  # fmt: skip
    return make_variable(ev, owner, config, node)


def _owner(ev: Evaluator) -> Subclassed | None:
    """The object whose method is being interpreted."""
    scope: Any = ev.scope
    while scope is not None:
        for value in scope.names.values():
            if isinstance(value, Subclassed):
                return value
        scope = scope.parent
    return None


_FILLS = {"keras.ops.zeros": "Zeros", "keras.ops.ones": "Ones"}


def _initial(value: Any) -> tuple[ApiObject, tuple[Any, ...]]:
    """The initialiser and shape that a first value stands for."""
    if isinstance(value, InitialValue):
        return value.initializer, _sizes(value.shape)
    if isinstance(value, Tensor) and value.node is not None and isinstance(value.node.target, str):
        value = Created("", symbol=value.node.target, args=value.node.args, kwargs=value.node.kwargs)
    if isinstance(value, Created):
        given = dict(zip(_ORDER.get(value.symbol, ()), value.args, strict=False)) | value.kwargs
        if value.symbol in _FILLS:
            return ApiObject(f"keras.initializers.{_FILLS[value.symbol]}", {}), _sizes(given["shape"])
        if value.symbol == "keras.random.normal":
            config = {"mean": given.get("mean") or 0.0, "stddev": given.get("stddev", 1.0), "seed": None}
            return ApiObject("keras.initializers.RandomNormal", config), _sizes(given["shape"])
        if value.symbol == "keras.random.uniform":
            config = {"minval": given.get("minval") or 0.0, "maxval": given.get("maxval", 1.0), "seed": None}
            return ApiObject("keras.initializers.RandomUniform", config), _sizes(given["shape"])
    number = plain(value)
    if isinstance(number, (int, float)) and not isinstance(number, bool):
        return ApiObject("keras.initializers.Constant", {"value": number}), ()
    raise Refusal("KT102", "the first value of this variable is not supported", "use `add_weight` with an initialiser")


_ORDER = {
    "keras.ops.zeros": ("shape", "dtype"), "keras.ops.ones": ("shape", "dtype"),
    "keras.random.normal": ("shape", "mean", "stddev"), "keras.random.uniform": ("shape", "minval", "maxval"),
}  # fmt: skip
