"""Initialisers: their signatures, and the line of ``torch.nn.init`` that draws from the same distribution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from transpiler.diagnostics import Refusal
from transpiler.graph.keras import ApiObject, FunctionRef
from transpiler.graph.symbolic import Expr, Scalar
from transpiler.rules.base import OBJECTS, object_rule
from transpiler.rules.layout import literal

_PREFIX = "keras.initializers."
_FANS = "seed=None, input_axes=None, output_axes=None"
_SIGNATURES = {
    "Zeros": "",
    "Ones": "",
    "Constant": "value=0.0",
    "Identity": "gain=1.0",
    "RandomNormal": "mean=0.0, stddev=0.05, seed=None",
    "TruncatedNormal": "mean=0.0, stddev=0.05, seed=None",
    "RandomUniform": "minval=-0.05, maxval=0.05, seed=None",
    "VarianceScaling": f"scale=1.0, mode='fan_in', distribution='truncated_normal', {_FANS}",
    "Orthogonal": "gain=1.0, seed=None",
    "GlorotUniform": _FANS,
    "GlorotNormal": _FANS,
    "HeUniform": _FANS,
    "HeNormal": _FANS,
    "LecunUniform": _FANS,
    "LecunNormal": _FANS,
}
_SPELLINGS = {
    "Zeros": "zeros zero", "Ones": "ones one", "Constant": "constant",
    "Identity": "identity IdentityInitializer", "RandomNormal": "random_normal normal",
    "TruncatedNormal": "truncated_normal", "RandomUniform": "random_uniform uniform",
    "VarianceScaling": "variance_scaling", "Orthogonal": "orthogonal OrthogonalInitializer",
    "GlorotUniform": "glorot_uniform", "GlorotNormal": "glorot_normal", "HeUniform": "he_uniform",
    "HeNormal": "he_normal", "LecunUniform": "lecun_uniform", "LecunNormal": "lecun_normal",
}  # fmt: skip
_CLASS_OF = {name: cls for cls, names in _SPELLINGS.items() for name in (cls, *names.split())}
_ALIASES: dict[str, dict[str, str]] = {"Orthogonal": {}, "VarianceScaling": {}}

for _name, _cls in _CLASS_OF.items():
    object_rule(_PREFIX + _name, _SIGNATURES[_cls], **_ALIASES.get(_cls, {}))

# The named schemes as VarianceScaling: scale, mode, distribution.
_SCALING = {
    "GlorotUniform": (1.0, "fan_avg", "uniform"),
    "GlorotNormal": (1.0, "fan_avg", "truncated_normal"),
    "HeUniform": (2.0, "fan_in", "uniform"),
    "HeNormal": (2.0, "fan_in", "truncated_normal"),
    "LecunUniform": (1.0, "fan_in", "uniform"),
    "LecunNormal": (1.0, "fan_in", "truncated_normal"),
}

# Two initialisers of our own, for weights that Keras does not have as such.
FORGET_BIAS = _PREFIX + "_ForgetBias"  # config: units, gates, initializer
FROZEN = _PREFIX + "_Frozen"  # a weight that torch has and Keras has not: as torch makes it, and never trained
FROZEN_ZEROS = _PREFIX + "_FrozenZeros"  # a bias that torch has and Keras has not: zero and never trained


@dataclass(frozen=True)
class InitCode:
    """The lines that initialise one parameter, and the helpers that they call."""

    lines: tuple[str, ...]
    helpers: tuple[str, ...] = ()


def initializer(value: Any, fans: tuple[Scalar, Scalar] | None = None) -> ApiObject | FunctionRef | None:
    """An initialiser argument (a name, an object, a config dict) as an object with Keras 3's class name.

    ``fans`` is given where the torch weight's own shape does not tell Keras' ``(fan_in, fan_out)``.
    """
    if value is None or isinstance(value, FunctionRef):
        return value
    if isinstance(value, Mapping) and "class_name" in value:
        value = ApiObject(_PREFIX + str(value["class_name"]), dict(value.get("config", {})))
    if isinstance(value, str):
        value = ApiObject(_PREFIX + value)
    if not isinstance(value, ApiObject):
        raise Refusal("KT102", f"`{value!r}` is not an initialiser that is known here")
    if value.symbol in (FORGET_BIAS, FROZEN, FROZEN_ZEROS):
        return value
    cls = _CLASS_OF.get(value.symbol.rpartition(".")[2])
    if cls is None:
        raise Refusal("KT102", f"the initialiser `{value.symbol}` is not supported")
    symbol = _PREFIX + cls
    config = {p.name: p.default for p in OBJECTS[symbol]} | dict(value.config)
    if fans is not None:
        config["fans"] = fans
    return ApiObject(symbol, config)


def frozen() -> ApiObject:
    """The initialiser of a weight that Keras does not have and that is right as torch makes it."""
    return ApiObject(FROZEN, {})


def frozen_zeros() -> ApiObject:
    """The initialiser of a bias that Keras does not have."""
    return ApiObject(FROZEN_ZEROS, {})


def forget_bias(units: Scalar, value: Any) -> ApiObject:
    """An LSTM bias (i, f, g, o) with ones for the forget gate; ``value`` initialises the rest."""
    return ApiObject(FORGET_BIAS, {"units": units, "initializer": initializer(value)})


def initializer_code(obj: ApiObject | FunctionRef, target: str) -> InitCode:
    """The lines that fill the parameter named by the expression ``target`` as ``obj`` would in Keras."""
    if isinstance(obj, FunctionRef):
        raise Refusal("KT102", f"the initialiser `{obj.name}` is a function of the program's own")
    if obj.symbol == FROZEN:
        return InitCode((f"{target}.requires_grad_(False)",))
    if obj.symbol == FROZEN_ZEROS:
        return InitCode((f"nn.init.zeros_({target}).requires_grad_(False)",))
    if obj.symbol == FORGET_BIAS:
        units, end = literal(obj.config["units"]), literal(2 * obj.config["units"])
        inner = initializer_code(obj.config["initializer"], target)
        return InitCode((*inner.lines, f"nn.init.ones_({target}[{units} : {end}])"), inner.helpers)
    named = initializer(obj)
    assert isinstance(named, ApiObject)
    cls = named.symbol.removeprefix(_PREFIX)
    if cls in _SCALING:
        return _scaled(target, *_SCALING[cls], named.config)
    if cls == "VarianceScaling":
        config = named.config
        return _scaled(target, float(config["scale"]), config["mode"], config["distribution"], config)
    return _plain(cls, target, named.config)


def _plain(cls: str, target: str, config: Mapping[str, Any]) -> InitCode:
    if cls == "Zeros":
        return InitCode((f"nn.init.zeros_({target})",))
    if cls == "Ones":
        return InitCode((f"nn.init.ones_({target})",))
    if cls == "Constant":
        return InitCode((f"nn.init.constant_({target}, {literal(config['value'])})",))
    if cls == "RandomUniform":
        low, high = literal(config["minval"]), literal(config["maxval"])
        return InitCode((f"nn.init.uniform_({target}, {low}, {high})",))
    if cls == "Orthogonal":
        gain = "" if config["gain"] == 1.0 else f", gain={literal(config['gain'])}"
        return InitCode((f"nn.init.orthogonal_({target}{gain})",))
    if cls == "Identity":
        lines = [f"nn.init.eye_({target})"]
        if config["gain"] != 1.0:
            lines.append(f"{target}.data.mul_({literal(config['gain'])})")
        return InitCode(tuple(lines))
    mean, std = config["mean"], config["stddev"]
    shift = "" if mean == 0 else f"mean={literal(mean)}, "
    if cls == "RandomNormal":
        return InitCode((f"nn.init.normal_({target}, {shift}std={literal(std)})",))
    low, high = literal(mean - 2 * std), literal(mean + 2 * std)
    return InitCode((f"nn.init.trunc_normal_({target}, {shift}std={literal(std)}, a={low}, b={high})",))


def _scaled(target: str, scale: float, mode: str, distribution: str, config: Mapping[str, Any]) -> InitCode:
    """A variance-scaling scheme: torch's own function where it is the same, else the helper."""
    if config.get("input_axes") is not None or config.get("output_axes") is not None:
        raise Refusal("KT102", "`input_axes` and `output_axes` of an initialiser are not supported")
    distribution = {"normal": "truncated_normal"}.get(distribution, distribution)
    fans = config.get("fans")
    if fans is None and distribution == "uniform" and (scale, mode) == (1.0, "fan_avg"):
        return InitCode((f"nn.init.xavier_uniform_({target})",))
    if fans is None and distribution == "uniform" and scale == 2.0 and mode in ("fan_in", "fan_out"):
        extra = "" if mode == "fan_in" else 'mode="fan_out", '
        return InitCode((f'nn.init.kaiming_uniform_({target}, {extra}nonlinearity="relu")',))
    parts = [target]
    if scale != 1.0:
        parts.append(f"scale={literal(scale)}")
    if mode != "fan_in":
        parts.append(f'mode="{_checked(mode, ("fan_out", "fan_avg"))}"')
    if distribution != "truncated_normal":
        parts.append(f'distribution="{_checked(distribution, ("uniform", "untruncated_normal"))}"')
    if fans is not None:
        parts.append(f"fans=({_fan(fans[0])}, {_fan(fans[1])})")
    return InitCode((f"variance_scaling_({', '.join(parts)})",), ("variance_scaling",))


def _checked(word: str, allowed: tuple[str, ...]) -> str:
    if word not in allowed:
        raise Refusal("KT103", f"`{word}` is not a mode or distribution of VarianceScaling")
    return word


def _fan(value: Any) -> str:
    """A fan as text in ``__init__``, where the parameters of the class are known by their names."""
    return value.code() if isinstance(value, Expr) and any(True for _ in value.leaves()) else literal(value)
