"""Names of attributes, variables and parameters: cleaned, unique, and clear of what Python and torch use."""

from __future__ import annotations

import builtins
import keyword
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from transpiler.emit.classnames import class_name_for

__all__ = ["Namer", "Wish", "attribute", "class_name_for", "identifier", "numbered", "snake", "variable"]

# What the generated code itself uses.
FILE_NAMES = frozenset(("torch", "nn", "F", "Tensor", "math", "np", "self", "init_weights", "super"))

# Attributes and methods of nn.Module (and the methods that our classes add): no submodule may be called so.
MODULE_ATTRIBUTES = frozenset(
    """
    T_destination add_module apply bfloat16 buffers call_super_init children compile cpu cuda double dump_patches
    eval extra_repr float forward get_buffer get_extra_state get_parameter get_submodule half ipu load_state_dict
    modules mtia named_buffers named_children named_modules named_parameters parameters register_backward_hook
    register_buffer register_forward_hook register_forward_pre_hook register_full_backward_hook
    register_full_backward_pre_hook register_load_state_dict_post_hook register_load_state_dict_pre_hook
    register_module register_parameter register_state_dict_post_hook register_state_dict_pre_hook requires_grad_
    set_extra_state set_submodule share_memory state_dict to to_empty train training type xpu zero_grad
    regularization_loss activity_loss self
    """.split()
)
_BUILTINS = frozenset(dir(builtins))
_BETTER = {"input": "inputs", "type": "kind", "id": "ids", "max": "maximum", "min": "minimum", "sum": "total"}


def identifier(text: str, fallback: str = "x") -> str:
    """Make an ASCII identifier: ``"conv/1"`` → ``conv_1``, ``"2nd"`` → ``_2nd`` without the underscore: ``x2nd``."""
    cleaned = re.sub(r"[^0-9A-Za-z]+", "_", text).strip("_")
    if not cleaned:
        return fallback
    if cleaned[0].isdigit():
        cleaned = f"{fallback}{cleaned}"
    return f"{cleaned}_" if keyword.iskeyword(cleaned) else cleaned


def snake(text: str, fallback: str = "x") -> str:
    """Make a lower-case identifier with underscores between the words."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z][a-z])|(?<=[a-z])(?=[A-Z])", "_", identifier(text, fallback))
    lowered = spaced.lower()
    return f"{lowered}_" if keyword.iskeyword(lowered) else lowered


def variable(text: str, fallback: str = "x") -> str:
    """Make a name for a local variable: no builtin, nothing that the file imports. A constant's name keeps its case."""
    name = identifier(text, fallback)
    if name in _BUILTINS or name in FILE_NAMES:
        name = _BETTER.get(name, f"{name}_")
    return name


def attribute(text: str, fallback: str = "layer") -> str:
    """Make a name for a submodule: lower case, no attribute of ``nn.Module``."""
    name = snake(text, fallback)
    return f"{name}_" if name in MODULE_ATTRIBUTES else name


def numbered(name: str, number: int) -> str:
    """Append a number: ``conv`` → ``conv2``, ``conv1`` → ``conv1_2``."""
    return f"{name}_{number}" if name[-1:].isdigit() else f"{name.rstrip('_')}{number}"


@dataclass
class Wish:
    """A name that is wanted for ``key``: ``given`` by the source, or a role, numbered where there are several."""

    key: int
    base: str
    given: bool


class Namer:
    """Hands out unique names."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self.taken = set(taken)

    def unique(self, name: str) -> str:
        """Return ``name``, or the first numbered form of it that is free, and mark it as taken."""
        result, number = name, 2
        while result in self.taken:
            result = numbered(name, number)
            number += 1
        self.taken.add(result)
        return result

    def assign(self, wishes: list[Wish]) -> dict[int, str]:
        """Give every wish a name: the source's first, then roles in order (``conv1``, ``conv2``; a lone ``fc``)."""
        names = {**self._given([w for w in wishes if w.given])}
        roles = [w for w in wishes if not w.given]
        counts = Counter(w.base for w in roles)
        next_number: Counter[str] = Counter()
        for wish in roles:
            if counts[wish.base] == 1:
                names[wish.key] = self.unique(wish.base)
                continue
            names[wish.key] = self._next(wish.base, next_number)
        return names

    def _given(self, wishes: list[Wish]) -> dict[int, str]:
        """Name source-named things; the same name twice gives ``conv1_1`` and ``conv1_2``."""
        counts = Counter(w.base for w in wishes)
        next_number: Counter[str] = Counter()
        names: dict[int, str] = {}
        for wish in wishes:
            if counts[wish.base] == 1:
                names[wish.key] = self.unique(wish.base)
            else:
                names[wish.key] = self._next(wish.base, next_number)
        return names

    def _next(self, base: str, next_number: Counter[str]) -> str:
        while True:
            next_number[base] += 1
            name = numbered(base, next_number[base])
            if name not in self.taken:
                self.taken.add(name)
                return name
