"""The torch side: modules, calls and weight maps, before any name is chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from transpiler.graph.keras import Layer, Model, Origin, TensorSpec

KERAS = "keras"  # physical axis order equals Keras' logical one
PARAMETER, BUFFER = "nn.Parameter", "buffer"  # modules that are a weight by themselves: `args` are fill and shape
FIRST = "channels_first"  # the last logical axis stands physically at 1: (N, C, *spatial)


@dataclass(frozen=True)
class Code:
    """Source text to be printed as it is (never built from the input's strings)."""

    text: str


@dataclass(frozen=True)
class WeightRef:
    """One array of a Keras layer: by the layer's identity and the weight's Keras 3 variable name ("kernel").

    ``path`` leads into wrapped layers: ``("forward_layer", "cell")`` or ``("layer",)``.
    """

    layer: Layer
    name: str
    path: tuple[str, ...] = ()


@dataclass(frozen=True)
class WeightOp:
    """One step of a weight map.

    ``kind`` is one of ``transpose`` (axes), ``reshape`` (shape), ``split`` (axis, sections, index), ``concatenate``
    (axis, takes all sources), ``permute_features`` (axis, spatial shape + channels as Keras has them: rows go from
    H,W,C to C,H,W order), ``reorder`` (axis, sections, order: blocks of equal size are rearranged), ``add`` (all
    sources), ``zeros`` (shape; no source), ``full`` (shape, value; no source), ``flip`` (axes), ``scale`` (factor).
    """

    kind: str
    args: tuple[Any, ...] = ()


@dataclass(frozen=True)
class WeightMap:
    """How one entry of a module's state dict is made: ``target`` ("weight", "cell.bias") from ``sources`` by ``ops``.

    The first op sees the list of source arrays; ops before a ``concatenate``/``add`` act on each of them.
    """

    target: str
    sources: tuple[WeightRef, ...]
    ops: tuple[WeightOp, ...] = ()


@dataclass(eq=False)
class Module:
    """A module that ``__init__`` makes: ``self.conv1 = nn.Conv2d(3, 16, kernel_size=3)``.

    ``args`` are printed by position, ``kwargs`` by keyword (only what is not torch's default). ``role`` is the base
    of its attribute name where the source gives none. ``helpers`` names the helper templates that it needs.
    """

    cls: str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    role: str = "layer"
    layer: Layer | None = None
    suffix: str = ""  # where one layer becomes several modules: "depthwise", "pointwise"
    weights: tuple[WeightMap, ...] = ()
    initializers: Mapping[str, Any] = field(default_factory=dict)  # state key → ApiObject/FunctionRef, never None
    regularizers: Mapping[str, Any] = field(default_factory=dict)  # state key → ApiObject
    constraints: Mapping[str, Any] = field(default_factory=dict)  # state key → ApiObject
    helpers: tuple[str, ...] = ()
    subgraph: TorchModel | None = None  # a nested model: cls is then the class that emit chooses for it
    inference: bool = False  # of a nested model: it stays in inference mode while the model around it trains


@dataclass(eq=False)
class Value:
    """A tensor of ``forward``.

    ``spec`` is Keras' logical shape. ``layout`` says how it lies physically. ``features`` is set on a flattened
    tensor whose last logical axis lies in C,H,W order while Keras has H,W,C: it is Keras' (H, W, C) or, after a
    concatenation, a tuple of such parts (see :class:`FeatureOrder`).
    """

    spec: TensorSpec
    layout: str = KERAS
    features: FeatureOrder | None = None
    hint: str | None = None
    comment: str = ""  # of an input: what the source says behind it


@dataclass(frozen=True)
class FeatureOrder:
    """Order of a flattened axis: consecutive parts, each the Keras shape ``(*spatial, channels)`` it came from.

    A part of one dimension is in order.
    """

    parts: tuple[tuple[Any, ...], ...]


@dataclass(eq=False)
class Call:
    """One step of ``forward``.

    ``target`` is a module (called on the inputs) or an expression template with ``{0}``, ``{1}`` … for the inputs
    (``"torch.cat([{0}, {1}], dim=1)"``). ``operator`` marks templates that need brackets when put inside another
    expression (``"{0} + {1}"``). ``module_form`` is the ``nn`` module that does the same on one input, for use in
    ``nn.Sequential``. A call with several outputs assigns a tuple.

    ``unpack`` is the text of the assignment's left side where the result must be picked apart; ``{i}`` stands for the
    name of ``outputs[i]``: ``"_, ({0}, _)"`` takes the last state of an LSTM. Each output stands in it once; one that
    nobody reads may be printed ``_``. Without it several outputs are ``"{0}, {1}"``. It may be set with one output.
    ``arguments`` is the text between the brackets of a module's call, over the inputs, where they are not simply given
    in order: ``"{0}, {0}, {0}, need_weights=False"``, ``"{0}, ({1}, {2})"``.
    """

    target: Module | str
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    origin: Origin
    operator: bool = False
    module_form: str | None = None
    layer: Layer | None = None
    helpers: tuple[str, ...] = ()
    unpack: str = ""
    arguments: str = ""


@dataclass(eq=False)
class TorchModel:
    """The torch graph of one model. Inputs and outputs keep the structure of the Keras model."""

    source: Model
    inputs: list[Value]
    outputs: Any  # nested structure of Value
    calls: list[Call] = field(default_factory=list)
    final_activation: str | None = None  # template of an activation left out because the loss takes logits
    taken: list[int] = field(default_factory=list)  # the places of the Keras model's inputs that are inputs here

    def modules(self) -> list[Module]:
        """Every module once, in the order of first call."""
        seen: dict[int, Module] = {}
        for call in self.calls:
            if isinstance(call.target, Module):
                seen.setdefault(id(call.target), call.target)
        return list(seen.values())


_RANDOM = ("Dropout", "BatchNorm", "Noise", "Random", "self.training")


def differs_in_training(model: TorchModel) -> bool:
    """Whether a model computes something else while it is trained."""
    modules = model.modules()
    texts = [call.target for call in model.calls if isinstance(call.target, str)] + [m.cls for m in modules]
    if any(kind in text for text in texts for kind in _RANDOM) or any(m.kwargs.get("dropout") for m in modules):
        return True
    return any(m.subgraph is not None and differs_in_training(m.subgraph) for m in modules)
