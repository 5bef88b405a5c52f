"""Xception."""

from __future__ import annotations

from transpiler.applications.base import Application, Net, Settings, kernels_file, named
from transpiler.graph.keras import Tensor


def _separable(net: Net, x: Tensor, filters: int, name: str) -> Tensor:
    x = net("SeparableConv2D", x, filters, (3, 3), padding="same", use_bias=False, name=name)
    return net("BatchNormalization", x, axis=-1, name=f"{name}_bn")


def _relu(net: Net, x: Tensor, name: str) -> Tensor:
    return net("Activation", x, "relu", name=f"{name}_act")


def _shortcut(net: Net, x: Tensor, filters: int) -> Tensor:
    x = net("Conv2D", x, filters, (1, 1), strides=(2, 2), padding="same", use_bias=False)
    return net("BatchNormalization", x, axis=-1)


def _halved(net: Net, x: Tensor, filters: tuple[int, int], number: int) -> Tensor:
    """Two separable convolutions and a pooling beside a strided shortcut."""
    with net.block("strided_block"):
        name = f"block{number}_sepconv"
        residual = _shortcut(net, x, filters[1])
        if number > 2:
            x = _relu(net, x, f"{name}1")
        x = _separable(net, x, filters[0], f"{name}1")
        x = _separable(net, _relu(net, x, f"{name}2"), filters[1], f"{name}2")
        x = net("MaxPooling2D", x, (3, 3), strides=(2, 2), padding="same", name=f"block{number}_pool")
        return net("Add", [x, residual])


def _middle(net: Net, x: Tensor, number: int) -> Tensor:
    with net.block("middle_block"):
        residual = x
        for at in range(1, 4):
            name = f"block{number}_sepconv{at}"
            x = _separable(net, _relu(net, x, name), 728, name)
        return net("Add", [x, residual])


def _build(net: Net, x: Tensor, settings: Settings) -> Tensor:
    for at, (filters, stride) in enumerate(((32, (2, 2)), (64, (1, 1))), 1):
        name = f"block1_conv{at}"
        x = net("Conv2D", x, filters, (3, 3), strides=stride, use_bias=False, name=name)
        x = _relu(net, net("BatchNormalization", x, axis=-1, name=f"{name}_bn"), name)
    for number, width in enumerate((128, 256, 728), 2):
        x = _halved(net, x, (width, width), number)
    for number in range(5, 13):
        x = _middle(net, x, number)
    x = _halved(net, x, (728, 1024), 13)
    for at, filters in enumerate((1536, 2048), 1):
        name = f"block14_sepconv{at}"
        x = _relu(net, _separable(net, x, filters, name), name)
    if not settings.include_top:
        return net.pooled(x, settings)
    return net.classified(net("GlobalAveragePooling2D", x, name="avg_pool"), settings)


NETWORKS = {"Xception": Application(_build, kernels_file("xception"), named("xception"), default_size=299, min_size=71)}
