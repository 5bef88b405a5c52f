"""One program under Keras and through the translation: what became of it."""

from __future__ import annotations

import contextlib
import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.conformance.direct import redraw
from tests.fuzz.drawing import UNKNOWN
from transpiler import Options, transpile
from transpiler.weights.child import read_here
from transpiler.weights.convert import _state, to_state_dict

TOLERANCE = 1e-4


@dataclass(frozen=True)
class Outcome:
    """``kind`` is equal, refused, skipped, or a fault: unequal, crash, invalid."""

    kind: str
    told: str = ""
    code: str = ""


def compare(source: str, model: Any, path: Path, seed: int = 0) -> list[Outcome]:
    """Translate for images channels-first and drop-in; run both on what Keras was run on."""
    rng = np.random.default_rng(seed)
    redraw(model, rng)
    inputs = [_array(tensor, rng) for tensor in model.inputs]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            outputs = _flat(model(inputs if len(inputs) > 1 else inputs[0], training=False))
        except Exception as error:  # noqa: BLE001 - a program that builds and does not run
            return [Outcome("skipped", str(error))]
        wanted = [np.asarray(o.detach()) for o in outputs]
        if not all(np.isfinite(o).all() and np.abs(o).max() < 1e6 for o in wanted):
            return [Outcome("skipped", "not finite")]
        model.save_weights(path)
        return [_translated(source, path, inputs, wanted, drop_in=drop_in) for drop_in in (False, True)]


def _array(tensor: Any, rng: np.random.Generator) -> np.ndarray:
    shape = (3, *(UNKNOWN if n is None else n for n in tensor.shape[1:]))
    if tensor.dtype.startswith("int"):
        tokens = rng.integers(0, 10, shape)
        tokens[:, 0] = rng.integers(1, 10, len(tokens))  # a row of padding only is another matter
        return tokens.astype("int32")
    return rng.normal(size=shape).astype("float32")


def _flat(outputs: Any) -> list[Any]:
    return list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]


def _translated(source: str, path: Path, inputs: Any, wanted: Any, *, drop_in: bool) -> Outcome:
    code, stage = "", "crash"
    try:
        result = transpile(source, "drawn.py", Options(drop_in=drop_in))
        code = result.code
        errors = [d for d in result.diagnostics if d.severity == "error"]
        if errors:
            told = next((e for e in errors if e.code != "KT105"), errors[0])
            return Outcome("refused", f"{told.code} {told.message}", code)
        built = result.building().models[-1] if result.building else None
        weights = result.model("model").weights
        assert weights is not None
        assert weights.problem is None, weights.problem
        state = to_state_dict(_state(weights, read_here(path, weights)))  # without a process of its own
        stage = "invalid"
        got = _run(code, result.model("model").constructor, state, inputs, built, drop_in=drop_in)
    except Exception as error:  # noqa: BLE001 - any is a fault to report
        return Outcome(stage, f"{type(error).__name__}: {error}", code)
    return _judged(got, wanted, code)


def _run(code: str, constructor: str, state: Any, inputs: Any, built: Any, *, drop_in: bool) -> list[np.ndarray]:
    import torch

    scope: dict[str, Any] = {"__name__": "drawn"}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(code, "drawn_torch.py", "exec"), scope)
    module = eval(constructor, scope)
    module.load_state_dict(state)
    module.eval()
    tensors = [torch.as_tensor(x) for x in inputs]
    if not drop_in:
        tensors = [_first(t) if first else t for t, first in zip(tensors, built.inputs_first, strict=True)]
    with torch.inference_mode():
        outputs = _flat(module(*tensors))
    if not drop_in:
        outputs = [t.movedim(1, -1) if first else t for t, first in zip(outputs, built.outputs_first, strict=True)]
    return [t.numpy() for t in outputs]


def _first(tensor: Any) -> Any:
    return tensor.movedim(-1, 1).contiguous()


def _judged(got: list[np.ndarray], wanted: list[np.ndarray], code: str) -> Outcome:
    if [o.shape for o in got] != [o.shape for o in wanted]:
        return Outcome("unequal", f"shapes {[o.shape for o in got]}, wanted {[o.shape for o in wanted]}", code)
    for ours, theirs in zip(got, wanted, strict=True):
        error = float(np.abs(ours - theirs).max()) / max(1.0, float(np.abs(theirs).max()))
        if not error <= TOLERANCE:
            return Outcome("unequal", f"{error:.2e}", code)
    return Outcome("equal", code=code)
