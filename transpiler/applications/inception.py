"""InceptionV3."""

from __future__ import annotations

from typing import Any

from transpiler.applications.base import Application, Net, Settings, kernels_file, named
from transpiler.graph.keras import Tensor

_Steps = tuple[tuple[int, int, int], ...]  # filters, rows and columns of the kernel


def _unit(net: Net, x: Tensor, filters: int, rows: int, columns: int, **config: Any) -> Tensor:
    config = {"strides": (1, 1), "padding": "same", **config}
    x = net("Conv2D", x, filters, (rows, columns), use_bias=False, **config)
    x = net("BatchNormalization", x, axis=3, scale=False)
    return net("Activation", x, "relu")


def _chain(net: Net, x: Tensor, *steps: tuple[int, int, int]) -> Tensor:
    for filters, rows, columns in steps:
        x = _unit(net, x, filters, rows, columns)
    return x


def _pooled(net: Net, x: Tensor, filters: int) -> Tensor:
    x = net("AveragePooling2D", x, (3, 3), strides=(1, 1), padding="same")
    return _unit(net, x, filters, 1, 1)


def _mixed(net: Net, x: Tensor, number: int, branches: tuple[_Steps, ...], pooled: int) -> Tensor:
    """A block of parallel chains and an average pooling."""
    with net.block("inception_block"):
        made = [_chain(net, x, *steps) for steps in branches]
        return net("Concatenate", [*made, _pooled(net, x, pooled)], axis=3, name=f"mixed{number}")


def _halved(net: Net, x: Tensor, number: int, branches: tuple[_Steps, ...]) -> Tensor:
    """A block that halves height and width: the last step of each chain has a stride."""
    with net.block("reduction_block"):
        made = []
        for steps in branches:
            made.append(_unit(net, _chain(net, x, *steps[:-1]), *steps[-1], strides=(2, 2), padding="valid"))
        made.append(net("MaxPooling2D", x, (3, 3), strides=(2, 2)))
        return net("Concatenate", made, axis=3, name=f"mixed{number}")


def _forked(net: Net, x: Tensor, name: str | None) -> Tensor:
    ways = [_unit(net, x, 384, 1, 3), _unit(net, x, 384, 3, 1)]
    return net("Concatenate", ways, axis=3, **({"name": name} if name else {}))


def _wide(net: Net, x: Tensor, at: int) -> Tensor:
    with net.block("wide_block"):
        single = _unit(net, x, 320, 1, 1)
        short = _forked(net, _unit(net, x, 384, 1, 1), f"mixed9_{at}")
        long = _forked(net, _chain(net, x, (448, 1, 1), (384, 3, 3)), None)
        return net("Concatenate", [single, short, long, _pooled(net, x, 192)], axis=3, name=f"mixed{9 + at}")


def _sevens(width: int) -> tuple[_Steps, ...]:
    """The chains of 1 by 7 and 7 by 1 kernels."""
    return (
        ((192, 1, 1),),
        ((width, 1, 1), (width, 1, 7), (192, 7, 1)),
        ((width, 1, 1), (width, 7, 1), (width, 1, 7), (width, 7, 1), (192, 1, 7)),
    )


_FIVES: tuple[_Steps, ...] = (
    ((64, 1, 1),),
    ((48, 1, 1), (64, 5, 5)),
    ((64, 1, 1), (96, 3, 3), (96, 3, 3)),
)
_HALVING: tuple[_Steps, ...] = (((384, 3, 3),), ((64, 1, 1), (96, 3, 3), (96, 3, 3)))
_LAST_HALVING: tuple[_Steps, ...] = (
    ((192, 1, 1), (320, 3, 3)),
    ((192, 1, 1), (192, 1, 7), (192, 7, 1), (192, 3, 3)),
)


def _stem(net: Net, x: Tensor) -> Tensor:
    x = _unit(net, x, 32, 3, 3, strides=(2, 2), padding="valid")
    x = _unit(net, x, 32, 3, 3, padding="valid")
    x = _unit(net, x, 64, 3, 3)
    x = net("MaxPooling2D", x, (3, 3), strides=(2, 2))
    x = _unit(net, x, 80, 1, 1, padding="valid")
    x = _unit(net, x, 192, 3, 3, padding="valid")
    return net("MaxPooling2D", x, (3, 3), strides=(2, 2))


def _build(net: Net, x: Tensor, settings: Settings) -> Tensor:
    x = _stem(net, x)
    for number, pooled in enumerate((32, 64, 64)):
        x = _mixed(net, x, number, _FIVES, pooled)
    x = _halved(net, x, 3, _HALVING)
    for number, width in enumerate((128, 160, 160, 192), 4):
        x = _mixed(net, x, number, _sevens(width), 192)
    x = _halved(net, x, 8, _LAST_HALVING)
    for at in range(2):
        x = _wide(net, x, at)
    if not settings.include_top:
        return net.pooled(x, settings)
    return net.classified(net("GlobalAveragePooling2D", x, name="avg_pool"), settings)


NETWORKS = {
    "InceptionV3": Application(
        _build, kernels_file("inception_v3"), named("inception_v3"), default_size=299, min_size=75
    )
}
