"""Calls of Keras' and TensorFlow's own names."""

from __future__ import annotations

import itertools
from typing import Any

import libcst as cst

from transpiler.applications import APPLICATIONS, PREFIX
from transpiler.diagnostics import Refusal
from transpiler.evaluate.callbacks import make_callback
from transpiler.evaluate.core import (
    Evaluator,
    FailedDependencyError,
    has_failed,
    is_build,
    is_known,
    plain,
)
from transpiler.evaluate.loading import LOADERS, load_model
from transpiler.evaluate.merge import legacy_merge
from transpiler.evaluate.numbers import getter, number_call
from transpiler.evaluate.rates import rate_function
from transpiler.evaluate.sources import dataset_function
from transpiler.evaluate.surgery import clone_model
from transpiler.evaluate.values import Created, Function, Opaque, Symbol, Twin
from transpiler.evaluate.variables import variable_of
from transpiler.graph.keras import ApiObject, FunctionRef, Layer, Model, Tensor, TensorSpec, walk_tensors
from transpiler.graph.program import Action
from transpiler.rules.base import LAYERS, OBJECTS, OPS, REFUSED, bind
from transpiler.rules.callbacks import CALLBACKS
from transpiler.rules.data import FUNCTIONS, TWINS, infer_function
from transpiler.rules.imagenet import PREPROCESS
from transpiler.rules.names import KERAS1_CLASSES, MERGE_FUNCTIONS
from transpiler.rules.opnames import CREATORS, op_call
from transpiler.rules.runtime import DEVICES, PICTURES, REPLACED, WITHOUT_EFFECT


def call_api(  # noqa: C901 - one case a kind of name, in order
    ev: Evaluator, name: str, args: list[Any], kwargs: dict[str, Any], node: cst.Call
) -> Any:
    """Call a Keras or TensorFlow symbol by its canonical name."""
    from transpiler.evaluate.layers import call_layer, make_layer
    from transpiler.evaluate.models import make_input, make_model, make_sequential
    from transpiler.evaluate.operators import make_op
    from transpiler.evaluate.pretrained import make_application

    if has_failed([args, kwargs]):
        raise FailedDependencyError
    if name == "keras.Sequential":
        return make_sequential(ev, args, kwargs, node)
    if name == "keras.Model":
        return make_model(ev, args, kwargs, node)
    if name == "keras.Input":
        return make_input(ev, args, kwargs, node)
    if name == "keras.models.clone_model":
        if len(args) != 1 or kwargs or not isinstance(args[0], Model):
            raise Refusal("KT102", "`clone_model` is translated for a known model, without other arguments")
        return clone_model(ev, args[0], node)
    if name in APPLICATIONS:
        return make_application(ev, name, args, kwargs, node)
    if name in REFUSED and name.startswith(PREFIX):
        raise Refusal("KT101", f"`{name}` is not translated" + _reason(name))
    if name in MERGE_FUNCTIONS:
        layer = make_layer(
            ev, MERGE_FUNCTIONS[name], args[1:], {k: v for k, v in kwargs.items() if k != "inputs"}, node
        )
        return call_layer(ev, layer, [args[0] if args else kwargs["inputs"]], {}, node)
    if name in ("keras.layers.merge", "keras.layers.Merge"):
        return legacy_merge(ev, name, args, kwargs, node)
    if name in KERAS1_CLASSES:
        return make_layer(ev, KERAS1_CLASSES[name], args, {**kwargs, "keras1": True}, node)
    if name in LAYERS:
        return make_layer(ev, name, args, kwargs, node)
    if name == "keras.random.SeedGenerator":
        return None  # the numbers that it would give are torch's own in the output
    if name in _VARIABLES and (weight := variable_of(ev, args, kwargs, node)) is not None:
        return weight
    if name in OBJECTS:
        return make_object(ev, name, args, kwargs, node)
    if name in LOADERS:
        return load_model(ev, args, kwargs, node)
    if name in CALLBACKS:
        return make_callback(ev, name, args, kwargs, node)
    if (known := dataset_function(ev, name, args, kwargs, node)) is not NotImplemented:
        return known
    if (known := rate_function(ev, name, args, kwargs, node)) is not NotImplemented:
        return known
    if (known := getter(name, args, kwargs)) is not NotImplemented:
        return known
    if (known := number_call(name, args, kwargs)) is not NotImplemented:
        return known
    if (known := _setting(ev, name, args, node)) is not NotImplemented:
        return known
    if (known := _runtime(ev, name, args, node)) is not NotImplemented:
        return known
    if any(True for _ in walk_tensors([args, kwargs])):
        return _tensor_call(ev, name, args, kwargs, node)
    if name in FUNCTIONS:
        return call_function(ev, name, args, kwargs, node)
    if (created := _creation(name, args, kwargs)) is not None:
        return make_op(ev, created.symbol, created.args, created.kwargs, node) if ev.tracing else created
    if is_build(args) or any(isinstance(v, Layer) for v in args) or name.startswith("keras.layers."):
        raise Refusal("KT101", f"`{name}` is not supported" + _reason(name))
    return Opaque(f"`{name}` is known only when the program runs")


_VARIABLES = (
    "tensorflow.Variable",
    "keras.backend.Variable",
    "keras.Variable",
    "keras.backend.variable",
    "keras.variable",
)


def _creation(name: str, args: list[Any], kwargs: dict[str, Any]) -> Created | None:
    """A call that makes a tensor of nothing but numbers."""
    if not name.startswith(("keras.ops.", "keras.random.", "keras.backend.", "tensorflow.")) or not is_known(
        [args, kwargs]
    ):
        return None
    found = op_call(name, tuple(plain(args)), plain(kwargs))
    if found is None or found[0] not in CREATORS:
        return None
    symbol, op_args, op_kwargs = found
    return Created(
        f"`{name}` is known only when the program runs", symbol=symbol, args=tuple(op_args), kwargs=dict(op_kwargs)
    )


def _reason(name: str) -> str:
    return f": {REFUSED[name]}" if name in REFUSED else ""


def _tensor_call(ev: Evaluator, name: str, args: list[Any], kwargs: dict[str, Any], node: cst.Call) -> Any:
    from transpiler.evaluate.layers import call_layer, make_layer
    from transpiler.evaluate.operators import make_op
    from transpiler.evaluate.pretrained import preprocess

    if name in PREPROCESS:
        return preprocess(ev, name, args, kwargs, node)
    if name.startswith("keras.activations.") and (len(args) > 1 or kwargs):
        name = f"keras.ops.{name.rpartition('.')[2]}"  # with settings, it is the op
    if name.startswith("keras.activations."):
        layer = make_layer(ev, "keras.layers.Activation", [name.rpartition(".")[2]], {}, node, anonymous=True)
        return call_layer(ev, layer, args, kwargs, node)
    found = op_call(name, tuple(args), kwargs)
    if found is None:
        raise Refusal("KT101", f"`{name}` on a tensor is not supported" + _reason(name))
    symbol, op_args, op_kwargs = found
    if symbol not in OPS:
        raise Refusal("KT101", f"`{name}` on a tensor is not supported" + _reason(name))
    return make_op(ev, symbol, tuple(op_args), dict(op_kwargs), node)


def _runtime(ev: Evaluator, name: str, args: list[Any], node: cst.Call) -> Any:
    """What concerns the running of Keras and TensorFlow themselves."""
    if name in WITHOUT_EFFECT:
        ev.mark_build(node)
        return None
    if name in PICTURES:
        ev.mark_build(node)
        ev.note("KT404", f"`{name}` draws a picture of the model; the output does not", node)
        return None
    if name in ("keras.backend.set_floatx", "keras.config.set_floatx"):
        if not args or args[0] != "float32":
            raise Refusal("KT105", "a float type other than float32 is not supported")
        ev.mark_build(node)
        return None
    if name in REPLACED or name in DEVICES and args == ["GPU"]:
        ev.record(Action(name, {}, ev.span(node), ev.scope.qualified_name, node=node))
        return Opaque(f"`{name}` is known only when the program runs", foreign=True)
    return NotImplemented


def _setting(ev: Evaluator, name: str, args: list[Any], node: cst.Call) -> Any:
    """Backend settings, known at once."""
    if name in ("keras.backend.image_data_format", "keras.config.image_data_format"):
        return ev.image_data_format
    if name == "keras.backend.image_dim_ordering":
        return "tf" if ev.image_data_format == "channels_last" else "th"
    if name in ("keras.backend.set_image_data_format", "keras.config.set_image_data_format",
                "keras.backend.set_image_dim_ordering"):  # fmt: skip
        value = plain(args[0]) if args else None
        if value not in ("channels_last", "tf"):
            raise Refusal("KT105", "a data format other than channels_last is not supported")
        ev.mark_build(node)
        return None
    if name in ("keras.backend.backend", "keras.config.backend"):
        return "tensorflow"
    if name in ("keras.backend.floatx", "keras.config.floatx"):
        return "float32"
    if name in ("keras.backend.epsilon", "keras.config.epsilon"):
        return 1e-7
    if args and isinstance(args[0], Tensor):
        if name == "keras.backend.int_shape":
            return tuple(args[0].shape)
        if name in ("keras.backend.shape", "keras.ops.shape", "tensorflow.shape"):
            return tuple(_size_of(ev, args[0], axis, node) for axis in range(args[0].spec.rank))
        if name == "keras.backend.ndim":
            return args[0].spec.rank
    return NotImplemented


def _size_of(ev: Evaluator, tensor: Tensor, axis: int, node: cst.Call) -> Any:
    """A size as the running program sees it: a number where it is known, else a tensor."""
    from transpiler.evaluate.operators import make_op

    size = tensor.shape[axis]
    return make_op(ev, "keras.ops.shape", (tensor, axis), {}, node) if size is None else size


def make_object(ev: Evaluator, name: str, args: list[Any], kwargs: dict[str, Any], node: cst.Call) -> ApiObject:
    """An initialiser, a loss, an optimizer and the like."""
    from transpiler.evaluate.expressions import unknown_to_program

    bound = bind(name, OBJECTS[name], tuple(args), kwargs)
    ev.mark_build(node)
    config = {key: to_object(ev, unknown_to_program(value)) for key, value in bound.items()}
    return ApiObject(name, config)


def to_object(ev: Evaluator, value: Any) -> Any:
    """A configuration value as rules know it: functions become references, classes of the API default objects."""
    if isinstance(value, Function):
        return function_ref(ev, value)
    if isinstance(value, Symbol):
        return symbol_object(value)
    return value


def symbol_object(value: Symbol) -> Any:
    """A name of the API given as a configuration value: ``tf.nn.relu``, ``keras.initializers.HeNormal``."""
    owner, _, leaf = value.name.rpartition(".")
    if leaf == "gelu" and owner in ("keras.ops", "keras.ops.nn"):
        return value  # the op approximates by default, the activation does not
    if owner in ("keras.activations", "tensorflow.nn", "keras.ops", "tensorflow", "tensorflow.math", "keras.ops.nn"):
        return leaf
    if value.name in OBJECTS and leaf[:1].isupper():
        return ApiObject(value.name, {p.name: p.default for p in OBJECTS[value.name]})
    if owner in ("keras.losses", "keras.metrics", "keras.regularizers", "keras.initializers"):
        return leaf
    return value


def function_ref(ev: Evaluator, function: Function) -> FunctionRef:
    """A reference to a function of the program's that rules can trace."""
    name = function.name
    kept = name if not name.startswith("<") else None

    def trace(specs: tuple[TensorSpec, ...]) -> Model:
        return trace_function(ev, function, specs)

    return FunctionRef(name, trace, kept, function.node)


def parameter_names(function: Any) -> list[str]:
    """The names of the parameters of a function of the program's."""
    if not isinstance(function, Function):
        return []
    return [param.name.value for param in function.node.params.params]


def trace_function(ev: Evaluator, function: Any, specs: tuple[TensorSpec, ...], structure: Any = None) -> Model:
    """Interpret ``function`` on fresh tensors and return the graph of what it computed."""
    from transpiler.evaluate.calls import invoke
    from transpiler.evaluate.models import nodes_between

    names = parameter_names(function)
    tensors = [Tensor(spec, hint=name) for spec, name in itertools.zip_longest(specs, names[: len(specs)])]
    args = [list(tensors)] if structure is list else list(tensors)
    at = ev.current if isinstance(ev.current, cst.Call) else cst.Call(cst.Name("trace"))
    result = invoke(ev, function, args, {}, at)
    if not any(True for _ in walk_tensors(result)):
        raise Refusal("KT105", "this function does not return a tensor that can be followed")
    model = Model("function", tensors, result, getattr(function, "name", "function"), False, ev.origin(at))
    model.nodes = nodes_between(ev, tensors, result)
    return model


def call_function(ev: Evaluator, name: str, args: list[Any], kwargs: dict[str, Any], node: cst.Call) -> Any:
    """A function of the API on data: an action with a result whose shape is known."""
    from transpiler.evaluate.expressions import unknown_to_program

    signature = {p.name for p in FUNCTIONS[name]}
    bound = bind(name, FUNCTIONS[name], tuple(unknown_to_program(args)), unknown_to_program(kwargs))
    positional = [p.name for p in FUNCTIONS[name]][: len(args)]
    aliases = {alias: p.name for p in FUNCTIONS[name] for alias in (p.name, *p.aliases)}
    given = [*positional, *(aliases[key] for key in kwargs if key in aliases)]
    assert set(given) <= signature
    action = Action(name, {key: bound[key] for key in given}, ev.span(node), ev.scope.qualified_name, node=node)
    ev.record(action)
    if name in TWINS:
        return Twin(name)
    result = infer_function(name, {key: plain(v) if is_known(v) else v for key, v in bound.items()})
    from transpiler.graph.program import Unknown

    return Opaque(result.why) if isinstance(result, Unknown) else result
