"""What the parts of the rewriter share: the program, its rendered models, and what has been done so far."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import libcst as cst

from transpiler.evaluate.core import Evaluator
from transpiler.graph.program import Action
from transpiler.graph.symbolic import Leaf
from transpiler.rewrite.comments import Comments
from transpiler.rewrite.disposition import Dispositions
from transpiler.rewrite.freezing import Freezing
from transpiler.rewrite.functions import TensorFunctions
from transpiler.rewrite.neighbours import Neighbours
from transpiler.rewrite.project_imports import ProjectImports

Statement = Any  # a CST statement


@dataclass(eq=False)
class Verbatim:
    """A top-level statement of the output that nobody needs to take apart: its text."""

    code: str


@dataclass(eq=False)
class ModelCode:
    """What the rewriter needs of a rendered model: its class and how to construct it."""

    class_name: str
    code: str
    leaves: list[Leaf]  # the numbers behind its parameters
    construct: Callable[[bool], str]  # True: where the source called the builder; False: inside it
    provided: bool = False  # another translated file has the class
    loose: tuple[str, ...] = ()  # values of its parameters that only the file which builds it knows
    foreign: bool = False  # it is in the place of a class of another file
    parts: tuple[int, ...] = ()  # the objects of the program's own classes in it, by identity
    nested: tuple[int, ...] = ()  # the networks that it holds, by identity


@dataclass(eq=False)
class RewriteState:
    """What is known and done while a module is rewritten.

    ``models`` has the rendered models by identity; ``render`` renders actions.
    """

    ev: Evaluator
    models: dict[int, ModelCode]
    render: Callable[[Action, Any, str], Any]
    needs_device: Callable[[], bool]
    helper_names: Callable[[], set[str]]
    freezing: Freezing
    notes: Comments
    dispositions: Dispositions = field(init=False)
    written: set[str] = field(default_factory=set)  # classes that are in the output already
    import_at: int | None = None  # where the first Keras import stood
    dropped_names: dict[str, str] = field(default_factory=dict)
    failed_names: set[str] = field(default_factory=set)  # of statements that were refused: told once
    late: set[int] = field(default_factory=set)  # models that are made later than the source makes them
    waiting: dict[int, list[cst.Assign]] = field(default_factory=dict)  # their statements, by the one they follow
    functions: TensorFunctions | None = None
    function: cst.FunctionDef | None = None
    classes: list[str] = field(default_factory=list)  # to be put before the current top-level statement
    comments: list[cst.EmptyLine] = field(default_factory=list)  # of dropped statements, waiting for a place
    neighbours: Neighbours = field(default_factory=Neighbours)
    project: ProjectImports = field(init=False)
    imported: list[Statement] = field(default_factory=list)  # what other modules had and this one must have now
    replaced: dict[str, list[str]] = field(default_factory=dict)  # the classes in the place of functions
    placed: bool = False  # whether a model was put on the device

    def __post_init__(self) -> None:
        self.dispositions = Dispositions(self.ev.facts)
        texts = self.functions.texts if self.functions is not None else {}
        self.project = ProjectImports(self.ev, self.neighbours, texts)


__all__ = ["ModelCode", "RewriteState", "Statement", "Verbatim"]
