"""Subscripts and look-ups: ``x[:, -1]``, ``take``, ``one_hot``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from transpiler.diagnostics import Refusal
from transpiler.graph.keras import TensorSpec
from transpiler.graph.symbolic import Dim, Expr, is_known, number
from transpiler.graph.torch import FIRST, KERAS, Value
from transpiler.rules.layout import literal, normalize_axis
from transpiler.rules.ops_base import Placer, broadcast, dtype_name, is_tensor, list_text, op

if TYPE_CHECKING:
    from transpiler.rules.lowering import Lowering


@dataclass
class _Item:
    """One subscript: the input axis it takes (None for a new axis), its value, and the dims that it leaves."""

    axis: int | None
    key: Any
    dims: tuple[Dim, ...]


def _items(shape: tuple[Dim, ...], index: Any) -> list[_Item]:
    keys = list(index) if isinstance(index, tuple) else [index]
    taken = sum(k is not None and k is not Ellipsis for k in keys)
    if taken > len(shape):
        raise Refusal("KT103", f"{taken} subscripts for a tensor of rank {len(shape)}")
    if not any(k is Ellipsis for k in keys):
        keys.append(Ellipsis)
    items: list[_Item] = []
    axis = 0
    for key in keys:
        if key is Ellipsis:
            for _ in range(len(shape) - taken):
                items.append(_Item(axis, slice(None), (shape[axis],)))
                axis += 1
            taken = len(shape)
        elif key is None:
            items.append(_Item(None, None, (1,)))
        else:
            items.append(_Item(axis, key, _left(shape[axis], key)))
            axis += 1
    return items


def _left(dim: Dim, key: Any) -> tuple[Dim, ...]:
    if isinstance(key, slice):
        return (_sliced(dim, key),)
    if is_tensor(key):
        return ()
    if isinstance(key, (int, Expr)):
        if is_known(dim) and is_known(key) and not -number(dim) <= number(key) < number(dim):  # type: ignore[arg-type]
            raise Refusal("KT104", f"subscript {key} is out of range for an axis of size {dim}")
        return ()
    raise Refusal("KT102", f"a subscript of type `{type(key).__name__}` on a tensor is not supported")


def _sliced(dim: Dim, key: slice) -> Dim:
    parts = (key.start, key.stop, key.step)
    if key == slice(None):
        return dim
    if any(is_tensor(p) or (p is not None and not is_known(p)) for p in parts):
        return None
    start, stop, step = (None if p is None else int(number(p)) for p in parts)
    if step is not None and step < 0 and (step != -1 or start is not None or stop is not None):
        raise Refusal("KT102", "a slice with a negative step must be `[::-1]`")
    if step == -1:
        return dim
    if dim is None or not is_known(dim):
        if (start or 0) >= 0 and stop is None and step in (None, 1) and isinstance(dim, Expr):
            return dim - (start or 0)  # type: ignore[return-value]
        return None if dim is None or stop is None or stop < 0 else stop - (start or 0)
    return len(range(*slice(start, stop, step).indices(int(number(dim)))))


def _getitem_spec(x: TensorSpec, index: Any) -> TensorSpec:
    items = _items(x.shape, index)
    gathered = [k.key for k in items if is_tensor(k.key) and k.key.rank > 0]
    if len(gathered) > 1 or any(k.dtype == "bool" for k in gathered):
        raise Refusal("KT102", "a subscript by several tensors, or by a mask, is not supported")
    dims: list[Dim] = []
    for item in items:
        dims += gathered[0].shape if gathered and item.key is gathered[0] else item.dims
    return TensorSpec(tuple(dims), x.dtype)


def _spec_key(index: Any) -> Any:
    if isinstance(index, tuple):
        return tuple(_spec_key(i) for i in index)
    if isinstance(index, Value):
        return index.spec
    if isinstance(index, slice):
        return slice(*(_spec_key(p) for p in (index.start, index.stop, index.step)))
    return index


@op("getitem", "x, index", _getitem_spec)
def _getitem(cx: Lowering, x: Value, index: Any) -> Value:
    index = _values(cx, index)
    spec = _getitem_spec(x.spec, _spec_key(index))
    items = _items(x.spec.shape, index)
    plain = all(isinstance(item.key, slice) for item in items)
    whole_features = x.features is not None and items[-1].key == slice(None)
    if not whole_features and (x.features is not None or (x.layout == FIRST and not plain)):
        x = cx.keras_order(x)
    place = Placer(x)
    flipped = [cx.dim(x, item.axis) for item in items if isinstance(item.key, slice) and item.key.step == -1]
    if x.layout == FIRST:
        items = [items[0], items[-1], *items[1:-1]]
    keys = [_key_text(place, item.key) for item in items]
    while len(keys) > 1 and keys[-1] == ":":
        keys.pop()
    text = "" if keys == [":"] else f"[{', '.join(keys)}]"
    template = f"torch.flip({{0}}, dims={tuple(sorted(flipped))})" if flipped else "{0}"
    value: Value = cx.op(template + text, place.values, spec, x.layout if x.layout == FIRST else KERAS, x.features)
    return value


def _values(cx: Lowering, index: Any) -> Any:
    """The index with every tensor (also inside a slice) lowered."""
    from transpiler.graph.keras import Tensor

    if isinstance(index, tuple):
        return tuple(_values(cx, i) for i in index)
    if isinstance(index, slice):
        return slice(*(_values(cx, p) for p in (index.start, index.stop, index.step)))
    return cx.value(index) if isinstance(index, Tensor) else index


def _key_text(place: Placer, key: Any) -> str:
    if key is None:
        return "None"
    if not isinstance(key, slice):
        return place.text(key)
    if key.step == -1:
        return ":"
    start, stop = ("" if p is None else place.text(p) for p in (key.start, key.stop))
    step = "" if key.step is None or key.step == 1 else f":{place.text(key.step)}"
    return f"{start}:{stop}{step}"


def _taken(x: TensorSpec, indices: Any, axis: Any) -> TensorSpec:
    shape = indices.shape if isinstance(indices, TensorSpec) else () if isinstance(indices, int) else (len(indices),)
    if axis is None:
        return TensorSpec(shape, x.dtype)
    at = normalize_axis(axis, x.rank)
    return TensorSpec((*x.shape[:at], *shape, *x.shape[at + 1 :]), x.dtype)


@op("take", "x, indices, axis=None", _taken, layout="keras")
def _take(cx: Lowering, x: Value, indices: Any, axis: Any) -> Value:
    x = cx.keras_order(x)
    place = Placer(x)
    spec = _taken(x.spec, indices.spec if isinstance(indices, Value) else indices, axis)
    if axis is None:
        key, whole = _index_text(place, indices), "{0}.flatten()"
    else:
        key, whole = ":, " * normalize_axis(axis, x.spec.rank) + _index_text(place, indices), "{0}"
    value: Value = cx.op(f"{whole}[{key}]", place.values, spec, KERAS)
    return value


def _index_text(place: Placer, indices: Any) -> str:
    if isinstance(indices, Value):
        convert = "" if indices.spec.dtype in ("int32", "int64") else ".long()"
        return place.text(indices) + convert
    return list_text(indices)


def _along_spec(x: TensorSpec, indices: TensorSpec, axis: Any) -> TensorSpec:
    return TensorSpec(indices.shape, x.dtype)


@op("take_along_axis", "x, indices, axis=None", _along_spec, layout="keras")
def _take_along_axis(cx: Lowering, x: Value, indices: Value, axis: Any) -> Value:
    if axis is None:
        raise Refusal("KT102", "`take_along_axis` needs an axis")
    values = [cx.keras_order(x), cx.keras_order(indices)]
    spec = _along_spec(x.spec, indices.spec, axis)
    value: Value = cx.op(
        f"torch.take_along_dim({{0}}, {{1}}.long(), dim={normalize_axis(axis, x.spec.rank)})", values, spec, KERAS
    )
    return value


def _one_hot_spec(x: TensorSpec, num_classes: Any, axis: Any, dtype: Any, sparse: Any) -> TensorSpec:
    if axis not in (-1, x.rank) or sparse:
        raise Refusal("KT102", "`one_hot` along another axis than the last, or sparse, is not supported")
    return TensorSpec((*x.shape, num_classes), dtype_name(dtype))


@op("one_hot", "x, num_classes, axis=-1, dtype=None, sparse=False", _one_hot_spec, layout="keras")
def _one_hot(cx: Lowering, x: Value, num_classes: Any, axis: Any, dtype: Any, sparse: Any) -> Value:
    x = cx.keras_order(x)
    whole = "{0}" if x.spec.dtype == "int64" else "{0}.long()"
    spec = _one_hot_spec(x.spec, num_classes, axis, dtype, sparse)
    convert = {"float32": ".float()", "int64": "", "int32": ".int()", "bool": ".bool()"}.get(spec.dtype)
    if convert is None:
        raise Refusal("KT102", f"`one_hot` of dtype {spec.dtype} is not supported")
    value: Value = cx.op(f"F.one_hot({whole}, {literal(num_classes)}){convert}", x, spec, KERAS)
    return value


# -- products ---------------------------------------------------------------------------------------------------------
def _turn(shape: tuple[Dim, ...], turned: bool) -> tuple[Dim, ...]:
    return (*shape[:-2], shape[-1], shape[-2]) if turned else shape


def _matmul_spec(x1: TensorSpec, x2: TensorSpec, transpose_a: bool = False, transpose_b: bool = False) -> TensorSpec:
    if x1.rank == 1 or x2.rank == 1:
        raise Refusal("KT102", "`matmul` with a vector is not supported")
    a, b = _turn(x1.shape, transpose_a), _turn(x2.shape, transpose_b)
    if is_known(a[-1]) and is_known(b[-2]) and a[-1] != b[-2]:
        raise Refusal("KT104", f"matrices of shapes {a} and {b} cannot be multiplied")
    return TensorSpec((*broadcast([a[:-2], b[:-2]]), a[-2], b[-1]), x1.dtype)


@op("matmul", "x1, x2, transpose_a=False, transpose_b=False", _matmul_spec, layout="keras")
def _matmul(cx: Lowering, x1: Value, x2: Value, transpose_a: bool, transpose_b: bool) -> Value:
    values = [cx.keras_order(x1), cx.keras_order(x2)]
    spec = _matmul_spec(x1.spec, x2.spec, transpose_a, transpose_b)
    left, right = ((".transpose(-2, -1)" if turned else "") for turned in (transpose_a, transpose_b))
    value: Value = cx.op(f"{{0}}{left} @ {{1}}{right}", values, spec, KERAS, operator=True)
    return value


def _dot_spec(x1: TensorSpec, x2: TensorSpec) -> TensorSpec:
    return TensorSpec((*x1.shape[:-1], *x2.shape[:-2], x2.shape[-1]), x1.dtype)


@op("dot", "x1, x2", _dot_spec, layout="keras")
def _dot(cx: Lowering, x1: Value, x2: Value) -> Value:
    values = [cx.keras_order(x1), cx.keras_order(x2)]
    if x2.spec.rank < 2:
        raise Refusal("KT102", "`dot` with a vector is not supported")
    spec = _dot_spec(x1.spec, x2.spec)
    matrix = x2.spec.rank == 2
    template = "{0} @ {1}" if matrix else "torch.tensordot({0}, {1}, dims=([-1], [-2]))"
    value: Value = cx.op(template, values, spec, KERAS, operator=matrix)
    return value


def _tensordot_axes(rank: int, axes: Any) -> tuple[list[int], list[int]]:
    if isinstance(axes, int):
        return list(range(rank - axes, rank)), list(range(axes))
    left, right = ([a] if isinstance(a, int) else list(a) for a in axes)
    return left, right


def _tensordot_spec(x1: TensorSpec, x2: TensorSpec, axes: Any) -> TensorSpec:
    left, right = _tensordot_axes(x1.rank, axes)
    gone1, gone2 = ([normalize_axis(a, r) for a in g] for g, r in ((left, x1.rank), (right, x2.rank)))
    kept = [d for i, d in enumerate(x1.shape) if i not in gone1] + [d for i, d in enumerate(x2.shape) if i not in gone2]
    return TensorSpec(tuple(kept), x1.dtype)


@op("tensordot", "x1, x2, axes=2", _tensordot_spec, layout="keras")
def _tensordot(cx: Lowering, x1: Value, x2: Value, axes: Any) -> Value:
    values = [cx.keras_order(x1), cx.keras_order(x2)]
    left, right = _tensordot_axes(x1.spec.rank, axes)
    value: Value = cx.op(
        f"torch.tensordot({{0}}, {{1}}, dims=({left}, {right}))", values, _tensordot_spec(x1.spec, x2.spec, axes), KERAS
    )
    return value


def _einsum_spec(subscripts: str, operands: Any) -> TensorSpec:
    left, arrow, right = subscripts.replace(" ", "").partition("->")
    terms = left.split(",")
    if not arrow or "." in subscripts or len(terms) != len(operands):
        raise Refusal("KT102", f"`einsum` with `{subscripts}` is not supported")
    sizes: dict[str, Dim] = {}
    for term, operand in zip(terms, operands, strict=True):
        if len(term) != operand.rank:
            raise Refusal("KT104", f"`einsum` with `{subscripts}` does not fit a tensor of rank {operand.rank}")
        for letter, dim in zip(term, operand.shape, strict=True):
            sizes[letter] = dim if sizes.get(letter) is None else sizes[letter]
    return TensorSpec(tuple(sizes[letter] for letter in right), operands[0].dtype)


@op("einsum", "subscripts, operands", _einsum_spec, layout="keras")
def _einsum(cx: Lowering, subscripts: str, operands: Any) -> Value:
    values = [cx.keras_order(o) for o in operands]
    slots = ", ".join(f"{{{i}}}" for i in range(len(values)))
    text = subscripts.replace(" ", "")
    spec = _einsum_spec(text, [v.spec for v in values])
    value: Value = cx.op(f'torch.einsum("{text}", {slots})', values, spec, KERAS)
    return value


def _batch_axes(x: Any, y: Any, axes: Any) -> tuple[int, int]:
    if axes is None:
        axes = (x.rank - 1, y.rank - 1 if y.rank == 2 else y.rank - 2)
    left, right = (axes, axes) if isinstance(axes, int) else axes
    return normalize_axis(left, x.rank), normalize_axis(right, y.rank)


def _batch_terms(x: TensorSpec, y: TensorSpec, axes: Any) -> tuple[str, str, str]:
    left, right = _batch_axes(x, y, axes)
    first = ["n", *"abcdef"[: x.rank - 1]]
    second = ["n", *"uvwxyz"[: y.rank - 1]]
    second[right] = first[left]
    kept = [c for i, c in enumerate(first) if i != left] + [c for i, c in enumerate(second) if i not in (0, right)]
    return "".join(first), "".join(second), "".join(kept)


def _batch_dot_spec(x: TensorSpec, y: TensorSpec, axes: Any) -> TensorSpec:
    first, second, kept = _batch_terms(x, y, axes)
    sizes = dict(zip(second, y.shape, strict=True)) | dict(zip(first, x.shape, strict=True))
    shape = tuple(sizes[c] for c in kept)
    return TensorSpec(shape if len(shape) > 1 else (*shape, 1), x.dtype)


@op("batch_dot", "x, y, axes=None", _batch_dot_spec, layout="keras")
def _batch_dot(cx: Lowering, x: Value, y: Value, axes: Any) -> Value:
    values = [cx.keras_order(x), cx.keras_order(y)]
    first, second, kept = _batch_terms(x.spec, y.spec, axes)
    column = ".unsqueeze(1)" if len(kept) == 1 else ""
    template = f'torch.einsum("{first},{second}->{kept}", {{0}}, {{1}}){column}'
    value: Value = cx.op(template, values, _batch_dot_spec(x.spec, y.spec, axes), KERAS)
    return value


def _times(dim: Dim, factor: int) -> Dim:
    return None if dim is None else dim * factor  # type: ignore[return-value]


def _unpacked(x: TensorSpec, block_size: int) -> TensorSpec:
    n, h, w, c = x.shape
    if c is None or not is_known(c) or number(c) % block_size**2:
        raise Refusal("KT104", f"`depth_to_space` cannot part {c} channels into blocks of {block_size}")
    height, width = (_times(d, block_size) for d in (h, w))
    return TensorSpec((n, height, width, int(number(c)) // block_size**2), x.dtype)


@op("depth_to_space", "x, block_size", _unpacked)
def _depth_to_space(cx: Lowering, x: Value, block_size: int) -> Value:
    """TensorFlow has the channels of a block outermost, ``pixel_shuffle`` innermost."""
    x = cx.channels_first(x)
    spec = _unpacked(x.spec, block_size)
    turned = f".unflatten(1, ({block_size**2}, {spec.shape[-1]})).transpose(1, 2).flatten(1, 2)"
    value: Value = cx.op(f"F.pixel_shuffle({{0}}{turned if spec.shape[-1] != 1 else ''}, {block_size})", x, spec, FIRST)
    return value
