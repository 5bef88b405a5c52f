"""Resizing and CenterCrop: sizes are known when the model is built, so windows are plain slices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transpiler.diagnostics import Refusal
from transpiler.graph.keras import Layer, TensorSpec
from transpiler.graph.symbolic import is_known
from transpiler.graph.torch import FIRST, Value
from transpiler.rules.arguments import choice
from transpiler.rules.base import LayerRule, layer_rule, params
from transpiler.rules.layout import call_text, literal
from transpiler.rules.spatial import check_format, check_rank, padded

if TYPE_CHECKING:
    from transpiler.rules.lowering import Lowering

_MODES = {"bilinear": "bilinear", "nearest": "nearest-exact"}


class _Sized(LayerRule):
    """A layer whose images come out in one size, ``height`` by ``width``."""

    layout = "first"

    def infer(self, layer: Layer, inputs: Any, **call: Any) -> TensorSpec:
        check_rank(layer.symbol, inputs, 2)
        if not inputs.dtype.startswith("float"):
            raise Refusal("KT102", f"`{layer.symbol}` on whole numbers is not supported", "cast the images to float32")
        size = (layer.config["height"], layer.config["width"])
        return TensorSpec((inputs.shape[0], *size, inputs.shape[-1]), inputs.dtype)

    def known_size(self, layer: Layer, x: Value) -> tuple[int, int]:
        """The height and width of the images that come in."""
        height, width = x.spec.shape[1:-1]
        if not (is_known(height) and is_known(width)):
            raise Refusal("KT201", f"the size of the images before `{layer.symbol}` must be known here")
        return int(height), int(width)  # type: ignore[arg-type]

    def cut(self, cx: Lowering, x: Value, top: int, left: int, height: int, width: int) -> Value:
        """A window of each image."""
        if x.spec.shape[1:-1] == (height, width):
            return x
        spec = TensorSpec((x.spec.shape[0], height, width, x.spec.shape[-1]), x.spec.dtype)
        value: Value = cx.op(f"{{0}}[..., {top}:{top + height}, {left}:{left + width}]", x, spec, FIRST)
        return value

    def largest_window(self, cx: Lowering, layer: Layer, x: Value) -> Value:
        """The largest middle window that has the shape of the result."""
        rows, columns = self.known_size(layer, x)
        height, width = layer.config["height"], layer.config["width"]
        tall = max(min(rows, int(float(columns * height) / width)), 1)
        wide = max(min(columns, int(float(rows * width) / height)), 1)
        return self.cut(cx, x, (rows - tall) // 2, (columns - wide) // 2, tall, wide)

    def resize(self, cx: Lowering, layer: Layer, x: Value, interpolation: str, antialias: bool = False) -> Value:
        """``x`` interpolated to the layer's size, with half-pixel centres."""
        size = (layer.config["height"], layer.config["width"])
        spec = TensorSpec((x.spec.shape[0], *size, x.spec.shape[-1]), x.spec.dtype)
        if x.spec.shape[1:-1] == size:
            return x
        arguments: dict[str, Any] = {"size": size, "mode": _MODES[interpolation]}
        if interpolation == "bilinear":
            arguments["align_corners"] = False
        if antialias and interpolation == "bilinear":
            text = ", ".join(f"{key}={literal(value)}" for key, value in arguments.items())
            value: Value = cx.op(f"F.interpolate({{0}}, {text}, antialias=True)", x, spec, FIRST)
            return value
        module = cx.module("nn.Upsample", layer=layer, role="resize", **arguments)
        result: Value = cx.call(module, x, spec, FIRST, module_form=call_text("nn.Upsample", **arguments))
        return result


@layer_rule("keras.layers.Resizing")
class Resizing(_Sized):
    """``nn.Upsample`` to a size; the aspect ratio kept by cropping or padding before."""

    params = params(
        "height, width, interpolation='bilinear', crop_to_aspect_ratio=False, pad_to_aspect_ratio=False, "
        "fill_mode='constant', fill_value=0.0, antialias=False, data_format=None"
    )
    examples = (("Resizing(4, 7)", (6, 5, 3)), ("Resizing(4, 4, crop_to_aspect_ratio=True)", (6, 9, 3)))

    def normalize(self, config: dict[str, Any], legacy: int | None = None) -> dict[str, Any]:
        check_format(config, self.symbol)
        known = (*_MODES, "bicubic", "area", "lanczos3", "lanczos5", "gaussian", "mitchellcubic")
        config["interpolation"] = choice(config["interpolation"], known, "interpolation")
        if config["interpolation"] not in _MODES:
            raise Refusal(
                "KT102", f"`interpolation={config['interpolation']!r}` differs between Keras' backends and PyTorch",
                "use 'bilinear' or 'nearest'",
            )  # fmt: skip
        config["fill_mode"] = choice(config["fill_mode"], ("constant",), "fill_mode")
        if config["crop_to_aspect_ratio"] and config["pad_to_aspect_ratio"]:
            raise Refusal("KT103", "`Resizing` either crops or pads to the aspect ratio")
        return config

    def lower(self, cx: Lowering, layer: Layer, inputs: Value, training: Any = None) -> Value:
        config, x = layer.config, inputs
        if config["crop_to_aspect_ratio"]:
            x = self.largest_window(cx, layer, x)
        if config["pad_to_aspect_ratio"]:
            x = self._with_bars(cx, layer, x)
        return self.resize(cx, layer, x, config["interpolation"], bool(config["antialias"]))

    def _with_bars(self, cx: Lowering, layer: Layer, x: Value) -> Value:
        """``x`` with equal bars at two sides."""
        rows, columns = self.known_size(layer, x)
        height, width = layer.config["height"], layer.config["width"]
        tall = max(rows, int(float(columns * height) / width))
        wide = max(columns, int(float(rows * width) / height))
        down, across = (tall - rows) // 2, (wide - columns) // 2
        return padded(cx, x, ((down, down), (across, across)), literal(float(layer.config["fill_value"]) or 0))


@layer_rule("keras.layers.CenterCrop")
class CenterCrop(_Sized):
    """The middle of each image; smaller images are resized to the size instead."""

    params = params("height, width, data_format=None")
    examples = (("CenterCrop(3, 2)", (6, 5, 3)), ("CenterCrop(7, 4)", (6, 5, 3)))

    def normalize(self, config: dict[str, Any], legacy: int | None = None) -> dict[str, Any]:
        check_format(config, self.symbol)
        return config

    def lower(self, cx: Lowering, layer: Layer, inputs: Value, training: Any = None) -> Value:
        rows, columns = self.known_size(layer, inputs)
        height, width = layer.config["height"], layer.config["width"]
        if rows >= height and columns >= width:
            return self.cut(cx, inputs, (rows - height) // 2, (columns - width) // 2, height, width)
        return self.resize(cx, layer, self.largest_window(cx, layer, inputs), "bilinear")
