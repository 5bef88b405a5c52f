"""Whether the numbers that a class takes still mean the same where its constructor call stands."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import Any

from transpiler.diagnostics import Refusal
from transpiler.evaluate.core import Evaluator
from transpiler.graph.symbolic import Leaf


def check_leaves(ev: Evaluator, leaves: Iterable[Leaf], outside: bool, moment: int, function: Any) -> None:
    """Refuse texts whose names were bound anew since they were read, or are another function's.

    ``outside``: where the source called the builder. ``moment``: the step at which the model was made.
    ``function``: the definition in whose body the call will stand, None for the module.
    """
    for leaf in leaves:
        for name, scope in _reads(leaf, outside):
            if any(leaf.step < step <= moment for step in ev.bindings.get((id(scope), name), ())):
                raise Refusal(
                    "KT201",
                    f"`{name}` is given another value before this model is made, but an earlier one is a size of it",
                    "give each of the values a name of its own",
                )
            if scope.function is not None and scope.function is not function and not (name == "self" and leaf.owner):
                raise Refusal("KT201", f"`{name}`, which a size of this model depends on, is not known here")


def known_later(ev: Evaluator, leaves: Iterable[Leaf], outside: bool, moment: int) -> bool:
    """Whether a size is a name that was bound only after the step ``moment``."""
    return any(
        moment < step <= leaf.step
        for leaf in leaves
        for name, scope in _reads(leaf, outside)
        for step in ev.bindings.get((id(scope), name), ())
    )


def _reads(leaf: Leaf, outside: bool) -> Iterator[tuple[str, Any]]:
    """The names that the text of a leaf reads, with the scope of each."""
    if leaf.parameter and not outside:
        if leaf.inner is not None:
            yield leaf.name, leaf.inner
        return
    if leaf.home is None or leaf.scope == "global" or not leaf.source:
        return
    for node in ast.walk(ast.parse(leaf.source, mode="eval")):
        if isinstance(node, ast.Name) and (scope := leaf.home.find(node.id)) is not None:
            yield node.id, scope
