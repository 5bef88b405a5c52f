"""Where the Jinja templates are found: inside the wheel, or at the top of a checkout."""

from __future__ import annotations

from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment

_PACKAGE = Path(__file__).resolve().parent


@lru_cache(maxsize=1)
def template_directory() -> Path:
    """Return the directory of the templates; a wheel carries it as ``transpiler/templates``."""
    for candidate in (_PACKAGE / "templates", _PACKAGE.parent / "templates"):
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError("the templates of this package are missing; reinstall it")


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Return the one Jinja environment: undefined names raise, blocks leave no blank lines, nothing is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(template_directory()),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - the output is Python, not HTML
    )


@cache
def helper_source(name: str) -> str:
    """Return the source of a helper that output programs may carry (``templates/helpers/NAME.py.jinja``)."""
    return environment().get_template(f"helpers/{name}.py.jinja").render()
