"""Inputs, functional and Sequential models, and the methods of models."""

from __future__ import annotations

from typing import Any

import libcst as cst

from transpiler.diagnostics import Refusal
from transpiler.evaluate.assign import all_layers
from transpiler.evaluate.callbacks import flat_callbacks, given_callbacks, run_hooks
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
from transpiler.evaluate.data import build_from_data, build_from_shape, discarded
from transpiler.evaluate.layers import auto_name, call_layer, rank_wanted, shape_of
from transpiler.evaluate.loading import note_checkpoints, note_saved, path_text
from transpiler.evaluate.operators import finish_node
from transpiler.evaluate.sources import given_source
from transpiler.evaluate.surgery import get_layer, layers_in_order, with_whole_networks
from transpiler.evaluate.tracing import call_custom
from transpiler.evaluate.values import Created, Function, Opaque, Subclassed, Symbol, TrainingFlag
from transpiler.graph.keras import Layer, Model, Node, Tensor, TensorSpec, map_tensors, walk_tensors
from transpiler.graph.program import Action, Array, Compiled, History, Source
from transpiler.rules.base import LAYERS, OPS, bind
from transpiler.rules.training import METHODS


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


# -- calling models ---------------------------------------------------------------------------------------------------
def call_model(ev: Evaluator, model: Model, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> Any:
    """``model(x)``: a node of the graph on symbolic tensors, an action on data."""
    if any(is_failed(v) for v in (*args, *kwargs.values())):
        raise FailedDependencyError
    if any(True for _ in walk_tensors([args, kwargs if isinstance(model, Subclassed) else {}])):
        return call_on_tensors(ev, model, args, kwargs, node)
    if isinstance(model, Subclassed) and model.is_layer and not _data(args):
        raise Refusal("KT105", f"calling the layer `{model.name}` outside a model is not translated")
    if isinstance(model, Subclassed) and args and _all_created(args[0]):
        _build_from(ev, model, args[0])
        if discarded(ev, node):
            ev.mark_build(node)
            ev.mark_build(ev.statement or node)
            return Opaque("the result of a call that only builds")
    for value in args[:1]:
        if isinstance(model, Subclassed) or isinstance(value, Array) and value.shape is not None:
            _build_from(ev, model, value)
    return action(ev, "__call__", model, args, kwargs, node)


def _data(args: list[Any]) -> bool:
    """Whether the first argument is data whose shape may be known."""
    return bool(args) and isinstance(args[0], (Array, Created, list, tuple, dict))


def _all_created(value: Any) -> bool:
    """Whether a structure holds nothing but results of ops without tensors."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return bool(value) and all(_all_created(item) for item in value)
    return isinstance(value, Created)


def call_on_tensors(ev: Evaluator, model: Model, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> Any:
    """A nested model: one node."""
    if isinstance(model, Subclassed) and model.kind == "custom":
        return call_custom(ev, model, args, kwargs, node)
    if isinstance(kwargs.get("training"), TrainingFlag):
        kwargs = {key: value for key, value in kwargs.items() if key != "training"}
    specs = [t.spec for t in walk_tensors([args, kwargs])]
    if model.inputs is None and len(specs) == 1:
        build_sequential(ev, model, specs[0])
    training = kwargs.get("training")
    if training is not None:
        training = bool(require_known(training, "`training`"))
    others = {k: v for k, v in kwargs.items() if k not in ("training", "mask", "inputs")}
    if others or kwargs.get("mask") is not None or training:
        what = next(iter(others), "training" if training else "mask")
        raise Refusal("KT302", f"calling a model with `{what}=` inside another is not translated")
    inputs = tuple(args) if args else (kwargs["inputs"],)
    made = Node(model, inputs, {} if training is None else {"training": False}, ev.origin(node))
    return finish_node(ev, made, infer_model(model, specs), node)


def infer_model(model: Model, specs: list[TensorSpec]) -> Any:
    """Output specs of a model for other input specs than its own: its nodes are inferred again."""
    inputs = model.input_tensors()
    if len(inputs) != len(specs):
        raise Refusal("KT103", f"`{model.name}` takes {len(inputs)} inputs, not {len(specs)}")
    known: dict[int, TensorSpec] = {id(t): s for t, s in zip(inputs, specs, strict=True)}
    if all(t.spec.shape == s.shape for t, s in zip(inputs, specs, strict=True)):
        return map_tensors(model.outputs, lambda t: t.spec)
    if model.kind == "custom":
        raise Refusal("KT105", "a layer of the program's own is called on inputs of several shapes through a model")
    for node in model.nodes:
        args = map_tensors(list(node.args), lambda t: known[id(t)])
        kwargs = map_tensors(node.kwargs, lambda t: known[id(t)])
        if isinstance(node.target, Model):
            found = infer_model(node.target, [known[id(t)] for t in walk_tensors(node.args)])
        elif isinstance(node.target, str):
            found = OPS[node.target].infer(*args, **kwargs)
        elif node.body is not None:
            found = infer_model(node.body, [known[id(t)] for t in walk_tensors(node.args)])
        else:
            found = LAYERS[node.target.symbol].infer(node.target, *args, **kwargs)
        for tensor, spec in zip(node.outputs, _flat(found), strict=True):
            known[id(tensor)] = spec
    return map_tensors(model.outputs, lambda t: known[id(t)])


def _flat(specs: Any) -> list[TensorSpec]:
    if isinstance(specs, TensorSpec):
        return [specs]
    values = specs.values() if isinstance(specs, dict) else specs
    return [spec for value in values for spec in _flat(value)]


# -- methods ----------------------------------------------------------------------------------------------------------
def call_model_method(
    ev: Evaluator, model: Model, name: str, args: list[Any], kwargs: dict[str, Any], node: cst.Call
) -> Any:
    """``model.name(…)``."""
    if any(is_failed(v) for v in (*args, *kwargs.values())):
        raise FailedDependencyError
    if name == "add":
        layer = args[0] if args else kwargs.get("layer")
        add_layer(ev, model, layer, node)
        ev.built += 1
        ev.mark_build(node)
        return None
    if name == "build" and isinstance(model, Subclassed) and model.kind == "custom":
        build_from_shape(ev, model, args[0] if args else next(iter(kwargs.values()), None), node)
        ev.mark_build(node)
        return None
    if name == "build":
        if model.inputs is None and (args or kwargs):
            shape = shape_of(args[0] if args else next(iter(kwargs.values())))
            build_sequential(ev, model, TensorSpec((None, *shape[1:])))
        ev.mark_build(node)
        return None
    if name == "get_layer":
        return get_layer(ev, model, args, kwargs, node)
    if name == "pop" and model.kind == "sequential" and model.layers:
        return _pop(ev, model, node)
    return action(ev, name, model, args, kwargs, node)


def _pop(ev: Evaluator, model: Model, node: cst.CSTNode) -> Any:
    layer = model.layers.pop()
    ev.sequential_layers.get(id(model), set()).discard(id(layer))
    ev.mark_build(node)
    if model.nodes:
        last = model.nodes.pop()
        ev.calls_of[id(layer)].remove(last)
        model.outputs = last.args[0]
    elif ev.pending.get(id(model)):
        ev.pending[id(model)].pop()
    return layer


def _build_from(ev: Evaluator, model: Model, data: Any) -> None:
    """Fitting on data of known shape builds a model that had no input shape."""
    if isinstance(model, Subclassed) and model.kind == "custom":
        build_from_data(ev, model, data, ev.current)
        return
    if model.inputs is None and isinstance(data, Array) and data.shape:
        dtype = "int32" if _takes_indices(model) else "float32"
        build_sequential(ev, model, TensorSpec((None, *data.shape[1:]), dtype))


def _takes_indices(model: Model) -> bool:
    first = model.layers[0] if model.layers else None
    return isinstance(first, Layer) and first.symbol == "keras.layers.Embedding"


def action(ev: Evaluator, name: str, model: Model, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> Any:
    """Record a method call that happens when the program runs."""
    from transpiler.evaluate.expressions import unknown_to_program

    if name in GENERATORS:
        name, args, kwargs = _without_generator(name, args, kwargs)
    signature = METHODS.get(name)
    if signature is None:
        raise Refusal("KT302", f"`{name}` of a model is not translated")
    positional = [p.name for p in signature][: len(args)]
    bound = bind(f"Model.{name}", signature, tuple(unknown_to_program(args)), unknown_to_program(kwargs))
    aliases = {alias: p.name for p in signature for alias in (p.name, *p.aliases)}
    given = [*positional, *(aliases[key] for key in kwargs)]
    values = {key: _argument(ev, bound[key]) for key in given}
    made = Action(f"keras.Model.{name}", values, ev.span(node), ev.scope.qualified_name, model, node=node)
    made.frames = ev.frames
    made.compiled = ev.compiled.get(id(model))
    for key in ("x", "validation_data"):
        if key in values and name in ("fit", "evaluate", "predict"):
            values[key] = given_source(ev, values[key], node)
    if name in ("fit", "evaluate", "predict", "train_on_batch", "test_on_batch", "predict_on_batch"):
        data = values.get("x", values.get("inputs"))
        _build_from(ev, model, data.parts()[0] if isinstance(data, Source) else data)
    callbacks = values.get("callbacks")
    if callbacks is not None:
        values["callbacks"] = given_callbacks(ev, callbacks)
    ev.record(made)
    _note_training(ev, name, model)
    if name == "fit":
        run_hooks(ev, made, model, callbacks)
        note_checkpoints(ev, model, list(flat_callbacks(callbacks)))
    if name == "save" and isinstance(node, cst.Call):
        note_saved(ev, model, path_text(ev, node), values.get("filepath"))
    if name == "compile":
        ev.compiled[id(model)] = Compiled(
            made,
            values.get("optimizer", "rmsprop"),
            values.get("loss"),
            values.get("metrics"),
            bound,
            _trainable(model),
        )
        made.compiled = ev.compiled[id(model)]
        return None
    return _result(ev, name, model, values, made, node)


def _note_training(ev: Evaluator, name: str, model: Model) -> None:
    """Keep track of what is trained; flags of single layers that change after ``compile`` need another one."""
    if name == "compile":
        ev.compiled_at[id(model)] = ev.steps
    if name not in ("fit", "train_on_batch", "fit_generator"):
        return
    layers = {id(layer) for layer in all_layers(model)}
    ev.trained |= layers
    compiled = ev.compiled_at.get(id(model), 0)
    late = next((each for each in ev.freezes if each.moment > compiled and _in(each.layer, layers)), None)
    if late is not None and compiled:
        raise Refusal(
            "KT105",
            f"`trainable` of the layer `{late.layer.name}` changed after the model was compiled",
            "compile the model again before it is trained: versions of Keras differ in what they do here",
        )


def _in(part: Layer | Model, layers: set[int]) -> bool:
    inner = all_layers(part) if isinstance(part, Model) else [part]
    return any(id(layer) in layers for layer in inner)


GENERATORS = {"fit_generator": "fit", "evaluate_generator": "evaluate", "predict_generator": "predict"}


def _without_generator(name: str, args: list[Any], kwargs: dict[str, Any]) -> tuple[str, list[Any], dict[str, Any]]:
    """A call of Keras 2's methods for generators as one of those that take everything."""
    if old := sorted({"samples_per_epoch", "nb_val_samples", "val_samples"} & set(kwargs)):
        raise Refusal("KT301", f"`{old[0]}` counts samples, not steps, and is not translated")
    bound = bind(f"Model.{name}", METHODS[name], tuple(args), kwargs)
    positional = [p.name for p in METHODS[name]][: len(args)]
    aliases = {alias: p.name for p in METHODS[name] for alias in (p.name, *p.aliases)}
    given = [*positional, *(aliases[key] for key in kwargs)]
    renamed = {"generator": "x", "max_q_size": "max_queue_size"}
    return GENERATORS[name], [], {renamed.get(key, key): bound[key] for key in given}


def _trainable(model: Model) -> frozenset[int] | None:
    """The layers that a model compiled now trains; None for all."""
    layers = all_layers(model)
    if all(layer.trainable for layer in layers):
        return None
    return frozenset(id(layer) for layer in layers if layer.trainable)


def _argument(ev: Evaluator, value: Any) -> Any:
    from transpiler.evaluate.api import to_object

    if isinstance(value, (list, tuple)):
        return type(value)(_argument(ev, v) for v in value)
    if isinstance(value, dict):
        return {k: _argument(ev, v) for k, v in value.items()}
    return to_object(ev, value)


def _result(ev: Evaluator, name: str, model: Model, values: dict[str, Any], made: Action, node: cst.CSTNode) -> Any:
    if name in ("fit", "fit_generator"):
        return History(made)
    if name in ("predict", "predict_on_batch", "__call__") and model.outputs is not None:
        rows = None
        x = values.get("x", values.get("inputs"))
        if isinstance(x, Array) and x.shape:
            rows = x.shape[0]
        found = map_tensors(model.outputs, lambda t: Array((rows, *t.spec.shape[1:]), "float32"))
        return found[0] if isinstance(found, list) and len(found) == 1 else found
    return Opaque(f"`{ev.source(node)[:60]}` is known only when the program runs", foreign=True)
