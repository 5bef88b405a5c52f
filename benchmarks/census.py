"""Counts the models that real Keras makes of a whole program: what ``corpus.py`` measures translations against.

``python -m benchmarks.census JOB``: reads ``JOB/job.json``; writes ``JOB/census.json``, the lines of the program
at which functional and Sequential models are made. The program is run statement by statement, a failing one passed
over; training does nothing and data sets are random. Models with layers of the program's own are listed apart.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import json
import signal
import sys
import types
from importlib import import_module
from pathlib import Path
from typing import Any

from transpiler.verify.keras_child import stand_in
from transpiler.verify.stand_ins import install

STATEMENT_LIMIT = 30  # seconds
_SETS = {
    "mnist": ((60000, 28, 28), (60000,)), "fashion_mnist": ((60000, 28, 28), (60000,)),
    "cifar10": ((50000, 32, 32, 3), (50000, 1)), "cifar100": ((50000, 32, 32, 3), (50000, 1)),
    "boston_housing": ((404, 13), (404,)), "california_housing": ((16512, 8), (16512,)),
}  # fmt: skip


class Census:
    """Notes every model that is made, by the line of the program that makes it."""

    def __init__(self, keras: Any) -> None:
        self.made: list[tuple[int, bool, Any]] = []  # line, whether by keras.applications, model
        functional = import_module("keras.src.models.functional").Functional
        for cls in (keras.Sequential, functional):
            self._watch(cls)

    def _watch(self, cls: Any) -> None:
        plain = cls.__init__

        def init(model: Any, *args: Any, **kwargs: Any) -> None:
            plain(model, *args, **kwargs)
            caller = inspect.currentframe().f_back  # type: ignore[union-attr]
            ready = "/applications/" in caller.f_code.co_filename  # type: ignore[union-attr]
            if ready or caller.f_code.co_filename == "<program>":  # type: ignore[union-attr]
                self.made.append((_line_of_program(), ready, model))

        cls.__init__ = init

    def lines(self) -> dict[str, list[int]]:
        """The lines of plain models, of those with layers of the program's own, and of ready-made ones."""
        found: dict[str, set[int]] = {"plain": set(), "own": set(), "ready": set()}
        for line, ready, model in self.made:
            if line and model.layers:
                found["ready" if ready else "own" if _has_own(model) else "plain"].add(line)
        return {kind: sorted(lines) for kind, lines in found.items()}


def _has_own(model: Any) -> bool:
    """Whether a model has layers, or is of a class, that the program defines."""
    return any(type(layer).__module__ == "__main__" for layer in (model, *model._flatten_layers()))


def _line_of_program() -> int:
    """The line of the program's innermost frame; 0 inside the methods of a layer or model of its own."""
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_code.co_filename == "<program>":
            owner = type(frame.f_locals.get("self"))
            return 0 if any(base.__module__.startswith("keras.") for base in owner.__mro__) else frame.f_lineno
        frame = frame.f_back
    return 0


def run(source: str, filename: str, keras: Any) -> None:
    """Execute every top-level statement; one that fails is passed over."""
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    vars(module).update(__file__=filename, __builtins__=builtins)
    for statement in ast.parse(source).body:
        code = compile(ast.Module([statement], []), "<program>", "exec")
        signal.setitimer(signal.ITIMER_REAL, STATEMENT_LIMIT)
        try:
            exec(code, vars(module))
        except (Exception, SystemExit, TooLongError):  # noqa: BLE001 - for want of its data; the next may not need them
            continue
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)


class TooLongError(BaseException):
    """A statement took too long: a loop of its own that trains."""


def _too_long(*_: object) -> None:
    raise TooLongError


def _stand_in_sets(keras: Any) -> None:
    for name, (x, y) in _SETS.items():
        module = getattr(keras.datasets, name, None)
        if module is not None:
            pair = (stand_in(list(x), "uint8"), stand_in(list(y), "uint8"))
            module.load_data = lambda *args, pair=pair, **kwargs: (pair, pair)


def main() -> None:
    """Do the job."""
    folder = Path(sys.argv[1])
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    sys.argv = [job["filename"]]
    keras = import_module("keras")
    install(keras)
    signal.signal(signal.SIGALRM, _too_long)
    _stand_in_sets(keras)
    census = Census(keras)
    run(job["source"], job["filename"], keras)
    (folder / "census.json").write_text(json.dumps(census.lines()), encoding="utf-8")


if __name__ == "__main__":
    main()
