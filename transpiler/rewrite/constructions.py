"""Where models are made: their constructor calls, and the classes in the places of builders and classes."""

from __future__ import annotations

import builtins
from dataclasses import dataclass
from typing import Any

import libcst as cst

from transpiler.diagnostics import Refusal
from transpiler.evaluate.core import Creation
from transpiler.evaluate.values import Function
from transpiler.graph.keras import CustomModel, Model
from transpiler.graph.program import Action
from transpiler.rewrite.leaves import check_leaves, known_later
from transpiler.rewrite.leftovers import Leftovers
from transpiler.rewrite.project_imports import Kept
from transpiler.rewrite.residue import names_of
from transpiler.rewrite.state import ModelCode, Statement, Verbatim


@dataclass(eq=False)
class Constructions(Leftovers):
    """Writes the classes of the models and the calls that make them."""

    def _render(self, action: Action, texts: Any, receiver: str) -> Any:
        return self.render(action, texts, receiver)

    def _creations(self, node: Any) -> Any:
        """A statement that makes a model keeps its target: ``model = CNN()``."""
        value = getattr(node, "value", None)
        if value is None or id(value) not in self.ev.facts.creations:
            if isinstance(node, (cst.Assign, cst.Return)) and isinstance(self.ev.facts.values.get(id(value)), Model):
                return node
            return None
        if isinstance(node, cst.Assign) and self._waits(node, self.ev.facts.creations[id(value)]):
            return None
        if all(self._is_part(creation.model) for creation in self.ev.facts.creations[id(value)]):
            return None
        text = self._construct(value, self.ev.facts.creations[id(value)])
        if text is None:
            return node if isinstance(node, (cst.Assign, cst.Return)) else None
        return node.with_changes(value=cst.parse_expression(text))

    def _is_part(self, model: Model) -> bool:
        """Whether a layer of the program's own is only part of models: then these make it."""
        used = any(action.model is model for action in self.ev.program.actions)
        return isinstance(model, CustomModel) and model.is_layer and not used

    def _construct(self, node: cst.CSTNode, creations: list[Creation]) -> str | None:
        """The constructor call for a creation; None where the builder that is called here stays a function."""
        texts: set[str] = set()
        for creation in creations:
            function = creation.function
            outside = function is not None
            model = self.models.get(id(creation.model))
            if function is not None and (model is None or not model.provided) and self._stays(function):
                return None
            if model is None:
                raise Refusal("KT105", "this model could not be translated")
            if function is not None and not self.ev.modules.is_home(function.closure):
                self._known_here(model)
            self._write_class(model)
            check_leaves(self.ev, model.leaves, outside, self._moment(creation.model), self.function)
            texts.add(model.construct(outside))
        if len(texts) > 1:
            raise Refusal(
                "KT303", "this call builds different models from turn to turn", "build each in a statement of its own"
            )
        text = texts.pop()
        self._reachable(text)
        return self._on_device(text)

    @staticmethod
    def _known_here(model: ModelCode) -> None:
        """What a model of another file is built with must not be that file's own secret."""
        if model.loose:
            what = f"`{model.loose[0]}`, which a size of this model depends on, is known only in another file"
            raise Refusal("KT201", what, "give it to the builder as an argument")

    def _stays(self, function: Function) -> bool:
        """Whether the output has the function that was called, here or in its own module."""
        assert isinstance(function.node, cst.FunctionDef)
        module = function.closure.module.info
        if module is not None and module.source is not self.ev.modules.home:
            twin = self.neighbours.twins.get(module.path)
            if twin is not None and function.name in twin.exports:
                return True
        return self.dispositions.function(function.node) != "builder"

    def _moment(self, model: Model) -> int:
        """The step at which the constructor call of a model stands."""
        last = self.ev.last_add.get(id(model)) if id(model) in self.late else None
        made = last or self.ev.made_in.get(id(model))
        return self.ev.steps if made is None else made.moment

    def _waits(self, node: Any, creations: list[Creation]) -> bool:
        """Whether a Sequential model is made with its last layer, as a size of it is not known before that."""
        made, model = self.ev.made_in.get(id(creations[0].model)), self.models.get(id(creations[0].model))
        last = self.ev.last_add.get(id(creations[0].model))
        if made is None or last is None or model is None or creations[0].function is not None:
            return False
        if id(creations[0].model) in self.late or not known_later(self.ev, model.leaves, False, made.moment):
            return False
        depth = len(made.stack) - 1
        if len(last.stack) <= depth or last.stack[:depth] != made.stack[:depth]:
            return False
        self.late.add(id(creations[0].model))
        self.waiting.setdefault(last.stack[depth], []).append(node)
        return True

    def _made_late(self, node: cst.Assign) -> Statement:
        """The statement that makes a model which had to wait."""
        for name in names_of(node).bound:
            self.dropped_names.pop(name, None)
        return cst.SimpleStatementLine([self._creations(node)])

    def _reachable(self, text: str) -> None:
        """What a constructor call names must be there where it is written."""
        local = names_of(self.function).bound if self.function is not None else set()
        for name in names_of(cst.parse_expression(text)).read - local - self.classes_known() - self.helper_names():
            if name not in self.ev.scope.names and not hasattr(builtins, name):
                raise Refusal("KT201", f"`{name}`, which a size of this model depends on, is not known here")

    def classes_known(self) -> set[str]:
        """The names of the classes that the output has."""
        return {model.class_name for model in self.models.values()}

    def _write_class(self, model: ModelCode) -> None:
        if model.class_name in self.written or model.provided:
            return
        self.written.add(model.class_name)
        for part in model.parts:  # those of this file stand where it has them
            if part in self.models and self.models[part].foreign:
                self._write_class(self.models[part])
        for network in (self.models[key] for key in model.nested if key in self.models):
            self._write_class(network)
        if model.foreign:
            self.dropped_names.pop(model.class_name, None)
        self.classes.append(model.code)

    def _on_device(self, text: str) -> str:
        if not self.needs_device():
            return text
        self.placed = True
        return f"{text}.to(device)"

    def _take_over(self, kept: Kept) -> None:
        """What another module had and the output of this one must have itself."""
        for name, why in kept.dropped.items():
            self.dropped_names.setdefault(name, why)
        self.replaced.update(kept.classes)
        for name, text in kept.constants.items():
            if name in self.ev.scan.names:
                self.imported.append(cst.parse_statement(f"{name} = {text}\n"))
        for name, node in kept.functions.items():
            assert self.functions is not None
            text = self.functions.texts[id(node)].replace(f"def {node.name.value}(", f"def {name}(", 1)
            self.imported.append(Verbatim(f"{text.strip()}\n"))
        for name, model in kept.models.items():
            code = self.models.get(id(model))
            if code is None:
                self.dropped_names.setdefault(name, "the model could not be translated")
                continue
            self._known_here(code)
            text = code.construct(True)
            self._reachable(text)
            waiting, self.classes = self.classes, []
            self._write_class(code)
            self.imported += [Verbatim(f"{written.strip()}\n") for written in self.classes]
            self.classes = waiting
            self.imported.append(cst.parse_statement(f"{name} = {self._on_device(text)}\n"))

    def _custom_class(self, node: cst.ClassDef) -> list[Statement]:
        """The classes that come in the place of a layer's or model's: one for each structure that its objects have."""
        objects = self.ev.facts.customs.get(id(node), [])
        codes = [self.models[id(made)] for made in objects if id(made) in self.models]
        if not codes and not self._has_heirs(node):
            self._check_told(node, objects)
            found = self.ev.facts.failed.get(id(node))
            return [] if found is None else [self._raise(node, found.code, found.message)]
        self.failed_names.add(node.name.value)
        methods = {id(function) for function in _functions(node)}
        for model in self.ev.program.models:  # models that its methods make come first
            inside = any(id(creation.inside) in methods for creation in self.ev.creations_of(model))
            if inside and id(model) in self.models and not isinstance(model, CustomModel):
                self._write_class(self.models[id(model)])
        for code in codes:
            self._write_class(code)
        return []

    def _has_heirs(self, node: cst.ClassDef) -> bool:
        """Whether other classes of the program's stand below this one."""
        return any(cls.node is not node and node in [above.node for above in cls.mro()] for cls in self.ev.classes)

    def _check_told(self, node: cst.ClassDef, objects: list[Any]) -> None:
        """A class that leaves nothing in the output must have been told of."""
        self.failed_names.add(node.name.value)
        inner = {method for cls in self.ev.classes if cls.keras for method in map(id, _functions(cls.node))}
        if any(made.failed or id(made) in self.ev.failed_models or made.home in inner for made in objects):
            return
        name = node.name.value
        if objects:
            hint = "call `build(input_shape)` of the model, or make it in this file and call it on data of known shape"
            raise Refusal("KT201", f"the input shape of `{name}` is never given", hint)
        if name not in self.ev.facts.refused_classes:
            raise Refusal("KT201", f"`{name}` is never used here, so the sizes of its weights are not known",
                          "use it in a model in this file")  # fmt: skip

    def _builder_classes(self, node: cst.FunctionDef) -> None:
        """The classes that come in place of a builder function."""
        for model in self.ev.program.models:
            code = self.models.get(id(model))
            if code is not None and self._made_by(model, node):
                self._write_class(code)
                self.replaced.setdefault(node.name.value, []).append(code.class_name)

    def _made_by(self, model: Model, node: cst.FunctionDef) -> bool:
        return any(creation.inside is node for creation in self.ev.creations_of(model))


def _functions(node: cst.ClassDef) -> list[cst.FunctionDef]:
    return [line for line in node.body.body if isinstance(line, cst.FunctionDef)]


__all__ = ["Constructions"]
