"""Attribute access on values of every kind."""

from __future__ import annotations

from typing import Any

import libcst as cst

from transpiler.diagnostics import Refusal
from transpiler.evaluate.arrays import array_attribute
from transpiler.evaluate.callbacks import callback_attribute
from transpiler.evaluate.classes import found_on_class, found_on_object, super_attribute
from transpiler.evaluate.core import Evaluator, FailedDependencyError, is_build, is_failed
from transpiler.evaluate.imports import member
from transpiler.evaluate.natives import CONSTANTS, METHODS
from transpiler.evaluate.rates import rate
from transpiler.evaluate.subclasses import base_attribute, built_by
from transpiler.evaluate.surgery import layer_input, layer_output, layers_of
from transpiler.evaluate.values import (
    Bound,
    ClassMethod,
    ClassValue,
    Function,
    HistoryLogs,
    Instance,
    Method,
    Native,
    Opaque,
    OptimizerOf,
    ProjectModule,
    Property,
    RateOf,
    Row,
    StaticMethod,
    Subclassed,
    Super,
    Symbol,
    Twin,
)
from transpiler.graph.keras import Layer, Model, Tensor, walk_tensors
from transpiler.graph.program import Action, Array, Callback, History, Source
from transpiler.graph.symbolic import Expr, Leaf
from transpiler.rules.data import IMAGE_GENERATOR, TWINS
from transpiler.rules.names import canonical, is_keras
from transpiler.rules.runtime import REPLACED
from transpiler.rules.sources import BATCH_ATTRIBUTES, FLOWS


def attribute(  # noqa: C901 - one case a kind of value
    ev: Evaluator, value: Any, name: str, node: cst.Attribute
) -> Any:
    """``value.name``."""
    if is_failed(value):
        raise FailedDependencyError
    if isinstance(value, Symbol):
        return _symbol(ev, value, name, node)
    if isinstance(value, Subclassed):
        found = _custom(ev, value, name, node)
        stays = ev.tracing or isinstance(found, (Model, Bound, Function, Native))
        return found if stays else _introspected(ev, found, node)
    if isinstance(value, Tensor):
        return _introspected(ev, _tensor(ev, value, name, node), node)
    if isinstance(value, Model):
        return _introspected(ev, _model(ev, value, name, node), node)
    if isinstance(value, Layer):
        return _introspected(ev, _layer(ev, value, name), node)
    if isinstance(value, Array):
        found = array_attribute(ev, value, name, node)
        return Method(value, name) if found is None else found
    if isinstance(value, History):
        return _history(ev, value, name, node)
    if isinstance(value, Twin):
        return _twin(ev, value, name, node)
    if isinstance(value, OptimizerOf):
        return rate(ev, value, name, node)
    if isinstance(value, Source) and name in ("class_names", "file_paths"):
        return Opaque(f"`{name}` of a data set is known only when the program runs", foreign=True)
    if isinstance(value, Source) and value.kind == "sequence" and name in BATCH_ATTRIBUTES:
        return Opaque(f"`{ev.source(node)}` is known only when the program runs", foreign=True)
    if isinstance(value, (RateOf, Source)):
        return Method(value, name)
    if isinstance(value, Callback):
        return callback_attribute(ev, value, name, node)
    if isinstance(value, Instance):
        return _instance(value, name, ev, node)
    if isinstance(value, Property):
        return Opaque(f"`{name}` of a property is not evaluated")
    if isinstance(value, ClassValue):
        return _class(ev, value, name, node)
    if isinstance(value, Super):
        return super_attribute(ev, value, name, node)
    if isinstance(value, Row) and name in value.names:
        return value[value.names.index(name)]
    if isinstance(value, (Function, Bound)) and name == "__name__":
        return value.name if isinstance(value, Function) else value.function.name
    if isinstance(value, ProjectModule):
        return member(ev, value, name, node)
    if isinstance(value, Opaque):
        return _opaque(ev, value, name, node)
    if type(value) in METHODS or isinstance(value, (dict, tuple)):
        return Method(value, name)
    if isinstance(value, Expr):
        return Opaque("an attribute of a number")
    return Opaque(f"`{ev.source(node)[:60]}` is not evaluated")


def _symbol(ev: Evaluator, value: Symbol, name: str, node: cst.Attribute) -> Any:
    full = canonical(f"{value.name}.{name}")
    if full in REPLACED and not REPLACED[full].endswith(")"):
        ev.record(Action(full, {}, ev.span(node), ev.scope.qualified_name, node=node))
        return Opaque(f"`{ev.source(node)}` is known only when the program runs", foreign=True)
    if full in CONSTANTS:
        return CONSTANTS[full]
    return Symbol(full)


def _tensor(ev: Evaluator, value: Tensor, name: str, node: cst.Attribute) -> Any:
    if name in ("shape", "_keras_shape"):
        return tuple(None if dim is None else dim for dim in value.shape)
    if name in ("dtype", "ndim", "name"):
        return {"dtype": value.dtype, "ndim": value.spec.rank, "name": value.name or value.hint}[name]
    return Method(value, name)


def _introspected(ev: Evaluator, found: Any, node: cst.Attribute) -> Any:
    """Note what was read off a layer, a model or a tensor: where that is kept, the output needs the value itself."""
    if not isinstance(found, (Method, OptimizerOf)):
        ev.facts.introspected[id(node)] = found
        ev.touch()
    return found


def _layer(ev: Evaluator, value: Layer, name: str) -> Any:
    if name == "output":
        return layer_output(ev, value)
    if name == "input":
        return layer_input(ev, value)
    if name in ("output_shape", "input_shape"):
        tensors = list(walk_tensors(layer_output(ev, value) if name[0] == "o" else layer_input(ev, value)))
        return tuple(tensors[0].shape) if len(tensors) == 1 else [tuple(t.shape) for t in tensors]
    if name == "name":
        return value.name
    if name == "trainable":
        return value.trainable
    if name in value.config:
        return value.config[name]
    return Method(value, name)


def _model(ev: Evaluator, value: Model, name: str, node: cst.Attribute) -> Any:
    if name in ("layers", "input", "output", "inputs", "outputs", "input_shape", "output_shape"):
        ev.settle(value)
    if name == "layers":
        return layers_of(ev, value)
    if name == "input":
        return value.inputs[0] if isinstance(value.inputs, list) and len(value.inputs) == 1 else value.inputs
    if name == "output":
        return value.outputs[0] if isinstance(value.outputs, list) and len(value.outputs) == 1 else value.outputs
    if name == "inputs":
        return value.input_tensors()
    if name == "outputs":
        return value.output_tensors()
    if name == "input_shape" and len(value.input_tensors()) == 1:
        return value.input_tensors()[0].shape
    if name == "output_shape" and len(value.output_tensors()) == 1:
        return value.output_tensors()[0].shape
    if name == "name":
        return value.name
    if name == "trainable":
        return value.trainable
    if name == "optimizer":
        return OptimizerOf(value)
    return Method(value, name)


def _twin(ev: Evaluator, value: Twin, name: str, node: cst.Attribute) -> Any:
    if value.symbol == IMAGE_GENERATOR and name in FLOWS:
        return Method(value, name)
    if name not in TWINS[value.symbol]:
        raise Refusal("KT302", f"`{name}` of a `{value.symbol.rpartition('.')[2]}` is not translated")
    return Opaque(f"`{ev.source(node)}` is known only when the program runs", foreign=True)


def _history(ev: Evaluator, value: History, name: str, node: cst.Attribute) -> Any:
    if name not in ("history", "epoch"):
        raise Refusal("KT302", f"`{name}` of the training history is not translated")
    ev.record(
        Action(f"keras.History.{name}", {}, ev.span(node), ev.scope.qualified_name, value.action.model, node=node)
    )
    why = f"`{ev.source(node)}` is known only when the program runs"
    return HistoryLogs(why, foreign=True, action=value.action) if name == "history" else Opaque(why, foreign=True)


def _instance(value: Instance, name: str, ev: Evaluator, node: cst.Attribute) -> Any:
    if name == "__dict__":
        return value.attributes
    if name == "__class__":
        return value.cls
    own = name in value.attributes
    found = value.attributes[name] if own else value.cls.lookup(name)
    reason = ev.clouded.get(id(value)) or ev.clouded.get(id(value.attributes))
    if reason and not (is_build(found) or isinstance(found, (Model, Function, StaticMethod, ClassMethod))):
        text = ev.source(node)
        return Opaque.named(name, text, f"`{text}` is not known: {reason}")
    if own or found is None and name in value.cls.all_attributes():
        return found
    if found is None:
        return Opaque(f"`{ev.source(node)}` is not set in what was interpreted", _named(ev, name, node))
    return found_on_object(ev, value, found, node)


def _custom(ev: Evaluator, value: Subclassed, name: str, node: cst.Attribute) -> Any:
    """An attribute of a layer or model of the program's own: its own ones first, then its class's, then Keras'."""
    if name in value.attributes:
        return value.attributes[name]
    found = value.cls.lookup(name)
    if name == "build" and isinstance(found, Function):
        return built_by(value, found)
    if found is not None or name in value.cls.all_attributes():
        return found_on_object(ev, value, found, node)
    if name in ("__class__", "__dict__"):
        return _instance(value, name, ev, node)
    if value.inputs is not None and name in ("layers", "input", "output", "inputs", "outputs"):
        return _model(ev, value, name, node)
    if name == "optimizer" and value.cls.keras != "layer":
        return OptimizerOf(value)
    return base_attribute(ev, value, name, node)


def _named(ev: Evaluator, name: str, node: cst.Attribute) -> Expr:
    """An expression that names an attribute by its source text."""
    return Expr.of_leaf(Leaf(name, "local", ev.source(node)))


def _class(ev: Evaluator, value: ClassValue, name: str, node: cst.Attribute) -> Any:
    if name in ("__name__", "__qualname__"):
        return value.name
    found = value.lookup(name)
    if found is None and name not in value.all_attributes():
        return Opaque(f"`{ev.source(node)}` is not set in what was interpreted")
    return found_on_class(value, found)


def _opaque(ev: Evaluator, value: Opaque, name: str, node: cst.Attribute) -> Any:
    text = ev.source(node)
    if name == "shape":
        return Opaque(f"`{text}` is known only when the program runs", value.expr, value.foreign)
    found = Opaque.named(name, text, f"`{text}` is known only when the program runs")
    found.foreign = value.foreign
    return found


def is_keras_value(value: Any) -> bool:
    """Whether ``value`` is a symbol that the output cannot keep."""
    return isinstance(value, Symbol) and is_keras(value.name)
