"""The learning rate of a compiled model, as programs read and set it."""

from __future__ import annotations

from typing import Any

import libcst as cst

from transpiler.diagnostics import Refusal
from transpiler.evaluate.callbacks import is_callback_class
from transpiler.evaluate.core import Evaluator
from transpiler.evaluate.values import Opaque, OptimizerOf, RateOf
from transpiler.graph.program import Action

_NAMES = ("lr", "learning_rate", "_lr")
_READS = frozenset(["keras.backend.get_value", "keras.backend.eval", "keras.ops.convert_to_numpy"])
_SETS = frozenset(["keras.backend.set_value"])


def rate(ev: Evaluator, optimizer: OptimizerOf, name: str, node: cst.Attribute) -> RateOf:
    """``model.optimizer.lr``, read or set."""
    if name not in _NAMES:
        raise Refusal("KT302", f"`{name}` of an optimizer is not translated")
    function = ev.functions[-1] if ev.functions else None
    hook = (
        function is not None and is_callback_class(function.owner) and ev.source(node.value) == "self.model.optimizer"
    )
    model = optimizer.model
    made = Action("keras.Optimizer.rate", {"hook": hook}, ev.span(node), ev.scope.qualified_name, model, node=node)
    made.compiled = ev.compiled.get(id(model))
    ev.record(made)
    ev.facts.introspected.pop(id(node.value), None)  # the whole has a twin
    return RateOf("the learning rate is known only when the program runs", foreign=True, scalar=True)


def rate_function(ev: Evaluator, name: str, args: list[Any], kwargs: dict[str, Any], node: cst.Call) -> Any:
    """``K.get_value(model.optimizer.lr)`` and ``K.set_value(model.optimizer.lr, value)``."""
    if not args or not isinstance(args[0], RateOf):
        return NotImplemented
    if name in _READS and len(args) == 1:
        return _record(ev, "value", {"x": args[0]}, node)
    if name in _SETS and len(args) + len(kwargs) == 2:
        return _record(ev, "set", {"x": args[0], "value": None}, node)
    return NotImplemented


def rate_method(ev: Evaluator, name: str, args: list[Any], node: cst.Call) -> Any:
    """``model.optimizer.lr.numpy()`` and ``model.optimizer.lr.assign(value)``."""
    if name in ("numpy", "read_value", "value", "item") and not args:
        return _record(ev, "own_value", {}, node)
    if name == "assign" and len(args) == 1:
        return _record(ev, "assign", {"value": None}, node)
    raise Refusal("KT302", f"`{name}` of a learning rate is not translated")


def _record(ev: Evaluator, what: str, args: dict[str, Any], node: cst.Call) -> Opaque:
    ev.record(Action(f"keras.Optimizer.{what}", args, ev.span(node), ev.scope.qualified_name, node=node))
    return Opaque("the learning rate is known only when the program runs", foreign=True, scalar=True)
