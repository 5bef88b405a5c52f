"""What the rules of ops share: binding, broadcasting, dtypes, and constants as text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from transpiler.diagnostics import Refusal
from transpiler.graph.keras import TensorSpec
from transpiler.graph.symbolic import Dim, Expr, Shape, is_known
from transpiler.graph.torch import Value
from transpiler.rules.base import OPS, OpRule, Param, bind, params
from transpiler.rules.layout import literal

if TYPE_CHECKING:
    from transpiler.rules.lowering import Lowering

FLOATS = ("float16", "bfloat16", "float32", "float64")


class Op(OpRule):
    """An op whose arguments are bound by name: subclasses write ``spec`` and ``emit`` with those names."""

    def infer(self, *args: Any, **kwargs: Any) -> Any:
        return self.spec(**bind(self.symbol, self.params, args, kwargs))

    def lower(self, cx: Lowering, node_args: tuple[Any, ...], node_kwargs: dict[str, Any]) -> Any:
        return self.emit(cx, **bind(self.symbol, self.params, node_args, node_kwargs))

    def spec(self, **bound: Any) -> Any:
        """What comes out of the bound call."""
        raise NotImplementedError

    def emit(self, cx: Lowering, **bound: Any) -> Any:
        """Write the bound call."""
        raise NotImplementedError


class FunctionOp(Op):
    """An op given by two functions over the bound arguments."""

    def __init__(
        self, signature: tuple[Param, ...], spec: Callable[..., Any], emit: Callable[..., Any], layout: str = "any"
    ) -> None:
        self.params = signature
        self.layout = layout
        self._spec = spec
        self._emit = emit

    def spec(self, **bound: Any) -> Any:
        return self._spec(**bound)

    def emit(self, cx: Lowering, **bound: Any) -> Any:
        return self._emit(cx, **bound)


def register(name: str, rule: OpRule) -> None:
    """Enter an op's rule under ``keras.ops.<name>``."""
    symbol = name if name.startswith("keras.") else f"keras.ops.{name}"
    if symbol in OPS:
        raise ValueError(f"{symbol} has two rules")
    OPS[symbol] = rule
    rule.symbol = symbol


def op(
    name: str, signature: str, spec: Callable[..., Any], layout: str = "any"
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator: the function below writes the op ``keras.ops.<name>`` with that signature; ``spec`` infers."""

    def enter(emit: Callable[..., Any]) -> Callable[..., Any]:
        register(name, FunctionOp(params(signature), spec, emit, layout))
        return emit

    return enter


def is_tensor(value: Any) -> bool:
    """Whether an argument is a tensor (a spec when inferring, a value when lowering)."""
    return isinstance(value, (TensorSpec, Value))


def same(x: TensorSpec, **_: Any) -> TensorSpec:
    """The spec of the argument ``x``."""
    return x


def as_float(x: TensorSpec, **_: Any) -> TensorSpec:
    """The shape of ``x`` in a floating type."""
    return x if x.dtype in FLOATS else TensorSpec(x.shape)


def result_dtype(operands: Sequence[Any]) -> str:
    """The dtype of arithmetic: floats over ints over bools; Python numbers are weak."""
    dtypes = [o.dtype for o in operands if isinstance(o, TensorSpec)]
    floats = [d for d in dtypes if d in FLOATS]
    if floats:
        return max(floats, key=FLOATS.index)
    if any(isinstance(o, float) or isinstance(o, Expr) and isinstance(o.value, float) for o in operands):
        return "float32"
    ints = [d for d in dtypes if d != "bool"]
    if ints:
        return "int64" if "int64" in ints else ints[0]
    return "int32" if any(isinstance(o, (int, Expr)) and not isinstance(o, bool) for o in operands) else "bool"


def _list_shape(value: Any) -> tuple[int, ...]:
    shape: tuple[int, ...] = ()
    while isinstance(value, (list, tuple)):
        shape += (len(value),)
        value = value[0] if value else 0
    return shape


def shape_of(operand: Any) -> Shape:
    """The shape of an operand: a spec's, a nested list's, or () of a number."""
    return operand.shape if isinstance(operand, TensorSpec) else _list_shape(operand)


def _meet(a: Dim, b: Dim) -> Dim:
    if is_known(a) and a == 1:
        return b
    if is_known(b) and b == 1:
        return a
    if a is None or b is None:
        return b if a is None else a
    if is_known(a) and is_known(b) and a != b:
        raise Refusal("KT104", f"sizes {a} and {b} do not go together")
    return a


def broadcast(shapes: Sequence[Shape]) -> Shape:
    """The shape to which NumPy's rules bring several shapes."""
    rank = max(len(s) for s in shapes)
    padded = [(1,) * (rank - len(s)) + tuple(s) for s in shapes]
    result: list[Dim] = list(padded[0])
    for shape in padded[1:]:
        result = [_meet(a, b) for a, b in zip(result, shape, strict=True)]
    return tuple(result)


def number_text(value: Any, tight: bool = False) -> str:
    """A constant operand as text, in brackets where an operator beside it could bind wrongly."""
    text = literal(value)
    plain = text.replace(".", "").replace("_", "").isalnum()
    return f"({text})" if (tight and not plain) or (isinstance(value, Expr) and not plain) else text


def tensor_text(value: Any, like: str = "{0}") -> str:
    """A nested list of numbers as a tensor with dtype and device of ``like``."""
    return f"torch.tensor({list_text(value)}, dtype={like}.dtype, device={like}.device)"


def list_text(value: Any) -> str:
    """Nested lists of numbers as text."""
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(list_text(item) for item in value) + "]"
    return literal(value)


def align_operands(cx: Lowering, operands: Sequence[Any]) -> list[Any]:
    """Bring the tensors among the operands to one layout; scalars and numbers stay."""
    places = [i for i, o in enumerate(operands) if isinstance(o, Value) and o.spec.rank > 0]
    result = list(operands)
    if not places:
        return result
    values = [operands[i] for i in places]
    if any(isinstance(o, (list, tuple)) for o in operands):
        values = [cx.keras_order(v) for v in values]
    elif len(values) > 1:
        values = cx.align(values)
    for i, value in zip(places, values, strict=True):
        result[i] = value
    return result


class Placer:
    """Collects the inputs of a template and hands out their slots."""

    def __init__(self, *values: Value) -> None:
        self.values: list[Value] = list(values)

    def text(self, value: Any) -> str:
        """A slot for a tensor, the literal of anything else."""
        if not isinstance(value, Value):
            return literal(value)
        if value not in self.values:
            self.values.append(value)
        return f"{{{self.values.index(value)}}}"


def anchor(cx: Lowering) -> Value | None:
    """Some tensor of the model that tells the device; None if it has no inputs."""
    for tensor in cx.model.input_tensors():
        return cx.value(tensor)
    return None


_TORCH_DTYPES = {
    "float16": "torch.float16", "bfloat16": "torch.bfloat16", "float32": "torch.float32", "float64": "torch.float64",
    "int8": "torch.int8", "int16": "torch.int16", "int32": "torch.int32", "int64": "torch.int64",
    "uint8": "torch.uint8", "bool": "torch.bool",
}  # fmt: skip


def dtype_name(value: Any, default: str = "float32") -> str:
    """A dtype argument ("float32", ``tf.int32``, ``"int"``) as a plain name."""
    if value is None:
        return default
    name = value if isinstance(value, str) else str(getattr(value, "name", value))
    name = name.rpartition(".")[2]
    name = {"float": "float32", "int": "int32", "double": "float64", "half": "float16", "bool_": "bool"}.get(name, name)
    if name not in _TORCH_DTYPES:
        raise Refusal("KT102", f"the dtype `{name}` is not supported")
    return name


def torch_dtype(name: str) -> str:
    """``torch.float32`` for ``float32``."""
    return _TORCH_DTYPES[name]
