"""What would be left of Keras in the output: names whose import or definition has gone. None may pass in silence."""

from __future__ import annotations

import libcst as cst


class Names(cst.CSTVisitor):
    """The names that code reads and binds."""

    def __init__(self) -> None:
        self.read: set[str] = set()
        self.bound: set[str] = set()
        self._storing = 0

    def visit_Attribute(self, node: cst.Attribute) -> bool:
        storing, self._storing = self._storing, 0
        node.value.visit(self)
        self._storing = storing
        return False

    def visit_Subscript(self, node: cst.Subscript) -> bool:
        storing, self._storing = self._storing, 0
        node.value.visit(self)
        for element in node.slice:
            element.visit(self)
        self._storing = storing
        return False

    def visit_Arg(self, node: cst.Arg) -> bool:
        node.value.visit(self)
        return False

    def visit_AssignTarget_target(self, node: cst.AssignTarget) -> None:
        self._storing += 1

    def leave_AssignTarget_target(self, node: cst.AssignTarget) -> None:
        self._storing -= 1

    def visit_For_target(self, node: cst.For) -> None:
        self._storing += 1

    def leave_For_target(self, node: cst.For) -> None:
        self._storing -= 1

    def visit_CompFor_target(self, node: cst.CompFor) -> None:
        self._storing += 1

    def leave_CompFor_target(self, node: cst.CompFor) -> None:
        self._storing -= 1

    def visit_Param(self, node: cst.Param) -> bool:
        self.bound.add(node.name.value)
        if node.default is not None:
            node.default.visit(self)
        if node.annotation is not None:
            node.annotation.visit(self)
        return False

    def visit_AsName(self, node: cst.AsName) -> bool:
        if isinstance(node.name, cst.Name):
            self.bound.add(node.name.value)
        return False

    def visit_FunctionDef_name(self, node: cst.FunctionDef) -> None:
        self.bound.add(node.name.value)

    def visit_ClassDef_name(self, node: cst.ClassDef) -> None:
        self.bound.add(node.name.value)

    def visit_Import(self, node: cst.Import) -> bool:
        for alias in node.names:
            name = alias.evaluated_alias or alias.evaluated_name.split(".")[0]
            self.bound.add(name)
        return False

    def visit_ImportFrom(self, node: cst.ImportFrom) -> bool:
        if not isinstance(node.names, cst.ImportStar):
            self.bound.update(alias.evaluated_alias or alias.evaluated_name for alias in node.names)
        return False

    def visit_Name(self, node: cst.Name) -> None:
        if self._storing:
            self.bound.add(node.value)
        else:
            self.read.add(node.value)


def names_of(node: cst.CSTNode) -> Names:
    """The names that ``node`` reads and binds."""
    names = Names()
    node.visit(names)
    return names


class Locate(cst.CSTVisitor):
    """Finds the first node that reads a name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.node: cst.CSTNode | None = None

    def visit_Arg(self, node: cst.Arg) -> bool:
        node.value.visit(self)
        return False

    def visit_Attribute(self, node: cst.Attribute) -> bool:
        node.value.visit(self)
        return False

    def visit_Name(self, node: cst.Name) -> None:
        if node.value == self.name and self.node is None:
            self.node = node
