"""The plain layers: Dense, Flatten, Reshape, Permute, RepeatVector, Rescaling, Identity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transpiler.diagnostics import Refusal
from transpiler.graph.keras import Layer, TensorSpec
from transpiler.graph.symbolic import Dim, Expr, is_known, number, product
from transpiler.graph.torch import FIRST, KERAS, FeatureOrder, Value, WeightMap, WeightOp, WeightRef
from transpiler.rules.activations import activated_spec, checked_activation
from transpiler.rules.arguments import data_format, refuse_given, settings
from transpiler.rules.base import LayerRule, WeightSpec, layer_rule, params
from transpiler.rules.layout import in_order, inline_dim, is_featured, known_features, literal

if TYPE_CHECKING:
    from transpiler.rules.lowering import Lowering

_OLD_WEIGHTS = {
    "use_bias": "bias",
    "kernel_initializer": "init",
    "kernel_regularizer": "W_regularizer",
    "bias_regularizer": "b_regularizer",
    "kernel_constraint": "W_constraint",
    "bias_constraint": "b_constraint",
}


@layer_rule("keras.layers.Dense")
class Dense(LayerRule):
    """``nn.Linear`` on the last axis, then the activation."""

    layout = "keras"
    params = params(
        "units, activation=None, use_bias=True, kernel_initializer='glorot_uniform', bias_initializer='zeros', "
        "kernel_regularizer=None, bias_regularizer=None, activity_regularizer=None, kernel_constraint=None, "
        "bias_constraint=None, lora_rank=None, lora_alpha=None, quantization_config=None",
        units="output_dim",
        **_OLD_WEIGHTS,
    )
    examples = (
        ("Dense(4, activation='relu')", (3,)),
        ("Dense(5, use_bias=False)", (4, 3)),
        ("Dense(2)", (4, 4, 3)),
        ("Dense(3, 'softmax')", (6,)),
    )

    def bind_legacy(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Keras 1's second positional argument was ``init``."""
        if len(args) == 2 and args[1] in ("uniform", "normal", "glorot_uniform", "glorot_normal", "he_normal"):
            return args[:1], {"kernel_initializer": args[1], **kwargs}
        return args, kwargs

    def normalize(self, config: dict[str, Any], legacy: int | None = None) -> dict[str, Any]:
        refuse_given(config, self.symbol, "activity_regularizer", "lora_rank", "quantization_config")
        if is_known(config["units"]) and not (isinstance(number(config["units"]), int) and config["units"] > 0):
            raise Refusal("KT103", f"`units` must be a positive integer, not {config['units']!r}")
        config["activation"] = checked_activation(config["activation"])
        settings(config, ("kernel", "weight"), ("bias", "bias"))
        return config

    def infer(self, layer: Layer, inputs: TensorSpec, **call: Any) -> TensorSpec:
        if inputs.rank < 2:
            raise Refusal("KT104", "`Dense` takes an input of rank 2 or more (with the batch)")
        spec = TensorSpec((*inputs.shape[:-1], layer.config["units"]))
        return activated_spec(layer.config["activation"], spec)

    def mask(self, layer: Layer, inputs: Any, masks: Any) -> Any:
        return "pass"

    def weights(self, layer: Layer, inputs: Any) -> tuple[WeightSpec, ...]:
        units = layer.config["units"]
        kernel = WeightSpec("kernel", (inputs.shape[-1], units))
        return (kernel, WeightSpec("bias", (units,))) if layer.config["use_bias"] else (kernel,)

    def lower(self, cx: Lowering, layer: Layer, inputs: Value, training: Any = None) -> Value:
        config, x = layer.config, inputs
        ops: tuple[WeightOp, ...] = (WeightOp("transpose", ((1, 0),)),)
        if is_featured(x) and x.features is not None:
            ops += (WeightOp("permute_features", (1, feature_shape(x.features))),)
        keys = (("kernel", "weight"), ("bias", "bias")) if config["use_bias"] else (("kernel", "weight"),)
        image = cx.flow.unfolds_to(cx.node, layer)
        turned = None if image is None or in_order(image) else FeatureOrder((image,))
        rows = () if turned is None else (WeightOp("permute_features", (0, image)),)
        maps = [WeightMap("weight", (WeightRef(layer, "kernel"),), ops + rows)]
        extra: dict[str, Any] = settings(config, *keys)
        if config["use_bias"]:
            maps.append(WeightMap("bias", (WeightRef(layer, "bias"),), rows))
        else:
            extra["bias"] = False
        width, units = x.spec.shape[-1], config["units"]
        cls, sizes = ("nn.LazyLinear", (units,)) if width is None else ("nn.Linear", (width, units))
        module = cx.module(cls, *sizes, layer=layer, role="fc", weights=tuple(maps), **extra)
        value: Value = cx.call(module, x, TensorSpec((*x.spec.shape[:-1], units)), features=turned)
        return cx.activation(config["activation"], value)


def feature_shape(features: FeatureOrder) -> Any:
    """The shape argument of ``permute_features``: one part's shape, or the tuple of all parts'."""
    return features.parts[0] if len(features.parts) == 1 else features.parts


@layer_rule("keras.layers.Activation")
class Activation(LayerRule):
    """Any activation as a layer of its own."""

    layout = "any"
    params = params("activation, activity_regularizer=None")
    examples = (("Activation('relu')", (4,)), ("Activation('softmax')", (4, 3)), ("Activation('gelu')", (4, 4, 3)))

    def normalize(self, config: dict[str, Any], legacy: int | None = None) -> dict[str, Any]:
        refuse_given(config, self.symbol, "activity_regularizer")
        config["activation"] = checked_activation(config["activation"])
        return config

    def infer(self, layer: Layer, inputs: TensorSpec, **call: Any) -> TensorSpec:
        return activated_spec(layer.config["activation"], inputs)

    def mask(self, layer: Layer, inputs: Any, masks: Any) -> Any:
        return "pass"

    def lower(self, cx: Lowering, layer: Layer, inputs: Value, training: Any = None) -> Value:
        return cx.activation(layer.config["activation"], inputs)


@layer_rule("keras.layers.Flatten")
class Flatten(LayerRule):
    """``torch.flatten``; of a channels-first tensor it leaves the features in channels-first order."""

    layout = "any"
    params = params("data_format=None")
    examples = (("Flatten()", (4,)), ("Flatten()", (4, 3)), ("Flatten()", (4, 5, 3)), ("Flatten()", ()))

    def normalize(self, config: dict[str, Any], legacy: int | None = None) -> dict[str, Any]:
        config["data_format"] = data_format(config["data_format"])
        return config

    def infer(self, layer: Layer, inputs: TensorSpec, **call: Any) -> TensorSpec:
        shape = inputs.shape
        return TensorSpec((shape[0], _flat_size(_keras_shape(layer, shape))), inputs.dtype)

    def lower(self, cx: Lowering, layer: Layer, inputs: Value, training: Any = None) -> Value:
        x, node = inputs, cx.node
        if x.spec.rank == 1:
            unsqueezed: Value = cx.op("{0}.unsqueeze(1)", x, self.infer(layer, x.spec), KERAS)
            return unsqueezed
        if x.spec.rank == 2:
            return x
        first = layer.config["data_format"] == "channels_first"
        shape = _keras_shape(layer, x.spec.shape)
        spec = self.infer(layer, x.spec)
        if first:  # Keras moves the channels to the end before it flattens
            x = cx.keras_order(x)
        features = known_features(shape) if x.layout == FIRST or first else None
        orderly = all(map(is_known, shape)) and in_order(tuple(int(number(d)) for d in shape if d is not None))
        if (x.layout == FIRST or first) and not orderly:
            carried = cx.flow.absorbs_features(node, layer)
            if features is None or not carried:
                x, features = self._channels_last(cx, x, first), None
        template, form = "torch.flatten({0}, 1)", "nn.Flatten()"
        value: Value = cx.op(template, x, spec, KERAS, features, module_form=form)
        return value

    @staticmethod
    def _channels_last(cx: Lowering, x: Value, first: bool) -> Value:
        if not first:
            return cx.keras_order(x)
        shape = x.spec.shape
        turned = TensorSpec((shape[0], *shape[2:], shape[1]), x.spec.dtype)
        order = ", ".join(map(str, (0, *range(2, len(shape)), 1)))
        value: Value = cx.op(f"{{0}}.permute({order})", x, turned, KERAS)
        return value


def _keras_shape(layer: Layer, shape: tuple[Dim, ...]) -> tuple[Dim, ...]:
    """The shape without batch, channels last, as Keras flattens it."""
    if layer.config["data_format"] == "channels_first" and len(shape) > 2:
        return (*shape[2:], shape[1])
    return shape[1:]


def _flat_size(shape: tuple[Dim, ...]) -> Dim:
    """The product, channels first for that is how it reads: ``32 * 5 * 5``."""
    if any(dim is None for dim in shape):
        return None
    if not shape:
        return 1
    return product((shape[-1], *shape[:-1]))  # type: ignore[return-value, arg-type]


@layer_rule("keras.layers.Reshape")
class Reshape(LayerRule):
    """A reshape in Keras' order; from a vector to one pixel it goes straight to channels-first."""

    layout = "any"
    params = params("target_shape", target_shape="dims")
    examples = (
        ("Reshape((2, 3))", (6,)), ("Reshape((-1, 3))", (4, 6)), ("Reshape((1, 1, 4))", (4,)),
        ("Reshape((6, -1))", (3, 4, 2)),
    )  # fmt: skip

    def normalize(self, config: dict[str, Any], legacy: int | None = None) -> dict[str, Any]:
        target = config["target_shape"]
        target = tuple(target) if isinstance(target, (tuple, list)) else (target,)
        if any(dim is None for dim in target):
            target = tuple(-1 if dim is None else dim for dim in target)
        if sum(is_known(dim) and dim == -1 for dim in target) > 1:
            raise Refusal("KT103", "`target_shape` may have one unknown size")
        config["target_shape"] = target
        return config

    def infer(self, layer: Layer, inputs: TensorSpec, **call: Any) -> TensorSpec:
        return TensorSpec((inputs.shape[0], *_resolve(layer.config["target_shape"], inputs.shape[1:])), inputs.dtype)

    def lower(self, cx: Lowering, layer: Layer, inputs: Value, training: Any = None) -> Value:
        spec = self.infer(layer, inputs.spec)
        shape = spec.shape[1:]
        if inputs.features is not None and inputs.features.parts == (shape,):
            return _as_image(cx, inputs, spec)
        squeezed = all(_is(dim, 1) for dim in shape[:-1])
        flat = inputs.spec.rank == 2 or inputs.spec.rank > 2 and all(_is(dim, 1) for dim in inputs.spec.shape[1:-1])
        made = cx.node.outputs[0] if cx.node is not None and cx.node.target is layer else None
        if flat and squeezed and spec.rank >= 4 and not (made is not None and cx.flow.feeds_keras(made)):
            return _as_image(cx, cx.keras_order(inputs) if inputs.spec.rank == 2 else inputs, spec)
        x = cx.keras_order(inputs)
        if len(shape) == 1 and x.spec.rank > 2:
            flattened: Value = cx.op("torch.flatten({0}, 1)", x, spec, KERAS, module_form="nn.Flatten()")
            return flattened
        text = _sizes_text(shape)
        form = _unflatten(x, text)
        value: Value = cx.op(f"{{0}}.reshape({_batch(text)}, {text})", x, spec, KERAS, module_form=form)
        return value


def _as_image(cx: Lowering, x: Value, spec: TensorSpec) -> Value:
    """Features that lie channels first, or one pixel, as (N, C, *spatial)."""
    text = _sizes_text((spec.shape[-1], *spec.shape[1:-1]))
    value: Value = cx.op(f"{{0}}.reshape({_batch(text)}, {text})", x, spec, FIRST, module_form=_unflatten(x, text))
    return value


def _unflatten(x: Value, text: str) -> str | None:
    return f"nn.Unflatten(1, ({text}{',' if ', ' not in text else ''}))" if x.spec.rank == 2 else None


def _batch(text: str) -> str:
    """The first size of a reshape whose other sizes are ``text``: only one may be left open."""
    return "{0}.shape[0]" if "-1" in text.split(", ") else "-1"


def _is(dim: Dim, size: int) -> bool:
    return is_known(dim) and dim == size


def _sizes_text(shape: tuple[Dim, ...]) -> str:
    """Sizes as text. The one that only the running program knows, or that is a parameter of the class, becomes -1."""
    unknown = [at for at, dim in enumerate(shape) if dim is None or isinstance(dim, Expr) and not dim.known]
    if len(unknown) > 1:
        raise Refusal("KT201", "`Reshape` with more than one size known only when the program runs")
    hidden = unknown or [at for at, dim in enumerate(shape) if isinstance(dim, Expr) and _is_parameter(dim)]
    return ", ".join("-1" if hidden == [at] else inline_dim(dim) for at, dim in enumerate(shape))  # type: ignore[arg-type]


def _is_parameter(dim: Expr) -> bool:
    return any(leaf.scope != "global" for leaf in dim.leaves())


def _resolve(target: tuple[Any, ...], shape: tuple[Dim, ...]) -> tuple[Dim, ...]:
    """Put the number for -1, where it is known, and check that the sizes go together."""
    known = all(is_known(dim) for dim in (*shape, *target))
    total = 1
    for dim in shape if known else ():
        total *= int(number(dim))  # type: ignore[arg-type]
    rest = 1
    for dim in target if known else ():
        rest *= 1 if dim == -1 else int(number(dim))
    holes = [i for i, dim in enumerate(target) if is_known(dim) and dim == -1]
    if not holes:
        if known and rest != total:
            raise Refusal("KT104", f"{total} elements do not fit the shape {literal(target)}")
        return target
    if known and (rest == 0 or total % rest):
        raise Refusal("KT104", f"{total} elements do not fit the shape {literal(target)}")
    value = total // rest if known else None
    return tuple(value if i == holes[0] else dim for i, dim in enumerate(target))


@layer_rule("keras.layers.Permute")
class Permute(LayerRule):
    """Axes in another order; Keras counts from 1, without the batch."""

    layout = "keras"
    params = params("dims")
    examples = (("Permute((2, 1))", (4, 3)), ("Permute((3, 1, 2))", (4, 5, 3)))

    def normalize(self, config: dict[str, Any], legacy: int | None = None) -> dict[str, Any]:
        config["dims"] = tuple(int(dim) for dim in config["dims"])
        if sorted(config["dims"]) != list(range(1, len(config["dims"]) + 1)):
            raise Refusal("KT103", f"`dims` of `Permute` must be the axes 1 to n in some order, not {config['dims']}")
        return config

    def infer(self, layer: Layer, inputs: TensorSpec, **call: Any) -> TensorSpec:
        dims = layer.config["dims"]
        if len(dims) != inputs.rank - 1:
            raise Refusal("KT104", f"`Permute({dims})` does not fit an input of rank {inputs.rank} (with the batch)")
        return TensorSpec((inputs.shape[0], *(inputs.shape[dim] for dim in dims)), inputs.dtype)

    def lower(self, cx: Lowering, layer: Layer, inputs: Value, training: Any = None) -> Value:
        dims = layer.config["dims"]
        spec = self.infer(layer, inputs.spec)
        if dims == tuple(range(1, len(dims) + 1)):
            return inputs
        text = "transpose(1, 2)" if dims == (2, 1) else f"permute(0, {', '.join(map(str, dims))})"
        value: Value = cx.op(f"{{0}}.{text}", inputs, spec, KERAS)
        return value


@layer_rule("keras.layers.RepeatVector")
class RepeatVector(LayerRule):
    """(N, F) → (N, n, F)."""

    layout = "keras"
    params = params("n")
    examples = (("RepeatVector(3)", (4,)),)

    def infer(self, layer: Layer, inputs: TensorSpec, **call: Any) -> TensorSpec:
        if inputs.rank != 2:
            raise Refusal("KT104", "`RepeatVector` takes an input of rank 2 (with the batch)")
        return TensorSpec((inputs.shape[0], layer.config["n"], inputs.shape[1]), inputs.dtype)

    def lower(self, cx: Lowering, layer: Layer, inputs: Value, training: Any = None) -> Value:
        count = inline_dim(layer.config["n"])
        template = f"{{0}}.unsqueeze(1).expand(-1, {count}, -1)"
        value: Value = cx.op(template, inputs, self.infer(layer, inputs.spec), KERAS)
        return value


@layer_rule("keras.layers.Identity")
class Identity(LayerRule):
    """The input as it is."""

    layout = "any"

    def infer(self, layer: Layer, inputs: Any, **call: Any) -> Any:
        return inputs

    def mask(self, layer: Layer, inputs: Any, masks: Any) -> Any:
        return "pass"

    def lower(self, cx: Lowering, layer: Layer, inputs: Any, training: Any = None) -> Any:
        return inputs


@layer_rule("keras.layers.ActivityRegularization")
class ActivityRegularization(Identity):
    """Nothing but a penalty, which is refused unless it is zero."""

    params = params("l1=0.0, l2=0.0")

    def normalize(self, config: dict[str, Any], legacy: int | None = None) -> dict[str, Any]:
        if config["l1"] or config["l2"]:
            raise Refusal("KT102", "`ActivityRegularization` is not supported")
        return config


@layer_rule("keras.layers.InputLayer")
class InputLayer(Identity):
    """An input as a layer; its shape is read by the evaluator."""

    params = params("shape=None, ragged=False, input_tensor=None, optional=False")

    def normalize(self, config: dict[str, Any], legacy: int | None = None) -> dict[str, Any]:
        refuse_given(config, self.symbol, "ragged", "input_tensor", "optional")
        return config
