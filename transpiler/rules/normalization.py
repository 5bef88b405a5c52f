"""Batch, layer and group normalisation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transpiler.diagnostics import Refusal
from transpiler.graph.keras import Layer, TensorSpec
from transpiler.graph.symbolic import is_known
from transpiler.graph.torch import FIRST, Value, WeightMap, WeightOp, WeightRef
from transpiler.rules.base import LayerRule, WeightSpec, layer_rule, params
from transpiler.rules.constraints import constraint
from transpiler.rules.initializers import frozen, initializer
from transpiler.rules.layout import normalize_axis
from transpiler.rules.regularizers import regularizer

if TYPE_CHECKING:
    from transpiler.rules.lowering import Lowering

_AFFINE = (
    "beta_initializer='zeros', gamma_initializer='ones', {middle}beta_regularizer=None, gamma_regularizer=None, "
    "beta_constraint=None, gamma_constraint=None"
)


def affine_objects(layer: Layer) -> dict[str, Any]:
    """Initialisers (other than ones and zeros), regularisers and constraints of scale and offset, by state key.

    Of a pair that Keras has only half of, the other half is held still.
    """
    config = layer.config
    made: dict[str, Any] = {"initializers": {}, "regularizers": {}, "constraints": {}}
    keys = {"weight": ("gamma", "scale", "ones"), "bias": ("beta", "center", "zeros")}
    for key, (name, flag, usual) in keys.items():
        if not config[flag]:
            if config["scale"] or config["center"]:  # torch has both weights or none
                made["initializers"][key] = frozen()
            continue
        found = initializer(config[f"{name}_initializer"])
        if found != initializer(usual):
            made["initializers"][key] = found
        made["regularizers"][key] = regularizer(config[f"{name}_regularizer"])
        made["constraints"][key] = constraint(config[f"{name}_constraint"])
    return made


def _helpers(cx: Lowering, rank: int, frozen: bool, exact: bool) -> tuple[str, ...]:
    if frozen:
        return (f"frozen_batch_norm{rank}d",)
    kind = "freezable_batch_norm" if cx.options.toggles else "batch_norm"
    return (f"{kind}{rank}d",) if exact else ()


def _halves(config: dict[str, Any]) -> tuple[tuple[str, str, bool, float], ...]:
    """State key, Keras' name, whether Keras has it, and the value that stands for its absence."""
    return (("weight", "gamma", config["scale"], 1.0), ("bias", "beta", config["center"], 0.0))


def affine_weights(config: dict[str, Any], shape: tuple[Any, ...]) -> list[WeightSpec]:
    """Gamma and beta, where there are any."""
    found = [WeightSpec("gamma", shape)] if config["scale"] else []
    return found + ([WeightSpec("beta", shape)] if config["center"] else [])


@layer_rule("keras.layers.BatchNormalization")
class BatchNormalization(LayerRule):
    """``nn.BatchNormNd`` with Keras' constants.

    In training torch moves the running variance with the unbiased estimate, Keras with the biased one: a factor of
    n / (n - 1) for n values a channel, which shows in inference after training on small batches. With
    ``LowerOptions.exact_statistics`` a small subclass keeps to Keras'.
    """

    layout = "any"
    params = params(
        "axis=-1, momentum=0.99, epsilon=0.001, center=True, scale=True, "
        + _AFFINE.format(middle="moving_mean_initializer='zeros', moving_variance_initializer='ones', ")
        + ", renorm=False, renorm_clipping=None, renorm_momentum=0.99, synchronized=False, virtual_batch_size=None, "
        "fused=None, mode=0",
        gamma_initializer="gamma_init",
        beta_initializer="beta_init",
        moving_mean_initializer="running_mean_initializer",
        moving_variance_initializer="running_variance_initializer",
    )
    examples = (("BatchNormalization()", (6, 5, 3)), ("BatchNormalization(scale=False)", (4,)))

    def normalize(self, config: dict[str, Any], legacy: int | None = None) -> dict[str, Any]:
        axis = config["axis"]
        if isinstance(axis, (list, tuple)) and len(axis) == 1:
            config["axis"] = axis[0]
        for name in ("renorm", "virtual_batch_size", "mode"):
            if config[name]:
                raise Refusal("KT102", f"`BatchNormalization` with `{name}` is not supported")
        usual = {"moving_mean_initializer": "zeros", "moving_variance_initializer": "ones"}
        for name, word in usual.items():
            if initializer(config[name]) != initializer(word):
                raise Refusal("KT102", f"`{name}` is not supported")
        return config

    def infer(self, layer: Layer, inputs: TensorSpec, **call: Any) -> TensorSpec:
        axis = normalize_axis(layer.config["axis"], inputs.rank)
        if axis == 0:
            raise Refusal("KT104", "batch normalisation over the batch axis makes no sense")
        return inputs

    def mask(self, layer: Layer, inputs: Any, masks: Any) -> Any:
        return "pass"

    def weights(self, layer: Layer, inputs: Any) -> tuple[WeightSpec, ...]:
        size = (inputs.shape[normalize_axis(layer.config["axis"], inputs.rank)],)
        moving = [WeightSpec("moving_mean", size, False), WeightSpec("moving_variance", size, False)]
        return (*affine_weights(layer.config, size), *moving)

    def lower(
        self, cx: Lowering, layer: Layer, inputs: Value, mask: Value | None = None, training: Any = None
    ) -> Value:
        if mask is not None:
            raise Refusal("KT102", "`BatchNormalization` on masked steps is not supported")
        if training is True:
            raise Refusal("KT102", "`BatchNormalization` called with `training=True` is not supported")
        rank = inputs.spec.rank
        axis = normalize_axis(layer.config["axis"], rank)
        if axis != rank - 1:
            return self._other_axis(cx, layer, inputs, axis)
        x = inputs if rank == 2 else cx.channels_first(inputs)
        module = self._module(cx, layer, x, inputs.spec.shape[-1], {2: 1, 3: 1, 4: 2, 5: 3}.get(rank, 0), training)
        result: Value = cx.call(module, x, inputs.spec, layout=x.layout, features=x.features)
        return result

    def _other_axis(self, cx: Lowering, layer: Layer, inputs: Value, axis: int) -> Value:
        x = cx.keras_order(inputs)
        if axis != 1 or x.spec.rank > 5 or x.spec.rank == 2:
            raise Refusal("KT102", f"`BatchNormalization` over axis {axis} of {x.spec.rank} is not supported")
        module = self._module(cx, layer, x, x.spec.shape[1], {3: 1, 4: 2, 5: 3}[x.spec.rank], None)
        result: Value = cx.call(module, x, x.spec)
        return result

    def _module(self, cx: Lowering, layer: Layer, x: Value, size: Any, rank: int, training: Any) -> Any:
        if rank == 0:
            raise Refusal("KT102", f"`BatchNormalization` on a tensor of rank {x.spec.rank} is not supported")
        config = layer.config
        affine = config["scale"] or config["center"]
        arguments: dict[str, Any] = {"eps": config["epsilon"], "momentum": round(1 - float(config["momentum"]), 12)}
        if not affine:
            arguments["affine"] = False
        frozen = training is False or not layer.trainable and not cx.options.toggles
        cls = f"{'Frozen' if frozen else ''}BatchNorm{rank}d"
        lazy = size is None
        if lazy and frozen:
            raise Refusal("KT201", "the number of channels before a frozen `BatchNormalization` must be known")
        exact = cx.options.exact_statistics and not lazy and not frozen
        return cx.module(
            f"nn.LazyBatchNorm{rank}d" if lazy else cls if frozen or exact else f"nn.{cls}",
            *(() if lazy else (size,)),
            layer=layer,
            role="bn",
            weights=self._maps(layer, x, affine, size),
            helpers=_helpers(cx, rank, frozen, exact),
            **affine_objects(layer),
            **arguments,
        )

    @staticmethod
    def _maps(layer: Layer, x: Value, affine: bool, size: Any) -> tuple[WeightMap, ...]:
        ops: tuple[WeightOp, ...] = ()
        if x.features is not None:
            ops = (WeightOp("permute_features", (0, x.features.parts)),)
        config, maps = layer.config, []
        if affine:
            for key, name, present, fill in _halves(config):
                if present:
                    maps.append(WeightMap(key, (WeightRef(layer, name),), ops))
                else:
                    maps.append(WeightMap(key, (), (WeightOp("full", ((size,), fill)),)))
        maps.append(WeightMap("running_mean", (WeightRef(layer, "moving_mean"),), ops))
        maps.append(WeightMap("running_var", (WeightRef(layer, "moving_variance"),), ops))
        return tuple(maps)


@layer_rule("keras.layers.LayerNormalization")
class LayerNormalization(LayerRule):
    """``nn.LayerNorm`` over the last axes of Keras' order."""

    layout = "keras"
    params = params("axis=-1, epsilon=0.001, center=True, scale=True, rms_scaling=False, " + _AFFINE.format(middle=""))
    examples = (("LayerNormalization()", (6, 5)), ("LayerNormalization(axis=[1, 2], epsilon=1e-6)", (6, 5)))

    def normalize(self, config: dict[str, Any], legacy: int | None = None) -> dict[str, Any]:
        if config["rms_scaling"]:
            raise Refusal("KT102", "`rms_scaling` is not supported: use `RMSNormalization`'s formula by hand")
        return config

    def infer(self, layer: Layer, inputs: TensorSpec, **call: Any) -> TensorSpec:
        self._axes(layer, inputs)
        return inputs

    def mask(self, layer: Layer, inputs: Any, masks: Any) -> Any:
        return "pass"

    @staticmethod
    def _axes(layer: Layer, spec: TensorSpec) -> list[int]:
        axis = layer.config["axis"]
        return sorted(normalize_axis(a, spec.rank) for a in (axis if isinstance(axis, (list, tuple)) else [axis]))

    def weights(self, layer: Layer, inputs: Any) -> tuple[WeightSpec, ...]:
        shape = tuple(inputs.shape[axis] for axis in self._axes(layer, inputs))
        return tuple(affine_weights(layer.config, shape))

    def lower(self, cx: Lowering, layer: Layer, inputs: Value) -> Value:
        config, spec = layer.config, inputs.spec
        axes = self._axes(layer, spec)
        if 0 in axes:
            raise Refusal("KT102", "`LayerNormalization` over the batch axis is not supported")
        if not all(is_known(spec.shape[axis]) or spec.shape[axis] is not None for axis in axes):
            raise Refusal("KT201", "the sizes that `LayerNormalization` works on must be known")
        shape = tuple(spec.shape[axis] for axis in axes)
        arguments: dict[str, Any] = {"eps": config["epsilon"]}
        maps = []
        if not config["scale"] and not config["center"]:
            arguments["elementwise_affine"] = False
        else:
            maps = self._maps(layer, shape)
            if not config["center"]:
                arguments["bias"] = False
        objects = affine_objects(layer)
        if not config["center"]:  # `bias=False` says it
            objects["initializers"].pop("bias", None)
        module = cx.module(
            "nn.LayerNorm", shape[0] if len(shape) == 1 else shape, layer=layer, role="norm", weights=tuple(maps),
            **objects, **arguments,
        )  # fmt: skip
        return self._call(cx, module, inputs, axes)

    @staticmethod
    def _maps(layer: Layer, shape: tuple[Any, ...]) -> list[WeightMap]:
        config = layer.config
        gamma = WeightMap("weight", (WeightRef(layer, "gamma"),))
        maps = [gamma if config["scale"] else WeightMap("weight", (), (WeightOp("full", (shape, 1.0)),))]
        return [*maps, WeightMap("bias", (WeightRef(layer, "beta"),))] if config["center"] else maps

    @staticmethod
    def _call(cx: Lowering, module: Any, x: Value, axes: list[int]) -> Value:
        rank = x.spec.rank
        if axes == list(range(rank - len(axes), rank)):
            direct: Value = cx.call(module, x, x.spec)
            return direct
        order = [axis for axis in range(rank) if axis not in axes] + axes
        moved = TensorSpec(tuple(x.spec.shape[axis] for axis in order), x.spec.dtype)
        inside = cx.op(f"{{0}}.permute({', '.join(map(str, order))})", x, moved)
        back = [order.index(axis) for axis in range(rank)]
        normed = cx.call(module, inside, moved)
        result: Value = cx.op(f"{{0}}.permute({', '.join(map(str, back))})", normed, x.spec)
        return result


@layer_rule("keras.layers.GroupNormalization")
class GroupNormalization(LayerRule):
    """``nn.GroupNorm``; ``groups=-1`` gives each channel its own group."""

    layout = "any"
    params = params("groups=32, axis=-1, epsilon=0.001, center=True, scale=True, " + _AFFINE.format(middle=""))
    examples = (("GroupNormalization(groups=2)", (6, 5, 4)),)

    def mask(self, layer: Layer, inputs: Any, masks: Any) -> Any:
        return "pass"

    def infer(self, layer: Layer, inputs: TensorSpec, **call: Any) -> TensorSpec:
        size, groups = inputs.shape[normalize_axis(layer.config["axis"], inputs.rank)], int(layer.config["groups"])
        if size is not None and is_known(size) and groups != -1 and int(size) % groups:
            raise Refusal("KT104", f"{groups} groups do not divide {size} channels")
        return inputs

    def weights(self, layer: Layer, inputs: Any) -> tuple[WeightSpec, ...]:
        size = (inputs.shape[normalize_axis(layer.config["axis"], inputs.rank)],)
        return tuple(affine_weights(layer.config, size))

    def lower(self, cx: Lowering, layer: Layer, inputs: Value) -> Value:
        config, spec = layer.config, inputs.spec
        if normalize_axis(config["axis"], spec.rank) != spec.rank - 1:
            raise Refusal("KT102", "`GroupNormalization` over another axis than the last is not supported")
        channels = spec.shape[-1]
        if channels is None:
            raise Refusal("KT201", "the number of channels before `GroupNormalization` must be known")
        x = cx.keras_order(inputs) if spec.rank == 2 else cx.channels_first(inputs)
        groups = channels if config["groups"] == -1 else config["groups"]
        arguments: dict[str, Any] = {"eps": config["epsilon"]}
        maps: list[WeightMap] = []
        if not config["scale"] and not config["center"]:
            arguments["affine"] = False
        else:
            for key, name, present, fill in _halves(config):
                full = WeightMap(key, (), (WeightOp("full", ((channels,), fill)),))
                maps.append(WeightMap(key, (WeightRef(layer, name),)) if present else full)
        module = cx.module(
            "nn.GroupNorm", groups, channels, layer=layer, role="norm", weights=tuple(maps), **affine_objects(layer),
            **arguments,
        )  # fmt: skip
        result: Value = cx.call(module, x, spec, layout=x.layout if spec.rank == 2 else FIRST)
        return result
