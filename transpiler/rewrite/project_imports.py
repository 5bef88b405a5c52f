"""Imports of the project's own modules in the output: kept, led to the translated file, or dropped with a reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import libcst as cst

from transpiler.evaluate.core import Evaluator, is_known, plain
from transpiler.evaluate.imports import dotted, public_names
from transpiler.evaluate.values import Function, ProjectModule
from transpiler.graph.keras import Model
from transpiler.graph.symbolic import Expr
from transpiler.rewrite.neighbours import Neighbours, Twin
from transpiler.rules.names import canonical, is_keras
from transpiler.source.project import Missing, Part, Project
from transpiler.source.tree import walk

_LONGEST = 200  # characters of a constant that is written into the output


@dataclass(eq=False)
class Kept:
    """What is left of an import: its new statements, and what takes the place of the names that are gone."""

    statements: list[cst.Import | cst.ImportFrom] = field(default_factory=list)
    dropped: dict[str, str] = field(default_factory=dict)  # with the reason
    classes: dict[str, list[str]] = field(default_factory=dict)  # that come in the place of a function
    constants: dict[str, str] = field(default_factory=dict)  # with their text
    functions: dict[str, cst.FunctionDef] = field(default_factory=dict)  # of the other file, translated here
    models: dict[str, Model] = field(default_factory=dict)  # to be built here


@dataclass(eq=False)
class ProjectImports:
    """Rewrites the imports of one file."""

    ev: Evaluator
    neighbours: Neighbours
    translated: dict[int, str]  # functions on tensors that are translated here, by their definition
    _acting: set[Path] | None = None  # files whose code works on models

    @property
    def project(self) -> Project | None:
        return self.ev.modules.project if self.ev.modules.home is not None else None

    def rewrite(self, node: cst.Import | cst.ImportFrom) -> Kept | None:
        """What becomes of an import; None if it has nothing to do with the project."""
        if self.project is None:
            return None
        try:
            return self._import(node) if isinstance(node, cst.Import) else self._from(node)
        except Missing:
            return None

    # -- import a.b -------------------------------------------------------------------------------------------------
    def _import(self, node: cst.Import) -> Kept | None:
        kept, aliases, changed = Kept(), [], False
        for alias in node.names:
            parts = self._absolute(dotted(alias.name))
            new = alias if parts is None else self._module(alias, parts, kept)
            changed = changed or new is not alias
            aliases += [new] if new is not None else []
        if not changed:
            return None
        if aliases:
            aliases[-1] = aliases[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)
            kept.statements.append(node.with_changes(names=aliases))
        return kept

    def _module(self, alias: cst.ImportAlias, parts: list[Part], kept: Kept) -> cst.ImportAlias | None:
        path = parts[-1].path
        if path is None or not self._concerned(path):
            return alias
        bound = alias.evaluated_alias or alias.evaluated_name.split(".")[0]
        twin = self.neighbours.twins.get(path.resolve())
        if twin is None:
            kept.dropped[bound] = self._reason(path)
            return None
        if len(parts) > 1 and alias.asname is None:
            kept.dropped[bound] = "the module has another name in the output: import it with `as`"
            return None
        if not twin.tail:
            return alias
        name = _attribute([*alias.evaluated_name.split(".")[:-1], *twin.tail])
        return alias.with_changes(name=name, asname=_as(bound))

    # -- from a.b import c ------------------------------------------------------------------------------------------
    def _from(self, node: cst.ImportFrom) -> Kept | None:
        name = dotted(node.module)
        parts = self._relative(node, name) if node.relative else self._absolute(name)
        if parts is None:
            return None
        path = parts[-1].path
        kept, aliases, modules = Kept(), [], []
        twin = self.neighbours.twins.get(path.resolve()) if path is not None else None
        concerned = path is not None and self._concerned(path)
        if isinstance(node.names, cst.ImportStar):
            if path is None or not concerned:
                return self._moved(node, kept)
            names = [cst.ImportAlias(cst.Name(name)) for name in self._star(path)]
        else:
            names = list(node.names)
        for alias in names:
            below = self.project.submodule(parts[-1], alias.evaluated_name) if self.project else None
            if below is not None and below.path is not None and not self._is_attribute(path, alias.evaluated_name):
                new = self._submodule(alias, below.path, kept)
                modules += [new] if new is not None else []
            elif path is None or not concerned or twin is not None and alias.evaluated_name in twin.exports:
                aliases.append(alias)
            else:
                aliases += self._gone(alias, path, twin, kept)
        if aliases:
            kept.statements.append(self._with_names(self._renamed(node, twin), aliases))
        if modules:
            kept.statements.append(self._with_names(self._leveled(node), modules))
        return kept

    def _moved(self, node: cst.ImportFrom, kept: Kept) -> Kept:
        kept.statements.append(self._leveled(node))
        return kept

    def _star(self, path: Path) -> Iterator[str]:
        """The names of a star import that this file reads."""
        module = self.ev.modules.loaded.get(path.resolve())
        found = public_names(module) if module is not None else []
        return (name for name in found if name in self.ev.scan.names)

    def _is_attribute(self, path: Path | None, name: str) -> bool:
        """Whether a package binds the name of one of its modules to something else."""
        module = self.ev.modules.loaded.get(path.resolve()) if path is not None else None
        return module is not None and not isinstance(module.scope.names.get(name), (ProjectModule, type(None)))

    def _submodule(self, alias: cst.ImportAlias, path: Path, kept: Kept) -> cst.ImportAlias | None:
        if not self._concerned(path):
            return alias
        twin = self.neighbours.twins.get(path.resolve())
        bound = alias.evaluated_alias or alias.evaluated_name
        if twin is not None and not twin.tail:
            return alias
        if twin is None or len(twin.tail) > 1:
            kept.dropped[bound] = self._reason(path)
            return None
        return alias.with_changes(name=cst.Name(twin.tail[0]), asname=_as(bound))

    def _gone(self, alias: cst.ImportAlias, path: Path, twin: Twin | None, kept: Kept) -> list[cst.ImportAlias]:
        """A name that the translated module does not have, or whose module is not translated along."""
        name = alias.evaluated_name
        bound = alias.evaluated_alias or name
        kept.dropped[bound] = "it only describes a model" if twin is not None else self._reason(path)
        if twin is not None:
            classes = twin.builders.get(name, ()) if self._is_public(bound) else ()
            if classes:
                kept.classes[bound] = list(classes)
            return [cst.ImportAlias(cst.Name(each)) for each in classes]
        self._written_here(bound, self._value(path, name), kept)
        return []

    def _written_here(self, bound: str, value: Any, kept: Kept) -> None:
        """What stands in this file in the place of a name of a module that is not translated along."""
        known = (
            plain(value) if is_known(value) and not isinstance(value, Expr) or getattr(value, "known", False) else None
        )
        if known is not None and len(repr(known)) <= _LONGEST:
            kept.constants[bound] = repr(known)
        elif isinstance(value, Model):
            kept.models[bound] = value
        elif isinstance(value, Function) and isinstance(value.node, cst.FunctionDef):
            if id(value.node) in self.translated:
                kept.functions[bound] = value.node
        else:
            return
        if not isinstance(value, Function) or bound in kept.functions:
            kept.dropped.pop(bound, None)

    def _value(self, path: Path, name: str) -> Any:
        module = self.ev.modules.loaded.get(path.resolve())
        return module.scope.names.get(name) if module is not None else None

    def _is_public(self, name: str) -> bool:
        """Whether others import the name from this file."""
        home = self.ev.modules.home
        listed = self.ev.scope.names.get("__all__")
        return (
            home is not None and home.path.name == "__init__.py" or isinstance(listed, (list, tuple)) and name in listed
        )

    # -- names of modules -------------------------------------------------------------------------------------------
    def _absolute(self, name: str) -> list[Part] | None:
        assert self.project is not None
        home = self.ev.modules.home
        assert home is not None
        return None if is_keras(canonical(name)) else self.project.absolute(home.path, name)

    def _relative(self, node: cst.ImportFrom, name: str) -> list[Part] | None:
        assert self.project is not None
        home = self.ev.modules.home
        assert home is not None
        return self.project.relative(home.path, len(node.relative), name)

    def _concerned(self, path: Path) -> bool:
        """Whether a module cannot be imported as it is: it uses Keras, or works on models that it is given."""
        assert self.project is not None
        if self._acting is None:
            self._acting = self.ev.modules.acting(self.ev)
        reached = {path.resolve(), *self.project.closure(path)} if self._acting else set()
        return self.project.concerns_keras(path) or not reached.isdisjoint(self._acting)

    def _reason(self, path: Path) -> str:
        shown = self.project.shown(path.resolve()) if self.project is not None else path.name
        return f"it comes from {shown}, which works with Keras; translate the files together (`transpile DIR -o OUT`)"

    def _renamed(self, node: cst.ImportFrom, twin: Twin | None) -> cst.ImportFrom:
        """The import led to the translated module."""
        node = self._leveled(node)
        if twin is None or node.module is None or not twin.tail or twin.tail == (dotted(node.module).split(".")[-1],):
            return node
        return node.with_changes(module=_attribute([*dotted(node.module).split(".")[:-1], *twin.tail]))

    def _leveled(self, node: cst.ImportFrom) -> cst.ImportFrom:
        """A relative import from a file that stands deeper than its source."""
        if not node.relative or not self.neighbours.folders:
            return node
        return node.with_changes(relative=[*node.relative, *[cst.Dot()] * self.neighbours.folders])

    @staticmethod
    def _with_names(node: cst.ImportFrom, aliases: list[cst.ImportAlias]) -> cst.ImportFrom:
        if not isinstance(node.names, cst.ImportStar) and len(aliases) == len(node.names):
            last = list(node.names)[-1].comma
            return node.with_changes(names=[*aliases[:-1], aliases[-1].with_changes(comma=last)])
        last_one = aliases[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)
        return node.with_changes(names=[*aliases[:-1], last_one])


def class_line(ev: Evaluator, twin: Twin, class_name: str, alias: str, folders: int) -> str:
    """The import of a class of another translated file: relative where this file imports its neighbours so."""
    project, home = ev.modules.project, ev.modules.home
    assert project is not None
    assert home is not None
    base = project.package_of(home.path)
    named = class_name if alias == class_name else f"{class_name} as {alias}"
    if _imports_relatively(ev.module) and twin.path.is_relative_to(base):
        above = next(each for each in home.path.parents if twin.path.is_relative_to(each))
        dots = "." * (len(home.path.parent.parts) - len(above.parts) + 1 + folders)
    else:
        used = [project.starts.get(home.path, base), base, project.root / "src", project.root]
        above, dots = next(each for each in used if twin.path.is_relative_to(each)), ""
    names = [*twin.path.parent.relative_to(above).parts, *twin.tail]
    return f"from {dots}{'.'.join(names)} import {named}"


def _imports_relatively(module: cst.Module) -> bool:
    return any(isinstance(node, cst.ImportFrom) and node.relative for node in walk(module))


def _attribute(names: list[str]) -> cst.Name | cst.Attribute:
    found: cst.Name | cst.Attribute = cst.Name(names[0])
    for name in names[1:]:
        found = cst.Attribute(found, cst.Name(name))
    return found


def _as(name: str) -> cst.AsName:
    return cst.AsName(cst.Name(name))
