"""The order of import statements in the output, as isort and ruff have it."""

from __future__ import annotations

import sys
from typing import Any, TypeGuard

import libcst as cst


def is_plain_import(statement: Any) -> TypeGuard[cst.SimpleStatementLine]:
    """Whether a statement is an import alone on its lines, without comments, which may be moved among its like."""
    return (
        isinstance(statement, cst.SimpleStatementLine)
        and len(statement.body) == 1
        and isinstance(statement.body[0], (cst.Import, cst.ImportFrom))
        and "#" not in cst.Module([statement]).code
    )


def import_lines(statement: cst.SimpleStatementLine) -> list[str]:
    """The lines of a plain import: one module a line, the names of a module in order."""
    small = statement.body[0]
    code = cst.Module([statement.with_changes(leading_lines=())]).code.strip()
    if isinstance(small, cst.Import):
        return ["import " + _alias(alias) for alias in small.names]
    if not isinstance(small, cst.ImportFrom) or isinstance(small.names, cst.ImportStar):
        return [code]
    module = code.split(" import ", 1)[0]
    return [f"{module} import {', '.join(sorted(map(_alias, small.names), key=name_order))}"]


def sorted_block(lines: list[str]) -> str:
    """Import lines in sections: the future, the standard library, others, relative ones."""
    sections: dict[int, list[str]] = {}
    for line in lines:
        sections.setdefault(_section(line), []).append(line)
    blocks = ("".join(f"{line}\n" for line in sorted(sections[key], key=_line_order)) for key in sorted(sections))
    return "\n".join(blocks)


def name_order(name: str) -> tuple[int, str]:
    """Constants first, then classes, then the rest."""
    leaf = name.split(" as ", maxsplit=1)[0]
    kind = 0 if leaf.isupper() and len(leaf) > 1 else 1 if leaf[:1].isupper() else 2
    return kind, leaf


def _alias(alias: cst.ImportAlias) -> str:
    name = alias.evaluated_alias
    return alias.evaluated_name + (f" as {name}" if name else "")


def _section(line: str) -> int:
    module = line.split()[1]
    if module == "__future__":
        return 0
    if module.startswith("."):
        return 3
    return 1 if module.split(".")[0] in sys.stdlib_module_names else 2


def _line_order(line: str) -> tuple[bool, str, str]:
    words = line.split(maxsplit=2)
    return words[0] == "from", words[1].lower(), words[2] if len(words) > 2 else ""
