"""Attribute access on values of every kind."""

from __future__ import annotations

from typing import Any

import libcst as cst

from transpiler.diagnostics import Refusal
from transpiler.evaluate.arrays import array_attribute
from transpiler.evaluate.core import Evaluator, FailedDependencyError, is_build, is_failed
from transpiler.evaluate.natives import CONSTANTS, METHODS
from transpiler.evaluate.values import ClassValue, Function, Instance, Method, Opaque, Symbol
from transpiler.graph.keras import Layer, Model, Tensor
from transpiler.graph.program import Action, Array, History
from transpiler.graph.symbolic import Expr
from transpiler.rules.names import canonical, is_keras


def attribute(  # noqa: C901 - one case a kind of value
    ev: Evaluator, value: Any, name: str, node: cst.Attribute
) -> Any:
    """``value.name``."""
    if is_failed(value):
        raise FailedDependencyError
    if isinstance(value, Symbol):
        return _symbol(value, name)
    if isinstance(value, Tensor):
        return _tensor(ev, value, name, node)
    if isinstance(value, Model):
        return _model(ev, value, name, node)
    if isinstance(value, Layer):
        return _layer(value, name)
    if isinstance(value, Array):
        found = array_attribute(ev, value, name, node)
        return Method(value, name) if found is None else found
    if isinstance(value, History):
        return _history(ev, value, name, node)
    if isinstance(value, Instance):
        return _instance(value, name, ev, node)
    if isinstance(value, ClassValue):
        found = value.lookup(name)
        return Opaque(f"`{ev.source(node)}`") if found is None else found
    if isinstance(value, Opaque):
        return _opaque(ev, value, name, node)
    if type(value) in METHODS or isinstance(value, dict):
        return Method(value, name)
    if isinstance(value, Expr):
        return Opaque("an attribute of a number")
    return Opaque(f"`{ev.source(node)[:60]}` is not evaluated")


def _symbol(value: Symbol, name: str) -> Any:
    full = canonical(f"{value.name}.{name}")
    if full in CONSTANTS:
        return CONSTANTS[full]
    return Symbol(full)


def _tensor(ev: Evaluator, value: Tensor, name: str, node: cst.Attribute) -> Any:
    if name in ("shape", "_keras_shape"):
        return tuple(None if dim is None else dim for dim in value.shape)
    if name in ("dtype", "ndim", "name"):
        return {"dtype": value.dtype, "ndim": value.spec.rank, "name": value.name or value.hint}[name]
    return Method(value, name)


def _layer(value: Layer, name: str) -> Any:
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
        return list(value.layers)
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
    return Method(value, name)


def _history(ev: Evaluator, value: History, name: str, node: cst.Attribute) -> Any:
    if name not in ("history", "epoch"):
        raise Refusal("KT302", f"`{name}` of the training history is not translated")
    ev.record(
        Action(f"keras.History.{name}", {}, ev.span(node), ev.scope.qualified_name, value.action.model, node=node)
    )
    return Opaque(f"`{ev.source(node)}` is known only when the program runs", foreign=True)


def _instance(value: Instance, name: str, ev: Evaluator, node: cst.Attribute) -> Any:
    if name == "__dict__":
        ev.cloud(value, "its `__dict__` is used")
    found = value.attributes.get(name, value.cls.lookup(name))
    if id(value) in ev.clouded and not (is_build(found) or isinstance(found, (Model, Function))):
        text = ev.source(node)
        return Opaque.named(name, text, f"`{text}` is not known: {ev.clouded[id(value)]}")
    if name in value.attributes:
        return found
    if isinstance(found, Function):
        return Method(value, name)
    if found is None:
        return Opaque(f"`{ev.source(node)}` is not set in what was interpreted")
    return found


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
