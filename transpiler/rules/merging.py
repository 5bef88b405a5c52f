"""Layers that merge several tensors: arithmetic, concatenation and dot products."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from transpiler.diagnostics import Refusal
from transpiler.graph.keras import Layer, TensorSpec
from transpiler.graph.symbolic import Dim, Shape, is_known, number
from transpiler.graph.torch import KERAS, FeatureOrder, Value
from transpiler.rules.base import LayerRule, layer_rule, params
from transpiler.rules.layout import is_featured, normalize_axis
from transpiler.rules.ops_base import broadcast, result_dtype

if TYPE_CHECKING:
    from transpiler.rules.lowering import Lowering


class _Merge(LayerRule):
    """A layer over a list of tensors that broadcast. Tensors of lower rank get axes of size one after the batch's."""

    layout = "any"
    least, most = 1, 10**6

    def infer(self, layer: Layer, inputs: Any, **call: Any) -> TensorSpec:
        specs = self.checked(inputs)
        rank = max(spec.rank for spec in specs)
        shapes = [_raised(spec.shape, rank) for spec in specs]
        return TensorSpec(broadcast(shapes), result_dtype(specs))

    def checked(self, inputs: Any) -> list[TensorSpec]:
        """The list of specs; refuses what Keras does not take."""
        kind = self.symbol.rpartition(".")[2]
        if not isinstance(inputs, (list, tuple)) or not all(isinstance(spec, TensorSpec) for spec in inputs):
            raise Refusal("KT103", f"`{kind}` takes a list of tensors")
        if not self.least <= len(inputs) <= self.most:
            count = f"{self.least}" if self.least == self.most else f"{self.least} or more"
            raise Refusal("KT103", f"`{kind}` takes {count} tensors, not {len(inputs)}")
        return list(inputs)

    def mask(self, layer: Layer, inputs: Any, masks: Any) -> Any:
        every = isinstance(masks, (list, tuple)) and all(masks)
        return "pass" if every else "stop"

    def lower(self, cx: Lowering, layer: Layer, inputs: Any, mask: Any = None) -> Value:
        masks = one_mask(self.symbol, inputs, mask)
        spec = self.infer(layer, [value.spec for value in inputs])
        values = _one_rank(cx, cx.align(list(inputs)), spec.rank)
        return self.merge(cx, values, masks, spec)

    def merge(self, cx: Lowering, values: list[Value], masks: list[Value | None], spec: TensorSpec) -> Value:
        """Emit the merge of values of one rank and layout; ``masks`` is for those whose numbers depend on it."""
        template, operator = self.template(len(values))
        return emit(cx, template, values, spec, operator)

    def template(self, count: int) -> tuple[str, bool]:
        """The expression over ``count`` tensors, and whether it is an operator."""
        raise NotImplementedError


def emit(cx: Lowering, template: str, values: Sequence[Value], spec: TensorSpec, operator: bool = False) -> Value:
    """An elementwise expression over values that lie alike."""
    first = values[0]
    value: Value = cx.op(template, values, spec, first.layout, first.features, operator)
    return value


def one_mask(symbol: str, inputs: Sequence[Value], mask: Any) -> list[Value | None]:
    """The masks of the inputs. Where every input has one they must be the same: only one goes on."""
    masks: list[Value | None] = list(mask) if isinstance(mask, (list, tuple)) else [None] * len(inputs)
    if all(item is not None for item in masks) and any(item is not masks[0] for item in masks):
        kind = symbol.rpartition(".")[2]
        raise Refusal("KT102", f"`{kind}` of tensors with different masks is not supported")
    return masks


def _raised(shape: Shape, rank: int) -> Shape:
    return (*shape[:1], *((1,) * (rank - len(shape))), *shape[1:])


def _one_rank(cx: Lowering, values: list[Value], rank: int) -> list[Value]:
    return [value if value.spec.rank == rank else _lifted(cx, value, rank) for value in values]


def _lifted(cx: Lowering, value: Value, rank: int) -> Value:
    template = "{0}" + ".unsqueeze(1)" * (rank - value.spec.rank)
    made: Value = cx.op(template, value, replace(value.spec, shape=_raised(value.spec.shape, rank)), KERAS)
    return made


def _joined(sign: str, count: int) -> str:
    return f" {sign} ".join(f"{{{i}}}" for i in range(count))


@layer_rule("keras.layers.Add")
class Add(_Merge):
    """The sum."""

    examples = (("Add()", [(4, 3), (4, 3)]), ("Add()", [(4, 3), (3,), (1, 3)]))

    def template(self, count: int) -> tuple[str, bool]:
        return _joined("+", count), count > 1


@layer_rule("keras.layers.Subtract")
class Subtract(_Merge):
    """The first minus the second."""

    least = most = 2
    examples = (("Subtract()", [(4, 3), (4, 3)]),)

    def template(self, count: int) -> tuple[str, bool]:
        return "{0} - {1}", True


@layer_rule("keras.layers.Average")
class Average(_Merge):
    """The mean."""

    examples = (("Average()", [(4, 3), (4, 3), (4, 3)]),)

    def infer(self, layer: Layer, inputs: Any, **call: Any) -> TensorSpec:
        spec = super().infer(layer, inputs)
        return spec if "float" in spec.dtype else replace(spec, dtype="float32")

    def template(self, count: int) -> tuple[str, bool]:
        return f"({_joined('+', count)}) / {count}", True


@layer_rule("keras.layers.Multiply")
class Multiply(_Merge):
    """The product; masked entries count as one, and are zero where every tensor is masked."""

    examples = (("Multiply()", [(4, 3), (4, 3)]), ("Multiply()", [(4, 4, 3), (1, 1, 3)]))

    def template(self, count: int) -> tuple[str, bool]:
        return _joined("*", count), count > 1

    def merge(self, cx: Lowering, values: list[Value], masks: list[Value | None], spec: TensorSpec) -> Value:
        if not any(masks):
            return super().merge(cx, values, masks, spec)
        filled = [
            value if mask is None else _where(cx, _spread(cx, mask, value), value, "1.0")
            for value, mask in zip(values, masks, strict=True)
        ]
        product = super().merge(cx, filled, masks, spec)
        if masks[0] is None or not all(masks):
            return product
        return _where(cx, _spread(cx, masks[0], product), product, "0.0")


class _Extremum(_Merge):
    """Maximum or minimum; a masked entry gives way to the other tensors'."""

    function = ""

    def template(self, count: int) -> tuple[str, bool]:
        text = "{0}"
        for i in range(1, count):
            text = f"{self.function}({text}, {{{i}}})"
        return text, False

    def merge(self, cx: Lowering, values: list[Value], masks: list[Value | None], spec: TensorSpec) -> Value:
        if not any(masks):
            return super().merge(cx, values, masks, spec)
        output, known = values[0], masks[0]
        for value, mask in zip(values[1:], masks[1:], strict=True):
            if mask is not None:
                value = _where(cx, _spread(cx, mask, value), value, output)
            if known is not None:
                output = _where(cx, _spread(cx, known, output), output, value)
            known = known if mask is not None else None  # where both are given they are the same
            made = TensorSpec(broadcast([output.spec.shape, value.spec.shape]), spec.dtype)
            output = emit(cx, f"{self.function}({{0}}, {{1}})", [output, value], made)
        return output


@layer_rule("keras.layers.Maximum")
class Maximum(_Extremum):
    """The larger entries."""

    function = "torch.maximum"
    examples = (("Maximum()", [(4, 3), (4, 3), (4, 3)]),)


@layer_rule("keras.layers.Minimum")
class Minimum(_Extremum):
    """The smaller entries."""

    function = "torch.minimum"
    examples = (("Minimum()", [(4, 3), (4, 3), (4, 3)]),)


def _spread(cx: Lowering, mask: Value, value: Value) -> Value:
    """A mask of (batch, time) that broadcasts over the features of ``value``."""
    if mask.spec.rank != value.spec.rank - 1 or value.layout != KERAS:
        raise Refusal("KT102", "a mask of another rank than (batch, time) cannot be merged")
    made: Value = cx.op("{0}.unsqueeze(-1)", mask, replace(mask.spec, shape=(*mask.spec.shape, 1)), KERAS)
    return made


def _where(cx: Lowering, mask: Value, value: Value, other: Value | str) -> Value:
    if isinstance(other, str):
        made: Value = cx.op(f"torch.where({{1}}, {{0}}, {other})", [value, mask], value.spec, KERAS)
        return made
    spec = replace(value.spec, shape=broadcast([value.spec.shape, other.spec.shape]))
    chosen: Value = cx.op("torch.where({1}, {0}, {2})", [value, mask, other], spec, KERAS)
    return chosen


@layer_rule("keras.layers.Concatenate")
class Concatenate(_Merge):
    """``torch.cat``; flattened features of several kinds keep their order each."""

    params = params("axis=-1", axis="concat_axis")
    examples = (
        ("Concatenate()", [(4, 3), (4, 2)]),
        ("Concatenate(axis=1)", [(4, 3), (2, 3), (1, 3)]),
    )

    def infer(self, layer: Layer, inputs: Any, **call: Any) -> TensorSpec:
        specs = self.checked(inputs)
        rank = specs[0].rank
        if any(spec.rank != rank for spec in specs):
            raise Refusal("KT104", "`Concatenate` takes tensors of one rank")
        axis = normalize_axis(layer.config["axis"], rank)
        shape = tuple(
            _total([s.shape[i] for s in specs]) if i == axis else _common([s.shape[i] for s in specs])
            for i in range(rank)
        )
        return TensorSpec(shape, result_dtype(specs))

    def lower(self, cx: Lowering, layer: Layer, inputs: Any, mask: Any = None) -> Value:
        masks = one_mask(self.symbol, inputs, mask)
        spec = self.infer(layer, [value.spec for value in inputs])
        axis = normalize_axis(layer.config["axis"], spec.rank)
        if any(masks) and axis != spec.rank - 1:
            raise Refusal("KT102", "`Concatenate` of masked tensors along another axis than the last is not supported")
        slots = ", ".join(f"{{{i}}}" for i in range(len(inputs)))
        features = _features(inputs) if spec.rank == 2 and axis == 1 else None
        values = list(inputs) if features is not None else cx.align(list(inputs))
        dim = cx.dim(values[0], axis)
        text = -1 if dim == spec.rank - 1 and dim > 1 else dim
        kept = features if spec.rank == 2 and axis == 1 else values[0].features
        value: Value = cx.op(f"torch.cat([{slots}], dim={text})", values, spec, values[0].layout, kept)
        return value

    def mask(self, layer: Layer, inputs: Any, masks: Any) -> Any:
        last = normalize_axis(layer.config["axis"], inputs[0].rank) == inputs[0].rank - 1
        return super().mask(layer, inputs, masks) if last else "stop"


def _features(values: Sequence[Value]) -> FeatureOrder | None:
    """The order of flattened tensors put side by side; None where all are in Keras' order or a size is unknown."""
    if not any(is_featured(value) for value in values):
        return None
    parts: list[tuple[Any, ...]] = []
    for value in values:
        size = value.spec.shape[-1]
        if value.features is not None:
            parts += value.features.parts
        elif size is not None and is_known(size):
            parts.append((int(number(size)),))
        else:
            return None
    return FeatureOrder(tuple(parts))


def _total(sizes: list[Dim]) -> Dim:
    total: Any = 0
    for size in sizes:
        if size is None:
            return None
        total = total + size
    return total  # type: ignore[no-any-return]


def _common(sizes: list[Dim]) -> Dim:
    known = [size for size in sizes if size is not None]
    if any(is_known(a) and is_known(known[0]) and a != known[0] for a in known):
        raise Refusal("KT104", f"`Concatenate` takes tensors that differ along its axis only, not {known}")
    return known[0] if known else None


@layer_rule("keras.layers.Dot")
class Dot(_Merge):
    """A dot product along one axis of each tensor, sample by sample."""

    layout = "keras"
    least = most = 2
    params = params("axes, normalize=False", axes="dot_axes")
    examples = (
        ("Dot(axes=1)", [(4,), (4,)]),
        ("Dot(axes=(2, 1))", [(3, 4), (4, 5)]),
        ("Dot(axes=-1, normalize=True)", [(3, 4), (5, 4)]),
    )

    def infer(self, layer: Layer, inputs: Any, **call: Any) -> TensorSpec:
        left, right = self.checked(inputs)
        a, b = _axes(layer, left.rank, right.rank)
        if is_known(left.shape[a]) and is_known(right.shape[b]) and left.shape[a] != right.shape[b]:
            raise Refusal("KT104", f"`Dot` of sizes {left.shape[a]} and {right.shape[b]}")
        shape = (*_without(left.shape, a), *_without(right.shape, b)[1:])
        return TensorSpec(shape if len(shape) > 1 else (*shape, 1), result_dtype([left, right]))

    def mask(self, layer: Layer, inputs: Any, masks: Any) -> Any:
        return "stop"

    def lower(self, cx: Lowering, layer: Layer, inputs: Any, mask: Any = None) -> Value:
        left, right = (cx.keras_order(value) for value in inputs)
        spec = self.infer(layer, [left.spec, right.spec])
        axes = _axes(layer, left.spec.rank, right.spec.rank)
        if layer.config["normalize"]:
            left, right = (
                cx.elementwise(f"F.normalize({{0}}, dim={axis}, eps=1e-7)", value)
                for value, axis in zip((left, right), axes, strict=True)
            )
        template, operator = _dot_text(axes, left.spec.rank, right.spec.rank)
        value: Value = cx.op(template, [left, right], spec, KERAS, operator=operator)
        return value


def _axes(layer: Layer, left: int, right: int) -> tuple[int, int]:
    given = layer.config["axes"]
    a, b = given if isinstance(given, (list, tuple)) else (given, given)
    found = normalize_axis(a, left), normalize_axis(b, right)
    if 0 in found:
        raise Refusal("KT103", "`Dot` cannot sum over the batch")
    return found


def _without(shape: Shape, axis: int) -> Shape:
    return (*shape[:axis], *shape[axis + 1 :])


def _dot_text(axes: tuple[int, int], left: int, right: int) -> tuple[str, bool]:
    if left == right == 2:
        return "({0} * {1}).sum(dim=1, keepdim=True)", False
    if left == right == 3:
        first = "{0}" if axes[0] == 2 else "{0}.transpose(1, 2)"
        second = "{1}" if axes[1] == 1 else "{1}.transpose(1, 2)"
        return f"{first} @ {second}", True
    letters = iter("ijklmnopqrs")
    names = [["b", *(next(letters) for _ in range(rank - 1))] for rank in (left, right)]
    for name, axis in zip(names, axes, strict=True):
        name[axis] = "d"
    out = [letter for letter in (*names[0], *names[1][1:]) if letter != "d"]
    return f'torch.einsum("{"".join(names[0])},{"".join(names[1])}->{"".join(out)}", {{0}}, {{1}})', False
