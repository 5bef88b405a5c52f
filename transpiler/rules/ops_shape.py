"""Ops that rearrange tensors: shape, slices, joins. They speak of Keras' order of axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from transpiler.diagnostics import Refusal
from transpiler.graph.keras import TensorSpec
from transpiler.graph.symbolic import Dim, Expr, Shape, is_known, number
from transpiler.graph.torch import KERAS, Value
from transpiler.rules.layout import literal, normalize_axis
from transpiler.rules.ops_base import Placer, is_tensor, list_text, op, result_dtype

if TYPE_CHECKING:
    from transpiler.rules.lowering import Lowering


# -- sizes ------------------------------------------------------------------------------------------------------------
@op("shape", "x, axis", lambda x, axis: TensorSpec((), "int32"))
def _size(cx: Lowering, x: Value, axis: int) -> Value:
    """One size of a tensor that is known only at run time; the known ones are numbers."""
    value: Value = cx.op(f"{{0}}.size({cx.dim(x, axis)})", x, TensorSpec((), "int32"), KERAS)
    return value


def dims_of(sizes: Any) -> Shape:
    """A shape argument as dims: a tensor (a size at run time) or -1 is None."""
    if is_tensor(sizes) or isinstance(sizes, (int, Expr)):
        sizes = [sizes]
    return tuple(None if is_tensor(s) or s is None or (is_known(s) and s == -1) else s for s in sizes)


def _known_product(shape: Sequence[Dim]) -> int | None:
    total = 1
    for dim in shape:
        if dim is None or not is_known(dim):
            return None
        total *= int(number(dim))
    return total


def reshaped(shape: Shape, sizes: Any) -> Shape:
    """The result of a reshape, with the size behind -1 where it can be told."""
    wanted = list(dims_of(sizes))
    free = [i for i, s in enumerate(sizes) if not is_tensor(s) and is_known(s) and s == -1]
    given = [i for i, s in enumerate(sizes) if is_tensor(s) or s is None]
    if not free and given == [0] and sizes[0] is None:
        free, given = given, []
    if len(free) > 1:
        raise Refusal("KT103", "only one size of a reshape may be -1")
    if len(free) == 1:
        others = _known_product([d for i, d in enumerate(wanted) if i not in (free[0], *given)])
        unknown = [d for d in shape if d is None]
        rest = _known_product([d for d in shape if d is not None])
        if others and rest is not None and len(unknown) == len(given) <= 1:
            if rest % others:
                raise Refusal("KT104", f"a tensor of shape {shape} cannot be reshaped to {tuple(wanted)}")
            wanted[free[0]] = rest // others
    return tuple(wanted)


def sizes_text(place: Placer, sizes: Any, batch: Value | None = None) -> str:
    """A shape argument as the text of ints and slots; a None in front is the size of ``batch``, or -1."""
    if is_tensor(sizes) or isinstance(sizes, (int, Expr)):
        sizes = [sizes]
    texts = []
    for i, size in enumerate(sizes):
        if size is None and i:
            raise Refusal("KT201", "only the batch size may be unknown in a shape")
        if size is None:
            texts.append("-1" if batch is None else f"{place.text(batch)}.size(0)")
        else:
            texts.append(place.text(size))
    return ", ".join(texts)


def _reshape_spec(x: TensorSpec, newshape: Any) -> TensorSpec:
    if is_tensor(newshape):
        raise Refusal("KT201", "the rank of a reshape must be known")
    newshape = [newshape] if isinstance(newshape, (int, Expr)) else newshape
    return TensorSpec(reshaped(x.shape, newshape), x.dtype)


@op("reshape", "x, newshape", _reshape_spec, layout="keras")
def _reshape(cx: Lowering, x: Value, newshape: Any) -> Value:
    x = cx.keras_order(x)
    place = Placer(x)
    newshape = [newshape] if isinstance(newshape, (int, Expr)) else newshape
    spec = TensorSpec(reshaped(x.spec.shape, newshape), x.spec.dtype)
    free = any(isinstance(s, int) and s == -1 for s in newshape)
    text = sizes_text(place, newshape, x if free else None)
    value: Value = cx.op(f"{{0}}.reshape({text})", place.values, spec, KERAS)
    return value


# -- axes -------------------------------------------------------------------------------------------------------------
def _transpose_spec(x: TensorSpec, axes: Any) -> TensorSpec:
    return TensorSpec(tuple(x.shape[a] for a in _order(x.rank, axes)), x.dtype)


def _order(rank: int, axes: Any) -> list[int]:
    order = list(range(rank))[::-1] if axes is None else [normalize_axis(a, rank) for a in axes]
    if sorted(order) != list(range(rank)):
        raise Refusal("KT103", f"{tuple(order)} does not permute the axes of a tensor of rank {rank}")
    return order


@op("transpose", "x, axes=None", _transpose_spec, layout="keras")
def _transpose(cx: Lowering, x: Value, axes: Any) -> Value:
    x = cx.keras_order(x)
    order = _order(x.spec.rank, axes)
    moved = [i for i, a in enumerate(order) if i != a]
    if not moved:
        return x
    text = f"transpose({moved[0]}, {moved[1]})" if len(moved) == 2 else f"permute({', '.join(map(str, order))})"
    value: Value = cx.op(f"{{0}}.{text}", x, _transpose_spec(x.spec, axes), KERAS)
    return value


def _moved(x: TensorSpec, source: Any, destination: Any) -> TensorSpec:
    order = [i for i in range(x.rank) if i != normalize_axis(source, x.rank)]
    order.insert(normalize_axis(destination, x.rank), normalize_axis(source, x.rank))
    return TensorSpec(tuple(x.shape[a] for a in order), x.dtype)


@op("moveaxis", "x, source, destination", _moved, layout="keras")
def _moveaxis(cx: Lowering, x: Value, source: Any, destination: Any) -> Value:
    x = cx.keras_order(x)
    value: Value = cx.op(
        f"{{0}}.movedim({int(source)}, {int(destination)})", x, _moved(x.spec, source, destination), KERAS
    )
    return value


def _swapped(x: TensorSpec, axis1: Any, axis2: Any) -> TensorSpec:
    shape = list(x.shape)
    i, j = normalize_axis(axis1, x.rank), normalize_axis(axis2, x.rank)
    shape[i], shape[j] = shape[j], shape[i]
    return TensorSpec(tuple(shape), x.dtype)


@op("swapaxes", "x, axis1, axis2", _swapped, layout="keras")
def _swapaxes(cx: Lowering, x: Value, axis1: Any, axis2: Any) -> Value:
    x = cx.keras_order(x)
    value: Value = cx.op(f"{{0}}.transpose({int(axis1)}, {int(axis2)})", x, _swapped(x.spec, axis1, axis2), KERAS)
    return value


def _expanded(x: TensorSpec, axis: Any) -> TensorSpec:
    shape = list(x.shape)
    axes = axis if isinstance(axis, (list, tuple)) else [axis]
    for a in sorted(normalize_axis(a, x.rank + len(axes)) for a in axes):
        shape.insert(a, 1)
    return TensorSpec(tuple(shape), x.dtype)


@op("expand_dims", "x, axis", _expanded, layout="keras")
def _expand_dims(cx: Lowering, x: Value, axis: Any) -> Value:
    x = cx.keras_order(x)
    axes = axis if isinstance(axis, (list, tuple)) else [axis]
    at = sorted(normalize_axis(a, x.spec.rank + len(axes)) for a in axes)
    text = "".join(f".unsqueeze({-1 if a == x.spec.rank + i else a})" for i, a in enumerate(at))
    value: Value = cx.op(f"{{0}}{text}", x, _expanded(x.spec, axis), KERAS)
    return value


def _squeezed(x: TensorSpec, axis: Any) -> TensorSpec:
    axes = _squeezed_axes(x, axis)
    return TensorSpec(tuple(d for i, d in enumerate(x.shape) if i not in axes), x.dtype)


def _squeezed_axes(x: TensorSpec, axis: Any) -> list[int]:
    if axis is None:
        if any(d is None or not is_known(d) for d in x.shape[1:]):
            raise Refusal("KT102", "`squeeze` without an axis needs known sizes")
        return [i for i, d in enumerate(x.shape) if d is not None and d == 1]
    axes = [normalize_axis(a, x.rank) for a in (axis if isinstance(axis, (list, tuple)) else [axis])]
    for a in axes:
        dim = x.shape[a]
        if is_known(dim) and dim != 1:
            raise Refusal("KT104", f"axis {a} of size {dim} cannot be squeezed")
    return sorted(axes)


@op("squeeze", "x, axis=None", _squeezed, layout="keras")
def _squeeze(cx: Lowering, x: Value, axis: Any) -> Value:
    x = cx.keras_order(x)
    axes = _squeezed_axes(x.spec, axis)
    last = x.spec.rank - 1
    text = "-1" if axes == [last] else str(axes[0]) if len(axes) == 1 else str(tuple(axes))
    value: Value = cx.op(f"{{0}}.squeeze({text})" if axes else "{0}", x, _squeezed(x.spec, axis), KERAS)
    return value


# -- joining and parting ----------------------------------------------------------------------------------------------
def _sum_dims(dims: Sequence[Dim]) -> Dim:
    total: Any = dims[0]
    for dim in dims[1:]:
        total = None if total is None or dim is None else total + dim
    return total  # type: ignore[no-any-return]


def _concatenated(xs: Sequence[TensorSpec], axis: Any) -> TensorSpec:
    first = xs[0]
    if any(x.rank != first.rank for x in xs):
        raise Refusal("KT104", "tensors of different ranks cannot be concatenated")
    at = normalize_axis(axis, first.rank)
    shape = list(first.shape)
    shape[at] = _sum_dims([x.shape[at] for x in xs])
    return TensorSpec(tuple(shape), result_dtype(list(xs)))


@op("concatenate", "xs, axis=-1", _concatenated)
def _concatenate(cx: Lowering, xs: Sequence[Value], axis: Any) -> Value:
    values = cx.align([cx.keras_order(x) if x.features is not None else x for x in xs])
    slots = ", ".join(f"{{{i}}}" for i in range(len(values)))
    spec = _concatenated([v.spec for v in values], axis)
    value: Value = cx.op(f"torch.cat([{slots}], dim={cx.dim(values[0], axis)})", values, spec, values[0].layout)
    return value


def _stacked(x: Sequence[TensorSpec], axis: Any) -> TensorSpec:
    shape = list(x[0].shape)
    shape.insert(normalize_axis(axis, len(shape) + 1), len(x))
    return TensorSpec(tuple(shape), result_dtype(list(x)))


@op("stack", "x, axis=0", _stacked, layout="keras")
def _stack(cx: Lowering, x: Sequence[Value], axis: Any) -> Value:
    values = [cx.keras_order(v) for v in x]
    slots = ", ".join(f"{{{i}}}" for i in range(len(values)))
    extra = "" if axis == 0 else f", dim={int(axis)}"
    value: Value = cx.op(f"torch.stack([{slots}]{extra})", values, _stacked([v.spec for v in values], axis), KERAS)
    return value


def _pieces(x: TensorSpec, indices_or_sections: Any, axis: Any) -> list[TensorSpec]:
    at = normalize_axis(axis, x.rank)
    return [TensorSpec((*x.shape[:at], n, *x.shape[at + 1 :]), x.dtype) for n in _lengths(x, indices_or_sections, at)]


def _lengths(x: TensorSpec, cuts: Any, at: int) -> list[Any]:
    size = x.shape[at]
    if not isinstance(cuts, (list, tuple)):
        count = int(cuts)
        if size is None or not is_known(size):
            raise Refusal("KT201", "the size of an axis that is split must be known")
        if number(size) % count:
            raise Refusal("KT104", f"an axis of size {size} cannot be split into {count} equal parts")
        return [size // count] * count
    cuts = [int(c) for c in cuts]
    last = None if size is None else size - (cuts[-1] if cuts else 0)
    return [b - a for a, b in zip([0, *cuts], cuts, strict=False)] + [last]


@op("split", "x, indices_or_sections, axis=0", _pieces)
def _split(cx: Lowering, x: Value, indices_or_sections: Any, axis: Any) -> list[Value]:
    x = cx.keras_order(x) if x.features is not None else x
    specs = _pieces(x.spec, indices_or_sections, axis)
    at = cx.dim(x, axis)
    if isinstance(indices_or_sections, (list, tuple)):
        template = f"torch.tensor_split({{0}}, {list_text(list(indices_or_sections))}, dim={at})"
    else:
        template = f"{{0}}.chunk({literal(indices_or_sections)}, dim={at})"
    return _several(cx, template, x, specs)


def _several(cx: Lowering, template: str, x: Value, specs: list[TensorSpec]) -> list[Value]:
    if len(specs) == 1:
        return [cx.op(template + "[0]", x, specs[0], x.layout)]
    made: list[Value] = cx.op(template, x, specs, x.layout)
    return made


def _unstacked(x: TensorSpec, num: Any, axis: Any) -> list[TensorSpec]:
    at = normalize_axis(axis, x.rank)
    count = num if num is not None else x.shape[at]
    if count is None or not is_known(count):
        raise Refusal("KT201", "the size of an axis that is unstacked must be known")
    return [TensorSpec((*x.shape[:at], *x.shape[at + 1 :]), x.dtype)] * int(count)


@op("unstack", "x, num=None, axis=0", _unstacked, layout="keras")
def _unstack(cx: Lowering, x: Value, num: Any, axis: Any) -> list[Value]:
    x = cx.keras_order(x)
    specs = _unstacked(x.spec, num, axis)
    return _several(cx, f"{{0}}.unbind(dim={normalize_axis(axis, x.spec.rank)})", x, specs)


# -- repeating and padding --------------------------------------------------------------------------------------------
def _tiled(x: TensorSpec, repeats: Any) -> TensorSpec:
    times = list(repeats) if isinstance(repeats, (list, tuple)) else [repeats]
    rank = max(len(times), x.rank)
    times = [1] * (rank - len(times)) + times
    shape = [1] * (rank - x.rank) + list(x.shape)
    return TensorSpec(
        tuple(None if d is None or is_tensor(n) else d * n for d, n in zip(shape, times, strict=True)), x.dtype
    )


@op("tile", "x, repeats", _tiled, layout="keras")
def _tile(cx: Lowering, x: Value, repeats: Any) -> Value:
    x = cx.keras_order(x)
    place = Placer(x)
    text = sizes_text(place, repeats)
    spec = _tiled(x.spec, repeats)
    template = f"{{0}}.repeat({text})" if spec.rank == len(text.split(",")) else f"torch.tile({{0}}, ({text},))"
    value: Value = cx.op(template, place.values, spec, KERAS)
    return value


def _repeated(x: TensorSpec, repeats: Any, axis: Any) -> TensorSpec:
    if isinstance(repeats, (list, tuple)) or axis is None:
        raise Refusal("KT102", "`repeat` needs one number and an axis here")
    at = normalize_axis(axis, x.rank)
    dim = x.shape[at]
    return TensorSpec((*x.shape[:at], None if dim is None else dim * repeats, *x.shape[at + 1 :]), x.dtype)


@op("repeat", "x, repeats, axis=None", _repeated)
def _repeat(cx: Lowering, x: Value, repeats: Any, axis: Any) -> Value:
    x = cx.keras_order(x) if x.features is not None else x
    template = f"{{0}}.repeat_interleave({literal(repeats)}, dim={cx.dim(x, axis)})"
    value: Value = cx.op(template, x, _repeated(x.spec, repeats, axis), x.layout)
    return value


def _padded(x: TensorSpec, pad_width: Any, mode: str, constant_values: Any) -> TensorSpec:
    pairs = _pairs(pad_width, x.rank)
    return TensorSpec(
        tuple(None if d is None else d + a + b for d, (a, b) in zip(x.shape, pairs, strict=True)), x.dtype
    )


def _pairs(pad_width: Any, rank: int) -> list[tuple[Any, Any]]:
    if isinstance(pad_width, (int, Expr)):
        return [(pad_width, pad_width)] * rank
    pairs = [tuple(p) if isinstance(p, (list, tuple)) else (p, p) for p in pad_width]
    if len(pairs) == 1:
        pairs *= rank
    if len(pairs) != rank:
        raise Refusal("KT103", f"`pad` needs {rank} pairs, not {len(pairs)}")
    return pairs


@op("pad", "x, pad_width, mode='constant', constant_values=None", _padded)
def _pad(cx: Lowering, x: Value, pad_width: Any, mode: str, constant_values: Any) -> Value:
    x = cx.keras_order(x) if x.features is not None else x
    pairs = _pairs(pad_width, x.spec.rank)
    physical: list[Any] = [None] * x.spec.rank
    for axis, pair in enumerate(pairs):
        physical[cx.dim(x, axis)] = pair
    while len(physical) > 1 and physical[0] == (0, 0):
        physical.pop(0)
    flat = tuple(n for pair in reversed(physical) for n in pair)
    kind = str(mode).lower()
    extra = ""
    if kind != "constant":
        if kind != "reflect" or not 1 <= len(physical) <= 3 or x.spec.rank - len(physical) not in (1, 2):
            raise Refusal("KT102", f"`pad` with mode `{mode}` on these axes is not supported")
        extra = ', mode="reflect"'
    elif constant_values:
        extra = f", value={literal(constant_values)}"
    spec = _padded(x.spec, pad_width, mode, constant_values)
    value: Value = cx.op(f"F.pad({{0}}, {literal(flat)}{extra})", x, spec, x.layout)
    return value


def _broadcast_to(x: TensorSpec, shape: Any) -> TensorSpec:
    return TensorSpec(dims_of(shape), x.dtype)


@op("broadcast_to", "x, shape", _broadcast_to, layout="keras")
def _broadcast(cx: Lowering, x: Value, shape: Any) -> Value:
    x = cx.keras_order(x)
    place = Placer(x)
    value: Value = cx.op(
        f"{{0}}.expand({sizes_text(place, shape, x)})", place.values, _broadcast_to(x.spec, shape), KERAS
    )
    return value
