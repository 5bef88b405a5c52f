"""The program's own layers and models: making them, their methods, and calling them on symbolic tensors."""

from __future__ import annotations

from typing import Any

import libcst as cst

from transpiler.diagnostics import Refusal
from transpiler.evaluate.core import (
    Creation,
    Evaluator,
    FailedDependencyError,
    is_build,
    is_failed,
    is_known,
    plain,
    require_known,
)
from transpiler.evaluate.functions import call_function
from transpiler.evaluate.values import ClassValue, Function, Method, Native, Opaque, Subclassed, Symbol
from transpiler.evaluate.variables import add_weight
from transpiler.graph.keras import CustomModel, Layer, Model, Tensor

BASES = {
    "keras.layers.Layer": "layer", "keras.Model": "model", "keras.Sequential": "sequential",
    "keras.layers.AbstractLayer": "layer", "keras.Operation": "",
}  # fmt: skip
_STEPS = (
    "train_step",
    "test_step",
    "predict_step",
    "compute_loss",
    "make_train_function",
    "fit",
    "evaluate",
    "predict",
)
_COMMON = ("name", "trainable", "dtype", "dynamic", "autocast", "activity_regularizer")
_SHAPES = ("input_shape", "batch_input_shape", "input_dim", "input_length")


def keras_kind(ev: Evaluator, cls: ClassValue) -> str:
    """What of Keras a class stands below: "layer", "model", "sequential", or "" where nothing."""
    for base in cls.bases:
        kind = (
            base.keras if isinstance(base, ClassValue) else BASES.get(base.name, "") if isinstance(base, Symbol) else ""
        )
        if kind:
            return kind
    return ""


def make_custom(ev: Evaluator, cls: ClassValue, args: list[Any], kwargs: dict[str, Any], node: cst.Call) -> Subclassed:
    """An object of a class below ``Layer``, ``Model`` or ``Sequential``."""
    ev.facts.refused_classes.add(cls.name)
    _check_class(cls)
    made = Subclassed(cls, "", ev.origin(node))
    made.docstring = (cls.node.get_docstring() or "").split("\n\n")[0]
    made.methods = frozenset(
        id(value.node) for owner in cls.mro() for value in owner.attributes.values() if isinstance(value, Function)
    )
    made.home = id(ev.inside)
    ev.keep_alive.append(made)
    if cls.keras == "sequential" and not isinstance(cls.lookup("call"), Function):
        made.kind = "sequential"
        ev.pending[id(made)] = []
        ev.sequential_depth[id(made)] = ev.unknown_depth
    ev.instances.setdefault(id(cls), made)
    before = ev.poisoned
    init = cls.lookup("__init__")
    if isinstance(init, Function):
        made.arguments = _arguments(init, args, kwargs)
        with ev.in_layer():
            call_function(ev, init, [made, *args], kwargs, node)
    else:
        construct(ev, made, args, kwargs, node)
    made.failed = ev.poisoned != before
    if not made.ready:
        construct(ev, made, [], {}, node)
    _register(ev, made, node)
    ev.facts.refused_classes.discard(cls.name)
    return made


def _check_class(cls: ClassValue) -> None:
    if isinstance(cls.lookup("__call__"), Function):
        raise Refusal("KT105", f"`{cls.name}.__call__` takes the place of Keras' own, which is not translated")
    for name in _STEPS:
        if isinstance(cls.lookup(name), Function):
            raise Refusal("KT301", f"`{cls.name}.{name}` takes over a part of Keras' training, which is not translated")


def _arguments(init: Function, args: list[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments that the constructor was given, by name, in the terms of the place of the call."""
    parameters = init.node.params
    names = [p.name.value for p in (*parameters.posonly_params, *parameters.params)][1:]
    return dict(zip(names, args)) | kwargs  # noqa: B905 - fewer arguments than parameters is usual


def _register(ev: Evaluator, made: Subclassed, node: cst.CSTNode) -> None:
    """Note the new object: models are built where the source builds them, layers go with what they are part of."""
    ev.made(made)
    ev.facts.customs.setdefault(id(made.cls.node), []).append(made)
    ev.facts.creations.setdefault(id(node), []).append(Creation(made, node, ev.scope.qualified_name, None, ev.inside))


def construct(ev: Evaluator, made: Subclassed, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> None:
    """What ``super().__init__(…)`` of Keras' own classes does."""
    from transpiler.evaluate.layers import auto_name

    made.ready = True
    given = dict(kwargs)
    if made.cls.keras != "layer" and (args or "inputs" in given or "outputs" in given or "layers" in given):
        _construct_model(ev, made, args, given, node)
    elif args:
        given["name"] = args[0]
    unknown = set(given) - {*_COMMON, *_SHAPES, "**", "inputs", "outputs", "layers"}
    if unknown:
        raise Refusal("KT102", f"`{made.cls.keras.capitalize()}` has no argument `{min(unknown)}` that is known here")
    if given.get("activity_regularizer") is not None:
        raise Refusal("KT102", "`activity_regularizer` of a layer of the program's own is not supported")
    if plain(given.get("dtype")) not in (None, "float32") and not isinstance(given.get("dtype"), Symbol):
        raise Refusal("KT102", f"`dtype={given['dtype']!r}` is not supported")
    name = given.get("name")
    made.explicit_name = name is not None and is_known(name)
    made.name = str(plain(name)) if made.explicit_name else auto_name(ev, made.cls.name)
    if given.get("trainable") is not None:
        made.trainable = bool(require_known(given["trainable"], "`trainable`"))
        if not made.trainable:
            hint = "set `trainable` of the object after it was made"
            raise Refusal("KT105", "`trainable=False` for a layer of the program's own is not translated", hint)
    from transpiler.evaluate.layers import _input_shape

    shape = _input_shape("keras.layers.Layer", given, set(), {})
    if shape is not None:
        ev.input_shapes[id(made)] = shape


def _construct_model(
    ev: Evaluator, made: Subclassed, args: list[Any], given: dict[str, Any], node: cst.CSTNode
) -> None:
    """``super().__init__(inputs=…, outputs=…)`` of a model, ``super().__init__([…])`` of a Sequential."""
    from transpiler.evaluate.models import add_layer, nodes_between
    from transpiler.evaluate.surgery import layers_in_order

    if made.kind == "sequential":
        for layer in args[0] if args else given.get("layers") or []:
            add_layer(ev, made, layer, node)
        return
    inputs, outputs = (*args, given.get("inputs"), given.get("outputs"))[:2] if len(args) < 2 else args[:2]
    if is_failed(inputs) or is_failed(outputs):
        raise FailedDependencyError
    if not is_build(inputs) or not is_build(outputs):
        raise Refusal("KT103", "`Model` needs tensors as `inputs` and `outputs`, and they must be known here")
    made.kind, made.inputs, made.outputs = "functional", inputs, outputs
    made.nodes = nodes_between(ev, made.input_tensors(), outputs)
    made.layers = layers_in_order(made)


# -- attributes -------------------------------------------------------------------------------------------------------
def base_attribute(ev: Evaluator, value: Subclassed, name: str, node: cst.CSTNode, of_super: bool = False) -> Any:
    """What an object has from Keras: settings, ``add_weight``, the methods of models."""
    if name == "build" and value.cls.keras != "layer" and not of_super:
        return Method(value, name)
    if name in ("__init__", "build", "add_weight", "add_variable", "get_config", "compute_mask"):
        return Native(name, _NATIVES[name](value))
    if name in ("add_loss", "add_metric"):
        raise Refusal("KT301", f"`{name}` is not translated")
    if name in _SETTINGS:
        return _SETTINGS[name](value)
    if name == "call" and of_super:
        raise Refusal("KT105", "`super().call` of Keras' own class is not translated")
    if value.cls.keras == "layer" and name not in ("__call__", "weights", "variables"):
        text = ev.source(node) if isinstance(node, cst.Attribute) else name
        return Opaque(f"`{text}` is not set in what was interpreted")
    return Method(value, name)


_SETTINGS: dict[str, Any] = {
    "name": lambda value: value.name,
    "trainable": lambda value: value.trainable,
    "built": lambda value: value.built,
    "dtype": lambda value: "float32",
    "compute_dtype": lambda value: "float32",
    "variable_dtype": lambda value: "float32",
    "_dtype": lambda value: "float32",
    "supports_masking": lambda value: value.masks,
    "input_spec": lambda value: None,
    "losses": lambda value: _refuse_losses(),
}


def _refuse_losses() -> Any:
    raise Refusal("KT301", "`losses` of a layer are not translated")


def _native_init(value: Subclassed) -> Any:
    def call(ev: Evaluator, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> None:
        construct(ev, value, args, kwargs, node)

    return call


def _native_build(value: Subclassed) -> Any:
    def call(ev: Evaluator, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> None:
        value.built = True

    return call


def built_by(value: Subclassed, function: Function) -> Native:
    """The ``build`` of the program's own: called by itself, Keras does not call it again."""

    def call(ev: Evaluator, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> Any:
        if value.built:
            return None
        value.built = True
        with ev.in_layer():
            return call_function(ev, function, [value, *args], kwargs, node)

    return Native("build", call)


def _native_weight(value: Subclassed) -> Any:
    def call(ev: Evaluator, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> Tensor:
        return add_weight(ev, value, args, kwargs, node)

    return call


def _native_config(value: Subclassed) -> Any:
    return lambda ev, args, kwargs, node: {"name": value.name, "trainable": value.trainable, "dtype": "float32"}


def _native_mask(value: Subclassed) -> Any:
    return lambda ev, args, kwargs, node: args[1] if len(args) > 1 else kwargs.get("previous_mask", kwargs.get("mask"))


_NATIVES: dict[str, Any] = {
    "__init__": _native_init, "build": _native_build, "add_weight": _native_weight, "add_variable": _native_weight,
    "get_config": _native_config, "compute_mask": _native_mask,
}  # fmt: skip


def set_on_custom(ev: Evaluator, value: Subclassed, name: str, what: Any, text: str) -> None:
    """Set an attribute; some mean something to Keras. ``text`` is the expression that names it."""
    value.calls.clear()  # what the calls gave may have depended on it
    if name == "trainable":
        ev.set_trainable(value, what)
        if ev.tracing:  # elsewhere the statement itself stays
            ev.freeze(value, value.trainable)
        return
    if name == "supports_masking":
        value.masks = bool(plain(what))
        return
    if name == "built":
        value.built = bool(plain(what))
        return
    if isinstance(what, Tensor) and what.node is not None and isinstance(what.node.target, Layer):
        what.node.target.hint = what.node.target.hint or name  # a weight is named after its attribute
    _name_parts(name, what)
    if isinstance(what, (Tensor, Layer, Model)) and what.hint is None:
        what.hint = name
    if isinstance(what, Model) and what.reference is None:
        what.reference = text
    before = value.attributes.get(name)
    if value.running and name in value.attributes and is_known(what) and plain(what) != plain(before):
        raise Refusal("KT204", f"`{text}` changes from call to call, which a module's class cannot tell")
    if ev.unknown_depth and not is_build(what):
        what = Opaque(f"`{text}` is set by code that may or may not run", maybe_model=isinstance(what, Model))
    value.attributes[name] = what


def _name_parts(name: str, value: Any) -> None:
    """Layers in a list or dict are named after the attribute that holds it."""
    if isinstance(value, dict):
        for key, item in value.items():
            if isinstance(item, (Layer, Model)) and item.hint is None:
                item.hint = f"{name}_{key}" if str(key).isidentifier() else name
    elif isinstance(value, (list, tuple)):
        single = name[:-1] if name.endswith("s") and not name.endswith("ss") and len(name) > 3 else name
        for item in value:
            if isinstance(item, (Layer, Model)) and item.hint is None:
                item.hint = single
            elif isinstance(item, (list, tuple)):
                _name_parts(name, item)


def parts(value: Any, depth: int = 0) -> list[Layer | Model]:
    """The layers and models that an object, or what it keeps in containers, holds."""
    if isinstance(value, CustomModel) and depth == 0:
        return [*value.variables, *(part for item in value.attributes.values() for part in parts(item, 1))]
    if isinstance(value, (Layer, Model)):
        return [value]
    if depth < 8 and isinstance(value, (list, tuple, dict)):
        items = value.values() if isinstance(value, dict) else value
        return [part for item in items for part in parts(item, depth + 1)]
    return []


__all__ = ["base_attribute", "keras_kind", "make_custom", "parts", "set_on_custom"]
