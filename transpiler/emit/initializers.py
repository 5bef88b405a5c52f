"""Initial weights as Keras draws them: one function for the usual layers, explicit lines for the rest."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any

from transpiler.emit.attributes import Layout
from transpiler.graph.keras import ApiObject
from transpiler.graph.torch import Module
from transpiler.rules.initializers import FORGET_BIAS, FROZEN_ZEROS, initializer_code
from transpiler.template_env import environment

_GLOROT = (
    "nn.Linear", "nn.Conv1d", "nn.Conv2d", "nn.Conv3d", "nn.ConvTranspose1d", "nn.ConvTranspose2d",
    "nn.ConvTranspose3d",
)  # fmt: skip
_RECURRENT = ("nn.LSTM", "nn.GRU", "nn.RNN")
_EMBEDDING = ("nn.Embedding",)
_COMPOSED = ("nn.MultiheadAttention",)  # holds an nn.Linear of its own
LAZY = "lazy"  # a kind of its own: some modules have no weights yet when `init_weights` sees them
_PLACEHOLDER = "weight"
_LOOP_FROM = 3  # as many like lines become a loop


@dataclass
class InitPlan:
    """What `__init__` does about initial weights."""

    kinds: set[str] = field(default_factory=set)  # what `init_weights` must cover
    lines: list[str] = field(default_factory=list)
    helpers: list[str] = field(default_factory=list)


def _base_class(cls: str) -> str:
    """The torch class that decides: of a lazy module the one it turns into, of a masked RNN its base."""
    for prefix in ("Masked", "Stateful"):
        if cls.startswith(prefix):
            return f"nn.{cls.removeprefix(prefix)}"
    return cls.replace("nn.Lazy", "nn.", 1)


def _without_fans(module: Module, value: Any) -> Any:
    """Leave out fans that torch finds in the weight's shape as well."""
    if not isinstance(value, ApiObject) or value.config.get("fans") is None:
        return value
    mine, fans = torch_fans(module), tuple(value.config["fans"])
    averaged = "Glorot" in value.symbol or value.config.get("mode") == "fan_avg"
    if mine != fans and not (averaged and mine == fans[::-1]):
        return value
    return replace(value, config={key: item for key, item in value.config.items() if key != "fans"})


def torch_fans(module: Module) -> tuple[Any, Any] | None:
    """What torch takes for ``(fan_in, fan_out)`` of a weight of two or more axes, if that can be told."""
    cls = _base_class(module.cls)
    if cls == "nn.Linear" and len(module.args) == 2:
        return module.args[0], module.args[1]
    if cls not in _GLOROT or len(module.args) < 2 or "kernel_size" not in module.kwargs:
        return None
    size = module.kwargs["kernel_size"]
    dims = size if isinstance(size, tuple) else (size,) * int(cls[-2])
    field_size = reduce(operator.mul, dims)
    first, second = module.args[:2]
    if "Transpose" in cls:
        first, second = second, first
    return first // module.kwargs.get("groups", 1) * field_size, second * field_size


def _is_default(cls: str, key: str, value: Any) -> bool:
    """Whether an initialiser is the one that Keras gives such a weight by default."""
    if not isinstance(value, ApiObject):
        return False
    name, config = value.symbol.rpartition(".")[2], value.config
    if cls in _EMBEDDING:
        return name == "RandomUniform" and (config["minval"], config["maxval"]) == (-0.05, 0.05)
    if cls in _GLOROT:
        return name == "Zeros" if key == "bias" else _is_glorot(name, config)
    if cls in _RECURRENT:
        return _is_recurrent_default(cls, key, value)
    return False


def _is_glorot(name: str, config: Any) -> bool:
    special = any(config.get(option) is not None for option in ("fans", "input_axes", "output_axes"))
    return name == "GlorotUniform" and not special


def _is_recurrent_default(cls: str, key: str, value: ApiObject) -> bool:
    name = value.symbol.rpartition(".")[2]
    if key.startswith("weight_ih"):
        return _is_glorot(name, value.config)
    if key.startswith("weight_hh"):
        return name == "Orthogonal" and value.config["gain"] == 1.0
    if key.startswith("bias_hh"):
        return name == "Zeros" if cls == "nn.GRU" else value.symbol == FROZEN_ZEROS
    if cls == "nn.LSTM":
        inner = value.config.get("initializer")
        return value.symbol == FORGET_BIAS and isinstance(inner, ApiObject) and inner.symbol.endswith(".Zeros")
    return name == "Zeros"


def plan_init(modules: list[Module], layout: Layout) -> InitPlan:
    """Decide for every weight whether `init_weights` draws it or a line of `__init__`."""
    plan = InitPlan()
    explicit: dict[tuple[str, ...], list[tuple[Module, str]]] = {}
    for module in modules:
        if id(module) not in layout.paths:
            continue
        cls = _base_class(module.cls)
        for key, given in module.initializers.items():
            value = _without_fans(module, given)
            if _is_default(cls, key, value):
                plan.kinds.add(cls)
                if module.cls.startswith("nn.Lazy"):
                    plan.kinds.add(LAZY)
            elif not module.cls.startswith("nn.Lazy"):
                code = initializer_code(value, _PLACEHOLDER)
                plan.helpers += [name for name in code.helpers if name not in plan.helpers]
                explicit.setdefault(code.lines, []).append((module, key))
    for code_lines, owners in sorted(explicit.items(), key=lambda item: -len(item[1])):
        plan.lines += _explicit_lines(code_lines, owners, layout, modules)
    return plan


def _explicit_lines(
    code: tuple[str, ...], owners: list[tuple[Module, str]], layout: Layout, modules: list[Module]
) -> list[str]:
    """Print lines for each weight, or a loop over many."""
    targets = [_target(layout, module, key) for module, key in owners]
    if len(targets) < _LOOP_FROM:
        return [_retarget(line, target) for target in targets for line in code]
    exceptions = _exceptions(owners, modules)
    tested = whole_classes([*owners, *exceptions], modules)
    if tested and len(exceptions) <= len(owners) // 4:
        lines = ["for module in self.modules():", f"    if isinstance(module, {tested}):"]
        lines += [f"        {_retarget(line, f'module.{owners[0][1]}')}" for line in code]
        for module, key in exceptions:
            own = initializer_code(_without_fans(module, module.initializers[key]), _PLACEHOLDER)
            lines += [_retarget(line, _target(layout, module, key)) for line in own.lines]
        return lines
    return [f"for weight in ({', '.join(targets)}):", *(f"    {line}" for line in code)]


def _target(layout: Layout, module: Module, key: str) -> str:
    """A weight as an expression; some modules are the weight themselves."""
    return f"{layout.expression(module)}.{key}" if key else layout.expression(module)


def _exceptions(owners: list[tuple[Module, str]], modules: list[Module]) -> list[tuple[Module, str]]:
    """The weights of the same key and classes that start otherwise."""
    key, classes = owners[0][1], {module.cls for module, _ in owners}
    mine = {id(module) for module, _ in owners}
    others = [m for m in modules if m.cls in classes and id(m) not in mine and key in m.initializers]
    return [(module, key) for module in others if not module.cls.startswith("nn.Lazy")]


def whole_classes(owners: Sequence[tuple[Module, str]], modules: list[Module]) -> str:
    """The class test that finds just these weights among all modules, if there is one; else empty text."""
    composed = any(m.subgraph or not m.cls.startswith(("nn.", "BatchNorm")) or m.cls in _COMPOSED for m in modules)
    if composed or len({key for _, key in owners}) != 1:
        return ""
    classes = sorted({module.cls for module, _ in owners})
    found = {id(module) for module in modules if module.cls in classes}
    return tested_classes(classes) if found == {id(module) for module, _ in owners} else ""


def _retarget(line: str, target: str) -> str:
    """Put the target in the place of the placeholder, which stands first inside the brackets or first in the line."""
    head, bracket, rest = line.partition(f"({_PLACEHOLDER}")
    if bracket:
        return f"{head}({target}{rest}"
    return target + line.removeprefix(_PLACEHOLDER)


def render_init_weights(kinds: Iterable[str]) -> str:
    """The function `init_weights(module)` for module classes such as ``nn.Linear``; empty text for none."""
    wanted = set(kinds)
    if not wanted - {LAZY}:
        return ""
    recurrent = [cls for cls in _RECURRENT if cls in wanted]
    template = environment().get_template("init_weights.py.jinja")
    return template.render(
        glorot=tested_classes([cls for cls in _GLOROT if cls in wanted]),
        embedding=bool(wanted & set(_EMBEDDING)),
        recurrent=tested_classes(recurrent),
        forget="nn.LSTM" in wanted,
        frozen=tested_classes([cls for cls in recurrent if cls != "nn.GRU"]),
        all_frozen="nn.GRU" not in recurrent,
        only_lstm=recurrent == ["nn.LSTM"],
        lazy=LAZY in wanted,
    )


def tested_classes(classes: list[str]) -> str:
    """The second argument of ``isinstance``."""
    return classes[0] if len(classes) == 1 else f"({', '.join(classes)})" if classes else ""
