"""Models that the program saved and loads again: the same layers, with weights from the file."""

from __future__ import annotations

from typing import Any

import libcst as cst

from transpiler.diagnostics import Refusal
from transpiler.evaluate.core import Evaluator, is_known, plain
from transpiler.evaluate.surgery import clone_model
from transpiler.graph.keras import Model
from transpiler.graph.program import Action, Callback
from transpiler.rules.base import bind, params

LOADERS = frozenset(["keras.models.load_model", "keras.saving.load_model"])
_SIGNATURE = params("filepath, custom_objects=None, compile=True, safe_mode=True, options=None")


def note_saved(ev: Evaluator, model: Model, path: cst.CSTNode | None, value: Any) -> None:
    """Remember that a file holds ``model``; files are told apart by their names, or by the code that names them."""
    ev.saved.append((_key(ev, path, value), model))


def note_checkpoints(ev: Evaluator, model: Model, callbacks: list[Any]) -> None:
    """The checkpoints among the callbacks of a ``fit`` save its model."""
    for callback in callbacks:
        if isinstance(callback, Callback) and "filepath" in callback.config:
            value = callback.config["filepath"]
            key = ev.checkpoint_paths.get(id(callback), "")
            ev.saved.append((repr(value) if isinstance(value, str) else key, model))


def path_text(ev: Evaluator, node: cst.Call, keyword: str = "filepath") -> cst.CSTNode | None:
    """The expression that names the file in a call."""
    named = [arg.value for arg in node.args if arg.keyword is not None and arg.keyword.value == keyword]
    by_position = [arg.value for arg in node.args if arg.keyword is None and not arg.star]
    return next(iter((*named, *by_position)), None)


def _key(ev: Evaluator, path: cst.CSTNode | None, value: Any) -> str:
    if isinstance(value, str) and is_known(value):
        return repr(plain(value))
    return ev.source(path) if path is not None else ""


def load_model(ev: Evaluator, args: list[Any], kwargs: dict[str, Any], node: cst.Call) -> Model:
    """``load_model(path)`` of a file that this program wrote."""
    bound = bind("load_model", _SIGNATURE, tuple(args), kwargs)
    wanted = _key(ev, path_text(ev, node), bound["filepath"])
    found = {id(model): model for key, model in ev.saved if key == wanted and key}
    if len(found) != 1:
        raise Refusal(
            "KT302",
            "which model this file holds is not known: this program does not save it under this name",
            "build the model in the program and load its weights with `load_weights`",
        )
    (original,) = found.values()
    made = clone_model(ev, original, node)
    made.origin = original.origin  # what is decided for the one holds for the other
    if bound["compile"] is not False and id(original) in ev.compiled:
        ev.compiled[id(made)] = ev.compiled[id(original)]
    given = {"filepath": bound["filepath"]}
    ev.record(Action("keras.models.load_model", given, ev.span(node), ev.scope.qualified_name, made, node=node))
    return made
