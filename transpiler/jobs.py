"""Which files a command line means, and where the output of each goes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from transpiler.options import Settings, find_settings
from transpiler.source.detect import mentions_keras
from transpiler.source.notebooks import SUFFIX as NOTEBOOK

STREAM = "-"
_SUFFIXES = (".py", NOTEBOOK)
_SKIPPED_FOLDERS = {"__pycache__", "node_modules", "site-packages", "build", "dist"}


class UsageError(Exception):
    """The command line asks for something that makes no sense; nothing has been done yet."""


@dataclass(frozen=True)
class Job:
    """One input. ``source`` None is standard input, ``target`` None standard output.

    ``named`` says that the user named the file, who then hears of it even if there is nothing to do. ``notebook`` is
    known of standard input only when it has been read. ``base`` is the directory that the file was found from;
    ``mirrored`` says that the outputs stand below another directory in the same way.
    """

    source: Path | None
    target: Path | None
    settings: Settings
    named: bool = True
    skip: str = ""  # why it is left alone, if it is
    notebook: bool = False
    base: Path | None = None
    mirrored: bool = False
    importable: bool = True  # its place follows from that of the source: other outputs know where it is

    @property
    def shown(self) -> str:
        """The name for messages."""
        return STREAM if self.source is None else os.fsencode(self.source).decode("utf-8", "replace")

    @property
    def filename(self) -> str:
        """The name by which the translation knows it: one of a notebook for a notebook, wherever it came from."""
        return f"{self.shown}{NOTEBOOK}" if self.notebook and self.source is None else self.shown


def plan(files: Sequence[str], output: str | None) -> list[Job]:
    """Return the jobs of a command line, or raise :class:`UsageError` before anything is written."""
    if STREAM in files:
        return [_stream_job(files, output)]
    folder = _output_folder(files, output)
    inputs = [found for found in _expand(files) if not _is_output(found[0], found[2], folder)]
    jobs = [_job(path, base, named, output, folder) for path, base, named in inputs]
    _check_targets(jobs)
    return jobs


def _stream_job(files: Sequence[str], output: str | None) -> Job:
    if len(files) > 1:
        raise UsageError("`-` (standard input) cannot be combined with other files")
    target = None if output in (None, STREAM) else Path(str(output))
    if target is not None and target.is_dir():
        raise UsageError(f"the output {target} of standard input must be a file, not a directory")
    return Job(None, target, find_settings(Path.cwd()))


def _expand(files: Sequence[str]) -> Iterator[tuple[Path, Path, bool]]:
    """Yield each input once: its path, the directory it was found from, and whether it was named itself."""
    seen: set[Path] = set()
    for name in files:
        path = Path(name)
        found = _walk(path) if path.is_dir() else iter([path])
        for each in found:
            real = each.resolve()
            if real not in seen:
                seen.add(real)
                yield each, _base(path) if path.is_dir() else each.parent, not path.is_dir()


def _is_output(path: Path, named: bool, folder: Path | None) -> bool:
    """Whether a file that was found in a directory lies where the outputs go."""
    return folder is not None and not named and path.resolve().is_relative_to(folder.resolve())


def _base(folder: Path) -> Path:
    """What the outputs are laid out from: the directory itself, or the one above a package, which keeps its name."""
    found = Path(os.path.abspath(folder))  # noqa: PTH100 - not resolve(): a link stays what it is called
    while (found / "__init__.py").is_file() and found.parent != found:
        found = found.parent
    return found


def _walk(folder: Path) -> Iterator[Path]:
    """Yield the programs and notebooks below a directory, in order, but for hidden folders, environments and builds."""
    for here, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not _skips(Path(here, name)))
        yield from (Path(here, name) for name in sorted(names) if name.endswith(_SUFFIXES))


def _skips(folder: Path) -> bool:
    return folder.name.startswith(".") or folder.name in _SKIPPED_FOLDERS or (folder / "pyvenv.cfg").exists()


def _output_folder(files: Sequence[str], output: str | None) -> Path | None:
    """Return ``-o`` if it is a directory; several inputs need one."""
    if output is None or output == STREAM:
        if output == STREAM and (len(files) > 1 or Path(files[0]).is_dir()):
            raise UsageError("only one file can go to standard output")
        return None
    path = Path(output)
    many = len(files) > 1 or Path(files[0]).is_dir()
    if many and path.exists() and not path.is_dir():
        raise UsageError(f"with several inputs the output must be a directory, which {output} is not")
    if many and not path.exists() and path.suffix:
        raise UsageError(f"with several inputs the output must be a directory; {output} looks like a file")
    return path if many or path.is_dir() or output.endswith(("/", os.sep)) else None


def _job(path: Path, base: Path, named: bool, output: str | None, folder: Path | None) -> Job:
    settings = find_settings(path.absolute().parent)
    if output == STREAM:
        target = None
    elif folder is not None:
        name = path.name if path.name == "__init__.py" else settings.output_for(path).name
        inner = os.path.relpath(path.parent, base)
        target = folder / inner / name
    else:
        target = settings.output_for(path) if output is None else Path(output)
        _check_kind(path, target)
    twin_of = _twin_of(path, settings)
    skip = f"the output of {twin_of.name}" if twin_of else ""
    if settings.excludes(path):
        skip = "excluded in pyproject.toml"
    importable = folder is not None or output is None
    return Job(path, target, settings, named, skip, path.suffix == NOTEBOOK, base, folder is not None, importable)


def _check_kind(path: Path, target: Path) -> None:
    """Refuse to write a notebook into a file that is none by its name, and the other way round."""
    if path.suffix == NOTEBOOK != target.suffix and target.name:
        raise UsageError(f"the output of the notebook {path} is a notebook; {target} must end in {NOTEBOOK}")
    if target.suffix == NOTEBOOK != path.suffix:
        raise UsageError(f"the output of {path} is no notebook; {target} must not end in {NOTEBOOK}")


def _twin_of(path: Path, settings: Settings) -> Path | None:
    """Return the Keras file of which this one is the output, if there is one."""
    *folders, name = settings.output_for(Path(f"{{name}}{path.suffix}")).parts
    pattern = re.escape(name).replace(re.escape("{name}"), "(?P<name>.+)")
    matched = re.fullmatch(pattern, path.name)
    absolute = path.absolute()
    if matched is None or list(absolute.parts[-1 - len(folders) : -1]) != folders:
        return None
    source = absolute.parents[len(folders)] / f"{matched['name']}{path.suffix}"
    if source == absolute or not source.is_file():
        return None
    try:
        return source if mentions_keras(source.read_bytes()) or not mentions_keras(absolute.read_bytes()) else None
    except OSError:
        return None


def _check_targets(jobs: Sequence[Job]) -> None:
    """Refuse to write over an input, or two outputs over each other."""
    sources = {job.source.resolve() for job in jobs if job.source and not job.skip}
    targets: dict[Path, Job] = {}
    for job in jobs:
        if job.target is None or job.skip:
            continue
        target = job.target.resolve()
        if target in sources:
            raise UsageError(f"the output {job.target} is an input file; it would be overwritten")
        if target in targets:
            raise UsageError(f"{targets[target].shown} and {job.shown} would both be written to {job.target}")
        targets[target] = job
