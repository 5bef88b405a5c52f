"""Runs a lowered model without printing it: the same source under real Keras and through evaluate and lower."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from transpiler.evaluate import evaluate
from transpiler.graph.keras import Layer
from transpiler.graph.symbolic import Expr
from transpiler.graph.torch import Call, Code, Module, TorchModel, Value, WeightRef
from transpiler.rules.lowering import LowerOptions, lower
from transpiler.source.positions import positions_of
from transpiler.source.read import parse_module
from transpiler.template_env import helper_source
from transpiler.weights.apply import apply_map


def translate(source: str, *, drop_in: bool = True) -> TorchModel:
    """The torch graph of the program's last model."""
    parsed = parse_module(source)
    ev = evaluate(parsed.module, positions_of(parsed))
    assert not ev.diagnostics, [(d.code, d.message, d.line) for d in ev.diagnostics]
    return lower(ev.program.models[-1], LowerOptions(drop_in=drop_in))


def codes(source: str) -> list[str]:
    """The diagnostics of a program that is refused when evaluated or lowered."""
    from transpiler.diagnostics import Refusal

    parsed = parse_module(source)
    ev = evaluate(parsed.module, positions_of(parsed))
    found = [d.code for d in ev.diagnostics]
    try:
        for model in ev.program.models:
            lower(model)
    except Refusal as error:
        found.append(error.code)
    return found


def text(value: Any) -> str:
    if isinstance(value, (Code, Expr)):
        return value.text if isinstance(value, Code) else str(value.require())
    if isinstance(value, (tuple, list)):
        return "(" + "".join(text(v) + ", " for v in value) + ")"
    return repr(value)


class Runner(nn.Module):
    """A torch graph as a module, its calls interpreted one after another."""

    def __init__(self, model: TorchModel, helpers: dict[str, Any] | None = None) -> None:
        super().__init__()
        self.model = model
        self.names: dict[int, str] = {}
        self.scope = helpers if helpers is not None else _scope()
        for call in model.calls:
            for helper in (*call.helpers, *(call.target.helpers if isinstance(call.target, Module) else ())):
                if f"_{helper}" not in self.scope:
                    self.scope[f"_{helper}"] = True
                    exec(helper_source(helper), self.scope)
        for module in model.modules():
            name = f"m{len(self.names)}"
            self.names[id(module)] = name
            self.add_module(name, self._make(module))

    def _make(self, module: Module) -> nn.Module:
        if module.subgraph is not None:
            return Runner(module.subgraph, self.scope)
        args = [text(a) for a in module.args] + [f"{k}={text(v)}" for k, v in module.kwargs.items()]
        made: nn.Module = eval(f"{module.cls}({', '.join(args)})", self.scope)
        return made

    def forward(self, *inputs: Tensor) -> Any:
        values = {id(v): t for v, t in zip(self.model.inputs, inputs, strict=True)}
        for call in self.model.calls:
            made = self._run(call, [values[id(v)] for v in call.inputs])
            for value, result in zip(call.outputs, made, strict=True):
                if value.spec.rank and isinstance(result, Tensor):
                    assert result.dim() == value.spec.rank, (call.target, result.shape, value.spec)
                values[id(value)] = result
        return _fill(self.model.outputs, values)

    def _run(self, call: Call, inputs: list[Any]) -> list[Any]:
        names = {f"v{i}": v for i, v in enumerate(inputs)}
        slots = list(names)
        if isinstance(call.target, Module):
            shown = call.arguments or ", ".join(f"{{{i}}}" for i in range(len(slots)))
            code = f"module({shown.format(*slots)})"
            names["module"] = getattr(self, self.names[id(call.target)])
        else:
            code = call.target.format(*slots)
        if not call.unpack:
            made = eval(code, self.scope, names)
            return list(made) if len(call.outputs) > 1 else [made]
        outs = [f"o{i}" for i in range(len(call.outputs))]
        exec(f"{call.unpack.format(*outs)} = {code}", self.scope, names)
        return [names[o] for o in outs]

    def load(self, lookup: Callable[[WeightRef], np.ndarray]) -> None:
        """Fill every parameter by the weight maps."""
        for module in self.model.modules():
            target = getattr(self, self.names[id(module)])
            if isinstance(target, Runner):
                target.load(lookup)
                continue
            state = {m.target: torch.from_numpy(np.ascontiguousarray(apply_map(m, lookup))) for m in module.weights}
            wanted = {k for k in target.state_dict() if not k.endswith("num_batches_tracked")}
            assert set(state) == wanted, (set(state) ^ wanted, module.cls)
            target.load_state_dict(state, strict=False)


def _fill(structure: Any, values: dict[int, Any]) -> Any:
    if isinstance(structure, Value):
        return values[id(structure)]
    if isinstance(structure, dict):
        return {k: _fill(v, values) for k, v in structure.items()}
    return [_fill(v, values) for v in structure]


def _scope() -> dict[str, Any]:
    return {
        "torch": torch, "nn": nn, "F": F, "Tensor": Tensor, "math": math, "Any": Any, "Callable": Callable,
        "pack_padded_sequence": pack_padded_sequence, "pad_packed_sequence": pad_packed_sequence,
    }  # fmt: skip


def keras_model(source: str) -> Any:
    """The same source run under Keras; its variable ``model``."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    import keras
    from keras.src.backend.common import dtypes

    dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"  # Keras computes matrix products in float32 otherwise
    keras.config.set_floatx("float64")
    keras.utils.clear_session(free_memory=False)
    scope: dict[str, Any] = {}
    exec(source, scope)
    return scope["model"]


def redraw(model: Any, rng: np.random.Generator) -> None:
    """Weights of real scale, so that a wrong layer cannot hide."""
    for variable in model.variables:
        shape = variable.shape
        gain = 1.5 / math.sqrt(max(1, math.prod(shape[:-1]))) if len(shape) > 1 else 0.3
        value = rng.uniform(-1, 1, shape) * gain * math.sqrt(3)
        if "embeddings" in variable.path:
            value = rng.uniform(-0.5, 0.5, shape)
        if "gamma" in variable.path or "variance" in variable.path:
            value = rng.uniform(0.5, 1.5, shape)
        if "seed" not in variable.path:
            variable.assign(value)
    for layer in getattr(model, "layers", ()):
        if hasattr(layer, "finalize_state"):  # takes its constants from the variables
            layer.finalize_state()


def lookup_in(model: Any) -> Callable[[WeightRef], np.ndarray]:
    """Find Keras' arrays by layer name, path and variable name."""
    layers: dict[str, Any] = {}
    pending = [model]
    while pending:
        layer = pending.pop()
        for inner in getattr(layer, "_layers", []):
            layers.setdefault(inner.name, inner)
            pending.append(inner)

    def find(ref: WeightRef) -> np.ndarray:
        assert isinstance(ref.layer, Layer)
        owner = layers[ref.layer.name]
        for step in ref.path:
            owner = _of_list(owner, step) if isinstance(owner, (list, tuple)) else getattr(owner, step)
        adapted = getattr(owner, f"adapt_{ref.name}", None)  # what `Normalization` calls its variables
        return np.asarray((getattr(owner, ref.name) if adapted is None else adapted).numpy())

    return find


def _of_list(layers: Sequence[Any], step: str) -> Any:
    """One of several sublayers by the name that weight files give it: ``gru_cell``, ``gru_cell_1``."""
    from keras.src.utils.naming import to_snake_case

    taken: dict[str, Any] = {}
    for layer in layers:
        base = to_snake_case(type(layer).__name__)
        count = sum(name.rpartition("_")[0] == base or name == base for name in taken)
        taken[f"{base}_{count}" if count else base] = layer
    return taken[step]


def check(source: str, *inputs: np.ndarray, drop_in: bool = True, tolerance: float = 1e-9) -> TorchModel:
    """Run ``source`` under Keras and through our graphs; outputs must agree. Returns the torch graph."""
    from keras import tree

    rng = np.random.default_rng(0)
    judge = keras_model(source)
    redraw(judge, rng)
    torch.set_default_dtype(torch.float64)
    try:
        ours = Runner(translate(source, drop_in=drop_in)).double().eval()
        ours.load(lookup_in(judge))
        tensors = [torch.as_tensor(x) for x in inputs]
        with torch.no_grad():
            got = tree.flatten(ours(*tensors))
            wanted = tree.flatten(judge(list(tensors) if len(tensors) > 1 else tensors[0], training=False))
    finally:
        torch.set_default_dtype(torch.float32)
    assert len(got) == len(wanted)
    for ours_out, theirs in zip(got, wanted, strict=True):
        assert tuple(ours_out.shape) == tuple(theirs.shape)
        difference = (ours_out.double() - theirs.detach().double()).abs().max().item()
        assert difference <= tolerance, difference
    return ours.model
