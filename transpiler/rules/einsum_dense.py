"""EinsumDense: ``nn.Linear`` where the equation says just that, else a small module of its own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

from transpiler.diagnostics import Refusal
from transpiler.graph.keras import Layer, TensorSpec
from transpiler.graph.symbolic import is_known
from transpiler.graph.torch import Value, WeightMap, WeightOp, WeightRef
from transpiler.rules.activations import activated_spec, checked_activation
from transpiler.rules.arguments import refuse_given, settings
from transpiler.rules.base import LayerRule, WeightSpec, layer_rule, params
from transpiler.rules.initializers import initializer

if TYPE_CHECKING:
    from transpiler.rules.lowering import Lowering

_FORM = re.compile(r"(\.\.\.)?([a-zA-Z]+)(\.\.\.)?,([a-zA-Z]+)->(\.\.\.)?([a-zA-Z]+)(\.\.\.)?")


@dataclass(frozen=True)
class _Plan:
    """An equation on an input of known shape: what the weights and the result are."""

    kernel: tuple[Any, ...]
    bias: tuple[Any, ...] | None
    output: tuple[Any, ...]
    fans: tuple[Any, Any]
    linear: bool


@layer_rule("keras.layers.EinsumDense")
class EinsumDense(LayerRule):
    """A dense layer whose contraction is an einsum equation."""

    layout = "keras"
    params = params(
        "equation, output_shape, activation=None, bias_axes=None, kernel_initializer='glorot_uniform', "
        "bias_initializer='zeros', kernel_regularizer=None, bias_regularizer=None, kernel_constraint=None, "
        "bias_constraint=None, lora_rank=None, lora_alpha=None, gptq_unpacked_column_size=None, "
        "quantization_config=None"
    )
    examples = (
        ("EinsumDense('abc,cd->abd', output_shape=(None, 4), bias_axes='d')", (5, 3)),
        ("EinsumDense('abc,cde->abde', (None, 2, 4), bias_axes='de')", (5, 3)),
    )

    def normalize(self, config: dict[str, Any], legacy: int | None = None) -> dict[str, Any]:
        refuse_given(config, self.symbol, "lora_rank", "quantization_config", "gptq_unpacked_column_size")
        equation = str(config["equation"]).replace(" ", "")
        found = _FORM.fullmatch(equation)
        if found is None or found[1] != found[5] or found[3] != found[7] or found[1] and found[3]:
            raise Refusal("KT103", f"`{equation}` is not an equation of `EinsumDense`")
        config["equation"] = equation
        shape = config["output_shape"]
        config["output_shape"] = tuple(shape) if isinstance(shape, (list, tuple)) else (shape,)
        config["activation"] = checked_activation(config["activation"])
        settings(config, ("kernel", "weight"), ("bias", "bias"))
        return config

    def infer(self, layer: Layer, inputs: TensorSpec, **call: Any) -> TensorSpec:
        return activated_spec(layer.config["activation"], TensorSpec(_plan(layer, inputs).output))

    def weights(self, layer: Layer, inputs: Any) -> tuple[WeightSpec, ...]:
        plan = _plan(layer, inputs)
        kernel = WeightSpec("kernel", plan.kernel)
        return (kernel,) if plan.bias is None else (kernel, WeightSpec("bias", plan.bias))

    def lower(self, cx: Lowering, layer: Layer, inputs: Value, training: Any = None) -> Value:
        plan, config = _plan(layer, inputs.spec), layer.config
        kernel = WeightRef(layer, "kernel")
        bias = () if plan.bias is None else (WeightMap("bias", (WeightRef(layer, "bias"),)),)
        keys = (("kernel", "weight"), ("bias", "bias")) if bias else (("kernel", "weight"),)
        tables: dict[str, Any] = settings(config, *keys)
        if plan.linear:
            extra: dict[str, Any] = {} if bias else {"bias": False}
            weight = WeightMap("weight", (kernel,), (WeightOp("transpose", ((1, 0),)),))
            module = cx.module(
                "nn.Linear", *plan.kernel, layer=layer, role="fc", weights=(weight, *bias), **tables, **extra
            )
        else:
            tables["initializers"]["weight"] = initializer(config["kernel_initializer"], plan.fans)
            shapes = (plan.kernel,) if plan.bias is None else (plan.kernel, plan.bias)
            module = cx.module(
                "EinsumDense", config["equation"], *shapes, layer=layer, role="einsum",
                weights=(WeightMap("weight", (kernel,)), *bias), helpers=("einsum_dense",), **tables,
            )  # fmt: skip
        return cx.activation(config["activation"], cx.call(module, inputs, TensorSpec(plan.output)))


def _plan(layer: Layer, inputs: TensorSpec) -> _Plan:
    """Sizes of the weights and of the result, as Keras derives them from equation, input and output shape."""
    config = layer.config
    found = _FORM.fullmatch(config["equation"])
    assert found is not None
    source, weight, target = found[2], found[4], found[6]
    hidden = inputs.rank - len(source)
    if hidden < 0 or hidden and not (found[1] or found[3]):
        raise Refusal("KT104", f"`{config['equation']}` does not fit a tensor of rank {inputs.rank}")
    start = hidden if found[1] else 0
    known = dict(zip(source, inputs.shape[start:], strict=False))
    output = _output(config["output_shape"], inputs.shape, hidden, bool(found[1]))
    if len(output) != len(target) + hidden:
        raise Refusal("KT104", f"`output_shape` must give the sizes of `{target}` after the first")
    made = dict(zip(target, output[start:], strict=False))
    for letter, size in made.items():
        if letter in known and is_known(size) and is_known(known[letter]) and size != known[letter]:
            raise Refusal("KT104", f"the sizes of `{letter}` in input and output differ: {known[letter]} and {size}")
    sizes = {**known, **{letter: size for letter, size in made.items() if size is not None or letter not in known}}
    if any(letter not in sizes for letter in weight):
        raise Refusal("KT103", f"every letter of the weight in `{config['equation']}` must be in input or output")
    kernel = tuple(made[letter] if letter in made else known[letter] for letter in weight)
    if not all(is_known(size) for size in kernel):
        raise Refusal("KT201", f"the sizes of the weight `{weight}` of `EinsumDense` must be known")
    fans = (
        prod(int(sizes[letter]) for letter in weight if letter not in made),
        prod(int(sizes[letter]) for letter in weight if letter in made),
    )
    bias = _bias(config["bias_axes"], target, made, 0 if found[1] else hidden)
    full = tuple(sizes.get(letter) for letter in target)
    shape = (*inputs.shape[:hidden], *full) if found[1] else (*full, *inputs.shape[inputs.rank - hidden :])
    plain = _is_linear(found) and (bias is None or bias == kernel[1:])
    return _Plan(kernel, bias, shape, fans, plain)


def _output(given: tuple[Any, ...], shape: tuple[Any, ...], hidden: int, left: bool) -> tuple[Any, ...]:
    """The whole output shape: the batch, what the ellipsis stands for, and the given sizes."""
    if left:
        return (shape[0], *shape[1 : max(hidden, 1)], *given)
    return (shape[0], *given, *shape[len(shape) - hidden :])


def _bias(axes: Any, target: str, sizes: dict[str, Any], after: int) -> tuple[Any, ...] | None:
    if not axes:
        return None
    if not isinstance(axes, str) or any(letter not in target for letter in axes):
        raise Refusal("KT103", f"`bias_axes={axes!r}` must be letters of `{target}`")
    shown = target[min(target.index(letter) for letter in axes) :]
    shape = tuple(sizes[letter] if letter in axes else 1 for letter in shown) + (1,) * after
    if not all(is_known(size) for size in shape):
        raise Refusal("KT201", "the sizes along `bias_axes` must be known")
    return shape


def _is_linear(found: re.Match[str]) -> bool:
    """Whether the last axis alone is contracted: ``abc,cd->abd``."""
    source, weight, target = found[2], found[4], found[6]
    return not found[3] and len(weight) == 2 and source[:-1] + weight[1] == target and source[-1] == weight[0]
