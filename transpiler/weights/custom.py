"""Where Keras 3 saves what the layers and models of a program's own hold: under the names of their attributes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from transpiler.graph.keras import CustomModel, Layer, Model
from transpiler.rules.names import snake_case
from transpiler.rules.variables import VARIABLE

Part = tuple[str, "Layer | Model"]


@dataclass
class SavedParts:
    """The parts of every object with the way to each; what was met before is saved at its first place only."""

    met: set[int] = field(default_factory=set)
    known: dict[int, list[Part]] = field(default_factory=dict)

    def of(self, model: CustomModel) -> list[Part]:
        """The parts of one object that are saved in it, in Keras' order. Asked of outer objects before inner ones."""
        return self.known.get(id(model), [])

    def walk(self, model: CustomModel) -> Iterator[Part]:
        """Visit the parts as Keras does: each with all that is in it before the next."""
        self.met.add(id(model))
        found = self.known.setdefault(id(model), [])
        for name, value in _attributes(model):
            for part in self._parts(name, value):
                found.append(part)
                yield part

    def _parts(self, path: str, value: Any) -> Iterator[Part]:
        if isinstance(value, (Layer, Model)):
            if id(value) not in self.met and not _is_variable(value):
                self.met.add(id(value))
                yield path, value
        elif isinstance(value, (list, tuple, dict)):
            used: dict[str, int] = {}
            for item in value.values() if isinstance(value, dict) else value:
                if isinstance(item, (Layer, Model)) and not _is_variable(item):
                    yield from self._parts(f"{path}/{_unique(class_key(item), used)}", item)
                elif isinstance(item, (list, tuple, dict)):
                    yield from self._parts(f"{path}/{_unique('container', used)}", item)


def class_key(item: Layer | Model) -> str:
    """The class of a part as files name it."""
    if isinstance(item, CustomModel):
        return snake_case(item.class_name)
    if isinstance(item, Model):
        return "sequential" if item.kind == "sequential" else "functional"
    return snake_case(item.symbol.rpartition(".")[2])


def _attributes(model: CustomModel) -> list[tuple[str, Any]]:
    """The attributes in the order in which Keras saves them: private ones last; a model has its ``layers`` too."""
    found = dict(model.attributes)
    if not model.is_layer:
        found["layers"] = layers_of(model.attributes.values())
    return sorted(found.items(), key=lambda item: f"~{item[0]}" if item[0].startswith("_") else item[0])


def layers_of(values: Any) -> list[Layer | Model]:
    """The layers in values, lists and dicts of them looked through, each once."""
    found: dict[int, Layer | Model] = {}
    for value in values:
        if isinstance(value, (Layer, Model)):
            found.setdefault(id(value), value)
        elif isinstance(value, (list, tuple)):
            found.update({id(item): item for item in layers_of(value)})
        elif isinstance(value, dict):
            found.update({id(item): item for item in layers_of(value.values())})
    return [item for item in found.values() if not _is_variable(item)]


def own_variables(model: CustomModel) -> list[Layer]:
    """An object's own weights in Keras' order: those that are trained first."""
    return sorted(model.variables, key=lambda layer: not layer.config["trained"])


def _is_variable(value: Layer | Model) -> bool:
    return isinstance(value, Layer) and value.symbol == VARIABLE


def _unique(name: str, used: dict[str, int]) -> str:
    if name in used:
        used[name] += 1
        return f"{name}_{used[name]}"
    used[name] = 0
    return name
