"""Functions of the program's on tensors (losses, metrics): their Keras operations become torch's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import libcst as cst

from transpiler.diagnostics import Refusal
from transpiler.emit.function import render_function
from transpiler.evaluate.core import Evaluator, FailedDependencyError
from transpiler.evaluate.values import Symbol
from transpiler.graph.keras import FunctionRef, TensorSpec
from transpiler.graph.program import Action
from transpiler.rewrite.comments import Comments
from transpiler.rewrite.residue import names_of
from transpiler.rules.lowering import LowerOptions, lower
from transpiler.rules.names import is_keras


class TensorFunctions:
    """The functions that ``compile`` was given and that speak of Keras, each with its translation."""

    def __init__(self, ev: Evaluator, comments: Comments) -> None:
        self.ev = ev
        self.comments = comments
        self.texts: dict[int, str] = {}
        self.refusals: dict[int, Refusal] = {}
        self.helpers: list[str] = []
        self.imports: set[str] = set()
        for action in ev.program.actions:
            if action.symbol == "keras.Model.compile":
                self._compile(action)

    def _compile(self, action: Action) -> None:
        outputs = action.model.output_tensors() if action.model is not None and action.model.outputs is not None else []
        for reference in _functions([action.args.get("loss"), action.args.get("metrics")]):
            node = reference.definition
            if not isinstance(node, cst.FunctionDef) or not outputs or not self._speaks_of_keras(node):
                continue
            try:
                self._translate(reference, node, outputs[0].spec)
            except Refusal as error:
                self.refusals[id(node)] = error
            except FailedDependencyError:
                continue

    def _translate(self, reference: FunctionRef, node: cst.FunctionDef, spec: TensorSpec) -> None:
        graph = reference.trace((spec, spec))
        torch_model = lower(graph, LowerOptions(drop_in=True), {})
        self.comments.done |= self.comments.attach(torch_model, within=node)
        rendered = render_function(torch_model, node.name.value, _docstring(node))
        known = self.texts.setdefault(id(node), rendered.code)
        if known != rendered.code:
            raise Refusal("KT303", f"`{reference.name}` needs different code for different models")
        self.helpers.extend(rendered.helpers)
        self.imports |= rendered.imports

    def _speaks_of_keras(self, node: cst.FunctionDef) -> bool:
        function = self.ev.facts.functions.get(id(node))
        values: Mapping[str, Any] = (self.ev.scope if function is None else function.closure.module).names
        found = (values.get(name) for name in names_of(node.body).read)
        return any(isinstance(value, Symbol) and is_keras(value.name) for value in found)


def _functions(value: Any) -> Iterator[FunctionRef]:
    if isinstance(value, FunctionRef):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _functions(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _functions(item)


def _docstring(node: cst.FunctionDef) -> str:
    return " ".join((node.get_docstring() or "").split())
