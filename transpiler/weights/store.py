"""HDF5 files and `.keras` archives, read with suspicion: nothing in them is followed, run or trusted to be its size."""

from __future__ import annotations

import math
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from transpiler.weights.errors import WeightsError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

WEIGHTS_MEMBER = "model.weights.h5"
_MAX_OBJECTS = 500_000
_MAX_DEPTH = 60
_MAX_ATTRIBUTE_BYTES = 1 << 26
_BOMB_FLOOR = 1 << 26  # arrays and members up to this size are never taken for bombs
_MEMBER_RATIO = 100  # Keras stores its archives uncompressed
_ARRAY_RATIO = 1000
_CHUNK = 1 << 20
_HINT = "give a .weights.h5, .h5 or .keras file"


@dataclass(frozen=True)
class FileArray:
    """An array of a file, not read yet. ``parts`` is its name, as the file has it, from its layer's group on."""

    parts: tuple[str, ...]
    shape: tuple[int, ...]
    read: Callable[[], Array] = field(repr=False, compare=False)

    @property
    def name(self) -> str:
        """The last part of the name, without TensorFlow's ``:0``."""
        return self.parts[-1].partition(":")[0]


@contextmanager
def suspicion(what: str) -> Iterator[None]:
    """Turn whatever a library raises on a broken file into a :class:`WeightsError`."""
    try:
        yield
    except (WeightsError, ImportError, KeyboardInterrupt):
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise WeightsError(f"{what} is broken: {reason or type(error).__name__}") from error


@contextmanager
def open_h5(path: Path) -> Iterator[Any]:
    """Open the HDF5 file at ``path``, or the weights in the archive there."""
    import h5py

    with path.open("rb") as stream:
        if zipfile.is_zipfile(stream):
            with _member(stream) as inner, _opened(h5py, inner) as file:
                yield file
            return
    with _opened(h5py, path) as file:
        yield file


@contextmanager
def _opened(h5py: Any, source: Any) -> Iterator[Any]:
    try:
        file = h5py.File(source, "r", locking=False)
    except Exception as error:  # h5py has no error type of its own
        raise WeightsError("this is not an HDF5 file, or a broken one", _HINT) from error
    with file:
        yield file


@contextmanager
def _member(stream: BinaryIO) -> Iterator[BinaryIO]:
    """The weights of a `.keras` archive as a file of their own; nothing else of the archive is read."""
    with tempfile.TemporaryFile() as copy:
        with suspicion("the archive"), zipfile.ZipFile(stream) as archive:
            if WEIGHTS_MEMBER not in archive.namelist():
                raise WeightsError(f"the archive has no `{WEIGHTS_MEMBER}`", "save the model with `model.save(...)`")
            info = archive.getinfo(WEIGHTS_MEMBER)
            _check_size("the archive", info.file_size, info.compress_size, _MEMBER_RATIO)
            with archive.open(info) as member:
                left = info.file_size
                while chunk := member.read(_CHUNK):
                    left -= len(chunk)
                    if left < 0:
                        raise WeightsError("the archive holds more than it declares")
                    copy.write(chunk)
        copy.seek(0)
        yield copy


def _check_size(what: str, declared: int, stored: int, ratio: int) -> None:
    if declared > _BOMB_FLOOR and declared > ratio * max(stored, 1):
        raise WeightsError(f"{what} declares {declared:,} bytes but stores only {stored:,}; it is not read")


class Walker:
    """Goes through a file once; counts what it meets, and refuses links and what is met twice."""

    def __init__(self) -> None:
        self.met: set[Any] = set()

    def children(self, group: Any, depth: int) -> Iterator[tuple[str, Any]]:
        """Yield the members of a group: groups and datasets only."""
        import h5py

        if depth > _MAX_DEPTH:
            raise WeightsError("the file's groups are nested too deeply")
        for name in group:
            link = group.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink):
                raise WeightsError(f"`{group.name}/{name}` is a link to elsewhere; such files are not read")
            item = group[name]
            address = h5py.h5o.get_info(item.id).addr
            if address in self.met:
                raise WeightsError(f"`{group.name}/{name}` stands twice in the file")
            self.met.add(address)
            if len(self.met) > _MAX_OBJECTS:
                raise WeightsError("the file holds too many objects")
            yield str(name), item

    def array(self, dataset: Any, parts: tuple[str, ...]) -> FileArray:
        """Describe a dataset without reading it."""
        if dataset.external or dataset.is_virtual:
            raise WeightsError(f"`{dataset.name}` points to another file; such files are not read")
        if dataset.shape is None:
            raise WeightsError(f"`{dataset.name}` holds nothing")
        return FileArray(parts, tuple(int(size) for size in dataset.shape), lambda: _read(dataset))


def _read(dataset: Any) -> Array:
    """Read a dataset whose shape has been found to be the expected one."""
    import numpy as np

    with suspicion(f"`{dataset.name}`"):
        declared = dataset.size * dataset.dtype.itemsize
        _check_size(f"`{dataset.name}`", declared, dataset.id.get_storage_size(), _ARRAY_RATIO)
        if text(dataset.attrs.get("dtype", "")) == "bfloat16" and dataset.dtype.itemsize == 2:
            raw = np.asarray(dataset[()]).view(np.uint16)
            return (raw.astype(np.uint32) << 16).view(np.float32)
        if dataset.dtype.kind not in "fiub":
            raise WeightsError(f"`{dataset.name}` holds no numbers")
        array = np.asarray(dataset[()])
        return array.astype(np.float32) if array.dtype.kind == "f" else array


def text(value: Any) -> str:
    """A string attribute, as bytes or str; anything else is no text."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else ""


def attribute(item: Any, name: str) -> Any:
    """An attribute of moderate size, or None."""
    if name not in item.attrs:
        return None
    raw = item.attrs.get_id(name)
    if math.prod(raw.shape) * raw.dtype.itemsize > _MAX_ATTRIBUTE_BYTES:
        raise WeightsError(f"the attribute `{name}` is too large")
    return item.attrs[name]


def names(group: Any, name: str) -> list[str]:
    """A list of strings; long ones are kept in numbered attributes."""
    value = attribute(group, name)
    if value is not None:
        return [text(item) for item in value]
    found: list[str] = []
    part = 0
    while (value := attribute(group, f"{name}{part}")) is not None:
        found += [text(item) for item in value]
        part += 1
    return found
