"""What a network of ``keras.applications`` is: how its call binds, what it takes, and how its layers are made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from transpiler.diagnostics import Refusal
from transpiler.graph.keras import Tensor
from transpiler.graph.symbolic import Dim, is_known, number
from transpiler.rules.base import Param, params

Add = Callable[[str, Any, tuple[Any, ...], dict[str, Any]], Tensor]
Enter = Callable[[str], AbstractContextManager[None]]
Operate = Callable[[str, tuple[Any, ...]], Tensor]

STANDARD = params(
    "include_top=True, weights='imagenet', input_tensor=None, input_shape=None, pooling=None, classes=1000, "
    "classifier_activation='softmax', name=None"
)


@dataclass(frozen=True)
class Settings:
    """A call of a network's function, bound. ``extra`` holds the parameters that only some networks have."""

    name: str
    include_top: bool = True
    weights: str | None = None
    pooling: str | None = None
    classes: int = 1000
    activation: Any = "softmax"
    shape: tuple[int | None, ...] = (None, None, 3)
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def imagenet(self) -> bool:
        """Whether Keras' own weights are asked for."""
        return self.weights == "imagenet"


@dataclass(frozen=True)
class Net:
    """Makes layers: ``net("Conv2D", x, 64, 3, padding="same")`` is ``Conv2D(64, 3, padding="same")(x)``."""

    add: Add
    enter: Enter
    operate: Operate

    def __call__(self, kind: str, inputs: Any, *args: Any, **config: Any) -> Tensor:
        return self.add(kind if "." in kind else f"keras.layers.{kind}", inputs, args, config)

    def op(self, name: str, *args: Any) -> Tensor:
        """An operation on tensors that is no layer: ``net.op("add", x, 3.0)``."""
        return self.operate(f"keras.ops.{name}", args)

    @contextmanager
    def block(self, name: str) -> Iterator[None]:
        """Within: the layers belong to one block of the network."""
        with self.enter(name):
            yield

    def pooled(self, x: Tensor, settings: Settings, *names: str) -> Tensor:
        """The pooling that ends a network without classifier; ``names`` are those of average and maximum, if given."""
        kinds = {"avg": "GlobalAveragePooling2D", "max": "GlobalMaxPooling2D"}
        if settings.pooling not in kinds:
            return x
        name = dict(zip(kinds, names)).get(settings.pooling)  # noqa: B905 - none or both are given
        return self(kinds[settings.pooling], x, **({"name": name} if name else {}))

    def classified(self, x: Tensor, settings: Settings, **config: Any) -> Tensor:
        """The last layer of a classifier."""
        return self("Dense", x, settings.classes, activation=settings.activation, name="predictions", **config)


Build = Callable[[Net, Tensor, Settings], Tensor]


@dataclass(frozen=True)
class Application:
    """One network.

    ``file`` gives the name of Keras' weight file. ``model_name`` is the name of the model where the call gives none.
    ``default_size`` is the height and width where the call gives none; ``sizes`` are others for which there are
    weights. ``widths`` are the values of ``alpha`` that there are weights for. ``any_size``: the size of the images is
    left open also where there is a classifier. ``sized_by_input``: the images' size is that of ``input_tensor``.
    """

    build: Build
    file: Callable[[Settings], str]
    model_name: Callable[[Settings], str]
    signature: tuple[Param, ...] = STANDARD
    default_size: int = 224
    min_size: int = 32
    sizes: tuple[int, ...] = ()
    widths: tuple[float, ...] = ()
    any_size: bool = False
    sized_by_input: bool = False


def kernels_file(stem: str) -> Callable[[Settings], str]:
    """Names of weight files as most networks have them."""

    def name(settings: Settings) -> str:
        return f"{stem}_weights_tf_dim_ordering_tf_kernels{'' if settings.include_top else '_notop'}.h5"

    return name


def named(name: str) -> Callable[[Settings], str]:
    """A model name that is always the same."""
    return lambda settings: name


def checked_shape(
    app: Application, given: tuple[Any, ...] | None, tensor: Tensor | None, settings: Settings
) -> tuple[Any, ...]:
    """The shape of the images that a network takes; refused where Keras would raise."""
    usual = app.default_size
    told = tensor.shape[1:] if given is None and tensor is not None and app.sized_by_input else given
    if told is not None and len(told) == 3 and told[0] == told[1] and told[0] in app.sizes:
        usual = _known(told[0])
    default = (usual, usual, 3)
    if app.any_size:
        _check_given(app, given or (None, None, 3), settings)
        return given or (None, None, 3)
    if settings.imagenet and settings.include_top:
        if given is not None and tuple(given) != default:
            raise Refusal("KT103", f"with its classifier and ImageNet weights, `input_shape` must be {default}")
        return default
    if given is None:
        return default if settings.include_top else (None, None, 3)
    _check_given(app, given, settings)
    return given


def _check_given(app: Application, given: tuple[Any, ...], settings: Settings) -> None:
    if len(given) != 3:
        raise Refusal("KT103", "`input_shape` must have three numbers")
    if settings.imagenet and given[-1] != 3:
        raise Refusal("KT103", f"ImageNet weights are for three channels, not {given[-1]}")
    if any(size is not None and size < app.min_size for size in given[:2]):
        raise Refusal("KT103", f"the images must be at least {app.min_size} by {app.min_size}")
    if settings.include_top and None in given and not app.any_size:
        raise Refusal("KT103", "with `include_top=True` the `input_shape` must be given in full")


def check_settings(app: Application, settings: Settings) -> None:
    """Refuse what Keras refuses when weights are to be loaded."""
    if settings.imagenet and settings.include_top and settings.classes != 1000:
        raise Refusal("KT103", f"ImageNet weights with a classifier are for 1000 classes, not {settings.classes}")
    if settings.weights and settings.include_top and settings.activation not in (None, "softmax", "linear"):
        raise Refusal("KT103", "with pretrained weights `classifier_activation` must be None or 'softmax'")
    if settings.imagenet and app.widths and settings.extra["alpha"] not in app.widths:
        raise Refusal("KT103", f"there are ImageNet weights for `alpha` in {app.widths} only")
    if settings.imagenet and settings.extra.get("minimalistic") and settings.extra["alpha"] != 1.0:
        raise Refusal("KT103", "there are ImageNet weights of the minimalistic network for `alpha=1.0` only")
    if settings.imagenet and settings.extra.get("depth_multiplier", 1) != 1:
        raise Refusal("KT103", "there are ImageNet weights for `depth_multiplier=1` only")


def channels_of(x: Tensor) -> int:
    """The number of channels of a tensor, which must be known."""
    return _known(x.shape[-1])


def _known(size: Dim) -> int:
    if size is None or not is_known(size):
        raise Refusal("KT201", "the sizes of the images must be known where this network is built")
    return int(number(size))


def pad_before_stride(x: Tensor, kernel_size: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """The zero padding that Keras puts before a convolution with stride 2, so that even sizes are halved."""
    even = tuple(1 if size is None else 1 - _known(size) % 2 for size in x.shape[1:3])
    half = kernel_size // 2
    return (half - even[0], half), (half - even[1], half)


def divisible(value: float, divisor: int = 8) -> int:
    """The multiple of ``divisor`` next to a width, no more than a tenth below it."""
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return int(rounded + divisor if rounded < 0.9 * value else rounded)
