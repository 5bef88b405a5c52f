"""Torch graphs made by hand, classes made from them, and an interpreter that needs no generated code."""

from __future__ import annotations

import re
import types
from typing import Any

from transpiler.emit.model import RenderedModel, render_model, render_models
from transpiler.graph.keras import ApiObject, Layer, Model, Origin, Span, TensorSpec
from transpiler.graph.torch import KERAS, Call, Module, TorchModel, Value, WeightMap, WeightRef

ORIGIN = Origin(Span(1, 0, 1, 1))
GLOROT = ApiObject("keras.initializers.GlorotUniform", {"seed": None})
ZEROS = ApiObject("keras.initializers.Zeros", {})


def make_layer(name: str = "dense", explicit: bool = False, hint: str | None = None, symbol: str = "Dense") -> Layer:
    return Layer(f"keras.layers.{symbol}", {}, name, explicit, ORIGIN, hint)


class Builder:
    """Builds one TorchModel."""

    def __init__(self, final_activation: str | None = None) -> None:
        self.inputs: list[Value] = []
        self.calls: list[Call] = []
        self.final_activation = final_activation

    def input(self, *shape: Any, hint: str | None = None, layout: str = KERAS) -> Value:
        value = Value(TensorSpec((None, *shape)), layout, hint=hint)
        self.inputs.append(value)
        return value

    def module(self, cls: str, *args: Any, role: str = "layer", weights: bool = True, **kwargs: Any) -> Module:
        layer = kwargs.pop("layer", None) or make_layer()
        extra = {key: kwargs.pop(key) for key in ("initializers", "regularizers", "suffix", "helpers") if key in kwargs}
        maps = (WeightMap("weight", (WeightRef(layer, "kernel"),)),) if weights else ()
        return Module(cls, args, kwargs, role, layer, weights=maps, **extra)

    def linear(self, inputs: Any, outputs: Any, **kwargs: Any) -> Module:
        starts = {"weight": GLOROT, "bias": ZEROS}
        return self.module("nn.Linear", inputs, outputs, role="fc", initializers=starts, **kwargs)

    def conv(self, inputs: Any, outputs: Any, size: int = 3, **kwargs: Any) -> Module:
        starts = {"weight": GLOROT, "bias": ZEROS}
        return self.module(
            "nn.Conv2d", inputs, outputs, kernel_size=(size, size), role="conv", initializers=starts, **kwargs
        )

    def call(self, module: Module, *inputs: Value, hint: Any = None, outputs: int = 1, **kwargs: Any) -> Any:
        hints = hint if isinstance(hint, (list, tuple)) else [hint] * outputs
        values = tuple(Value(inputs[0].spec, hint=text) for text in hints)
        comments = kwargs.pop("comments", ())
        origin = Origin(ORIGIN.span, (), comments)
        self.calls.append(Call(module, inputs, values, origin, layer=module.layer, **kwargs))
        return values[0] if outputs == 1 else values

    def op(self, template: str, *inputs: Value, hint: str | None = None, **kwargs: Any) -> Value:
        value = Value(inputs[0].spec, hint=hint)
        self.calls.append(Call(template, inputs, (value,), ORIGIN, **kwargs))
        return value

    def relu(self, x: Value, hint: str | None = None) -> Value:
        return self.op("F.relu({0})", x, hint=hint, module_form="nn.ReLU()")

    def build(self, outputs: Any, hint: str | None = None, name: str = "model") -> TorchModel:
        source = Model("functional", [], [], name, False, ORIGIN, hint=hint)
        return TorchModel(source, self.inputs, outputs, self.calls, self.final_activation)


def source_file(*models: RenderedModel) -> str:
    """A whole file for rendered classes."""
    imports = "import math\nimport torch\nfrom torch import Tensor, nn\nfrom torch.nn import functional as F\n\n\n"
    return imports + render_models(models)


def load(*models: RenderedModel) -> types.ModuleType:
    """Run the generated file."""
    module = types.ModuleType("generated")
    exec(compile(source_file(*models), "generated.py", "exec"), module.__dict__)
    return module


def render(tm: TorchModel, name: str = "Net", **kwargs: Any) -> RenderedModel:
    return render_model(tm, name, **kwargs)


def interpret(tm: TorchModel, instance: Any, paths: dict[int, str], inputs: list[Any]) -> dict[int, Any]:
    """Compute every value of the graph directly, with the modules of ``instance``."""
    import torch
    from torch import nn
    from torch.nn import functional

    scope = {"torch": torch, "F": functional, "nn": nn}
    values: dict[int, Any] = {id(v): x for v, x in zip(tm.inputs, inputs, strict=True)}
    for call in tm.calls:
        if any(id(v) not in values for v in call.inputs):
            continue  # after a dead step
        given = [values[id(v)] for v in call.inputs]
        if isinstance(call.target, Module):
            if id(call.target) not in paths:
                continue
            result = instance.get_submodule(paths[id(call.target)])(*given)
        else:
            names = {f"v{i}": value for i, value in enumerate(given)}
            result = eval(re.sub(r"\{(\d+)\}", r"v\1", call.target), {**scope, **names})
        results = result if len(call.outputs) > 1 else [result]
        values.update({id(v): r for v, r in zip(call.outputs, results, strict=True)})
    return values
