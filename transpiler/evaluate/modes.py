"""Two traces of one function, for training and for inference, as one graph that differs only where they differ."""

from __future__ import annotations

from typing import Any

import libcst as cst

from transpiler.diagnostics import Refusal
from transpiler.evaluate.core import Evaluator
from transpiler.evaluate.operators import make_op
from transpiler.graph.keras import Layer, Node, Tensor, map_tensors, walk_tensors

SELECT = "keras.in_training"


def merge_modes(ev: Evaluator, training: Any, inference: Any, node: cst.CSTNode) -> Any:
    """The results of both traces, in the structure that they share."""
    left, right = list(walk_tensors(training)), list(walk_tensors(inference))
    if _skeleton(training) != _skeleton(inference):
        raise Refusal("KT105", "what is returned has another structure in training than at inference")
    merger = _Merger(ev, node)
    merged = iter([merger.merge(a, b) for a, b in zip(left, right, strict=True)])
    return map_tensors(training, lambda _: next(merged))


def _skeleton(value: Any) -> Any:
    return map_tensors(value, lambda _: "tensor")


class _Merger:
    """Goes back from the outputs: equal steps on different inputs are one step on a choice of inputs."""

    def __init__(self, ev: Evaluator, at: cst.CSTNode) -> None:
        self.ev = ev
        self.at = at
        self.done: dict[tuple[int, int], Tensor] = {}

    def merge(self, left: Tensor, right: Tensor) -> Tensor:
        """One tensor that is ``left`` in training and ``right`` at inference."""
        key = id(left), id(right)
        if key not in self.done:
            self.done[key] = left if left is right else self._merged(left, right)
        return self.done[key]

    def _merged(self, left: Tensor, right: Tensor) -> Tensor:
        if left.shape != right.shape or left.dtype != right.dtype:
            raise Refusal("KT105", "a value has another shape in training than at inference")
        one, other = left.node, right.node
        if one is None or other is None or not self._alike(one, other) or left.index != right.index:
            tensor: Tensor = make_op(self.ev, SELECT, (left, right), {}, self.at)
            tensor.hint = left.hint or right.hint
            return tensor
        twins = iter([self.merge(a, b) for a, b in zip(one.input_tensors(), other.input_tensors(), strict=True)])
        args = map_tensors(one.args, lambda _: next(twins))
        kwargs = map_tensors(one.kwargs, lambda _: next(twins))
        return self._made(one, other, args, kwargs)[left.index]

    def _made(self, one: Node, other: Node, args: Any, kwargs: Any) -> tuple[Tensor, ...]:
        """The outputs of the one step; a step whose inputs did not change is itself."""
        if all(a is b for a, b in zip([*walk_tensors(args), *walk_tensors(kwargs)], one.input_tensors(), strict=True)):
            outputs = one.outputs
        else:
            made = Node(one.target, args, kwargs, one.origin, body=one.body)
            made.outputs = tuple(Tensor(t.spec, made, t.index, t.hint, mask=t.mask) for t in one.outputs)
            self.ev.count_node(made)
            outputs = made.outputs
        for output, a, b in zip(outputs, one.outputs, other.outputs, strict=True):
            self.done[id(a), id(b)] = output
        return outputs

    @staticmethod
    def _alike(one: Node, other: Node) -> bool:
        """Whether two steps are the same but for their inputs."""
        if isinstance(one.target, Layer) and isinstance(other.target, Layer):
            same = one.target is other.target
        else:
            same = one.target is other.target or isinstance(one.target, str) and one.target == other.target
        if not same or one.body is not other.body or len(one.outputs) != len(other.outputs):
            return False
        specs = [(a.shape, a.dtype) == (b.shape, b.dtype)
                 for a, b in zip(one.input_tensors(), other.input_tensors(), strict=False)]  # fmt: skip
        return (
            all(specs)
            and _same(_skeleton(one.args), _skeleton(other.args))
            and _same(_skeleton(one.kwargs), _skeleton(other.kwargs))
        )


def _same(a: Any, b: Any) -> bool:
    return repr(a) == repr(b)
