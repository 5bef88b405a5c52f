"""The modules of a project: found as Python finds them, below one directory, and read but never run."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from transpiler.diagnostics import diagnostic
from transpiler.source.detect import mentions_keras, uses_keras
from transpiler.source.read import Parsed, ReadError, SourceText, decode, parse_ast, parse_module, read_bytes

if TYPE_CHECKING:
    import libcst as cst

    from transpiler.source.positions import Positions

MAX_MODULES = 400  # read in one run
MAX_MODULE_BYTES = 2_000_000
_METHOD = re.compile(
    rb"\.\s*(compile|fit|fit_generator|evaluate|predict|predict_classes|predict_on_batch|train_on_batch|test_on_batch|"
    rb"load_weights|save_weights|save|summary|count_params|get_weights|set_weights|get_layer|history|trainable)\b"
)
_FOREIGN = frozenset(("keras", "keras_applications", "tensorflow", "tf_keras", "torch", "numpy"))


@dataclass(eq=False)
class ModuleSource:
    """One file of the project: its text, and its syntax tree once somebody asks for it."""

    path: Path
    shown: str
    data: bytes

    @cached_property
    def source(self) -> SourceText:
        """The text of the file."""
        return decode(self.data)

    @cached_property
    def tree(self) -> ast.Module:
        """What Python's own parser makes of it."""
        return parse_ast(self.source.text, self.shown)

    @cached_property
    def parsed(self) -> Parsed:
        """The program as LibCST reads it."""
        return parse_module(self.source.text, self.shown)

    @property
    def module(self) -> cst.Module:
        """The LibCST module: always the same object, so that its nodes can be told by their identity."""
        return self.parsed.module

    @cached_property
    def positions(self) -> Positions:
        """Where the nodes of :attr:`module` stand."""
        from transpiler.source.positions import positions_of

        return positions_of(self.parsed)

    @property
    def may_act(self) -> bool:
        """Whether it calls what could be a method of a model."""
        return _METHOD.search(self.data) is not None

    @cached_property
    def parses(self) -> bool:
        """Whether it is Python."""
        try:
            _ = self.module
        except ReadError:
            return False
        return True

    @cached_property
    def uses_keras(self) -> bool:
        """Whether the file itself imports Keras; one that cannot be parsed says no."""
        try:
            return mentions_keras(self.data) and uses_keras(self.tree)
        except ReadError:
            return False


@dataclass(frozen=True)
class Part:
    """What one name of a dotted path leads to. ``path`` is None for a folder without ``__init__.py``."""

    name: str
    folder: Path | None  # where its submodules are, if it is a package
    path: Path | None


class Missing(Exception):
    """A module that should be the project's own is not there."""

    def __init__(self, name: str, looked: str) -> None:
        super().__init__(f"the project has no module `{name}`: looked for {looked}")


@dataclass(eq=False)
class Project:
    """The modules below ``root``. Files outside of it are never read, links that lead out of it included."""

    root: Path
    limit: int = MAX_MODULES
    _sources: dict[Path, ModuleSource] = field(default_factory=dict)
    _reaches: dict[Path, frozenset[Path]] = field(default_factory=dict)
    starts: dict[Path, Path] = field(default_factory=dict)  # by file: the folder where its absolute imports start
    acting: set[Path] = field(default_factory=set)  # files without Keras that work on models they are given
    _lacking: set[Path] = field(default_factory=set)  # files that import what the project lacks

    def __post_init__(self) -> None:
        self.root = self.root.resolve()

    # -- files ------------------------------------------------------------------------------------------------------
    @property
    def read_files(self) -> tuple[Path, ...]:
        """The files that have been read."""
        return tuple(sorted(self._sources))

    @property
    def sources(self) -> list[ModuleSource]:
        """The files that have been read."""
        return list(self._sources.values())

    def load(self, path: Path) -> ModuleSource:
        """Return the source of a file; raise :class:`ReadError` where it cannot be had."""
        real = path.resolve()
        if real not in self._sources:
            if len(self._sources) >= self.limit:
                raise ReadError(diagnostic("KT202", f"the project has more than {self.limit} modules"))
            data = read_bytes(real)
            if len(data) > MAX_MODULE_BYTES:
                raise ReadError(diagnostic("KT001", f"the module is larger than {MAX_MODULE_BYTES // 1_000_000} MB"))
            self._sources[real] = ModuleSource(real, self.shown(real), data)
        return self._sources[real]

    def shown(self, path: Path) -> str:
        """The name of a file in messages: from the root on."""
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else path.name

    def _inside(self, path: Path) -> bool:
        try:
            return path.is_file() and path.resolve().is_relative_to(self.root)
        except OSError:
            return False

    # -- finding modules --------------------------------------------------------------------------------------------
    def package_of(self, path: Path) -> Path:
        """The folder above the outermost package that a file is in: where absolute imports of it start."""
        folder = path.resolve().parent
        while (folder / "__init__.py").is_file() and folder != self.root.parent:
            folder = folder.parent
        return folder

    def _bases(self, path: Path) -> Iterator[Path]:
        """Where an absolute import may start: the package's folder, the file's own, those above, ``src``."""
        seen: list[Path] = []
        start = self.package_of(path)
        above = [folder for folder in path.resolve().parent.parents if folder.is_relative_to(self.root)]
        for folder in (start, path.resolve().parent, *above, self.root, self.root / "src"):
            if folder not in seen:
                seen.append(folder)
                yield folder

    def absolute(self, path: Path, name: str) -> list[Part] | None:
        """The parts of a dotted module as ``path`` would import it; None where it is not the project's.

        Raises :class:`Missing` where the first part is a package of the project and the rest is not there.
        """
        first, *rest = name.split(".")
        if first in _FOREIGN or not first:
            return None
        for base in self._bases(path):
            part = self._part(base, first)
            if part is None or first in sys.stdlib_module_names and base != path.resolve().parent:
                continue
            found = self._descend(part, rest)
            if found is not None and (found[-1].path is not None or len(found) == 1):
                if found[-1].path is not None:
                    self.starts.setdefault(path.resolve(), base)
                return found
            if part.path is not None:
                looked = f"{'/'.join([first, *rest])}.py below {self.shown_folder(base)}"
                raise Missing(name, looked)
        return None

    def relative(self, path: Path, level: int, name: str) -> list[Part] | None:
        """The parts of a relative import in ``path``; None for a compiled module; raises :class:`Missing`."""
        folder = path.resolve().parent
        for _ in range(level - 1):
            folder = folder.parent
        dots = "." * level
        if not folder.is_relative_to(self.root):
            raise Missing(f"{dots}{name}", f"a folder above {self.root.name}, where the project ends")
        init = folder / "__init__.py"
        here = Part(folder.name, folder, init if self._inside(init) else None)
        found = self._descend(here, name.split(".") if name else [])
        if found is None and any(folder.glob(f"{name.replace('.', '/')}.*")):
            return None
        if found is None:
            raise Missing(f"{dots}{name}", f"{name.replace('.', '/')}.py in {self.shown_folder(folder)}")
        return found

    def submodule(self, part: Part, name: str) -> Part | None:
        """The module ``name`` of a package."""
        return self._part(part.folder, name) if part.folder is not None else None

    def shown_folder(self, folder: Path) -> str:
        """The name of a folder in messages."""
        return f"{self.root.name}/{self.shown(folder)}".removesuffix("/.")

    def _descend(self, part: Part, names: list[str]) -> list[Part] | None:
        found = [part]
        for name in names:
            below = self.submodule(found[-1], name)
            if below is None:
                return None
            found.append(below)
        return found

    def _part(self, folder: Path, name: str) -> Part | None:
        if not name.isidentifier():
            return None
        inner = folder / name
        if self._inside(inner / "__init__.py"):
            return Part(name, inner, inner / "__init__.py")
        if self._inside(folder / f"{name}.py"):
            return Part(name, None, folder / f"{name}.py")
        return Part(name, inner, None) if inner.is_dir() and inner.resolve().is_relative_to(self.root) else None

    # -- who imports whom -------------------------------------------------------------------------------------------
    def imports(self, path: Path) -> frozenset[Path]:
        """The files of the project that a file imports, read off its import statements."""
        real = path.resolve()
        if real not in self._reaches:
            self._reaches[real] = frozenset()
            try:
                self._reaches[real] = frozenset(self._imports(real)) - {real}
            except ReadError:
                return frozenset()
        return self._reaches[real]

    def _imports(self, path: Path) -> Iterator[Path]:
        nodes = [node for node in ast.walk(self.load(path).tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
        for node in nodes:
            try:
                yield from self._found(path, node)
            except Missing:  # noqa: PERF203 - told where the file is translated
                self._lacking.add(path)

    def _found(self, path: Path, node: ast.Import | ast.ImportFrom) -> Iterator[Path]:
        if isinstance(node, ast.ImportFrom):
            yield from self._from(path, node)
            return
        for alias in node.names:
            yield from _files(self.absolute(path, alias.name))

    def _from(self, path: Path, node: ast.ImportFrom) -> Iterator[Path]:
        name = node.module or ""
        parts = self.relative(path, node.level, name) if node.level else self.absolute(path, name)
        yield from _files(parts)
        for alias in node.names if parts else ():
            assert parts is not None
            below = self.submodule(parts[-1], alias.name)
            yield from _files([below] if below is not None else None)

    def stands_alone(self, path: Path) -> bool:
        """Whether a file imports nothing that is or should be the project's."""
        return not self.imports(path) and path.resolve() not in self._lacking

    def closure(self, path: Path) -> list[Path]:
        """The files that a file imports, directly or not, itself left out; in no file's absence."""
        found: dict[Path, None] = {}
        stack = [path.resolve()]
        while stack:
            for each in sorted(self.imports(stack.pop())):
                if each not in found:
                    found[each] = None
                    stack.append(each)
        found.pop(path.resolve(), None)
        return list(found)

    def concerns_keras(self, path: Path) -> bool:
        """Whether a file, or one that it imports, has to do with Keras."""
        files = [path.resolve(), *self.closure(path)]
        return any(each in self.acting or self.load(each).uses_keras for each in files)


def _files(parts: list[Part] | None) -> Iterator[Path]:
    for part in parts or ():
        if part.path is not None:
            yield part.path.resolve()


def find_root(path: Path) -> Path:
    """Where the modules of a file or folder are: the nearest pyproject.toml's folder, else that above its packages."""
    folder = path.resolve()
    folder = folder if folder.is_dir() else folder.parent
    while (folder / "__init__.py").is_file() and folder.parent != folder:
        folder = folder.parent
    for each in (folder, *folder.parents):
        if (each / "pyproject.toml").is_file():
            return each
    return folder
