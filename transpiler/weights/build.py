"""From the two graphs of a model to the plain description of its weights."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from transpiler.diagnostics import Refusal
from transpiler.graph.keras import CustomModel, Layer, Model, Node, walk_tensors
from transpiler.graph.torch import Module, TorchModel, WeightMap, WeightOp, WeightRef
from transpiler.rules.base import LAYERS, WeightSpec
from transpiler.weights.custom import SavedParts, own_variables
from transpiler.weights.sizes import plain_size
from transpiler.weights.spec import LayerEntry, ModelWeights, Place, Source, StateEntry, Variable, sublayer_rank

_COUNTED = re.compile(r"nn\.(Lazy|Sync)?BatchNorm(\dd)?$")  # modules that count the batches they have seen
_INPUT_NAMES = ("inputs", "query", "value", "key")  # arguments of a call that a layer's variables may depend on


@dataclass
class _Home:
    """Where a layer's variables are: the place of an entry, and the attributes that lead from there to the layer."""

    place: Place
    path: tuple[str, ...] = ()


@dataclass
class SpecBuilder:
    """Builds one :class:`ModelWeights`."""

    model: Model
    paths: Mapping[int, Any]
    homes: dict[int, _Home] = field(default_factory=dict)
    refs: dict[Place, list[tuple[str, ...]]] = field(default_factory=dict)
    found: dict[tuple[Place, tuple[str, ...]], int] = field(default_factory=dict)
    calls: dict[int, Node] = field(default_factory=dict)
    parts: SavedParts = field(default_factory=SavedParts)

    def build(self, tm: TorchModel) -> ModelWeights:
        """Describe the weights; what cannot be described is said in ``problem``."""
        custom = isinstance(self.model, CustomModel) and self.model.kind == "custom"
        self._index_layers(self.model, (0,) if custom else ())
        try:
            states = list(self._states(tm, ""))
            for _, weight_map in states:
                for ref in weight_map.sources:
                    self._note(ref)
            layers = (self._entry(self.model, (0,), set()),) if custom else self._entries(self.model, (), set())
            entries = tuple(StateEntry(key, self._sources(m), _plain_ops(m.ops)) for key, m in states)
        except Refusal as refusal:
            return ModelWeights(self.model.name, (), (), problem=refusal.message)
        return ModelWeights(self.model.name, layers, entries, tuple(self._counters(tm, "")), whole=custom)

    # -- the torch side ---------------------------------------------------------------------------------------------
    def _states(self, tm: TorchModel, prefix: str) -> Iterator[tuple[str, WeightMap]]:
        """Every entry of the state dict, nested models included."""
        for module in tm.modules():
            for weight_map in module.weights:
                yield f"{self._path(module, prefix)}.{weight_map.target}".rstrip("."), weight_map
            if module.subgraph is not None:
                yield from self._states(module.subgraph, f"{self._path(module, prefix)}.")

    def _counters(self, tm: TorchModel, prefix: str) -> Iterator[str]:
        for module in tm.modules():
            targets = {weight_map.target for weight_map in module.weights}
            if "running_mean" in targets and "num_batches_tracked" not in targets and _COUNTED.match(module.cls):
                yield f"{self._path(module, prefix)}.num_batches_tracked"
            if module.subgraph is not None:
                yield from self._counters(module.subgraph, f"{self._path(module, prefix)}.")

    def _path(self, module: Module, prefix: str) -> str:
        if id(module) not in self.paths:
            raise Refusal("KT501", f"a `{module.cls}` of this model has no attribute of its own")
        return f"{prefix}{self.paths[id(module)]}"

    def _sources(self, weight_map: WeightMap) -> tuple[Source, ...]:
        return tuple(self._source(ref) for ref in weight_map.sources)

    def _source(self, ref: WeightRef) -> Source:
        home = self.homes[id(ref.layer)]
        return Source(home.place, self.found[home.place, (*home.path, *ref.path, ref.name)])

    def _note(self, ref: WeightRef) -> None:
        home = self.homes.get(id(ref.layer))
        if home is None:
            raise Refusal("KT501", f"layer `{ref.layer.name}` is not among the model's layers, so weight files lack it")
        known = self.refs.setdefault(home.place, [])
        full = (*home.path, *ref.path, ref.name)
        if full not in known:
            known.append(full)

    # -- the Keras side ---------------------------------------------------------------------------------------------
    def _index_layers(self, model: Model, place: Place) -> None:
        self._index_calls(model)
        if isinstance(model, CustomModel) and model.kind == "custom":
            self._index_custom(model, place)
            return
        for index, item in enumerate(model.layers):
            here = (*place, index)
            if isinstance(item, Model):
                self._index_layers(item, here)
            else:
                self._index_layer(item, _Home(here))

    def _index_calls(self, model: Model) -> None:
        for node in model.nodes:
            if isinstance(node.target, Layer):
                self.calls.setdefault(id(node.target), node)
            if node.body is not None:
                self._index_calls(node.body)
            elif isinstance(node.target, Model):
                self._index_calls(node.target)

    def _index_custom(self, model: CustomModel, place: Place) -> None:
        for variable in model.variables:
            self.homes.setdefault(id(variable), _Home(place))
        for path, part in self.parts.walk(model):
            if isinstance(part, Model):
                self._index_layers(part, (*place, path))
            else:
                self._index_layer(part, _Home((*place, path)))

    def _index_layer(self, layer: Layer, home: _Home) -> None:
        self.homes.setdefault(id(layer), home)
        for attribute, inner in _wrapped(layer):
            if isinstance(inner, Model):
                self._index_layers(inner, (*home.place, *home.path, attribute))
            else:
                self._index_layer(inner, _Home(home.place, (*home.path, attribute)))

    def _entries(self, model: Model, place: Place, seen: set[int]) -> tuple[LayerEntry, ...]:
        return tuple(self._entry(item, (*place, index), seen) for index, item in enumerate(model.layers))

    def _entry(self, item: Layer | Model, place: Place, seen: set[int]) -> LayerEntry:
        repeated = id(item) in seen
        seen.add(id(item))
        if isinstance(item, CustomModel) and item.kind == "custom":
            return self._custom(item, place, seen, repeated)
        if isinstance(item, Model):
            kind = "Sequential" if item.kind == "sequential" else "Functional"
            kind = item.class_name if isinstance(item, CustomModel) else kind
            inside = self._entries(item, place, seen)
            return LayerEntry(kind, item.name, item.explicit_name, (), inside, (), item.trainable, repeated)
        inner = tuple(
            (attribute, self._entry(wrapped, (*place, attribute), seen))
            for attribute, wrapped in _wrapped(item)
            if isinstance(wrapped, Model)
        )
        kind = item.symbol.rpartition(".")[2]
        variables = () if inner else self._variables(item, place)
        return LayerEntry(kind, item.name, item.explicit_name, variables, (), inner, item.trainable, repeated)

    def _custom(self, item: CustomModel, place: Place, seen: set[int], repeated: bool) -> LayerEntry:
        """The entry of a layer or model of a program's own."""
        inner = tuple((path, self._entry(part, (*place, path), seen)) for path, part in self.parts.of(item))
        variables = []
        for index, layer in enumerate(own_variables(item)):
            config = layer.config
            self.found[place, (config["variable"],)] = index
            variables.append(Variable(config["variable"], tuple(map(plain_size, config["shape"])), config["trained"]))
        found = (item.class_name, item.name, item.explicit_name, tuple(variables), (), inner, item.trainable, repeated)
        return LayerEntry(*found, custom=True)

    def _variables(self, layer: Layer, place: Place) -> tuple[Variable, ...]:
        """The variables of a layer in Keras' order; the refs to them say in which sublayers they are."""
        if self.homes[id(layer)].place != place:  # repeated: noted at its first place
            first = self.homes[id(layer)].place
            return self._variables(layer, first)
        refs = self.refs.get(place, [])
        specs = self._specs(layer) if layer.symbol in LAYERS else ()
        ordered = sorted(refs, key=lambda ref: sublayer_rank(ref[:-1]))
        indices = _resolve(specs, ordered)
        paths = {index: ref[:-1] for ref, index in indices.items()}
        unlisted = [ref for ref in ordered if ref not in indices]
        indices |= {ref: len(specs) + index for index, ref in enumerate(unlisted)}
        self.found.update({(place, ref): index for ref, index in indices.items()})
        listed = (_variable(spec, paths.get(index)) for index, spec in enumerate(specs))
        return (*listed, *(Variable(ref[-1], None, path=ref[:-1]) for ref in unlisted))

    def _specs(self, layer: Layer) -> tuple[WeightSpec, ...]:
        node = self.calls.get(id(layer))
        if node is None:
            return ()
        named = (node.kwargs[name] for name in _INPUT_NAMES if name in node.kwargs)
        given = [_specs_of(arg) for arg in (*node.args, *named) if any(True for _ in walk_tensors(arg))]
        return LAYERS[layer.symbol].weights(layer, given[0] if len(given) == 1 else given)


def _specs_of(structure: Any) -> Any:
    if isinstance(structure, (list, tuple)):
        return type(structure)(_specs_of(item) for item in structure)
    if isinstance(structure, dict):
        return {key: _specs_of(item) for key, item in structure.items()}
    return getattr(structure, "spec", structure)


def _wrapped(layer: Layer) -> Iterator[tuple[str, Layer | Model]]:
    """The layers and models that a layer holds, by the attribute under which Keras saves them."""
    for attribute, value in layer.config.items():
        if isinstance(value, (Layer, Model)):
            yield attribute, value


def _variable(spec: WeightSpec, path: tuple[str, ...] | None) -> Variable:
    *own, name = spec.name.split("/")
    shape = tuple(None if size is None else plain_size(size) for size in spec.shape)
    return Variable(name, shape, spec.trainable, tuple(own) if path is None else path)


def _resolve(specs: tuple[WeightSpec, ...], refs: list[tuple[str, ...]]) -> dict[tuple[str, ...], int]:
    """Find the variable that each ref means: by its whole path, else by its name, in order of appearance."""
    names = [tuple(spec.name.split("/")) for spec in specs]
    taken: dict[tuple[str, ...], int] = {ref: names.index(ref) for ref in refs if ref in names}
    for ref in refs:
        if ref in taken:
            continue
        used = set(taken.values())
        free = [i for i, name in enumerate(names) if i not in used and ref[-len(name) :] == name]
        if free:
            taken[ref] = free[0]
    return taken


def _plain_ops(ops: tuple[WeightOp, ...]) -> tuple[WeightOp, ...]:
    return tuple(WeightOp(op.kind, plain_size(op.args)) for op in ops)
