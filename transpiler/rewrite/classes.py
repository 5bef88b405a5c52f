"""The class of each model: rendered, shared with its like, or taken from another file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from transpiler.diagnostics import Refusal
from transpiler.emit.classnames import class_name_for, free_name
from transpiler.emit.describe import model_summary
from transpiler.emit.model import EmitOptions, RenderedModel, render_model
from transpiler.evaluate.core import Creation, Evaluator
from transpiler.evaluate.values import Subclassed
from transpiler.graph.keras import CustomModel, Model
from transpiler.graph.torch import Module, TorchModel
from transpiler.rewrite.disposition import Dispositions
from transpiler.rewrite.project_imports import class_line
from transpiler.rewrite.provided import interface
from transpiler.rewrite.translation import TranslatedModel, Translation, access
from transpiler.rules.lowering import LowerOptions, lower


def render_class(ev: Evaluator, model: Model, memo: Mapping[int, TorchModel], translation: Translation) -> None:
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
    imported = isinstance(model, Subclassed) and ev.scope.names.get(name) is model.cls
    taken = name in ev.program.names and not others and not imported
    if taken or any(found.line != line for found in others):
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


def check_bodies(
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
