"""Lowering and rendering all models of a program: one class for each kind of model that it builds."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from transpiler.diagnostics import Refusal
from transpiler.emit.classnames import class_name_for, free_name
from transpiler.emit.code import literal
from transpiler.emit.describe import model_summary
from transpiler.emit.model import EmitOptions, RenderedModel, render_init_weights, render_model
from transpiler.emit.parameters import given_arguments, number_of
from transpiler.emit.training import TrainingEmitter
from transpiler.evaluate import blame, concerns_home
from transpiler.evaluate.core import Creation, Evaluator, FailedDependencyError
from transpiler.evaluate.values import ClassValue, Subclassed
from transpiler.graph.keras import CustomModel, Layer, Model, walk_tensors
from transpiler.graph.symbolic import Expr, Leaf, UnknownValueError
from transpiler.graph.torch import FIRST, Module, TorchModel
from transpiler.options import Options
from transpiler.result import ModelSummary
from transpiler.rewrite.comments import Comments
from transpiler.rewrite.disposition import Dispositions
from transpiler.rewrite.freezing import access
from transpiler.rewrite.neighbours import Neighbours, Provided, Twin
from transpiler.rewrite.program import ModelCode
from transpiler.rewrite.project_imports import class_line
from transpiler.rewrite.provided import find_provided, interface
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
    line: str = ""  # the import of the class, where another translated file has it

    def construct(self, outside: bool) -> str:
        """The constructor call; ``outside`` where the source called the builder function."""
        if isinstance(self.model, CustomModel):
            return self._construct_custom(outside)
        leaves = {leaf.name: leaf for leaf in _leaves(self.torch)}
        given = []
        for parameter in self.rendered.params:
            leaf = leaves.get(parameter.name)
            source = parameter.source if leaf is None else leaf.source if outside else leaf.inside
            if source:
                given.append(f"{parameter.name}={source}")
        return f"{self.class_name}({', '.join(given)})"

    def _construct_custom(self, outside: bool) -> str:
        """The constructor call of a class of the program's own, with the arguments that the source gave."""

        def text(leaf: Leaf) -> str:
            return (leaf.source if outside else leaf.inside) or leaf.name

        given = given_arguments(self.torch).items()
        return f"{self.class_name}({', '.join(f'{name}={literal(number_of(value), text)}' for name, value in given)})"

    def leaves(self) -> list[Leaf]:
        """The numbers behind the arguments of the constructor call."""
        return _given_leaves(self.torch) if isinstance(self.model, CustomModel) else _leaves(self.torch)

    def parts(self) -> tuple[int, ...]:
        """The identities of the objects of the program's own classes that its class makes."""
        sources = (module.subgraph.source for module in self.torch.modules() if module.subgraph is not None)
        return tuple(id(source) for source in sources if isinstance(source, CustomModel))

    def nested(self) -> tuple[int, ...]:
        """The identities of the networks of `keras.applications` in it."""
        sources = (module.subgraph.source for module in self.torch.modules() if module.subgraph is not None)
        return tuple(id(source) for source in sources if source.application is not None)

    def loose(self) -> tuple[str, ...]:
        """The values of parameters that only the file which builds the model knows."""
        names = {parameter.name for parameter in self.rendered.params}
        custom = isinstance(self.model, CustomModel)
        found = (leaf for leaf in self.leaves() if (custom or leaf.name in names) and leaf.scope == "local")
        return tuple(leaf.source or leaf.name for leaf in found if not leaf.parameter and not leaf.here)


def _leaves(torch_model: TorchModel) -> list[Leaf]:
    """The leaves of all numbers in the modules' arguments."""
    found: list[Leaf] = []
    for module in torch_model.modules():
        if module.subgraph is not None and isinstance(module.subgraph.source, CustomModel):
            found += _given_leaves(module.subgraph)
        found += _leaves_in(list(module.args))
        found += _leaves_in(list(module.kwargs.values()))
    return found


def _given_leaves(torch_model: TorchModel) -> list[Leaf]:
    """The leaves of the arguments that the constructor of a program's own class is given."""
    return _leaves_in([number_of(value) for value in given_arguments(torch_model).values()])


def _leaves_in(value: Any) -> list[Leaf]:
    if isinstance(value, Expr):
        return list(value.leaves())
    if isinstance(value, (list, tuple)):
        return [leaf for item in value for leaf in _leaves_in(item)]
    return []


@dataclass(eq=False)
class Translation:
    """All models of a program, and what their classes need in the file."""

    emitter: TrainingEmitter
    comments: Comments
    filename: str = ""
    neighbours: Neighbours = field(default_factory=Neighbours)
    provided: dict[int, tuple[Twin, Provided]] = field(default_factory=dict)  # by model: the class of another file
    models: dict[int, TranslatedModel] = field(default_factory=dict)
    written: frozenset[str] = frozenset()  # the classes that the output has

    def codes(self) -> dict[int, ModelCode]:
        """What the rewriter needs, by the identity of the model."""
        return {
            key: ModelCode(
                found.class_name,
                found.rendered.code,
                found.leaves(),
                partial(self._constructed, found),
                bool(found.line),
                found.loose(),
                isinstance(found.model, Subclassed) and found.model.cls.node not in self.comments.ev.positions,
                found.parts(),
                found.nested(),
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

    def _own(self) -> list[TranslatedModel]:
        """The models whose classes the output has."""
        return [found for found in self.models.values() if not found.line and found.class_name in self.written]

    def helpers(self) -> list[str]:
        """The helper templates that the classes need, in order, each once."""
        return list(dict.fromkeys(name for found in self._own() for name in found.rendered.helpers))

    def imports(self) -> set[str]:
        """The import lines that the classes need."""
        lines = {found.line for found in self.models.values() if found.line}
        return lines | {line for found in self._own() for line in found.rendered.imports}

    def paths(self) -> dict[int, str]:
        """The attribute path of every module of every model, by identity."""
        return {key: path for found in self.models.values() for key, path in found.rendered.paths.items()}

    def init_weights(self) -> str:
        """The helper that initialises weights as Keras does, or nothing."""
        kinds = {kind for found in self._own() for kind in found.rendered.init_kinds}
        return render_init_weights(kinds) if kinds else ""

    def summaries(self) -> tuple[ModelSummary, ...]:
        """The public description of every model."""
        return tuple(_summary(self.models[id(model)], self) for model in self.summarised())

    def summarised(self) -> list[Model]:
        """The models that the public description has: not the program's own layers, which are parts of models."""
        models = [found.model for found in self.models.values()]
        return [model for model in models if not (isinstance(model, CustomModel) and model.is_layer)] or models


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
    trains = any(action.symbol in _TRAINING for action in ev.program.actions)
    lower_options = LowerOptions(
        options.drop_in, frozenset(emitter.logits_models), exact_statistics=trains, toggles=ev.toggles
    )
    if any(isinstance(model, CustomModel) for model in wanted):
        trial = Translation(emitter, Comments(ev), filename, neighbours, provided)
        _settle_sizes(ev, wanted, lower_options, memo, trial)
    for model in wanted:
        if id(model) in ev.failed_models or model.inputs is None:
            continue
        try:
            lower(model, lower_options, memo)
            _settle_owned(ev, model, memo[id(model)])
            _render(ev, model, memo, translation)
            if isinstance(model, CustomModel):
                _check_bodies(model, lower_options, memo, translation)
        except Refusal as error:
            _report(ev, model, error)
        except UnknownValueError as error:
            _report(ev, model, Refusal("KT201", f"a size must be known when the model is translated: {error}"))
        except FailedDependencyError:
            ev.failed_models.add(id(model))
    return translation


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
            _render(ev, model, memo, trial)


def _settle_owned(ev: Evaluator, model: Model, torch_model: TorchModel) -> None:
    """Attributes of an object are parameters where its own methods make the model; elsewhere their value stands."""
    homes = [ev.facts.functions.get(id(creation.inside)) for creation in ev.creations_of(model)]
    classes = {cls.name for f in homes if f is not None and f.owner is not None for cls in _related(ev, f.owner)}
    for leaf in _leaves(torch_model):
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


def _render(ev: Evaluator, model: Model, memo: Mapping[int, TorchModel], translation: Translation) -> None:
    """Render a model's class; a class with the same text is shared."""
    torch_model = memo[id(model)]
    taken = {found.class_name for found in translation.models.values()}
    submodels = {id(found.torch): found.class_name for found in translation.models.values()}
    wanted = _wanted_name(ev, model, translation.filename)
    instances = _instances(ev, model, memo)
    instances |= _shared_modules(model, torch_model, translation) | _adapted(model, instances, memo)
    emit = EmitOptions(instances=instances, pretrained=_nested_weights(torch_model, instances, translation))
    notes = translation.comments
    summary = _told(ev, model)

    def render(name: str) -> RenderedModel:
        return render_model(torch_model, name, docstring=summary, submodels=submodels, options=emit)

    given = notes.attach(torch_model)
    rendered = render(wanted)
    if _shares(model, torch_model, wanted, rendered, translation):
        return
    if (known := _provided(ev, model, torch_model, rendered, translation)) is not None:
        translation.models[id(model)] = known
        return
    if given & notes.done:
        given = notes.attach(torch_model, taken=notes.done)
        rendered = render(wanted)
        if _shares(model, torch_model, wanted, rendered, translation):
            return
    own = {wanted} if isinstance(model, CustomModel) else set()
    name = free_name(wanted, taken, ev.program.names - own)
    if name != wanted:
        rendered = render(name)
    notes.done |= given
    translation.models[id(model)] = TranslatedModel(model, torch_model, name, rendered)


def _shares(
    model: Model, torch_model: TorchModel, wanted: str, rendered: RenderedModel, translation: Translation
) -> bool:
    """Whether an earlier model's class is the same: then it is shared."""
    for found in translation.models.values():
        if not found.line and id(model) not in translation.provided and _same_class(found, wanted, rendered):
            translation.models[id(model)] = TranslatedModel(model, torch_model, found.class_name, rendered)
            return True
    return False


def _wanted_name(ev: Evaluator, model: Model, filename: str) -> str:
    """What a class should be called: the program's own name, or one after the file whose code makes the model."""
    if isinstance(model, CustomModel):
        return model.class_name
    return class_name_for(model, model.origin.span.file or filename)


def _provided(
    ev: Evaluator, model: Model, torch_model: TorchModel, rendered: RenderedModel, translation: Translation
) -> TranslatedModel | None:
    """The model with the class of another translated file, if that is the same."""
    twin, given = translation.provided.get(id(model), (None, None))
    if twin is None or given is None or given.interface != interface(torch_model, rendered):
        return None
    folders = translation.neighbours.folders
    line = class_line(ev, twin, given.class_name, given.class_name, folders)
    others = [found for found in translation.models.values() if found.class_name == given.class_name]
    name = given.class_name
    if any(found.line != line for found in others) or name in ev.program.names and not others:
        name = free_name(name, {found.class_name for found in translation.models.values()}, ev.program.names)
        line = class_line(ev, twin, given.class_name, name, folders)
    return TranslatedModel(model, torch_model, name, rendered, line)


def _told(ev: Evaluator, model: Model) -> str:
    """What is known of a model for its docstring."""
    if model.application is not None:
        return f"{model.application.rpartition('.')[2]} as in keras.applications."
    return model.docstring if isinstance(model, CustomModel) else _builder_summary(ev, model)


def _nested_weights(torch_model: TorchModel, instances: Mapping[int, str], translation: Translation) -> dict[int, str]:
    """How the networks with pretrained weights that a class makes itself get these."""
    inner = [module.subgraph for module in torch_model.modules() if module.subgraph is not None]
    own = [graph for graph in inner if graph.source.pretrained is not None and id(graph) not in instances]
    return {id(graph): translation.with_weights(graph.source) for graph in own}


def _builder_summary(ev: Evaluator, model: Model) -> str:
    """What the docstring of the builder that the class takes the place of says of the model."""
    dispositions = Dispositions(ev.facts)
    for creation in ev.creations_of(model):
        node = creation.inside
        if node is not None and dispositions.function(node) == "builder":
            names = [param.name.value for param in (*node.params.params, *node.params.kwonly_params)]
            return model_summary(node.get_docstring() or "", names)
    return ""


def _check_bodies(
    model: CustomModel, options: LowerOptions, memo: dict[int, TorchModel], translation: Translation
) -> None:
    """All calls of one object must need the same code."""
    name = translation.models[id(model)].class_name
    submodels = {id(each.torch): each.class_name for each in translation.models.values()}

    def code(body: Model) -> str:
        graph = replace(lower(body, options, memo), source=model)
        return render_model(graph, name, docstring=model.docstring, submodels=submodels).code

    if len(model.bodies) > 1 and len({code(body) for body in model.bodies}) > 1:
        del translation.models[id(model)]
        raise Refusal("KT105", f"`{model.class_name}` is called in ways that need different code")


def _instances(ev: Evaluator, model: Model, memo: Mapping[int, TorchModel]) -> dict[int, str]:
    """Nested models that the output builds by statements of their own: they are handed in, so that both share them."""
    dispositions = Dispositions(ev.facts)
    found: dict[int, str] = {}
    for node in model.nodes:
        nested = node.target
        if not isinstance(nested, Model) or nested.reference is None or _is_own_part(ev, model, nested):
            continue
        if not _vanishes_with(dispositions, ev.creations_of(nested), ev.creations_of(model)):
            found[id(memo[id(nested)])] = nested.reference
    return found


def _adapted(model: Model, instances: Mapping[int, str], memo: Mapping[int, TorchModel]) -> dict[int, str]:
    """Modules of layers that learned from data by ``adapt``: they are made where that stood, and handed in."""
    found = _adapted_in(memo[id(model)])
    for node in model.nodes:
        nested = memo.get(id(node.target)) if isinstance(node.target, Model) else None
        if nested is not None and id(nested) not in instances and _adapted_in(nested):
            raise Refusal("KT105", "an adapted layer in a model that is part of another is not translated here")
    return found


def _adapted_in(torch_model: TorchModel) -> dict[int, str]:
    modules = (module for module in torch_model.modules() if module.layer is not None)
    return {id(m): m.layer.config["adapted"] for m in modules if m.layer and "adapted" in m.layer.config}


def _is_own_part(ev: Evaluator, model: Model, nested: Model) -> bool:
    """Whether the nested model is made by the class of the one around it, or as part of the same expression."""
    if isinstance(nested, CustomModel) and nested.is_layer and not isinstance(model, CustomModel):
        return not any(action.model is nested for action in ev.program.actions)
    if not isinstance(model, CustomModel):
        return False
    homes = {id(creation.inside) for creation in ev.creations_of(nested)}
    return bool(homes & model.methods)


def _shared_modules(model: Model, torch_model: TorchModel, translation: Translation) -> dict[int, str]:
    """Modules of layers that an earlier model holds already: they are handed in, so that both share the weights."""
    found: dict[int, str] = {}
    for module in torch_model.modules():
        own = module.weights if module.layer is not None else _is_weighted_layer(module)
        if not own or module.layer is not None and "adapted" in module.layer.config:
            continue
        for other in translation.models.values():
            owned = _module_of(other, module)
            if owned is None:
                continue
            custom = isinstance(model, CustomModel) or isinstance(other.model, CustomModel)
            name = module.layer.name if module.layer is not None else owned.subgraph.source.name  # type: ignore[union-attr]
            if custom or other.model.reference is None or owned.cls != module.cls or owned.weights != module.weights:
                raise Refusal("KT105", f"sharing the layer `{name}` between these models is not translated")
            found[id(module)] = other.model.reference + access(other.rendered.paths[id(owned)])
            break
    return found


def _module_of(owner: TranslatedModel, module: Module) -> Module | None:
    """The module of ``owner`` for the same layer."""
    for own in owner.torch.modules():
        if module.layer is None and own.subgraph is module.subgraph:
            return own
        if module.layer is not None and own.layer is module.layer and own.suffix == module.suffix:
            return own
    return None


def _is_weighted_layer(module: Module) -> bool:
    """Whether a module is a layer of the program's own with weights in it."""
    inner = module.subgraph
    return inner is not None and isinstance(inner.source, CustomModel) and inner.source.is_layer and _has_weights(inner)


def _has_weights(model: TorchModel) -> bool:
    return any(m.weights or m.subgraph is not None and _has_weights(m.subgraph) for m in model.modules())


def _vanishes_with(dispositions: Dispositions, nested: list[Creation], outer: list[Creation]) -> bool:
    """Whether both models are made in the body of one builder function that becomes the outer one's class."""
    homes = {id(c.inside) for c in outer if c.inside is not None and dispositions.function(c.inside) != "keep"}
    return any(id(creation.inside) in homes for creation in nested)


def _same_class(found: TranslatedModel, wanted: str, rendered: RenderedModel) -> bool:
    return found.rendered.code.replace(f"class {found.class_name}(", f"class {wanted}(", 1) == rendered.code


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
