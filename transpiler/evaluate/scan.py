"""One walk over the module before it is interpreted: which names each statement reads, and what is bound once."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cache

import libcst as cst

from transpiler.source.tree import children


@dataclass
class Scan:
    """What the walk found. ``reads`` and ``methods`` (attribute names) are by the identity of a statement."""

    bound: Counter[str] = field(default_factory=Counter)  # how often the module's top level binds a name
    attributes: Counter[str] = field(default_factory=Counter)  # how often an attribute of that name is set anywhere
    names: set[str] = field(default_factory=set)
    reads: dict[int, set[str]] = field(default_factory=dict)
    methods: dict[int, set[str]] = field(default_factory=dict)


_STATEMENTS = (cst.BaseCompoundStatement, cst.SimpleStatementLine)
_BINDING_ANYWHERE = (cst.Global, cst.AugAssign)
_BINDING = (*_BINDING_ANYWHERE, cst.AssignTarget, cst.AnnAssign, cst.For)
_TARGETED = (cst.AssignTarget, cst.AnnAssign, cst.AugAssign, cst.For, cst.NamedExpr)
_SKIPPED = (cst.BaseString, cst.BaseNumber, cst.Import, cst.ImportFrom)


def scan_module(module: cst.Module) -> Scan:
    """Walk the module once."""
    scan = Scan()
    stack: list[tuple[cst.CSTNode, tuple[int, ...], int, int]] = [(module, (), 0, 0)]
    while stack:
        current, owners, depth, loops = stack.pop()
        kind = type(current)
        if kind is cst.Name:
            assert isinstance(current, cst.Name)
            scan.names.add(current.value)
            for statement in owners:
                scan.reads[statement].add(current.value)
            continue
        if _is_kind(kind, _SKIPPED):
            if isinstance(current, cst.FormattedString):
                stack.extend((child, owners, depth, loops) for child in current.parts)
            continue
        if _is_kind(kind, _STATEMENTS):
            owners = (*owners, id(current))
            scan.reads[id(current)] = set()
            scan.methods[id(current)] = set()
        if kind in _TARGETED:
            assert isinstance(current, _TARGETED)
            _count_attributes(scan, current.target, 2 if loops or kind in (cst.AugAssign, cst.For) else 1)
        if _is_kind(kind, _BINDING if not depth else _BINDING_ANYWHERE):
            _note_bindings(scan, current, loops)
        if kind is cst.Attribute:
            assert isinstance(current, cst.Attribute)
            for statement in owners:
                scan.methods[statement].add(current.attr.value)
            stack.append((current.value, owners, depth, loops))
            continue
        if kind is cst.Arg:
            assert isinstance(current, cst.Arg)
            stack.append((current.value, owners, depth, loops))
            continue
        depth += _is_kind(kind, (cst.FunctionDef, cst.ClassDef))
        loops += _is_kind(kind, (cst.For, cst.While))
        stack.extend((child, owners, depth, loops) for child in children(current))
    return scan


@cache
def _is_kind(kind: type[cst.CSTNode], kinds: tuple[type[cst.CSTNode], ...]) -> bool:
    """Remembered, as these classes are abstract: asking is slow."""
    return issubclass(kind, kinds)


def _note_bindings(scan: Scan, node: cst.CSTNode, loops: int) -> None:
    times = 2 if loops else 1
    if isinstance(node, (cst.AssignTarget, cst.AnnAssign)):
        _count(scan, node.target, times)
    elif isinstance(node, (cst.AugAssign, cst.For)):
        _count(scan, node.target, 2)
    elif isinstance(node, cst.Global):
        for item in node.names:
            scan.bound[item.name.value] += 2


def _count_attributes(scan: Scan, target: cst.BaseExpression, times: int) -> None:
    if isinstance(target, cst.Attribute):
        scan.attributes[target.attr.value] += times
    elif isinstance(target, (cst.Tuple, cst.List)):
        for element in target.elements:
            _count_attributes(scan, element.value, times)


def _count(scan: Scan, target: cst.BaseExpression, times: int) -> None:
    if isinstance(target, cst.Name):
        scan.bound[target.value] += times
    elif isinstance(target, (cst.Tuple, cst.List)):
        for element in target.elements:
            _count(scan, element.value, times)
