"""What becomes of a symbol: supported, partly (what not), refused (why); asked of the rules and of the tool itself."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

from tools.supported.layers import refused_arguments
from tools.supported.objects import object_refusals
from tools.supported.symbols import parameters
from transpiler import transpile
from transpiler.graph.program import Unknown
from transpiler.rules import opnames
from transpiler.rules.activations import FORMS, checked_activation
from transpiler.rules.base import COMMON_PARAMS, LAYERS, OBJECTS, OPS, REFUSED, Param
from transpiler.rules.callbacks import BASE, CALLBACKS
from transpiler.rules.data import FUNCTIONS, infer_function
from transpiler.rules.names import KERAS1_CLASSES, MERGE_FUNCTIONS, canonical
from transpiler.rules.opnames import op_call
from transpiler.rules.runtime import PICTURES, WITHOUT_EFFECT
from transpiler.rules.sources import SEQUENCES

_BASES = frozenset(["keras.layers.Layer", BASE, *SEQUENCES])
_EVALUATED = frozenset(["keras.Sequential", "keras.Model", "keras.Input"])
_OTHER = {"keras.ops.identity": "`tf.identity` is"}  # names of other generations whose rules are not of Keras' own op
_OP_LIKE = frozenset(["keras.ops.shape", "keras.ops.unstack"])  # the evaluator answers, or an op by another name does
_PARTLY = {
    "keras.models.load_model": "files that the program saves itself",
    "keras.models.clone_model": "a known model, without other arguments",
}
_LEFT_OUT = {
    "keras.random.SeedGenerator": REFUSED["keras.random.SeedGenerator"],
    "keras.utils.register_keras_serializable": "left out, as a decorator",
    **dict.fromkeys(PICTURES, "left out, with a note"),
    **dict.fromkeys(WITHOUT_EFFECT, "left out: it changes nothing of what is computed"),
}
_CONFIGURATION = REFUSED["keras.layers.serialize"]
_YET = "not translated yet"


@dataclass(frozen=True)
class Standing:
    """``supported``, ``partly`` or ``refused``, and what is to be said of it."""

    status: str
    remark: str = ""


def without(names: list[str], by_name: list[str] | None = None) -> Standing:
    """Supported, but for these arguments, and for some that must be given by their place."""
    remarks = [f"not {_listed(names)}"] if names else []
    remarks += [f"{_listed(by_name)} by position only"] if by_name else []
    return Standing("partly", "; ".join(remarks)) if remarks else Standing("supported")


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def standing(module: str, name: str, value: Any = None) -> Standing:
    """What becomes of ``keras.<module>.<name>``; ``value`` is what the installed Keras has there."""
    given = f"keras.{module}.{name}"
    symbol = canonical(given)
    return _outside_rules(given, symbol) or _by_rule(module, given, symbol, value)


def _outside_rules(given: str, symbol: str) -> Standing | None:
    """What the evaluator answers itself, and what is refused with a reason."""
    if symbol in _BASES:
        return Standing("partly", "as the base of a class of the program's own")
    if symbol in _PARTLY:
        return Standing("partly", _PARTLY[symbol])
    if symbol in _LEFT_OUT:
        return Standing("supported", _LEFT_OUT[symbol])
    if given in REFUSED:
        return Standing("refused", REFUSED[given])
    if given in _OTHER:
        return Standing("refused", f"{_YET}; {_OTHER[given]}")
    if given.rpartition(".")[2] in ("get", "serialize", "deserialize"):
        return Standing("refused", _CONFIGURATION)
    if symbol in KERAS1_CLASSES or symbol in MERGE_FUNCTIONS or symbol in _EVALUATED:
        return Standing("supported")
    return None


def _by_rule(module: str, given: str, symbol: str, value: Any) -> Standing:
    if module == "activations":
        return _activation(given.rpartition(".")[2])
    if symbol in LAYERS:
        return without(refused_arguments(symbol))
    if symbol in FUNCTIONS:
        return _function(symbol, value)
    if module in ("ops", "random") and (op := _op(given)):
        return _op_standing(op, value)
    if module in ("losses", "metrics") or symbol in OBJECTS:
        return _object(module, symbol, value)
    if symbol in CALLBACKS:
        return without(_unknown(CALLBACKS[symbol], value))
    return _asked(given, value)


def _activation(name: str) -> Standing:
    made = checked_activation(name)
    known = made is None or made in FORMS or made in ("softmax", "log_softmax", "glu")
    return Standing("supported") if known else Standing("refused", _YET)


def _op(symbol: str) -> str:
    """The op that a name of ``keras.ops`` or ``keras.random`` stands for, if any."""
    if symbol in _OP_LIKE:
        return symbol
    found = op_call(symbol, ("a,b->ab", 1, 2) if symbol.endswith(".einsum") else (), {})
    return found[0] if found is not None else ""


def _op_standing(op: str, value: Any) -> Standing:
    if op not in OPS:
        return Standing("supported")
    unknown = _unknown(OPS[op].params, value)
    theirs = parameters(value)
    placed = [
        n
        for n in unknown
        if theirs.index(n) < len(OPS[op].params) and OPS[op].params[theirs.index(n)].name not in theirs
    ]
    return without([n for n in unknown if n not in placed], placed)


def _unknown(known: tuple[Param, ...], value: Any) -> list[str]:
    """The arguments of Keras' function or class that the rule does not know, and so refuses."""
    names = {alias for param in known for alias in (param.name, *param.aliases)}
    return [name for name in parameters(value) if name not in names | {"name"}] if known else []


def _function(symbol: str, value: Any) -> Standing:
    missing = _unknown(FUNCTIONS[symbol], value)
    if not symbol.startswith("keras.layers."):
        return without(missing)
    told = infer_function(symbol, {})
    assert isinstance(told, Unknown)
    return Standing("partly", f"outside of models only: {told.why}")


def _object(module: str, symbol: str, value: Any) -> Standing:
    refusal, arguments = object_refusals(module, symbol)
    if refusal:
        return Standing("refused", _YET if refusal.endswith("not translated") else refusal)
    if symbol in OBJECTS and inspect.isclass(value):
        known = {p.name for p in OBJECTS[symbol]} | {a for p in OBJECTS[symbol] for a in p.aliases}
        arguments += [n for n in parameters(value) if n not in known and n not in COMMON_PARAMS]
    return without(sorted(set(arguments)))


def _asked(symbol: str, value: Any) -> Standing:
    """What the tool says to a program that calls the symbol."""
    required = [
        p for p in _signature(value)
        if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD) and p.name != "self"
    ]  # fmt: skip
    arguments = ", ".join("model" if p.name == "model" else "'x'" for p in required)
    messages = told(f"value = {symbol}({arguments})\n")
    refused = any(code == "KT101" for code, _ in messages)
    return Standing("refused", _YET) if refused else Standing("supported")


def _signature(value: Any) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(value).parameters.values())
    except (TypeError, ValueError):  # built-in functions tell none
        return []


_HEAD = """import keras
import numpy as np

x, y = np.zeros((8, 3)), np.zeros((8, 1))
model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
model.compile("sgd", "mse")
"""


def told(statement: str) -> list[tuple[str, str]]:
    """The errors that the tool has for a statement after a small compiled model: their codes and messages."""
    result = transpile(_HEAD + statement, filename="program.py")
    return [(d.code, d.message) for d in result.diagnostics if d.severity == "error"]


def method_standing(call: str) -> Standing:
    """What becomes of a call of a method of a model, written as ``fit(x, y)``."""
    name = call.partition("(")[0]
    errors = [message for _, message in told(f"value = model.{call}\n")]
    if not errors:
        return Standing("supported")
    if errors[0] == f"`{name}` is not translated":
        return Standing("refused", _YET)
    return Standing("partly", errors[0].replace(f"`{name}` is translated ", ""))


def spelling_standing(prefix: str, name: str) -> tuple[str, Standing]:
    """The op that a spelling of TensorFlow or of Keras' backend stands for, and which of its arguments are refused."""
    spelling = opnames._spelling(prefix + name)
    assert spelling is not None
    dropped = [p.spelled for p in spelling.parameters if p.name == "-"]
    return spelling.op, without([p for p in dropped if p not in opnames.IGNORED])
