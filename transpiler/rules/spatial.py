"""What convolutions, pooling and padding layers share: window arithmetic and explicit padding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transpiler.diagnostics import Refusal
from transpiler.graph.keras import TensorSpec
from transpiler.graph.symbolic import Dim, Scalar, is_known
from transpiler.graph.torch import FIRST, Value
from transpiler.rules.arguments import choice

if TYPE_CHECKING:
    from transpiler.rules.lowering import Lowering

Pads = tuple[tuple[int, int], ...]


def ntuple(value: Any, rank: int, name: str, least: int = 1) -> tuple[int, ...]:
    """``3`` or ``(3, 3)`` as a tuple of ``rank`` ints; raises KT103 as Keras would."""
    items = tuple(value) if isinstance(value, (tuple, list)) else (value,) * rank
    if len(items) != rank or not all(isinstance(item, int) and item >= least for item in items):
        raise Refusal("KT103", f"`{name}` must be an int or {rank} ints, not {value!r}")
    return items


def check_padding(value: Any, allowed: tuple[str, ...] = ("valid", "same")) -> str:
    """The padding in lower case."""
    return choice(value, allowed, "padding")


def check_format(config: dict[str, Any], layer: str) -> None:
    """Only channels-last data is translated; the older word for it is ``tf``."""
    if config.get("data_format") not in (None, "channels_last", "tf", "default"):
        raise Refusal(
            "KT102",
            f"`{layer}` with `data_format={config['data_format']!r}` is not supported",
            "use channels_last, as Keras does by default",
        )
    config["data_format"] = "channels_last"


def check_rank(layer: str, spec: TensorSpec, rank: int) -> None:
    """Refuse an input of another rank."""
    if not isinstance(spec, TensorSpec) or spec.rank != rank + 2:
        found = spec.rank if isinstance(spec, TensorSpec) else "several tensors"
        raise Refusal("KT104", f"`{layer}` takes a tensor of rank {rank + 2}, not {found}")


def window_size(size: Dim, kernel: int, stride: int, padding: str, dilation: int = 1) -> Dim:
    """How many windows fit along one axis."""
    if size is None:
        return None
    if padding in ("same", "causal"):
        return size if stride == 1 else scalar_dim((size + (stride - 1)) // stride)
    reach = dilation * (kernel - 1) + 1
    if is_known(size) and size < reach:
        raise Refusal("KT104", f"a window of {reach} does not fit into a size of {size}")
    return scalar_dim((size - reach) // stride + 1 if stride != 1 else size - (reach - 1))


def scalar_dim(value: Scalar) -> Dim:
    """The result of whole-number arithmetic on a size as a size."""
    if isinstance(value, float):
        raise TypeError(f"{value} is not a size")
    return value


def window_shape(
    sizes: tuple[Dim, ...], kernel: tuple[int, ...], stride: tuple[int, ...], padding: str, dilation: tuple[int, ...]
) -> tuple[Dim, ...]:
    """The spatial sizes after sliding a window."""
    axes = zip(sizes, kernel, stride, dilation, strict=True)
    return tuple(window_size(size, k, s, padding, d) for size, k, s, d in axes)


def same_pads(sizes: tuple[Dim, ...], kernel: Any, stride: Any, dilation: Any) -> Pads | None:
    """What ``same`` adds at each side of each axis; None where that needs sizes that are unknown.

    total = max((ceil(n/s) - 1)·s + d·(k - 1) + 1 - n, 0), the smaller half in front.
    """
    pads = []
    for size, k, s, d in zip(sizes, kernel, stride, dilation, strict=True):
        reach = d * (k - 1) + 1
        if s == 1:
            total = reach - 1
        elif is_known(size):
            n = int(size)  # type: ignore[arg-type]
            total = max((-(-n // s) - 1) * s + reach - n, 0)
        elif reach <= 1:
            total = 0
        else:
            return None
        pads.append((total // 2, total - total // 2))
    return tuple(pads)


def symmetric(pads: Pads) -> bool:
    """Whether both sides get the same everywhere."""
    return all(left == right for left, right in pads)


def flat_pads(pads: Pads) -> tuple[int, ...]:
    """In ``F.pad``'s order: from the last axis backwards."""
    return tuple(n for pair in reversed(pads) for n in pair)


def padded(cx: Lowering, x: Value, pads: Pads, value: str = "0") -> Value:
    """``x`` (channels first) with explicit padding of its spatial axes; negative numbers crop."""
    if not any(n for pair in pads for n in pair):
        return x
    flat = flat_pads(pads)
    sizes = tuple(
        None if n is None else scalar_dim(n + a + b) for n, (a, b) in zip(x.spec.shape[1:-1], pads, strict=True)
    )
    spec = TensorSpec((x.spec.shape[0], *sizes, x.spec.shape[-1]), x.spec.dtype)
    rank = len(pads)
    if value == "0":
        template, form = f"F.pad({{0}}, {flat})", f"nn.ZeroPad{rank}d({flat})"
    else:
        template, form = f"F.pad({{0}}, {flat}, value={value})", f"nn.ConstantPad{rank}d({flat}, {value})"
    result: Value = cx.op(template, x, spec, FIRST, module_form=form)
    return result
