"""``layer.trainable = False``: statements that stop or start the training of layers, where the source does it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from transpiler.diagnostics import Refusal
from transpiler.evaluate import blame
from transpiler.evaluate.core import Evaluator, Freeze
from transpiler.graph.keras import CustomModel, Layer, Model
from transpiler.graph.torch import Module

if TYPE_CHECKING:
    from transpiler.rewrite.translation import TranslatedModel, Translation

SET_TRAINABLE = "set_trainable"
_FIXED = ("frozen", "frozen_zeros")  # parameters of ours that Keras does not have: they are never trained


@dataclass(frozen=True, eq=False)
class _Owner:
    """Modules of which a flag is set: the model that holds them, and the way from there."""

    holder: TranslatedModel
    way: str
    modules: list[Module]


@dataclass(eq=False)
class Freezing:
    """Finds, for a statement of the source, what stands in the place of the flags that it sets."""

    ev: Evaluator
    translation: Translation
    use_helper: Callable[[str], str]
    _done: set[int] = field(default_factory=set)

    def lines_after(self, statement: Any, can_name: Callable[[str], bool]) -> list[str]:
        """The statements that set the flags which ``statement`` sets, or that waited for it to make their model."""
        mine = [each for each in self.ev.freezes if id(each) not in self._done and self._stands_at(each, id(statement))]
        if not mine:
            return []
        if len({each.stack[: each.stack.index(id(statement))] for each in mine if id(statement) in each.stack}) > 1:
            raise Refusal("KT105", "a function that sets `trainable` of different models' layers is not translated")
        flags: dict[str, bool] = {}
        for each in mine:
            self._done.add(id(each))
            for text in self._targets(each, can_name):
                flags[text] = each.flag
        lines: list[str] = []
        for flag in (False, True):
            lines += self._lines([text for text, value in flags.items() if value is flag], flag)
        return lines

    def check_model(self, model: Any, flag: Any) -> str | None:
        """The helper that sets the flag of a whole model, None where ``requires_grad_`` does."""
        found = self.translation.models.get(id(model))
        if found is not None:
            known = self.ev.facts.values.get(id(flag))
            check_unfreezing(list(found.torch.modules()), known is not False)
        return self._helper() if self.ev.toggles else None

    def path_of(self, model: Any) -> str | None:
        """How the output names a nested model that the source has no variable for."""
        from transpiler.rewrite.translation import access

        found = self.translation.models.get(id(model))
        if found is None or found.model.reference is not None:
            return None
        for outer in self.translation.models.values():
            held = [module for module in outer.torch.modules() if module.subgraph is found.torch]
            if held and outer.model.reference is not None:
                return outer.model.reference + access(outer.rendered.paths[id(held[0])])
        return None

    def _helper(self) -> str:
        return self.use_helper(SET_TRAINABLE)

    def check_left(self) -> None:
        """Tell of a flag that no statement of the output sets: its model is built by a function that nobody calls."""
        for each in self.ev.freezes:
            owners = self._owners(each) if id(each) not in self._done and not each.flag else []
            if owners:
                message = f"the layer `{each.layer.name}` is frozen in a function that nobody calls"
                blame(self.ev, owners[0].holder.model, Refusal("KT105", message), each.layer.origin.span)

    def _stands_at(self, each: Freeze, statement: int) -> bool:
        owners = self._owners(each)
        made = self.ev.made_in.get(id(owners[0].holder.model)) if owners else None
        if made is not None and made.moment > each.moment:
            return statement in made.stack
        return statement in each.stack

    def _owners(self, each: Freeze) -> list[_Owner]:
        """The modules of a layer or model, with the model that the output knows by a name and that holds them."""
        for translated in self.translation.models.values():
            if translated.model is each.layer and not self._holders(translated):
                return [_Owner(translated, "", translated.torch.modules())]
            own = [m for m in translated.torch.modules() if _is_of(m, each.layer)]
            if own:
                return [self._outermost(_Owner(translated, _access(translated, m), [m])) for m in own]
        return []

    def _outermost(self, owner: _Owner) -> _Owner:
        """An object that is part of another one has no name but that of the whole."""
        found = self._holders(owner.holder)
        if not found:
            return owner
        holder, module = found[0]
        return self._outermost(_Owner(holder, _access(holder, module) + owner.way, owner.modules))

    def _holders(self, part: TranslatedModel) -> list[tuple[TranslatedModel, Module]]:
        """The models whose classes make an object of the program's own, with the module that it is there."""
        if not isinstance(part.model, CustomModel):
            return []
        return [
            (translated, module)
            for translated in self.translation.models.values()
            for module in translated.torch.modules()
            if module.subgraph is part.torch
        ]

    def _targets(self, each: Freeze, can_name: Callable[[str], bool]) -> list[str]:
        found = []
        for owner in self._owners(each):
            reference = owner.holder.model.reference
            if reference is None or not can_name(reference.partition(".")[0]):
                raise Refusal(
                    "KT105", f"`trainable` of the layer `{each.layer.name}` is set where its model has no name here"
                )
            check_unfreezing(owner.modules, each.flag)
            found.append(reference + owner.way)
        return found

    def _lines(self, targets: list[str], flag: bool) -> list[str]:
        if not targets:
            return []
        call = "{0}.requires_grad_(" + repr(flag) + ")"
        if self.ev.toggles:
            call = f"{self._helper()}({{0}}, {flag!r})"
        if len(targets) == 1:
            return [call.format(targets[0])]
        return [f"for layer in ({', '.join(targets)}):", "    " + call.format("layer")]


def _is_of(module: Module, part: Layer | Model) -> bool:
    if isinstance(part, Model):
        return module.subgraph is not None and module.subgraph.source is part
    return module.layer is part and bool(module.weights)


def _access(holder: TranslatedModel, module: Module) -> str:
    from transpiler.rewrite.translation import access

    return access(holder.rendered.paths[id(module)])


def check_unfreezing(modules: list[Module], flag: bool) -> None:
    """Refuse to start the training of modules that hold a parameter which is never trained."""
    for module in modules if flag else ():
        if any(getattr(each, "symbol", "") in _FIXED for each in module.initializers.values()):
            raise Refusal("KT105", f"starting to train a `{module.cls}` that was frozen is not translated")
        if module.kwargs.get("requires_grad") is False:
            raise Refusal("KT105", "starting to train what has a weight with `trainable=False` is not translated")
        if module.subgraph is not None:
            check_unfreezing(module.subgraph.modules(), flag)


__all__ = ["SET_TRAINABLE", "Freezing", "check_unfreezing"]
