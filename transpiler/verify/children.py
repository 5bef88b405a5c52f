"""Child processes of ``--verify``: a time limit, a folder of their own, and an end for all that they started."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any


class ChildError(Exception):
    """A child did not do its job; the message is one line."""


def run_child(module: str, folder: Path, answer: str, limit: float, **environment: str) -> Any:
    """Run ``python -m module folder``; return what it wrote to the JSON file ``answer``."""
    command = [sys.executable, "-m", module, str(folder)]
    process = subprocess.Popen(  # noqa: S603 - our own interpreter, no shell
        command,
        cwd=_made(folder / "work"),
        env=_environment(folder, environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
        errors="replace",
    )
    try:
        _, errors = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        raise ChildError(f"it ran longer than {limit:g} seconds") from None
    finally:
        _end(process)
    written = folder / answer
    if not written.is_file():
        lines = [line for line in errors.splitlines() if line.strip()]
        raise ChildError(f"the process ended with status {process.returncode}: {(lines or ['no message'])[-1][:160]}")
    return json.loads(written.read_text(encoding="utf-8"))


def _made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder


def _environment(folder: Path, more: dict[str, str]) -> dict[str, str]:
    """Ours, but for a home of its own for Keras, no accelerator, and this package where it is."""
    here = str(Path(__file__).resolve().parents[2])
    paths = [here, *filter(None, [os.environ.get("PYTHONPATH")])]
    fixed = {
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONDONTWRITEBYTECODE": "1",
        "KERAS_HOME": str(_made(folder / "keras")),
        "CUDA_VISIBLE_DEVICES": "",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "MPLBACKEND": "agg",
    }
    return {**os.environ, **fixed, **more}


def _end(process: subprocess.Popen[str]) -> None:
    """End the child and all that it started."""
    try:
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    except ProcessLookupError:
        pass  # it has ended, as it should
    process.communicate()
