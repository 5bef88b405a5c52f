"""The models of a program with their classes, and what these need in the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from transpiler.emit.code import literal
from transpiler.emit.model import RenderedModel, render_init_weights
from transpiler.emit.parameters import given_arguments, number_of
from transpiler.emit.training import TrainingEmitter
from transpiler.evaluate.values import Subclassed
from transpiler.graph.keras import CustomModel, Layer, Model, walk_tensors
from transpiler.graph.symbolic import Expr, Leaf
from transpiler.graph.torch import TorchModel
from transpiler.result import ModelSummary
from transpiler.rewrite.comments import Comments
from transpiler.rewrite.neighbours import Neighbours, Provided, Twin
from transpiler.rewrite.state import ModelCode
from transpiler.weights.spec import build_weight_spec


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
        leaves = {leaf.name: leaf for leaf in leaves_of(self.torch)}
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
        return _given_leaves(self.torch) if isinstance(self.model, CustomModel) else leaves_of(self.torch)

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


def leaves_of(torch_model: TorchModel) -> list[Leaf]:
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
    layers: list[Model] = field(default_factory=list)  # what only classes of the program's own make: parts of models

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
        """The models that the public description has: not those that are only parts of others."""
        models = [found.model for found in self.models.values()]
        return [model for model in models if model not in self.layers] or models


def access(path: str) -> str:
    """``features.0`` → ``.features[0]``."""
    return "".join(f"[{part}]" if part.isdigit() else f".{part}" for part in path.split("."))


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
