"""Each symbol of Keras' public API has a rule or a stated reason, each parameter of a layer is honoured or refused."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from functools import cache
from types import ModuleType
from typing import Any

import keras
import pytest

from transpiler.rules.activations import FORMS
from transpiler.rules.base import COMMON_PARAMS, LAYERS, OBJECTS, OPS, REFUSED
from transpiler.rules.data import FUNCTIONS
from transpiler.rules.names import KERAS1_CLASSES, MERGE_FUNCTIONS, canonical
from transpiler.rules.opnames import op_call

MODULES = ("layers", "ops", "random", "activations", "initializers", "regularizers", "constraints")
SPECIAL = {"keras.Input", "keras.Model", "keras.Sequential"}  # known to the evaluator itself
# Parameters that change nothing of what a trained or fresh model computes, and why.
NO_EFFECT = {
    "seed": "the output draws from torch's generator, with the same distribution",
    "unroll": "how Keras runs the loop",
    "implementation": "how Keras orders its products",
    "use_cudnn": "which kernel Keras picks",
    "flash_attention": "which kernel Keras picks",
    "fused": "which kernel Keras picks",
    "synchronized": "statistics across devices, of which there is one here",
    "epsilon": "of `Discretization`: how bins are learned, which is refused",
    "num_bins": "of `Discretization`: how bins are learned, which is refused",
    "vocabulary_dtype": "whole numbers are 64 bits wide in torch",
    "renorm_clipping": "goes with `renorm`, which is refused",
    "renorm_momentum": "goes with `renorm`, which is refused",
    "lora_alpha": "goes with `lora_rank`, which is refused",
    "input_length": "taken by the evaluator for the input's shape",
    "shape": "of `InputLayer`: taken by the evaluator for the input's shape",
    "weights": "refused by the evaluator",
    "function": "of `Lambda`: traced by the evaluator",
    "arguments": "of `Lambda`: given to its function by the evaluator",
    "output_shape": "of `Lambda`: only says what tracing finds out",
}  # fmt: skip


def public_names(module: ModuleType) -> Iterator[str]:
    """The public names of a module and of the modules in it, by their last part."""
    for name in dir(module):
        value = getattr(module, name)
        if name.startswith("_"):
            continue
        if not inspect.ismodule(value):
            yield name
        elif value.__name__.startswith(module.__name__):
            yield from public_names(value)


SYMBOLS = [(m, n) for m in MODULES for n in sorted(set(public_names(getattr(keras, m))))]


def is_known(module: str, name: str) -> bool:
    symbol = canonical(f"keras.{module}.{name}")
    if symbol in LAYERS or symbol in OBJECTS or symbol in SPECIAL | set(KERAS1_CLASSES) | set(MERGE_FUNCTIONS):
        return True
    if module == "activations":
        return _is_activation(name)
    if symbol in FUNCTIONS:
        return True
    return module in ("ops", "random") and _is_op(f"keras.{module}.{name}")


def _is_op(symbol: str) -> bool:
    found = op_call(symbol, ("a,b->ab", 1, 2) if symbol.endswith(".einsum") else (), {})
    return found is not None and found[0] in OPS or symbol in ("keras.ops.shape", "keras.ops.unstack")


def _is_activation(name: str) -> bool:
    from transpiler.rules.activations import checked_activation

    made = checked_activation(name)
    return made is None or made in FORMS or made in ("softmax", "log_softmax", "glu")


@pytest.mark.parametrize(("module", "name"), SYMBOLS, ids=[f"{m}.{n}" for m, n in SYMBOLS])
def test_symbol_has_a_rule_or_a_reason(module: str, name: str) -> None:
    reason = REFUSED.get(f"keras.{module}.{name}")
    if reason is None:
        assert is_known(module, name), (
            f"keras.{module}.{name}: write a rule, or a reason in transpiler/rules/refused.py"
        )
    else:
        assert len(reason) > 10
        assert module == "activations" or not is_known(module, name), "it has a rule and a reason against it"


LAYER_NAMES = [n for m, n in SYMBOLS if m == "layers" and canonical(f"keras.layers.{n}") in LAYERS]


@pytest.mark.parametrize("name", LAYER_NAMES)
def test_parameters_are_those_of_keras(name: str) -> None:
    rule = LAYERS[canonical(f"keras.layers.{name}")]
    known = {alias for p in rule.params for alias in (p.name, *p.aliases)} | set(COMMON_PARAMS)
    wanted = set(inspect.signature(getattr(keras.layers, name).__init__).parameters) - {"self", "args", "kwargs"}
    assert not wanted - known, "name the parameter in the rule, and honour or refuse it"


@pytest.mark.parametrize("name", LAYER_NAMES)
def test_positional_order_is_that_of_keras(name: str) -> None:
    rule = LAYERS[canonical(f"keras.layers.{name}")]
    ours = [p.name for p in rule.params]
    theirs = [
        p.name for p in inspect.signature(getattr(keras.layers, name).__init__).parameters.values()
        if p.kind is p.POSITIONAL_OR_KEYWORD and p.name in ours
    ]  # fmt: skip
    assert [n for n in ours if n in theirs] == theirs


@cache
def _words(module: str) -> frozenset[str]:
    """The strings that a module of rules speaks of, but for signatures."""
    import importlib

    tree = ast.parse(inspect.getsource(importlib.import_module(module)))
    texts = {n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    names = {text for text in texts if re.fullmatch(r"\w+", text)}
    suffixes = {text for text in texts if re.fullmatch(r"_(initializer|regularizer|constraint)", text)}
    return frozenset(names | suffixes)


def _modules(rule: Any) -> Iterator[str]:
    """The module of the rule's class, of its bases, and the modules of rules that these import."""
    seen: set[str] = set()
    pending = [cls.__module__ for cls in type(rule).__mro__ if cls.__module__.startswith("transpiler.rules.")]
    while pending:
        module = pending.pop()
        if module in seen or module == "transpiler.rules.base":
            continue
        seen.add(module)
        yield module
        import importlib

        found = vars(importlib.import_module(module)).values()
        pending += [
            m for m in (getattr(v, "__module__", None) for v in found) if str(m).startswith("transpiler.rules.")
        ]


@pytest.mark.parametrize("symbol", sorted(LAYERS))
def test_no_parameter_is_dropped(symbol: str) -> None:
    words = {word for module in _modules(LAYERS[symbol]) for word in _words(module)}
    dropped = []
    for parameter in (p.name for p in LAYERS[symbol].params):
        suffix = re.search(r"_(initializer|regularizer|constraint)$", parameter)
        if parameter not in words and parameter not in NO_EFFECT and not (suffix and suffix[0] in words):
            dropped.append(parameter)
    assert not dropped, "honour it, refuse it, or say in NO_EFFECT why it changes nothing"


def test_reasons_reach_the_user() -> None:
    from transpiler import transpile

    source = "from keras import layers\nimport keras\nx = keras.Input((3,))\ny = layers.Hashing(3)(x)\n"
    messages = [d.message for d in transpile(source, filename="p.py").diagnostics]
    assert any("keras.layers.Hashing" in m and REFUSED["keras.layers.Hashing"] in m for m in messages)
