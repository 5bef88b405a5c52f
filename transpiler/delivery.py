"""Where the output of one file goes: written, printed, or compared with what is there."""

from __future__ import annotations

import io
import sys
import tokenize
from dataclasses import dataclass

from transpiler.jobs import Job
from transpiler.source.notebooks import readable
from transpiler.source.read import ReadError, SourceText, read_source
from transpiler.source.write import write_atomic


@dataclass(frozen=True)
class Delivered:
    """The exit status that came of it, and what to tell the user."""

    status: int = 0
    message: str = ""


def deliver(job: Job, code: str, source: SourceText, *, check: bool = False, diff: bool = False) -> Delivered:
    """Write, print or compare the output of a job."""
    if job.target is None:
        sys.stdout.buffer.write(_with_newline(code, source.newline).encode(declared_encoding(code)))
        sys.stdout.buffer.flush()
        return Delivered()
    present = _present(job)
    same = present == code
    if job.notebook and present is not None:  # one that has been run since is as good as new
        same = readable(present) == readable(code)
    if check or diff:
        if diff and not same:
            _print_diff(job, present or "", code)
        return Delivered(1, f"{job.target}: out of date") if check and not same else Delivered()
    if same:
        return Delivered(0, f"{job.target}: up to date")
    try:
        job.target.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(job.target, code, encoding=declared_encoding(code), newline=source.newline)
    except OSError as error:
        return Delivered(2, f"cannot write {job.target}: {error.strerror}")
    return Delivered(0, f"wrote {job.target}")


def declared_encoding(code: str) -> str:
    """Return the encoding in which Python would read the output: a coding line that survived still counts."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(code.encode("utf-8")).readline)
        code.encode(encoding)
    except (SyntaxError, UnicodeEncodeError):
        return "utf-8"
    return "utf-8" if encoding == "utf-8-sig" else encoding


def _present(job: Job) -> str | None:
    """Return the text of the output as it is now, None if there is none that can be read."""
    if job.target is None or not job.target.is_file():
        return None
    try:
        return read_source(job.target).text
    except ReadError:
        return None


def _print_diff(job: Job, before: str, after: str) -> None:
    from difflib import unified_diff

    name = str(job.target)
    if job.notebook:
        before, after = readable(before) if before else "", readable(after)
    lines = unified_diff(before.split("\n"), after.split("\n"), name, name, lineterm="")
    sys.stdout.buffer.write("".join(f"{line}\n" for line in lines).encode("utf-8", "replace"))
    sys.stdout.buffer.flush()


def _with_newline(text: str, newline: str) -> str:
    return text if newline == "\n" else text.replace("\n", newline)
