"""Layers that bring their input to a scale: Rescaling, UnitNormalization, RMSNormalization and Normalization."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from transpiler.diagnostics import Refusal
from transpiler.graph.keras import Layer, TensorSpec
from transpiler.graph.symbolic import is_known
from transpiler.graph.torch import FIRST, Code, Value, WeightMap, WeightOp, WeightRef
from transpiler.rules.base import LayerRule, WeightSpec, layer_rule, params
from transpiler.rules.layout import is_featured, literal, normalize_axis, physical_dim

if TYPE_CHECKING:
    from transpiler.rules.lowering import Lowering


@layer_rule("keras.layers.Rescaling")
class Rescaling(LayerRule):
    """``x * scale + offset`` with numbers, or one number per channel."""

    layout = "any"
    params = params("scale, offset=0.0")
    examples = (("Rescaling(1 / 255)", (4, 4, 3)), ("Rescaling(2.0, offset=-1.0)", (4,)))

    def infer(self, layer: Layer, inputs: TensorSpec, **call: Any) -> TensorSpec:
        for name in ("scale", "offset"):
            value = layer.config[name]
            if isinstance(value, (list, tuple)) and len(value) not in (1, inputs.shape[-1]):
                raise Refusal("KT104", f"{len(value)} numbers of `{name}` do not fit {inputs.shape[-1]} channels")
        return inputs if inputs.dtype.startswith("float") else replace(inputs, dtype="float32")

    def mask(self, layer: Layer, inputs: Any, masks: Any) -> Any:
        return "pass"

    def lower(self, cx: Lowering, layer: Layer, inputs: Value, training: Any = None) -> Value:
        scale, offset = layer.config["scale"], layer.config["offset"]
        spec = self.infer(layer, inputs.spec)
        if is_featured(inputs) and (isinstance(scale, (list, tuple)) or isinstance(offset, (list, tuple))):
            inputs = cx.keras_order(inputs)
        text = f"{{0}} * {_per_channel(inputs, scale)}"
        if isinstance(offset, (list, tuple)):
            text += f" + {_per_channel(inputs, offset)}"
        elif offset:
            text += f" - {literal(-offset)}" if offset < 0 else f" + {literal(offset)}"
        value: Value = cx.op(text, inputs, spec, inputs.layout, inputs.features, operator=True)
        return value


def _per_channel(x: Value, value: Any) -> str:
    """A number, or one number a channel as a tensor that lies beside ``x``."""
    if not isinstance(value, (list, tuple)):
        return literal(value)
    if len(value) == 1:
        return literal(float(value[0]))
    view = "" if physical_dim(x, -1) == x.spec.rank - 1 else f".view(-1{', 1' * (x.spec.rank - 2)})"
    numbers = ", ".join(literal(float(item)) for item in value)
    return f"torch.tensor([{numbers}], device={{0}}.device){view}"


@layer_rule("keras.layers.UnitNormalization")
class UnitNormalization(LayerRule):
    """Length one along an axis: ``F.normalize``."""

    layout = "any"
    params = params("axis=-1")
    examples = (("UnitNormalization()", (5, 4)), ("UnitNormalization(axis=1)", (5, 4)))

    def infer(self, layer: Layer, inputs: TensorSpec, **call: Any) -> TensorSpec:
        for axis in self._axes(layer):
            normalize_axis(axis, inputs.rank)
        return inputs

    def mask(self, layer: Layer, inputs: Any, masks: Any) -> Any:
        return "pass"

    @staticmethod
    def _axes(layer: Layer) -> tuple[Any, ...]:
        axis = layer.config["axis"]
        return tuple(axis) if isinstance(axis, (list, tuple)) else (axis,)

    def lower(self, cx: Lowering, layer: Layer, inputs: Value, training: Any = None) -> Value:
        dims = tuple(sorted(cx.dim(inputs, axis) for axis in self._axes(layer)))
        # Keras bounds the square of the length by 1e-12
        where = "" if dims == (1,) else f", dim={dims[0] if len(dims) == 1 else dims}"
        return cx.elementwise(f"F.normalize({{0}}{where}, eps=1e-06)", inputs)


@layer_rule("keras.layers.RMSNormalization")
class RMSNormalization(LayerRule):
    """``nn.RMSNorm`` over the last axes of Keras' order."""

    layout = "keras"
    params = params("axis=-1, epsilon=1e-06")
    examples = (("RMSNormalization()", (6, 5)), ("RMSNormalization(epsilon=0.1)", (6, 5)))

    def infer(self, layer: Layer, inputs: TensorSpec, **call: Any) -> TensorSpec:
        self._axes(layer, inputs)
        return inputs

    @staticmethod
    def _axes(layer: Layer, spec: TensorSpec) -> list[int]:
        axis = layer.config["axis"]
        return sorted(normalize_axis(a, spec.rank) for a in (axis if isinstance(axis, (list, tuple)) else [axis]))

    def weights(self, layer: Layer, inputs: Any) -> tuple[WeightSpec, ...]:
        return (WeightSpec("scale", tuple(inputs.shape[axis] for axis in self._axes(layer, inputs))),)

    def lower(self, cx: Lowering, layer: Layer, inputs: Value, training: Any = None) -> Value:
        axes = self._axes(layer, inputs.spec)
        rank = inputs.spec.rank
        if 0 in axes or axes != list(range(rank - len(axes), rank)):
            raise Refusal("KT102", "`RMSNormalization` over other axes than the last ones fails in Keras too")
        shape = tuple(inputs.spec.shape[axis] for axis in axes)
        if any(size is None for size in shape):
            raise Refusal("KT201", "the sizes that `RMSNormalization` works on must be known")
        module = cx.module(
            "nn.RMSNorm",
            shape[0] if len(shape) == 1 else shape,
            layer=layer,
            role="norm",
            weights=(WeightMap("weight", (WeightRef(layer, "scale"),)),),
            eps=layer.config["epsilon"],
        )
        value: Value = cx.call(module, inputs, inputs.spec)
        return value


@layer_rule("keras.layers.Normalization")
class Normalization(LayerRule):
    """Shifts and scales by a mean and a variance that were given, or that the weights hold (mean 0, variance 1)."""

    layout = "any"
    params = params("axis=-1, mean=None, variance=None, invert=False")
    examples = (("Normalization(mean=[1.0, 2.0], variance=[0.5, 4.0])", (5, 2)), ("Normalization()", (4, 5, 3)))

    def normalize(self, config: dict[str, Any], legacy: int | None = None) -> dict[str, Any]:
        axis = config["axis"]
        config["axis"] = () if axis is None else tuple(axis) if isinstance(axis, (list, tuple)) else (axis,)
        if (config["mean"] is None) != (config["variance"] is None):
            raise Refusal("KT103", "`Normalization` takes both `mean` and `variance`, or neither")
        for name in ("mean", "variance"):
            config[name] = _numbers(name, config[name])
        if _count(config["mean"]) != _count(config["variance"]):
            raise Refusal("KT103", "`mean` and `variance` must have the same shape")
        return config

    def infer(self, layer: Layer, inputs: TensorSpec, **call: Any) -> TensorSpec:
        sizes = self._sizes(layer, inputs)
        if not all(is_known(size) for size in sizes):
            raise Refusal("KT104", "the sizes along the axes of `Normalization` must be known")
        count = _count(layer.config["mean"])
        if count is not None and (not sizes or count not in (1, int(sizes[-1]))):
            raise Refusal("KT104", f"{count} means do not fit the size {sizes[-1] if sizes else 1}")
        return inputs if inputs.dtype.startswith("float") else replace(inputs, dtype="float32")

    def mask(self, layer: Layer, inputs: Any, masks: Any) -> Any:
        return "pass"

    @staticmethod
    def _kept(layer: Layer, spec: TensorSpec) -> list[int]:
        return sorted(normalize_axis(axis, spec.rank) for axis in layer.config["axis"])

    def _sizes(self, layer: Layer, spec: TensorSpec) -> tuple[Any, ...]:
        return tuple(spec.shape[axis] for axis in self._kept(layer, spec))

    def weights(self, layer: Layer, inputs: Any) -> tuple[WeightSpec, ...]:
        if layer.config["mean"] is not None:
            return ()
        shape = self._sizes(layer, inputs)
        return (
            WeightSpec("mean", shape, False), WeightSpec("variance", shape, False), WeightSpec("count", (), False),
        )  # fmt: skip

    def lower(self, cx: Lowering, layer: Layer, inputs: Value, training: Any = None) -> Value:
        config = layer.config
        kept = self._kept(layer, inputs.spec)
        x = inputs if kept in ([], [inputs.spec.rank - 1]) else cx.keras_order(inputs)
        shape = _broadcast(x, kept)
        extra: dict[str, Any] = {"invert": True} if config["invert"] else {}
        maps: tuple[WeightMap, ...] = ()
        if config["mean"] is None:
            # Keras' names of the variables are `mean` and `variance`; its layer calls them so as well
            reshape = () if shape == self._sizes(layer, inputs.spec) else (WeightOp("reshape", (shape,)),)
            maps = tuple(WeightMap(name, (WeightRef(layer, name),), reshape) for name in ("mean", "variance"))
            config["statistics_shape"] = shape
            args: tuple[Code, ...] = (Code(f"torch.zeros({literal(shape)})"), Code(f"torch.ones({literal(shape)})"))
        else:
            view = _view(config["mean"], shape, len(kept))
            args = tuple(Code(f"torch.tensor({literal(config[name])}){view}") for name in ("mean", "variance"))
            extra["given"] = True
        module = cx.module(
            "Normalization", *args, layer=layer, role="normalize", weights=maps, helpers=("normalization",), **extra
        )
        value: Value = cx.call(module, x, self.infer(layer, x.spec), layout=x.layout)
        return value


def _numbers(name: str, value: Any) -> Any:
    """A mean as a float or a list of floats."""
    if value is None or isinstance(value, (int, float)):
        return value if value is None else float(value)
    if isinstance(value, (list, tuple)) and all(isinstance(item, (int, float)) for item in value):
        return [float(item) for item in value]
    raise Refusal("KT102", f"`{name}` must be a number or a flat list of numbers here")


def _count(value: Any) -> int | None:
    return len(value) if isinstance(value, list) else None


def _broadcast(x: Value, kept: list[int]) -> tuple[Any, ...]:
    """The shape of the statistics as they lie beside ``x``, without leading ones."""
    sizes = [size if axis in kept else 1 for axis, size in enumerate(x.spec.shape)]
    if x.layout == FIRST and len(sizes) > 2:
        sizes = [sizes[0], sizes[-1], *sizes[1:-1]]
    while sizes and sizes[0] == 1:
        del sizes[0]
    return tuple(sizes)


def _view(mean: Any, shape: tuple[Any, ...], axes: int) -> str:
    """How given numbers come to lie along their axis."""
    if not isinstance(mean, list) or len(mean) == 1 or len(shape) == 1 or axes > 1:
        return ""
    return f".view({', '.join(['-1', *['1'] * (len(shape) - 1)])})"
