"""Interpreting imports: every name becomes a :class:`Symbol` with its canonical dotted name."""

from __future__ import annotations

import libcst as cst

from transpiler.evaluate.core import Evaluator, is_known
from transpiler.evaluate.natives import only_reads
from transpiler.evaluate.values import Opaque, Symbol
from transpiler.rules.base import LAYERS, OBJECTS, REFUSED
from transpiler.rules.names import KERAS1_CLASSES, MERGE_FUNCTIONS, canonical


def dotted(node: cst.BaseExpression | None) -> str:
    """``a.b.c`` as text."""
    if isinstance(node, cst.Name):
        return node.value
    if isinstance(node, cst.Attribute):
        return f"{dotted(node.value)}.{node.attr.value}"
    return ""


def import_names(ev: Evaluator, node: cst.Import) -> None:
    """``import a.b as c``."""
    for alias in node.names:
        name = dotted(alias.name)
        if alias.asname is not None and isinstance(alias.asname.name, cst.Name):
            ev.scope.set(alias.asname.name.value, Symbol(canonical(name)))
        else:
            root = name.split(".")[0]
            ev.scope.set(root, Symbol(canonical(root)))


def import_from(ev: Evaluator, node: cst.ImportFrom) -> None:
    """``from a.b import c as d`` and ``from a import *``."""
    module = dotted(node.module)
    if isinstance(node.names, cst.ImportStar):
        for name, symbol in star_names(module).items():
            ev.scope.set(name, symbol)
        if node.relative or not only_reads(module):
            _overshadow(ev, module)
        return
    for alias in node.names:
        name = dotted(alias.name)
        target = name
        if alias.asname is not None and isinstance(alias.asname.name, cst.Name):
            target = alias.asname.name.value
        if node.relative:
            ev.scope.set(target, Opaque(f"`{name}` comes from another file"))
        else:
            ev.scope.set(target, Symbol(canonical(f"{module}.{name}")))


def _overshadow(ev: Evaluator, module: str) -> None:
    """A star import of something unknown may bind any name anew."""
    for name, value in list(ev.scope.names.items()):
        if is_known(value):
            ev.scope.names[name] = Opaque.named(name, name, f"`from {module} import *` may set `{name}`")


# What is neither layer nor object, and can be named all the same.
_OTHERS = ("keras.Input", "keras.Model", "keras.Sequential", "keras.layers.merge", "keras.layers.Merge")


def star_names(module: str) -> dict[str, Symbol]:
    """The names that ``from module import *`` binds, as far as the rules know them."""
    prefix = canonical(module)
    known = {*LAYERS, *OBJECTS, *REFUSED, *MERGE_FUNCTIONS, *KERAS1_CLASSES, *_OTHERS}
    names: dict[str, Symbol] = {}
    for symbol in known:
        owner, _, leaf = symbol.rpartition(".")
        if owner == prefix:
            names[leaf] = Symbol(symbol)
    if prefix in ("keras.layers", "keras.models"):
        names["Input"] = Symbol("keras.Input")
    if prefix == "keras.models":
        names |= {"Model": Symbol("keras.Model"), "Sequential": Symbol("keras.Sequential")}
    if prefix == "keras":
        for part in ("layers", "models", "optimizers", "losses", "backend", "utils", "datasets", "ops", "callbacks"):
            names[part] = Symbol(f"keras.{part}")
    return names
