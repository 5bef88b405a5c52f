"""The spellings of ops: ``K.sum``, ``tf.reduce_sum`` and ``tf.math.reduce_sum`` are all ``keras.ops.sum``.

A row is the op and the spelling's parameters in positional order, each ``its_name:our_name``; ``:-`` drops a
parameter, ``=value`` after our name gives the spelling's own default.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from transpiler.diagnostics import Refusal
from transpiler.rules.base import OPS

OpCall = tuple[str, tuple[Any, ...], dict[str, Any]]

# Ops that make a tensor out of none.
CREATORS = frozenset(
    f"keras.ops.{name}" for name in ("arange", "zeros", "ones", "full", "eye", "linspace", "convert_to_tensor")
) | {"keras.random.normal", "keras.random.uniform"}

# What may be given and changes nothing.
IGNORED = frozenset(["name", "seed", "validate_indices", "data_format"])


@dataclass(frozen=True)
class _Parameter:
    spelled: str
    name: str
    default: Any = ...


@dataclass(frozen=True)
class _Spelling:
    op: str
    parameters: tuple[_Parameter, ...]


def _parse(op: str, text: str) -> _Spelling:
    parameters = []
    for item in text.split():
        item, equals, default = item.partition("=")
        spelled, _, name = item.partition(":")
        parameters.append(_Parameter(spelled, name or spelled, ast.literal_eval(default) if equals else ...))
    return _Spelling(op if op.startswith("keras.") else f"keras.ops.{op}", tuple(parameters))


_REDUCE = "input_tensor:x axis keepdims name:- reduction_indices:axis keep_dims:keepdims"
_K_REDUCE = "x axis keepdims"
_ONE = "x name:- features:x input:x a:x logits:x"
_TWO = "x:x1 y:x2 name:-"

_TENSORFLOW = {
    **{f"reduce_{n}": (n, _REDUCE) for n in ("sum", "mean", "max", "min", "prod", "any", "all", "logsumexp")},
    "reduce_std": ("std", _REDUCE), "reduce_variance": ("var", _REDUCE), "count_nonzero": ("count_nonzero", _REDUCE),
    **{n: (n, _ONE) for n in (
        "abs", "sign", "square", "floor", "ceil", "round", "sqrt", "rsqrt", "exp", "expm1", "log", "log1p", "sin",
        "cos",
        "tan", "sinh", "cosh", "tanh", "erf", "sigmoid", "softsign", "softplus", "reciprocal", "negative", "relu",
        "relu6", "selu", "silu", "swish", "elu", "log_sigmoid", "lgamma", "digamma", "logical_not", "identity",
        "stop_gradient",
    )},
    "asin": ("arcsin", _ONE),
    "acos": ("arccos", _ONE),
    "atan": ("arctan", _ONE),
    "atan2": ("arctan2", "y:x1 x:x2 name:-"),
    "asinh": ("arcsinh", _ONE), "acosh": ("arccosh", _ONE), "atanh": ("arctanh", _ONE),
    "is_nan": ("isnan", _ONE), "is_inf": ("isinf", _ONE), "is_finite": ("isfinite", _ONE),
    **{n: (n, _TWO) for n in (
        "add", "subtract", "multiply", "divide", "maximum", "minimum", "equal", "not_equal", "less", "less_equal",
        "greater", "greater_equal", "logical_and", "logical_or", "logical_xor", "squared_difference", "divide_no_nan",
        "truediv", "floordiv", "floormod", "mod", "pow",
    )},
    "gelu": ("gelu", "features:x approximate=False name:-"),
    "leaky_relu": ("leaky_relu", "features:x alpha:negative_slope=0.2 name:-"),
    "softmax": ("softmax", "logits:x axis=-1 name:- dim:axis"),
    "log_softmax": ("log_softmax", "logits:x axis=-1 name:-"),
    "argmax": ("argmax", "input:x axis=0 output_type:- name:- dimension:axis"),
    "argmin": ("argmin", "input:x axis=0 output_type:- name:-"),
    "argsort": ("argsort", "values:x axis"), "sort": ("sort", "values:x axis"),
    "cumsum": ("cumsum", "x axis=0"), "cumprod": ("cumprod", "x axis=0"),
    "reshape": ("reshape", "tensor:x shape:newshape name:-"),
    "transpose": ("transpose", "a:x perm:axes conjugate:- name:-"),
    "expand_dims": ("expand_dims", "input:x axis name:- dim:axis"),
    "squeeze": ("squeeze", "input:x axis name:- squeeze_dims:axis"),
    "concat": ("concatenate", "values:xs axis name:-"), "stack": ("stack", "values:x axis name:-"),
    "unstack": ("unstack", "value:x num axis name:-"), "tile": ("tile", "input:x multiples:repeats name:-"),
    "repeat": ("repeat", "input:x repeats axis name:-"), "reverse": ("flip", "tensor:x axis name:-"),
    "pad": ("pad", "tensor:x paddings:pad_width mode constant_values name:-"), "cast": ("cast", "x dtype name:-"),
    "broadcast_to": ("broadcast_to", "input:x shape name:-"), "roll": ("roll", "input:x shift axis name:-"),
    "clip_by_value": ("clip", "t:x clip_value_min:x_min clip_value_max:x_max name:-"),
    "where": ("where", "condition x:x1 y:x2 name:-"), "zeros_like": ("zeros_like", "input:x dtype name:-"),
    "ones_like": ("ones_like", "input:x dtype name:-"),
    "matmul": ("matmul", "a:x1 b:x2 transpose_a transpose_b name:-"),
    "tensordot": ("tensordot", "a:x1 b:x2 axes name:-"),
    "gather": ("take", "params:x indices validate_indices:- axis=0 name:-"),
    "one_hot": ("one_hot", "indices:x depth:num_classes on_value:- off_value:- axis=-1 dtype name:-"),
    "l2_normalize": ("normalize", "x axis=None epsilon=1e-12 name:- dim:axis"),
    "norm": ("norm", "tensor:x ord axis keepdims name:-"),
    "moments": ("moments", "x axes shift:- keepdims name:-"), "add_n": ("add_n", "inputs name:-"),
    "range": ("arange", "start limit:stop delta:step dtype name:-"), "zeros": ("zeros", "shape dtype name:-"),
    "ones": ("ones", "shape dtype name:-"), "fill": ("full", "dims:shape value:fill_value name:-"),
    "eye": ("eye", "num_rows:N num_columns:M"), "linspace": ("linspace", "start stop num name:-"),
    "constant": ("convert_to_tensor", "value:x dtype"), "convert_to_tensor": ("convert_to_tensor", "value:x dtype"),
    "depth_to_space": ("depth_to_space", "input:x block_size"), "top_k": ("top_k", "input:x k sorted name:-"),
    "random.normal": ("keras.random.normal", "shape mean stddev dtype seed name:-"),
    "random_normal": ("keras.random.normal", "shape mean stddev dtype seed name:-"),
    "random.uniform": ("keras.random.uniform", "shape minval maxval dtype seed name:-"),
    "random_uniform": ("keras.random.uniform", "shape minval maxval dtype seed name:-"),
    "split": ("split", "value:x num_or_size_splits:sizes axis name:-"),
    "erfc": ("erfc", _ONE), "erfinv": ("erfinv", _ONE), "space_to_depth": ("space_to_depth", "input:x block_size"),
    "resize": ("resize", "images size method:interpolation preserve_aspect_ratio:- antialias name:-"),
    "extract_patches": ("extract_patches", "images sizes:size strides rates:dilation_rate padding name:-"),
    "flip_left_right": ("flip", "image:x axis=2"), "flip_up_down": ("flip", "image:x axis=1"),
    "max_pool2d": ("max_pool", "input:inputs ksize:pool_size strides padding data_format name:-"),
    "avg_pool2d": ("average_pool", "input:inputs ksize:pool_size strides padding data_format name:-"),
    "sigmoid_cross_entropy_with_logits": ("binary_crossentropy", "labels:target logits:output name:- from_logits=True"),
    "softmax_cross_entropy_with_logits": (
        "categorical_crossentropy", "labels:target logits:output axis=-1 name:- from_logits=True"),
    "sparse_softmax_cross_entropy_with_logits": (
        "sparse_categorical_crossentropy", "labels:target logits:output name:- from_logits=True"),
}  # fmt: skip

_BACKEND = {
    **{n: (n, _K_REDUCE) for n in ("sum", "mean", "max", "min", "prod", "any", "all", "std", "var", "logsumexp")},
    **{n: (n, "x") for n in (
        "abs", "sign", "square", "round", "sqrt", "exp", "log", "sin", "cos", "tanh", "sigmoid", "softsign", "softplus",
        "identity", "stop_gradient",
    )},
    **{n: (n, _TWO) for n in (
        "maximum", "minimum", "equal", "not_equal", "less", "less_equal", "greater", "greater_equal",
    )},
    "argmax": ("argmax", "x axis=-1"), "argmin": ("argmin", "x axis=-1"), "cumsum": ("cumsum", "x axis=0"),
    "cumprod": ("cumprod", "x axis=0"), "softmax": ("softmax", "x axis=-1"), "elu": ("elu", "x alpha"),
    "relu": ("relu", "x alpha:negative_slope max_value threshold"), "pow": ("power", "x:x1 a:x2"),
    "clip": ("clip", "x min_value:x_min max_value:x_max"), "cast": ("cast", "x dtype"), "dot": ("dot", "x:x1 y:x2"),
    "batch_dot": ("batch_dot", "x y axes"), "reshape": ("reshape", "x shape:newshape"),
    "permute_dimensions": ("transpose", "x pattern:axes"), "transpose": ("transpose", "x"),
    "expand_dims": ("expand_dims", "x axis=-1 dim:axis"), "squeeze": ("squeeze", "x axis"),
    "concatenate": ("concatenate", "tensors:xs axis=-1"), "stack": ("stack", "x axis"), "tile": ("tile", "x n:repeats"),
    "repeat_elements": ("repeat", "x rep:repeats axis"), "reverse": ("flip", "x axes:axis"),
    "gather": ("take", "reference:x indices axis=0"), "one_hot": ("one_hot", "indices:x num_classes"),
    "l2_normalize": ("normalize", "x axis=None epsilon=1e-12"), "zeros_like": ("zeros_like", "x dtype name:-"),
    "ones_like": ("ones_like", "x dtype name:-"),
    "switch": ("where", "condition then_expression:x1 else_expression:x2"),
    "arange": ("arange", "start stop step dtype"), "zeros": ("zeros", "shape dtype name:-"),
    "ones": ("ones", "shape dtype name:-"), "constant": ("convert_to_tensor", "value:x dtype shape:- name:-"),
    "eye": ("eye", "size:N dtype name:-"),
    "flatten": ("reshape", "x newshape=(-1,)"),
    "cast_to_floatx": ("cast", "x dtype='float32'"),
    "random_normal": ("keras.random.normal", "shape mean stddev dtype seed"),
    "random_uniform": ("keras.random.uniform", "shape minval maxval dtype seed"),
    "dropout": ("keras.random.dropout", "x:inputs level:rate noise_shape seed"),
    "repeat": ("repeat_vector", "x n"), "slice": ("slice", "x:inputs start:start_indices size:shape"),
    "binary_crossentropy": ("binary_crossentropy", "target output from_logits"),
    "categorical_crossentropy": ("categorical_crossentropy", "target output from_logits axis=-1"),
    "sparse_categorical_crossentropy": ("sparse_categorical_crossentropy", "target output from_logits axis=-1"),
    "batch_flatten": ("batch_flatten", "x"), "bias_add": ("add", "x:x1 bias:x2 data_format:-"),
}  # fmt: skip
_RENAMED = {"truediv": "divide", "floordiv": "floor_divide", "floormod": "mod", "pow": "power"}
_KERAS = {
    "amax": "max", "amin": "min", "swish": "silu", "hard_swish": "hard_silu", "true_divide": "divide", "pow": "power",
    "bitwise_not": "logical_not", "remainder": "mod",
}  # fmt: skip
_TF_MODULES = ("", "math.", "nn.", "linalg.", "keras.backend.", "raw_ops.", "image.")


def _spelling(name: str) -> _Spelling | None:
    if name.startswith("keras.backend."):
        row = _BACKEND.get(name.removeprefix("keras.backend."))
        return None if row is None else _parse(*row)
    if not name.startswith("tensorflow."):
        return None
    leaf = name.removeprefix("tensorflow.").removeprefix("compat.v1.")
    for module in _TF_MODULES:
        if leaf.startswith(module) and (row := _TENSORFLOW.get(leaf.removeprefix(module))) is not None:
            op = _RENAMED.get(row[0], row[0])
            return _parse(op, row[1])
    return None


def op_name(name: str) -> str:
    """The op that a spelling stands for, without its module; "" if it is none."""
    if name.startswith("keras.ops."):
        leaf = name.rpartition(".")[2]
        return _KERAS.get(leaf, leaf)
    spelling = _spelling(name)
    return "" if spelling is None else spelling.op.rpartition(".")[2]


def op_call(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> OpCall | None:
    """A call of any spelling as a call of the op: its canonical name, arguments and keywords; None if unknown."""
    if name.startswith(("keras.ops.", "keras.random.")):
        return _keras_call(name, args, kwargs)
    leaf = name.rpartition(".")[2]
    if leaf == "einsum" and name.startswith("tensorflow."):
        return "keras.ops.einsum", (args[0], list(args[1:])), {}
    spelling = _spelling(name)
    if spelling is None:
        return None
    return _adapted(spelling.op, _bound(name, spelling, args, kwargs))


def _keras_call(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> OpCall | None:
    module, _, leaf = name.rpartition(".")
    if leaf == "einsum":
        return "keras.ops.einsum", (args[0], list(args[1:])), {}
    if module != "keras.random":
        leaf = _KERAS.get(leaf, leaf)
        module = "keras.ops"
    symbol = f"{module}.{leaf}"
    return (symbol, args, dict(kwargs)) if symbol in OPS else None


def _bound(name: str, spelling: _Spelling, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    if len(args) > len(spelling.parameters):
        raise Refusal("KT103", f"`{name}` takes fewer arguments than {len(args)}")
    bound = {p.name: p.default for p in spelling.parameters if p.default is not ...}
    given = dict(zip((p.name for p in spelling.parameters), args, strict=False))
    names = {p.spelled: p.name for p in spelling.parameters} | {p.name: p.name for p in spelling.parameters}
    for key, value in kwargs.items():
        if key not in names:
            raise Refusal("KT102", f"`{name}` has no argument `{key}` that is known here")
        if names[key] == "-" and key not in IGNORED and value is not None:
            raise Refusal("KT102", f"the argument `{key}` of `{name}` is not supported")
        if value is not None or names[key] not in bound:
            given[names[key]] = value
    bound.update({key: value for key, value in given.items() if value is not None or key not in bound})
    bound.pop("-", None)
    return bound


def _adapted(op: str, bound: dict[str, Any]) -> OpCall | None:
    adapt = _ADAPTERS.get(op)
    if adapt is not None:
        op, bound = adapt(bound)
    return (op, (), bound) if op in OPS else None


def _split(bound: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    sizes = bound.pop("sizes", None)
    if isinstance(sizes, (list, tuple)):
        ends = [sum(int(s) for s in sizes[: i + 1]) for i in range(len(sizes) - 1)]
        if any(int(s) < 0 for s in sizes):
            raise Refusal("KT102", "`split` with a size of -1 is not supported")
        bound["indices_or_sections"] = ends
    elif sizes is not None:
        bound["indices_or_sections"] = sizes
    return "keras.ops.split", bound


def _normalize(bound: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return "keras.ops.normalize", {**bound, "epsilon": float(bound["epsilon"]) ** 0.5}


def _pad(bound: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    mode = bound.get("mode")
    return "keras.ops.pad", {**bound, "mode": str(mode).lower()} if mode is not None else bound


def _batch_flatten(bound: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    size: Any = 1
    for dim in bound["x"].shape[1:]:
        if dim is None:
            raise Refusal("KT201", "`batch_flatten` needs known sizes")
        size = size * dim
    return "keras.ops.reshape", {"x": bound["x"], "newshape": (-1, size)}


def _windows(op: str) -> Callable[[dict[str, Any]], tuple[str, dict[str, Any]]]:
    """TensorFlow gives windows as ``[1, 2, 2, 1]`` and paddings in capitals."""

    def adapt(bound: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        for key in ("size", "pool_size", "strides", "dilation_rate"):
            value = bound.get(key)
            if isinstance(value, (list, tuple)) and len(value) == 4:
                if value[0] != 1 or value[3] != 1:
                    raise Refusal("KT102", f"windows over the batch or the channels are not supported: {value!r}")
                bound[key] = tuple(value[1:3])
        return op, {**bound, "data_format": None} if bound.get("data_format") == "NHWC" else bound

    return adapt


_ADAPTERS: dict[str, Callable[[dict[str, Any]], tuple[str, dict[str, Any]]]] = {
    "keras.ops.split": _split,
    "keras.ops.normalize": _normalize,
    "keras.ops.pad": _pad,
    "keras.ops.batch_flatten": _batch_flatten,
    **{f"keras.ops.{name}": _windows(f"keras.ops.{name}") for name in ("extract_patches", "max_pool", "average_pool")},
}
