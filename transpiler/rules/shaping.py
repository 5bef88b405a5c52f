"""Padding, cropping and upsampling of images, volumes and sequences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transpiler.diagnostics import Refusal
from transpiler.graph.keras import Layer, TensorSpec
from transpiler.graph.symbolic import is_known
from transpiler.graph.torch import FIRST, Value
from transpiler.rules.base import LayerRule, layer_rule, params
from transpiler.rules.layout import call_text, single
from transpiler.rules.spatial import Pads, check_format, check_rank, ntuple, padded

if TYPE_CHECKING:
    from transpiler.rules.lowering import Lowering


def pairs(value: Any, rank: int, name: str) -> Pads:
    """``1``, ``(1, 2)`` or ``((t, b), (l, r))`` as one pair for each axis; for one axis, ``(left, right)``."""
    if isinstance(value, int):
        return ((value, value),) * rank
    items = tuple(value) if isinstance(value, (tuple, list)) else ()
    if rank == 1 and len(items) == 2 and all(isinstance(item, int) for item in items):
        return ((items[0], items[1]),)
    if len(items) != rank:
        raise Refusal("KT103", f"`{name}` must be an int or {rank} entries, not {value!r}")
    found = []
    for item in items:
        pair = (item, item) if isinstance(item, int) else tuple(item)
        if len(pair) != 2 or not all(isinstance(n, int) and n >= 0 for n in pair):
            raise Refusal("KT103", f"`{name}` must hold ints or pairs of ints, not {value!r}")
        found.append((pair[0], pair[1]))
    return tuple(found)


class _Edges(LayerRule):
    """Base of padding and cropping: both change each axis at both ends."""

    layout = "first"
    rank = 0
    argument = ""
    sign = 1

    def normalize(self, config: dict[str, Any], legacy: int | None = None) -> dict[str, Any]:
        config[self.argument] = pairs(config[self.argument], self.rank, self.argument)
        if "data_format" in config:
            check_format(config, self.symbol)
        return config

    def infer(self, layer: Layer, inputs: TensorSpec, **call: Any) -> TensorSpec:
        check_rank(layer.symbol, inputs, self.rank)
        sizes = []
        for size, (front, back) in zip(inputs.shape[1:-1], layer.config[self.argument], strict=True):
            new = None if size is None else size + self.sign * (front + back)
            if is_known(new) and new <= 0:  # type: ignore[operator]
                raise Refusal("KT104", f"cropping {front} and {back} leaves nothing of a size of {size}")
            sizes.append(new)
        return TensorSpec((inputs.shape[0], *sizes, inputs.shape[-1]), inputs.dtype)

    def lower(self, cx: Lowering, layer: Layer, inputs: Value) -> Value:
        pads = tuple((self.sign * a, self.sign * b) for a, b in layer.config[self.argument])
        return padded(cx, inputs, pads)


_DATA = {"data_format": "dim_ordering"}


@layer_rule("keras.layers.ZeroPadding1D")
class ZeroPadding1D(_Edges):
    rank, argument = 1, "padding"
    params = params("padding=1, data_format=None", **_DATA)
    examples = (("ZeroPadding1D((1, 2))", (6, 3)),)


@layer_rule("keras.layers.ZeroPadding2D")
class ZeroPadding2D(_Edges):
    rank, argument = 2, "padding"
    params = params("padding=(1, 1), data_format=None", **_DATA)
    examples = (("ZeroPadding2D(((1, 2), (0, 3)))", (6, 5, 3)),)


@layer_rule("keras.layers.ZeroPadding3D")
class ZeroPadding3D(_Edges):
    rank, argument = 3, "padding"
    params = params("padding=(1, 1, 1), data_format=None", **_DATA)
    examples = (("ZeroPadding3D((1, 0, 2))", (3, 4, 5, 2)),)


@layer_rule("keras.layers.Cropping1D")
class Cropping1D(_Edges):
    rank, argument, sign = 1, "cropping", -1
    params = params("cropping=(1, 1)")
    examples = (("Cropping1D((1, 2))", (6, 3)),)


@layer_rule("keras.layers.Cropping2D")
class Cropping2D(_Edges):
    rank, argument, sign = 2, "cropping", -1
    params = params("cropping=((0, 0), (0, 0)), data_format=None", **_DATA)
    examples = (("Cropping2D(((1, 2), (0, 3)))", (6, 5, 3)),)


@layer_rule("keras.layers.Cropping3D")
class Cropping3D(_Edges):
    rank, argument, sign = 3, "cropping", -1
    params = params("cropping=((1, 1), (1, 1), (1, 1)), data_format=None", **_DATA)
    examples = (("Cropping3D(1)", (4, 4, 5, 2)),)


class _UpSampling(LayerRule):
    """Repeats rows and columns, or interpolates with half-pixel centres."""

    layout = "first"
    rank = 0

    def normalize(self, config: dict[str, Any], legacy: int | None = None) -> dict[str, Any]:
        config["size"] = ntuple(config["size"], self.rank, "size")
        config.setdefault("interpolation", "nearest")
        if config["interpolation"] not in ("nearest", "bilinear", "bicubic"):
            raise Refusal("KT102", f"`interpolation={config['interpolation']!r}` is not supported")
        if "data_format" in config:
            check_format(config, self.symbol)
        return config

    def infer(self, layer: Layer, inputs: TensorSpec, **call: Any) -> TensorSpec:
        check_rank(layer.symbol, inputs, self.rank)
        axes = zip(inputs.shape[1:-1], layer.config["size"], strict=True)
        sizes = tuple(None if size is None else size * factor for size, factor in axes)
        return TensorSpec((inputs.shape[0], *sizes, inputs.shape[-1]), inputs.dtype)

    def lower(self, cx: Lowering, layer: Layer, inputs: Value) -> Value:
        config = layer.config
        if config["interpolation"] == "bicubic":
            raise Refusal("KT102", "bicubic upsampling differs between Keras and PyTorch and is not supported")
        arguments: dict[str, Any] = {"scale_factor": single(config["size"])}
        if config["interpolation"] != "nearest":
            arguments |= {"mode": config["interpolation"], "align_corners": False}
        module = cx.module("nn.Upsample", layer=layer, role="upsample", **arguments)
        form = call_text("nn.Upsample", **arguments)
        result: Value = cx.call(module, inputs, self.infer(layer, inputs.spec), FIRST, module_form=form)
        return result


@layer_rule("keras.layers.UpSampling1D")
class UpSampling1D(_UpSampling):
    rank = 1
    params = params("size=2", size="length")
    examples = (("UpSampling1D(3)", (4, 3)),)


@layer_rule("keras.layers.UpSampling2D")
class UpSampling2D(_UpSampling):
    rank = 2
    params = params("size=(2, 2), data_format=None, interpolation='nearest'", **_DATA)
    examples = (("UpSampling2D((2, 3), interpolation='bilinear')", (4, 5, 3)),)


@layer_rule("keras.layers.UpSampling3D")
class UpSampling3D(_UpSampling):
    rank = 3
    params = params("size=(2, 2, 2), data_format=None", **_DATA)
    examples = (("UpSampling3D(2)", (2, 3, 2, 2)),)
