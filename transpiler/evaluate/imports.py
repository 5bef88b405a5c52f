"""Interpreting imports: names of the project's own modules get their values, all others become a :class:`Symbol`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import libcst as cst

from transpiler.diagnostics import Refusal
from transpiler.evaluate.core import Evaluator, is_failed, is_known
from transpiler.evaluate.natives import only_reads
from transpiler.evaluate.values import Created, Opaque, ProjectModule, RaiseSignal, Symbol
from transpiler.graph.symbolic import Expr, Leaf
from transpiler.rules.base import LAYERS, OBJECTS, REFUSED
from transpiler.rules.names import KERAS1_CLASSES, MERGE_FUNCTIONS, canonical, is_keras
from transpiler.source.project import Missing


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
        bound = alias.evaluated_alias or name.split(".")[0]
        modules = _absolute(ev, name, node)
        if modules is None:
            ev.scope.set(bound, Symbol(canonical(name if alias.evaluated_alias else bound)))
        else:
            ev.scope.set(bound, modules[-1] if alias.evaluated_alias else modules[0])


def import_from(ev: Evaluator, node: cst.ImportFrom) -> None:
    """``from a.b import c as d`` and ``from a import *``."""
    name = dotted(node.module)
    found = _relative(ev, node, name) if node.relative else _absolute(ev, name, node)
    if found is not None and found[-1].source is None and not _has_submodules(ev, found[-1], node):
        found = None  # a folder that happens to be called so
    if isinstance(node.names, cst.ImportStar):
        _star(ev, name, found, bool(node.relative))
        return
    for alias in node.names:
        member_name = dotted(alias.name)
        target = alias.evaluated_alias or member_name
        if found is not None:
            ev.scope.set(target, _imported(ev, found[-1], member_name, target, node))
        elif node.relative:
            ev.scope.set(target, Opaque(f"`{member_name}` comes from another file"))
        else:
            ev.scope.set(target, Symbol(canonical(f"{name}.{member_name}")))


def _star(ev: Evaluator, name: str, found: list[ProjectModule] | None, relative: bool) -> None:
    if found is None:
        for bound, symbol in star_names(name).items():
            ev.scope.set(bound, symbol)
        if relative or not only_reads(name):
            _overshadow(ev, name)
        if (module := ev.scope.module.info) is not None:
            module.open = True
        return
    ev.modules.catch_up(ev, found[-1])
    for bound in public_names(found[-1]):
        ev.modules.rename(found[-1].scope, bound, ev.scope, bound)
        ev.scope.set(bound, _named(ev, found[-1].scope.names[bound], bound))


def _overshadow(ev: Evaluator, module: str) -> None:
    """A star import of something unknown may bind any name anew."""
    for name, value in list(ev.scope.names.items()):
        if is_known(value):
            ev.scope.names[name] = Opaque.named(name, name, f"`from {module} import *` may set `{name}`")


def public_names(module: ProjectModule) -> list[str]:
    """What ``from module import *`` brings: ``__all__``, or all that has no underscore in front."""
    names = module.scope.names
    listed = names.get("__all__")
    if isinstance(listed, (list, tuple)) and all(isinstance(each, str) for each in listed):
        return [each for each in listed if each in names]
    return [each for each in names if not each.startswith("_")]


def _absolute(ev: Evaluator, name: str, node: cst.CSTNode) -> list[ProjectModule] | None:
    """The modules along a dotted name, where it is the project's."""
    path = _here(ev)
    if path is None or ev.modules.project is None or is_keras(canonical(name)):
        return None
    try:
        parts = ev.modules.project.absolute(path, name)
    except Missing as error:
        raise _lacking(ev, str(error)) from None
    if parts is None or len(parts) == 1 and parts[0].path is None and isinstance(node, cst.Import):
        return None
    return ev.modules.load(ev, parts, node)


def _relative(ev: Evaluator, node: cst.ImportFrom, name: str) -> list[ProjectModule] | None:
    path = _here(ev)
    if path is None or ev.modules.project is None:
        return None
    try:
        parts = ev.modules.project.relative(path, len(node.relative), name)
    except Missing as error:
        raise _lacking(ev, str(error)) from None
    return ev.modules.load(ev, parts, node) if parts is not None else None


def _here(ev: Evaluator) -> Path | None:
    """The file of the code that is being interpreted."""
    module = ev.scope.module.info
    return module.path if module is not None else None


def _has_submodules(ev: Evaluator, module: ProjectModule, node: cst.ImportFrom) -> bool:
    """Whether a folder without ``__init__.py`` has what is imported from it."""
    assert ev.modules.project is not None
    if isinstance(node.names, cst.ImportStar):
        return False
    found = [ev.modules.project.submodule(module.part, dotted(alias.name)) for alias in node.names]
    return all(part is not None and (part.path is not None or node.relative) for part in found)


def _imported(ev: Evaluator, module: ProjectModule, name: str, target: str, node: cst.CSTNode) -> Any:
    """The value of ``name`` in a module: one of its names, or a submodule."""
    if name not in module.scope.names and module.deferred is not None and _no_module(ev, module, name):
        ev.modules.catch_up(ev, module)
    if name in module.scope.names:
        ev.modules.rename(module.scope, name, ev.scope, target)
        return _named(ev, module.scope.names[name], target)
    assert ev.modules.project is not None
    below = ev.modules.project.submodule(module.part, name)
    if below is not None:
        return ev.modules.below(ev, module, below, node)
    where = module.source.shown if module.source is not None else module.name
    if module.open:
        return Opaque(f"`{name}` comes from {where}, where it is not found without running it", foreign=True)
    if module.running:
        message = f"{where} has no `{name}` yet: the modules import each other in a circle"
        raise _lacking(ev, message, "import it where it is used, or move what both need to a third module")
    raise _lacking(ev, f"{where} has no `{name}`")


def _lacking(ev: Evaluator, message: str, hint: str | None = None) -> Exception:
    """Something that is imported is not there: a refusal, unless the program is ready for it."""
    return RaiseSignal() if ev.modules.guards else Refusal("KT206", message, hint)


def _no_module(ev: Evaluator, module: ProjectModule, name: str) -> bool:
    return ev.modules.project is None or ev.modules.project.submodule(module.part, name) is None


def _named(ev: Evaluator, value: Any, target: str) -> Any:
    """A number keeps the name under which it is imported: the output imports it too."""
    number = value.value if isinstance(value, Expr) else value
    if type(number) in (int, float) and ev.scope.parent is None and target not in ev.scope.rebound:
        return Expr.of_leaf(Leaf(target, "global", target, structural=not ev.modules.is_home(ev.scope)), number)
    if isinstance(value, Opaque) and not isinstance(value, Created) and not is_failed(value):
        named = Opaque.named(target, target, value.why)
        named.foreign, named.scalar, named.maybe_model = value.foreign, value.scalar, value.maybe_model
        return named
    return value


def member(ev: Evaluator, module: ProjectModule, name: str, node: cst.Attribute) -> Any:
    """``module.name``."""
    if name not in module.scope.names:
        ev.modules.catch_up(ev, module)
    if name in module.scope.names:
        value = module.scope.names[name]
        if is_failed(value):
            ev.modules.failed_name(ev, module.scope, name)
        number = value.value if isinstance(value, Expr) else value
        return number if type(number) in (int, float) else value
    if module.open or module.running or module.source is None:
        return Opaque.named(name, ev.source(node), f"`{ev.source(node)}` is not known here")
    raise Refusal("KT206", f"{module.source.shown} has no `{name}`")


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
