"""What the tests of notebooks share: making them, and running their code cells as a program."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

CASES = Path(__file__).resolve().parent / "cases"


def cell(source: str, kind: str = "code", **more: Any) -> dict[str, Any]:
    """A cell as Jupyter writes it, a code cell with an output."""
    lines = source.splitlines(keepends=True)
    if kind != "code":
        return {"cell_type": kind, "metadata": {}, "source": lines, **more}
    output = {"name": "stdout", "output_type": "stream", "text": ["1\n"]}
    parts = {"execution_count": 7, "metadata": {}, "outputs": [output], "source": lines}
    return {"cell_type": "code", **parts, **more}


def notebook(*cells: str | dict[str, Any], **more: Any) -> str:
    """A notebook of code cells, or of cells as they are given."""
    whole = [cell(each) if isinstance(each, str) else each for each in cells]
    data = {"cells": whole, "metadata": {"language_info": {"name": "python"}}, "nbformat": 4, "nbformat_minor": 4}
    return json.dumps({**data, **more}, indent=1, ensure_ascii=False) + "\n"


def cells_of(text: str) -> list[dict[str, Any]]:
    """The cells of a notebook."""
    data = json.loads(text)
    return list(data["cells"] if "cells" in data else data["worksheets"][0]["cells"])


def sources(text: str) -> list[str]:
    """The sources of the code cells of a notebook."""
    return ["".join(each["source"]) for each in cells_of(text) if each["cell_type"] == "code"]


def script(text: str) -> str:
    """The code cells as a program: without IPython's syntax, and with figures that nobody draws."""
    lines: Sequence[str] = [line for source in sources(text) for line in _python(source)]
    code = "\n".join(lines) + "\n"
    return code.replace("import matplotlib.pyplot as plt", "from unittest import mock\nplt = mock.MagicMock()")


def _python(source: str) -> list[str]:
    if source.startswith(("%%bash", "?")) or source.endswith("??"):
        return []
    kept = []
    for line in source.replace("\\\n", "").split("\n"):
        bare = line.lstrip()
        indent = line[: len(line) - len(bare)]
        if bare.startswith(("%time ", "%timeit -n 10 ")):
            kept.append(indent + bare.partition(" ")[2].removeprefix("-n 10 "))
        elif bare.startswith(("%", "!")) and 'text = """' not in source:
            kept.append(f"{indent}pass")
        else:
            kept.append(line.replace("!ls *.csv", "[]"))
    return kept
