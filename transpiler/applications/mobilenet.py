"""MobileNet and MobileNetV2."""

from __future__ import annotations

from transpiler.applications.base import Application, Net, Settings, channels_of, divisible, pad_before_stride
from transpiler.graph.keras import Tensor
from transpiler.rules.base import params

_REST = "include_top=True, weights='imagenet', input_tensor=None, pooling=None, classes=1000, "
_LAST = "classifier_activation='softmax', name=None"
# Filters and stride of the depthwise separable blocks.
_SEPARABLE = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1))
# Filters, stride of the first, expansion and number of the inverted residual blocks.
_INVERTED = ((16, 1, 1, 1), (24, 2, 6, 2), (32, 2, 6, 3), (64, 2, 6, 4), (96, 1, 6, 3), (160, 2, 6, 3), (320, 1, 6, 1))


def _separable(net: Net, x: Tensor, filters: int, stride: int, number: int, settings: Settings) -> Tensor:
    if stride != 1:
        x = net("ZeroPadding2D", x, ((0, 1), (0, 1)), name=f"conv_pad_{number}")
    x = net(
        "DepthwiseConv2D", x, (3, 3), padding="same" if stride == 1 else "valid", strides=(stride, stride),
        depth_multiplier=settings.extra["depth_multiplier"], use_bias=False, name=f"conv_dw_{number}",
    )  # fmt: skip
    x = net("BatchNormalization", x, axis=-1, name=f"conv_dw_{number}_bn")
    x = net("ReLU", x, 6.0, name=f"conv_dw_{number}_relu")
    width = int(filters * settings.extra["alpha"])
    x = net("Conv2D", x, width, (1, 1), padding="same", use_bias=False, strides=(1, 1), name=f"conv_pw_{number}")
    x = net("BatchNormalization", x, axis=-1, name=f"conv_pw_{number}_bn")
    return net("ReLU", x, 6.0, name=f"conv_pw_{number}_relu")


def _build_v1(net: Net, x: Tensor, settings: Settings) -> Tensor:
    width = int(32 * settings.extra["alpha"])
    x = net("Conv2D", x, width, (3, 3), padding="same", use_bias=False, strides=(2, 2), name="conv1")
    x = net("BatchNormalization", x, axis=-1, name="conv1_bn")
    x = net("ReLU", x, 6.0, name="conv1_relu")
    for number, (filters, stride) in enumerate(_SEPARABLE, 1):
        with net.block("separable_block"):
            x = _separable(net, x, filters, stride, number, settings)
    if not settings.include_top:
        return net.pooled(x, settings)
    x = net("GlobalAveragePooling2D", x, keepdims=True)
    x = net("Dropout", x, settings.extra["dropout"], name="dropout")
    x = net("Conv2D", x, settings.classes, (1, 1), padding="same", name="conv_preds")
    x = net("Reshape", x, (settings.classes,), name="reshape_2")
    return net("Activation", x, settings.activation, name="predictions")


def _norm(net: Net, x: Tensor, name: str) -> Tensor:
    return net("BatchNormalization", x, axis=-1, epsilon=1e-3, momentum=0.999, name=name)


def _inverted(net: Net, x: Tensor, filters: int, stride: int, expansion: int, number: int, alpha: float) -> Tensor:
    channels = channels_of(x)
    width = divisible(int(filters * alpha))
    prefix = f"block_{number}_" if number else "expanded_conv_"
    inputs = x
    if number:
        x = net("Conv2D", x, expansion * channels, 1, padding="same", use_bias=False, name=f"{prefix}expand")
        x = net("ReLU", _norm(net, x, f"{prefix}expand_BN"), 6.0, name=f"{prefix}expand_relu")
    if stride == 2:
        x = net("ZeroPadding2D", x, padding=pad_before_stride(x, 3), name=f"{prefix}pad")
    padding = "same" if stride == 1 else "valid"
    x = net("DepthwiseConv2D", x, 3, strides=stride, use_bias=False, padding=padding, name=f"{prefix}depthwise")
    x = net("ReLU", _norm(net, x, f"{prefix}depthwise_BN"), 6.0, name=f"{prefix}depthwise_relu")
    x = net("Conv2D", x, width, 1, padding="same", use_bias=False, name=f"{prefix}project")
    x = _norm(net, x, f"{prefix}project_BN")
    return net("Add", [inputs, x], name=f"{prefix}add") if channels == width and stride == 1 else x


def _build_v2(net: Net, x: Tensor, settings: Settings) -> Tensor:
    alpha = settings.extra["alpha"]
    x = net("Conv2D", x, divisible(32 * alpha), 3, strides=(2, 2), padding="same", use_bias=False, name="Conv1")
    x = net("ReLU", _norm(net, x, "bn_Conv1"), 6.0, name="Conv1_relu")
    number = 0
    for filters, stride, expansion, count in _INVERTED:
        for at in range(count):
            with net.block("inverted_residual"):
                x = _inverted(net, x, filters, stride if at == 0 else 1, expansion, number, alpha)
            number += 1
    x = net("Conv2D", x, divisible(1280 * alpha) if alpha > 1.0 else 1280, 1, use_bias=False, name="Conv_1")
    x = net("ReLU", _norm(net, x, "Conv_1_bn"), 6.0, name="out_relu")
    if not settings.include_top:
        return net.pooled(x, settings)
    return net.classified(net("GlobalAveragePooling2D", x), settings)


def _rows(settings: Settings, sizes: tuple[int, ...]) -> int | None:
    """The size of the images that the weights are for."""
    height, width = settings.shape[:2]
    if settings.imagenet and (height != width or height not in sizes):
        return 224
    return height


def _file_v1(settings: Settings) -> str:
    width = {1.0: "1_0", 0.75: "7_5", 0.5: "5_0"}.get(settings.extra["alpha"], "2_5")
    return f"mobilenet_{width}_{_rows(settings, _SIZES)}_tf{'' if settings.include_top else '_no_top'}.h5"


def _file_v2(settings: Settings) -> str:
    size = f"{float(settings.extra['alpha'])}_{_rows(settings, _SIZES_V2)}"
    ending = "" if settings.include_top else "_no_top"
    return f"mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{size}{ending}.h5"


_SIZES = (128, 160, 192, 224)
_SIZES_V2 = (96, *_SIZES)
NETWORKS = {
    "MobileNet": Application(
        _build_v1,
        _file_v1,
        lambda settings: f"mobilenet_{settings.extra['alpha']:0.2f}_{_rows(settings, _SIZES)}",
        params(f"input_shape=None, alpha=1.0, depth_multiplier=1, dropout=0.001, {_REST}{_LAST}"),
        sizes=_SIZES,
        widths=(0.25, 0.5, 0.75, 1.0),
    ),
    "MobileNetV2": Application(
        _build_v2,
        _file_v2,
        lambda settings: f"mobilenetv2_{settings.extra['alpha']:0.2f}_{_rows(settings, _SIZES_V2)}",
        params(f"input_shape=None, alpha=1.0, {_REST}{_LAST}"),
        sizes=_SIZES_V2,
        widths=(0.35, 0.5, 0.75, 1.0, 1.3, 1.4),
        sized_by_input=True,
    ),
}
