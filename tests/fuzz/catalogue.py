# ruff: noqa: E501 - one form of code on one line
"""Constructor calls of Keras layers with random arguments, by the rank of what they are called on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

Shape = tuple[int, ...]  # without the batch
Maker = Callable[[Random, Shape], str]

ACTIVATIONS = (
    "relu", "tanh", "sigmoid", "elu", "selu", "gelu", "swish", "softplus", "softsign", "softmax", "hard_sigmoid",
    "leaky_relu", "linear", "mish", "relu6", "silu", "log_softmax", "hard_silu", "exponential",
)  # fmt: skip


def maybe(rng: Random, text: str, chance: float = 0.5) -> str:
    """One more argument, or none."""
    return f", {text}" if rng.random() < chance else ""


def activation(rng: Random, chance: float = 0.5) -> str:
    return maybe(rng, f'activation="{rng.choice(ACTIVATIONS)}"', chance)


def _size(rng: Random, rank: int, low: int, high: int) -> str:
    if rank == 1 or rng.random() < 0.6:
        return str(rng.randint(low, high))
    return f"({', '.join(str(rng.randint(low, high)) for _ in range(rank))})"


def _bias(rng: Random) -> str:
    return maybe(rng, "use_bias=False", 0.25)


def _padding(rng: Random, chance: float = 0.6) -> str:
    return maybe(rng, 'padding="same"', chance)


def dense(rng: Random, shape: Shape) -> str:
    return f"layers.Dense({rng.randint(1, 8)}{activation(rng)}{_bias(rng)})"


def batch_norm(rng: Random, shape: Shape) -> str:
    axis = f"axis={rng.choice([-1, 1, len(shape)])}, " if rng.random() < 0.25 else ""
    center, scale = maybe(rng, "center=False", 0.2), maybe(rng, "scale=False", 0.2)
    return f"layers.BatchNormalization({axis}epsilon={rng.choice([1e-3, 1e-5, 0.01])}{center}{scale})"


def layer_norm(rng: Random, shape: Shape) -> str:
    return f"layers.LayerNormalization(epsilon={rng.choice([1e-3, 1e-6])}{maybe(rng, 'center=False', 0.2)})"


def group_norm(rng: Random, shape: Shape) -> str:
    groups = rng.choice([g for g in range(1, shape[-1] + 1) if shape[-1] % g == 0] + [-1])
    return f"layers.GroupNormalization(groups={groups})"


def same_shape(rng: Random, shape: Shape) -> str:
    """Anything that works elementwise or over the features, on any rank."""
    plain = (
        f'layers.Activation("{rng.choice(ACTIVATIONS)}")', "layers.ReLU()", "layers.ReLU(max_value=6)",
        "layers.ReLU(negative_slope=0.1, threshold=0.2)", "layers.LeakyReLU()", "layers.LeakyReLU(negative_slope=0.1)",
        "layers.PReLU()", "layers.ELU(alpha=0.5)", "layers.Softmax()", "layers.Dropout(0.3)", "layers.UnitNormalization()",
        "layers.GaussianNoise(0.1)", "layers.Rescaling(0.5, offset=0.1)", "layers.AlphaDropout(0.2)", "layers.RMSNormalization()",
        "layers.Identity()", f"layers.Softmax(axis={rng.randint(1, len(shape))})",
        "layers.GaussianDropout(0.2)",
    )  # fmt: skip
    return rng.choice(plain)


def lambdas(rng: Random, shape: Shape) -> str:
    axis = rng.randint(1, len(shape))
    bodies = (
        "t * 2 + 1", "t - 0.5", "1 - t", "keras.ops.tanh(t)", "t / 3.0", "keras.ops.square(t) * 0.5", "-t",
        f"keras.ops.mean(t, axis={axis}, keepdims=True)", f"keras.ops.max(t, axis={axis}, keepdims=True)",
        f"keras.ops.softmax(t, axis={axis})", "keras.ops.abs(t) + 1", f"keras.ops.flip(t, axis={axis})",
        f"keras.ops.cumsum(t, axis={axis})", f"keras.ops.concatenate([t, t], axis={axis})", "keras.ops.clip(t, -1, 1)",
        f"keras.ops.sum(t, axis={axis - 1 - len(shape)}, keepdims=True)", "t[..., :1]", "t[:, :1]", "t[..., ::2]",
        f"keras.ops.repeat(t, 2, axis={axis})", f"t - keras.ops.mean(t, axis={axis}, keepdims=True)",
        f"keras.ops.roll(t, 1, axis={axis})", "keras.ops.where(t > 0, t, t * 0.1)", "keras.ops.maximum(t, 0.1)",
    )  # fmt: skip
    return f"layers.Lambda(lambda t: {rng.choice(bodies)})"


def reshape(rng: Random, shape: Shape) -> str:
    size = 1
    for n in shape:
        size *= n
    divisors = [d for d in range(1, size + 1) if size % d == 0]
    first = rng.choice(divisors)
    rest = size // first
    second = rng.choice([d for d in divisors if rest % d == 0])
    free = rng.random() < 0.3
    targets = (
        (size,), (-1 if free else first, rest), (first, -1 if free else second, rest // second), (first, second, rest // second),
    )  # fmt: skip
    target = rng.choice(targets)
    return f"layers.Reshape({target!r})"


def flatten(rng: Random, shape: Shape) -> str:
    return "layers.Flatten()"


def permute(rng: Random, shape: Shape) -> str:
    order = list(range(1, len(shape) + 1))
    rng.shuffle(order)
    return f"layers.Permute({tuple(order)!r})"


def _conv_of(rank: int) -> Maker:
    def make(rng: Random, shape: Shape) -> str:
        strides, dilation = "", ""
        if rng.random() < 0.4:
            strides = f", strides={_size(rng, rank, 1, 3)}"
        elif rng.random() < 0.3:
            dilation = f", dilation_rate={rng.randint(1, 2)}"
        padding = ', padding="causal"' if rank == 1 and rng.random() < 0.3 else _padding(rng)
        groups = [g for g in (1, 2, 3) if shape[-1] % g == 0]
        group = rng.choice(groups) if rng.random() < 0.2 else 1
        filters = rng.randint(1, 4) * group
        grouped = f", groups={group}" if group > 1 else ""
        kernel = _size(rng, rank, 1, 4)
        return (
            f"layers.Conv{rank}D({filters}, {kernel}{strides}{padding}{dilation}{grouped}{activation(rng)}{_bias(rng)})"
        )

    return make


def _transposed_of(rank: int) -> Maker:
    def make(rng: Random, shape: Shape) -> str:
        call = f"{rng.randint(1, 4)}, {_size(rng, rank, 1, 4)}, strides={rng.randint(1, 3)}{_padding(rng)}"
        return f"layers.Conv{rank}DTranspose({call}{activation(rng, 0.3)}{_bias(rng)})"

    return make


def _separable_of(rank: int) -> Maker:
    def make(rng: Random, shape: Shape) -> str:
        call = f"{rng.randint(1, 5)}, {rng.randint(1, 3)}{maybe(rng, 'strides=2', 0.3)}{_padding(rng)}"
        more = f"{maybe(rng, 'depth_multiplier=2', 0.3)}{activation(rng, 0.3)}{_bias(rng)}"
        return f"layers.SeparableConv{rank}D({call}{more})"

    return make


def _depthwise_of(rank: int) -> Maker:
    def make(rng: Random, shape: Shape) -> str:
        call = f"{rng.randint(1, 3)}{maybe(rng, 'strides=2', 0.3)}{_padding(rng)}"
        more = f"{maybe(rng, 'depth_multiplier=2', 0.3)}{activation(rng, 0.3)}{_bias(rng)}"
        return f"layers.DepthwiseConv{rank}D({call}{more})"

    return make


def _pool_of(rank: int) -> Maker:
    def make(rng: Random, shape: Shape) -> str:
        if rng.random() < 0.6:
            call = f"{_size(rng, rank, 1, 3)}{maybe(rng, f'strides={rng.randint(1, 3)}', 0.4)}{_padding(rng, 0.4)}"
            return f"layers.MaxPooling{rank}D({call})"
        # With padding="same" Keras' torch backend is itself wrong where the padding is not symmetric.
        return (
            f"layers.AveragePooling{rank}D({_size(rng, rank, 1, 3)}{maybe(rng, f'strides={rng.randint(1, 3)}', 0.4)})"
        )

    return make


def _global_of(rank: int) -> Maker:
    def make(rng: Random, shape: Shape) -> str:
        keep = "keepdims=True" if rng.random() < 0.3 else ""
        return f"layers.Global{rng.choice(['Max', 'Average'])}Pooling{rank}D({keep})"

    return make


def _space_of(rank: int) -> Maker:
    def make(rng: Random, shape: Shape) -> str:
        pads = [f"({rng.randint(0, 2)}, {rng.randint(0, 2)})" for _ in range(rank)]
        amount = f"({', '.join(pads)})" if rank > 1 else pads[0]
        plain = [f"ZeroPadding{rank}D({amount})", f"Cropping{rank}D({amount})", f"SpatialDropout{rank}D(0.2)"]
        plain.append(f"UpSampling{rank}D({_size(rng, rank, 1, 3) if rank > 1 else 2})")
        if rank == 2:
            plain.append(f'UpSampling2D({rng.randint(1, 3)}, interpolation="bilinear")')
            plain.append(f"PReLU(shared_axes={rng.choice([[1, 2], [1], [2, 3], [1, 2, 3], [3]])})")
        return f"layers.{rng.choice(plain)}"

    return make


def recurrent(rng: Random, shape: Shape, *, sequences: bool | None = None) -> str:
    kind = rng.choice(["LSTM", "LSTM", "GRU", "GRU", "SimpleRNN"])
    every = rng.random() < 0.6 if sequences is None else sequences
    more = ", return_sequences=True" if every else ""
    more += activation(rng, 0.2) + _bias(rng)
    if kind != "SimpleRNN":
        more += maybe(rng, 'recurrent_activation="hard_sigmoid"', 0.15)
    if kind == "GRU":
        more += maybe(rng, "reset_after=False", 0.3)
    cell = f"layers.{kind}({rng.randint(1, 5)}{more}"
    if rng.random() < 0.35:
        mode = rng.choice(["concat", "sum", "mul", "ave"])
        return f"layers.Bidirectional({cell}), merge_mode={mode!r})"
    return f"{cell}{maybe(rng, 'go_backwards=True', 0.2)})"


def time_distributed(rng: Random, shape: Shape) -> str:
    inner = {
        1: (dense, batch_norm, same_shape),
        2: (flatten, recurrent, _conv_of(1), dense),
        3: (flatten, _conv_of(2), _global_of(2)),
    }
    return f"layers.TimeDistributed({rng.choice(inner[len(shape) - 1])(rng, shape[1:])})"


def repeat(rng: Random, shape: Shape) -> str:
    return f"layers.RepeatVector({rng.randint(1, 4)})"


ANYWHERE: tuple[Maker, ...] = (dense, batch_norm, layer_norm, same_shape, same_shape, lambdas, lambdas, reshape)
UNARY: dict[int, tuple[Maker, ...]] = {
    1: (*ANYWHERE, dense, dense, repeat),
    2: (
        *ANYWHERE, group_norm, flatten, permute, recurrent, recurrent, recurrent, time_distributed, _conv_of(1), _conv_of(1),
        _transposed_of(1), _separable_of(1), _depthwise_of(1), _pool_of(1), _global_of(1), _space_of(1),
    ),
    3: (
        *ANYWHERE, group_norm, flatten, flatten, permute, time_distributed, _conv_of(2), _conv_of(2), _conv_of(2),
        _transposed_of(2), _separable_of(2), _depthwise_of(2), _pool_of(2), _pool_of(2), _global_of(2), _space_of(2),
    ),
    4: (
        *ANYWHERE, flatten, permute, _conv_of(3), _conv_of(3), _pool_of(3), _global_of(3), _space_of(3), _transposed_of(3),
        time_distributed,
    ),
}  # fmt: skip
KEEPING: tuple[Maker, ...] = (batch_norm, layer_norm, same_shape, same_shape)


def layer(rng: Random, shape: Shape) -> str:
    """A layer that such a tensor may go through."""
    return rng.choice(UNARY[len(shape)])(rng, shape)


def keeping(rng: Random, shape: Shape) -> str:
    """A layer after which the shape is what it was."""
    channels = shape[-1]
    more: Sequence[str] = (f"layers.Dense({channels}{activation(rng)})",)
    if len(shape) in (2, 3):
        more = (
            *more,
            f'layers.Conv{len(shape) - 1}D({channels}, {rng.randint(1, 4)}, padding="same"{activation(rng)})',
        )
    if len(shape) == 2:
        more = (*more, f"layers.GRU({channels}, return_sequences=True)")
    return rng.choice(more) if rng.random() < 0.5 else rng.choice(KEEPING)(rng, shape)
