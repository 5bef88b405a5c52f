"""Where tensors go: which nodes a model needs, who reads each tensor, and what that means for the channel layout."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

from transpiler.graph.keras import Layer, Model, Node, Tensor, walk_tensors
from transpiler.graph.symbolic import is_known, number
from transpiler.graph.torch import FIRST, TorchModel
from transpiler.rules.base import LAYERS, OPS, LayerRule, OpRule

# Layers that act on each feature alone (or, with BatchNormalization, have one weight for each): they take a flattened
# tensor in C,H,W order and give it on in that order.
_CARRIERS = frozenset(
    f"keras.layers.{name}"
    for name in (
        "Activation", "ReLU", "LeakyReLU", "ELU", "Softmax", "Identity", "Rescaling", "Dropout", "GaussianNoise",
        "GaussianDropout", "AlphaDropout", "BatchNormalization", "Add", "Subtract", "Multiply", "Average", "Maximum",
        "Minimum", "Concatenate",
    )
)  # fmt: skip
_IMAGE_POOLING = frozenset(f"keras.layers.Global{kind}Pooling{rank}D" for kind in ("Average", "Max") for rank in (2, 3))
_TAKERS = _CARRIERS | {"keras.layers.Dense", "keras.layers.Reshape"}
_WEIGHTED = frozenset(("keras.layers.Dense", "keras.layers.BatchNormalization"))


class Flow:
    """The readers of each tensor of one model. ``lower_nested`` gives the torch graph of a nested model."""

    def __init__(self, model: Model, lower_nested: Callable[[Model], TorchModel]) -> None:
        self.model = model
        self.nodes = needed_nodes(model)
        self._lower_nested = lower_nested
        self._outputs = {id(tensor) for tensor in model.output_tensors()}
        self._readers: dict[int, list[Node]] = {}
        for node in self.nodes:
            for tensor in node.input_tensors():
                self._readers.setdefault(id(tensor), []).append(node)

    # -- rules ------------------------------------------------------------------------------------------------------
    def layout_of(self, rule: LayerRule | OpRule, layer: Layer | None) -> str:
        """The layout that a rule wants for its inputs; a wrapper may say what it wants for each layer."""
        chosen = getattr(rule, "layout_for", None)
        return str(chosen(layer) if chosen is not None and layer is not None else rule.layout)

    def takes_features(self, rule: LayerRule | OpRule, layer: Layer | None) -> bool:
        """Whether a rule accepts a flattened tensor that lies in C,H,W order."""
        if isinstance(rule, OpRule) or layer is None:
            return isinstance(rule, OpRule) and rule.layout == "any" and _is_elementwise(rule)
        return rule.symbol in _TAKERS and not (rule.symbol in _WEIGHTED and self._shared(layer))

    def _shared(self, layer: Layer) -> bool:
        """Whether a layer is called more than once here: its weights then serve one order of features only, Keras'."""
        return sum(node.target is layer for node in self.nodes) > 1

    # -- where tensors go -------------------------------------------------------------------------------------------
    def enters_first(self, tensor: Tensor) -> bool:
        """Whether an input of rank 4 or more reaches a channels-first consumer through layers of any layout."""
        if tensor.spec.rank < 4:
            return False
        if self.model.kind == "custom" and not self._reaches_first(tensor, set()):
            return not self._reaches_keras(tensor, set())
        return self._reaches_first(tensor, set())

    def _reaches_keras(self, tensor: Tensor, seen: set[int]) -> bool:
        """Whether a reader, also behind layers of any layout, works in Keras' order."""
        if id(tensor) in seen:
            return False
        seen.add(id(tensor))
        for node in self._readers.get(id(tensor), ()):
            if isinstance(node.target, Model) or node.body is None and self._layout_at(node) == "keras":
                return True
            if any(self._reaches_keras(out, seen) for out in node.outputs if out.spec.rank >= 4):
                return True
        return False

    def _reaches_first(self, tensor: Tensor, seen: set[int]) -> bool:
        if id(tensor) in seen:
            return False
        seen.add(id(tensor))
        return any(self._leads_first(node, tensor, seen) for node in self._readers.get(id(tensor), ()))

    def _leads_first(self, node: Node, tensor: Tensor, seen: set[int]) -> bool:
        if isinstance(node.target, Model):
            inner = self._lower_nested(node.target)
            places = [i for i, given in enumerate(node.input_tensors()) if given is tensor]
            return any(inner.inputs[inner.taken.index(i)].layout == FIRST for i in places if i in inner.taken)
        layout = "any" if node.body is not None else self._layout_at(node)
        if layout == "first" or isinstance(node.target, Layer) and node.target.symbol in _IMAGE_POOLING:
            return True
        passes = layout == "any" and any(out.spec.rank == tensor.spec.rank for out in node.outputs)
        return passes and any(self._reaches_first(out, seen) for out in node.outputs)

    def _layout_at(self, node: Node) -> str:
        if isinstance(node.target, Layer):
            rule = LAYERS.get(node.target.symbol)
            return "keras" if rule is None else self.layout_of(rule, node.target)
        op = OPS.get(node.target) if isinstance(node.target, str) else None
        return "keras" if op is None else self.layout_of(op, None)

    def absorbs_features(self, node: Node | None, layer: Layer) -> bool:
        """Whether every way from this call of ``layer`` ends in a Dense layer that can take features in C,H,W order."""
        if node is None or node.target is not layer or node not in self.nodes:
            return False
        return all(self._absorbed(tensor) for tensor in node.outputs)

    def _absorbed(self, tensor: Tensor) -> bool:
        if id(tensor) in self._outputs:
            return False
        readers = self._readers.get(id(tensor), [])
        return bool(readers) and all(self._absorbs(node) for node in readers)

    def _absorbs(self, node: Node) -> bool:
        if node.body is not None or not isinstance(node.target, Layer):
            return False
        if node.target.symbol in _WEIGHTED and self._shared(node.target):
            return False
        if node.target.symbol == "keras.layers.Dense":
            return True
        return node.target.symbol in _CARRIERS and all(self._absorbed(tensor) for tensor in node.outputs)

    def unfolds_to(self, node: Node | None, layer: Layer) -> tuple[int, ...] | None:
        """The image shape into which the features made by this call are reshaped for a channels-first reader, if any.

        The way there may only pass layers that keep the order of features, and nothing else may read on it.
        """
        if node is None or node.target is not layer or self._shared(layer) or len(node.outputs) != 1:
            return None
        tensor, width = node.outputs[0], layer.config["units"]
        while tensor.spec.rank == 2 and id(tensor) not in self._outputs:
            readers = self._readers.get(id(tensor), [])
            target = readers[0].target if len(readers) == 1 else None
            if not isinstance(target, Layer) or len(readers[0].input_tensors()) != 1:
                return None
            tensor = readers[0].outputs[0]
            if target.symbol == "keras.layers.Reshape":
                sizes = tensor.spec.shape[1:]
                image = tuple(int(number(size)) for size in sizes if size is not None and is_known(size))
                fits = len(image) == len(sizes) >= 3 and is_known(width) and prod(image) == width
                return image if fits and self.enters_first(tensor) else None
            if target.symbol not in _CARRIERS or target.symbol in _WEIGHTED and self._shared(target):
                return None
        return None

    def feeds_keras(self, tensor: Tensor) -> bool:
        """Whether a direct reader works in Keras' order."""
        return any(
            not isinstance(node.target, Model) and node.body is None and self._layout_at(node) == "keras"
            for node in self._readers.get(id(tensor), ())
        )

    def is_final(self, node: Node) -> bool:
        """Whether the node's one output is the model's one output, and nothing else reads it."""
        outputs = self.model.output_tensors()
        if len(outputs) != 1 or len(node.outputs) != 1:
            return False
        return node.outputs[0] is outputs[0] and not self._readers.get(id(outputs[0]))


def _is_elementwise(rule: OpRule) -> bool:
    from transpiler.rules.ops import Elementwise

    return isinstance(rule, Elementwise)


def needed_nodes(model: Model) -> list[Node]:
    """The nodes that the outputs (and the masks that travel with tensors) need, in program order."""
    wanted: dict[int, Node] = {}
    makers = {id(tensor): node for node in model.nodes for tensor in node.outputs}  # a whole network is one node
    stack: list[Any] = [makers.get(id(t), t.node) for t in model.output_tensors()]
    stops = {id(t) for t in model.input_tensors()}
    while stack:
        node = stack.pop()
        if node is None or id(node) in wanted:
            continue
        wanted[id(node)] = node
        read = walk_tensors([node.args, node.kwargs])
        stack += [makers.get(id(t), t.node) for t in read if id(t) not in stops]
    ordered = [node for node in model.nodes if id(node) in wanted]
    known = {id(node) for node in ordered}
    return [*(node for node in reversed(wanted.values()) if id(node) not in known), *ordered]
