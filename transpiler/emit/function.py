"""A traced function on tensors as the source of a function."""

from __future__ import annotations

import re
from dataclasses import dataclass

from transpiler.diagnostics import Refusal
from transpiler.emit.attributes import Planner
from transpiler.emit.forward import render_forward
from transpiler.emit.graph import analyse
from transpiler.emit.lines import build_lines
from transpiler.emit.model import IMPORTS, docstring_text
from transpiler.graph.symbolic import Leaf
from transpiler.graph.torch import Module, TorchModel
from transpiler.template_env import environment


@dataclass(frozen=True)
class RenderedFunction:
    """The function's source, the helper templates and the import lines that it needs."""

    code: str
    helpers: tuple[str, ...]
    imports: frozenset[str]


def render_function(tm: TorchModel, name: str, docstring: str = "") -> RenderedFunction:
    """Print a graph without modules as ``def name(…) -> Tensor``."""
    graph = analyse(tm)

    def refuse(module: Module) -> str:
        raise Refusal("KT105", f"`{name}` uses a layer, which a plain function cannot hold")

    layout = Planner(graph, refuse, _leaf_name, {}).run()
    inputs = [tensor.hint for tensor in tm.source.input_tensors()]
    forward = render_forward(graph, build_lines(graph, layout.steps, layout.callee, layout.noted), inputs)
    code = environment().get_template("function.py.jinja").render(
        name=name,
        docstring=docstring_text(docstring),
        inputs=[f"{param}: {kind}" for param, kind in forward.params],
        returns=forward.returns,
        body=forward.body,
    )  # fmt: skip
    helpers = tuple(dict.fromkeys(helper for call in graph.calls for helper in call.helpers))
    return RenderedFunction(code, helpers, frozenset(line for pattern, line in IMPORTS if re.search(pattern, code)))


def _leaf_name(leaf: Leaf) -> str:
    return leaf.name
