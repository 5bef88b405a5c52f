"""The attributes of a class: which modules it has, what they are called, and how they are made."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from transpiler.emit import graph as kinds
from transpiler.emit.code import LeafNames, constructor_code, literal
from transpiler.emit.graph import Graph, call_kind, class_kind
from transpiler.emit.lines import is_generic
from transpiler.emit.names import Namer, Wish, attribute
from transpiler.emit.sequential import Chooser, Run, Step
from transpiler.graph.keras import CustomModel
from transpiler.graph.torch import BUFFER, PARAMETER, Call, Module

_WEIGHTY = frozenset((kinds.CONV, kinds.LINEAR, kinds.UP, kinds.RNN, kinds.EMBEDDING))
_SHAREABLE = frozenset((kinds.POOL, kinds.DROPOUT, kinds.ACTIVATION, kinds.PAD, kinds.UP, kinds.FLATTEN))
_VERBS = re.compile(r"^(build|create|make|get|define|construct|init|setup|load|new)_+")


@dataclass
class Attribute:
    """One line of ``__init__``: ``self.NAME = CODE``; a Sequential has the items of ``children``."""

    name: str
    code: str = ""
    children: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)  # code and comments
    comments: tuple[str, ...] = ()
    module: Module | None = None
    injected: bool = False


@dataclass
class Layout:
    """The steps of a class with every name decided."""

    steps: list[Step]
    attributes: list[Attribute]
    paths: dict[int, str]  # id of module → state-dict prefix
    targets: dict[int, str]  # id of module or run → "self.conv1"
    noted: set[int] = field(default_factory=set)  # ids of calls whose comments stand beside their modules

    def callee(self, target: Module | Run) -> str:
        """The expression that is called."""
        return self.targets[id(target)]

    def expression(self, module: Module) -> str:
        """The module as an expression: ``self.net[0]``."""
        return f"self.{item_access(self.paths[id(module)])}"


def item_access(path: str) -> str:
    """A state-dict prefix as Python reads it: ``net.0`` → ``net[0]``."""
    head, *rest = path.split(".")
    return head + "".join(f"[{part}]" if part.isdigit() else f".{part}" for part in rest)


class Planner:
    """Lays out the attributes of one class."""

    def __init__(
        self, graph: Graph, make: Callable[[Module], str], leaf_names: LeafNames, injected: Mapping[int, str]
    ) -> None:
        self.graph = graph
        self.make = make
        self.leaf_names = leaf_names
        self.injected = injected  # id of module → its constructor parameter
        self.sequential = graph.model.source.kind == "sequential"  # then comments stand beside the layers
        self.custom = isinstance(graph.model.source, CustomModel)  # then its attributes have their names
        self.words = self._words()

    def run(self) -> Layout:
        """Choose the Sequentials, name everything, and print the constructors."""
        steps = Chooser(self.graph, self._keeps_attribute, self.words_of).steps()
        twins = self._twins(steps)
        names = self._names(steps, twins)
        layout = Layout(steps, [], {}, {})
        done: set[str] = set()
        for step in steps:
            self._place(step, names, twins, layout, done)
        return layout

    # -- the source's names -----------------------------------------------------------------------------------------
    def words_of(self, call: Call) -> str | None:
        """The specific name that the source has for what a call makes."""
        return self.words.get(id(call))

    def _words(self) -> dict[int, str]:
        """Look ahead over the further steps of the same layer to the variable that got its result."""
        words: dict[int, str] = {}
        reader = {id(v): call for call in self.graph.calls for v in call.inputs}
        for call in reversed(self.graph.calls):
            value = call.outputs[0]
            name = self.graph.hint(value)
            following = reader.get(id(value))
            if name is None and following is not None and following.layer is call.layer is not None:
                name = words.get(id(following))
            if name is not None and not is_generic(name):
                words[id(call)] = name
        return self._telling(words)

    def _telling(self, words: dict[int, str]) -> dict[int, str]:
        """Leave out a name that goes through the whole model (``conv = …`` in every line)."""
        weighty = [c for c in self.graph.calls if isinstance(c.target, Module) and call_kind(c) in _WEIGHTY]
        counts = Counter(words[id(c)] for c in weighty if id(c) in words)
        common = {name for name, count in counts.items() if count > 3 or count > 1 and len(counts) == 1}
        return {key: name for key, name in words.items() if name not in common}

    def _own_name(self, module: Module) -> str | None:
        """The layer's ``name=`` or the variable that holds the layer."""
        layer = module.layer
        if layer is None:
            return None
        if module.cls in (PARAMETER, BUFFER):
            return layer.hint or (layer.name if layer.name.isidentifier() else None)
        hint = (layer.hint or "").rpartition(".")[2]
        if self.custom and hint.isidentifier():
            return hint
        if layer.explicit_name:
            return layer.name
        return hint if hint.isidentifier() and not is_generic(hint) else None

    def _keeps_attribute(self, module: Module) -> bool:
        return self._own_name(module) is not None or id(module) in self.injected

    # -- names ------------------------------------------------------------------------------------------------------
    def _twins(self, steps: list[Step]) -> dict[int, Module]:
        """Map modules without weights, alike and unnamed, to the first of them: one ``self.pool`` for all."""
        first: dict[str, Module] = {}
        twins: dict[int, Module] = {}
        for step in steps:
            module = None if isinstance(step, Run) else step.target
            if not isinstance(module, Module) or module.weights or self._keeps_attribute(module):
                continue
            if module.cls.startswith("nn.") and class_kind(module.cls) in _SHAREABLE:
                twins[id(module)] = first.setdefault(self.make(module), module)
        return twins

    def _names(self, steps: list[Step], twins: dict[int, Module]) -> dict[int, str]:
        wishes: dict[int, Wish] = {}
        for step in steps:
            if isinstance(step, Run):
                wishes[id(step)] = Wish(id(step), attribute(step.name), step.given)
            elif isinstance(step.target, Module) and id(step.target) not in self.injected:
                module = twins.get(id(step.target), step.target)
                if id(module) not in wishes:
                    wishes[id(module)] = self._wish(step, module)
        return Namer(self.injected.values()).assign(list(wishes.values()))

    def _wish(self, call: Call, module: Module) -> Wish:
        own = self._own_name(module)
        suffix = f"_{module.suffix}" if module.suffix else ""
        if own is not None:
            return Wish(id(module), attribute(own + suffix), True)
        if module.subgraph is not None and self.custom and (module.subgraph.source.hint or "").isidentifier():
            return Wish(id(module), attribute(str(module.subgraph.source.hint)), True)
        if module.subgraph is not None:
            return Wish(id(module), attribute(_model_word(module, self.make(module))), True)
        role = attribute(module.suffix or module.role)
        word = self.words_of(call)
        if word is None or not module.weights:
            return Wish(id(module), role, False)
        if call_kind(call) in _WEIGHTY or self._only(word, module):
            return Wish(id(module), attribute(word + suffix), True)
        return Wish(id(module), attribute(f"{word}_{role}") if call_kind(call) == kinds.NORM else role, False)

    def _only(self, word: str, module: Module) -> bool:
        """Whether this is the one module with weights whose result the source calls so."""
        same = {id(c.target) for c in self.graph.calls if self.words_of(c) == word and _has_weights(c.target)}
        return same == {id(module)}

    # -- placing ----------------------------------------------------------------------------------------------------
    def _place(
        self, step: Step, names: dict[int, str], twins: dict[int, Module], layout: Layout, done: set[str]
    ) -> None:
        if isinstance(step, Run):
            self._place_run(step, names[id(step)], layout)
            return
        if not isinstance(step.target, Module):
            return
        module = step.target
        name = self.injected.get(id(module)) or names[id(twins.get(id(module), module))]
        layout.paths[id(module)] = name
        layout.targets[id(module)] = f"self.{name}"
        if name in done:
            return
        done.add(name)
        injected = id(module) in self.injected
        code = name if injected else self.make(module)
        layout.attributes.append(Attribute(name, code, [], self._beside(step, layout), module, injected))

    def _place_run(self, run: Run, name: str, layout: Layout) -> None:
        layout.targets[id(run)] = f"self.{name}"
        item = Attribute(name)
        for index, call in enumerate(run.calls):
            if isinstance(call.target, Module):
                layout.paths[id(call.target)] = f"{name}.{index}"
                code = self.make(call.target)
            else:
                code = call.module_form or ""
            item.children.append((code, self._beside(call, layout, inner=index > 0)))
        layout.attributes.append(item)

    def _beside(self, call: Call, layout: Layout, inner: bool = False) -> tuple[str, ...]:
        """The comments that stand with a module in ``__init__``; the others stand in ``forward``."""
        weight = isinstance(call.target, Module) and call.target.cls in (PARAMETER, BUFFER)  # no step of `forward`
        if not (inner or self.sequential or weight):
            return ()
        layout.noted.add(id(call))
        return call.origin.comments


def _weight_code(module: Module, leaf_names: LeafNames) -> str:
    """``nn.Parameter(torch.empty(8, 4))``, or the tensor alone of a buffer."""
    fill, shape = module.args
    sizes = [literal(size, leaf_names) for size in shape]
    dtype = module.kwargs.get("dtype")
    text = f"torch.{fill}({', '.join(sizes) or '()'}{f', dtype=torch.{dtype}' if dtype else ''})"
    frozen = ", requires_grad=False" if "requires_grad" in module.kwargs else ""
    return text if module.cls == BUFFER else f"{PARAMETER}({text}{frozen})"


def _has_weights(target: Module | str) -> bool:
    return isinstance(target, Module) and bool(target.weights)


def _model_word(module: Module, code: str) -> str:
    """What a nested model is called: its variable, or what its builder builds, or as its class."""
    assert module.subgraph is not None
    source = module.subgraph.source
    if source.explicit_name:
        return source.name
    hint = (source.hint or module.role).rpartition(".")[2]
    shorter = _VERBS.sub("", hint)
    return code.partition("(")[0] if is_generic(shorter) else shorter


def module_code(module: Module, leaf_names: LeafNames, helper_names: Mapping[str, str]) -> str:
    """The constructor call of a module that is not a nested model."""
    if module.cls in (PARAMETER, BUFFER):
        return _weight_code(module, leaf_names)
    cls = helper_names.get(module.cls, module.cls)
    return constructor_code(cls, module.args, module.kwargs, leaf_names)
