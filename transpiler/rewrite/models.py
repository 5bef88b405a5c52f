"""Lowering and rendering all models of a program: one class for each kind of model that it builds."""

from __future__ import annotations

from contextlib import suppress

from transpiler.diagnostics import Refusal
from transpiler.emit.training import TrainingEmitter
from transpiler.evaluate import blame, concerns_home
from transpiler.evaluate.core import Evaluator, FailedDependencyError
from transpiler.evaluate.values import ClassValue
from transpiler.graph.keras import CustomModel, Model
from transpiler.graph.symbolic import UnknownValueError
from transpiler.graph.torch import FIRST, TorchModel
from transpiler.options import Options
from transpiler.rewrite.classes import check_bodies, render_class
from transpiler.rewrite.comments import Comments
from transpiler.rewrite.neighbours import Neighbours
from transpiler.rewrite.provided import find_provided
from transpiler.rewrite.translation import Translation, leaves_of
from transpiler.rules.lowering import LowerOptions, lower, walk_values

_TRAINING = ("keras.Model.fit", "keras.Model.train_on_batch", "keras.Model.fit_generator")


def translate_models(
    ev: Evaluator, filename: str, options: Options, neighbours: Neighbours | None = None
) -> Translation:
    """Lower and render every model; what is refused becomes a diagnostic at the model."""
    neighbours = neighbours or Neighbours()
    wanted = _inner_first([model for model in ev.program.models if concerns_home(ev, model)])
    provided = find_provided(ev, neighbours, wanted)
    memo: dict[int, TorchModel] = {}

    def layouts(model: Model) -> tuple[list[bool], list[bool]]:
        torch_model = memo.get(id(model))
        if torch_model is None:
            return [], []
        inputs = [value.layout == FIRST for value in torch_model.inputs]
        return inputs, [value.layout == FIRST for value in walk_values(torch_model.outputs)]

    given = {key: found.logits for key, (_, found) in provided.items()}
    emitter = TrainingEmitter(ev.program, options, layouts, given)
    translation = Translation(emitter, Comments(ev), filename, neighbours, provided)
    trains = any(a.symbol in _TRAINING or a.args.get("training") is True for a in ev.program.actions)
    lower_options = LowerOptions(
        options.drop_in, frozenset(emitter.logits_models), exact_statistics=trains, toggles=ev.toggles
    )
    if any(isinstance(model, CustomModel) for model in wanted):
        trial = Translation(emitter, Comments(ev), filename, neighbours, provided)
        _settle_sizes(ev, wanted, lower_options, memo, trial)
    translation.layers = _inner_parts(ev, wanted)
    for model in wanted:
        if id(model) in ev.failed_models or model.inputs is None:
            continue
        try:
            lower(model, lower_options, memo)
            _settle_owned(ev, model, memo[id(model)])
            render_class(ev, model, memo, translation)
            if isinstance(model, CustomModel):
                check_bodies(model, lower_options, memo, translation)
        except Refusal as error:
            _report(ev, model, error)
        except UnknownValueError as error:
            _report(ev, model, Refusal("KT201", f"a size must be known when the model is translated: {error}"))
        except FailedDependencyError:
            ev.failed_models.add(id(model))
    return translation


def _inner_parts(ev: Evaluator, models: list[Model]) -> list[Model]:
    """The models that only classes of the program's own make, and its layers: parts of others."""
    methods = {method for model in models if isinstance(model, CustomModel) for method in model.methods}
    acted = {id(action.model) for action in ev.program.actions}
    return [
        model
        for model in models
        if isinstance(model, CustomModel)
        and model.is_layer
        and id(model) not in acted
        or any(id(creation.inside) in methods for creation in ev.creations_of(model))
    ]


def _settle_sizes(
    ev: Evaluator, models: list[Model], options: LowerOptions, memo: dict[int, TorchModel], trial: Translation
) -> None:
    """Render once for nothing: numbers that are found to stand where only their values can are no parameters then.

    Classes hand parameters on to each other, so this must be known of all before the first is printed.
    """
    for model in models:
        if id(model) in ev.failed_models or model.inputs is None:
            continue
        with suppress(Refusal, UnknownValueError, FailedDependencyError):  # told when it is rendered in earnest
            lower(model, options, memo)
            _settle_owned(ev, model, memo[id(model)])
            render_class(ev, model, memo, trial)


def _settle_owned(ev: Evaluator, model: Model, torch_model: TorchModel) -> None:
    """Attributes of an object are parameters where its own methods make the model; elsewhere their value stands."""
    homes = [ev.facts.functions.get(id(creation.inside)) for creation in ev.creations_of(model)]
    classes = {cls.name for f in homes if f is not None and f.owner is not None for cls in _related(ev, f.owner)}
    for leaf in leaves_of(torch_model):
        if leaf.owner and leaf.owner not in classes:
            source = leaf.origin.leaf if leaf.origin is not None else None
            if source is None:
                leaf.structural = True
            else:
                leaf.become(source)


def _related(ev: Evaluator, owner: ClassValue) -> list[ClassValue]:
    """A class and those below it: its methods work on their objects too."""
    return [cls for cls in ev.classes if owner in cls.mro()]


def _report(ev: Evaluator, model: Model, error: Refusal) -> None:
    blame(ev, model, error, getattr(error, "span", None))
    ev.failed_models.add(id(model))


def _inner_first(models: list[Model]) -> list[Model]:
    """Nested models before those that contain them."""
    ordered: dict[int, Model] = {}

    def visit(model: Model) -> None:
        if id(model) in ordered:
            return
        for node in model.nodes:
            if isinstance(node.target, Model):
                visit(node.target)
        ordered[id(model)] = model

    for model in models:
        visit(model)
    return list(ordered.values())
