"""Optimizers: the PyTorch optimizer whose updates equal Keras', step by step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from transpiler.diagnostics import Refusal
from transpiler.emit.arguments import argument, call_texts, code_of, plain_number
from transpiler.graph.keras import ApiObject
from transpiler.graph.symbolic import Expr
from transpiler.rules.base import OBJECTS
from transpiler.rules.training import OPTIMIZERS, SCHEDULES

_NAMES = {name.lower(): name for name in OPTIMIZERS}


@dataclass(frozen=True)
class OptimizerCode:
    """The constructor expression, and statements after it with ``{optimizer}`` for its name."""

    text: str
    after: tuple[str, ...] = ()
    helpers: tuple[str, ...] = ()


def optimizer_code(value: Any, text: str, parameters: str, *, rate_changes: bool = False) -> OptimizerCode:
    """The optimizer that ``compile`` was given, over ``parameters``; ``rate_changes`` where callbacks set the rate."""
    obj = _object(value)
    name = _NAMES[obj.symbol.rpartition(".")[2].lower()]
    texts = call_texts(obj.symbol, text)
    _refuse_options(name, obj.config)
    rate = obj.config["learning_rate"]
    scheduled = rate_changes or has_schedule(obj)
    arguments = _Arguments(obj.config, texts)
    build = _BUILDERS.get(name)
    if build is None:
        raise Refusal("KT301", f"the optimizer `{name}` is not translated")
    cls, options, helpers = build(arguments, scheduled)
    shown = [parameters, f"lr={_initial_rate(rate, arguments)}", *(f"{key}={code}" for key, code in options.items())]
    after, more = _clipping(obj.config, arguments)
    after += _schedule(rate, obj.config, arguments)
    return OptimizerCode(f"{cls}({', '.join(shown)})", tuple(after), (*helpers, *more))


def has_schedule(value: Any) -> bool:
    """Whether the learning rate changes from step to step by itself."""
    if not isinstance(value, ApiObject):
        return False
    return isinstance(value.config["learning_rate"], ApiObject) or bool(plain_number(value.config["decay"]))


def _object(value: Any) -> ApiObject:
    if isinstance(value, str) and value.lower() in _NAMES:
        symbol = f"keras.optimizers.{_NAMES[value.lower()]}"
        return ApiObject(symbol, {p.name: p.default for p in OBJECTS[symbol]})
    if isinstance(value, ApiObject) and value.symbol.rpartition(".")[2].lower() in _NAMES:
        return value
    if isinstance(value, str):
        raise Refusal("KT301", f"the optimizer {value!r} is not known")
    raise Refusal("KT301", "the optimizer is known only when the program runs")


def _refuse_options(name: str, config: Mapping[str, Any]) -> None:
    if config.get("use_ema"):
        raise Refusal("KT301", "`use_ema` of an optimizer is not translated")
    for option in ("loss_scale_factor", "gradient_accumulation_steps"):
        if config.get(option) is not None:
            raise Refusal("KT301", f"`{option}` of an optimizer is not translated")
    if config.get("weight_decay") and name not in ("Adam", "AdamW"):
        raise Refusal("KT301", f"`weight_decay` of `{name}` is not translated")


class _Arguments:
    """Arguments of the Keras optimizer as text, and whether they differ from a default."""

    def __init__(self, config: Mapping[str, Any], texts: Mapping[str, str]) -> None:
        self.config = config
        self.texts = texts

    def text(self, name: str) -> str:
        if name == "epsilon" and self.config[name] is None:
            return "1e-07"
        return argument(self.config, self.texts, name)

    def options(self, **defaults: tuple[str, Any]) -> dict[str, str]:
        """``lr=("learning_rate", 0.001)``: the torch options whose Keras value is not torch's default."""
        found = {}
        for option, (name, default) in defaults.items():
            value = plain_number(self.config[name])
            if value is None and name == "epsilon":
                value = 1e-7
            if isinstance(self.config[name], Expr) or value != default:
                found[option] = self.text(name)
        return found

    def betas(self) -> dict[str, str]:
        both = (self.config["beta_1"], self.config["beta_2"])
        if both == (0.9, 0.999) and not any(isinstance(b, Expr) for b in both):
            return {}
        return {"betas": f"({self.text('beta_1')}, {self.text('beta_2')})"}


_Built = tuple[str, dict[str, str], tuple[str, ...]]


def _sgd(a: _Arguments, scheduled: bool) -> _Built:
    options = a.options(momentum=("momentum", 0.0), nesterov=("nesterov", False))
    if "momentum" not in options:
        return "torch.optim.SGD", {}, ()
    return ("<KerasSGD>", options, ("KerasSGD",)) if scheduled else ("torch.optim.SGD", options, ())


def _adam(a: _Arguments, scheduled: bool) -> _Built:
    decay = a.config.get("weight_decay")
    options = a.betas() | a.options(eps=("epsilon", 1e-7), amsgrad=("amsgrad", False))
    if not decay:
        return "<KerasAdam>", options, ("KerasAdam",)
    return "<KerasAdamW>", options | {"weight_decay": a.text("weight_decay")}, ("KerasAdamW",)


def _rmsprop(a: _Arguments, scheduled: bool) -> _Built:
    options = a.options(
        alpha=("rho", 0.9), momentum=("momentum", 0.0), eps=("epsilon", 1e-7), centered=("centered", False)
    )
    return "<KerasRMSprop>", options, ("KerasRMSprop",)


def _adagrad(a: _Arguments, scheduled: bool) -> _Built:
    if not (plain_number(a.config["initial_accumulator_value"]) or 0) >= 1e-3:
        raise Refusal("KT301", "`Adagrad` is translated for an initial accumulator of at least 0.001")
    options = {"initial_accumulator_value": a.text("initial_accumulator_value"), "eps": a.text("epsilon")}
    return "torch.optim.Adagrad", options, ()


def _adadelta(a: _Arguments, scheduled: bool) -> _Built:
    return "torch.optim.Adadelta", a.options(rho=("rho", 0.9), eps=("epsilon", 1e-6)), ()


def _adamax(a: _Arguments, scheduled: bool) -> _Built:
    return "torch.optim.Adamax", a.betas() | {"eps": a.text("epsilon")}, ()


def _nadam(a: _Arguments, scheduled: bool) -> _Built:
    return "torch.optim.NAdam", a.betas() | {"eps": a.text("epsilon"), "momentum_decay": "1.0"}, ()


_BUILDERS = {
    "SGD": _sgd, "Adam": _adam, "AdamW": _adam, "RMSprop": _rmsprop, "Adagrad": _adagrad, "Adadelta": _adadelta,
    "Adamax": _adamax, "Nadam": _nadam,
}  # fmt: skip


def _initial_rate(rate: Any, arguments: _Arguments) -> str:
    if not isinstance(rate, ApiObject):
        text = arguments.text("learning_rate")
        if not text:
            raise Refusal("KT301", "the learning rate is not a number")
        return text
    name = rate.symbol.rpartition(".")[2]
    if name == "PiecewiseConstantDecay":
        return code_of(rate.config["values"][0])
    if name in SCHEDULES and "initial_learning_rate" in rate.config:
        return code_of(rate.config["initial_learning_rate"])
    raise Refusal("KT301", f"the schedule `{name}` is not translated")


def _clipping(config: Mapping[str, Any], arguments: _Arguments) -> tuple[list[str], tuple[str, ...]]:
    helpers = {"clipnorm": "clip_by_norm", "global_clipnorm": "clip_by_global_norm", "clipvalue": "clip_by_value"}
    for option, helper in helpers.items():
        if config.get(option) is not None:
            limit = arguments.text(option)
            hook = f"lambda optimizer, args, kwargs: <{helper}>(optimizer, {limit})"
            return [f"{{optimizer}}.register_step_pre_hook({hook})"], (helper,)
    return [], ()


def _schedule(rate: Any, config: Mapping[str, Any], arguments: _Arguments) -> list[str]:
    """A ``LambdaLR`` that moves after every step."""
    if isinstance(rate, ApiObject):
        factor = _factor(rate)
    elif plain_number(config["decay"]):
        factor = f"1.0 / (1.0 + {arguments.text('decay')} * step)"
    else:
        return []
    return [
        f"{{scheduler}} = torch.optim.lr_scheduler.LambdaLR({{optimizer}}, lambda step: {factor})",
        "{optimizer}.register_step_post_hook(lambda optimizer, args, kwargs: {scheduler}.step())",
    ]


def _factor(schedule: ApiObject) -> str:
    """The rate at ``step`` as a multiple of the initial one."""
    name, config = schedule.symbol.rpartition(".")[2], schedule.config
    if name in ("ExponentialDecay", "InverseTimeDecay"):
        operator = "//" if config.get("staircase") else "/"
        progress = f"step {operator} {code_of(config['decay_steps'])}"
        rate = code_of(config["decay_rate"])
        return f"{rate} ** ({progress})" if name == "ExponentialDecay" else f"1.0 / (1.0 + {rate} * ({progress}))"
    if name == "CosineDecay" and config.get("warmup_target") is None and not config.get("warmup_steps"):
        steps, alpha = code_of(config["decay_steps"]), code_of(config["alpha"])
        wave = f"0.5 * (1.0 + math.cos(math.pi * min(step, {steps}) / {steps}))"
        return wave if config["alpha"] == 0.0 else f"{alpha} + (1.0 - {alpha}) * {wave}"
    if name == "PolynomialDecay" and not config.get("cycle"):
        steps, power = code_of(config["decay_steps"]), code_of(config["power"])
        end = f"{code_of(config['end_learning_rate'])} / {code_of(config['initial_learning_rate'])}"
        return f"{end} + (1.0 - {end}) * (1.0 - min(step, {steps}) / {steps}) ** {power}"
    raise Refusal("KT301", f"the schedule `{name}` is not translated")
