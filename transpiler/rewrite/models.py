"""Lowering and rendering all models of a program: one class for each kind of model that it builds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from transpiler.diagnostics import Refusal, diagnostic
from transpiler.emit.classnames import class_name_for
from transpiler.emit.model import EmitOptions, RenderedModel, render_init_weights, render_model
from transpiler.emit.training import TrainingEmitter
from transpiler.evaluate.core import Creation, Evaluator, FailedDependencyError
from transpiler.evaluate.values import ClassValue
from transpiler.graph.keras import Layer, Model, walk_tensors
from transpiler.graph.symbolic import Expr, Leaf, UnknownValueError
from transpiler.graph.torch import FIRST, Module, TorchModel
from transpiler.options import Options
from transpiler.result import ModelSummary
from transpiler.rewrite.disposition import Dispositions
from transpiler.rewrite.freezing import access
from transpiler.rewrite.program import ModelCode
from transpiler.rules.lowering import LowerOptions, lower, walk_values
from transpiler.weights.spec import build_weight_spec

_TRAINING = ("keras.Model.fit", "keras.Model.train_on_batch", "keras.Model.fit_generator")


@dataclass(eq=False)
class TranslatedModel:
    """One model: its graphs, its class, and how its class is constructed."""

    model: Model
    torch: TorchModel
    class_name: str
    rendered: RenderedModel

    def construct(self, outside: bool) -> str:
        """The constructor call; ``outside`` where the source called the builder function."""
        leaves = {leaf.name: leaf for leaf in _leaves(self.torch)}
        given = []
        for parameter in self.rendered.params:
            leaf = leaves.get(parameter.name)
            source = parameter.source if leaf is None else leaf.source if outside else leaf.inside
            if source:
                given.append(f"{parameter.name}={source}")
        return f"{self.class_name}({', '.join(given)})"


def _leaves(torch_model: TorchModel) -> list[Leaf]:
    """The leaves of all numbers in the modules' arguments."""
    found: list[Leaf] = []

    def collect(value: Any) -> None:
        if isinstance(value, Expr):
            found.extend(value.leaves())
        elif isinstance(value, (list, tuple)):
            for item in value:
                collect(item)

    for module in torch_model.modules():
        collect(list(module.args))
        collect(list(module.kwargs.values()))
    return found


@dataclass(eq=False)
class Translation:
    """All models of a program, and what their classes need in the file."""

    emitter: TrainingEmitter
    models: dict[int, TranslatedModel] = field(default_factory=dict)

    def codes(self) -> dict[int, ModelCode]:
        """What the rewriter needs, by the identity of the model."""
        return {
            key: ModelCode(
                found.class_name,
                found.rendered.code,
                _leaves(found.torch),
                partial(self._constructed, found),
                [id(module.subgraph.source) for module in found.torch.modules() if module.subgraph is not None],
            )
            for key, found in self.models.items()
        }

    def _constructed(self, found: TranslatedModel, outside: bool) -> str:
        return self.with_weights(found.model).format(found.construct(outside))

    def with_weights(self, model: Model) -> str:
        """How a model gets the weights that it starts with: a text with ``{}`` for its constructor."""
        if model.pretrained is None:
            return "{}"
        return f"{self.emitter.helpers_used.use('load_pretrained')}({{}}, {model.pretrained.path!r})"

    def helpers(self) -> list[str]:
        """The helper templates that the classes need, in order, each once."""
        return list(dict.fromkeys(name for found in self.models.values() for name in found.rendered.helpers))

    def imports(self) -> set[str]:
        """The import lines that the classes need."""
        return {line for found in self.models.values() for line in found.rendered.imports}

    def paths(self) -> dict[int, str]:
        """The attribute path of every module of every model, by identity."""
        return {key: path for found in self.models.values() for key, path in found.rendered.paths.items()}

    def init_weights(self) -> str:
        """The helper that initialises weights as Keras does, or nothing."""
        kinds = {kind for found in self.models.values() for kind in found.rendered.init_kinds}
        return render_init_weights(kinds) if kinds else ""

    def summaries(self) -> tuple[ModelSummary, ...]:
        """The public description of every model."""
        return tuple(_summary(found, self) for found in self.models.values())


def translate_models(ev: Evaluator, filename: str, options: Options) -> Translation:
    """Lower and render every model; what is refused becomes a diagnostic at the model."""
    memo: dict[int, TorchModel] = {}

    def layouts(model: Model) -> tuple[list[bool], list[bool]]:
        torch_model = memo.get(id(model))
        if torch_model is None:
            return [], []
        inputs = [value.layout == FIRST for value in torch_model.inputs]
        return inputs, [value.layout == FIRST for value in walk_values(torch_model.outputs)]

    emitter = TrainingEmitter(ev.program, options, layouts)
    translation = Translation(emitter)
    trains = any(action.symbol in _TRAINING for action in ev.program.actions)
    lower_options = LowerOptions(
        options.drop_in, frozenset(emitter.logits_models), exact_statistics=trains, toggles=ev.toggles
    )
    for model in _inner_first(ev.program.models):
        if id(model) in ev.failed_models or model.inputs is None:
            continue
        try:
            lower(model, lower_options, memo)
            _settle_owned(ev, model, memo[id(model)])
            _render(ev, model, memo, translation, filename)
        except Refusal as error:
            _report(ev, model, error)
        except UnknownValueError as error:
            _report(ev, model, Refusal("KT201", f"a size must be known when the model is translated: {error}"))
        except FailedDependencyError:
            ev.failed_models.add(id(model))
    return translation


def _settle_owned(ev: Evaluator, model: Model, torch_model: TorchModel) -> None:
    """Attributes of an object are parameters where its own methods make the model; elsewhere their value stands."""
    homes = [ev.facts.functions.get(id(creation.inside)) for creation in ev.creations_of(model)]
    classes = {cls.name for f in homes if f is not None and f.owner is not None for cls in _related(ev, f.owner)}
    for leaf in _leaves(torch_model):
        if leaf.owner and leaf.owner not in classes:
            leaf.structural = True


def _related(ev: Evaluator, owner: ClassValue) -> list[ClassValue]:
    """A class and those below it: its methods work on their objects too."""
    return [cls for cls in ev.classes if owner in cls.mro()]


def _report(ev: Evaluator, model: Model, error: Refusal) -> None:
    span = getattr(error, "span", None) or model.origin.span
    found = diagnostic(error.code, error.message, span.line, span.column + 1, hint=error.hint)
    if found not in ev.diagnostics:
        ev.diagnostics.append(found)
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


def _render(
    ev: Evaluator, model: Model, memo: Mapping[int, TorchModel], translation: Translation, filename: str
) -> None:
    """Render a model's class; a class with the same text is shared."""
    torch_model = memo[id(model)]
    taken = {found.class_name for found in translation.models.values()}
    submodels = {id(found.torch): found.class_name for found in translation.models.values()}
    wanted = class_name_for(model, filename)
    instances = _instances(ev, model, memo) | _shared_modules(model, torch_model, translation)
    pretrained = _nested_weights(torch_model, instances, translation)
    emit = EmitOptions(instances=instances, pretrained=pretrained)
    told = f"{model.application.rpartition('.')[2]} as in keras.applications." if model.application else ""
    rendered = render_model(torch_model, wanted, docstring=told, submodels=submodels, options=emit)
    for found in translation.models.values():
        if _same_class(found, wanted, rendered):
            translation.models[id(model)] = TranslatedModel(model, torch_model, found.class_name, rendered)
            return
    name = _free(wanted, taken | ev.program.names)
    if name != wanted:
        rendered = render_model(torch_model, name, docstring=told, submodels=submodels, options=emit)
    translation.models[id(model)] = TranslatedModel(model, torch_model, name, rendered)


def _nested_weights(torch_model: TorchModel, instances: Mapping[int, str], translation: Translation) -> dict[int, str]:
    """How the networks with pretrained weights that a class makes itself get these."""
    inner = [module.subgraph for module in torch_model.modules() if module.subgraph is not None]
    own = [graph for graph in inner if graph.source.pretrained is not None and id(graph) not in instances]
    return {id(graph): translation.with_weights(graph.source) for graph in own}


def _instances(ev: Evaluator, model: Model, memo: Mapping[int, TorchModel]) -> dict[int, str]:
    """Nested models that the output builds by statements of their own: they are handed in, so that both share them."""
    dispositions = Dispositions(ev.facts)
    found: dict[int, str] = {}
    for node in model.nodes:
        nested = node.target
        if not isinstance(nested, Model) or nested.reference is None:
            continue
        if not _vanishes_with(dispositions, ev.creations_of(nested), ev.creations_of(model)):
            found[id(memo[id(nested)])] = nested.reference
    return found


def _shared_modules(model: Model, torch_model: TorchModel, translation: Translation) -> dict[int, str]:
    """Modules of layers that an earlier model holds already: they are handed in, so that both share the weights."""
    found: dict[int, str] = {}
    for module in torch_model.modules():
        if module.layer is None or not module.weights:
            continue
        for other in translation.models.values():
            owned = _module_of(other, module)
            if owned is None:
                continue
            if other.model.reference is None or owned.cls != module.cls or owned.weights != module.weights:
                raise Refusal(
                    "KT105", f"sharing the layer `{module.layer.name}` between these models is not translated"
                )
            found[id(module)] = other.model.reference + access(other.rendered.paths[id(owned)])
            break
    return found


def _module_of(owner: TranslatedModel, module: Module) -> Module | None:
    """The module of ``owner`` for the same layer."""
    for own in owner.torch.modules():
        if own.layer is module.layer and own.suffix == module.suffix:
            return own
    return None


def _vanishes_with(dispositions: Dispositions, nested: list[Creation], outer: list[Creation]) -> bool:
    """Whether both models are made in the body of one builder function that becomes the outer one's class."""
    homes = {id(c.inside) for c in outer if c.inside is not None and dispositions.function(c.inside) != "keep"}
    return any(id(creation.inside) in homes for creation in nested)


def _same_class(found: TranslatedModel, wanted: str, rendered: RenderedModel) -> bool:
    return found.rendered.code.replace(f"class {found.class_name}(", f"class {wanted}(", 1) == rendered.code


def _free(name: str, taken: set[str]) -> str:
    number, result = 2, name
    while result in taken:
        result, number = f"{name}{'_' if name[-1].isdigit() else ''}{number}", number + 1
    return result


def _summary(found: TranslatedModel, translation: Translation) -> ModelSummary:
    model = found.model
    paths = found.rendered.paths
    modules = {id(m.layer): paths.get(id(m), "") for m in found.torch.modules() if m.layer is not None}
    aliases = tuple(
        dict.fromkeys(name for name in (model.name if model.explicit_name else None, model.builder) if name)
    )
    return ModelSummary(
        name=model.hint or model.name,
        class_name=found.class_name,
        constructor=found.construct(True),
        inputs=tuple(_tensor(t.name or t.hint, t.spec.shape, t.spec.dtype) for t in model.input_tensors()),
        outputs=tuple(_tensor(t.name or t.hint, t.spec.shape, t.spec.dtype) for t in walk_tensors(model.outputs)),
        layers=tuple(_layer(layer, modules) for layer in model.layers),
        aliases=aliases,
        weights=build_weight_spec(model, found.torch, translation.paths()),
    )


def _tensor(name: str | None, shape: tuple[Any, ...], dtype: str) -> dict[str, Any]:
    return {"name": name, "shape": [d if d is None or isinstance(d, int) else str(d) for d in shape], "dtype": dtype}


def _layer(layer: Layer | Model, modules: Mapping[int, str]) -> dict[str, Any]:
    kind = layer.symbol.rpartition(".")[2] if isinstance(layer, Layer) else layer.kind.capitalize()
    return {"name": layer.name, "type": kind, "module": modules.get(id(layer), "")}
