"""Runs the sliced program under real Keras, and asks each of its models for outputs. A process of its own.

``python -m transpiler.verify.keras_child JOB``: reads ``JOB/job.json``; writes ``JOB/keras.json``, and for each model
``K.weights.h5`` and ``K.npz``.
"""

from __future__ import annotations

import builtins
import inspect
import json
import sys
import types
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from transpiler.verify.exercise import Exercise, NotComparableError, one_line
from transpiler.verify.stand_ins import Stub, install

_RATES = ("rate", "drop", "alpha", "lr", "prob", "momentum")
_SIZES = ("height", "width", "size", "rows", "cols", "img")
_REST = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
SHAPES = {2: (6,), 3: (7, 5), 4: (32, 32, 3), 5: (16, 16, 16, 2)}
_LARGEST = 10**6  # numbers of a stand-in that are really drawn


class Recorder:
    """Keeps the models as the slice makes them, with the names that were known there."""

    def __init__(self) -> None:
        self.made: dict[int, list[tuple[Any, dict[str, Any], types.FrameType]]] = {}
        self.problem = ""

    def record(self, site: int, model: Any) -> Any:
        """Note a model, with the names as they are now, and hand it through."""
        frame = sys._getframe(1)
        self.made.setdefault(site, []).append((model, {**frame.f_globals, **frame.f_locals}, frame))
        return model

    def find(self, site: int, turn: int) -> tuple[Any, dict[str, Any]]:
        """Return a model and the names at its place: those that it came too early for are taken from the end."""
        made = self.made.get(site, [])
        if len(made) <= turn:
            raise NotComparableError(self.problem or "the statement that makes it was not reached")
        model, names, frame = made[turn]
        return model, {**frame.f_globals, **frame.f_locals, **names}

    def run(self, source: str, filename: str) -> None:
        """Execute the slice; what it raises is remembered."""
        module = types.ModuleType("__main__")
        sys.modules["__main__"] = module
        tools: dict[str, Any] = {
            "__record__": self.record, "__array__": stand_in, "__unknown__": invented,
            "__run__": self.attempt, "__alone__": self.alone,
        }  # fmt: skip
        vars(module).update(tools, __file__=filename, __builtins__=builtins)
        try:
            exec(compile(source, "<program>", "exec"), vars(module))  # noqa: S102 - this is what --verify is for
        except (Exception, SystemExit) as error:  # noqa: BLE001 - told with every model that was not made
            self.problem = one_line(error)

    def attempt(self, call: Callable[[], Any]) -> None:
        """Make a call that one was asked to trace."""
        try:
            call()
        except Exception as error:  # noqa: BLE001 - told with the models that it should have made
            self.problem = self.problem or one_line(error)

    def alone(self, rank: int, owner: Any, method: str | None = None) -> None:
        """Call a builder that the program itself never calls: defaults, and values of our own for the rest."""
        before = self.problem
        for whole in (False, True):  # whether a size may be a whole shape
            self.problem = before
            self.attempt(partial(_alone, rank, owner, method, whole=whole))
            if self.problem == before:
                return


def _alone(rank: int, owner: Any, method: str | None, *, whole: bool) -> None:
    function = owner if method is None else getattr(_call(owner, 0, whole=False), method)
    _call(function, rank, whole=whole)


def _call(function: Callable[..., Any], rank: int, *, whole: bool) -> Any:
    """Call with values of our own for the parameters that have no default."""
    positional: list[Any] = []
    named: dict[str, Any] = {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.default == "imagenet":
            named[parameter.name] = None  # no download: all weights are redrawn anyway
        if parameter.default is not parameter.empty or parameter.kind in _REST:
            continue
        name = parameter.name
        is_shape = "shape" in name or (whole and "size" in name)
        value = SHAPES.get(rank, SHAPES[4]) if is_shape else invented(name)
        if parameter.kind is parameter.POSITIONAL_ONLY:
            positional.append(value)
        else:
            named[name] = value
    return function(*positional, **named)


def invented(name: str) -> Any:
    """A value for a name that only the whole program would give one."""
    lower = name.lower()
    if any(part in lower for part in _RATES):
        return 0.25
    return 32 if any(part in lower for part in _SIZES) else Stub()


def stand_in(shape: list[int], dtype: str) -> Any:
    """An array of a known shape: random numbers, a constant where it would be large."""
    shape = [int(size) for size in shape]
    try:
        kind = np.dtype(dtype)
    except TypeError:
        kind = np.dtype("float32")
    if np.prod(shape, dtype=float) > _LARGEST:
        return np.broadcast_to(np.ones((), kind), shape)
    rng = np.random.RandomState(0)
    return (rng.randint(0, 10, size=shape) if kind.kind in "iub" else rng.uniform(size=shape)).astype(kind)


def main() -> None:
    """Do the job."""
    folder = Path(sys.argv[1])
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    sys.argv = [job["filename"]]
    keras = import_module("keras")
    save = keras.Model.save_weights
    if job["floatx"] == "float64":
        _in_double_precision(keras)
    install(keras)
    recorder = Recorder()
    recorder.run(job["source"], job["filename"])
    exercise = partial(_exercise, keras, save, recorder, job)
    answers = [_answer(partial(exercise, number, folder / str(number))) for number in job["wanted"]]
    (folder / "keras.json").write_text(json.dumps(answers), encoding="utf-8")


def _in_double_precision(keras: Any) -> None:
    dtypes = import_module("keras.src.backend.common.dtypes")
    dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"  # Keras computes in single precision in between otherwise
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")


def _answer(run: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return run()
    except NotComparableError as error:
        return {"why": str(error)}
    except Exception as error:  # noqa: BLE001 - Keras may fail in any way; the others have their turn
        return {"why": one_line(error)}


def _exercise(keras: Any, save: Any, recorder: Recorder, job: Any, number: int, stem: Path) -> dict[str, Any]:
    wanted = job["models"][number]
    model, names = recorder.find(*wanted["site"][:2])
    if not isinstance(model, keras.Model):
        raise NotComparableError(f"Keras does not make a model here, but {type(model).__name__}")
    exercise = Exercise(keras, model, wanted["inputs"], wanted["dtypes"])
    inputs, outputs = exercise.run()
    exercise.check_repeatable(inputs, outputs)
    save(model, f"{stem}.weights.h5")
    arrays: dict[str, Any] = {f"input_{at}": array for at, array in enumerate(inputs)}
    arrays |= {f"output_{at}": array for at, array in enumerate(outputs)}
    layers = []
    if job["trace"] and getattr(model, "inputs", None):
        for at, (name, activation, value) in enumerate(exercise.trace(inputs)):
            layers.append([name, activation])
            arrays[f"layer_{at}"] = value
    np.savez(f"{stem}.npz", **arrays)
    return {"values": _values(wanted["arguments"], names), "layers": layers}


def _values(arguments: dict[str, str], names: dict[str, Any]) -> dict[str, Any]:
    """The numbers among the arguments of a constructor; models among them are the other side's to make."""
    values = {}
    for name, text in arguments.items():
        try:
            value = eval(text, dict(names))  # noqa: S307 - names of the program, in the program's own process
        except Exception:  # noqa: BLE001, S112 - may be a model's; the other side tells what is missing
            continue
        if isinstance(value, (bool, int, float, str, np.integer, np.floating)):
            values[name] = value.item() if isinstance(value, np.generic) else value
    return values


if __name__ == "__main__":
    main()
