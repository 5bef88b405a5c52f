"""Configurable objects: whether their translation is refused, and for which arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from transpiler.diagnostics import Refusal
from transpiler.emit.losses import Output, criterion, resolve_loss
from transpiler.emit.metrics import metric_code, resolve_metric
from transpiler.emit.optimizers import optimizer_code
from transpiler.graph.keras import ApiObject
from transpiler.rules.base import MISSING, OBJECTS, Param
from transpiler.rules.constraints import constraint
from transpiler.rules.initializers import initializer, initializer_code
from transpiler.rules.regularizers import regularizer, regularizer_code
from transpiler.rules.training import SCHEDULES

# Values for arguments without a default.
_GIVEN: dict[str, Any] = {
    "boundaries": [10], "values": [0.1, 0.01], "initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.5,
    "first_decay_steps": 10, "num_classes": 3,
}  # fmt: skip
# Other words than the default, where an argument takes one of several.
WORDS: dict[str, tuple[Any, ...]] = {
    "reduction": ("sum", "none"), "data_format": ("channels_first",), "axis": (0,), "padding": ("same", "causal"),
}  # fmt: skip
_OUTPUT = Output((None, 3), first=False, name="output")


def other_values(default: Any, name: str) -> tuple[Any, ...]:
    """Values that differ from a parameter's default, to learn whether they are refused."""
    if default is MISSING:
        return ()
    if name in WORDS:
        return WORDS[name]
    if isinstance(default, bool):
        return (not default,)
    if default is None:
        return (True, 2, "given")
    if isinstance(default, (int, float)):
        return (default + 2,)
    return ()


def shown(param: Param, value: Any) -> str:
    """How the page names a refused argument: by its name where giving it at all is refused, else with the value."""
    alone = param.default in (None, 0) and param.name not in WORDS  # False too
    return param.name if alone else f"{param.name}={value!r}"


def object_refusals(module: str, symbol: str) -> tuple[str, list[str]]:
    """Why the object is refused (or nothing), and the arguments that are."""
    name = symbol.rpartition(".")[2]
    signature = OBJECTS.get(symbol, ())
    config = {p.name: _GIVEN.get(p.name) if p.default is MISSING else p.default for p in signature}
    use = _USES[module]
    if refusal := _refusal(use, ApiObject(symbol, config) if signature else name):
        return refusal, []
    found = []
    for param in signature:
        for value in other_values(param.default, param.name):
            why = _refusal(use, ApiObject(symbol, {**config, param.name: value}))
            if f"`{param.name}" in why or f"schedule `{name}`" in why:
                found.append(shown(param, value))
    return "", list(dict.fromkeys(found))


def _refusal(use: Callable[[Any], object], value: Any) -> str:
    try:
        use(value)
    except Refusal as refusal:
        return refusal.message
    except (TypeError, ValueError, AttributeError, KeyError):  # no value that this parameter takes
        return ""
    return ""


def _initializer(value: Any) -> object:
    made = initializer(value)
    return made and initializer_code(made, "weight")


def _regularizer(value: Any) -> object:
    made = regularizer(value)
    return made and regularizer_code(made, "weight")


def _loss(value: Any) -> object:
    loss = resolve_loss(value, "", _OUTPUT, sparse=False)
    return criterion(loss, _OUTPUT, weighted=False, index_targets=False)


def _metric(value: Any) -> object:
    return metric_code(resolve_metric(value, "", _OUTPUT, sparse=False), _OUTPUT)


def _optimizer(value: Any) -> object:
    if isinstance(value, ApiObject) and value.symbol.rpartition(".")[2] in SCHEDULES:
        adam = "keras.optimizers.Adam"
        config = {p.name: p.default for p in OBJECTS[adam]}
        value = ApiObject(adam, {**config, "learning_rate": value})
    text = ""
    if isinstance(value, ApiObject):
        text = f"{value.symbol}({', '.join(f'{k}={v!r}' for k, v in value.config.items())})"
    return optimizer_code(value, text, "model.parameters()")


_USES: dict[str, Callable[[Any], object]] = {
    "initializers": _initializer, "regularizers": _regularizer, "constraints": constraint, "losses": _loss,
    "metrics": _metric, "optimizers": _optimizer,
}  # fmt: skip
