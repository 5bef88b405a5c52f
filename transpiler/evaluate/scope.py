"""Scopes of the interpreted program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transpiler.evaluate.values import ProjectModule


class Scope:
    """Names of one function call (or the module), with the enclosing scope."""

    def __init__(self, name: str, parent: Scope | None = None, *, of_class: bool = False) -> None:
        self.name = name
        self.of_class = of_class
        self.function: Any = None  # the definition whose call this is the scope of
        self.parent = parent
        self.names: dict[str, Any] = {}
        self.globals: set[str] = set()
        self.nonlocals: set[str] = set()
        self.constants: set[str] = set()  # of a module: names bound exactly once
        self.rebound: set[str] = set()  # of a module: names that its own statements bind
        self.info: ProjectModule | None = None  # of a module that is one of the project's

    @property
    def module(self) -> Scope:
        scope = self
        while scope.parent is not None:
            scope = scope.parent
        return scope

    @property
    def qualified_name(self) -> str:
        if self.parent is None:
            return self.name
        outer = self.parent.qualified_name
        return f"{outer}.{self.name}" if outer else self.name

    def for_closures(self) -> Scope:
        """The scope that functions defined here see: the bodies of classes are not part of it."""
        scope = self
        while scope.of_class and scope.parent is not None:
            scope = scope.parent
        return scope

    def find(self, name: str) -> Scope | None:
        """The scope that binds ``name``, or None."""
        scope: Scope | None = self.module if name in self.globals else self
        while scope is not None:
            if name in scope.names:
                return scope
            scope = scope.parent
        return None

    def set(self, name: str, value: Any) -> None:
        """Bind ``name`` where Python would."""
        if name in self.globals:
            self.module.names[name] = value
            return
        if name in self.nonlocals and self.parent is not None:
            owner = self.parent.find(name)
            if owner is not None:
                owner.names[name] = value
                return
        self.names[name] = value
