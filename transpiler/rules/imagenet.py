"""``preprocess_input`` and ``decode_predictions`` of the networks in ``keras.applications``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transpiler.diagnostics import Refusal
from transpiler.graph.keras import Layer, TensorSpec
from transpiler.graph.torch import Value
from transpiler.rules.base import LayerRule, Param, layer_rule, params, refuse
from transpiler.rules.layout import literal
from transpiler.rules.ops_base import FLOATS, as_float, op

if TYPE_CHECKING:
    from transpiler.rules.lowering import Lowering

_APPLICATIONS = "keras.applications."
PREPROCESS_OP = "keras.applications.preprocess"
SCALED_SUM = "keras.applications.CustomScaleLayer"
_GENERAL = f"{_APPLICATIONS}imagenet_utils.preprocess_input"

# How each module's `preprocess_input` scales; those of "none" do nothing, for their networks begin with it.
_MODES = {
    "vgg16": "caffe", "vgg19": "caffe", "resnet": "caffe", "resnet50": "caffe", "resnet_v2": "tf",
    "inception_v3": "tf", "inception_resnet_v2": "tf", "xception": "tf", "mobilenet": "tf", "mobilenet_v2": "tf",
    "nasnet": "tf", "densenet": "torch", "mobilenet_v3": "none", "efficientnet": "none", "efficientnet_v2": "none",
    "convnext": "none",
}  # fmt: skip
PREPROCESS = {**{f"{_APPLICATIONS}{module}.preprocess_input": mode for module, mode in _MODES.items()}, _GENERAL: ""}
DECODE = tuple(f"{_APPLICATIONS}{module}.decode_predictions" for module in (*_MODES, "imagenet_utils"))

SIGNATURES: dict[str, tuple[Param, ...]] = {
    **dict.fromkeys(PREPROCESS, params("x, data_format=None")),
    _GENERAL: params("x, data_format=None, mode='caffe'"),
    **dict.fromkeys(DECODE, params("preds, top=5")),
}

for _name in ("NASNetMobile", "NASNetLarge"):
    refuse(f"{_APPLICATIONS}{_name}", "its cells are not described here yet; timm has a port of it (`nasnetalarge`)")
for _name in ("Tiny", "Small", "Base", "Large", "XLarge"):
    refuse(
        f"{_APPLICATIONS}ConvNeXt{_name}",
        "its LayerScale is not described here yet; torchvision and timm have the same network",
    )


def preprocess_mode(symbol: str, given: dict[str, Any]) -> str:
    """The way of scaling of a call: "caffe", "tf", "torch" or "none"."""
    mode = PREPROCESS[symbol] or given.get("mode", "caffe")
    if mode not in ("caffe", "tf", "torch", "none"):
        raise Refusal("KT103", "`mode` must be 'caffe', 'tf' or 'torch', and known")
    if given.get("data_format") not in (None, "channels_last"):
        raise Refusal("KT105", "a data format other than channels_last is not supported")
    return str(mode)


def _spec(x: TensorSpec, mode: str) -> TensorSpec:
    if x.shape[-1] != 3 and mode != "tf":
        raise Refusal("KT104", f"`preprocess_input` takes images of 3 channels, not {x.shape[-1]}")
    if x.dtype not in FLOATS and mode != "tf":
        raise Refusal("KT102", f"`preprocess_input` of a tensor of {x.dtype} is not supported: cast it to float first")
    return as_float(x)


@op(PREPROCESS_OP, "x, mode", _spec)
def _preprocess(cx: Lowering, x: Value, mode: str) -> Value:
    channel = cx.dim(x, -1)
    view = "" if channel == x.spec.rank - 1 else f".view(-1{', 1' * (x.spec.rank - 1 - channel)})"

    def numbers(*values: float) -> str:
        return f"torch.tensor({literal(list(values))}, device={{0}}.device){view}"

    template = {
        "tf": "{0} / 127.5 - 1.0",
        "caffe": f"{{0}}.flip({channel}) - {numbers(103.939, 116.779, 123.68)}",
        "torch": f"({{0}} / 255.0 - {numbers(0.485, 0.456, 0.406)}) / {numbers(0.229, 0.224, 0.225)}",
    }[mode]
    value: Value = cx.op(template, x, _spec(x.spec, mode), x.layout, operator=True)
    return value


@layer_rule(SCALED_SUM)
class CustomScaleLayer(LayerRule):
    """The sum of InceptionResNetV2's blocks: the input and a part of the residual."""

    layout = "any"
    params = params("scale")

    def infer(self, layer: Layer, inputs: Any, **call: Any) -> TensorSpec:
        first: TensorSpec = inputs[0]
        return first

    def lower(self, cx: Lowering, layer: Layer, inputs: Any, training: Any = None) -> Value:
        scale = layer.config["scale"]
        values = cx.align(inputs)
        template = "{0} + {1}" if scale == 1 else f"{{0}} + {{1}} * {literal(scale)}"
        value: Value = cx.op(template, values, values[0].spec, values[0].layout, operator=True)
        return value
