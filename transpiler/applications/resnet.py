"""ResNet and ResNetV2 with 50, 101 and 152 layers."""

from __future__ import annotations

from typing import Any

from transpiler.applications.base import Application, Build, Net, Settings, kernels_file, named
from transpiler.graph.keras import Tensor

_DEPTHS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
_FILTERS = (64, 128, 256, 512)
_EPSILON = 1.001e-5
_PAD = ((1, 1), (1, 1))


def _norm(net: Net, x: Tensor, name: str) -> Tensor:
    return net("BatchNormalization", x, axis=3, epsilon=_EPSILON, name=name)


def _norm_relu(net: Net, x: Tensor, name: str) -> Tensor:
    return net("Activation", _norm(net, x, f"{name}_bn"), "relu", name=f"{name}_relu")


def _conv(net: Net, x: Tensor, filters: int, size: int, name: str, **config: Any) -> Tensor:
    return net("Conv2D", x, filters, size, name=f"{name}_conv", **config)


def _block_v1(net: Net, x: Tensor, filters: int, stride: int, shortcut: bool, name: str) -> Tensor:
    skip = x
    if shortcut:
        skip = _norm(net, _conv(net, x, 4 * filters, 1, f"{name}_0", strides=stride), f"{name}_0_bn")
    x = _norm_relu(net, _conv(net, x, filters, 1, f"{name}_1", strides=stride), f"{name}_1")
    x = _norm_relu(net, _conv(net, x, filters, 3, f"{name}_2", padding="same"), f"{name}_2")
    x = _norm(net, _conv(net, x, 4 * filters, 1, f"{name}_3"), f"{name}_3_bn")
    x = net("Add", [skip, x], name=f"{name}_add")
    return net("Activation", x, "relu", name=f"{name}_out")


def _block_v2(net: Net, x: Tensor, filters: int, stride: int, shortcut: bool, name: str) -> Tensor:
    before = _norm_relu(net, x, f"{name}_preact")
    if shortcut:
        skip = _conv(net, before, 4 * filters, 1, f"{name}_0", strides=stride)
    else:
        skip = net("MaxPooling2D", x, 1, strides=stride) if stride > 1 else x
    x = _norm_relu(net, _conv(net, before, filters, 1, f"{name}_1", strides=1, use_bias=False), f"{name}_1")
    x = net("ZeroPadding2D", x, padding=_PAD, name=f"{name}_2_pad")
    x = _norm_relu(net, _conv(net, x, filters, 3, f"{name}_2", strides=stride, use_bias=False), f"{name}_2")
    x = _conv(net, x, 4 * filters, 1, f"{name}_3")
    return net("Add", [skip, x], name=f"{name}_out")


def _stack_v1(net: Net, x: Tensor, filters: int, depth: int, stride: int, name: str) -> Tensor:
    for at in range(1, depth + 1):
        with net.block("residual_block"):
            x = _block_v1(net, x, filters, stride if at == 1 else 1, at == 1, f"{name}_block{at}")
    return x


def _stack_v2(net: Net, x: Tensor, filters: int, depth: int, stride: int, name: str) -> Tensor:
    for at in range(1, depth + 1):
        with net.block("residual_block"):
            x = _block_v2(net, x, filters, stride if at == depth else 1, at == 1, f"{name}_block{at}")
    return x


def _stem(net: Net, x: Tensor, normalized: bool) -> Tensor:
    x = net("ZeroPadding2D", x, padding=((3, 3), (3, 3)), name="conv1_pad")
    x = _conv(net, x, 64, 7, "conv1", strides=2)
    if normalized:
        x = _norm_relu(net, x, "conv1")
    x = net("ZeroPadding2D", x, padding=_PAD, name="pool1_pad")
    return net("MaxPooling2D", x, 3, strides=2, name="pool1_pool")


def _head(net: Net, x: Tensor, settings: Settings) -> Tensor:
    if not settings.include_top:
        return net.pooled(x, settings, "avg_pool", "max_pool")
    return net.classified(net("GlobalAveragePooling2D", x, name="avg_pool"), settings)


def _builder_v1(depths: tuple[int, ...]) -> Build:
    def build(net: Net, x: Tensor, settings: Settings) -> Tensor:
        x = _stem(net, x, normalized=True)
        for at, (filters, depth) in enumerate(zip(_FILTERS, depths, strict=True)):
            x = _stack_v1(net, x, filters, depth, 1 if at == 0 else 2, f"conv{at + 2}")
        return _head(net, x, settings)

    return build


def _builder_v2(depths: tuple[int, ...]) -> Build:
    def build(net: Net, x: Tensor, settings: Settings) -> Tensor:
        x = _stem(net, x, normalized=False)
        for at, (filters, depth) in enumerate(zip(_FILTERS, depths, strict=True)):
            x = _stack_v2(net, x, filters, depth, 1 if at == 3 else 2, f"conv{at + 2}")
        return _head(net, _norm_relu(net, x, "post"), settings)

    return build


NETWORKS = {
    **{f"ResNet{n}": Application(_builder_v1(d), kernels_file(f"resnet{n}"), named(f"resnet{n}"))
       for n, d in _DEPTHS.items()},
    **{f"ResNet{n}V2": Application(_builder_v2(d), kernels_file(f"resnet{n}v2"), named(f"resnet{n}v2"))
       for n, d in _DEPTHS.items()},
}  # fmt: skip
