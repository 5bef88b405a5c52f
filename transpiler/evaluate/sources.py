"""Data sets, generators and sequences of batches, as the program makes them and hands them to a model."""

from __future__ import annotations

from typing import Any

import libcst as cst

from transpiler.diagnostics import Refusal
from transpiler.evaluate.core import Evaluator
from transpiler.evaluate.functions import call_function
from transpiler.evaluate.values import Bound, ClassValue, Function, Generator, Instance, Opaque, Signal, Symbol
from transpiler.graph.program import Action, Array, Source
from transpiler.rules.base import bind
from transpiler.rules.sources import DTYPES, FLOWS, FLOWS_REFUSED, FROM_ARRAYS, ON_SAMPLES, SEQUENCES, STEPS, ZIP
from transpiler.source.tree import walk


def is_sequence_class(cls: Any) -> bool:
    """Whether a class of the program's is a sequence of batches."""
    return isinstance(cls, ClassValue) and any(
        isinstance(base, Symbol) and base.name in SEQUENCES for owner in cls.mro() for base in owner.bases
    )


def given_source(ev: Evaluator, value: Any, node: cst.CSTNode) -> Any:
    """``value`` as data of an action: what brings its batches itself becomes a :class:`Source`."""
    if isinstance(value, Instance) and is_sequence_class(value.cls):
        return _sequence(ev, value, node)
    if isinstance(value, Generator):
        return Source("generator", _yielded(ev, value))
    if isinstance(value, Source) and not value.batched:
        raise Refusal("KT205", "this data set gives single samples, not batches; call `.batch()`")
    return value


def _sequence(ev: Evaluator, instance: Instance, node: cst.CSTNode) -> Source:
    """A sequence: what its batches look like, from its own code."""
    element = _called(ev, instance, "__getitem__", [Opaque("the number of a batch", scalar=True, foreign=True)], node)
    for name in ("__len__", "on_epoch_end"):
        _called(ev, instance, name, [], node)
    return Source("sequence", element, ends="on_epoch_end" in instance.cls.all_attributes())


def _called(ev: Evaluator, instance: Instance, name: str, args: list[Any], node: cst.CSTNode) -> Any:
    method = instance.cls.lookup(name)
    if not isinstance(method, Function):
        return None
    try:
        with ev.uncertain():
            return call_function(ev, method, [instance, *args], {}, node)
    except Signal:
        return None


def _yielded(ev: Evaluator, generator: Generator) -> Any:
    """What a generator function yields: its body is interpreted as code that may or may not run."""
    function = generator.function
    assert isinstance(function.node, cst.FunctionDef)
    outer, ev.scope = ev.scope, generator.scope
    ev.functions.append(function)
    ev.yields.append(([], ev.unknown_depth))
    try:
        with ev.uncertain():
            ev.run(function.node.body.body)
    except Signal:
        pass  # the program's own exits end it
    finally:
        ev.yields.pop()
        ev.functions.pop()
        ev.scope = outer
    yields = [part for part in walk(function.node.body, closed=(cst.FunctionDef,)) if isinstance(part, cst.Yield)]
    values = [ev.facts.values.get(id(part.value)) for part in yields if isinstance(part.value, cst.BaseExpression)]
    return values[0] if len(values) == 1 else None


# -- data sets --------------------------------------------------------------------------------------------------------
def dataset_function(ev: Evaluator, name: str, args: list[Any], kwargs: dict[str, Any], node: cst.Call) -> Any:
    """``tf.data.Dataset.from_tensor_slices(…)`` and its like, and functions on samples."""
    if name == FROM_ARRAYS and len(args) == 1 and not kwargs:
        _record(ev, name, {"tensors": args[0]}, node)
        return Source("pipeline", _samples(args[0]), batched=False)
    if name == ZIP and len(args) == 1 and _are_pipelines(args[0]):
        _record(ev, name, {"datasets": list(args[0])}, node)
        return Source("pipeline", tuple(p.element for p in args[0]), all(p.batched for p in args[0]))
    if name in ON_SAMPLES and ev.in_pipeline and args and isinstance(args[0], (Array, Opaque)):
        return _on_sample(ev, name, args, kwargs, node)
    return NotImplemented


def _are_pipelines(value: Any) -> bool:
    return isinstance(value, (tuple, list)) and all(isinstance(p, Source) and p.kind == "pipeline" for p in value)


def _samples(value: Any) -> Any:
    """One element of arrays that are cut along their first axis."""
    if isinstance(value, Array):
        return Array(None if not value.shape else value.shape[1:], value.dtype)
    if isinstance(value, (tuple, list)):
        return tuple(_samples(part) for part in value)
    if isinstance(value, dict):
        return {key: _samples(part) for key, part in value.items()}
    return Array()


def _batched(value: Any, size: Any = None) -> Any:
    if isinstance(value, Array):
        return Array(None if value.shape is None else (size, *value.shape), value.dtype)
    if isinstance(value, (tuple, list)):
        return tuple(_batched(part, size) for part in value)
    if isinstance(value, dict):
        return {key: _batched(part, size) for key, part in value.items()}
    return value


def _on_sample(ev: Evaluator, name: str, args: list[Any], kwargs: dict[str, Any], node: cst.Call) -> Any:
    signature = ON_SAMPLES[name][0]
    bound = bind(name, signature, tuple(args), kwargs)
    names = [p.name for p in signature][: len(args)] + list(kwargs)
    _record(ev, name, {key: bound[key] for key in names}, node)
    first, leaf = args[0], name.rpartition(".")[2]
    if not isinstance(first, Array):
        return Array()
    if leaf == "cast":
        dtype = bound["dtype"]
        text = dtype.name if isinstance(dtype, Symbol) else f"tensorflow.{dtype}"
        if text not in DTYPES:
            raise Refusal("KT105", "a cast to this type is not translated")
        return Array(first.shape, text.rpartition(".")[2])
    if leaf == "one_hot" and first.shape is not None:
        return Array((*first.shape, bound["depth"]), "float32")
    if leaf == "expand_dims" and first.shape is not None and bound["axis"] == -1:
        return Array((*first.shape, 1), first.dtype)
    return Array(None, first.dtype)


def dataset_method(
    ev: Evaluator, source: Source, name: str, args: list[Any], kwargs: dict[str, Any], node: cst.Call
) -> Any:
    """A method of a data set: another one."""
    signature = STEPS.get(name)
    if signature is None or source.kind != "pipeline":
        raise Refusal("KT302", f"`{name}` of a data set is not translated")
    bound = bind(f"tf.data.Dataset.{name}", signature, tuple(args), kwargs)
    names = [p.name for p in signature][: len(args)] + list(kwargs)
    _record(ev, f"tensorflow.data.Dataset.{name}", {key: bound[key] for key in names}, node)
    if name == "batch":
        return Source("pipeline", _batched(source.element), batched=True)
    if name == "map":
        return Source("pipeline", _mapped(ev, bound["map_func"], source.element, node), source.batched)
    return Source("pipeline", source.element, source.batched)


def _mapped(ev: Evaluator, function: Any, element: Any, node: cst.Call) -> Any:
    """What a function makes of each element."""
    from transpiler.evaluate.calls import invoke

    if not isinstance(function, (Function, Bound)):
        raise Refusal("KT302", "`map` of a data set is translated for functions of this program only")
    outer, ev.in_pipeline = ev.in_pipeline, True
    try:
        return invoke(ev, function, list(element) if isinstance(element, tuple) else [element], {}, node)
    finally:
        ev.in_pipeline = outer


def _record(ev: Evaluator, symbol: str, args: dict[str, Any], node: cst.Call) -> None:
    ev.record(Action(symbol, args, ev.span(node), ev.scope.qualified_name, node=node))


# -- generators of images ---------------------------------------------------------------------------------------------
def flow(ev: Evaluator, name: str, args: list[Any], kwargs: dict[str, Any]) -> Source:
    """``generator.flow(…)`` and its like; the call stays as it is, for the output's class has the same methods."""
    signature = FLOWS[name]
    bound = bind(f"ImageDataGenerator.{name}", signature, tuple(args), kwargs)
    for key, default in ((p.name, p.default) for p in signature if p.name in FLOWS_REFUSED):
        if key in kwargs or bound[key] != default:
            raise Refusal("KT302", f"`{key}` of `{name}` is not translated")
    if len(args) > 4:
        raise Refusal("KT302", f"`{name}` is translated with its further arguments given by name")
    return Source("sequence", _flowing(name, bound), ends=True)


def _flowing(name: str, bound: dict[str, Any]) -> Any:
    """What a batch holds."""
    if name == "flow":
        x, y = bound["x"], bound["y"]
        if isinstance(x, (tuple, list)):
            raise Refusal("KT302", "`flow` is translated for one array of images")
        arrays = [_batched(_samples(value)) for value in (x, y) if value is not None]
        return arrays[0] if y is None else tuple(arrays)
    mode, size = bound["class_mode"], bound["target_size"]
    if mode not in ("categorical", "binary", "sparse", None):
        raise Refusal("KT302", "`class_mode` of `flow_from_directory` must be a known one of the classes")
    channels = {"rgb": 3, "rgba": 4, "grayscale": 1}.get(bound["color_mode"])
    known = isinstance(size, (tuple, list)) and all(isinstance(side, int) for side in size)
    images = Array((None, *(size if known else (None, None)), channels), "float32")
    if mode is None:
        return images
    classes = bound["classes"]
    count = len(classes) if isinstance(classes, (tuple, list)) else None
    return images, Array((None, count) if mode == "categorical" else (None,), "float32")
