"""Inputs, functional and Sequential models, and the methods of models."""

from __future__ import annotations

from typing import Any

import libcst as cst

from transpiler.diagnostics import Refusal
from transpiler.evaluate.core import (
    Creation,
    Evaluator,
    FailedDependencyError,
    Moment,
    is_failed,
    is_known,
    plain,
    require_known,
)
from transpiler.evaluate.layers import auto_name, call_layer, rank_wanted, shape_of
from transpiler.evaluate.surgery import layers_in_order, with_whole_networks
from transpiler.evaluate.values import Function, Opaque, Symbol
from transpiler.graph.keras import Layer, Model, Node, Tensor, TensorSpec, walk_tensors


# -- inputs -----------------------------------------------------------------------------------------------------------
def make_input(ev: Evaluator, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> Tensor:
    """``Input(shape=…)``: a symbolic tensor."""
    names = ("shape", "batch_size", "dtype", "sparse", "batch_shape", "name", "tensor", "optional")
    given = dict(zip(names, args)) | kwargs  # noqa: B905 - fewer arguments than names is usual
    unknown = set(given) - set(names) - {"batch_input_shape", "ragged", "type_spec"}
    if unknown or given.get("tensor") is not None or given.get("sparse") or given.get("ragged"):
        raise Refusal("KT102", f"`Input` argument `{next(iter(unknown), 'tensor/sparse')}` is not supported")
    batch = given.get("batch_shape", given.get("batch_input_shape"))
    asked = given.get("shape", ())
    is_open = batch is None and isinstance(asked, Opaque) and asked.expr is not None
    shape = (None, *(() if is_open else shape_of(asked) if batch is None else shape_of(batch)[1:]))
    dtype = given.get("dtype")
    text = (
        dtype if isinstance(dtype, str) else dtype.name.rpartition(".")[2] if isinstance(dtype, Symbol) else "float32"
    )
    tensor = Tensor(TensorSpec(shape, text), origin=ev.origin(node))
    if given.get("name") is not None:
        tensor.name = str(require_known(given["name"], "`name`"))
    ev.built += 1
    ev.mark_build(node)
    if tensor.name is None:
        ev.input_names[id(tensor)] = auto_name(ev, "InputLayer")
    ev.keep_alive.append(tensor)
    if is_open:
        ev.open_inputs[id(tensor)] = asked
    return tensor


# -- functional models ------------------------------------------------------------------------------------------------
def make_model(ev: Evaluator, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> Model:
    """``Model(inputs, outputs)``."""
    renamed = {"input": "inputs", "output": "outputs"}
    given = dict(zip(("inputs", "outputs", "name"), args))  # noqa: B905 - fewer arguments is usual
    given |= {renamed.get(key, key): value for key, value in kwargs.items()}
    unknown = set(given) - {"inputs", "outputs", "name", "trainable"}
    if unknown:
        raise Refusal("KT102", f"`Model` argument `{unknown.pop()}` is not supported")
    if any(is_failed(v) for v in given.values()):
        raise FailedDependencyError
    inputs, outputs = given.get("inputs"), given.get("outputs")
    for what, value in (("inputs", inputs), ("outputs", outputs)):
        if not _all_tensors(value):
            raise Refusal("KT103", f"`Model` needs tensors as `{what}`, and they must be known here")
    model = Model("functional", inputs, outputs, *model_name(ev, given.get("name"), "Functional"), ev.origin(node))
    model.nodes = nodes_between(ev, list(walk_tensors(inputs)), outputs)
    model.layers = layers_in_order(model)
    model.nodes = with_whole_networks(ev, model)
    _register(ev, model, node)
    return model


def make_block(ev: Evaluator, function: Function, inputs: list[Tensor], outputs: Any) -> None:
    """A function that nobody calls, from tensors to tensors: a model of its own, for a class in its place."""
    single = inputs[0] if len(inputs) == 1 else inputs
    model = Model("functional", single, outputs, function.name, False, ev.origin(function.node))
    model.nodes = nodes_between(ev, inputs, outputs)
    model.layers = layers_in_order(model)
    model.builder = function.name
    ev.made(model)
    creation = Creation(
        model, function.node, ev.scope.qualified_name, None, cst.ensure_type(function.node, cst.FunctionDef)
    )
    ev.facts.creations.setdefault(id(function.node), []).append(creation)


def _all_tensors(value: Any) -> bool:
    """Whether a structure holds tensors and nothing else."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return bool(value) and all(_all_tensors(item) for item in value)
    return isinstance(value, Tensor)


def model_name(ev: Evaluator, name: Any, kind: str) -> tuple[str, bool]:
    """The given name, or Keras' automatic one."""
    if name is not None and is_known(name):
        return str(plain(name)), True
    return auto_name(ev, kind), False


def _register(ev: Evaluator, model: Model, node: cst.CSTNode) -> None:
    ev.made(model)
    ev.facts.creations.setdefault(id(node), []).append(Creation(model, node, ev.scope.qualified_name, None, ev.inside))


def nodes_between(ev: Evaluator, inputs: list[Tensor], outputs: Any) -> list[Node]:
    """The nodes that lead from ``inputs`` to ``outputs``, in the order they were made."""
    stop = {id(t) for t in inputs}
    found: dict[int, Node] = {}
    stack = list(walk_tensors(outputs))
    while stack:
        tensor = stack.pop()
        if id(tensor) in stop:
            continue
        if tensor.node is None:
            raise Refusal("KT205", "the outputs depend on an input that is not among the model's inputs")
        if id(tensor.node) not in found:
            found[id(tensor.node)] = tensor.node
            stack.extend(tensor.node.input_tensors())
            stack.extend(t.mask for t in tensor.node.input_tensors() if t.mask is not None and t.mask.node is not None)
    return sorted(found.values(), key=lambda n: ev.node_order[id(n)])


# -- Sequential -------------------------------------------------------------------------------------------------------
def make_sequential(ev: Evaluator, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> Model:
    """``Sequential([...])``."""
    given = dict(zip(("layers", "name"), args)) | kwargs  # noqa: B905 - fewer arguments is usual
    model = Model("sequential", None, None, *model_name(ev, given.get("name"), "Sequential"), ev.origin(node))
    ev.pending[id(model)] = []
    ev.sequential_depth[id(model)] = ev.unknown_depth
    _register(ev, model, node)
    layers = given.get("layers") or []
    if isinstance(layers, Opaque):
        raise Refusal("KT201", f"the list of layers must be known: {layers.why}")
    for layer in layers:
        add_layer(ev, model, layer, node)
    return model


def add_layer(ev: Evaluator, model: Model, layer: Any, node: cst.CSTNode) -> None:
    """``model.add(layer)``; a model that a layer could not be added to is not translated."""
    ev.last_add[id(model)] = Moment(tuple(ev.stack), ev.steps)
    try:
        _add_layer(ev, model, layer, node)
    except (Refusal, FailedDependencyError):
        ev.failed_models.add(id(model))
        raise


def _add_layer(ev: Evaluator, model: Model, layer: Any, node: cst.CSTNode) -> None:
    if is_failed(layer):
        raise FailedDependencyError
    if ev.unknown_depth > ev.sequential_depth.get(id(model), 0):
        raise Refusal("KT203", "whether this layer is added depends on a condition known only at run time")
    if model.kind != "sequential":
        raise Refusal("KT205", "only Sequential models have `add`")
    if isinstance(layer, Tensor) and layer.node is None:
        model.inputs = model.outputs = layer
        return
    if not isinstance(layer, (Layer, Model)):
        raise Refusal("KT103", "this is not a layer")
    if isinstance(layer, Layer) and _is_in(ev, layer, model):
        raise Refusal("KT205", f"the layer `{layer.name}` is added twice")
    ev.keep_alive.append(model)
    if isinstance(layer, Layer) and layer.symbol == "keras.layers.InputLayer":
        model.inputs = model.outputs = input_from_layer(ev, layer)
        return
    if model.inputs is None:
        _start(ev, model, layer)
    model.layers.append(layer)
    if model.inputs is None:
        ev.pending[id(model)].append((layer, node))
    else:
        _append(ev, model, layer, node)


def _is_in(ev: Evaluator, layer: Layer, model: Model) -> bool:
    """Whether a layer is in a Sequential model already; keeps count of what is."""
    known = ev.sequential_layers.setdefault(id(model), set())
    if id(layer) in known:
        return True
    known.add(id(layer))
    return False


def input_from_layer(ev: Evaluator, layer: Layer) -> Tensor:
    """The tensor that an ``InputLayer`` stands for."""
    shape = ev.input_shapes.get(id(layer))
    if shape is None:
        config_shape = layer.config.get("shape") or layer.config.get("input_shape")
        if config_shape is None and layer.config.get("batch_shape"):
            shape = (None, *shape_of(layer.config["batch_shape"])[1:])
        else:
            shape = (None, *shape_of(config_shape or ()))
    return Tensor(
        TensorSpec(shape, layer.config.get("dtype") or "float32"), name=layer.name if layer.explicit_name else None
    )


def _start(ev: Evaluator, model: Model, layer: Layer | Model) -> None:
    """Take the input from the first layer, where it says one."""
    if isinstance(layer, Model):
        ev.settle(layer)
        if id(layer) in ev.input_shapes:
            model.inputs = model.outputs = Tensor(TensorSpec(ev.input_shapes[id(layer)]))
            return
        if layer.inputs is not None and len(layer.input_tensors()) == 1:
            model.inputs = model.outputs = Tensor(layer.input_tensors()[0].spec)
        return
    shape = ev.input_shapes.get(id(layer))
    inner = layer.config.get("layer") if shape is None else None
    if shape is None and isinstance(inner, Layer):
        shape = ev.input_shapes.get(id(inner))
        if shape is not None and layer.symbol == "keras.layers.TimeDistributed":
            shape = None
    if shape is not None:
        model.inputs = model.outputs = Tensor(TensorSpec(shape, ev.input_dtypes.get(id(layer), "float32")))


def _append(ev: Evaluator, model: Model, layer: Layer | Model, node: cst.CSTNode) -> None:
    result = _apply(ev, layer, model.outputs, node)
    made = next(walk_tensors(result)).node
    assert made is not None
    model.outputs = result
    model.nodes.append(made)


def _apply(ev: Evaluator, target: Layer | Model, value: Any, node: cst.CSTNode) -> Any:
    from transpiler.evaluate.model_calls import call_on_tensors

    if isinstance(target, Layer):
        return call_layer(ev, target, [value], {}, node)
    return call_on_tensors(ev, target, [value], {}, node)


def build_sequential(ev: Evaluator, model: Model, spec: TensorSpec) -> None:
    """Give a Sequential model whose input shape was unknown its input, and build it."""
    model.inputs = model.outputs = Tensor(spec)
    for layer, node in ev.pending.pop(id(model), []):
        _append(ev, model, layer, node)


_AGNOSTIC = ("Rescaling", "Dropout", "BatchNormalization", "Activation", "GaussianNoise")


def guess_input(model: Model) -> TensorSpec | None:
    """The spec of an input of unknown sizes, from the first layer's kind; None where even the rank is open."""
    for layer in model.layers:
        if isinstance(layer, Model):
            return None
        rank = rank_wanted(layer.symbol)
        kind = layer.symbol.rpartition(".")[2]
        if rank is not None:
            return TensorSpec((None,) * rank, "int32" if kind == "Embedding" else "float32")
        if kind not in _AGNOSTIC:
            return None
    return None
