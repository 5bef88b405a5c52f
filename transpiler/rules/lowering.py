"""The lowering context: what a rule uses to write the torch graph, and the pass from Keras graph to torch graph."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from transpiler.diagnostics import Refusal
from transpiler.graph.keras import (
    CustomModel,
    Layer,
    Model,
    Node,
    Origin,
    Tensor,
    TensorSpec,
    map_tensors,
    walk_tensors,
)
from transpiler.graph.torch import (
    FIRST,
    KERAS,
    Call,
    FeatureOrder,
    Module,
    TorchModel,
    Value,
    WeightMap,
    differs_in_training,
)  # fmt: skip
from transpiler.rules.base import LAYERS, OPS, LayerRule, OpRule
from transpiler.rules.flow import Flow
from transpiler.rules.layout import in_order, is_featured, permute_text, physical_dim

Inputs: TypeAlias = "Value | Sequence[Value]"


@dataclass(frozen=True)
class LowerOptions:
    """How to lower.

    ``drop_in``: inputs and outputs in Keras order. ``logits``: ids of models whose last activation is left out.
    ``exact_statistics``: batch normalisation keeps Keras' biased running variance (by a helper class); otherwise
    torch's unbiased one.
    """

    drop_in: bool = False
    logits: frozenset[int] = frozenset()
    exact_statistics: bool = True
    toggles: bool = False  # whether layers are frozen or unfrozen between trainings: batch norm must be able to follow


def lower(model: Model, options: LowerOptions | None = None, memo: dict[int, TorchModel] | None = None) -> TorchModel:
    """Lower one model. Pass the same ``memo`` for all models of a program, so that nested models are lowered once."""
    memo = {} if memo is None else memo
    if id(model) not in memo:
        memo[id(model)] = Lowering(model, options or LowerOptions(), memo).run()
    return memo[id(model)]


class Lowering:
    """One lowering of one model; rules call its methods to emit torch calls."""

    def __init__(self, model: Model, options: LowerOptions, memo: dict[int, TorchModel]) -> None:
        self.model = model
        self.options = options
        self.flow = Flow(model, lambda nested: lower(nested, options, memo))
        inner = model.kind == "custom" and (not isinstance(model, CustomModel) or model.is_layer)
        self.drop_in = options.drop_in and not inner  # layers of the program's own work as their callers do
        self.node: Node | None = None  # the node being lowered
        self.origin: Origin = model.origin
        self.final_activation: str | None = None
        self._memo = memo
        self._calls: list[Call] = []
        self._values: dict[int, Value] = {}  # by id of the Keras tensor
        self._modules: dict[tuple[int, str], Module] = {}
        self._first: dict[int, Value] = {}  # id of a value → itself channels-first
        self._keras: dict[int, Value] = {}  # id of a value → itself in Keras' order
        self._layer: Layer | None = None

    # -- the pass ---------------------------------------------------------------------------------------------------
    def run(self) -> TorchModel:
        """Lower every node that the outputs need, in program order."""
        inputs = []
        for tensor in self.model.input_tensors():
            layout = FIRST if not self.drop_in and self.flow.enters_first(tensor) else KERAS
            value = Value(tensor.spec, layout, hint=tensor.hint)
            self._values[id(tensor)] = value
            inputs.append(value)
        for node in self.flow.nodes:
            self._lower_node(node)
        outputs = map_tensors(self.model.outputs, self._output)
        result = TorchModel(self.model, inputs, outputs, final_activation=self.final_activation)
        result.calls = _live_calls(self._calls, list(walk_values(outputs)))
        if isinstance(self.model, CustomModel) or self.model.kind == "custom":
            result.taken = _taken(result)
            result.inputs = [result.inputs[index] for index in result.taken]
        else:
            result.taken = list(range(len(inputs)))
        return result

    def _output(self, tensor: Tensor) -> Value:
        value = self.value(tensor)
        if self.drop_in or is_featured(value) or value.spec.rank == 3:
            return self.keras_order(value)
        return value

    def value(self, tensor: Tensor) -> Value:
        """The torch value of a Keras tensor; lowers the node that makes it where that has not happened yet."""
        if id(tensor) not in self._values:
            if tensor.node is None:
                raise Refusal("KT105", "a tensor is used that is neither an input nor computed in this model")
            self._lower_node(tensor.node)
        return self._values[id(tensor)]

    def _lower_node(self, node: Node) -> None:
        if all(id(tensor) in self._values for tensor in node.outputs):
            return
        args = map_tensors(node.args, self.value)
        kwargs = map_tensors(node.kwargs, self.value)
        outer = self.node, self.origin, self._layer
        self.node, self.origin = node, node.origin
        self._layer = node.target if isinstance(node.target, Layer) else None
        results = list(walk_values(self._dispatch(node, args, kwargs)))
        self.node, self.origin, self._layer = outer
        for tensor, value in zip(node.outputs, results, strict=True):
            if value.hint is None and tensor.hint is not None:
                value.hint = tensor.hint
            self._values[id(tensor)] = value

    def _dispatch(self, node: Node, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if isinstance(node.target, CustomModel) and node.body is not None:
            return self.custom(node, node.target, node.body, list(walk_values((args, kwargs))))
        if node.body is not None:
            return self.inline(node.body, list(walk_values((args, kwargs))))
        if isinstance(node.target, Model):
            self._refuse_mask_inside(node, node.target)
            return self.submodel(node.target, list(walk_values((args, kwargs))), kwargs.get("training") is False)
        if isinstance(node.target, Layer):
            if node.target.symbol not in LAYERS:
                raise Refusal("KT101", f"`{node.target.symbol}` is not supported")
            masks = self._masks(node)
            return self.lower_layer(node.target, *args, mask_default=masks, **kwargs)
        if node.target not in OPS:
            raise Refusal("KT101", f"`{node.target}` is not supported")
        op = OPS[node.target]
        args, kwargs = self._prepare(op, None, (args, kwargs))
        return op.lower(self, args, kwargs)

    def lower_layer(self, layer: Layer, *args: Any, mask_default: Any = None, **kwargs: Any) -> Any:
        """Apply a layer's rule (also of a wrapped layer) to values; brings them to the layout that the rule states.

        ``mask_default`` is a structure of mask tensors like the first argument; it is lowered only for rules that
        have a parameter ``mask``.
        """
        rule = LAYERS[layer.symbol]
        args, kwargs = self._prepare(rule, layer, (args, kwargs))
        if mask_default is not None and kwargs.get("mask") is None and _takes(rule, "mask"):
            kwargs["mask"] = map_tensors(mask_default, self.value)
        outer, self._layer = self._layer, layer
        result = rule.lower(self, layer, *args, **kwargs)
        self._layer = outer
        return result

    def _refuse_mask_inside(self, node: Node, model: Model) -> None:
        """A masked tensor brings its mask into a nested model, whose layers would use it there."""
        if any(tensor.mask is not None for tensor in walk_tensors((node.args, node.kwargs))) and _uses_masks(model):
            raise Refusal(
                "KT102",
                "a masked tensor given to a nested model with layers that use masks is not supported",
                "call these layers in the outer model, or embed without `mask_zero=True`",
            )

    def _masks(self, node: Node) -> Any:
        """The implicit masks of a call's tensors, in the structure of the first argument; None if there are none."""
        if not node.args:
            return None
        first = node.args[0]
        others = {name: value for name, value in node.kwargs.items() if name != "mask"}
        if next(walk_tensors((node.args[1:], others)), None) is not None:
            return None  # Keras gives `mask` to calls with one tensor argument only: not beside an `initial_state`
        if isinstance(first, Tensor):
            return first.mask
        if isinstance(first, (list, tuple)):
            masks = [item.mask if isinstance(item, Tensor) else None for item in first]
            return masks if any(mask is not None for mask in masks) else None
        return None

    def _prepare(self, rule: LayerRule | OpRule, layer: Layer | None, structure: Any) -> Any:
        """Bring the values of a call to the layout that its rule states."""
        layout = self.flow.layout_of(rule, layer)

        def convert(value: Value) -> Value:
            if is_featured(value):
                return value if self.flow.takes_features(rule, layer) else self.keras_order(value)
            if layout == "first":
                return self.channels_first(value)
            return self.keras_order(value) if layout == "keras" else value

        return map_values(structure, convert)

    # -- what rules call --------------------------------------------------------------------------------------------
    def module(
        self,
        cls: str,
        *args: Any,
        layer: Layer | None = None,
        role: str = "layer",
        suffix: str = "",
        weights: tuple[WeightMap, ...] = (),
        helpers: tuple[str, ...] = (),
        initializers: Mapping[str, Any] | None = None,
        regularizers: Mapping[str, Any] | None = None,
        constraints: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> Module:
        """The module of a layer; the second call for the same layer and ``suffix`` gives the same module."""
        new = Module(
            cls, args, kwargs, role, layer, suffix, weights, _given(initializers), _given(regularizers),
            _given(constraints), helpers,
        )  # fmt: skip
        if layer is None:
            return new
        known = self._modules.setdefault((id(layer), suffix), new)
        if (known.cls, known.weights) != (cls, weights) or not _same_arguments(known, new):
            raise Refusal("KT105", f"layer `{layer.name}` is called on inputs that need different modules")
        return known

    def call(
        self,
        module: Module,
        inputs: Inputs,
        spec: Any,
        layout: str = KERAS,
        features: FeatureOrder | None = None,
        module_form: str | None = None,
        unpack: str = "",
        arguments: str = "",
    ) -> Any:
        """Call a module. A list of specs gives a list of values (``layout`` then holds for each)."""
        values = (inputs,) if isinstance(inputs, Value) else tuple(inputs)
        several = isinstance(spec, (list, tuple))
        outputs = tuple(Value(s, layout, features) for s in (spec if several else [spec]))
        call = Call(module, values, outputs, self.origin, module_form=module_form, layer=self._layer)
        call.unpack, call.arguments = unpack, arguments
        self._calls.append(call)
        return list(outputs) if several else outputs[0]

    def op(
        self,
        template: str,
        inputs: Inputs,
        spec: Any,
        layout: str | None = None,
        features: FeatureOrder | None = None,
        operator: bool = False,
        module_form: str | None = None,
        helpers: tuple[str, ...] = (),
    ) -> Any:
        """Emit an expression. Without ``layout`` a result of the first input's rank keeps that input's layout."""
        values = (inputs,) if isinstance(inputs, Value) else tuple(inputs)
        several = isinstance(spec, (list, tuple))
        outputs = tuple(Value(s, layout or _kept_layout(values, s), features) for s in (spec if several else [spec]))
        self._calls.append(Call(template, values, outputs, self.origin, operator, module_form, self._layer, helpers))
        return list(outputs) if several else outputs[0]

    def elementwise(self, template: str, x: Value, module_form: str | None = None, operator: bool = False) -> Value:
        """An expression that acts on each element: layout, feature order and spec stay."""
        result: Value = self.op(template, x, x.spec, x.layout, x.features, operator, module_form)
        return result

    def dim(self, x: Value, axis: Any) -> int:
        """The torch dim of a Keras axis."""
        return physical_dim(x, axis)

    def keras_order(self, x: Value) -> Value:
        """``x`` with its axes and its flattened features as Keras has them."""
        if is_featured(x):
            return self._memoised(self._keras, x, self._unfeatured)
        if x.layout != FIRST or x.spec.rank < 3:
            return x
        return self._memoised(self._keras, x, lambda v: self._permuted(v, KERAS))

    def channels_first(self, x: Value) -> Value:
        """``x`` lying as (N, C, *spatial)."""
        if x.layout == FIRST or x.spec.rank < 3:
            return x
        return self._memoised(self._first, x, lambda v: self._permuted(v, FIRST))

    def align(self, values: Sequence[Value]) -> list[Value]:
        """Bring values of one rank to a common layout; of several ranks, or feature orders, to Keras' order."""
        if any(v.spec.rank != values[0].spec.rank for v in values):
            return [self.keras_order(v) for v in values]
        if any(v.features != values[0].features for v in values):
            return [self.keras_order(v) for v in values]
        if any(v.layout == FIRST for v in values):
            return [self.channels_first(v) for v in values]
        return list(values)

    def activation(self, act: Any, x: Value) -> Value:
        """Apply an activation (None, name, ApiObject, FunctionRef or Layer) to a value in any layout."""
        from transpiler.rules.activations import activate

        return activate(self, act, x)

    def output_layout(self, x: Value) -> str:
        """The layout in which ``x`` would leave the model."""
        return KERAS if self.drop_in or x.spec.rank <= 3 else x.layout

    def leaves_out(self, template: str) -> bool:
        """Whether the last activation of this model is left to the loss; if so, it is noted as ``template``."""
        if self.node is None or not self.flow.is_final(self.node) or id(self.model) not in self.options.logits:
            return False
        self.final_activation = template
        return True

    def inline(self, model: Model, inputs: Sequence[Value]) -> Any:
        """Lower the graph of a traced function in place; returns its outputs in the function's structure."""
        outer, self._values = self._values, dict(self._values)
        for tensor, value in zip(model.input_tensors(), inputs, strict=True):
            self._values[id(tensor)] = value
        for tensor in model.output_tensors():
            self.value(tensor)
        result = map_tensors(model.outputs, self.value)
        self._values = outer
        return result

    def submodel(self, model: Model, inputs: Sequence[Value], inference: bool = False) -> Any:
        """Call a nested model; its module is the same at every call. ``inference``: also while the outer one trains."""
        inner = lower(model, self.options, self._memo)
        inference = inference and differs_in_training(inner)
        module = self._modules.get((id(model), ""))
        if module is None:
            module = Module("", role=model.hint or "model", subgraph=inner, inference=inference)
            self._modules[id(model), ""] = module
        elif module.inference != inference:
            raise Refusal("KT302", "calling a nested model with `training=False` and without is not translated")
        values = [self._as(value, wanted) for value, wanted in zip(inputs, inner.inputs, strict=True)]
        made = list(walk_values(inner.outputs))
        outputs = tuple(Value(self._batched(v.spec, inputs), v.layout) for v in made)
        self._calls.append(Call(module, tuple(values), outputs, self.origin))
        if inner.final_activation is not None and not self.leaves_out(inner.final_activation):
            outputs = (self.elementwise(inner.final_activation, outputs[0]),)
        results = iter(outputs)
        return map_values(inner.outputs, lambda _: next(results))

    def custom(self, node: Node, model: CustomModel, body: Model, inputs: Sequence[Value]) -> Any:
        """Call an object of the program's own class; ``body`` is the graph of this call."""
        first = lower(model, self.options, self._memo)
        inner = first if body is model.bodies[0] else lower(body, self.options, self._memo)
        if _layouts(first) != _layouts(inner) or first.taken != inner.taken:
            raise Refusal("KT105", f"`{model.class_name}` is called on inputs that need different code")
        module = self._modules.setdefault((id(model), ""), Module("", role=model.hint or "layer", subgraph=first))
        given = [inputs[index] for index in inner.taken]
        values = [self._as(value, wanted) for value, wanted in zip(given, inner.inputs, strict=True)]
        made = list(walk_values(inner.outputs))
        outputs = tuple(Value(t.spec, value.layout) for t, value in zip(node.outputs, made, strict=True))
        self._calls.append(Call(module, tuple(values), outputs, self.origin))
        results = iter(outputs)
        return map_values(inner.outputs, lambda _: next(results))

    @staticmethod
    def _batched(spec: TensorSpec, inputs: Sequence[Value]) -> TensorSpec:
        return replace(spec, shape=(inputs[0].spec.shape[0], *spec.shape[1:])) if inputs else spec

    # -- layout changes ---------------------------------------------------------------------------------------------
    def _as(self, value: Value, wanted: Value) -> Value:
        return self.channels_first(value) if wanted.layout == FIRST else self.keras_order(value)

    def _memoised(self, table: dict[int, Value], x: Value, make: Any) -> Value:
        if id(x) not in table:
            made = make(x)
            table[id(x)] = made
            if not is_featured(x):
                (self._first if table is self._keras else self._keras)[id(made)] = x
        return table[id(x)]

    def _permuted(self, x: Value, layout: str) -> Value:
        template = "{0}." + permute_text(x.spec.rank, layout == FIRST)
        value: Value = self.op(template, x, x.spec, layout)
        return value

    def _unfeatured(self, x: Value) -> Value:
        """Put a flattened axis back to Keras' order."""
        assert x.features is not None
        parts = x.features.parts
        if len(parts) == 1:
            return self._reordered(x, parts[0], x.spec)
        sizes = [_size(part) for part in parts]
        specs = [replace(x.spec, shape=(*x.spec.shape[:-1], size)) for size in sizes]
        pieces = self.op(f"torch.split({{0}}, {sizes}, dim=-1)", x, specs, KERAS)
        whole = [
            piece if in_order(part) else self._reordered(piece, part, piece.spec)
            for piece, part in zip(pieces, parts, strict=True)
        ]
        slots = ", ".join(f"{{{i}}}" for i in range(len(whole)))
        value: Value = self.op(f"torch.cat([{slots}], dim=-1)", whole, x.spec, KERAS)
        return value

    def _reordered(self, x: Value, part: tuple[int, ...], spec: TensorSpec) -> Value:
        first = (part[-1], *part[:-1])
        template = f"{{0}}.unflatten(1, {first}).{permute_text(len(part) + 1, False)}.flatten(1)"
        value: Value = self.op(template, x, spec, KERAS)
        return value


def _uses_masks(model: Model) -> bool:
    """Whether a layer in the model, or in one inside it, computes something else where there is a mask."""
    for layer in model.layers:
        if isinstance(layer, Model):
            if _uses_masks(layer):
                return True
        elif isinstance(layer, Layer):
            rule = LAYERS.get(layer.symbol)
            if rule is None or _takes(rule, "mask") or "attention" in layer.symbol.lower():
                return True
        else:
            return True
    return False


def walk_values(structure: Any) -> Any:
    """Yield the values in nested lists, tuples and dicts, in order."""
    if isinstance(structure, Value):
        yield structure
    elif isinstance(structure, (list, tuple)):
        for item in structure:
            yield from walk_values(item)
    elif isinstance(structure, dict):
        for item in structure.values():
            yield from walk_values(item)


def map_values(structure: Any, convert: Any) -> Any:
    """Copy a nested structure with every value replaced."""
    if isinstance(structure, Value):
        return convert(structure)
    if isinstance(structure, (list, tuple)):
        return type(structure)(map_values(item, convert) for item in structure)
    if isinstance(structure, dict):
        return {key: map_values(item, convert) for key, item in structure.items()}
    return structure


def _given(table: Mapping[str, Any] | None) -> dict[str, Any]:
    return {key: item for key, item in (table or {}).items() if item is not None}


def _size(part: tuple[int, ...]) -> int:
    total = 1
    for dim in part:
        total *= dim
    return total


def _takes(rule: LayerRule, name: str) -> bool:
    return name in inspect.signature(rule.lower).parameters


def _kept_layout(values: Sequence[Value], spec: TensorSpec) -> str:
    return values[0].layout if values and values[0].spec.rank == spec.rank else KERAS


def _same_arguments(left: Module, right: Module) -> bool:
    """Whether two modules are made alike; sizes count by their value, however the source spells them."""
    if len(left.args) != len(right.args) or left.kwargs.keys() != right.kwargs.keys():
        return False
    pairs = [*zip(left.args, right.args, strict=True), *((left.kwargs[key], right.kwargs[key]) for key in left.kwargs)]
    return all(mine is other or mine == other for mine, other in pairs)


def _taken(model: TorchModel) -> list[int]:
    """The places of the inputs that something reads; one at least, for a layer is called on something."""
    read = {id(value) for call in model.calls for value in call.inputs}
    read |= {id(value) for value in walk_values(model.outputs)}
    return [index for index, value in enumerate(model.inputs) if id(value) in read] or [0]


def _layouts(model: TorchModel) -> tuple[list[str], list[str]]:
    return [value.layout for value in model.inputs], [value.layout for value in walk_values(model.outputs)]


def _live_calls(calls: list[Call], outputs: list[Value]) -> list[Call]:
    """Drop the calls that nothing reads."""
    needed = {id(value) for value in outputs}
    live: list[Call] = []
    for call in reversed(calls):
        if any(id(value) in needed for value in call.outputs):
            needed.update(id(value) for value in call.inputs)
            live.append(call)
    return live[::-1]
