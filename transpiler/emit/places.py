"""Where the criterion, the optimizer and their like of each model are kept: in variables, or on the module."""

from __future__ import annotations

from typing import Any

import libcst as cst

from transpiler.diagnostics import Refusal
from transpiler.emit.plan import USES, method
from transpiler.graph.program import Action, Program

KINDS = ("criterion", "optimizer", "metrics", "loss_weights", "scheduler")


def _reads_rate(action: Action) -> bool:
    """Whether an action reaches into the optimizer from outside of a callback."""
    return action.symbol == "keras.Optimizer.rate" and not action.args["hook"]


def receiver_text(action: Action) -> str:
    """The expression that names the model, as the source has it."""
    node = action.node
    if isinstance(node, cst.Attribute):
        node = cst.Call(cst.ensure_type(node.value, cst.Attribute))
    if isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute):
        owner = node.func.value
        if isinstance(owner, cst.Name) and not owner.lpar:
            return owner.value
        return cst.Module([]).code_for_node(owner).strip()
    return (action.model.hint if action.model is not None else None) or "model"


class Places:
    """Decides for every model how the program's code reaches what ``compile`` made."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._actions: dict[int, list[Action]] = {}
        for action in program.actions:
            if action.model is not None and (method(action) in ("compile", *USES) or _reads_rate(action)):
                self._actions.setdefault(id(action.model), []).append(action)
        self._names: dict[tuple[str, str], dict[str, str]] = {}

    def names(self, action: Action, receiver: str) -> dict[str, str]:
        """The expressions for criterion, optimizer, … of the action's model."""
        first = action.compiled.action if action.compiled is not None else None
        if first is not None and first.model is not action.model:  # a loaded model
            if self._attributes(first) or first.scope != action.scope:
                raise Refusal("KT301", "a loaded model is used in another place than the one that was compiled",
                              "compile it again after it is loaded")  # fmt: skip
            action, receiver = first, receiver_text(first)
        if self._attributes(action):
            return {kind: f"{receiver}.{kind}" for kind in KINDS}
        key = (action.scope, receiver)
        if key not in self._names:
            self._names[key] = self._variables(action.scope, receiver)
        return self._names[key]

    def _attributes(self, action: Action) -> bool:
        """Whether the model is compiled in one function and used in another, or is no plain variable."""
        places = {(a.scope, receiver_text(a)) for m in self._same_code(action) for a in self._actions.get(id(m), ())}
        return len(places) > 1 or any(not receiver.isidentifier() for _, receiver in places)

    def _same_code(self, action: Action) -> list[Any]:
        """The models that the same piece of code works on, this action's among them."""
        own = {id(a.node) for a in self._actions.get(id(action.model), ()) if a.node is not None}
        others = {id(a.model): a.model for actions in self._actions.values() for a in actions if id(a.node) in own}
        return list({id(action.model): action.model, **others}.values())

    def _variables(self, scope: str, receiver: str) -> dict[str, str]:
        compiled = {receiver_text(a) for actions in self._actions.values() for a in actions
                    if a.scope == scope and method(a) == "compile"}  # fmt: skip
        prefix = f"{receiver}_" if len(compiled) > 1 else ""
        taken = self.program.names - self._reusable(scope, receiver)
        if any(prefix + kind in taken for kind in KINDS) and not prefix:
            prefix = f"{receiver}_"
        while any(prefix + kind in taken for kind in KINDS):
            prefix = f"torch_{prefix}"
        return {kind: prefix + kind for kind in KINDS}

    def _reusable(self, scope: str, receiver: str) -> set[str]:
        """Variables of the source that held what the output now keeps under the same name."""
        found: set[str] = set()
        for actions in self._actions.values():
            for action in actions:
                if action.scope == scope and receiver_text(action) == receiver and method(action) == "compile":
                    found |= _argument_names(action)
        return found


def _argument_names(action: Action) -> set[str]:
    """Keywords of the call, and plain variables given for the optimizer."""
    if not isinstance(action.node, cst.Call):
        return set()
    found: set[str] = set()
    for index, arg in enumerate(action.node.args):
        keyword = arg.keyword.value if arg.keyword is not None else ("optimizer" if index == 0 else "")
        if isinstance(arg.value, cst.Name) and arg.value.value == keyword == "optimizer":
            found.add(keyword)
    return found
