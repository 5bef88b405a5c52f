"""What ``--verify`` needs to know of a translation: the sliced source, and where each model is made in it."""

from __future__ import annotations

import ast
from typing import Any

from transpiler.evaluate.core import Evaluator
from transpiler.evaluate.values import ClassValue, Function
from transpiler.graph.keras import CustomModel, Model
from transpiler.graph.symbolic import Expr
from transpiler.graph.torch import FIRST
from transpiler.result import ELSEWHERE, Building, BuiltModel
from transpiler.rewrite.models import TranslatedModel, Translation
from transpiler.rewrite.slicing import Slicer
from transpiler.rules.lowering import walk_values


def building_of(ev: Evaluator, translation: Translation, entries: tuple[str, ...]) -> Building:
    """Slice the program and describe its models, those that could not be translated too."""
    order = {id(model): index for index, model in enumerate(translation.summarised())}
    sites = _sites(ev)
    models = []
    for model in ev.program.models:
        place = _place(ev, model, sites)
        if place is not None and not (isinstance(model, CustomModel) and model.is_layer):
            found, line = translation.models.get(id(model)), _line(ev, model)
            models.append(_describe(model, found, order.get(id(model)), place, line))
    extra = {name for model in models for text in model.arguments.values() for name in _names(text)}
    source = Slicer(ev, sites, extra).module(ev.module, _calls(ev, entries))
    return Building(source, tuple(models))


def _sites(ev: Evaluator) -> dict[int, int]:
    """Numbers for the expressions that make models, in the order they were met."""
    raw = [
        key
        for key, found in ev.facts.creations.items()
        if any(c.function is None and c.node in ev.positions for c in found)
    ]
    return {key: number for number, key in enumerate(raw)}


def _place(ev: Evaluator, model: Model, sites: dict[int, int]) -> tuple[int, int, int] | None:
    """Which expression makes a model: its number, which of its results it is, and how many it has.

    ``ELSEWHERE`` if the program has another file make it.
    """
    for key, creations in ev.facts.creations.items():
        if key not in sites:
            continue
        own = [creation for creation in creations if creation.function is None]
        for turn, creation in enumerate(own):
            if creation.model is model:
                return sites[key], turn, len(own)
    here = any(creation.node in ev.positions for creation in ev.creations_of(model))
    return (ELSEWHERE, 0, 0) if here else None


def _line(ev: Evaluator, model: Model) -> int:
    """Where a model is made, or the file that makes it is called."""
    if not model.origin.span.file:
        return model.origin.span.line
    here = [creation.node for creation in ev.creations_of(model) if creation.node in ev.positions]
    return ev.span(here[0]).line if here else 1


def _describe(
    model: Model, found: TranslatedModel | None, index: int | None, place: tuple[int, int, int], line: int
) -> BuiltModel:
    constructor = "" if found is None else found.construct(False)
    torch_model = found.torch if found is not None else None
    return BuiltModel(
        name=model.hint or model.builder or model.name,
        line=line,
        site=place,
        summary=index,
        class_name="" if found is None else found.class_name,
        arguments=_arguments(constructor),
        reference=model.reference,
        inputs=tuple(_sizes(t.spec.shape) for t in model.input_tensors()) if model.inputs is not None else (),
        dtypes=tuple(t.spec.dtype for t in model.input_tensors()) if model.inputs is not None else (),
        inputs_first=tuple(v.layout == FIRST for v in torch_model.inputs) if torch_model else (),
        outputs_first=tuple(v.layout == FIRST for v in walk_values(torch_model.outputs)) if torch_model else (),
        final_activation=torch_model.final_activation if torch_model else None,
    )


def _arguments(constructor: str) -> dict[str, str]:
    """The keyword arguments of a constructor call, as text."""
    if not constructor:
        return {}
    call = ast.parse(constructor, mode="eval").body
    assert isinstance(call, ast.Call)
    return {str(keyword.arg): ast.unparse(keyword.value) for keyword in call.keywords}


def _names(text: str) -> set[str]:
    return {node.id for node in ast.walk(ast.parse(text, mode="eval")) if isinstance(node, ast.Name)}


def _sizes(shape: tuple[Any, ...]) -> tuple[int | None, ...]:
    known = (dim.value if isinstance(dim, Expr) else dim for dim in shape)
    return tuple(dim if isinstance(dim, int) else None for dim in known)


# -- builders that nothing calls --------------------------------------------------------------------------------------
def _calls(ev: Evaluator, entries: tuple[str, ...]) -> list[str]:
    """Lines at the end of the slice: the chosen calls, and the builders that the program itself does not call."""
    inside = {id(c.inside) for found in ev.facts.creations.values() for c in found if c.inside is not None}
    lines = [f"__run__(lambda: {entry})" for entry in entries]
    alone = [f for f in ev.facts.functions.values() if f.calls == 1 and id(f.node) in inside and f.node in ev.positions]
    for function in alone:
        if _never_called(ev, function) and (text := _path(ev, function)):
            lines.append(f"__alone__({_rank(ev, function)}, {text})")
    return lines


def _rank(ev: Evaluator, function: Function) -> int:
    """The rank of the first input of the models that a function makes; 0 where it is open."""
    for model in ev.program.models:
        if model.inputs is not None and any(c.inside is function.node for c in ev.creations_of(model)):
            return len(model.input_tensors()[0].spec.shape)
    return 0


def _never_called(ev: Evaluator, function: Function) -> bool:
    """Whether the evaluator's own trace was the only call: nothing of the program's was being called then."""
    frames = [m.origin.frames for m in ev.program.models if m.origin.frames]
    spans = {frame.span for way in frames for frame in way if frame.kind == "call" and frame.name == function.name}
    return spans <= {ev.span(function.node)}


def _path(ev: Evaluator, function: Function) -> str:
    """How to reach a function from the module: ``name``, or ``Class, "name"`` for a method."""
    name: str = function.name
    if function.closure.parent is None and ev.scope.names.get(name) is function:
        return name
    for cls in ev.classes:
        if function in cls.attributes.values() and isinstance(ev.scope.names.get(cls.name), ClassValue):
            return f"{cls.name}, {name!r}"
    return ""


__all__ = ["building_of"]
