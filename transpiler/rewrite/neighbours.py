"""What the translation of one file knows of those of the others in a tree."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from transpiler.graph.keras import Span


@dataclass(frozen=True)
class Provided:
    """A class that a translated file has, as one call of a builder needs it."""

    class_name: str
    signature: str
    interface: tuple[object, ...]  # parameters, layouts and state: what the caller relies on
    logits: str | None  # the final activation that the class leaves to the loss


@dataclass(eq=False)
class Twin:
    """The translation of one file.

    ``tail`` are the last parts of its module name, which were one in the source; a package keeps its name and has none.
    """

    path: Path
    tail: tuple[str, ...]
    exports: frozenset[str] = frozenset()
    constructors: Mapping[Span, tuple[Provided, ...]] = field(default_factory=dict)  # by the call in the other file
    builders: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # classes in the place of a function
    errors: frozenset[int] = frozenset()  # lines with diagnostics

    def provides(self, call: Span, signature: str) -> Provided | None:
        """The class for a call of a builder."""
        return next((each for each in self.constructors.get(call, ()) if each.signature == signature), None)


@dataclass(eq=False)
class Neighbours:
    """The translations that the output may import; ``folders`` is how much deeper than its source it stands.

    ``along`` are all files that are translated in the run.
    """

    twins: Mapping[Path, Twin] = field(default_factory=dict)
    clients: frozenset[Path] = frozenset()
    folders: int = 0
    along: frozenset[Path] = frozenset()


_SCOPES = (ast.Lambda, ast.comprehension)


def exported_names(code: str) -> frozenset[str]:
    """The names that a program binds at its top level."""
    found: set[str] = set()
    stack: list[ast.AST] = list(ast.parse(code).body)
    while stack:
        node = stack.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.add(node.name)
            continue
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            found.update(alias.asname or alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        stack.extend(
            child for child in ast.iter_child_nodes(node) if not isinstance(child, (ast.Lambda, ast.comprehension))
        )
    return frozenset(found)
