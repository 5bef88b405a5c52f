"""Models called and worked on: on tensors a node of a graph, on data an action of the output."""

from __future__ import annotations

from typing import Any

import libcst as cst

from transpiler.diagnostics import Refusal
from transpiler.evaluate.assign import all_layers
from transpiler.evaluate.callbacks import flat_callbacks, given_callbacks, run_hooks
from transpiler.evaluate.core import (
    Evaluator,
    FailedDependencyError,
    is_failed,
    require_known,
)
from transpiler.evaluate.data import build_from_data, build_from_shape, discarded
from transpiler.evaluate.layers import shape_of
from transpiler.evaluate.loading import note_checkpoints, note_saved, path_text
from transpiler.evaluate.models import (
    add_layer,
    build_sequential,
)
from transpiler.evaluate.operators import finish_node
from transpiler.evaluate.sources import given_source
from transpiler.evaluate.surgery import get_layer
from transpiler.evaluate.tracing import call_custom
from transpiler.evaluate.values import Created, Opaque, Subclassed, TrainingFlag
from transpiler.graph.keras import Layer, Model, Node, TensorSpec, map_tensors, walk_tensors
from transpiler.graph.program import Action, Array, Compiled, History, Source
from transpiler.rules.base import LAYERS, OPS, bind
from transpiler.rules.training import METHODS


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
