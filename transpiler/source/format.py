"""The formatter: black, as a library, with its own defaults and not the project's settings."""

from __future__ import annotations

LINE_LENGTH = 88


class FormatError(Exception):
    """The text that should be formatted is not Python: a fault of this package."""


def format_code(code: str) -> str:
    """Format with black; the result is what black itself would leave alone."""
    from black import format_str
    from black.mode import Mode, TargetVersion
    from black.parsing import InvalidInput

    mode = Mode(target_versions={TargetVersion.PY310}, line_length=LINE_LENGTH)
    try:
        return format_str(code, mode=mode)
    except (InvalidInput, ValueError, RecursionError) as error:
        raise FormatError(str(error)) from error
