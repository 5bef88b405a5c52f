"""Runs the programs under real Keras: ``python judge.py DIRECTORY PROGRAM…``, one process for each backend.

For each program: its weights redrawn (``before.weights.h5``), inputs and outputs, the gradients of the inputs, and the
weights after one step of gradient descent (``after.weights.h5``).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
from judge_tools import STEP, flat, weigh

ROWS = 3


def inputs_of(source: str, rng: np.random.Generator) -> list[Any]:
    """Draw inputs as the first line of a program asks: ``# inputs: (8,); (10,) int``."""
    found: list[Any] = []
    for part in source.partition("\n")[0].removeprefix("# inputs: ").split("; "):
        shape = (ROWS, *(int(size) for size in part.removesuffix(" int").strip("() ").split(",") if size.strip()))
        integer = part.endswith(" int")
        found.append(rng.integers(0, 8, shape) if integer else rng.normal(size=shape).astype("float32"))
    return found


def redraw(model: Any, rng: np.random.Generator) -> None:
    """Weights that make every layer matter."""
    for weight in model.weights:
        value = rng.normal(size=weight.shape) * (0.5 if len(weight.shape) > 1 else 0.3)
        if "seed" not in weight.path:
            weight.assign(np.abs(value) + 0.5 if "variance" in weight.name or "gamma" in weight.name else value)


def _step_torch(model: Any, inputs: list[Any]) -> tuple[list[Any], list[Any], list[Any]]:
    import torch

    given = [torch.from_numpy(x) for x in inputs]
    floats = [x.requires_grad_() for x in given if x.is_floating_point()]
    outputs = flat(model(given if len(given) > 1 else given[0], training=False))
    sum((o * torch.from_numpy(w)).sum() for o, w in zip(outputs, weigh(outputs), strict=True)).backward()
    return outputs, [x.grad for x in floats], [w.value.grad for w in model.trainable_weights]


def _step_tensorflow(model: Any, inputs: list[Any]) -> tuple[list[Any], list[Any], list[Any]]:
    import tensorflow as tf

    given = [tf.convert_to_tensor(x) for x in inputs]
    floats = [x for x in given if x.dtype.is_floating]
    weights = [w.value for w in model.trainable_weights]
    with tf.GradientTape() as tape:
        tape.watch(floats)
        outputs = flat(model(given if len(given) > 1 else given[0], training=False))
        total = tf.add_n([tf.reduce_sum(o * w) for o, w in zip(outputs, weigh(outputs), strict=True)])
    gradients = tape.gradient(total, [*floats, *weights])
    return outputs, gradients[: len(floats)], gradients[len(floats) :]


def judge(program: Path, directory: Path) -> None:
    """Write what one program does."""
    source, rng = program.read_text(), np.random.default_rng(7)
    keras.backend.clear_session()
    scope: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(source, program.name, "exec"), scope)
    model, inputs = scope["model"], inputs_of(source, rng)
    model(inputs if len(inputs) > 1 else inputs[0])
    redraw(model, rng)
    directory.mkdir(parents=True, exist_ok=True)
    model.save_weights(directory / "before.weights.h5")
    step = _step_torch if keras.backend.backend() == "torch" else _step_tensorflow
    outputs, slopes, gradients = step(model, inputs)
    for weight, gradient in zip(model.trainable_weights, gradients, strict=True):
        if gradient is not None:
            weight.assign(weight.numpy() - STEP * _plain(gradient))
    model.save_weights(directory / "after.weights.h5")
    arrays = {"input": inputs, "output": outputs, "slope": slopes}
    np.savez(directory / "arrays.npz", **{f"{k}_{i}": _plain(v) for k, vs in arrays.items() for i, v in enumerate(vs)})


def _plain(value: Any) -> Any:
    return keras.ops.convert_to_numpy(value)


if __name__ == "__main__":
    for name in sys.argv[2:]:
        judge(Path(name), Path(sys.argv[1]) / Path(name).stem)
