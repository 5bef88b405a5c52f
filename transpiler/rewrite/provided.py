"""Classes across files: which one another file has for a call of its builder, and which ones this file gives others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import libcst as cst

from transpiler.diagnostics import diagnostic
from transpiler.emit.model import RenderedModel
from transpiler.evaluate.core import Creation, Evaluator
from transpiler.evaluate.values import Function
from transpiler.graph.keras import Model, Span
from transpiler.graph.torch import FIRST, TorchModel
from transpiler.rewrite.disposition import Dispositions
from transpiler.rewrite.neighbours import Neighbours, Provided, Twin
from transpiler.rewrite.signature import signature
from transpiler.rules.lowering import walk_values

if TYPE_CHECKING:
    from transpiler.rewrite.models import TranslatedModel, Translation


def find_provided(ev: Evaluator, neighbours: Neighbours, models: Iterable[Model]) -> dict[int, tuple[Twin, Provided]]:
    """The class that another file has for each model that home has built there."""
    found: dict[int, tuple[Twin, Provided]] = {}
    shown = ev.modules.home.shown if ev.modules.home is not None else ""
    for model in models if neighbours.twins else ():
        for creation in ev.creations_of(model):
            twin = _twin(neighbours, creation.function)
            given = (
                twin.provides(replace(ev.span(creation.node), file=shown), signature(model))
                if twin is not None
                else None
            )
            if twin is not None and given is not None and creation.node in ev.positions:
                found[id(model)] = (twin, given)
    return found


def _twin(neighbours: Neighbours, function: Function | None) -> Twin | None:
    module = function.closure.module.info if function is not None else None
    return neighbours.twins.get(module.path) if module is not None else None


def interface(torch_model: TorchModel, rendered: RenderedModel) -> tuple[object, ...]:
    """What a caller of a class relies on: its parameters, the layouts of what goes in and out, and its state."""
    inputs = tuple(value.layout == FIRST for value in torch_model.inputs)
    outputs = tuple(value.layout == FIRST for value in walk_values(torch_model.outputs))
    return tuple(param.name for param in rendered.params), inputs, outputs, tuple(sorted(rendered.paths.values()))


def provided_to_clients(
    ev: Evaluator, models: Mapping[int, TranslatedModel], written: Iterable[str], logits: Mapping[int, str]
) -> dict[Span, tuple[Provided, ...]]:
    """The classes of home for the calls of its builders in other files, by the call."""
    dispositions, names = Dispositions(ev.facts), set(written)
    found: dict[Span, tuple[Provided, ...]] = {}
    for model in ev.program.models:
        translated = models.get(id(model))
        if translated is None or translated.class_name not in names:
            continue
        for creation in ev.creations_of(model):
            if creation.node in ev.positions or not _is_builder(ev, dispositions, creation):
                continue
            given = Provided(
                translated.class_name,
                signature(model),
                interface(translated.torch, translated.rendered),
                logits.get(id(model)),
            )
            call = ev.span(creation.node)
            found[call] = (*found.get(call, ()), given)
    return found


def _is_builder(ev: Evaluator, dispositions: Dispositions, creation: Creation) -> bool:
    node = creation.function.node if creation.function is not None else None
    return isinstance(node, cst.FunctionDef) and node in ev.positions and dispositions.function(node) == "builder"


def builder_classes(
    ev: Evaluator, models: Mapping[int, TranslatedModel], written: Iterable[str]
) -> dict[str, tuple[str, ...]]:
    """The classes that came in the place of each builder function of home."""
    names = set(written)
    found: dict[str, tuple[str, ...]] = {}
    for model in ev.program.models:
        translated = models.get(id(model))
        for creation in ev.creations_of(model) if translated is not None and translated.class_name in names else ():
            assert translated is not None
            if creation.inside is not None and creation.inside in ev.positions:
                name = creation.inside.name.value
                found[name] = tuple(dict.fromkeys((*found.get(name, ()), translated.class_name)))
    return found


def note_copies(ev: Evaluator, translation: Translation, neighbours: Neighbours) -> None:
    """Say which classes are written into home although another file of the run builds the models."""
    for found in translation.models.values():
        if found.line or found.class_name not in translation.written:
            continue
        for creation in ev.creations_of(found.model):
            module = creation.function.closure.module.info if creation.function is not None else None
            source = module.source if module is not None and module.path in neighbours.along else None
            if source is None or source is ev.modules.home or creation.node not in ev.positions:
                continue
            span = ev.span(creation.node)
            message = (
                f"the class `{found.class_name}` is written here: the translation of {source.shown} has none like it"
            )
            ev.diagnostics.append(diagnostic("KT403", message, span.line, span.column + 1))
