"""Operators, comparisons and subscripts on symbolic tensors: they make op nodes."""

from __future__ import annotations

from typing import Any

import libcst as cst

from transpiler.diagnostics import Refusal
from transpiler.evaluate.core import Evaluator, FailedDependencyError, checked_arguments, is_failed, plain
from transpiler.evaluate.values import Created, Opaque, Symbol
from transpiler.graph.keras import Node, Tensor, TensorSpec, map_tensors, walk_tensors
from transpiler.graph.program import Array
from transpiler.graph.symbolic import Expr
from transpiler.rules.base import OPS, REFUSED

_BINARY_OPS = {
    "+": "add", "-": "subtract", "*": "multiply", "/": "divide", "//": "floor_divide", "%": "mod", "**": "power",
    "@": "matmul", "&": "logical_and", "|": "logical_or", "Equal": "equal", "NotEqual": "not_equal",
    "LessThan": "less", "LessThanEqual": "less_equal", "GreaterThan": "greater", "GreaterThanEqual": "greater_equal",
}  # fmt: skip


def make_op(ev: Evaluator, symbol: str, args: tuple[Any, ...], kwargs: dict[str, Any], node: cst.CSTNode) -> Any:
    """Add an op node to the graph and return its output tensor(s)."""
    from transpiler.evaluate.layers import settle_open_inputs

    rule = OPS.get(symbol)
    if rule is None:
        why = REFUSED.get(symbol)
        raise Refusal("KT101", f"`{symbol}` on a tensor is not supported" + (f": {why}" if why else ""))
    if ev.open_inputs and any(id(t) in ev.open_inputs for t in walk_tensors([args, kwargs])):
        settle_open_inputs(ev, [args, kwargs], symbol)
    args, kwargs = _operands(created(ev, args, node)), _operands(created(ev, kwargs, node))
    with ev.working_on(node), checked_arguments(symbol):
        specs = rule.infer(*map_tensors(args, _spec), **map_tensors(kwargs, _spec))
    made = Node(symbol, args, kwargs, ev.origin(node))
    return finish_node(ev, made, specs, node)


def created(ev: Evaluator, value: Any, node: cst.CSTNode) -> Any:
    """``value`` with results of ops without tensor arguments turned into nodes (deep in lists, tuples and dicts)."""
    if isinstance(value, Created):
        return make_op(ev, value.symbol, value.args, value.kwargs, node)
    if isinstance(value, (list, tuple)):
        return type(value)(created(ev, item, node) for item in value)
    if isinstance(value, dict):
        return {key: created(ev, item, node) for key, item in value.items()}
    return value


def _spec(tensor: Tensor) -> TensorSpec:
    return tensor.spec


def _operands(value: Any) -> Any:
    """Constants of an op must be known or nameable."""
    if is_failed(value):
        raise FailedDependencyError
    if isinstance(value, tuple):
        return tuple(_operands(v) for v in value)
    if isinstance(value, list):
        return [_operands(v) for v in value]
    if isinstance(value, dict):
        return {k: _operands(v) for k, v in value.items()}
    if isinstance(value, slice):
        return slice(*(_operands(part) for part in (value.start, value.stop, value.step)))
    if isinstance(value, Opaque):
        if value.expr is None:
            raise Refusal("KT201", f"an operand must be known when the model is translated: {value.why}")
        return value.expr
    if isinstance(value, (Array, Symbol)):
        raise Refusal("KT105", "an operation of a symbolic tensor with an array of the program is not translated")
    return plain(value) if isinstance(value, Expr) and not value.known else value


def finish_node(ev: Evaluator, made: Node, specs: Any, node: cst.CSTNode) -> Any:
    """Give a node its output tensors, in the structure of ``specs``; returns them in that structure."""
    outputs: list[Tensor] = []

    def build(spec: Any) -> Any:
        if isinstance(spec, TensorSpec):
            outputs.append(Tensor(spec, made, len(outputs)))
            return outputs[-1]
        if isinstance(spec, dict):
            return {key: build(value) for key, value in spec.items()}
        return type(spec)(build(value) for value in spec)

    made.structure = build(specs)
    made.outputs = tuple(outputs)
    ev.count_node(made)
    ev.mark_build(node)
    return made.structure


def tensor_binary(ev: Evaluator, op: str, left: Any, right: Any, node: cst.CSTNode) -> Any:
    """``left op right`` where one is a symbolic tensor."""
    if op not in _BINARY_OPS:
        raise Refusal("KT101", "this operator on a tensor is not supported")
    return make_op(ev, f"keras.ops.{_BINARY_OPS[op]}", (left, right), {}, node)


def tensor_unary(ev: Evaluator, op: str, value: Tensor, node: cst.CSTNode) -> Any:
    """``-x`` and ``~x``."""
    if op == "Plus":
        return value
    symbol = {"Minus": "negative", "BitInvert": "logical_not"}.get(op)
    if symbol is None:
        raise Refusal("KT204", "the truth of a symbolic tensor cannot be asked, in Keras neither")
    return make_op(ev, f"keras.ops.{symbol}", (value,), {}, node)


def tensor_item(ev: Evaluator, value: Tensor, key: Any, node: cst.CSTNode) -> Any:
    """``x[key]``."""
    return make_op(ev, "keras.ops.getitem", (value, key), {}, node)
