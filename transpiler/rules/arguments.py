"""Arguments that layers share: sizes per axis, padding, data format, and the weights' settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transpiler.diagnostics import Refusal
from transpiler.graph.symbolic import Dim, Expr, is_known, number
from transpiler.rules.constraints import constraint
from transpiler.rules.initializers import initializer
from transpiler.rules.regularizers import regularizer


def per_axis(value: Any, rank: int, what: str, least: int = 1) -> tuple[int, ...]:
    """``3`` → ``(3, 3)``; checks length and range as Keras does."""
    items = tuple(value) if isinstance(value, (tuple, list)) else (value,) * rank
    items = tuple(number(item) if isinstance(item, Expr) else item for item in items)
    if len(items) != rank or not all(isinstance(item, int) and item >= least for item in items):
        raise Refusal("KT103", f"`{what}` must be {rank} integers from {least} up, not {value!r}")
    return items


def choice(value: Any, allowed: tuple[str, ...], what: str) -> str:
    """A word in lower case out of a fixed set."""
    word = value.lower() if isinstance(value, str) else value
    if word not in allowed:
        raise Refusal("KT103", f"`{what}` must be one of {', '.join(allowed)}, not {value!r}")
    return str(word)


def data_format(value: Any) -> str:
    """``channels_last`` or ``channels_first``, from any generation's spelling."""
    spellings = {None: "channels_last", "tf": "channels_last", "th": "channels_first", "default": "channels_last"}
    return choice(spellings.get(value, value), ("channels_last", "channels_first"), "data_format")


def refuse_given(config: Mapping[str, Any], symbol: str, *names: str) -> None:
    """Refuse arguments that have no translation where they are given at all."""
    for name in names:
        if config.get(name) not in (None, False):
            raise Refusal("KT102", f"`{name}` of `{symbol.rpartition('.')[2]}` is not supported")


def settings(config: Mapping[str, Any], *keys: tuple[str, str], fans: Any = None) -> dict[str, dict[str, Any]]:
    """Initialisers, regularisers and constraints of a module: ``("kernel", "weight")`` names Keras' and torch's key.

    ``fans`` holds for the first key.
    """
    tables: dict[str, dict[str, Any]] = {"initializers": {}, "regularizers": {}, "constraints": {}}
    for place, (name, key) in enumerate(keys):
        tables["initializers"][key] = initializer(config.get(f"{name}_initializer"), fans if place == 0 else None)
        tables["regularizers"][key] = regularizer(config.get(f"{name}_regularizer"))
        tables["constraints"][key] = constraint(config.get(f"{name}_constraint"))
    return tables


def channel_axis(config: Mapping[str, Any], rank: int) -> int:
    """Where the channels lie in Keras' shape."""
    return 1 if config.get("data_format") == "channels_first" else rank - 1


def spatial_axes(config: Mapping[str, Any], rank: int) -> range:
    """The axes between batch and channels (or after them, channels first) in Keras' shape."""
    return range(2, rank) if config.get("data_format") == "channels_first" else range(1, rank - 1)


def check_rank(symbol: str, shape: tuple[Dim, ...], rank: int) -> None:
    """Refuse an input of another rank than the layer takes."""
    if len(shape) != rank:
        name = symbol.rpartition(".")[2]
        raise Refusal("KT104", f"`{name}` takes an input of rank {rank} (with the batch), not of rank {len(shape)}")


def window_output(n: Dim, window: int, stride: int, padding: str) -> Dim:
    """The output size of a sliding window of (dilated) size ``window``."""
    if n is None:
        return None
    if padding in ("same", "causal"):
        return n if stride == 1 else (n + (stride - 1)) // stride  # type: ignore[return-value]
    size = n - (window - 1)
    if is_known(size) and number(size) <= 0:  # type: ignore[arg-type]
        raise Refusal("KT104", f"a window of {window} does not fit into a size of {n}")
    return size if stride == 1 else (size - 1) // stride + 1  # type: ignore[return-value, operator]


def same_padding(n: Dim, window: int, stride: int) -> tuple[int, int] | None:
    """Padding before and after for ``same``; None where it depends on a size that is not known."""
    if stride == 1:
        total = window - 1
    elif not is_known(n) or n is None:
        return None
    else:
        size = int(number(n))
        total = max((-(-size // stride) - 1) * stride + window - size, 0)
    return total // 2, total - total // 2
