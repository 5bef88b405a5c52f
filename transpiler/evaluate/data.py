"""What the data that a model of the program's own is called on says of its inputs."""

from __future__ import annotations

from typing import Any

import libcst as cst

from transpiler.evaluate.core import Evaluator
from transpiler.evaluate.tracing import build_custom
from transpiler.evaluate.values import Created, Subclassed
from transpiler.graph.keras import TensorSpec
from transpiler.graph.program import Array
from transpiler.rules.base import OPS


def build_from_data(ev: Evaluator, made: Subclassed, data: Any, node: cst.CSTNode) -> None:
    """Trace a model on inputs like ``data``, if enough of it is known."""
    structure = _specs(data)
    if structure is not None and made.inputs is None:
        build_custom(ev, made, structure, node)


def _specs(data: Any) -> Any:
    """The specs of data of known shape, in its structure; None where something is unknown."""
    if isinstance(data, Array):
        if not data.shape:
            return None
        return TensorSpec((None, *data.shape[1:]), "int32" if "int" in (data.dtype or "") else "float32")
    if isinstance(data, Created):
        spec = OPS[data.symbol].infer(*data.args, **data.kwargs)
        if not isinstance(spec, TensorSpec) or not spec.shape:
            return None
        return TensorSpec((None, *spec.shape[1:]), "int32" if "int" in spec.dtype else "float32")
    if isinstance(data, dict):
        found = {key: _specs(item) for key, item in data.items()}
        return None if not found or any(item is None for item in found.values()) else found
    if isinstance(data, (list, tuple)):
        items = [_specs(item) for item in data]
        return None if not items or any(item is None for item in items) else items
    return None


def build_from_shape(ev: Evaluator, made: Subclassed, shape: Any, node: cst.CSTNode) -> None:
    """``model.build(input_shape)``: one shape, or a list or dict of them."""
    from transpiler.evaluate.layers import shape_of

    def specs(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: specs(item) for key, item in value.items()}
        if isinstance(value, list) and value and isinstance(value[0], (list, tuple)):
            return [specs(item) for item in value]
        if isinstance(value, tuple) and value and isinstance(value[0], (list, tuple)):
            return tuple(specs(item) for item in value)
        return TensorSpec((None, *shape_of(value)[1:]), "int32")

    if shape is not None:
        build_custom(ev, made, specs(shape), node)


def discarded(ev: Evaluator, node: cst.CSTNode) -> bool:
    """Whether nothing reads the value of a call: a statement by itself, or one that assigns it to ``_``."""
    statement = ev.statement
    if not isinstance(statement, cst.SimpleStatementLine) or len(statement.body) != 1:
        return False
    small = statement.body[0]
    if isinstance(small, cst.Assign):
        targets = [target.target for target in small.targets]
        return small.value is node and all(isinstance(t, cst.Name) and t.value.startswith("_") for t in targets)
    return isinstance(small, cst.Expr) and small.value is node
