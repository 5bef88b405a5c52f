"""DenseNet with 121, 169 and 201 layers."""

from __future__ import annotations

from transpiler.applications.base import Application, Build, Net, Settings, channels_of, kernels_file, named
from transpiler.graph.keras import Tensor

_BLOCKS = {121: (6, 12, 24, 16), 169: (6, 12, 32, 32), 201: (6, 12, 48, 32)}
_GROWTH = 32


def _norm_relu(net: Net, x: Tensor, name: str) -> Tensor:
    x = net("BatchNormalization", x, axis=3, epsilon=1.001e-5, name=f"{name}bn")
    return net("Activation", x, "relu", name=f"{name}relu")


def _dense_layer(net: Net, x: Tensor, name: str) -> Tensor:
    made = _norm_relu(net, x, f"{name}_0_")
    made = net("Conv2D", made, 4 * _GROWTH, 1, use_bias=False, name=f"{name}_1_conv")
    made = _norm_relu(net, made, f"{name}_1_")
    made = net("Conv2D", made, _GROWTH, 3, padding="same", use_bias=False, name=f"{name}_2_conv")
    return net("Concatenate", [x, made], axis=3, name=f"{name}_concat")


def _transition(net: Net, x: Tensor, name: str) -> Tensor:
    x = _norm_relu(net, x, f"{name}_")
    x = net("Conv2D", x, int(channels_of(x) * 0.5), 1, use_bias=False, name=f"{name}_conv")
    return net("AveragePooling2D", x, 2, strides=2, name=f"{name}_pool")


def _builder(blocks: tuple[int, ...]) -> Build:
    def build(net: Net, x: Tensor, settings: Settings) -> Tensor:
        x = net("ZeroPadding2D", x, padding=((3, 3), (3, 3)))
        x = _norm_relu(net, net("Conv2D", x, 64, 7, strides=2, use_bias=False, name="conv1_conv"), "conv1_")
        x = net("ZeroPadding2D", x, padding=((1, 1), (1, 1)))
        x = net("MaxPooling2D", x, 3, strides=2, name="pool1")
        for number, count in enumerate(blocks, 2):
            for at in range(1, count + 1):
                with net.block("dense_layer"):
                    x = _dense_layer(net, x, f"conv{number}_block{at}")
            if number < 5:
                with net.block("transition"):
                    x = _transition(net, x, f"pool{number}")
        x = _norm_relu(net, x, "")
        if not settings.include_top:
            return net.pooled(x, settings, "avg_pool", "max_pool")
        return net.classified(net("GlobalAveragePooling2D", x, name="avg_pool"), settings)

    return build


NETWORKS = {
    f"DenseNet{n}": Application(_builder(blocks), kernels_file(f"densenet{n}"), named(f"densenet{n}"))
    for n, blocks in _BLOCKS.items()
}
