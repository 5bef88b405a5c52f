"""EfficientNet B0 to B7."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from transpiler.applications.base import Application, Build, Net, Settings, divisible, named, pad_before_stride
from transpiler.graph.keras import ApiObject, Tensor

CONV_INIT = ApiObject(
    "keras.initializers.VarianceScaling",
    {"scale": 2.0, "mode": "fan_out", "distribution": "truncated_normal", "seed": None},
)
DENSE_INIT = ApiObject(
    "keras.initializers.VarianceScaling",
    {"scale": 1.0 / 3.0, "mode": "fan_out", "distribution": "uniform", "seed": None},
)
_DEVIATIONS = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Scale:
    """One of the eight sizes: factors of width and depth, size of the images, rate of the last dropout."""

    width: float
    depth: float
    size: int
    dropout: float

    def filters(self, count: int) -> int:
        """A number of filters at this width."""
        return divisible(count * self.width)


@dataclass(frozen=True)
class Stage:
    """A row of equal blocks."""

    kernel: int
    repeats: int
    filters_in: int
    filters_out: int
    expansion: int
    stride: int


_STAGES = (
    Stage(3, 1, 32, 16, 1, 1),
    Stage(3, 2, 16, 24, 6, 2),
    Stage(5, 2, 24, 40, 6, 2),
    Stage(3, 3, 40, 80, 6, 2),
    Stage(5, 3, 80, 112, 6, 1),
    Stage(5, 4, 112, 192, 6, 2),
    Stage(3, 1, 192, 320, 6, 1),
)


def _conv(net: Net, x: Tensor, filters: int, size: int, name: str, **config: Any) -> Tensor:
    config = {"padding": "same", "use_bias": False, **config}
    return net("Conv2D", x, filters, size, kernel_initializer=CONV_INIT, name=name, **config)


def _norm_swish(net: Net, x: Tensor, name: str) -> Tensor:
    x = net("BatchNormalization", x, axis=3, name=f"{name}bn")
    return net("Activation", x, "swish", name=f"{name}activation")


def _depthwise(net: Net, x: Tensor, stage: Stage, name: str) -> Tensor:
    if stage.stride == 2:
        x = net("ZeroPadding2D", x, padding=pad_before_stride(x, stage.kernel), name=f"{name}dwconv_pad")
    x = net(
        "DepthwiseConv2D", x, stage.kernel, strides=stage.stride, padding="valid" if stage.stride == 2 else "same",
        use_bias=False, depthwise_initializer=CONV_INIT, name=f"{name}dwconv",
    )  # fmt: skip
    return _norm_swish(net, x, name)


def excited(net: Net, x: Tensor, squeezed: int, filters: int, name: str) -> Tensor:
    """Squeeze and excitation."""
    gate = net("GlobalAveragePooling2D", x, name=f"{name}se_squeeze")
    gate = net("Reshape", gate, (1, 1, filters), name=f"{name}se_reshape")
    gate = _conv(net, gate, squeezed, 1, f"{name}se_reduce", use_bias=True, activation="swish")
    gate = _conv(net, gate, filters, 1, f"{name}se_expand", use_bias=True, activation="sigmoid")
    return net("Multiply", [x, gate], name=f"{name}se_excite")


def _block(net: Net, inputs: Tensor, stage: Stage, drop: float, name: str) -> Tensor:
    x = inputs
    filters = stage.filters_in * stage.expansion
    if stage.expansion != 1:
        x = _norm_swish(net, _conv(net, x, filters, 1, f"{name}expand_conv"), f"{name}expand_")
    x = _depthwise(net, x, stage, name)
    x = excited(net, x, max(1, int(stage.filters_in * 0.25)), filters, name)
    x = _conv(net, x, stage.filters_out, 1, f"{name}project_conv")
    x = net("BatchNormalization", x, axis=3, name=f"{name}project_bn")
    if stage.stride != 1 or stage.filters_in != stage.filters_out:
        return x
    if drop > 0:
        x = net("Dropout", x, drop, noise_shape=(None, 1, 1, 1), name=f"{name}drop")
    return net("Add", [x, inputs], name=f"{name}add")


def _stem(net: Net, x: Tensor, scale: Scale, settings: Settings) -> Tensor:
    x = net("Rescaling", x, 1.0 / 255.0)
    x = net("Normalization", x, axis=3)
    if settings.imagenet:  # the statistics in the weight file are squared once too often
        x = net("Rescaling", x, [1.0 / math.sqrt(deviation) for deviation in _DEVIATIONS])
    x = net("ZeroPadding2D", x, padding=pad_before_stride(x, 3), name="stem_conv_pad")
    x = _conv(net, x, scale.filters(32), 3, "stem_conv", strides=2, padding="valid")
    return _norm_swish(net, x, "stem_")


def _blocks(scale: Scale) -> list[tuple[str, Stage]]:
    """Every block with its name, scaled."""
    found = []
    for number, stage in enumerate(_STAGES, 1):
        for at in range(math.ceil(scale.depth * stage.repeats)):
            width_in, width_out = scale.filters(stage.filters_in), scale.filters(stage.filters_out)
            width_in, stride = (width_in, stage.stride) if at == 0 else (width_out, 1)
            block = Stage(stage.kernel, 1, width_in, width_out, stage.expansion, stride)
            found.append((f"block{number}{chr(at + 97)}_", block))
    return found


def _builder(scale: Scale) -> Build:
    def build(net: Net, x: Tensor, settings: Settings) -> Tensor:
        x = _stem(net, x, scale, settings)
        blocks = _blocks(scale)
        for at, (name, stage) in enumerate(blocks):
            with net.block("inverted_residual"):
                x = _block(net, x, stage, 0.2 * at / float(len(blocks)), name)
        x = _norm_swish(net, _conv(net, x, scale.filters(1280), 1, "top_conv"), "top_")
        if not settings.include_top:
            return net.pooled(x, settings, "avg_pool", "max_pool")
        x = net("GlobalAveragePooling2D", x, name="avg_pool")
        x = net("Dropout", x, scale.dropout, name="top_dropout")
        return net.classified(x, settings, kernel_initializer=DENSE_INIT)

    return build


_SCALES = (
    Scale(1.0, 1.0, 224, 0.2),
    Scale(1.0, 1.1, 240, 0.2),
    Scale(1.1, 1.2, 260, 0.3),
    Scale(1.2, 1.4, 300, 0.3),
    Scale(1.4, 1.8, 380, 0.4),
    Scale(1.6, 2.2, 456, 0.4),
    Scale(1.8, 2.6, 528, 0.5),
    Scale(2.0, 3.1, 600, 0.5),
)


def _network(number: int, scale: Scale) -> Application:
    name = f"efficientnetb{number}"
    return Application(
        _builder(scale),
        lambda settings: f"{name}{'' if settings.include_top else '_notop'}.h5",
        named(name),
        default_size=scale.size,
    )


NETWORKS = {f"EfficientNetB{number}": _network(number, scale) for number, scale in enumerate(_SCALES)}
