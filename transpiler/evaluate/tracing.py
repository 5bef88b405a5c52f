"""Calling the program's own layers and models: ``call`` is interpreted on fresh tensors, which gives their graph."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import libcst as cst

from transpiler.diagnostics import Refusal
from transpiler.evaluate.core import FAILED, Evaluator, FailedDependencyError, has_failed, is_known, plain
from transpiler.evaluate.functions import call_function
from transpiler.evaluate.modes import merge_modes
from transpiler.evaluate.operators import created, make_op
from transpiler.evaluate.subclasses import parts
from transpiler.evaluate.values import Function, Opaque, Subclassed, TrainingFlag
from transpiler.graph.keras import Layer, Model, Node, Tensor, TensorSpec, map_tensors, walk_tensors
from transpiler.graph.symbolic import Expr, Leaf, binary

_SHAPE = "_shape"


@dataclass(eq=False)
class Trace:
    """What one way of calling an object computes. ``inputs`` are its fresh tensors, then the masks of some of them."""

    graph: Model
    inputs: list[Tensor]
    masks: dict[int, Tensor]  # by the index of an input: its mask
    result: Any
    others: list[Any] = field(default_factory=list)


def call_custom(ev: Evaluator, made: Subclassed, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> Any:
    """``layer(x, …)`` on symbolic tensors: one node whose graph is what ``call`` computes on such tensors."""
    if made.failed or has_failed([args, kwargs]):
        raise FailedDependencyError
    args, kwargs = created(ev, args, node), created(ev, kwargs, node)
    if not args and "inputs" in kwargs and "inputs" not in _names(made):
        args, kwargs = [kwargs["inputs"]], {k: v for k, v in kwargs.items() if k != "inputs"}
    given, masks = _with_masks(made, args, kwargs)
    tensors = [*walk_tensors(args), *walk_tensors(given)]
    trace = _trace_for(ev, made, args, given, node)
    outer = [*tensors, *(tensors[index].mask for index in trace.masks)]
    made_node = Node(made, tuple(outer), {}, ev.origin(node), body=trace.graph)
    return _results(ev, made, made_node, trace, (args, masks), node)


def _names(made: Subclassed) -> list[str]:
    """The parameters of ``call``, without ``self``."""
    function = made.cls.lookup("call")
    if not isinstance(function, Function):
        raise Refusal("KT105", f"`{made.cls.name}` has no `call` that could be translated")
    parameters = function.node.params
    return [p.name.value for p in (*parameters.posonly_params, *parameters.params, *parameters.kwonly_params)][1:]


def _with_masks(made: Subclassed, args: list[Any], kwargs: dict[str, Any]) -> tuple[dict[str, Any], Any]:
    """The keywords of a call with the implicit mask that Keras adds, and the mask of the first argument."""
    given = dict(kwargs)
    names = _names(made)
    first = args[0] if args else next((v for v in given.values() if any(True for _ in walk_tensors(v))), None)
    implicit = map_tensors(first, lambda t: t.mask)
    found = implicit if any(True for _ in walk_tensors(implicit)) else None
    if "mask" in names and names.index("mask") >= len(args) and given.get("mask") is None and found is not None:
        given["mask"] = found
    for name, value in [*zip(names, args, strict=False), *kwargs.items()]:
        if f"{name}_mask" in names[len(args) :] and given.get(f"{name}_mask") is None:
            given[f"{name}_mask"] = map_tensors(value, lambda t: t.mask)
    return given, found if given.get("mask") is None else given["mask"]


# -- one trace --------------------------------------------------------------------------------------------------------
def _trace_for(ev: Evaluator, made: Subclassed, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> Trace:
    """The trace of a call; calls of one kind share it."""
    key = _key([args, kwargs])
    for known, trace in made.calls:
        if known == key:
            return trace  # type: ignore[no-any-return]
    trace = _trace(ev, made, args, kwargs, node)
    made.calls.append((key, trace))
    made.bodies.append(trace.graph)
    if made.inputs is None:
        made.inputs, made.outputs, made.nodes = trace.graph.inputs, trace.graph.outputs, trace.graph.nodes
        made.layers = list({id(part): part for part in parts(made)}.values())
    return trace


def _own_size(made: Subclassed, spec: TensorSpec) -> TensorSpec:
    """The spec of a fresh tensor; the number of features becomes a parameter of a layer's class."""
    size = spec.shape[-1] if spec.rank > 1 and made.is_layer else None
    if size is None or made.inputs is not None:
        return spec
    name = "in_features" if spec.rank < 4 else "in_channels"
    known = size.value if isinstance(size, Expr) else size
    given = made.arguments.setdefault(name, size)
    if plain(given) != known or name in _constructor_names(made):
        return spec
    leaf = made.sizes.setdefault(name, Leaf(name, "local", str(size), parameter=True))
    return TensorSpec((*spec.shape[:-1], Expr.of_leaf(leaf, known)), spec.dtype)


def _constructor_names(made: Subclassed) -> set[str]:
    init = made.cls.lookup("__init__")
    return {p.name.value for p in init.node.params.params} if isinstance(init, Function) else set()


def _outer_spec(made: Subclassed, spec: TensorSpec) -> TensorSpec:
    """A spec in the terms of the place of the call: parameters of the class are replaced by what they are given."""
    return TensorSpec(tuple(_outer_size(made, size) for size in spec.shape), spec.dtype)


def _outer_size(made: Subclassed, size: Any) -> Any:
    if not isinstance(size, Expr):
        return size
    if size.leaf is not None and size.leaf.parameter and size.leaf.scope == "local":
        given = made.arguments.get(size.leaf.name, size.value)
        return given.expr if isinstance(given, Opaque) else given
    if not size.args:
        return size.value if size.op == "const" else size
    inner = [_outer_size(made, arg) for arg in size.args]
    if any(item is None for item in inner):
        return size.value
    return -inner[0] if size.op == "neg" else binary(size.op, inner[0], inner[1])


def _key(value: Any) -> Any:
    """What a trace depends on: shapes and types of tensors, which have masks, and everything else as it is."""
    if isinstance(value, Tensor):
        return ("tensor", tuple(_known_size(size) for size in value.shape), value.dtype, value.mask is not None)
    if isinstance(value, (list, tuple)):
        return (type(value).__name__, tuple(_key(item) for item in value))
    if isinstance(value, dict):
        return {name: _key(item) for name, item in value.items()}
    if isinstance(value, TrainingFlag):
        return "training"
    return plain(value) if is_known(value) else id(value)


def _known_size(size: Any) -> Any:
    return (size.value if size.known else str(size)) if isinstance(size, Expr) else size


def _trace(ev: Evaluator, made: Subclassed, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> Trace:
    from transpiler.evaluate.models import nodes_between

    inputs: list[Tensor] = []
    masks: dict[int, Tensor] = {}

    def fresh(outer: Tensor) -> Tensor:
        inner = Tensor(_own_size(made, outer.spec))
        if outer.mask is not None:
            inner.mask = masks[len(inputs)] = Tensor(outer.mask.spec, hint="mask")
        inputs.append(inner)
        return inner

    inner_args, inner_kwargs = map_tensors(args, fresh), map_tensors(kwargs, fresh)
    before = ev.poisoned
    with ev.in_layer():
        _build(ev, made, inner_args, inner_kwargs, node)
        made.running = True
        try:
            result = FAILED if ev.poisoned != before else _run(ev, made, inner_args, inner_kwargs, node)
        finally:
            made.running = False
    if ev.poisoned != before or has_failed(result):
        made.failed = True
        raise FailedDependencyError
    if not any(True for _ in walk_tensors(result)):
        raise Refusal("KT105", f"`{made.cls.name}.call` does not return a tensor that can be followed")
    everything = [*inputs, *masks.values()]
    graph = Model("custom", everything, _bare(list(walk_tensors(result))), made.name, False, ev.origin(node))
    graph.nodes = nodes_between(ev, everything, graph.outputs)
    return Trace(graph, inputs, masks, result)


def _bare(outputs: list[Tensor]) -> Any:
    return outputs[0] if len(outputs) == 1 else tuple(outputs)


def _run(ev: Evaluator, made: Subclassed, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> Any:
    """What ``call`` returns; where it asks whether it is training, both answers, merged."""
    function = made.cls.lookup("call")
    assert isinstance(function, Function)
    flag = TrainingFlag(True)
    _hint(function, args, kwargs)
    result = created(ev, call_function(ev, function, [made, *args], _in_mode(made, args, kwargs, flag), node), node)
    if not flag.asked or has_failed(result):
        return result
    again = _in_mode(made, args, kwargs, TrainingFlag(False))
    other = created(ev, call_function(ev, function, [made, *args], again, node), node)
    if has_failed(other):
        return other
    return merge_modes(ev, result, other, node)


def _in_mode(made: Subclassed, args: list[Any], kwargs: dict[str, Any], flag: TrainingFlag) -> dict[str, Any]:
    names = _names(made)
    given = {k: v for k, v in kwargs.items() if k != "training"}
    if "training" not in names or names.index("training") < len(args):
        return given
    asked = kwargs.get("training")
    if isinstance(asked, TrainingFlag) or asked is None:
        return {**given, "training": flag}
    if isinstance(asked, Opaque):
        raise Refusal("KT201", "`training` must be known, or the `training` of the method around it")
    return {**given, "training": asked}


def _hint(function: Function, args: list[Any], kwargs: dict[str, Any]) -> None:
    """Name the fresh tensors after the parameters that they are given for."""
    names = [p.name.value for p in function.node.params.params][1:]
    for name, value in [*zip(names, args, strict=False), *kwargs.items()]:
        if isinstance(value, Tensor) and value.hint is None:
            value.hint = name


# -- build ------------------------------------------------------------------------------------------------------------
def _build(ev: Evaluator, made: Subclassed, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> None:
    """Keras calls ``build`` once, with the shapes of the first call."""
    if made.built:
        return
    made.built = True
    function = made.cls.lookup("build")
    if not isinstance(function, Function):
        return
    call = [p.name.value for p in made.cls.lookup("call").node.params.params][1:]
    named = dict(zip(call, args, strict=False)) | kwargs
    wanted = [p.name.value for p in (*function.node.params.params, *function.node.params.kwonly_params)][1:]
    if len(wanted) == 1 or not all(name.removesuffix(_SHAPE) in named for name in wanted):
        call_function(ev, function, [made, _shapes(next(iter(named.values()), None))], {}, node)
        return
    shapes = {name: _shapes(named[name.removesuffix(_SHAPE)]) for name in wanted}
    call_function(ev, function, [made], shapes, node)


def _shapes(value: Any) -> Any:
    return map_tensors(value, lambda t: tuple(t.shape))


# -- results ----------------------------------------------------------------------------------------------------------
def _results(ev: Evaluator, made: Subclassed, node: Node, trace: Trace, given: Any, at: cst.CSTNode) -> Any:
    """The outputs of a call, in the structure that ``call`` returns, each with its mask."""
    inner = list(walk_tensors(trace.result))
    node.outputs = tuple(Tensor(_outer_spec(made, tensor.spec), node, index) for index, tensor in enumerate(inner))
    outputs = iter(node.outputs)
    node.structure = map_tensors(trace.result, lambda _: next(outputs))
    ev.count_node(node)
    ev.mark_build(at)
    whole = {id(mask): node.args[len(trace.inputs) + at] for at, mask in enumerate(trace.masks.values())}
    whole |= {id(tensor): node.args[index] for index, tensor in enumerate(trace.inputs)}
    for tensor, output in zip(inner, node.outputs, strict=True):
        if tensor.mask is not None:
            output.mask = _outside(ev, tensor.mask, whole, at)
    if any(output.mask is None for output in node.outputs):
        _own_mask(ev, made, node, given, at)
    return node.structure


def _outside(ev: Evaluator, tensor: Tensor, whole: dict[int, Any], at: cst.CSTNode) -> Any:
    """A mask that was made inside, made again of the tensors outside."""
    if id(tensor) in whole:
        return whole[id(tensor)]
    node = tensor.node
    if node is None or not isinstance(node.target, str):
        raise Refusal("KT105", "a mask that a layer of the program's own computes from weights is not translated")
    args = map_tensors(node.args, lambda t: _outside(ev, t, whole, at))
    return make_op(ev, node.target, args, map_tensors(node.kwargs, lambda t: _outside(ev, t, whole, at)), at)


def _own_mask(ev: Evaluator, made: Subclassed, node: Node, given: Any, at: cst.CSTNode) -> None:
    """The masks of the outputs by ``compute_mask``, or those of the inputs where masking is supported."""
    args, mask = given
    function = made.cls.lookup("compute_mask")
    if not isinstance(function, Function):
        found = mask if made.masks else None
    else:
        before = ev.poisoned
        found = call_function(ev, function, [made, args[0] if args else None, mask], {}, at)
        if ev.poisoned != before or has_failed(found):
            raise FailedDependencyError
        found = created(ev, found, at)
    flat = [found] if isinstance(found, Tensor) or found is None else list(found)
    for output, each in zip(node.outputs, flat if len(flat) > 1 else flat * len(node.outputs), strict=False):
        if output.mask is None and isinstance(each, Tensor):
            output.mask = each


# -- data -------------------------------------------------------------------------------------------------------------
def build_custom(ev: Evaluator, made: Subclassed, structure: Any, node: cst.CSTNode) -> None:
    """Give a model that has not been called its graph, for inputs of the given specs (in the structure of ``call``)."""
    if made.inputs is not None or made.failed:
        return
    floats = _map_specs(structure, lambda spec: Tensor(TensorSpec(spec.shape)))
    trace = _trace_for(ev, made, [floats], {}, node)
    wanted = list(walk_tensors(_map_specs(structure, Tensor)))
    indices = [index for index, tensor in enumerate(trace.inputs) if wanted[index].dtype != "float32"
               and _takes_indices(trace.graph, tensor)]  # fmt: skip
    if indices:
        _forget(made)
        given = iter([want if at in indices else Tensor(TensorSpec(want.shape)) for at, want in enumerate(wanted)])
        _trace_for(ev, made, [map_tensors(floats, lambda _: next(given))], {}, node)


def _forget(made: Subclassed) -> None:
    """Forget the calls of an object and of those inside it."""
    made.calls.clear()
    for body in made.bodies:
        for node in body.nodes:
            if isinstance(node.target, Subclassed):
                _forget(node.target)
    made.bodies.clear()
    made.inputs = None


def _map_specs(structure: Any, convert: Any) -> Any:
    if isinstance(structure, TensorSpec):
        return convert(structure)
    if isinstance(structure, dict):
        return {key: _map_specs(item, convert) for key, item in structure.items()}
    return type(structure)(_map_specs(item, convert) for item in structure)


_INDEXED = ("keras.layers.Embedding", "keras.layers.CategoryEncoding")


def _takes_indices(graph: Model, tensor: Tensor) -> bool:
    """Whether something reads an input of a graph as the integers that they are."""
    for node in graph.nodes:
        places = [index for index, given in enumerate(node.input_tensors()) if given is tensor]
        if not places:
            continue
        if isinstance(node.target, Layer) and node.target.symbol in _INDEXED:
            return True
        inner = node.body or node.target
        if isinstance(inner, Model) and any(_takes_indices(inner, inner.input_tensors()[at]) for at in places):
            return True
        if isinstance(node.target, str) and node.target.rpartition(".")[2] in ("one_hot", "take", "not_equal", "equal"):
            return True
    return False
