"""Asking a real Keras model for its outputs: weights redrawn at a telling scale, random inputs. Child process only."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

BATCH = 3
GAINS = (1.0, 1.5, 2.5, 4.0, 0.5)
SCALES = (1.0, 100.0)  # the second for models that take pixels
ENOUGH_SPREAD = 0.05
NO_SPREAD = 1e-3
FREE_SIZES = (32, 64, 96, 7)  # tried in turn for the open dimensions of images; sequences take the last


class NotComparableError(Exception):
    """Why a model cannot be compared."""


class Exercise:
    """One model under Keras: its inputs in the order in which the program gave them."""

    def __init__(self, keras: Any, model: Any, shapes: Sequence[Sequence[int | None]], dtypes: Sequence[str]) -> None:
        self.keras = keras
        self.model = model
        self.given = list(_in_order(getattr(model, "_inputs_struct", None))) if getattr(model, "inputs", None) else []
        if not self.given and getattr(model, "inputs", None):
            self.given = list(model.inputs)
        self.shapes = [tuple(t.shape) for t in self.given] or [tuple(shape) for shape in shapes]
        self.dtypes = [str(t.dtype) for t in self.given] or list(dtypes)
        if not self.shapes:
            raise NotComparableError("the shape of its input is not known")

    def run(self) -> tuple[list[Array], list[Array]]:
        """Inputs and outputs with telling weights: outputs are finite and differ between the inputs."""
        problem: Exception | None = None
        for size in FREE_SIZES:
            try:
                inputs = self._draw_inputs(size, np.random.RandomState(size))
                self._call(inputs)
                return self._telling(inputs)
            except NotComparableError:
                raise
            except Exception as error:  # noqa: BLE001 - another size may fit
                problem = problem or error
            if not any(None in shape[1:] for shape in self.shapes):
                break
        raise NotComparableError(f"Keras refuses random input: {one_line(problem)}")

    def _telling(self, inputs: list[Array]) -> tuple[list[Array], list[Array]]:
        best: tuple[float, float, float] = (-1.0, GAINS[0], SCALES[0])
        for scale in SCALES:
            scaled = _scaled(inputs, scale)
            for gain in GAINS:
                outputs = self._with_gain(scaled, gain)
                spread = _spread(outputs)
                if spread > ENOUGH_SPREAD:
                    return scaled, outputs
                best = max(best, (spread, gain, scale))
        if best[0] < 0:
            raise NotComparableError("its outputs are not finite, whatever the weights")
        if best[0] < NO_SPREAD:
            raise NotComparableError("its outputs hardly depend on its inputs: they would hide a difference")
        scaled = _scaled(inputs, best[2])
        return scaled, self._with_gain(scaled, best[1])

    def check_repeatable(self, inputs: list[Array], outputs: list[Array]) -> None:
        """Refuse a model that draws random numbers also outside of training: no two calls of it are alike."""
        for first, again in zip(outputs, self._call(inputs), strict=True):
            if not np.allclose(first, again, rtol=1e-3, atol=1e-5, equal_nan=True):
                raise NotComparableError("its outputs are random, also outside of training")

    def _with_gain(self, inputs: list[Array], gain: float) -> list[Array]:
        rng = np.random.RandomState(0)
        for variable in self.model.weights:
            if str(variable.dtype).startswith(("float", "bfloat")):
                variable.assign(_redraw(variable, gain, rng).astype(str(variable.dtype)))
        return self._call(inputs)

    def _call(self, inputs: list[Array]) -> list[Array]:
        outputs = self.model(self._pack(inputs), training=False)
        return [self.keras.ops.convert_to_numpy(y) for y in flat(outputs)]

    def _pack(self, inputs: list[Array]) -> Any:
        """The inputs in the structure that the model was given."""
        tensors = [self.keras.ops.convert_to_tensor(array) for array in inputs]
        if not self.given:
            return tensors[0] if len(tensors) == 1 else tensors
        found = {id(t): array for t, array in zip(self.given, tensors, strict=True)}
        return self.keras.tree.map_structure(lambda t: found[id(t)], _struct(self.model))

    def _draw_inputs(self, size: int, rng: np.random.RandomState) -> list[Array]:
        return [self._draw(at, size, rng) for at in range(len(self.shapes))]

    def _draw(self, at: int, size: int, rng: np.random.RandomState) -> Array:
        shape, dtype = self.shapes[at], self.dtypes[at]
        free = size if len(shape) >= 4 else FREE_SIZES[-1]
        sizes = (shape[0] or BATCH, *(free if d is None else int(d) for d in shape[1:]))
        limit = self._vocabulary(at)
        if dtype == "bool":
            return rng.randint(0, 2, size=sizes).astype(bool)
        if limit is None and not dtype.startswith(("int", "uint")):
            if dtype == "string":
                raise NotComparableError("it takes strings")
            return rng.normal(size=sizes).astype(dtype)
        return rng.randint(0, limit or 2, size=sizes).astype(dtype)

    def _vocabulary(self, at: int) -> int | None:
        """The number of indices that the Embedding behind an input allows."""
        layers = [e for e in self.model._flatten_layers() if isinstance(e, self.keras.layers.Embedding)]
        tensor = self.given[at] if self.given else None
        fed = [e for e in layers for node in e._inbound_nodes if any(t is tensor for t in node.input_tensors)]
        if not fed and (self.dtypes[at].startswith("int") or len(self.shapes) == 1):
            fed = layers if self.dtypes[at].startswith("int") or self._starts_with(layers) else []
        return min((int(e.input_dim) for e in fed), default=None)

    def _starts_with(self, embeddings: list[Any]) -> bool:
        first = next((layer for layer in self.model.layers if type(layer).__name__ != "InputLayer"), None)
        return any(first is embedding for embedding in embeddings)

    def trace(self, inputs: list[Array]) -> list[tuple[str, str, Array]]:
        """What each layer of a functional model puts out: its name, its activation, its first output."""
        found = []
        for layer in self.model.layers:
            output = getattr(layer, "output", None)
            tensor = next(iter(flat(output)), None)
            if tensor is not None and type(layer).__name__ != "InputLayer":
                found.append((layer, tensor))
        probe = self.keras.Model(_struct(self.model), [tensor for _, tensor in found])
        values = flat(probe(self._pack(inputs), training=False))
        names = [(layer.name, getattr(getattr(layer, "activation", None), "__name__", "")) for layer, _ in found]
        to_numpy = self.keras.ops.convert_to_numpy
        return [(name, act, to_numpy(value)) for (name, act), value in zip(names, values, strict=True)]


def flat(value: Any) -> list[Any]:
    """The leaves of lists, tuples and dicts; dicts by sorted key, as Keras does."""
    if isinstance(value, dict):
        return [leaf for key in sorted(value) for leaf in flat(value[key])]
    if isinstance(value, (list, tuple)):
        return [leaf for item in value for leaf in flat(item)]
    return [value]


def one_line(error: BaseException | None) -> str:
    """An exception as one line of at most 160 characters."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return text if len(text) <= 160 else f"{text[:157]}..."


def _struct(model: Any) -> Any:
    struct = getattr(model, "_inputs_struct", None)
    if struct is None and hasattr(model, "_functional"):
        struct = model._functional._inputs_struct
    return model.inputs if struct is None else struct


def _in_order(structure: Any) -> Iterator[Any]:
    """The leaves of a structure in the order in which the program wrote them."""
    if isinstance(structure, dict):
        structure = list(structure.values())
    if isinstance(structure, (list, tuple)):
        for item in structure:
            yield from _in_order(item)
    elif structure is not None:
        yield structure


def _scaled(inputs: list[Array], scale: float) -> list[Array]:
    return [(array * scale).astype(array.dtype) if array.dtype.kind == "f" else array for array in inputs]


def _spread(outputs: list[Array]) -> float:
    """How much the outputs depend on the inputs, relative to their size; negative where they are not finite."""
    worst = math.inf
    for output in outputs:
        y = np.asarray(output, "float64")
        if not np.isfinite(y).all():
            return -1.0
        top = float(np.abs(y).max()) if y.size else 0.0
        worst = min(worst, float(np.std(y, axis=0).max()) / top if top else 0.0)
        if y.size and y.min() >= 0.0 and y.max() <= 1.0:
            worst = min(worst, float(np.mean((y > 1e-4) & (y < 1 - 1e-3))))
    return worst


def _redraw(variable: Any, gain: float, rng: np.random.RandomState) -> Array:
    """New values of a scale at which a mistake shows."""
    shape, name = tuple(variable.shape), variable.path.rpartition("/")[2]
    if name in ("gamma", "moving_variance", "scale"):
        return rng.uniform(0.5, 1.5, size=shape)
    if name == "alpha":
        return rng.uniform(0.1, 0.4, size=shape)
    if name == "embeddings":
        return rng.uniform(-0.5, 0.5, size=shape)
    if name in ("bias", "beta", "moving_mean") or len(shape) < 2:
        return rng.normal(0.0, 0.1, size=shape)
    depthwise = len(shape) > 2 and shape[-1] == 1  # or one filter, for which larger weights do no harm
    fan = math.prod(shape[:-2] if depthwise else shape[:-1])
    return rng.normal(0.0, gain / math.sqrt(fan), size=shape)
