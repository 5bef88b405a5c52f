"""Activations: the functions by name, and the layers that are nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from transpiler.diagnostics import Refusal
from transpiler.graph.keras import ApiObject, FunctionRef, Layer, TensorSpec
from transpiler.graph.symbolic import Dim, is_known
from transpiler.graph.torch import FIRST, Value, WeightMap, WeightOp, WeightRef
from transpiler.rules.base import LayerRule, WeightSpec, layer_rule, params
from transpiler.rules.constraints import constraint
from transpiler.rules.initializers import initializer
from transpiler.rules.layout import call_text, is_featured, literal, normalize_axis
from transpiler.rules.regularizers import regularizer

if TYPE_CHECKING:
    from transpiler.rules.lowering import Lowering


@dataclass(frozen=True)
class Form:
    """An activation: the expression, and the module that does the same (None if there is none)."""

    template: str
    module: str | None = None
    operator: bool = False
    helpers: tuple[str, ...] = ()


FORMS = {
    "relu": Form("F.relu({0})", "nn.ReLU()"),
    "relu6": Form("F.relu6({0})", "nn.ReLU6()"),
    "leaky_relu": Form("F.leaky_relu({0}, 0.2)", "nn.LeakyReLU(0.2)"),
    "elu": Form("F.elu({0})", "nn.ELU()"),
    "selu": Form("F.selu({0})", "nn.SELU()"),
    "celu": Form("F.celu({0})", "nn.CELU()"),
    "gelu": Form("F.gelu({0})", "nn.GELU()"),
    "silu": Form("F.silu({0})", "nn.SiLU()"),
    "mish": Form("F.mish({0})", "nn.Mish()"),
    "softplus": Form("F.softplus({0})", "nn.Softplus()"),
    "softsign": Form("F.softsign({0})", "nn.Softsign()"),
    "tanh": Form("torch.tanh({0})", "nn.Tanh()"),
    "sigmoid": Form("torch.sigmoid({0})", "nn.Sigmoid()"),
    "log_sigmoid": Form("F.logsigmoid({0})", "nn.LogSigmoid()"),
    "hard_sigmoid": Form("F.hardsigmoid({0})", "nn.Hardsigmoid()"),
    "hard_silu": Form("F.hardswish({0})", "nn.Hardswish()"),
    "hard_tanh": Form("F.hardtanh({0})", "nn.Hardtanh()"),
    "tanh_shrink": Form("F.tanhshrink({0})", "nn.Tanhshrink()"),
    "soft_shrink": Form("F.softshrink({0})", "nn.Softshrink()"),
    "hard_shrink": Form("F.hardshrink({0})", "nn.Hardshrink()"),
    "exponential": Form("torch.exp({0})"),
    "squareplus": Form("0.5 * ({0} + torch.sqrt({0}.square() + 4))", operator=True),
    "sparse_plus": Form("torch.where({0} <= -1, 0.0, torch.where({0} < 1, 0.25 * ({0} + 1).square(), {0}))"),
    "sparse_sigmoid": Form("(0.5 * ({0} + 1)).clamp(0, 1)"),
}
_AXIS_FORMS = {
    "softmax": Form("torch.softmax({0}, dim=@)", "nn.Softmax(dim=@)"),
    "log_softmax": Form("F.log_softmax({0}, dim=@)", "nn.LogSoftmax(dim=@)"),
    "glu": Form("F.glu({0}, dim=@)", "nn.GLU(dim=@)"),
}
_SPELLINGS = {
    "swish": "silu", "hard_swish": "hard_silu", "linear": "linear", "identity": "linear", "exp": "exponential",
    "relu_6": "relu6", "tanhshrink": "tanh_shrink", "softshrink": "soft_shrink", "hardtanh": "hard_tanh",
    "logsigmoid": "log_sigmoid",
}  # fmt: skip
_AXISLESS = frozenset(("softmax", "sigmoid"))  # what a loss may take over


def checked_activation(value: Any) -> Any:
    """An activation argument as None, a name that is known here, an ApiObject, a FunctionRef or a Layer."""
    if isinstance(value, (FunctionRef, Layer, ApiObject)) or value is None:
        return value
    if isinstance(value, Mapping) and "class_name" in value:
        raise Refusal("KT102", "an activation given as a configuration is not supported")
    if not isinstance(value, str):
        raise Refusal("KT103", f"`{value!r}` is not an activation")
    name = _name(value)
    if name is not None and name not in FORMS and name not in _AXIS_FORMS:
        raise Refusal("KT102", f"the activation `{value}` is not supported")
    return name


def _name(value: str) -> str | None:
    """The name that Keras 3 has for an activation; None for the linear one."""
    leaf = value.rpartition(".")[2]
    name = _SPELLINGS.get(leaf, leaf)
    return None if name == "linear" else name


def activation_name(act: Any) -> str | None:
    """The name of an activation given by name or as an object without arguments; None for the linear one."""
    if isinstance(act, ApiObject):
        return _name(_of_object(act))
    if act is None or isinstance(act, str):
        return None if act is None else _name(act)
    raise Refusal("KT102", "an activation that is a function or a layer is not supported here")


def activated_spec(act: Any, spec: TensorSpec) -> TensorSpec:
    """The spec of a tensor after an activation."""
    if act == "glu":
        last: Any = spec.shape[-1]
        return replace(spec, shape=(*spec.shape[:-1], None if last is None else last // 2))
    if isinstance(act, FunctionRef):
        outputs = act.trace((spec,)).output_tensors()
        if len(outputs) != 1:
            raise Refusal("KT103", f"the activation `{act.name}` must return one tensor")
        return outputs[0].spec
    return spec


def activate(cx: Lowering, act: Any, x: Value) -> Value:
    """Apply an activation to a value in any layout; see ``Lowering.activation``."""
    if isinstance(act, FunctionRef):
        ordered = cx.keras_order(x)
        made: Value = cx.inline(act.trace((ordered.spec,)), [ordered])
        return made
    if isinstance(act, Layer):
        value: Value = cx.lower_layer(act, x)
        return value
    if isinstance(act, ApiObject):
        act = _of_object(act)
    name = None if act is None else _name(act)
    if name is None:
        return x
    if name in _AXIS_FORMS:
        return _along(cx, name, x, -1)
    if name not in FORMS:
        raise Refusal("KT102", f"the activation `{act}` is not supported")
    form = FORMS[name]
    if name in _AXISLESS and cx.leaves_out(form.template):
        return x
    return cx.elementwise(form.template, x, form.module, form.operator)


def _of_object(act: ApiObject) -> str:
    if act.config:
        raise Refusal("KT102", f"`{act.symbol}` with arguments is not supported as an activation")
    return act.symbol


def _along(cx: Lowering, name: str, x: Value, axis: int) -> Value:
    """An activation over one axis; a softmax over features gives the same in any order."""
    if name == "glu":
        x = cx.keras_order(x) if is_featured(x) else x
        return _emit_along(cx, name, x, axis, activated_spec("glu", x.spec))
    leaving = Value(x.spec, cx.output_layout(x))  # the loss sees what leaves the model
    if name == "softmax" and cx.leaves_out(_text(cx, _AXIS_FORMS[name].template, leaving, axis)):
        return x
    return _emit_along(cx, name, x, axis, x.spec)


def _text(cx: Lowering, text: str, x: Value, axis: int) -> str:
    dim = cx.dim(x, axis)
    return text.replace("@", str(-1 if dim == x.spec.rank - 1 and dim > 1 else dim))


def _emit_along(cx: Lowering, name: str, x: Value, axis: int, spec: TensorSpec) -> Value:
    form = _AXIS_FORMS[name]
    module = None if form.module is None else _text(cx, form.module, x, axis)
    text = _text(cx, form.template, x, axis)
    value: Value = cx.op(text, x, spec, x.layout, x.features, module_form=module, helpers=form.helpers)
    return value


# -- layers -----------------------------------------------------------------------------------------------------------
class _ActivationLayer(LayerRule):
    """A layer that keeps shape, layout and mask."""

    layout = "any"

    def normalize(self, config: dict[str, Any], legacy: int | None = None) -> dict[str, Any]:
        if config.get("activity_regularizer") is not None:
            raise Refusal("KT102", f"`{self.symbol}` with `activity_regularizer` is not supported")
        return config

    def infer(self, layer: Layer, inputs: TensorSpec, **call: Any) -> TensorSpec:
        return inputs

    def mask(self, layer: Layer, inputs: Any, masks: Any) -> Any:
        return "pass"


@layer_rule("keras.layers.ReLU")
class ReLU(_ActivationLayer):
    """``nn.ReLU`` with a slope below, a bound above, and a threshold."""

    params = params(
        "max_value=None, negative_slope=0.0, threshold=0.0, activity_regularizer=None", negative_slope="alpha"
    )
    examples = (
        ("ReLU()", (3,)),
        ("ReLU(6.0)", (3,)),
        ("ReLU(max_value=1.5, negative_slope=0.1, threshold=0.5)", (3,)),
    )

    def lower(self, cx: Lowering, layer: Layer, inputs: Value, training: Any = None) -> Value:
        config = layer.config
        form = relu_form(config["negative_slope"] or 0.0, config["max_value"], config["threshold"] or 0.0)
        return cx.elementwise(form.template, inputs, form.module, form.operator)


def relu_form(slope: float, top: float | None, threshold: float) -> Form:
    """``max(x, 0)`` and its variants: f(x) = top, x or slope · (x - threshold)."""
    if threshold:
        below = f"{literal(slope)} * ({{0}} - {literal(threshold)})" if slope else "0.0"
        above = "{0}" if top is None else f"{{0}}.clamp(max={literal(top)})"
        return Form(f"torch.where({{0}} >= {literal(threshold)}, {above}, {below})")
    if slope:
        if top is None:
            return Form(f"F.leaky_relu({{0}}, {literal(slope)})", call_text("nn.LeakyReLU", slope))
        return Form(f"F.leaky_relu({{0}}, {literal(slope)}).clamp(max={literal(top)})")
    if top is None:
        return FORMS["relu"]
    if top == 6:
        return FORMS["relu6"]
    return Form(f"{{0}}.clamp(0, {literal(top)})", call_text("nn.Hardtanh", 0.0, float(top)))


@layer_rule("keras.layers.LeakyReLU")
class LeakyReLU(_ActivationLayer):
    """``nn.LeakyReLU``; Keras' slope is 0.3."""

    params = params("negative_slope=0.3, activity_regularizer=None", negative_slope="alpha")
    examples = (("LeakyReLU()", (3,)), ("LeakyReLU(0.1)", (3,)))

    def lower(self, cx: Lowering, layer: Layer, inputs: Value, training: Any = None) -> Value:
        slope = layer.config["negative_slope"]
        return cx.elementwise(f"F.leaky_relu({{0}}, {literal(slope)})", inputs, call_text("nn.LeakyReLU", slope))


@layer_rule("keras.layers.ELU")
class ELU(_ActivationLayer):
    """``nn.ELU``."""

    params = params("alpha=1.0, activity_regularizer=None")
    examples = (("ELU()", (3,)), ("ELU(0.5)", (3,)))

    def lower(self, cx: Lowering, layer: Layer, inputs: Value, training: Any = None) -> Value:
        alpha = layer.config["alpha"]
        if alpha == 1:
            return cx.activation("elu", inputs)
        return cx.elementwise(f"F.elu({{0}}, alpha={literal(alpha)})", inputs, call_text("nn.ELU", alpha=alpha))


@layer_rule("keras.layers.Softmax")
class Softmax(_ActivationLayer):
    """``torch.softmax`` over one axis or several; a mask excludes entries."""

    params = params("axis=-1, activity_regularizer=None")
    examples = (("Softmax()", (3,)), ("Softmax(axis=1)", (4, 3)), ("Softmax(axis=[1, 2])", (4, 3)))

    def lower(self, cx: Lowering, layer: Layer, inputs: Value, mask: Any = None, training: Any = None) -> Value:
        axis = layer.config["axis"]
        if mask is not None:
            raise Refusal("KT102", "`Softmax` with a mask is not supported")
        if not isinstance(axis, (list, tuple)):
            return _along(cx, "softmax", inputs, int(axis))
        if len(axis) == 1:
            return _along(cx, "softmax", inputs, int(axis[0]))
        dims = tuple(sorted(cx.dim(inputs, one) for one in axis))
        return cx.elementwise(f"torch.exp({{0}} - torch.logsumexp({{0}}, dim={dims}, keepdim=True))", inputs)


@layer_rule("keras.layers.PReLU")
class PReLU(_ActivationLayer):
    """``nn.PReLU`` where each channel has its slope; else a helper module with a slope for each place."""

    params = params(
        "alpha_initializer='zeros', alpha_regularizer=None, alpha_constraint=None, shared_axes=None, "
        "activity_regularizer=None",
        alpha_initializer="init",
    )
    examples = (
        ("PReLU()", (3,)),
        ("PReLU(shared_axes=[1, 2])", (4, 5, 3)),
        ("PReLU()", (4, 5, 3)),
    )

    def weights(self, layer: Layer, inputs: Any) -> tuple[WeightSpec, ...]:
        return (WeightSpec("alpha", _alpha_shape(layer, inputs)),)

    def lower(self, cx: Lowering, layer: Layer, inputs: Value, training: Any = None) -> Value:
        shape = _alpha_shape(layer, inputs.spec)
        if not all(map(is_known, shape)):
            raise Refusal("KT201", "`PReLU` needs the sizes of its input, or `shared_axes`")
        ref = (WeightRef(layer, "alpha"),)
        tables: dict[str, Any] = {
            "initializers": {"weight": initializer(layer.config["alpha_initializer"])},
            "regularizers": {"weight": regularizer(layer.config["alpha_regularizer"])},
            "constraints": {"weight": constraint(layer.config["alpha_constraint"])},
        }
        rank = inputs.spec.rank
        shared = all(dim == 1 for dim in shape[:-1])
        if shared and cx.dim(inputs, -1) == 1:
            maps = (WeightMap("weight", ref, (WeightOp("reshape", ((shape[-1],),)),)),)
            module = cx.module("nn.PReLU", shape[-1], layer=layer, role="prelu", weights=maps, **tables)
        else:
            order = (rank - 2, *range(rank - 2)) if inputs.layout == FIRST and rank >= 3 else None
            ops = () if order is None else (WeightOp("transpose", (order,)),)
            lying = shape if order is None else tuple(shape[i] for i in order)
            maps = (WeightMap("weight", ref, ops),)
            module = cx.module(
                "PlacePReLU", lying, layer=layer, role="prelu", weights=maps, helpers=("place_prelu",), **tables
            )
        value: Value = cx.call(module, inputs, inputs.spec, layout=inputs.layout)
        return value


def _alpha_shape(layer: Layer, spec: TensorSpec) -> tuple[Dim, ...]:
    axes = layer.config["shared_axes"] or ()
    shared = {normalize_axis(axis, spec.rank) for axis in (axes if isinstance(axes, (list, tuple)) else [axes])}
    return tuple(1 if i in shared else dim for i, dim in enumerate(spec.shape) if i > 0)
