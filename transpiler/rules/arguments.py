"""Arguments that layers share: words out of a set, the data format, and the weights' settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transpiler.diagnostics import Refusal
from transpiler.rules.constraints import constraint
from transpiler.rules.initializers import initializer
from transpiler.rules.regularizers import regularizer


def choice(value: Any, allowed: tuple[str, ...], what: str) -> str:
    """A word in lower case out of a fixed set."""
    word = value.lower() if isinstance(value, str) else value
    if word not in allowed:
        raise Refusal("KT103", f"`{what}` must be one of {', '.join(allowed)}, not {value!r}")
    return str(word)


def data_format(value: Any) -> str:
    """``channels_last`` or ``channels_first``, from any generation's spelling."""
    spellings = {None: "channels_last", "tf": "channels_last", "th": "channels_first", "default": "channels_last"}
    return choice(spellings.get(value, value), ("channels_last", "channels_first"), "data_format")


def refuse_given(config: Mapping[str, Any], symbol: str, *names: str) -> None:
    """Refuse arguments that have no translation where they are given at all."""
    for name in names:
        if config.get(name) not in (None, False):
            raise Refusal("KT102", f"`{name}` of `{symbol.rpartition('.')[2]}` is not supported")


def settings(config: Mapping[str, Any], *keys: tuple[str, str]) -> dict[str, dict[str, Any]]:
    """Initialisers, regularisers and constraints of a module: ``("kernel", "weight")`` names Keras' and torch's key."""
    tables: dict[str, dict[str, Any]] = {"initializers": {}, "regularizers": {}, "constraints": {}}
    for name, key in keys:
        tables["initializers"][key] = initializer(config.get(f"{name}_initializer"))
        tables["regularizers"][key] = regularizer(config.get(f"{name}_regularizer"))
        tables["constraints"][key] = constraint(config.get(f"{name}_constraint"))
    return tables
