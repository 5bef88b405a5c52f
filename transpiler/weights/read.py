"""The two kinds of Keras weight files as trees of layers whose arrays are not read yet.

Keras 3 (and TensorFlow 2.12 on) write a group per layer, named after the class and numbered, with the variables as
``vars/0``, ``vars/1``. Older ones write a group per layer name with an attribute that lists the variables' names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from transpiler.weights.errors import WeightsError
from transpiler.weights.store import FileArray, Walker, attribute, names, suspicion, text

_CONTAINERS = ("layers", "_layer_checkpoint_dependencies")
_SKIPPED = re.compile(r"_?(seed_generators?|random_generator|optimizer)(_\d+)?|_functional")
_NUMBERED = re.compile(r"(.*?)(?:_(\d+))?$", re.DOTALL)


@dataclass
class FileLayer:
    """A layer of a file. ``group`` is its group's name, ``name`` the layer's own name where the file has it."""

    group: str
    name: str | None = None
    arrays: list[FileArray] = field(default_factory=list)
    children: dict[str, FileLayer] = field(default_factory=dict)

    @property
    def layers(self) -> list[FileLayer]:
        """The layers of a nested model."""
        found = [self.children[key] for key in _CONTAINERS if key in self.children]
        best = next((container for container in found if container.weighted), found[0] if found else None)
        return list(best.children.values()) if best else []

    @property
    def weighted(self) -> bool:
        """Whether there are arrays in it or below."""
        return bool(self.arrays) or any(child.weighted for child in self.children.values())

    def parts(self, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], list[FileArray]]]:
        """Yield the arrays of the layer and of each of its sublayers, with the way to them."""
        if self.arrays:
            yield path, self.arrays
        for key, child in self.children.items():
            yield from child.parts((*path, key))

    def all_arrays(self) -> list[FileArray]:
        """Every array in it and below."""
        return [array for _, arrays in self.parts() for array in arrays]


@dataclass
class WeightFile:
    """A whole file. ``legacy`` files list their layers in Keras' order and name their variables."""

    layers: list[FileLayer]
    legacy: bool
    backend: str = ""
    keras_version: str = ""
    root: FileLayer | None = None  # of Keras 3: the model itself


def numbered(name: str) -> tuple[str, int]:
    """Split an automatic name: ``conv2d_5`` → ``("conv2d", 5)``; underscores within do not count."""
    match = _NUMBERED.match(name)
    assert match is not None
    return match[1].replace("_", ""), int(match[2] or 0)


def read_file(file: Any) -> WeightFile:
    """Describe an open HDF5 file."""
    with suspicion("the file"):
        if "layer_names" in file.attrs or "layer_names0" in file.attrs:
            return _legacy(file)
        if "model_weights" in file:
            return _legacy(_group(file, "model_weights"))
        root = _keras3(file, Walker(), "", 0)
    layers = root.layers
    if not root.weighted and file.get("vars", getlink=True) is None:  # a model without weights has an empty group
        raise WeightsError("the file has no layers of a Keras model", "give a .weights.h5, .h5 or .keras file")
    return WeightFile(layers, legacy=False, root=root)


# -- Keras 3 ----------------------------------------------------------------------------------------------------------
def _keras3(group: Any, walker: Walker, key: str, depth: int) -> FileLayer:
    import h5py

    layer = FileLayer(key)
    for name, item in walker.children(group, depth):
        if _SKIPPED.fullmatch(name) or not isinstance(item, h5py.Group):
            continue
        if name == "vars":
            layer.name = text(attribute(item, "name")) or None
            layer.arrays = _variables(item, walker, depth + 1)
            continue
        *above, last = re.split(r"[\\/]", name)  # written on Windows, a name may be a path
        target = layer
        for step in above:
            target = target.children.setdefault(step, FileLayer(step))
        target.children[last] = _merged(target.children.get(last), _keras3(item, walker, last, depth + 1))
    return layer


def _merged(old: FileLayer | None, new: FileLayer) -> FileLayer:
    if old is None:
        return new
    return FileLayer(new.group, new.name or old.name, new.arrays or old.arrays, {**old.children, **new.children})


def _variables(group: Any, walker: Walker, depth: int) -> list[FileArray]:
    import h5py

    found = {
        name: walker.array(item, (name,))
        for name, item in walker.children(group, depth)
        if isinstance(item, h5py.Dataset)
    }
    return [found[name] for name in sorted(found, key=lambda name: (not name.isdigit(), len(name), name))]


# -- Keras 1 and 2 ----------------------------------------------------------------------------------------------------
def _legacy(group: Any) -> WeightFile:
    walker = Walker()
    layers = [_legacy_layer(group, name, walker) for name in names(group, "layer_names")]
    return WeightFile(
        layers, True, text(attribute(group, "backend")).lower(), text(attribute(group, "keras_version")) or "1"
    )


def _legacy_layer(root: Any, name: str, walker: Walker) -> FileLayer:
    import h5py

    group = _group(root, name)
    arrays = []
    for full in names(group, "weight_names"):
        *above, last = full.split("/")
        holder = _group(group, "/".join(above)) if above else group
        _refuse_link(holder, last)
        dataset = holder[last]
        if not isinstance(dataset, h5py.Dataset):
            raise WeightsError(f"`{dataset.name}` is not an array")
        arrays.append(walker.array(dataset, tuple(full.split("/"))))
    return FileLayer(name, name, arrays)


def _group(parent: Any, path: str) -> Any:
    """A group below ``parent``, reached without following links."""
    import h5py

    current = parent
    for step in path.split("/"):
        _refuse_link(current, step)
        current = current[step]
        if not isinstance(current, h5py.Group):
            raise WeightsError(f"`{path}` is not a group")
    return current


def _refuse_link(group: Any, name: str) -> None:
    import h5py

    if name in ("", ".", "..") or not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise WeightsError(f"`{group.name}/{name}` is missing, or a link to elsewhere")
