"""The project's own modules: each read once, interpreted in a scope of its own, and never executed.

The module that is being translated is *home*. The modules that it imports, and in a tree those that import it, are
interpreted besides. What goes wrong in them is told at the place of home that led there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import libcst as cst

from transpiler.diagnostics import Diagnostic, Refusal, diagnostic
from transpiler.evaluate import limits
from transpiler.evaluate.scan import scan_module
from transpiler.evaluate.scope import Scope
from transpiler.evaluate.values import Opaque, ProjectModule, Signal
from transpiler.graph.symbolic import Expr
from transpiler.source.project import ModuleSource, Part, Project
from transpiler.source.read import ReadError

if TYPE_CHECKING:
    from transpiler.evaluate.core import Evaluator

MAX_LOADED = 150  # modules interpreted for one translation


@dataclass(eq=False)
class Latent:
    """A statement of an imported module that failed: told once something of home needs what it would have made."""

    found: Diagnostic
    names: set[tuple[int, str]] = field(default_factory=set)  # what failed with it, by scope
    told: bool = False


@dataclass(eq=False)
class Modules:
    """The modules that one evaluation knows, by file."""

    project: Project | None = None
    home: ModuleSource | None = None
    loaded: dict[Path, ProjectModule] = field(default_factory=dict)
    clients: set[Path] = field(default_factory=set)  # files that import home: run to see their calls
    way: list[cst.CSTNode] = field(default_factory=list)  # calls and imports being worked on
    mark: int = 0  # where in the way the module that is being loaded begins
    loading: int = 0
    guards: int = 0  # `try` statements around that catch what is missing
    latent: list[Latent] = field(default_factory=list)
    pending: list[Latent] = field(default_factory=list)  # those that the statement being interpreted fails for
    suffered: bool = False  # whether home needed something that failed
    foreign_lines: dict[int, tuple[str, int]] = field(default_factory=dict)  # by diagnostic: where it really is

    def start(self, ev: Evaluator) -> None:
        """Make home known, so that modules which import it find what it has by then."""
        if self.project is None or self.home is None:
            return
        path = self.home.path
        part = Part(path.stem, path.parent if path.name == "__init__.py" else None, path)
        module = ProjectModule(path.stem, path, part, self.home, ev.scope, running=True)
        ev.scope.info = self.loaded[path] = module

    def _run_clients(self, ev: Evaluator) -> None:
        """Interpret the files that import home: how they call its functions decides what these become."""
        for path in sorted(self.clients - set(self.loaded)):
            assert self.project is not None
            source = self.project.load(path)
            if not source.parses:
                continue  # told where the file itself is translated
            part = Part(path.stem, path.parent if path.name == "__init__.py" else None, path)
            module = ProjectModule("__main__", path, part, source, Scope(f"<{self.project.shown(path)}>"))
            module.client = True
            module.scope.info = self.loaded[path] = module
            ev.last_step = ev.steps + limits.MAX_STEPS
            try:
                self.interpret(ev, module, source)
            except (Refusal, RecursionError):
                continue

    # -- whose is it ------------------------------------------------------------------------------------------------
    def owner(self, node: cst.CSTNode) -> ModuleSource | None:
        """The module besides home that ``node`` stands in."""
        for module in self.loaded.values():
            source = module.source
            if source is not None and source is not self.home and node in source.positions:
                return source
        return None

    def is_home(self, scope: Scope) -> bool:
        """Whether ``scope`` is of the module that is translated."""
        module = scope.module.info
        return module is None or module.source is self.home

    def speaks_home(self, scope: Scope) -> bool:
        """Whether what stands there can be written where home's models are built: in home, or in who imports it."""
        module = scope.module.info
        return module is None or module.source is self.home or module.client

    def note_leaf(self, value: Opaque | Expr, scope: Scope) -> None:
        """A number known only at run time can be written in the file where it was read first."""
        expr = value.expr if isinstance(value, Opaque) else value
        if expr is not None and expr.leaf is not None and expr.leaf.here is None:
            expr.leaf.here = self.speaks_home(scope)

    def acting(self, ev: Evaluator) -> set[Path]:
        """The other files whose code does something with models."""
        nodes = [action.node for action in ev.program.actions]
        owners = (self.owner(node) for node in nodes if node is not None and node not in ev.positions)
        return {owner.path for owner in owners if owner is not None}

    @contextmanager
    def step(self, node: cst.CSTNode) -> Iterator[None]:
        """Within: what is done belongs to the call or import ``node``."""
        self.way.append(node)
        try:
            yield
        finally:
            self.way.pop()

    def anchor(self, ev: Evaluator, start: int = 0) -> cst.CSTNode | None:
        """The innermost place of home that is being worked on."""
        for node in reversed(self.way[start:]):
            if node in ev.positions:
                return node
        return None

    # -- what goes wrong --------------------------------------------------------------------------------------------
    def report(self, ev: Evaluator, error: Refusal, node: cst.CSTNode, owner: ModuleSource) -> Diagnostic:
        """Tell what was refused at a node of another module at the place of home that led there."""
        where = owner.positions.get(node)
        line = where.start.line if where is not None else 1
        message = f"{error.message} (in {owner.shown}, line {line})"
        near = self.anchor(ev, self.mark)
        anchor = near or self.anchor(ev)
        at = ev.positions.get(anchor) if anchor is not None else None
        row, column = (at.start.line, at.start.column + 1) if at is not None else (1, 1)
        found = diagnostic(error.code, message, row, column, hint=error.hint)
        self.foreign_lines[id(found)] = (str(owner.path), line)
        if near is not None or anchor is not None and error.code == "KT206" and not self._in_client():
            self.tell(ev, found)  # what is missing keeps the whole module from being imported
        elif anchor is not None and not self._in_client():
            self.latent.append(Latent(found))
            self.pending.append(self.latent[-1])
        return found

    def _in_client(self) -> bool:
        return any(module.running and module.client for module in self.loaded.values())

    def tell(self, ev: Evaluator, found: Diagnostic) -> None:
        """A finding, and the statement of home that cannot be translated for it."""
        if found not in ev.diagnostics:
            ev.diagnostics.append(found)
        if ev.home_statement is not None:
            ev.facts.failed.setdefault(id(ev.home_statement), found)

    def failed_name(self, ev: Evaluator, scope: Scope, name: str) -> None:
        """A name is read that failed in an imported module: home is told, or what reads it fails likewise."""
        found = [latent for latent in self.latent if (id(scope), name) in latent.names]
        if self.loading and self.anchor(ev, self.mark) is None:
            self.pending.extend(found)
            return
        for latent in found:
            self._reveal(ev, latent)

    def poisoned(self, scope: Scope, names: list[str]) -> None:
        """Names that a statement would have bound, but for what it failed for."""
        for latent in self.pending:
            latent.names.update((id(scope), name) for name in names)
        self.pending = []

    def rename(self, scope: Scope, name: str, target: Scope, bound: str) -> None:
        """A name that failed is imported."""
        for latent in self.latent:
            if (id(scope), name) in latent.names:
                latent.names.add((id(target), bound))

    def _reveal(self, ev: Evaluator, latent: Latent) -> None:
        if not latent.told:
            latent.told = True
            self.tell(ev, latent.found)

    def settle(self, ev: Evaluator) -> None:
        """Nothing that home needed may have failed without a word."""
        if self.suffered and not ev.diagnostics:
            for latent in self.latent:
                self._reveal(ev, latent)

    # -- loading ----------------------------------------------------------------------------------------------------
    def load(self, ev: Evaluator, parts: list[Part], node: cst.CSTNode) -> list[ProjectModule]:
        """The modules along ``parts``, those of packages interpreted first, as Python does."""
        found: list[ProjectModule] = []
        for part in parts:
            found.append(self.below(ev, found[-1], part, node) if found else self._one(ev, part, None, node))
        return found

    def below(self, ev: Evaluator, above: ProjectModule, part: Part, node: cst.CSTNode) -> ProjectModule:
        """The module that ``part`` leads to in a package, which has it as an attribute from then on."""
        module = self._one(ev, part, above, node)
        above.scope.names.setdefault(part.name, module)
        return module

    def _one(self, ev: Evaluator, part: Part, above: ProjectModule | None, node: cst.CSTNode) -> ProjectModule:
        assert self.project is not None
        key = (part.path or part.folder or Path(part.name)).resolve()
        known = self.loaded.get(key)
        if known is None:
            if len(self.loaded) >= MAX_LOADED:
                raise Refusal("KT202", f"the program imports more than {MAX_LOADED} modules of the project")
            name = f"{above.name}.{part.name}" if above is not None else part.name
            source = self._read(part) if part.path is not None else None
            known = ProjectModule(name, key, part, source, Scope(f"<{name}>"))
            known.scope.info = known
            self.loaded[key] = known
            known.deferred = node
            if not self._around_home(known):
                self.catch_up(ev, known)
        return known

    def _around_home(self, module: ProjectModule) -> bool:
        """Whether Python would have run a package before home: it waits, for it may import home."""
        home = self.loaded.get(self.home.path) if self.home is not None else None
        return home is not None and home.running and module.part.folder in home.path.parents

    def catch_up(self, ev: Evaluator, module: ProjectModule) -> None:
        """Interpret a module that has not been yet."""
        node, module.deferred = module.deferred, None
        if node is not None and module.source is not None:
            with self.step(node):
                self.interpret(ev, module, module.source)

    def finish(self, ev: Evaluator) -> None:
        """Home has been interpreted: the packages around it are now, and the files that import it."""
        for module in list(self.loaded.values()):
            module.running = False
            self.catch_up(ev, module)
        self.settle(ev)
        self._run_clients(ev)

    def _read(self, part: Part) -> ModuleSource:
        assert self.project is not None
        assert part.path is not None
        try:
            source = self.project.load(part.path)
            _ = source.module  # parsed now, so that what is wrong is told here
        except ReadError as error:
            shown = self.project.shown(part.path.resolve())
            raise Refusal("KT206", f"{shown}, line {error.diagnostic.line}: {error.diagnostic.message}",
                          error.diagnostic.hint) from error  # fmt: skip
        return source

    def interpret(self, ev: Evaluator, module: ProjectModule, source: ModuleSource) -> None:
        """Interpret the statements of a module in its own scope."""
        scan = scan_module(source.module)
        ev.scan.reads |= scan.reads
        ev.scan.methods |= scan.methods
        module.scope.constants = {name for name, count in scan.bound.items() if count == 1}
        module.scope.rebound = set(scan.bound)
        module.open = not scan.names.isdisjoint(("globals", "exec", "setattr", "__getattr__"))
        outer = (ev.scope, ev.frames, ev.functions, ev.statement, ev.current, ev.unknown_depth, ev.loop_budget)
        returns, yields, ev.open_returns, ev.yields = ev.open_returns, ev.yields, [], []
        mark, self.mark = self.mark, len(self.way)
        ev.scope, ev.functions, ev.unknown_depth, ev.loop_budget = module.scope, [], 0, None
        self.loading += 1
        module.running = True
        try:
            ev.run(source.module.body)
        except Signal:
            module.open = True  # it raises or exits while it is imported
            if self.guards:
                raise
        finally:
            self.mark = mark
            self.loading -= 1
            module.running = False
            ev.open_returns, ev.yields = returns, yields
            ev.scope, ev.frames, ev.functions, ev.statement, ev.current, ev.unknown_depth, ev.loop_budget = outer
