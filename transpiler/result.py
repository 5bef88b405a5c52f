"""What a translation gives back: code, diagnostics, and a summary of every model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transpiler.diagnostics import Diagnostic

if TYPE_CHECKING:
    import torch

    from transpiler.weights.spec import ModelWeights


ELSEWHERE = -1  # the number of an expression of another file


class ModelChoiceError(ValueError):
    """The model that was asked for is not there, or the program has several and none was named."""


@dataclass(frozen=True)
class ModelSummary:
    """One model of the program.

    ``name`` is what the source calls it; ``aliases`` are its other names there (an attribute, the builder function,
    its ``name=``). ``constructor`` is the expression that builds it in the output. ``inputs`` and ``outputs``
    describe tensors (``name``, ``shape``, ``dtype``); ``layers`` the layers (``name``, ``type``, ``module``).
    Everything but ``weights`` is plain data, ready for JSON.
    """

    name: str
    class_name: str
    constructor: str
    inputs: tuple[Mapping[str, Any], ...] = ()
    outputs: tuple[Mapping[str, Any], ...] = ()
    layers: tuple[Mapping[str, Any], ...] = ()
    aliases: tuple[str, ...] = ()
    weights: ModelWeights | None = field(default=None, repr=False, compare=False)

    def to_json(self) -> dict[str, Any]:
        """Return the plain data that ``--report`` writes."""
        return {
            "name": self.name,
            "class_name": self.class_name,
            "constructor": self.constructor,
            "inputs": [dict(item) for item in self.inputs],
            "outputs": [dict(item) for item in self.outputs],
            "layers": [dict(item) for item in self.layers],
        }

    def answers_to(self, name: str) -> bool:
        """Say whether the source calls this model ``name`` (``generator`` also finds ``gan.generator``)."""
        names = {self.name, self.class_name, *self.aliases}
        return name in names or name in {known.rpartition(".")[2] for known in names}


@dataclass(frozen=True)
class BuiltModel:
    """One model that the program builds, as ``--verify`` needs it: plain data.

    ``site`` is the number of the expression that makes it in the sliced source, which of that expression's results
    it is, and how many there are; the number is ``ELSEWHERE`` where another file makes it. ``summary`` is its place in
    ``Result.models``, None where it was not translated. ``arguments`` of its constructor are expressions in the terms
    of that place; ``reference`` is its name there.
    """

    name: str
    line: int
    site: tuple[int, int, int]
    summary: int | None
    class_name: str
    arguments: Mapping[str, str]
    reference: str | None
    inputs: tuple[tuple[int | None, ...], ...]
    dtypes: tuple[str, ...]
    inputs_first: tuple[bool, ...]
    outputs_first: tuple[bool, ...]
    final_activation: str | None


@dataclass(frozen=True)
class Building:
    """The part of the program that builds its models, as source text, and the models."""

    source: str
    models: tuple[BuiltModel, ...]


@dataclass(frozen=True)
class Result:
    """The translated program. ``read_files`` are the modules of the project that were read for it."""

    code: str
    diagnostics: tuple[Diagnostic, ...] = ()
    models: tuple[ModelSummary, ...] = ()
    read_files: tuple[Path, ...] = ()
    building: Callable[[], Building] | None = field(default=None, repr=False, compare=False)

    @property
    def complete(self) -> bool:
        """True if everything was translated."""
        return not any(d.severity == "error" for d in self.diagnostics)

    def model(self, name: str | None = None) -> ModelSummary:
        """Return the model that the source calls ``name``; without a name, the only one."""
        if name is None:
            found = list(self.models)
        else:
            found = [m for m in self.models if name in {m.name, *m.aliases}]
            found = found or [m for m in self.models if m.answers_to(name)]
        if len(found) == 1:
            return found[0]
        raise ModelChoiceError(self._why_not_one(name, found))

    def state_dict(self, path: str | Path, model: str | None = None) -> dict[str, torch.Tensor]:
        """Read a Keras weight file as a state dict of the translated model (needs the extra ``weights``)."""
        chosen = self.model(model)
        if chosen.weights is None:
            raise ModelChoiceError(f"the model `{chosen.name}` was not translated, so its weights have no place")
        from transpiler.weights.convert import load_state_dict

        return load_state_dict(Path(path), chosen.weights)

    def _why_not_one(self, name: str | None, found: list[ModelSummary]) -> str:
        names = ", ".join(f"`{m.name}`" for m in self.models)
        if not self.models:
            return "the program has no model that could be translated"
        if name is None:
            return f"the program has several models: {names}; name one with --model"
        if found:
            return f"several models answer to `{name}`: {', '.join(f'`{m.name}`' for m in found)}"
        return f"the program has no model `{name}`; it has {names}"
