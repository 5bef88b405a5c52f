"""EfficientNetV2: B0 to B3, S, M and L."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from transpiler.applications.base import Application, Build, Net, Settings, named
from transpiler.applications.efficientnet import CONV_INIT, DENSE_INIT, excited
from transpiler.diagnostics import Refusal
from transpiler.graph.keras import Tensor
from transpiler.rules.base import params


@dataclass(frozen=True)
class Stage:
    """A row of equal blocks. ``fused``: one convolution instead of an expansion and a depthwise one."""

    repeats: int
    filters_in: int
    filters_out: int
    expansion: int
    stride: int
    fused: bool = False

    @property
    def squeezed(self) -> int:
        """The width of squeeze and excitation."""
        return max(1, int(self.filters_in * 0.25))


_BASE = (
    Stage(1, 32, 16, 1, 1, fused=True),
    Stage(2, 16, 32, 4, 2, fused=True),
    Stage(2, 32, 48, 4, 2, fused=True),
    Stage(3, 48, 96, 4, 2),
    Stage(5, 96, 112, 6, 1),
    Stage(8, 112, 192, 6, 2),
)
_S = (
    Stage(2, 24, 24, 1, 1, fused=True),
    Stage(4, 24, 48, 4, 2, fused=True),
    Stage(4, 48, 64, 4, 2, fused=True),
    Stage(6, 64, 128, 4, 2),
    Stage(9, 128, 160, 6, 1),
    Stage(15, 160, 256, 6, 2),
)
_M = (
    Stage(3, 24, 24, 1, 1, fused=True),
    Stage(5, 24, 48, 4, 2, fused=True),
    Stage(5, 48, 80, 4, 2, fused=True),
    Stage(7, 80, 160, 4, 2),
    Stage(14, 160, 176, 6, 1),
    Stage(18, 176, 304, 6, 2),
    Stage(5, 304, 512, 6, 1),
)
_L = (
    Stage(4, 32, 32, 1, 1, fused=True),
    Stage(7, 32, 64, 4, 2, fused=True),
    Stage(7, 64, 96, 4, 2, fused=True),
    Stage(10, 96, 192, 4, 2),
    Stage(19, 192, 224, 6, 1),
    Stage(25, 224, 384, 6, 2),
    Stage(7, 384, 640, 6, 1),
)
_MEAN = [0.485, 0.456, 0.406]
_VARIANCE = [0.229**2, 0.224**2, 0.225**2]


@dataclass(frozen=True)
class Size:
    """One of the seven sizes."""

    stages: tuple[Stage, ...]
    images: int
    width: float = 1.0
    depth: float = 1.0
    centred: bool = False  # the images are scaled by ImageNet's statistics

    def filters(self, count: int) -> int:
        """A number of filters at this width."""
        return max(8, int(count * self.width + 4) // 8 * 8)

    def blocks(self) -> list[tuple[str, Stage]]:
        """Every block with its name, scaled."""
        found = []
        for number, stage in enumerate(self.stages, 1):
            first = replace(
                stage, filters_in=self.filters(stage.filters_in), filters_out=self.filters(stage.filters_out)
            )
            for at in range(math.ceil(self.depth * stage.repeats)):
                block = first if at == 0 else replace(first, filters_in=first.filters_out, stride=1)
                found.append((f"block{number}{chr(at + 97)}_", block))
        return found


def _conv(net: Net, x: Tensor, filters: int, size: int, stride: int, name: str, **config: Any) -> Tensor:
    return net(
        "Conv2D", x, filters, size, strides=stride, kernel_initializer=CONV_INIT, padding="same", use_bias=False,
        name=name, **config,
    )  # fmt: skip


def _norm(net: Net, x: Tensor, name: str) -> Tensor:
    return net("BatchNormalization", x, axis=3, momentum=0.9, name=f"{name}bn")


def _norm_swish(net: Net, x: Tensor, name: str) -> Tensor:
    return net("Activation", _norm(net, x, name), "swish", name=f"{name}activation")


def _expanded(net: Net, x: Tensor, stage: Stage, name: str) -> Tensor:
    filters = stage.filters_in * stage.expansion
    if stage.fused:
        if stage.expansion == 1:
            return x
        return _norm_swish(net, _conv(net, x, filters, 3, stage.stride, f"{name}expand_conv"), f"{name}expand_")
    if stage.expansion != 1:
        x = _norm_swish(net, _conv(net, x, filters, 1, 1, f"{name}expand_conv"), f"{name}expand_")
    x = net(
        "DepthwiseConv2D", x, kernel_size=3, strides=stage.stride, depthwise_initializer=CONV_INIT, padding="same",
        use_bias=False, name=f"{name}dwconv2",
    )  # fmt: skip
    return excited(net, _norm_swish(net, x, name), stage.squeezed, filters, name)


def _block(net: Net, inputs: Tensor, stage: Stage, drop: float, name: str) -> Tensor:
    x = _expanded(net, inputs, stage, name)
    whole = stage.fused and stage.expansion == 1
    size, stride = (3, stage.stride) if whole else (1, 1)
    x = _norm(net, _conv(net, x, stage.filters_out, size, stride, f"{name}project_conv"), f"{name}project_")
    if whole:
        x = net("Activation", x, "swish", name=f"{name}project_activation")
    if stage.stride != 1 or stage.filters_in != stage.filters_out:
        return x
    if drop:
        x = net("Dropout", x, drop, noise_shape=(None, 1, 1, 1), name=f"{name}drop")
    return net("Add", [x, inputs], name=f"{name}add")


def _scaled(net: Net, x: Tensor, size: Size, settings: Settings) -> Tensor:
    if size.centred and settings.shape[-1] == 3:
        x = net("Rescaling", x, scale=1.0 / 255)
        return net("Normalization", x, mean=_MEAN, variance=_VARIANCE, axis=3)
    return net("Rescaling", x, scale=1.0 / 128.0, offset=-1)


def _builder(size: Size, name: str) -> Build:
    def build(net: Net, x: Tensor, settings: Settings) -> Tensor:
        if settings.name != name:
            raise Refusal("KT103", f"Keras takes no other `name` for this network than {name!r}")
        if settings.extra["include_preprocessing"]:
            x = _scaled(net, x, size, settings)
        blocks = size.blocks()
        x = _norm_swish(net, _conv(net, x, size.filters(size.stages[0].filters_in), 3, 2, "stem_conv"), "stem_")
        total = float(sum(stage.repeats for stage in size.stages))
        for at, (block, stage) in enumerate(blocks):
            with net.block("fused_block" if stage.fused else "inverted_residual"):
                x = _block(net, x, stage, 0.2 * at / total, block)
        x = _norm_swish(net, _conv(net, x, size.filters(1280), 1, 1, "top_conv"), "top_")
        if not settings.include_top:
            return net.pooled(x, settings, "avg_pool", "max_pool")
        x = net("GlobalAveragePooling2D", x, name="avg_pool")
        x = net("Dropout", x, 0.2, name="top_dropout")
        return net.classified(x, settings, kernel_initializer=DENSE_INIT, bias_initializer="zeros")

    return build


_SIZES = {
    "B0": Size(_BASE, 224, centred=True),
    "B1": Size(_BASE, 240, 1.0, 1.1, centred=True),
    "B2": Size(_BASE, 260, 1.1, 1.2, centred=True),
    "B3": Size(_BASE, 300, 1.2, 1.4, centred=True),
    "S": Size(_S, 384),
    "M": Size(_M, 480),
    "L": Size(_L, 480),
}


def _network(key: str, size: Size) -> Application:
    name = f"efficientnetv2-{key.lower()}"
    return Application(
        _builder(size, name),
        lambda settings: f"{name}{'' if settings.include_top else '_notop'}.h5",
        named(name),
        params(
            "include_top=True, weights='imagenet', input_tensor=None, input_shape=None, pooling=None, classes=1000, "
            "classifier_activation='softmax', include_preprocessing=True, name=None"
        ),
        default_size=size.images,
    )


NETWORKS = {f"EfficientNetV2{key}": _network(key, size) for key, size in _SIZES.items()}
