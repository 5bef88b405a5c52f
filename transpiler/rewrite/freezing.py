"""``layer.trainable = False``: statements that stop or start the training of layers, where the source does it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from transpiler.diagnostics import Refusal, diagnostic
from transpiler.evaluate.core import Evaluator, Freeze
from transpiler.graph.torch import Module

if TYPE_CHECKING:
    from transpiler.rewrite.models import TranslatedModel, Translation

SET_TRAINABLE = "set_trainable"
_FIXED = ("frozen", "frozen_zeros")  # parameters of ours that Keras does not have: they are never trained


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
            if id(each) not in self._done and not each.flag and self._owners(each):
                span = each.layer.origin.span
                message = f"the layer `{each.layer.name}` is frozen in a function that nobody calls"
                found = diagnostic("KT105", message, span.line, span.column + 1)
                if found not in self.ev.diagnostics:
                    self.ev.diagnostics.append(found)

    def _stands_at(self, each: Freeze, statement: int) -> bool:
        owners = self._owners(each)
        made = self.ev.made_in.get(id(owners[0][0].model)) if owners else None
        if made is not None and made.moment > each.moment:
            return statement in made.stack
        return statement in each.stack

    def _owners(self, each: Freeze) -> list[tuple[TranslatedModel, Module]]:
        """The modules of a layer, with the model that holds them."""
        found: list[tuple[TranslatedModel, Module]] = []
        for translated in self.translation.models.values():
            own = [m for m in translated.torch.modules() if m.layer is each.layer and m.weights]
            if own and not found:
                found = [(translated, module) for module in own]
        return found

    def _targets(self, each: Freeze, can_name: Callable[[str], bool]) -> list[str]:
        found = []
        for owner, module in self._owners(each):
            reference = owner.model.reference
            if reference is None or not can_name(reference.partition(".")[0]):
                raise Refusal(
                    "KT105", f"`trainable` of the layer `{each.layer.name}` is set where its model has no name here"
                )
            check_unfreezing([module], each.flag)
            found.append(reference + access(owner.rendered.paths[id(module)]))
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


def access(path: str) -> str:
    """``features.0`` → ``.features[0]``."""
    return "".join(f"[{part}]" if part.isdigit() else f".{part}" for part in path.split("."))


def check_unfreezing(modules: list[Module], flag: bool) -> None:
    """Refuse to start the training of modules that hold a parameter which Keras does not have."""
    for module in modules:
        if flag and any(getattr(each, "symbol", "") in _FIXED for each in module.initializers.values()):
            raise Refusal("KT105", f"starting to train a `{module.cls}` that was frozen is not translated")


__all__ = ["SET_TRAINABLE", "Freezing", "access", "check_unfreezing"]
