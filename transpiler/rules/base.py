"""What a rule is, and the registry.

A rule is all that is known of one Keras symbol: how its arguments bind, what it does to shape and dtype, what it
becomes in PyTorch, and how its weights map. Rules register under canonical names (``keras.layers.Conv2D``); see
``names.py`` for how the spellings of Keras 1, 2, 3 and ``tf.keras`` are brought to these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from transpiler.diagnostics import Refusal
from transpiler.graph.keras import Layer, TensorSpec
from transpiler.graph.torch import Value

if TYPE_CHECKING:
    from transpiler.rules.lowering import Lowering

MISSING: Any = type("Missing", (), {"__repr__": lambda self: "MISSING"})()

# Parameters every Keras layer takes. `name`, `trainable`, `input_shape`… are handled by the evaluator before a rule
# sees the config; `dtype` other than float32 is refused there.
COMMON_PARAMS = (
    "name", "trainable", "dtype", "input_shape", "input_dim", "input_length", "batch_input_shape", "batch_shape",
    "batch_size", "weights", "autocast", "dynamic", "sparse",
)  # fmt: skip


@dataclass(frozen=True)
class Param:
    """A parameter: Keras 3 name, default (``MISSING`` if required), and the older spellings of the name."""

    name: str
    default: Any = MISSING
    aliases: tuple[str, ...] = ()


def params(text: str, **aliases: str) -> tuple[Param, ...]:
    """Parse ``"filters, kernel_size, strides=(1, 1)"``; ``aliases`` maps Keras 3 name → space-separated old names.

    Defaults are literals. The order is the positional order of Keras 2 and 3.
    """
    import ast

    tree = ast.parse(f"def f({text}): pass").body[0]
    assert isinstance(tree, ast.FunctionDef)
    names = [a.arg for a in tree.args.args]
    defaults: list[Any] = [MISSING] * (len(names) - len(tree.args.defaults))
    defaults += [ast.literal_eval(d) for d in tree.args.defaults]
    names += [a.arg for a in tree.args.kwonlyargs]
    defaults += [MISSING if d is None else ast.literal_eval(d) for d in tree.args.kw_defaults]
    unknown = set(aliases) - set(names)
    assert not unknown, unknown
    return tuple(Param(n, d, tuple(aliases.get(n, "").split())) for n, d in zip(names, defaults, strict=True))


def bind(symbol: str, signature: Iterable[Param], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Bind a call to a signature as Python would; raises KT103 :class:`Refusal` as Keras would raise TypeError."""
    signature = tuple(signature)
    bound: dict[str, Any] = {}
    if len(args) > len(signature):
        raise Refusal("KT103", f"`{symbol}` takes {len(signature)} positional arguments, but {len(args)} were given")
    for param, value in zip(signature, args):  # noqa: B905 - fewer arguments than parameters is usual
        bound[param.name] = value
    names = {alias: p.name for p in signature for alias in (p.name, *p.aliases)}
    for key, value in kwargs.items():
        name = names.get(key)
        if name is None:
            raise Refusal("KT102", f"`{symbol}` has no argument `{key}` that is known here")
        if name in bound:
            raise Refusal("KT103", f"`{symbol}` got `{key}` twice")
        bound[name] = value
    for param in signature:
        if param.name not in bound:
            if param.default is MISSING:
                raise Refusal("KT103", f"`{symbol}` needs its argument `{param.name}`")
            bound[param.name] = param.default
    return bound


@dataclass(frozen=True)
class WeightSpec:
    """One variable of a Keras layer, in the order of ``layer.weights``: name as in Keras 3, shape, trainable."""

    name: str
    shape: tuple[Any, ...]
    trainable: bool = True


class LayerRule:
    """Base of all layer rules. Subclasses set ``params`` and override ``infer`` and ``lower``.

    ``examples`` are constructor calls with input shapes (without batch), for tests and docs:
    ``("Dense(4, activation='relu')", (3,))``; several inputs: a list of shapes.
    """

    params: tuple[Param, ...] = ()
    layout: str = "keras"  # "first": works channels-first; "any": follows its input; "keras": needs Keras' order
    examples: tuple[tuple[str, Any], ...] = ()
    symbol: str = ""  # set by the registry

    def normalize(self, config: dict[str, Any], legacy: int | None = None) -> dict[str, Any]:
        """Check and tidy the bound config (3 → (3, 3), "SAME" → "same"); raise :class:`Refusal` where Keras would.

        ``legacy`` is 1 or 2 where the program is known to be written for that Keras.
        """
        return config

    def bind_legacy(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Rewrite a Keras 1/2 spelling of the call (``Convolution2D(32, 3, 3)``) into Keras 3's."""
        return args, kwargs

    def infer(self, layer: Layer, *inputs: Any, **call: Any) -> Any:
        """Output spec(s) for input spec(s) of the call, in the structure the layer returns."""
        raise NotImplementedError

    def mask(self, layer: Layer, inputs: Any, masks: Any) -> Any:
        """What happens to the implicit mask: ``"pass"``, ``"stop"`` or ``"make"`` (Embedding, Masking).

        ``"pass"``: the output carries the mask of the call's first tensor (an explicit ``mask=`` of the call goes
        before). A tuple gives one answer for each output in order. ``"make"``: the mask is what :meth:`mask_ops`
        says. ``inputs`` and ``masks`` (True where a tensor has a mask) have the structure of the first argument.
        """
        return "stop"

    def mask_ops(self, layer: Layer) -> tuple[tuple[str, tuple[Any, ...], dict[str, Any]], ...]:
        """How a mask is made: ops applied in turn, the first to the layer's input, each as (name, args, kwargs).

        The op's first argument is the running tensor: ``(("keras.ops.not_equal", (0,), {}),)`` is ``input != 0``.
        """
        return ()

    def weights(self, layer: Layer, inputs: Any) -> tuple[WeightSpec, ...]:
        """The layer's variables in Keras' order, for the given input spec(s)."""
        return ()

    def lower(self, cx: Lowering, layer: Layer, *inputs: Any, **call: Any) -> Any:
        """Emit the torch calls on torch-side inputs (same structure as the Keras call); return output Value(s)."""
        raise NotImplementedError


class OpRule:
    """Base of the rules of ops: functions on tensors (``keras.ops.concatenate``, operators, ``tf.*``, ``K.*``)."""

    params: tuple[Param, ...] = ()
    layout: str = "any"
    examples: tuple[tuple[str, Any], ...] = ()
    symbol: str = ""

    def infer(self, *args: Any, **kwargs: Any) -> TensorSpec | list[TensorSpec] | tuple[TensorSpec, ...]:
        """Output spec(s); tensors among the arguments are :class:`TensorSpec` here."""
        raise NotImplementedError

    def lower(self, cx: Lowering, node_args: tuple[Any, ...], node_kwargs: dict[str, Any]) -> Value | list[Value]:
        """Emit the torch calls; tensors among the arguments are :class:`Value` here."""
        raise NotImplementedError


LAYERS: dict[str, LayerRule] = {}
OPS: dict[str, OpRule] = {}
OBJECTS: dict[str, tuple[Param, ...]] = {}  # initialisers, regularisers, constraints, optimizers, losses, metrics
REFUSED: dict[str, str] = {}  # symbol → why it is refused

L = TypeVar("L", bound=type[LayerRule])


def layer_rule(*symbols: str) -> Callable[[L], L]:
    """Register a :class:`LayerRule` under one or more canonical names (one instance each)."""

    def register(cls: L) -> L:
        for symbol in symbols:
            if symbol in LAYERS:
                raise ValueError(f"{symbol} has two rules")
            LAYERS[symbol] = cls()
            LAYERS[symbol].symbol = symbol
        return cls

    return register


def object_rule(symbol: str, signature: str, **aliases: str) -> None:
    """Register the signature of a configurable object (``keras.optimizers.Adam``)."""
    if symbol in OBJECTS:
        raise ValueError(f"{symbol} has two signatures")
    OBJECTS[symbol] = params(signature, **aliases)


def refuse(symbol: str, reason: str) -> None:
    """State that a symbol is not translated, and why."""
    REFUSED[symbol] = reason
