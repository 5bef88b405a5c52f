"""Regularisers: their signatures, and the penalty as an expression over a weight."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transpiler.diagnostics import Refusal
from transpiler.graph.keras import ApiObject, FunctionRef
from transpiler.rules.base import OBJECTS, object_rule
from transpiler.rules.layout import literal

_PREFIX = "keras.regularizers."
object_rule("keras.regularizers.L1", "l1=0.01", l1="l")
object_rule("keras.regularizers.l1", "l1=0.01", l1="l")
object_rule("keras.regularizers.L2", "l2=0.01", l2="l")
object_rule("keras.regularizers.l2", "l2=0.01", l2="l")
object_rule("keras.regularizers.L1L2", "l1=0.0, l2=0.0")
object_rule("keras.regularizers.WeightRegularizer", "l1=0.0, l2=0.0")
object_rule("keras.regularizers.l1_l2", "l1=0.01, l2=0.01")
object_rule("keras.regularizers.l1l2", "l1=0.01, l2=0.01")
object_rule("keras.regularizers.OrthogonalRegularizer", "factor=0.01, mode='rows'")
object_rule("keras.regularizers.orthogonal_regularizer", "factor=0.01, mode='rows'")


def regularizer(value: Any) -> ApiObject | FunctionRef | None:
    """A regulariser argument (a name, an object, a config dict) as ``L1L2`` or ``OrthogonalRegularizer``.

    None if it never adds anything.
    """
    if value is None or isinstance(value, FunctionRef):
        return value
    if isinstance(value, Mapping) and "class_name" in value:
        value = ApiObject(_PREFIX + str(value["class_name"]), dict(value.get("config", {})))
    if isinstance(value, str):
        value = ApiObject(_PREFIX + value)
    if not isinstance(value, ApiObject) or value.symbol not in OBJECTS:
        raise Refusal("KT102", f"`{getattr(value, 'symbol', value)!s}` is not a regulariser that is known here")
    config = {p.name: p.default for p in OBJECTS[value.symbol]} | dict(value.config)
    if "factor" in config:
        return ApiObject(_PREFIX + "OrthogonalRegularizer", config)
    l1, l2 = config.get("l1") or 0.0, config.get("l2") or 0.0
    return ApiObject(_PREFIX + "L1L2", {"l1": l1, "l2": l2}) if l1 or l2 else None


def regularizer_code(obj: ApiObject | FunctionRef, weight: str) -> str:
    """The penalty of the weight named by the expression ``weight``: ``0.01 * w.square().sum()``."""
    if isinstance(obj, FunctionRef):
        raise Refusal("KT102", f"the regulariser `{obj.name}` is a function of the program's own")
    named = regularizer(obj)
    if named is None:
        return "0.0"
    assert isinstance(named, ApiObject)
    if "factor" in named.config:
        raise Refusal("KT102", "`OrthogonalRegularizer` is not supported in training")
    terms = []
    if named.config["l1"]:
        terms.append(f"{literal(named.config['l1'])} * {weight}.abs().sum()")
    if named.config["l2"]:
        terms.append(f"{literal(named.config['l2'])} * {weight}.square().sum()")
    return " + ".join(terms)
