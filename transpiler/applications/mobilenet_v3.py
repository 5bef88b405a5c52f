"""MobileNetV3, small and large."""

from __future__ import annotations

from dataclasses import dataclass

from transpiler.applications.base import (
    Application,
    Build,
    Net,
    Settings,
    channels_of,
    divisible,
    named,
    pad_before_stride,
)
from transpiler.graph.keras import Tensor
from transpiler.rules.base import params


@dataclass(frozen=True)
class Block:
    """An inverted residual block. ``wide``: its kernel is 5 where the network is not minimalistic."""

    expansion: float
    filters: int
    stride: int = 1
    wide: bool = False
    excited: bool = False
    swish: bool = True


_SMALL = (
    Block(1, 16, 2, excited=True, swish=False),
    Block(72.0 / 16, 24, 2, swish=False),
    Block(88.0 / 24, 24, swish=False),
    Block(4, 40, 2, wide=True, excited=True),
    *[Block(6, 40, wide=True, excited=True)] * 2,
    *[Block(3, 48, wide=True, excited=True)] * 2,
    Block(6, 96, 2, wide=True, excited=True),
    *[Block(6, 96, wide=True, excited=True)] * 2,
)
_LARGE = (
    Block(1, 16, swish=False),
    Block(4, 24, 2, swish=False),
    Block(3, 24, swish=False),
    Block(3, 40, 2, wide=True, excited=True, swish=False),
    *[Block(3, 40, wide=True, excited=True, swish=False)] * 2,
    Block(6, 80, 2),
    Block(2.5, 80),
    *[Block(2.3, 80)] * 2,
    *[Block(6, 112, excited=True)] * 2,
    Block(6, 160, 2, wide=True, excited=True),
    *[Block(6, 160, wide=True, excited=True)] * 2,
)


def _activated(net: Net, x: Tensor, swish: bool) -> Tensor:
    return net("Activation", x, "hard_swish") if swish else net("ReLU", x)


def _norm(net: Net, x: Tensor, name: str) -> Tensor:
    return net("BatchNormalization", x, axis=-1, epsilon=1e-3, momentum=0.999, name=name)


def _conv_norm(net: Net, x: Tensor, filters: int, name: str, norm: str) -> Tensor:
    return _norm(net, net("Conv2D", x, filters, kernel_size=1, padding="same", use_bias=False, name=name), norm)


def _excited(net: Net, x: Tensor, filters: int, prefix: str) -> Tensor:
    """Squeeze and excitation with a hard sigmoid."""
    name = f"{prefix}squeeze_excite_"
    gate = net("GlobalAveragePooling2D", x, keepdims=True, name=f"{name}avg_pool")
    gate = net("Conv2D", gate, divisible(filters * 0.25), kernel_size=1, padding="same", name=f"{name}conv")
    gate = net("ReLU", gate, name=f"{name}relu")
    gate = net("Conv2D", gate, filters, kernel_size=1, padding="same", name=f"{name}conv_1")
    gate = net.op("multiply", net("ReLU", net.op("add", gate, 3.0), 6.0), 1.0 / 6.0)
    return net("Multiply", [x, gate], name=f"{name}mul")


def _inverted(net: Net, x: Tensor, block: Block, number: int, settings: Settings) -> Tensor:
    plain = bool(settings.extra["minimalistic"])
    swish = block.swish and not plain
    kernel = 5 if block.wide and not plain else 3
    filters, channels, shortcut = divisible(block.filters * settings.extra["alpha"]), channels_of(x), x
    expanded = divisible(channels * block.expansion)
    prefix = f"expanded_conv_{number}_" if number else "expanded_conv_"
    if number:
        x = _activated(net, _conv_norm(net, x, expanded, f"{prefix}expand", f"{prefix}expand_bn"), swish)
    if block.stride == 2:
        x = net("ZeroPadding2D", x, padding=pad_before_stride(x, kernel), name=f"{prefix}depthwise_pad")
    padding = "same" if block.stride == 1 else "valid"
    x = net(
        "DepthwiseConv2D", x, kernel, strides=block.stride, padding=padding, use_bias=False, name=f"{prefix}depthwise"
    )
    x = _activated(net, _norm(net, x, f"{prefix}depthwise_bn"), swish)
    if block.excited and not plain:
        x = _excited(net, x, expanded, prefix)
    x = _conv_norm(net, x, filters, f"{prefix}project", f"{prefix}project_bn")
    return net("Add", [shortcut, x], name=f"{prefix}add") if block.stride == 1 and channels == filters else x


def _head(net: Net, x: Tensor, width: int, settings: Settings) -> Tensor:
    x = net("GlobalAveragePooling2D", x, keepdims=True)
    x = net("Conv2D", x, width, kernel_size=1, padding="same", use_bias=True, name="conv_2")
    x = _activated(net, x, not settings.extra["minimalistic"])
    if settings.extra["dropout_rate"] > 0:
        x = net("Dropout", x, settings.extra["dropout_rate"])
    x = net("Flatten", net("Conv2D", x, settings.classes, kernel_size=1, padding="same", name="logits"))
    return net("Activation", x, settings.activation, name="predictions")


def _builder(blocks: tuple[Block, ...], width: int) -> Build:
    def build(net: Net, x: Tensor, settings: Settings) -> Tensor:
        swish, alpha = not settings.extra["minimalistic"], settings.extra["alpha"]
        if settings.extra["include_preprocessing"]:
            x = net("Rescaling", x, scale=1.0 / 127.5, offset=-1.0)
        x = net("Conv2D", x, 16, kernel_size=3, strides=(2, 2), padding="same", use_bias=False, name="conv")
        x = _activated(net, _norm(net, x, "conv_bn"), swish)
        for number, block in enumerate(blocks):
            with net.block("inverted_residual"):
                x = _inverted(net, x, block, number, settings)
        x = _activated(net, _conv_norm(net, x, divisible(channels_of(x) * 6), "conv_1", "conv_1_bn"), swish)
        if not settings.include_top:
            return net.pooled(x, settings, "avg_pool", "max_pool")
        return _head(net, x, divisible(width * alpha) if alpha > 1.0 else width, settings)

    return build


def _network(kind: str, blocks: tuple[Block, ...], width: int) -> Application:
    def file(settings: Settings) -> str:
        plain = "_minimalistic" if settings.extra["minimalistic"] else ""
        ending = "" if settings.include_top else "_no_top_v2"
        return f"weights_mobilenet_v3_{kind.lower()}{plain}_224_{settings.extra['alpha']}_float{ending}.h5"

    return Application(
        _builder(blocks, width),
        file,
        named(f"MobileNetV3{kind}"),
        params(
            "input_shape=None, alpha=1.0, minimalistic=False, include_top=True, weights='imagenet', "
            "input_tensor=None, classes=1000, pooling=None, dropout_rate=0.2, classifier_activation='softmax', "
            "include_preprocessing=True, name=None"
        ),
        widths=(0.75, 1.0),
        any_size=True,
    )


NETWORKS = {
    "MobileNetV3Small": _network("Small", _SMALL, 1024),
    "MobileNetV3Large": _network("Large", _LARGE, 1280),
}
