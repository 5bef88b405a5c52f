"""Random image layers: small modules that act in training only and draw as Keras does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transpiler.diagnostics import Refusal
from transpiler.graph.keras import Layer, TensorSpec
from transpiler.graph.symbolic import is_known
from transpiler.graph.torch import FIRST, Value
from transpiler.rules.arguments import choice, refuse_given
from transpiler.rules.base import LayerRule, layer_rule, params
from transpiler.rules.spatial import check_format, check_rank

if TYPE_CHECKING:
    from transpiler.rules.lowering import Lowering

Range = tuple[float, float]
_FILL = "fill_mode='reflect', interpolation='bilinear', seed=None, fill_value=0.0, data_format=None"
_BOXES = ", bounding_box_format=None"
_PADDING = {"reflect": "reflection", "nearest": "border", "constant": "zeros"}


def factor_range(value: Any, name: str, lowest: float, highest: float) -> Range:
    """``0.2`` as ``(-0.2, 0.2)``, cut at the lowest value that the layer takes; a pair in order."""
    if isinstance(value, (tuple, list)):
        items = tuple(float(item) for item in value)
        if len(items) != 2 or min(items) < lowest or max(items) > highest:
            raise Refusal("KT103", f"`{name}` must be two numbers from {lowest:g} to {highest:g}, not {value!r}")
        return min(items), max(items)
    number = float(value)
    if not lowest <= number <= highest:
        raise Refusal("KT103", f"`{name}` must be from {lowest:g} to {highest:g}, not {value!r}")
    return max(-abs(number), lowest), abs(number)


class _Random(LayerRule):
    """A layer that changes images in training and keeps their size."""

    layout = "first"
    cls = ""
    helpers: tuple[str, ...] = ()

    def normalize(self, config: dict[str, Any], legacy: int | None = None) -> dict[str, Any]:
        if "data_format" in config:
            check_format(config, self.symbol)
        refuse_given(config, self.symbol, "bounding_box_format")
        return config

    def infer(self, layer: Layer, inputs: Any, **call: Any) -> TensorSpec:
        if isinstance(inputs, dict):
            raise Refusal("KT102", f"`{layer.symbol}` on a dict of images and boxes is not supported")
        check_rank(layer.symbol, inputs, 2)
        dtype = inputs.dtype if inputs.dtype.startswith("float") else "float32"
        return TensorSpec(inputs.shape, dtype)

    def arguments(self, config: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """What the module is made with."""
        raise NotImplementedError

    def lower(self, cx: Lowering, layer: Layer, inputs: Value, training: Any = None) -> Value:
        if training is False:
            return inputs
        if training is not None:
            raise Refusal("KT102", "a random layer called with `training=` of its own follows no `model.train()`")
        args, kwargs = self.arguments(layer.config)
        module = cx.module(self.cls, *args, layer=layer, role="augment", helpers=self.helpers, **kwargs)
        value: Value = cx.call(module, inputs, self.infer(layer, inputs.spec), FIRST)
        return value


@layer_rule("keras.layers.RandomFlip")
class RandomFlip(_Random):
    """Flips half of the images; both directions go together, as in Keras 3."""

    params = params("mode='horizontal_and_vertical', seed=None, data_format=None" + _BOXES)
    cls, helpers = "RandomFlip", ("random_flip",)
    examples = (("RandomFlip('horizontal')", (6, 5, 3)),)

    def normalize(self, config: dict[str, Any], legacy: int | None = None) -> dict[str, Any]:
        config["mode"] = choice(config["mode"], ("horizontal", "vertical", "horizontal_and_vertical"), "mode")
        return super().normalize(config, legacy)

    def arguments(self, config: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return {"horizontal": (3,), "vertical": (2,), "horizontal_and_vertical": (2, 3)}[config["mode"]], {}


class _Warp(_Random):
    """A layer that takes each pixel from elsewhere in the image."""

    def normalize(self, config: dict[str, Any], legacy: int | None = None) -> dict[str, Any]:
        config["fill_mode"] = choice(config["fill_mode"], (*_PADDING, "wrap"), "fill_mode")
        config["interpolation"] = choice(config["interpolation"], ("nearest", "bilinear"), "interpolation")
        if config["fill_mode"] == "wrap":
            raise Refusal("KT102", "`fill_mode='wrap'` is not supported", "use 'reflect', 'nearest' or 'constant'")
        return super().normalize(config, legacy)

    @staticmethod
    def sampling(config: dict[str, Any]) -> dict[str, Any]:
        """How pixels between and outside are made, where that is not the helper's default."""
        found: dict[str, Any] = {}
        if config["interpolation"] != "bilinear":
            found["mode"] = config["interpolation"]
        if config["fill_mode"] != "reflect":
            found["padding_mode"] = _PADDING[config["fill_mode"]]
        if config["fill_mode"] == "constant" and config["fill_value"]:
            found["fill_value"] = float(config["fill_value"])
        return found


@layer_rule("keras.layers.RandomRotation")
class RandomRotation(_Warp):
    """Turns each image by an angle given in full turns."""

    params = params("factor, " + _FILL + _BOXES)
    cls, helpers = "RandomRotation", ("warp_images", "random_rotation")
    examples = (("RandomRotation(0.1)", (6, 5, 3)),)

    def normalize(self, config: dict[str, Any], legacy: int | None = None) -> dict[str, Any]:
        config["factor"] = factor_range(config["factor"], "factor", -1, 1)
        return super().normalize(config, legacy)

    def arguments(self, config: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return config["factor"], self.sampling(config)


@layer_rule("keras.layers.RandomZoom")
class RandomZoom(_Warp):
    """Zooms each image in (negative factors) or out; one factor for both axes unless the width has its own."""

    params = params("height_factor, width_factor=None, " + _FILL + _BOXES)
    cls, helpers = "RandomZoom", ("warp_images", "random_zoom")
    examples = (("RandomZoom(0.2)", (6, 5, 3)),)

    def normalize(self, config: dict[str, Any], legacy: int | None = None) -> dict[str, Any]:
        for name in ("height_factor", "width_factor"):
            if config[name] is not None:
                config[name] = factor_range(config[name], name, -1, 1)
                if config[name][0] == -1:
                    raise Refusal("KT103", f"`{name}` must be greater than -1")
        return super().normalize(config, legacy)

    def arguments(self, config: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        width = {} if config["width_factor"] is None else {"width": config["width_factor"]}
        return (config["height_factor"],), width | self.sampling(config)


@layer_rule("keras.layers.RandomTranslation")
class RandomTranslation(_Warp):
    """Shifts each image by fractions of its size."""

    params = params("height_factor, width_factor, " + _FILL + _BOXES)
    cls, helpers = "RandomTranslation", ("warp_images", "random_translation")
    examples = (("RandomTranslation(0.1, 0.2)", (6, 5, 3)),)

    def normalize(self, config: dict[str, Any], legacy: int | None = None) -> dict[str, Any]:
        for name in ("height_factor", "width_factor"):
            config[name] = factor_range(config[name], name, -1, 1)
        return super().normalize(config, legacy)

    def arguments(self, config: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return (config["height_factor"], config["width_factor"]), self.sampling(config)


class _Colour(_Random):
    """A layer that changes values within a range."""

    lowest = 0.0

    def normalize(self, config: dict[str, Any], legacy: int | None = None) -> dict[str, Any]:
        config["factor"] = factor_range(config["factor"], "factor", self.lowest, 1)
        value_range = config["value_range"]
        if not isinstance(value_range, (tuple, list)) or len(value_range) != 2:
            raise Refusal("KT103", f"`value_range` must be two numbers, not {value_range!r}")
        config["value_range"] = tuple(float(item) for item in value_range)
        return super().normalize(config, legacy)

    def span(self, config: dict[str, Any]) -> Range:
        """The range that the module draws from."""
        return config["factor"][0], config["factor"][1]

    def arguments(self, config: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        values = config["value_range"]
        return self.span(config), {} if values == (0.0, 255.0) else {"value_range": values}


@layer_rule("keras.layers.RandomContrast")
class RandomContrast(_Colour):
    """Stretches each channel around its mean, by 1 - lower to 1 + upper.

    A single number gives no lower part in Keras 3, whatever its documentation says.
    """

    params = params("factor, value_range=(0, 255), seed=None, data_format=None" + _BOXES)
    cls, helpers = "RandomContrast", ("random_contrast",)
    examples = (("RandomContrast(0.2)", (6, 5, 3)),)

    def span(self, config: dict[str, Any]) -> Range:
        lower, upper = config["factor"]
        return 1.0 - lower, 1.0 + upper


@layer_rule("keras.layers.RandomBrightness")
class RandomBrightness(_Colour):
    """Adds a part of the value range to each image."""

    params = params("factor, value_range=(0, 255), seed=None, data_format=None" + _BOXES)
    lowest = -1.0
    cls, helpers = "RandomBrightness", ("random_brightness",)
    examples = (("RandomBrightness(0.2)", (6, 5, 3)),)

    def normalize(self, config: dict[str, Any], legacy: int | None = None) -> dict[str, Any]:
        config = super().normalize(config, legacy)
        config["value_range"] = tuple(sorted(config["value_range"]))
        return config


@layer_rule("keras.layers.RandomCrop")
class RandomCrop(_Random):
    """Crops a batch at one random place in training; otherwise resizes the largest window of that shape."""

    params = params("height, width, seed=None, data_format=None" + _BOXES)
    cls, helpers = "RandomCrop", ("random_crop",)
    examples = (("RandomCrop(3, 4)", (6, 5, 3)),)

    def infer(self, layer: Layer, inputs: Any, **call: Any) -> TensorSpec:
        made = super().infer(layer, inputs)
        size = (layer.config["height"], layer.config["width"])
        known = all(is_known(dim) for dim in inputs.shape[1:3])
        if known and inputs.shape[1:3] != size and not all(a > b for a, b in zip(inputs.shape[1:3], size, strict=True)):
            raise Refusal("KT102", f"`RandomCrop` to {size} must make the images smaller both ways")
        return TensorSpec((made.shape[0], *size, made.shape[-1]), made.dtype)

    def arguments(self, config: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return (config["height"], config["width"]), {}

    def lower(self, cx: Lowering, layer: Layer, inputs: Value, training: Any = None) -> Value:
        if training is not None:
            raise Refusal("KT102", "`RandomCrop` called with `training=` of its own is not supported")
        return super().lower(cx, layer, inputs)
