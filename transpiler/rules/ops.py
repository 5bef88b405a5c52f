"""Ops on each element: arithmetic, comparison, and the usual functions."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from transpiler.diagnostics import Refusal
from transpiler.graph.keras import TensorSpec
from transpiler.graph.torch import Value
from transpiler.rules.base import params
from transpiler.rules.layout import literal
from transpiler.rules.ops_base import (
    FLOATS,
    FunctionOp,
    Op,
    align_operands,
    as_float,
    broadcast,
    dtype_name,
    number_text,
    op,
    register,
    result_dtype,
    same,
    shape_of,
    tensor_text,
    torch_dtype,
)

if TYPE_CHECKING:
    from transpiler.rules.lowering import Lowering


class Elementwise(Op):
    """An op over several operands that broadcast: tensors, numbers, or lists of numbers."""

    def __init__(self, template: str, names: str = "x1, x2", dtype: str | None = None, operator: bool = True) -> None:
        self.params = params(names)
        self.template = template
        self.dtype = dtype
        self.operator = operator

    def spec(self, **bound: Any) -> TensorSpec:
        operands = list(bound.values())
        dtype = self.dtype or result_dtype(operands[1:] if "condition" in bound else operands)
        if dtype == "float" or (self.dtype is None and self.template == "{0} / {1}" and dtype not in FLOATS):
            dtype = result_dtype([*operands, 1.0])
        return TensorSpec(broadcast([shape_of(o) for o in operands]), dtype)

    def emit(self, cx: Lowering, **bound: Any) -> Value:
        operands = align_operands(cx, list(bound.values()))
        return emit_elementwise(cx, self.text(operands), operands, self.spec(**_specs(bound)), self.operator)

    def text(self, operands: list[Any]) -> str:
        """The template for these operands."""
        return self.template


def _specs(bound: dict[str, Any]) -> dict[str, Any]:
    return {key: item.spec if isinstance(item, Value) else item for key, item in bound.items()}


def emit_elementwise(cx: Lowering, template: str, operands: list[Any], spec: TensorSpec, operator: bool) -> Value:
    """Fill the constants into the template and emit it over the tensors."""
    tensors = [o for o in operands if isinstance(o, Value)]
    lead = next((v for v in tensors if v.spec.rank == spec.rank), tensors[0])
    slots = []
    for operand in operands:
        if isinstance(operand, Value):
            slots.append(f"{{{tensors.index(operand)}}}")
        elif isinstance(operand, (list, tuple)):
            slots.append(tensor_text(operand, f"{{{tensors.index(lead)}}}"))
        else:
            slots.append(number_text(operand, tight="**" in template))
    features = lead.features if len({id(t) for t in tensors if t.spec.rank}) == 1 or _one_order(tensors) else None
    layout = lead.layout if lead.spec.rank == spec.rank else None
    value: Value = cx.op(template.format(*slots), tensors, spec, layout, features, operator)
    return value


def _one_order(tensors: list[Value]) -> bool:
    return all(t.features == tensors[0].features for t in tensors if t.spec.rank)


class Extremum(Elementwise):
    """``maximum``/``minimum``: a clamp where one operand is a number."""

    def __init__(self, name: str, bound: str) -> None:
        super().__init__(f"torch.{name}({{0}}, {{1}})", operator=False)
        self.bound = bound

    def text(self, operands: list[Any]) -> str:
        left, right = (isinstance(o, (Value, list, tuple)) for o in operands)
        if left and right:
            return self.template
        return f"{{0}}.clamp({self.bound}={{1}})" if left else f"{{1}}.clamp({self.bound}={{0}})"


_ARITHMETIC = {
    "add": "+", "subtract": "-", "multiply": "*", "divide": "/", "true_divide": "/", "floor_divide": "//",
    "mod": "%", "power": "**",
}  # fmt: skip
_COMPARE = {"equal": "==", "not_equal": "!=", "less": "<", "less_equal": "<=", "greater": ">", "greater_equal": ">="}

for _name, _sign in _ARITHMETIC.items():
    register(_name, Elementwise(f"{{0}} {_sign} {{1}}"))
for _name, _sign in _COMPARE.items():
    register(_name, Elementwise(f"{{0}} {_sign} {{1}}", dtype="bool"))
register("maximum", Extremum("maximum", "min"))
register("minimum", Extremum("minimum", "max"))
register("where", Elementwise("torch.where({0}, {1}, {2})", "condition, x1, x2", operator=False))
register("divide_no_nan", Elementwise("torch.where({1} == 0, 0.0, {0} / {1})", operator=False))
register("squared_difference", Elementwise("({0} - {1}).square()", operator=False))
register("arctan2", Elementwise("torch.atan2({0}, {1})", dtype="float", operator=False))
for _name in ("logical_and", "logical_or", "logical_xor"):
    register(_name, Elementwise(f"torch.{_name}({{0}}, {{1}})", dtype="bool", operator=False))


def _unary(template: str, spec: Any = same, operator: bool = False) -> FunctionOp:
    def emit(cx: Lowering, x: Value) -> Value:
        value: Value = cx.op(template, x, spec(x=x.spec), x.layout, x.features, operator)
        return value

    return FunctionOp(params("x"), spec, emit)


def _bool(x: TensorSpec, **_: Any) -> TensorSpec:
    return TensorSpec(x.shape, "bool")


def _like(function: str, cx: Lowering, x: Value, dtype: Any) -> Value:
    name = dtype_name(dtype, x.spec.dtype)
    extra = "" if name == x.spec.dtype else f", dtype={torch_dtype(name)}"
    value: Value = cx.op(f"{function}({{0}}{extra})", x, TensorSpec(x.spec.shape, name), x.layout, x.features)
    return value


_SAME = {"absolute": "torch.abs", "abs": "torch.abs", "sign": "torch.sign", "square": "torch.square",
         "stop_gradient": "", "floor": "torch.floor", "ceil": "torch.ceil", "round": "torch.round"}  # fmt: skip
_FLOAT = {
    "sqrt": "torch.sqrt", "rsqrt": "torch.rsqrt", "exp": "torch.exp", "expm1": "torch.expm1", "log": "torch.log",
    "log1p": "torch.log1p", "log2": "torch.log2", "log10": "torch.log10", "sin": "torch.sin", "cos": "torch.cos",
    "tan": "torch.tan", "arcsin": "torch.asin", "arccos": "torch.acos", "arctan": "torch.atan", "sinh": "torch.sinh",
    "cosh": "torch.cosh", "tanh": "torch.tanh", "arcsinh": "torch.asinh", "arccosh": "torch.acosh",
    "arctanh": "torch.atanh", "erf": "torch.erf", "sigmoid": "torch.sigmoid", "reciprocal": "torch.reciprocal",
    "softsign": "F.softsign", "silu": "F.silu", "swish": "F.silu", "log_sigmoid": "F.logsigmoid", "selu": "F.selu",
    "hard_sigmoid": "F.hardsigmoid", "hard_silu": "F.hardswish", "hard_swish": "F.hardswish", "mish": "F.mish",
    "softplus": "F.softplus", "tanh_shrink": "F.tanhshrink", "lgamma": "torch.lgamma", "digamma": "torch.digamma",
}  # fmt: skip
for _name, _function in _SAME.items():
    register(_name, _unary(f"{_function}({{0}})" if _function else "{0}.detach()"))
for _name, _function in _FLOAT.items():
    register(_name, _unary(f"{_function}({{0}})", as_float))
for _name in ("isnan", "isinf", "isfinite", "logical_not"):
    register(_name, _unary(f"torch.{_name}({{0}})", _bool))
for _name in ("zeros_like", "ones_like"):
    register(_name, FunctionOp(params("x, dtype=None"), same, partial(_like, f"torch.{_name}")))
register("negative", _unary("-{0}", operator=True))
register("identity", FunctionOp(params("x"), same, lambda cx, x: x))
register("relu6", _unary("F.relu6({0})"))


@op("gelu", "x, approximate=True", as_float)
def _gelu(cx: Lowering, x: Value, approximate: bool) -> Value:
    extra = ', approximate="tanh"' if approximate else ""
    return cx.elementwise(f"F.gelu({{0}}{extra})", x)


@op("relu", "x, negative_slope=0.0, max_value=None, threshold=0.0", same)
def _relu(cx: Lowering, x: Value, negative_slope: float, max_value: float | None, threshold: float) -> Value:
    if threshold:
        raise Refusal("KT102", "`relu` with a `threshold` is not supported")
    template = f"F.leaky_relu({{0}}, {literal(negative_slope)})" if negative_slope else "F.relu({0})"
    if max_value is not None:
        bounds = f"max={literal(max_value)}" if negative_slope else f"0, {literal(max_value)}"
        template = (template if negative_slope else "{0}") + f".clamp({bounds})"
    return cx.elementwise(template, x)


@op("leaky_relu", "x, negative_slope=0.2", same)
def _leaky_relu(cx: Lowering, x: Value, negative_slope: float) -> Value:
    return cx.elementwise(f"F.leaky_relu({{0}}, {literal(negative_slope)})", x)


@op("elu", "x, alpha=1.0", same)
def _elu(cx: Lowering, x: Value, alpha: float) -> Value:
    extra = "" if alpha == 1 else f", alpha={literal(alpha)}"
    return cx.elementwise(f"F.elu({{0}}{extra})", x)


@op("clip", "x, x_min, x_max", same)
def _clip(cx: Lowering, x: Value, x_min: Any, x_max: Any) -> Value:
    if isinstance(x_min, Value) or isinstance(x_max, Value):
        raise Refusal("KT102", "`clip` with tensors as bounds is not supported")
    if x_min is None or x_max is None:
        return cx.elementwise(
            f"{{0}}.clamp(max={literal(x_max)})" if x_min is None else f"{{0}}.clamp(min={literal(x_min)})", x
        )
    return cx.elementwise(f"{{0}}.clamp({literal(x_min)}, {literal(x_max)})", x)


def _cast_spec(x: Any, dtype: Any) -> Any:
    return TensorSpec(shape_of(x), dtype_name(dtype))


@op("cast", "x, dtype", _cast_spec)
def _cast(cx: Lowering, x: Any, dtype: Any) -> Any:
    name = dtype_name(dtype)
    if name == x.spec.dtype:
        return x
    short = {"float32": ".float()", "int64": ".long()", "bool": ".bool()", "int32": ".int()"}
    template = "{0}" + short.get(name, f".to({torch_dtype(name)})")
    return cx.op(template, x, TensorSpec(x.spec.shape, name), x.layout, x.features)


@op("add_n", "inputs", lambda inputs: TensorSpec(broadcast([i.shape for i in inputs]), inputs[0].dtype))
def _add_n(cx: Lowering, inputs: list[Value]) -> Value:
    total: Value = inputs[0]
    for item in inputs[1:]:
        total = cx_binary(cx, "add", total, item)
    return total


def cx_binary(cx: Lowering, name: str, left: Any, right: Any) -> Value:
    """Emit an arithmetic op of this file from within another rule."""
    from transpiler.rules.base import OPS

    value: Any = OPS[f"keras.ops.{name}"].lower(cx, (left, right), {})
    assert isinstance(value, Value)
    return value
