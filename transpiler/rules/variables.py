"""Weights that a program's own layers make, and values that differ between training and inference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transpiler.graph.keras import ApiObject, Layer, TensorSpec
from transpiler.graph.torch import BUFFER, PARAMETER, Value, WeightMap, WeightRef
from transpiler.rules.base import LayerRule, WeightSpec, layer_rule, params
from transpiler.rules.constraints import constraint
from transpiler.rules.initializers import initializer
from transpiler.rules.ops_base import op, same
from transpiler.rules.regularizers import regularizer

if TYPE_CHECKING:
    from transpiler.rules.lowering import Lowering

VARIABLE = "keras.Variable"
_FILLS = {"Zeros": "zeros", "Ones": "ones"}


@layer_rule(VARIABLE)
class Variable(LayerRule):
    """A weight made by ``add_weight``: a parameter, or a buffer where it is not trained."""

    params = params(
        "shape=(), weight_initializer='glorot_uniform', weight_regularizer=None, weight_constraint=None, "
        "dtype='float32', trained=True, variable='variable'"
    )

    def infer(self, layer: Layer, *inputs: Any, **call: Any) -> TensorSpec:
        return TensorSpec(tuple(layer.config["shape"]), layer.config["dtype"])

    def weights(self, layer: Layer, inputs: Any) -> tuple[WeightSpec, ...]:
        config = layer.config
        return (WeightSpec(config["variable"], tuple(config["shape"]), config["trained"]),)

    def lower(self, cx: Lowering, layer: Layer, *inputs: Any, **call: Any) -> Value:
        config = layer.config
        start = _initializer(config)
        fill = _FILLS.get(start.symbol.rpartition(".")[2], "empty") if isinstance(start, ApiObject) else "empty"
        ref = WeightMap("", (WeightRef(layer, config["variable"]),))
        buffer = not config["trained"] and fill != "empty"
        options: dict[str, Any] = {} if config["trained"] or buffer else {"requires_grad": False}
        if config["dtype"] != "float32":
            options["dtype"] = config["dtype"]
        module = cx.module(
            BUFFER if buffer else PARAMETER,
            fill,
            tuple(config["shape"]),
            layer=layer,
            role="weight",
            weights=(ref,),
            initializers={} if fill != "empty" else {"": start},
            regularizers={"": regularizer(config["weight_regularizer"])},
            constraints={"": constraint(config["weight_constraint"])},
            **options,
        )
        value: Value = cx.call(module, [], self.infer(layer))
        return value


def _initializer(config: dict[str, Any]) -> Any:
    """The initialiser, with Keras' fans where torch would count others."""
    start = initializer(config["weight_initializer"])
    if not isinstance(start, ApiObject):
        return start
    name, shape = start.symbol.rpartition(".")[2], config["shape"]
    if "Uniform" not in name and "Normal" not in name and name != "VarianceScaling" or name.startswith("Random"):
        return start
    if len(shape) == 2 and name == "GlorotUniform":
        return start  # the mean of both fans, whichever is which
    return ApiObject(start.symbol, {**start.config, "fans": _fans(tuple(shape))})


def _fans(shape: tuple[Any, ...]) -> tuple[Any, Any]:
    """``(fan_in, fan_out)`` as Keras counts them."""
    if len(shape) < 1:
        return 1, 1
    if len(shape) == 1:
        return shape[0], shape[0]
    field = 1
    for size in shape[:-2]:
        field = field * size
    return field * shape[-2], field * shape[-1]


@op("keras.in_training", "x, other", same)
def _in_training(cx: Lowering, x: Value, other: Value) -> Value:
    """``x`` while training, ``other`` at inference."""
    x, other = cx.align([cx.keras_order(v) if v.features is not None else v for v in (x, other)])
    value: Value = cx.op("{0} if self.training else {1}", [x, other], x.spec, x.layout, operator=True)
    return value
