"""InceptionResNetV2."""

from __future__ import annotations

from typing import Any

from transpiler.applications.base import Application, Net, Settings, channels_of, kernels_file, named
from transpiler.graph.keras import Tensor
from transpiler.rules.imagenet import SCALED_SUM

_Steps = tuple[tuple[int, Any], ...]  # filters and kernel size
# The chains of the three kinds of residual blocks, and how much of the residual is added.
_BLOCKS: dict[str, tuple[tuple[_Steps, ...], float]] = {
    "block35": ((((32, 1),), ((32, 1), (32, 3)), ((32, 1), (48, 3), (64, 3))), 0.17),
    "block17": ((((192, 1),), ((128, 1), (160, (1, 7)), (192, (7, 1)))), 0.1),
    "block8": ((((192, 1),), ((192, 1), (224, (1, 3)), (256, (3, 1)))), 0.2),
}


def _unit(net: Net, x: Tensor, filters: int, size: Any, name: str = "", **config: Any) -> Tensor:
    names = [{"name": f"{name}{ending}"} if name else {} for ending in ("", "_bn", "_ac")]
    x = net("Conv2D", x, filters, size, use_bias=False, **{"strides": 1, "padding": "same", **config, **names[0]})
    x = net("BatchNormalization", x, axis=3, scale=False, **names[1])
    return net("Activation", x, "relu", **names[2])


def _chain(net: Net, x: Tensor, *steps: tuple[int, Any]) -> Tensor:
    for filters, size in steps:
        x = _unit(net, x, filters, size)
    return x


def _residual(net: Net, x: Tensor, kind: str, number: int, last: bool = False) -> Tensor:
    chains, scale = _BLOCKS[kind]
    name = f"{kind}_{number}"
    with net.block("residual_block"):
        mixed = net("Concatenate", [_chain(net, x, *steps) for steps in chains], axis=3, name=f"{name}_mixed")
        up = net("Conv2D", mixed, channels_of(x), 1, strides=1, padding="same", use_bias=True, name=f"{name}_conv")
        x = net(SCALED_SUM, [x, up], 1.0 if last else scale)
        return x if last else net("Activation", x, "relu", name=f"{name}_ac")


def _halved(net: Net, x: Tensor, name: str, *chains: _Steps) -> Tensor:
    """A block that halves height and width: the last step of each chain has a stride."""
    with net.block("reduction_block"):
        made = []
        for steps in chains:
            made.append(_unit(net, _chain(net, x, *steps[:-1]), *steps[-1], strides=2, padding="valid"))
        made.append(net("MaxPooling2D", x, 3, strides=2, padding="valid"))
        return net("Concatenate", made, axis=3, name=name)


def _stem(net: Net, x: Tensor) -> Tensor:
    x = _unit(net, x, 32, 3, strides=2, padding="valid")
    x = _unit(net, x, 32, 3, padding="valid")
    x = net("MaxPooling2D", _unit(net, x, 64, 3), 3, strides=2)
    x = _unit(net, x, 80, 1, padding="valid")
    x = _unit(net, x, 192, 3, padding="valid")
    return net("MaxPooling2D", x, 3, strides=2)


def _first_mixed(net: Net, x: Tensor) -> Tensor:
    chains: tuple[_Steps, ...] = (((96, 1),), ((48, 1), (64, 5)), ((64, 1), (96, 3), (96, 3)))
    made = [_chain(net, x, *steps) for steps in chains]
    pooled = net("AveragePooling2D", x, 3, strides=1, padding="same")
    return net("Concatenate", [*made, _unit(net, pooled, 64, 1)], axis=3, name="mixed_5b")


def _build(net: Net, x: Tensor, settings: Settings) -> Tensor:
    x = _first_mixed(net, _stem(net, x))
    for number in range(1, 11):
        x = _residual(net, x, "block35", number)
    x = _halved(net, x, "mixed_6a", ((384, 3),), ((256, 1), (256, 3), (384, 3)))
    for number in range(1, 21):
        x = _residual(net, x, "block17", number)
    x = _halved(net, x, "mixed_7a", ((256, 1), (384, 3)), ((256, 1), (288, 3)), ((256, 1), (288, 3), (320, 3)))
    for number in range(1, 11):
        x = _residual(net, x, "block8", number, last=number == 10)
    x = _unit(net, x, 1536, 1, "conv_7b")
    if not settings.include_top:
        return net.pooled(x, settings)
    return net.classified(net("GlobalAveragePooling2D", x, name="avg_pool"), settings)


NETWORKS = {
    "InceptionResNetV2": Application(
        _build, kernels_file("inception_resnet_v2"), named("inception_resnet_v2"), default_size=299, min_size=75
    )
}
