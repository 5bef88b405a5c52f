"""Data on its way into a model and out of it: order of several arrays, shapes of targets, channel layout, dtypes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from transpiler.diagnostics import Refusal
from transpiler.emit.arguments import elements, is_name, items
from transpiler.emit.helpers import Helpers
from transpiler.emit.losses import Loss
from transpiler.emit.plan import TAKE_DATA, Needs, method, output_names, shape_of
from transpiler.graph.keras import Model, Tensor
from transpiler.graph.program import Action, Array, Program

Layouts = Callable[[Model], tuple[list[bool], list[bool]]]


class Arrays:
    """Writes the texts of data arguments as the helpers take them."""

    def __init__(self, program: Program, needs: Needs, helpers: Helpers, layouts: Layouts) -> None:
        self.needs = needs
        self.helpers = helpers
        self.layouts = layouts
        tensors = [
            tensor
            for action in program.actions
            if method(action) in TAKE_DATA and action.model is not None and action.model.inputs is not None
            for tensor in action.model.input_tensors()
        ]
        kinds = {_integer(tensor) for tensor in tensors}
        needs.tensors = len(kinds) > 1
        needs.input_dtype = "torch.long" if kinds == {True} else "torch.float32"

    # -- structure --------------------------------------------------------------------------------------------------
    def split(self, value: Any, text: str) -> list[str]:
        """The texts of the elements of a list or tuple."""
        found = elements(text)
        if found is not None:
            return found
        base = text if is_name(text) else f"({text})"
        return [f"{base}[{index}]" for index in range(len(value))]

    def _parts(self, value: Any, text: str, names: list[str]) -> tuple[list[Any], list[str]] | None:
        """Values and texts of several arrays in the model's order; None where their structure is unknown."""
        if isinstance(value, Mapping):
            if set(value) != set(names):
                raise Refusal("KT301", f"the names of the arrays should be {', '.join(names)}")
            found = items(text)
            base = text if is_name(text) else f"({text})"
            texts = [found[name] if found is not None else f"{base}[{name!r}]" for name in names]
            return [value[name] for name in names], texts
        if isinstance(value, (list, tuple)):
            if len(value) != len(names):
                raise Refusal("KT205", f"the model takes {len(names)} arrays here, not {len(value)}")
            return list(value), self.split(value, text)
        return None

    # -- inputs -----------------------------------------------------------------------------------------------------
    def inputs(self, model: Model, value: Any, text: str) -> str:
        """The text of a model's input data."""
        tensors = model.input_tensors()
        first = self.layouts(model)[0] or [False] * len(tensors)
        names = [tensor.name or tensor.hint or "" for tensor in tensors]
        nested = isinstance(value, Mapping) or len(tensors) > 1 or _is_wrapped(value)
        parts = self._parts(value, text, names) if nested else None
        if parts is None:
            if len(tensors) > 1 and (any(first) or self.needs.tensors):
                raise Refusal("KT301", "give the arrays of a model with several inputs as a list")
            texts = [self._input(tensors[0], value, text, first[0])] if len(tensors) == 1 else [text]
            return f"[{texts[0]}]" if self.needs.multi_in and len(tensors) == 1 else texts[0]
        shown = [self._input(*group) for group in zip(tensors, *parts, first, strict=True)]
        if len(tensors) == 1 and not self.needs.multi_in:
            return shown[0]
        return text if shown == elements(text) else f"[{', '.join(shown)}]"

    def _input(self, tensor: Tensor, value: Any, text: str, first: bool) -> str:
        shape = shape_of(value)
        if shape is not None and len(shape) == tensor.spec.rank - 1 and tensor.shape[-1] == 1:
            text = f"np.expand_dims({text}, axis=-1)"  # Keras adds this axis by itself
        if first:
            text = f"{self.helpers.use('channels_first')}({text})"
        if self.needs.tensors and _integer(tensor):
            text = f"{self.helpers.use('to_tensor')}({text}, torch.long)"
        return text

    # -- targets ----------------------------------------------------------------------------------------------------
    def targets(self, action: Action, model: Model, value: Any, text: str, losses: list[Loss]) -> str:
        """The text of the target data of ``action``."""
        tensors = model.output_tensors()
        first = self.layouts(model)[1] or [False] * len(tensors)
        nested = isinstance(value, Mapping) or len(tensors) > 1 or _is_wrapped(value)
        parts = self._parts(value, text, output_names(model)) if nested else None
        if parts is None:
            if len(tensors) > 1:
                raise Refusal("KT301", "give the targets of a model with several outputs as a list or a dict")
            shown = self._target(tensors[0], losses[0], value, text, first[0])
            return f"[{shown}]" if self.needs.multi_out else shown
        made = [self._target(*group) for group in zip(tensors, losses, *parts, first, strict=True)]
        if len(tensors) == 1 and not self.needs.multi_out:
            return made[0]
        return text if made == elements(text) else f"[{', '.join(made)}]"

    def _target(self, tensor: Tensor, loss: Loss, value: Any, text: str, first: bool) -> str:
        if loss.indices:
            return self._indices(tensor, shape_of(value), text)
        text = self._same_rank(tensor, shape_of(value), text)
        return f"{self.helpers.use('channels_first')}({text})" if first else text

    def _indices(self, tensor: Tensor, shape: tuple[Any, ...] | None, text: str) -> str:
        """Class numbers without a last axis of size 1."""
        rank = tensor.spec.rank
        if shape is not None and len(shape) == rank - 1:
            return text
        if rank == 2:
            return f"np.reshape({text}, -1)"
        if shape is not None and len(shape) == rank:
            return f"np.squeeze({text}, axis=-1)"
        return self._reshaped(tensor.shape[1:-1], text)

    def _same_rank(self, tensor: Tensor, shape: tuple[Any, ...] | None, text: str) -> str:
        """Targets of the rank of the output: Keras matches (N,) with (N, 1)."""
        rank = tensor.spec.rank
        if shape is not None and len(shape) == rank:
            return text
        if rank == 1:
            return f"np.reshape({text}, -1)"
        if tensor.shape[-1] != 1 or (shape is not None and len(shape) != rank - 1):
            return text
        if rank == 2:
            return f"np.reshape({text}, (-1, 1))"
        if shape is not None:
            return f"np.expand_dims({text}, axis=-1)"
        return self._reshaped(tensor.shape[1:], text)

    def _reshaped(self, sizes: tuple[Any, ...], text: str) -> str:
        known = [getattr(size, "value", size) for size in sizes]
        if any(size is None for size in known):
            return text
        return f"np.reshape({text}, (-1, {', '.join(map(str, known))}))"

    # -- outputs ----------------------------------------------------------------------------------------------------
    def output_first(self, model: Model, index: int) -> bool:
        """Whether an output leaves the module channels-first."""
        first = self.layouts(model)[1]
        return bool(first) and first[index]

    def outputs(self, model: Model, text: str) -> str:
        """Predictions in Keras' layout and structure."""
        count = len(model.output_tensors())
        first = [self.output_first(model, index) for index in range(count)]
        if isinstance(model.outputs, Mapping):
            if count == 1:
                raise Refusal("KT302", "predictions of one output in a dict are not translated")
            return f"dict(zip({tuple(model.outputs)!r}, {self._listed(model, text)}, strict=True))"
        if count > 1:
            return self._listed(model, text)
        return f"{self.helpers.use('channels_last')}({text})" if first[0] else text

    def _listed(self, model: Model, text: str) -> str:
        """Predictions of several outputs as a list, in Keras' layout."""
        first = tuple(self.output_first(model, index) for index in range(len(model.output_tensors())))
        if all(first):
            return f"[{self.helpers.use('channels_last')}(images) for images in {text}]"
        return f"{self.helpers.use('images_last')}({text}, {first})" if any(first) else text


def _is_wrapped(value: Any) -> bool:
    """Whether data is one array in a list."""
    return isinstance(value, (list, tuple)) and len(value) == 1 and isinstance(value[0], Array)


def _integer(tensor: Tensor) -> bool:
    return tensor.dtype.startswith(("int", "uint"))
