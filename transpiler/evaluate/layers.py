"""Making layers and calling them."""

from __future__ import annotations

from typing import Any

import libcst as cst

from transpiler.diagnostics import Refusal
from transpiler.evaluate.core import (
    Evaluator,
    FailedDependencyError,
    checked_arguments,
    decided,
    has_failed,
    is_failed,
    is_known,
    plain,
    require_known,
)
from transpiler.evaluate.functions import source_text
from transpiler.evaluate.values import Function, Opaque, Subclassed, Symbol, TrainingFlag
from transpiler.graph.keras import FunctionRef, Layer, Model, Node, Tensor, TensorSpec, map_tensors, walk_tensors
from transpiler.graph.program import Array
from transpiler.graph.symbolic import Expr, Leaf
from transpiler.rules.base import COMMON_PARAMS, LAYERS, LayerRule, bind
from transpiler.rules.names import snake_case

# Parameters that may stay expressions of the source; all others are read as plain values.
_SIZES = {"units", "filters", "input_dim", "output_dim", "rate", "target_shape"}


def auto_name(ev: Evaluator, kind: str) -> str:
    """The next automatic name of a kind: ``dense``, then ``dense_1``."""
    base = snake_case(kind)
    count = ev.layer_names.get(base, 0)
    ev.layer_names[base] = count + 1
    return f"{base}_{count}" if count else base


def make_layer(
    ev: Evaluator, symbol: str, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, anonymous: bool = False
) -> Layer:
    """An instance of a layer class; the config is bound and normalised by its rule."""
    rule = LAYERS[symbol]
    positional, named = rule.bind_legacy(tuple(args), dict(kwargs))
    own = {alias for p in rule.params for alias in (p.name, *p.aliases)}
    common = {key: named.pop(key) for key in list(named) if key in COMMON_PARAMS and key not in own}
    bound = bind(symbol.rpartition(".")[2], rule.params, positional, named)
    config = {key: _config_value(ev, symbol, key, value) for key, value in bound.items()}
    with checked_arguments(symbol):
        config = rule.normalize(config)
    name, explicit = _layer_name(ev, symbol, common, anonymous)
    layer = Layer(symbol, config, name, explicit, ev.origin(node))
    if symbol == "keras.layers.Lambda":
        ev.lambda_functions[id(layer)] = bound["function"]
    if "trainable" in common:
        layer.trainable = bool(require_known(common["trainable"], "`trainable`"))
        layer.untrained = bool(ev.tracing) and not layer.trainable
        if not ev.tracing:
            ev.freeze(layer, layer.trainable)
    _check_common(common)
    shape = _input_shape(symbol, common, own, config)
    if shape is not None:
        ev.input_shapes[id(layer)] = shape
        dtype = common.get("dtype")
        ev.input_dtypes[id(layer)] = dtype if isinstance(dtype, str) else _input_dtype(symbol)
    ev.keep_alive.append(layer)
    ev.built += 1
    ev.mark_build(node)
    return layer


def _layer_name(ev: Evaluator, symbol: str, common: dict[str, Any], anonymous: bool) -> tuple[str, bool]:
    name = common.get("name")
    if name is not None and is_known(name):
        return str(plain(name)), True
    if anonymous:
        return snake_case(symbol.rpartition(".")[2]), False
    return auto_name(ev, symbol.rpartition(".")[2]), False


def _check_common(common: dict[str, Any]) -> None:
    dtype = common.get("dtype")
    if dtype not in (None, "float32", "int32", "int64") and not isinstance(dtype, Symbol):
        raise Refusal("KT102", f"`dtype={dtype!r}` is not supported")
    if common.get("weights") is not None:
        raise Refusal("KT102", "`weights=` is not supported: load them with `--weights` or set them after building")


def _input_dtype(symbol: str) -> str:
    return "int32" if symbol == "keras.layers.Embedding" else "float32"


def _input_shape(symbol: str, common: dict[str, Any], own: set[str], config: dict[str, Any]) -> tuple[Any, ...] | None:
    """The batch input shape that a first layer was given, in any of the spellings."""
    batch = common.get("batch_input_shape", common.get("batch_shape"))
    if batch is not None:
        return (None, *shape_of(batch)[1:])
    shape = common.get("input_shape")
    if isinstance(shape, Opaque) and rank_wanted(symbol) is not None:
        return open_shape(shape, symbol)
    if shape is not None:
        return (None, *shape_of(shape))
    if "input_dim" in common and "input_dim" not in own:
        length = common.get("input_length")
        dims = shape_of((common["input_dim"],))
        return (None, *dims) if length is None else (None, *shape_of((length,)), *dims)
    if "input_dim" in config:
        length = common.get("input_length", config.get("input_length"))
        return (None, None if length is None else shape_of((length,))[0])
    return None


def shape_of(value: Any) -> tuple[Any, ...]:
    """A shape argument as dimensions: ints, expressions, None."""
    if is_failed(value):
        raise FailedDependencyError
    if isinstance(value, (int, Expr)):
        value = (value,)
    if not isinstance(value, (tuple, list)):
        why = value.why if isinstance(value, Opaque) else "it is not a tuple"
        raise Refusal("KT201", f"the rank of an input must be known: {why}")
    return tuple(_dim(item, len(value)) for item in value)


def _dim(value: Any, rank: int) -> Any:
    if is_failed(value):
        raise FailedDependencyError
    if isinstance(value, Opaque):
        return value.expr
    if isinstance(value, Expr) and value.known and rank > 1:
        return decided(value)
    if value is None or isinstance(value, (int, Expr)):
        return value
    raise Refusal("KT103", f"{value!r} is not a size")


def _config_value(ev: Evaluator, symbol: str, key: str, value: Any) -> Any:
    """A constructor argument as rules take it."""
    from transpiler.evaluate.api import symbol_object

    if is_failed(value):
        raise FailedDependencyError
    if isinstance(value, Function):
        return layer_function(ev, value)
    if isinstance(value, Symbol):
        found = symbol_object(value)
        return layer_function(ev, value) if isinstance(found, Symbol) else found
    if isinstance(value, Opaque):
        if value.expr is None or key not in _SIZES:
            raise Refusal("KT201", f"`{key}` must be known when the model is translated: {value.why}")
        return value.expr
    if isinstance(value, Array):
        raise Refusal("KT102", f"`{key}` given as an array is not supported")
    if key in _SIZES and isinstance(value, (Expr, tuple, list)):
        return _named(key, value)
    return decided(_named(key, value))


def _named(key: str, value: Any) -> Any:
    """``value`` with what is known only at run time as expressions (deep in lists, tuples and dicts)."""
    if isinstance(value, (list, tuple)) and type(value) in (list, tuple):
        return type(value)(_named(key, item) for item in value)
    if isinstance(value, dict):
        return {name: _named(key, item) for name, item in value.items()}
    if isinstance(value, Opaque):
        if value.expr is None:
            raise Refusal("KT201", f"`{key}` must be known when the model is translated: {value.why}")
        return value.expr
    return value


def layer_function(ev: Evaluator, function: Any) -> FunctionRef:
    """A function given to a layer (an activation, a Lambda body)."""
    from transpiler.evaluate.api import trace_function

    name = getattr(function, "name", "function").rpartition(".")[2]

    def trace(specs: tuple[TensorSpec, ...]) -> Model:
        return trace_function(ev, function, specs)

    return FunctionRef(name, trace, name if isinstance(function, Function) and name.isidentifier() else None)


def call_layer(ev: Evaluator, layer: Layer, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> Any:
    """``layer(inputs, …)``: one node of the graph."""
    if not args and "inputs" in kwargs:
        args, kwargs = [kwargs["inputs"]], {k: v for k, v in kwargs.items() if k != "inputs"}
    if has_failed([args, kwargs]):
        raise FailedDependencyError
    from transpiler.evaluate.operators import created

    args, kwargs = created(ev, args, node), created(ev, kwargs, node)
    if ev.open_parameters:
        args = _parameters_as_tensors(ev, args)
    if ev.open_inputs:
        settle_open_inputs(ev, args, layer.symbol)
    for value in args:
        if isinstance(value, Opaque) and value.maybe_model:
            raise Refusal("KT201", f"a layer is called on something unknown: {value.why}",
                          "call the function in this file, or trace a call with --entry")  # fmt: skip
    if not any(True for _ in walk_tensors([args, kwargs])):
        raise Refusal("KT105", f"calling the layer `{layer.name}` outside a model is not translated")
    rule = LAYERS[layer.symbol]
    kwargs = {k: v for k, v in kwargs.items() if k != "training" or v is not None and not isinstance(v, TrainingFlag)}
    call_kwargs = {k: plain(v) if is_known(v) else v for k, v in kwargs.items()}
    made = Node(layer, tuple(args), call_kwargs, ev.origin(node))
    with ev.working_on(node):
        specs = _infer(ev, rule, layer, made)
    result = finish(ev, made, specs, node)
    propagate_mask(ev, rule, layer, made)
    return result


def _parameters_as_tensors(ev: Evaluator, value: Any) -> Any:
    """A parameter that no call gives, but that a layer is called on, is a tensor of unknown shape."""
    if isinstance(value, (list, tuple)):
        return type(value)(_parameters_as_tensors(ev, item) for item in value)
    name = ev.open_parameters.get(id(value))
    if name is None:
        return value
    if id(value) not in ev.parameter_tensors:
        tensor = Tensor(TensorSpec((None,)), hint=name)
        ev.parameter_tensors[id(value)] = tensor
        ev.open_inputs[id(tensor)] = Opaque.named(name, f"{name}.shape", f"`{name}` is a parameter that no call gives")
    tensor = ev.parameter_tensors[id(value)]
    scope = ev.scope.find(name)
    if scope is not None and scope.names[name] is value:
        scope.names[name] = tensor
    return tensor


RANKS = {"1D": 3, "2D": 4, "3D": 5, "LSTM": 3, "GRU": 3, "SimpleRNN": 3, "Dense": 2, "Embedding": 2}
_DIMS = {
    2: ("in_features",), 3: ("length", "in_channels"), 4: ("height", "width", "in_channels"),
    5: ("depth", "height", "width", "in_channels"),
}  # fmt: skip


def rank_wanted(symbol: str) -> int | None:
    """The rank of what a layer takes, where its kind says so."""
    kind = symbol.rpartition(".")[2]
    return next((rank for part, rank in RANKS.items() if part in kind), None)


def open_shape(shape: Opaque, symbol: str, parameter: bool = False) -> tuple[Any, ...]:
    """The batch shape of an input whose shape is known only at run time, its rank from the layer that takes it."""
    rank = rank_wanted(symbol)
    if is_failed(shape):
        raise FailedDependencyError
    if rank is None or shape.expr is None:
        raise Refusal("KT201", f"the rank of an input must be known: {shape.why}")
    text = source_text(shape.expr)
    leaves = [Leaf(name, "local", f"{text}[{at}]", parameter=parameter) for at, name in enumerate(_DIMS[rank])]
    return (None, *map(Expr.of_leaf, leaves))


def settle_open_inputs(ev: Evaluator, value: Any, symbol: str) -> None:
    """Give inputs of unknown shape the rank that the first use of them says."""
    for tensor in walk_tensors(value):
        shape = ev.open_inputs.pop(id(tensor), None)
        if shape is not None:
            tensor.spec = TensorSpec(open_shape(shape, symbol), tensor.spec.dtype)


def _infer(ev: Evaluator, rule: LayerRule, layer: Layer, made: Node) -> Any:
    if layer.symbol == "keras.layers.Lambda":
        return _trace_lambda(ev, layer, made)
    inner = layer.config.get("layer")
    if isinstance(inner, Subclassed) and inner.inputs is None:
        _trace_inner(ev, layer, inner, made)
    args = map_tensors(list(made.args), lambda t: t.spec)
    kwargs = map_tensors(made.kwargs, lambda t: t.spec)
    with checked_arguments(layer.symbol):
        return rule.infer(layer, *args, **kwargs)


def _trace_inner(ev: Evaluator, layer: Layer, inner: Subclassed, made: Node) -> None:
    """A wrapper calls a layer of the program's own: on one time step."""
    from transpiler.evaluate.tracing import build_custom

    if layer.symbol != "keras.layers.TimeDistributed" or not isinstance(made.args[0], Tensor):
        raise Refusal(
            "KT105", f"`{layer.symbol.rpartition('.')[2]}` around a layer of the program's own is not translated"
        )
    spec = made.args[0].spec
    build_custom(ev, inner, TensorSpec((spec.shape[0], *spec.shape[2:]), spec.dtype), ev.current)


def _trace_lambda(ev: Evaluator, layer: Layer, made: Node) -> Any:
    """A Lambda layer's body becomes a graph of its own, inlined when lowered."""
    from transpiler.evaluate.api import trace_function
    from transpiler.evaluate.values import Native

    inputs = made.args[0]
    specs = tuple(t.spec for t in walk_tensors(inputs))
    extra = layer.config.get("arguments") or {}
    original = ev.lambda_functions[id(layer)]

    def later(ev: Evaluator, more: list[Any], named: dict[str, Any], at: cst.Call) -> Any:
        from transpiler.evaluate.calls import invoke

        return invoke(ev, original, more, {**extra, **named}, at)

    structure = list if isinstance(inputs, (list, tuple)) else None
    made.body = trace_function(ev, Native(layer.name, later), specs, structure)
    return map_tensors(made.body.outputs, lambda t: t.spec)


def finish(ev: Evaluator, made: Node, specs: Any, node: cst.CSTNode) -> Any:
    """Attach the outputs."""
    from transpiler.evaluate.operators import finish_node

    return finish_node(ev, made, specs, node)


def propagate_mask(ev: Evaluator, rule: LayerRule, layer: Layer, made: Node) -> None:
    """Give the outputs of a call their implicit mask."""
    first = made.args[0] if made.args else next(iter(made.kwargs.values()))
    inputs = map_tensors(first, lambda t: t.spec)
    masks = map_tensors(first, lambda t: t.mask is not None)
    answer = rule.mask(layer, inputs, masks)
    answers = answer if isinstance(answer, tuple) else (answer,) * len(made.outputs)
    for output, what in zip(made.outputs, answers, strict=True):
        if what == "pass":
            output.mask = _carried_mask(made)
        elif what == "make":
            output.mask = _make_mask(ev, rule, layer, next(walk_tensors(made.args)))


def _carried_mask(made: Node) -> Tensor | None:
    given = made.kwargs.get("mask")
    if isinstance(given, Tensor):
        return given
    return next((t.mask for t in walk_tensors(made.args) if t.mask is not None), None)


def _make_mask(ev: Evaluator, rule: LayerRule, layer: Layer, value: Tensor) -> Tensor:
    from transpiler.evaluate.operators import make_op

    for symbol, args, kwargs in rule.mask_ops(layer):
        value = make_op(ev, symbol, (value, *args), dict(kwargs), ev.current)
    return value


__all__ = ["auto_name", "call_layer", "make_layer", "shape_of", "snake_case"]
