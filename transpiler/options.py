"""The options of one translation, and the settings of a project (``[tool.transpiler]`` in pyproject.toml)."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

DEFAULT_OUTPUT = "{name}_torch.py"


@dataclass(frozen=True)
class Options:
    """How to translate.

    ``drop_in``: the module takes and returns exactly the arrays that the Keras model did.
    ``entry``: calls to trace besides the program itself, such as ``"build_unet((128, 128, 3), 2)"``.
    ``root``: the directory below which the program's own modules are read; without it, no other file is.
    """

    drop_in: bool = False
    entry: tuple[str, ...] = ()
    root: Path | None = None


class SettingsError(Exception):
    """``[tool.transpiler]`` cannot be used; the message names the file and the key."""


@dataclass(frozen=True)
class Settings:
    """What a project's pyproject.toml says.

    ``entry`` maps a file pattern to calls to trace; a plain list in the file counts for every file (``"**"``).
    ``exclude`` has file patterns; ``output`` is the output's name beside the input, with ``{name}`` for its stem.
    Patterns are relative to ``root``, the directory of the pyproject.toml.
    """

    root: Path = field(default_factory=Path)
    drop_in: bool = False
    entry: tuple[tuple[str, tuple[str, ...]], ...] = ()
    exclude: tuple[str, ...] = ()
    output: str = DEFAULT_OUTPUT

    def excludes(self, path: Path) -> bool:
        """Say whether the project wants this file left alone."""
        return any(self._matches(path, pattern) for pattern in self.exclude)

    def options(self, path: Path | None, drop_in: bool, entry: tuple[str, ...]) -> Options:
        """Return the options for a file: the project's settings, and what the command line adds to them."""
        mine = [call for pattern, calls in self.entry if self._concerns(path, pattern) for call in calls]
        return Options(drop_in or self.drop_in, entry or tuple(mine))

    def output_for(self, path: Path) -> Path:
        """Return where the output of a file goes by default; that of a notebook has the suffix of one."""
        output = Path(self.output).with_suffix(path.suffix) if path.suffix == ".ipynb" else self.output
        return path.parent / str(output).replace("{name}", path.stem)

    def _concerns(self, path: Path | None, pattern: str) -> bool:
        return pattern == "**" or (path is not None and self._matches(path, pattern))

    def _matches(self, path: Path, pattern: str) -> bool:
        try:
            relative = path.resolve().relative_to(self.root.resolve())
        except ValueError:
            return False
        folders = (parent.match(pattern) for parent in relative.parents if parent.name)
        return relative.match(pattern.rstrip("/")) or any(folders)


def find_settings(start: Path) -> Settings:
    """Return the settings of the nearest pyproject.toml at or above ``start`` with a ``[tool.transpiler]`` table."""
    return _settings_at(start.resolve())


@cache
def _settings_at(folder: Path) -> Settings:
    found = folder / "pyproject.toml"
    if found.is_file():
        table = _table(found)
        if table is not None:
            return _parse(found, table)
    return Settings(folder) if folder.parent == folder else _settings_at(folder.parent)


def _table(path: Path) -> Mapping[str, Any] | None:
    """Return ``[tool.transpiler]``; a pyproject.toml that is not for us may be broken without harm."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        text = path.read_bytes().decode("utf-8")
        data = tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: cannot read the file: {error}") from error
    except tomllib.TOMLDecodeError as error:
        if "tool.transpiler" not in text:
            return None
        raise SettingsError(f"{path}: {error}") from error
    tool = data.get("tool", {})
    table = tool.get("transpiler") if isinstance(tool, dict) else None
    if table is not None and not isinstance(table, dict):
        raise SettingsError(f"{path}: `tool.transpiler` must be a table")
    return table


def _parse(path: Path, table: Mapping[str, Any]) -> Settings:
    known = ("drop-in", "entry", "exclude", "output")
    for key in table:
        if key not in known:
            import difflib

            close = difflib.get_close_matches(key.replace("_", "-"), known, n=1)
            advice = f"did you mean `{close[0]}`?" if close else f"known are: {', '.join(known)}"
            raise SettingsError(f"{path}: unknown key `{key}` in [tool.transpiler]; {advice}")
    drop_in = table.get("drop-in", False)
    if not isinstance(drop_in, bool):
        raise SettingsError(f"{path}: `drop-in` in [tool.transpiler] must be true or false")
    return Settings(
        root=path.parent,
        drop_in=drop_in,
        entry=_entries(path, table.get("entry", [])),
        exclude=_strings(path, "exclude", table.get("exclude", [])),
        output=_output(path, table.get("output", DEFAULT_OUTPUT)),
    )


def _entries(path: Path, value: Any) -> tuple[tuple[str, tuple[str, ...]], ...]:
    if isinstance(value, dict):
        return tuple((pattern, _strings(path, "entry", calls)) for pattern, calls in value.items())
    calls = _strings(path, "entry", value)
    return (("**", calls),) if calls else ()


def _strings(path: Path, key: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise SettingsError(f"{path}: `{key}` in [tool.transpiler] must be a list of strings")
    return tuple(value)


def _output(path: Path, value: Any) -> str:
    if not isinstance(value, str) or "{name}" not in value or not value.endswith(".py") or Path(value).is_absolute():
        example = 'such as "{name}_torch.py" or "torch/{name}.py"'
        raise SettingsError(f"{path}: `output` in [tool.transpiler] must be a relative name with {{name}}, {example}")
    if value == "{name}.py":
        raise SettingsError(f"{path}: `output` in [tool.transpiler] would overwrite the input")
    return value
