"""The public names of the installed Keras, and the names that only older generations had."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import keras  # type: ignore[import-untyped]

from transpiler.rules import names
from transpiler.rules.base import LAYERS

MODULES = (
    "layers", "ops", "random", "activations", "initializers", "regularizers", "constraints", "losses", "metrics",
    "optimizers", "callbacks", "models", "applications", "datasets", "utils",
)  # fmt: skip
_BY_PART = ("applications", "datasets")  # the same function stands in several modules of these


def public(module: str) -> dict[str, Any]:
    """The public names of a module of Keras and of the modules in it, each once."""
    found = _walk(getattr(keras, module), "")
    if module == "utils":
        names_of = dict(found)
    elif module not in _BY_PART:
        names_of = {name.rpartition(".")[2]: value for name, value in found}
    else:
        names_of = {n: v for n, v in found if "." not in n or inspect.isfunction(v) and n.islower()}
    return {name: names_of[name] for name in sorted(names_of)}


def _walk(module: ModuleType, prefix: str) -> Iterator[tuple[str, Any]]:
    for name in dir(module):
        value = getattr(module, name)
        if name.startswith("_"):
            continue
        if not inspect.ismodule(value):
            yield prefix + name, value
        elif value.__name__.startswith(module.__name__):
            yield from _walk(value, f"{prefix}{name}.")


def old_layers() -> list[str]:
    """The layers that rules know and the installed Keras does not: names of Keras 1 and 2."""
    known = [*LAYERS, *names.KERAS1_CLASSES, *names.MERGE_FUNCTIONS, *names._RENAMED]
    known += ["keras.layers.merge", "keras.layers.Merge"]
    current = public("layers")
    leaves = {n.rpartition(".")[2] for n in known if n.startswith("keras.layers.") and n.count(".") == 2}
    return sorted(name for name in leaves - set(current) if not name.startswith("_"))


def parameters(value: Any) -> list[str]:
    """The names of the parameters of a class or function of Keras, but for the variable ones."""
    try:
        found = inspect.signature(value.__init__ if inspect.isclass(value) else value).parameters.values()
    except (TypeError, ValueError):  # built-in functions tell none
        return []
    return [p.name for p in found if p.name != "self" and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
