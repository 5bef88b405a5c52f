"""Reading in a process of its own: on a broken file the HDF5 library may crash, hang or eat memory, and not only fail.

The child gets the path and the spec; it gives back an answer in JSON and the arrays in NumPy's format, never pickles.
"""

from __future__ import annotations

import importlib.util
import json
import os
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from transpiler.weights.errors import WeightsError
from transpiler.weights.spec import ModelWeights, Source

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

_SECONDS = 60
_BYTES_PER_SECOND = 5_000_000  # a slow disk, compressed arrays
_BROKEN = "the file is broken: the HDF5 library fails on it"


def needed(spec: ModelWeights) -> list[Source]:
    """The variables that the state dict is made of, each once."""
    return list(dict.fromkeys(source for entry in spec.entries for source in entry.sources))


def read_apart(path: Path, spec: ModelWeights) -> dict[Source, Array]:
    """Read the variables that a spec needs; the file is opened by a child process only."""
    for package in ("numpy", "h5py"):
        if importlib.util.find_spec(package) is None:
            raise ModuleNotFoundError(f"No module named '{package}'", name=package)
    with path.open("rb"):
        size = path.stat().st_size
    with tempfile.TemporaryFile() as arrays:
        answer = _ask(pickle.dumps((str(path.resolve()), size, spec)), arrays, _SECONDS + size / _BYTES_PER_SECOND)
        if "error" in answer:
            raise WeightsError(str(answer["error"]), answer.get("hint"))
        arrays.seek(0)
        return _received(arrays, needed(spec))


def _ask(request: bytes, arrays: BinaryIO, seconds: float) -> dict[str, Any]:
    """Run the child; its standard output are the arrays, its standard error the answer."""
    paths = [path or str(Path.cwd()) for path in sys.path]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "transpiler.weights.child"]
    try:
        done = subprocess.run(  # noqa: S603 - our own module
            command, input=request, stdout=arrays, stderr=subprocess.PIPE, env=environment, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise WeightsError(f"{_BROKEN}: no end after {seconds:.0f} seconds") from error
    lines = done.stderr.decode("utf-8", "replace").splitlines()
    try:
        answer = json.loads(lines[-1])
    except (IndexError, ValueError):
        raise WeightsError(_BROKEN) from None
    return answer if isinstance(answer, dict) and (done.returncode == 0 or "error" in answer) else {"error": _BROKEN}


def _received(arrays: BinaryIO, sources: list[Source]) -> dict[Source, Array]:
    from numpy.lib import format as npy

    try:
        return {source: npy.read_array(arrays, allow_pickle=False) for source in sources}
    except (ValueError, OSError, EOFError) as error:
        raise WeightsError(_BROKEN) from error
