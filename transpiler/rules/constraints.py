"""Constraints: their signatures, and the argument brought to one form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transpiler.diagnostics import Refusal
from transpiler.graph.keras import ApiObject, FunctionRef
from transpiler.rules.base import OBJECTS, object_rule

_PREFIX = "keras.constraints."
_SIGNATURES = {
    "MaxNorm": "max_value=2, axis=0",
    "NonNeg": "",
    "UnitNorm": "axis=0",
    "MinMaxNorm": "min_value=0.0, max_value=1.0, rate=1.0, axis=0",
}
_SPELLINGS = {
    "MaxNorm": "max_norm maxnorm",
    "NonNeg": "non_neg nonneg",
    "UnitNorm": "unit_norm unitnorm",
    "MinMaxNorm": "min_max_norm",
}
_CLASS_OF = {name: cls for cls, names in _SPELLINGS.items() for name in (cls, *names.split())}
_ALIASES = {"MaxNorm": {"max_value": "m"}, "MinMaxNorm": {"min_value": "low", "max_value": "high"}}

for _name, _cls in _CLASS_OF.items():
    object_rule(_PREFIX + _name, _SIGNATURES[_cls], **_ALIASES.get(_cls, {}))


def constraint(value: Any) -> ApiObject | FunctionRef | None:
    """A constraint argument (a name, an object, a config dict) as an object with Keras 3's class name."""
    if value is None or isinstance(value, FunctionRef):
        return value
    if isinstance(value, Mapping) and "class_name" in value:
        value = ApiObject(_PREFIX + str(value["class_name"]), dict(value.get("config", {})))
    if isinstance(value, str):
        value = ApiObject(_PREFIX + value)
    cls = _CLASS_OF.get(value.symbol.rpartition(".")[2]) if isinstance(value, ApiObject) else None
    if cls is None:
        raise Refusal("KT102", f"`{getattr(value, 'symbol', value)!s}` is not a constraint that is known here")
    config = {p.name: p.default for p in OBJECTS[_PREFIX + cls]} | dict(value.config)
    return ApiObject(_PREFIX + cls, config)
