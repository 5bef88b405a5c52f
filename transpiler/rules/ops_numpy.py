"""The less common functions on each element, and on two operands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transpiler.diagnostics import Refusal
from transpiler.graph.keras import TensorSpec
from transpiler.graph.torch import Value
from transpiler.rules.base import params
from transpiler.rules.layout import literal
from transpiler.rules.ops import Elementwise
from transpiler.rules.ops_base import FunctionOp, as_float, dtype_name, op, register, same, torch_dtype

if TYPE_CHECKING:
    from transpiler.rules.lowering import Lowering


def _bool(x: TensorSpec, **_: Any) -> TensorSpec:
    return TensorSpec(x.shape, "bool")


def _unary(template: str, spec: Any = as_float) -> FunctionOp:
    operator = not template.endswith(")")

    def emit(cx: Lowering, x: Value) -> Value:
        value: Value = cx.op(template, x, spec(x=x.spec), x.layout, x.features, operator)
        return value

    return FunctionOp(params("x"), spec, emit)


_FLOAT = {
    "cbrt": "torch.sign({0}) * torch.abs({0}) ** (1 / 3)", "exp2": "torch.exp2({0})", "deg2rad": "torch.deg2rad({0})",
    "rad2deg": "torch.rad2deg({0})", "erfc": "torch.erfc({0})", "erfinv": "torch.erfinv({0})",
    "sinc": "torch.sinc({0})", "i0": "torch.i0({0})", "hard_tanh": "F.hardtanh({0})",
    "sparse_plus": "torch.where({0} <= -1, 0.0, torch.where({0} < 1, 0.25 * ({0} + 1).square(), {0}))",
    "sparse_sigmoid": "(0.5 * ({0} + 1)).clamp(0, 1)",
}  # fmt: skip
for _name, _template in _FLOAT.items():
    register(_name, _unary(_template))
register("trunc", _unary("torch.trunc({0})", same))
register("fabs", _unary("torch.abs({0})", as_float))
register("copy", _unary("{0}.clone()", same))
for _name, _template in {"signbit": "torch.signbit({0})", "isposinf": "torch.isposinf({0})",
                         "isneginf": "torch.isneginf({0})", "isreal": "torch.isreal({0})"}.items():  # fmt: skip
    register(_name, _unary(_template, _bool))
for _name in ("conj", "conjugate", "real"):  # tensors of a model are real
    register(_name, FunctionOp(params("x"), same, lambda cx, x: x))

_BINARY = {
    "fmax": "torch.fmax({0}, {1})", "fmin": "torch.fmin({0}, {1})", "fmod": "torch.fmod({0}, {1})",
    "hypot": "torch.hypot({0}, {1})", "logaddexp": "torch.logaddexp({0}, {1})",
    "logaddexp2": "torch.logaddexp2({0}, {1})", "heaviside": "torch.heaviside({0}, {1})",
    "bitwise_and": "{0} & {1}", "bitwise_or": "{0} | {1}", "bitwise_xor": "{0} ^ {1}",
    "left_shift": "{0} << {1}", "right_shift": "{0} >> {1}", "bitwise_left_shift": "{0} << {1}",
    "bitwise_right_shift": "{0} >> {1}", "gcd": "torch.gcd({0}, {1})", "lcm": "torch.lcm({0}, {1})",
    "nextafter": "torch.nextafter({0}, {1})", "ldexp": "torch.ldexp({0}, {1})",
}  # fmt: skip
_SYMBOLS = ("bitwise", "left", "right")


class _Tensors(Elementwise):
    """An operation of two tensors; torch's function takes no plain numbers."""

    def spec(self, **bound: Any) -> TensorSpec:
        if not self.template.startswith("{0}") and not all(isinstance(o, (TensorSpec, list)) for o in bound.values()):
            raise Refusal("KT102", f"`{self.symbol}` with a plain number is not supported", "use a tensor of one value")
        return super().spec(**bound)


for _name, _template in _BINARY.items():
    register(_name, _Tensors(_template, operator=_name.startswith(_SYMBOLS)))


# -- with settings ----------------------------------------------------------------------------------------------------
def _shaped(name: str, setting: str, default: float, template: str) -> None:
    @op(name, f"x, {setting}={default}", as_float)
    def emit(cx: Lowering, x: Value, **settings: Any) -> Value:
        return cx.elementwise(template.format("{0}", literal(float(settings[setting]))), x)


_shaped("celu", "alpha", 1.0, "F.celu({0}, {1})")
_shaped("hard_shrink", "threshold", 0.5, "F.hardshrink({0}, {1})")
_shaped("soft_shrink", "threshold", 0.5, "F.softshrink({0}, {1})")


@op("squareplus", "x, b=4", as_float)
def _squareplus(cx: Lowering, x: Value, b: Any) -> Value:
    return cx.elementwise(f"0.5 * ({{0}} + torch.sqrt({{0}}.square() + {literal(b)}))", x, operator=True)


@op("threshold", "x, threshold, default_value", same)
def _threshold(cx: Lowering, x: Value, threshold: Any, default_value: Any) -> Value:
    return cx.elementwise(f"F.threshold({{0}}, {literal(threshold)}, {literal(default_value)})", x)


@op("nan_to_num", "x, nan=0.0, posinf=None, neginf=None", same)
def _nan_to_num(cx: Lowering, x: Value, nan: Any, posinf: Any, neginf: Any) -> Value:
    given = {"nan": None if nan == 0 else nan, "posinf": posinf, "neginf": neginf}
    extra = "".join(f", {key}={literal(value)}" for key, value in given.items() if value is not None)
    return cx.elementwise(f"torch.nan_to_num({{0}}{extra})", x)


def _close_spec(x1: Any, x2: Any, rtol: float, atol: float, equal_nan: bool) -> TensorSpec:
    return TensorSpec(Elementwise("").spec(x1=x1, x2=x2).shape, "bool")


@op("isclose", "x1, x2, rtol=1e-5, atol=1e-8, equal_nan=False", _close_spec)
def _isclose(cx: Lowering, x1: Any, x2: Any, rtol: float, atol: float, equal_nan: bool) -> Value:
    if not isinstance(x1, Value) or not isinstance(x2, Value):
        raise Refusal("KT102", "`isclose` with a plain number is not supported", "use a tensor of one value")
    left, right = cx.align([x1, x2])
    extra = "".join(
        f", {key}={literal(value)}" for key, value, usual in (
            ("rtol", rtol, 1e-5), ("atol", atol, 1e-8), ("equal_nan", equal_nan, False)) if value != usual
    )  # fmt: skip
    spec = _close_spec(left.spec, right.spec, rtol, atol, equal_nan)
    value: Value = cx.op(f"torch.isclose({{0}}, {{1}}{extra})", [left, right], spec)
    return value


def _full_like_spec(x: TensorSpec, fill_value: Any, dtype: Any) -> TensorSpec:
    return TensorSpec(x.shape, dtype_name(dtype, x.dtype))


@op("full_like", "x, fill_value, dtype=None", _full_like_spec)
def _full_like(cx: Lowering, x: Value, fill_value: Any, dtype: Any) -> Value:
    if isinstance(fill_value, Value):
        raise Refusal("KT102", "`full_like` with a tensor as its value is not supported")
    spec = _full_like_spec(x.spec, fill_value, dtype)
    extra = "" if spec.dtype == x.spec.dtype else f", dtype={torch_dtype(spec.dtype)}"
    value: Value = cx.op(f"torch.full_like({{0}}, {literal(fill_value)}{extra})", x, spec, x.layout, x.features)
    return value


@op("saturate_cast", "x, dtype", lambda x, dtype: TensorSpec(x.shape, dtype_name(dtype)))
def _saturate_cast(cx: Lowering, x: Value, dtype: Any) -> Value:
    name = dtype_name(dtype)
    limits = {"uint8": (0, 255), "int8": (-128, 127), "int16": (-32768, 32767)}
    if name in limits:
        low, high = limits[name]
        template = f"{{0}}.clamp({low}, {high}).to({torch_dtype(name)})"
    elif name.startswith("float"):
        template = f"{{0}}.to({torch_dtype(name)})"
    else:
        raise Refusal("KT102", f"`saturate_cast` to {name} is not supported")
    value: Value = cx.op(template, x, TensorSpec(x.spec.shape, name), x.layout, x.features)
    return value
