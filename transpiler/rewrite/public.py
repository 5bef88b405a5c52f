"""The list ``__all__``: it names what the output has."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Any

import libcst as cst


def with_public_names(statement: Any, gone: Container[str], classes: Mapping[str, Sequence[str]]) -> Any:
    """A statement; if it sets ``__all__``, without the names that are gone and with the classes in their place."""
    if not isinstance(statement, cst.SimpleStatementLine) or len(statement.body) != 1:
        return statement
    small = statement.body[0]
    if not isinstance(small, (cst.Assign, cst.AugAssign)) or not isinstance(small.value, (cst.List, cst.Tuple)):
        return statement
    targets = [target.target for target in small.targets] if isinstance(small, cst.Assign) else [small.target]
    if not any(isinstance(target, cst.Name) and target.value == "__all__" for target in targets):
        return statement
    names = [_text(element.value) for element in small.value.elements]
    if not any(name is not None and (name in gone or name in classes) for name in names):
        return statement
    elements: list[cst.BaseElement] = []
    for element, name in zip(small.value.elements, names, strict=True):
        if name is not None and (name in gone or name in classes):
            elements += [cst.Element(cst.SimpleString(repr(each))) for each in dict.fromkeys(classes.get(name, ()))]
        else:
            elements.append(element.with_changes(comma=cst.MaybeSentinel.DEFAULT))
    return statement.with_changes(body=[small.with_changes(value=small.value.with_changes(elements=elements))])


def _text(node: cst.BaseExpression) -> str | None:
    value = node.evaluated_value if isinstance(node, cst.SimpleString) else None
    return value if isinstance(value, str) else None
