"""The process that opens a weight file: ``python -m transpiler.weights.child``, started by ``isolate``."""

from __future__ import annotations

import json
import os
import pickle
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transpiler.weights.errors import WeightsError
from transpiler.weights.isolate import needed
from transpiler.weights.match import match
from transpiler.weights.read import read_file
from transpiler.weights.spec import ModelWeights, Source
from transpiler.weights.store import open_h5

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

_ADDRESS_SPACE = 8 << 30


def read_here(path: Path, spec: ModelWeights) -> dict[Source, Array]:
    """Read the variables that a spec needs, in this process."""
    with open_h5(path) as file:
        bound = match(read_file(file), spec)
        return {source: bound[source.place][source.variable].read() for source in needed(spec)}


def main() -> None:
    """Read the request from standard input; arrays go to standard output, the answer to standard error."""
    from numpy.lib import format as npy

    path, size, spec = pickle.load(sys.stdin.buffer)  # noqa: S301 - from the parent process
    _limit_memory(_ADDRESS_SPACE + 8 * size)
    answer: dict[str, Any] = {}
    try:
        for array in read_here(Path(path), spec).values():
            npy.write_array(sys.stdout.buffer, array, allow_pickle=False)
        sys.stdout.buffer.flush()
    except WeightsError as error:
        answer = {"error": _printable(error.message), "hint": error.hint}
    except MemoryError:
        answer = {"error": "the file does not fit into memory, or is broken"}
    sys.stderr.write("\n" + json.dumps(answer) + "\n")
    sys.stderr.flush()
    os._exit(0)  # a damaged file may crash the library even as it closes


def _limit_memory(limit: int) -> None:
    """Bound the memory of this process where the system can."""
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    except (ImportError, ValueError, OSError):
        return


def _printable(message: str) -> str:
    """Names in a file may hold anything; a terminal should not see it."""
    return "".join(char if char.isprintable() else "?" for char in message)[:1000]


if __name__ == "__main__":
    main()
