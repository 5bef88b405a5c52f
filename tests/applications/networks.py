"""A network of ``keras.applications`` under real Keras and through our graphs, with the same redrawn weights."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from tests.conformance.direct import Runner, lookup_in
from transpiler.evaluate import evaluate
from transpiler.evaluate.core import Evaluator
from transpiler.evaluate.surgery import layers_of
from transpiler.graph.keras import Layer, Model
from transpiler.rules.base import LAYERS
from transpiler.rules.lowering import LowerOptions, lower
from transpiler.source.positions import positions_of
from transpiler.source.read import parse_module


@dataclass
class Twin:
    """One network twice."""

    keras: Any
    ev: Evaluator
    model: Model

    @property
    def names(self) -> list[tuple[str, str]]:
        """Keras' layers: name and class."""
        return [(layer.name, type(layer).__name__) for layer in self.keras.layers]

    @property
    def our_names(self) -> list[tuple[str, str]]:
        """Ours, in our order."""
        return [(layer.name, _kind(layer)) for layer in layers_of(self.ev, self.model)]

    def shapes(self) -> list[tuple[int, ...]]:
        """The shapes of all our variables, in Keras' order."""
        found: list[tuple[int, ...]] = []
        for layer in self.model.layers:
            assert isinstance(layer, Layer)
            node = self.ev.calls_of[id(layer)][0]
            specs = [tensor.spec for tensor in node.input_tensors()]
            weights = LAYERS[layer.symbol].weights(layer, specs[0] if len(specs) == 1 else specs)
            found += [tuple(int(size) for size in weight.shape) for weight in weights]
        return found

    def outputs(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What both give for the same images, in inference mode."""
        redraw(self.keras)
        torch.set_default_dtype(torch.float64)
        try:
            ours = Runner(lower(self.model, LowerOptions(drop_in=True))).double().eval()
            ours.load(lookup_in(self.keras))
            x = torch.as_tensor(images)
            with torch.no_grad():
                return ours(x).numpy(), self.keras(x, training=False).detach().numpy()
        finally:
            torch.set_default_dtype(torch.float32)


def _kind(layer: Layer | Model) -> str:
    return layer.symbol.rpartition(".")[2] if isinstance(layer, Layer) else "Functional"


def redraw(model: Any) -> None:
    """Weights under which a signal goes through a deep network and neither dies nor explodes."""
    rng = np.random.default_rng(0)
    for layer in model.layers:
        for variable in layer.variables:
            if "seed" not in variable.path and not variable.path.endswith("count"):
                variable.assign(_drawn(variable, "Depthwise" in type(layer).__name__, rng))


def _drawn(variable: Any, depthwise: bool, rng: np.random.Generator) -> np.ndarray:
    shape = variable.shape
    if variable.path.endswith(("gamma", "variance")):
        return rng.uniform(0.7, 1.3, shape)
    if len(shape) < 2:
        return rng.normal(size=shape) * 0.1
    fan = math.prod(shape[:2] if depthwise or "depthwise" in variable.path else shape[:-1])
    return np.asarray(rng.normal(size=shape) * math.sqrt(2.2 / fan))


def twin(source: str) -> Twin:
    """Evaluate a program that binds ``model``, and run it under Keras."""
    import keras
    from keras.src.backend.common import dtypes

    dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"  # Keras computes matrix products in float32 otherwise
    keras.config.set_floatx("float64")
    keras.utils.clear_session(free_memory=False)
    scope: dict[str, Any] = {}
    exec(source, scope)
    parsed = parse_module(source)
    ev = evaluate(parsed.module, positions_of(parsed))
    assert [d for d in ev.diagnostics if d.severity == "error"] == []
    return Twin(scope["model"], ev, next(m for m in reversed(ev.program.models) if m.hint == "model"))
