"""Models taken apart: their layers in Keras' order, what a layer takes and gives, copies of models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import libcst as cst

from transpiler.diagnostics import Refusal
from transpiler.evaluate.core import Creation, Evaluator, require_known
from transpiler.evaluate.layers import auto_name
from transpiler.evaluate.operators import finish_node
from transpiler.graph.keras import CustomModel, Layer, Model, Node, Tensor, map_tensors, walk_tensors

_INPUT = "keras.layers.InputLayer"


def input_layer(ev: Evaluator, tensor: Tensor, origin_of: Model) -> Layer:
    """The InputLayer that Keras lists for an input of a functional model."""
    found = ev.input_layers.get(id(tensor))
    if found is None:
        name = tensor.name or ev.input_names.get(id(tensor)) or auto_name(ev, "InputLayer")
        found = Layer(_INPUT, {}, name, tensor.name is not None, origin_of.origin)
        ev.input_layers[id(tensor)] = found
        ev.input_tensors[id(found)] = tensor
        ev.keep_alive.append(tensor)
    return found


def layers_of(ev: Evaluator, model: Model) -> list[Layer | Model]:
    """``model.layers``: those of a functional model have its inputs among them."""
    if model.kind in ("sequential", "custom"):
        return list(model.layers)
    entries: dict[int, Node] = {}
    for tensor in model.input_tensors():
        entry = Node(input_layer(ev, tensor, model), (), {}, model.origin, outputs=(tensor,))
        entries[id(tensor)] = entry
    return layers_in_order(model, entries)


def layers_in_order(model: Model, entries: Mapping[int, Node] | None = None) -> list[Layer | Model]:
    """Keras' order of a functional model's layers: by depth from the outputs, then by traversal.

    ``entries`` are the nodes to stand for the inputs, by tensor; without them inputs are left out.
    """
    entries = entries or {}
    depth: dict[int, int] = {}
    first_seen: dict[int, int] = {}
    targets: dict[int, Layer | Model] = {}
    inside = {id(n) for n in (*_single_nodes(model), *entries.values())}
    ordered = _post_order(list(walk_tensors(model.outputs)), inside, first_seen, targets, entries)
    node_depth: dict[int, int] = {}
    for node in reversed(ordered):
        own = max(node_depth.get(id(node), 0), depth.get(id(node.target), 0) if not isinstance(node.target, str) else 0)
        node_depth[id(node)] = own
        if not isinstance(node.target, str):
            depth[id(node.target)] = own
        for tensor in node.input_tensors():
            above = entries.get(id(tensor), tensor.node)
            if above is not None and id(above) in inside:
                node_depth[id(above)] = max(own + 1, node_depth.get(id(above), 0))
    return sorted(targets.values(), key=lambda t: (-depth[id(t)], first_seen[id(t)]))


def _post_order(
    outputs: list[Tensor],
    inside: set[int],
    first_seen: dict[int, int],
    targets: dict[int, Layer | Model],
    entries: Mapping[int, Node],
) -> list[Node]:
    """Nodes in the order of Keras' depth-first walk; layers are numbered as they are first met."""
    ordered: list[Node] = []
    done: set[int] = set()
    starts = [entries.get(id(t), t.node) for t in reversed(outputs)]
    stack: list[tuple[Node, bool]] = [(node, False) for node in starts if node is not None]
    while stack:
        node, finished = stack.pop()
        if finished:
            if id(node) not in done:
                done.add(id(node))
                ordered.append(node)
            continue
        if id(node) in done or id(node) not in inside:
            continue
        if not isinstance(node.target, str) and id(node.target) not in first_seen:
            first_seen[id(node.target)] = len(first_seen)
            targets[id(node.target)] = node.target
        stack.append((node, True))
        for tensor in reversed(node.input_tensors()):
            above = entries.get(id(tensor), tensor.node)
            if above is not None and id(above) not in done:
                stack.append((above, False))
    return ordered


def _single_nodes(model: Model) -> list[Node]:
    """The nodes of a model, those of whole networks one by one."""
    found: list[Node] = []
    for node in model.nodes:
        target = node.target
        whole = isinstance(target, Model) and any(tensor.node is not node for tensor in node.outputs)
        found += target.nodes if isinstance(target, Model) and whole else [node]
    return found


def with_whole_networks(ev: Evaluator, model: Model) -> list[Node]:
    """The nodes of a model, those of a whole network of `keras.applications` as one call of that network.

    A head on ``base.output`` is written as Keras programs mean it: a module that holds the base.
    """
    nodes = model.nodes
    for network in ev.networks:
        inside = {id(node) for node in network.nodes}
        rest = [node for node in nodes if id(node) not in inside]
        if len(rest) + len(inside) != len(nodes) or not rest or _reads_within(model, rest, network):
            if len(rest) < len(nodes) and ev.inside is not None:
                ev.facts.takes_apart.add(id(ev.inside))
            continue
        at = next(place for place, node in enumerate(nodes) if node is network.nodes[-1])
        call = Node(network, (network.inputs,), {}, network.origin, tuple(network.output_tensors()), network.outputs)
        before = [node for node in nodes[:at] if id(node) not in inside]
        nodes = [*before, call, *rest[len(before) :]]
    return nodes


def _reads_within(model: Model, rest: list[Node], network: Model) -> bool:
    """Whether something outside a network needs a tensor from inside it."""
    ends = {id(tensor) for tensor in network.output_tensors()}
    within = {id(tensor) for node in network.nodes for tensor in node.outputs} - ends
    read = [tensor for node in rest for tensor in node.input_tensors()] + model.output_tensors()
    return any(id(tensor) in within for tensor in read)


def get_layer(ev: Evaluator, model: Model, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> Any:
    """``model.get_layer(name)`` and ``model.get_layer(index=…)``."""
    given = dict(zip(("name", "index"), args)) | kwargs  # noqa: B905 - fewer arguments is usual
    ev.settle(model)
    ev.mark_build(node)
    layers = layers_of(ev, model)
    if given.get("index") is not None:
        index = require_known(given["index"], "the index of a layer")
        if not isinstance(index, int) or not -len(layers) <= index < len(layers):
            raise Refusal("KT205", f"the model has no layer number {index}")
        return layers[index]
    name = require_known(given.get("name"), "the name of a layer")
    for layer in layers:
        if layer.name == name:
            return layer
    raise Refusal("KT205", f"the model has no layer named {name!r}")


def called_once(ev: Evaluator, layer: Layer | Model, what: str) -> Node:
    """The one call of a layer."""
    nodes = ev.calls_of.get(id(layer), [])
    if len(nodes) != 1:
        times = "is never called" if not nodes else f"is called {len(nodes)} times"
        raise Refusal("KT205", f"the layer `{layer.name}` {times}: it has no single {what}")
    return nodes[0]


def layer_output(ev: Evaluator, layer: Layer) -> Any:
    """``layer.output``."""
    if id(layer) in ev.input_tensors:
        return ev.input_tensors[id(layer)]
    return called_once(ev, layer, "output").structure


def layer_input(ev: Evaluator, layer: Layer) -> Any:
    """``layer.input``."""
    if id(layer) in ev.input_tensors:
        return ev.input_tensors[id(layer)]
    return called_once(ev, layer, "input").args[0]


def clone_model(ev: Evaluator, model: Model, node: cst.Call) -> Model:
    """A model of the same layers with weights of its own."""
    if isinstance(model, CustomModel):
        raise Refusal("KT105", "copies of models of the program's own classes are not translated")
    ev.settle(model)
    copies: dict[int, Layer | Model] = {}
    tensors: dict[int, Tensor] = {id(t): Tensor(t.spec, hint=t.hint, name=t.name) for t in model.input_tensors()}
    made = Model(model.kind, None, None, model.name, model.explicit_name, ev.origin(node))
    made.inputs = map_tensors(model.inputs, lambda t: tensors[id(t)])

    def copy_of(target: Layer | Model) -> Layer | Model:
        if isinstance(target, Model):
            raise Refusal("KT105", "copies of models that hold other models are not translated")
        if id(target) not in copies:
            copy = Layer(target.symbol, target.config, target.name, target.explicit_name, target.origin, target.hint)
            copy.trainable = target.trainable
            if not copy.trainable:
                ev.freeze(copy, False)
            copies[id(target)] = copy
        return copies[id(target)]

    for original in model.nodes:
        target = original.target if isinstance(original.target, str) else copy_of(original.target)
        args = map_tensors(original.args, lambda t: tensors[id(t)])
        kwargs = map_tensors(original.kwargs, lambda t: tensors[id(t)])
        again = Node(target, args, kwargs, original.origin, body=original.body)
        finish_node(ev, again, map_tensors(original.structure, lambda t: t.spec), node)
        for old, new in zip(original.outputs, again.outputs, strict=True):
            new.hint, new.name = old.hint, old.name
            new.mask = None if old.mask is None else tensors.get(id(old.mask))
            tensors[id(old)] = new
        made.nodes.append(again)
    made.outputs = map_tensors(model.outputs, lambda t: tensors[id(t)])
    made.layers = [copy_of(layer) for layer in model.layers]
    ev.made(made)
    creation = Creation(made, node, ev.scope.qualified_name, None, ev.inside)
    ev.facts.creations.setdefault(id(node), []).append(creation)
    return made
