"""Calls of ``keras.applications.…``: the network becomes an ordinary model, built layer by layer as Keras does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import libcst as cst

from transpiler.applications import APPLICATIONS, PREFIX, Application, Net, Settings, check_settings, checked_shape
from transpiler.diagnostics import Refusal, diagnostic
from transpiler.evaluate.core import Evaluator, require_known
from transpiler.evaluate.layers import call_layer, make_layer, shape_of
from transpiler.evaluate.models import make_input, make_model
from transpiler.evaluate.operators import make_op
from transpiler.evaluate.values import Function, Opaque, Symbol
from transpiler.graph.keras import Frame, Model, Pretrained, Tensor
from transpiler.rules.base import LAYERS, bind
from transpiler.rules.imagenet import PREPROCESS_OP, SIGNATURES, preprocess_mode

_KERAS_FILE = (".weights.h5", ".h5", ".hdf5", ".keras")


def make_application(ev: Evaluator, symbol: str, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> Model:
    """``VGG16(weights=…)``."""
    app = APPLICATIONS[symbol]
    bound = bind(symbol.removeprefix(PREFIX), app.signature, tuple(args), kwargs)
    settings = _settings(ev, app, bound)
    check_settings(app, settings)
    inputs = _input(ev, settings, bound["input_tensor"], node)
    outputs = app.build(_net(ev, node), inputs, settings)
    sources = _sources(inputs)
    model = make_model(ev, [sources[0] if len(sources) == 1 else sources, outputs], {"name": settings.name}, node)
    model.application = symbol
    ev.networks.append(model)
    if settings.weights is not None:
        model.pretrained = _pretrained(ev, app, settings, node)
    return model


def _settings(ev: Evaluator, app: Application, bound: dict[str, Any]) -> Settings:
    """The arguments of the call, known and checked."""

    def known(key: str) -> Any:
        return require_known(bound[key], f"`{key}`")

    common = {"include_top", "weights", "input_tensor", "input_shape", "pooling", "classes", "classifier_activation"}
    weights, pooling = known("weights"), known("pooling")
    if weights is not None and not isinstance(weights, str):
        raise Refusal("KT103", "`weights` must be None, 'imagenet' or the path of a weight file")
    given = Settings(
        "", bool(known("include_top")), weights, pooling, known("classes"),
        _activation(bound["classifier_activation"]), extra={key: known(key) for key in set(bound) - common - {"name"}},
    )  # fmt: skip
    tensor = bound["input_tensor"] if isinstance(bound["input_tensor"], Tensor) else None
    shape = checked_shape(app, _given_shape(bound), tensor, given)
    settings = _with(given, shape=shape)
    name = known("name")
    return _with(settings, name=app.model_name(settings) if name is None else str(name))


def _with(settings: Settings, **changes: Any) -> Settings:
    return replace(settings, **changes)


def _given_shape(bound: dict[str, Any]) -> tuple[Any, ...] | None:
    """``input_shape``, its numbers known."""
    shape = bound["input_shape"]
    if shape is None:
        return None
    if isinstance(shape, Opaque):
        raise Refusal("KT201", f"`input_shape` must be known when the model is translated: {shape.why}")
    return tuple(require_known(size, "`input_shape`") for size in shape_of(shape))


def _activation(value: Any) -> Any:
    if isinstance(value, (Function, Opaque)):
        raise Refusal("KT102", "`classifier_activation` must be the name of an activation")
    if isinstance(value, Symbol):
        return value.name.rpartition(".")[2]
    return value


def _input(ev: Evaluator, settings: Settings, given: Any, node: cst.CSTNode) -> Tensor:
    """The tensor that the network works on: ``input_tensor``, or an input of its own."""
    if given is None:
        return make_input(ev, [], {"shape": settings.shape}, node)
    if not isinstance(given, Tensor):
        raise Refusal("KT102", "`input_tensor` must be a tensor of a model")
    return given


def _sources(tensor: Tensor) -> list[Tensor]:
    """The inputs that a tensor is computed from, in the order in which they are met."""
    found: dict[int, Tensor] = {}
    seen: set[int] = set()
    stack = [tensor]
    while stack:
        current = stack.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        if current.node is None:
            found[id(current)] = current
        else:
            stack.extend(reversed(current.node.input_tensors()))
    return list(found.values())


def _net(ev: Evaluator, node: cst.CSTNode) -> Net:
    """Layers are made and called as if the program did it at ``node``."""
    turns: dict[str, int] = {}

    def add(symbol: str, inputs: Any, args: tuple[Any, ...], config: dict[str, Any]) -> Tensor:
        if symbol not in LAYERS:
            raise Refusal("KT101", f"`{symbol}`, which this network consists of, is not supported")
        made: Tensor = call_layer(ev, make_layer(ev, symbol, list(args), config, node), [inputs], {}, node)
        return made

    @contextmanager
    def enter(name: str) -> Iterator[None]:
        turns[name] = turns.get(name, 0) + 1
        with ev.frame(Frame("call", name, ev.span(node), turns[name])):
            yield

    def operate(symbol: str, args: tuple[Any, ...]) -> Tensor:
        made: Tensor = make_op(ev, symbol, args, {}, node)
        return made

    return Net(add, enter, operate)


def _pretrained(ev: Evaluator, app: Application, settings: Settings, node: cst.CSTNode) -> Pretrained:
    """Which file the output loads, with a note that says how it is made."""
    assert settings.weights is not None
    if settings.imagenet:
        file = app.file(settings)
        path = f"{file.removesuffix('.h5')}.pt"
    else:
        file = settings.weights
        ending = next((each for each in _KERAS_FILE if file.endswith(each)), "")
        path = f"{file.removesuffix(ending)}.pt"
    span = ev.span(node)
    command = f"transpile FILE --weights {file} --model {settings.name}"
    where = "Keras' own weights" if settings.imagenet else "the Keras file"
    found = diagnostic(
        "KT405",
        f"the weights are loaded from `{path}`, which is made of {where} (`{file}`)",
        span.line,
        span.column + 1,
        hint=f"make it once: `{command}`",
    )
    if found not in ev.diagnostics:
        ev.diagnostics.append(found)
    return Pretrained(path, file)


def preprocess(ev: Evaluator, symbol: str, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> Any:
    """``preprocess_input`` of a tensor of a model."""
    bound = bind(symbol, SIGNATURES[symbol], tuple(args), kwargs)
    mode = preprocess_mode(symbol, bound)
    return bound["x"] if mode == "none" else make_op(ev, PREPROCESS_OP, (bound["x"], mode), {}, node)
