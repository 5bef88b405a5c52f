"""Losses: which one an argument of ``compile`` names, and the PyTorch criterion for it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from transpiler.diagnostics import Refusal
from transpiler.graph.keras import ApiObject, FunctionRef
from transpiler.graph.symbolic import Dim

CROSSENTROPIES = ("binary_crossentropy", "categorical_crossentropy", "sparse_categorical_crossentropy")
_SHORT = {
    "mse": "mean_squared_error", "mae": "mean_absolute_error", "mape": "mean_absolute_percentage_error",
    "msle": "mean_squared_logarithmic_error", "bce": "binary_crossentropy", "kld": "kl_divergence",
    "kullback_leibler_divergence": "kl_divergence", "logcosh": "log_cosh", "log_cosh_error": "log_cosh",
    "cosine": "cosine_similarity", "cosine_proximity": "cosine_similarity",
}  # fmt: skip
_MODULES = {"mean_squared_error": "nn.MSELoss", "mean_absolute_error": "nn.L1Loss"}
_FUNCTIONS = {
    "mean_absolute_percentage_error", "mean_squared_logarithmic_error", "hinge", "squared_hinge", "poisson", "log_cosh",
}  # fmt: skip
_OVER_CLASSES = {"categorical_hinge", "kl_divergence", "cosine_similarity"}
KNOWN = {*CROSSENTROPIES, *_MODULES, *_FUNCTIONS, *_OVER_CLASSES, "huber"}


def snake(name: str) -> str:
    """``MeanSquaredError`` as ``mean_squared_error``, as Keras does it."""
    name = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def standard_name(name: str) -> str:
    """Every spelling of a loss or metric as one."""
    found = name.lower() if name.isupper() or "_" in name else snake(name)
    found = {"kldivergence": "kl_divergence", "kl_divergence": "kl_divergence"}.get(found, found)
    return _SHORT.get(found, found)


@dataclass(frozen=True)
class Output:
    """One output of a model, as far as losses care: its Keras shape, whether it leaves channels-first, its name."""

    shape: tuple[Dim, ...]
    first: bool
    name: str
    logits: str | None = None  # the activation that the module leaves out

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def class_second(self) -> bool:
        """Whether the classes are where ``nn.CrossEntropyLoss`` wants them."""
        return self.rank == 2 or self.first


@dataclass(frozen=True)
class Loss:
    """A loss by its standard name (or ``custom``) and its configuration. ``text`` names a function of the program's."""

    kind: str
    config: Mapping[str, Any] = field(default_factory=dict, hash=False)
    text: str = ""

    @property
    def indices(self) -> bool:
        """Whether targets are class numbers."""
        return self.kind == "sparse_categorical_crossentropy"

    @property
    def from_logits(self) -> bool:
        return bool(self.config.get("from_logits", False))


def resolve_loss(value: Any, text: str, output: Output, sparse: bool | None) -> Loss:
    """The loss that ``value`` (as the evaluator knows it) stands for; ``sparse`` says whether targets are indices."""
    if isinstance(value, FunctionRef):
        return Loss("custom", text=text or value.source_name or "")
    config: Mapping[str, Any] = {}
    if isinstance(value, ApiObject):
        config = value.config
        name = value.symbol.rpartition(".")[2]
    elif isinstance(value, str):
        name = value
    else:
        raise Refusal("KT301", "the loss is known only when the program runs")
    kind = standard_name(name)
    if kind in ("crossentropy", "ce"):
        kind = _by_shape(output, sparse)
    if kind not in KNOWN:
        raise Refusal("KT301", f"the loss `{name}` is not translated")
    if config.get("reduction", "sum_over_batch_size") not in ("sum_over_batch_size", "mean", "auto"):
        raise Refusal("KT301", f"`reduction={config['reduction']!r}` of a loss is not translated")
    if config.get("axis", -1) not in (-1, output.rank - 1):
        raise Refusal("KT301", f"`axis={config['axis']!r}` of a loss is not translated")
    return Loss(kind, config)


def _by_shape(output: Output, sparse: bool | None) -> str:
    if output.shape[-1] == 1:
        return "binary_crossentropy"
    if sparse is None:
        raise Refusal("KT301", "which cross entropy is meant depends on the targets; give the loss by its full name")
    return "sparse_categorical_crossentropy" if sparse else "categorical_crossentropy"


@dataclass(frozen=True)
class Code:
    """An expression and the helpers it needs."""

    text: str
    helpers: tuple[str, ...] = ()


def module_call(cls: str, weighted: bool, **arguments: Any) -> Code:
    """``nn.MSELoss()``, unreduced where samples are weighted."""
    shown = [f"{key}={value!r}" for key, value in arguments.items()]
    if weighted:
        shown.append('reduction="none"')
    return Code(f"{cls}({', '.join(shown)})")


def with_options(helper: str, **arguments: Any) -> Code:
    """A helper, with arguments fixed where there are any."""
    if not arguments:
        return Code(f"<{helper}>", (helper,))
    shown = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
    return Code(f"partial(<{helper}>, {shown})", (helper,))


def criterion(loss: Loss, output: Output, *, weighted: bool, index_targets: bool) -> Code:
    """The criterion over (outputs, targets). ``<name>`` stands for the name that a helper gets.

    ``index_targets``: all targets of the program are made as integers, so nothing needs to convert them.
    """
    if loss.kind == "custom":
        return Code(f"lambda outputs, targets: {custom_call(loss, output, weighted)}")
    if loss.kind in CROSSENTROPIES:
        logits = loss.from_logits or output.logits is not None
        return _crossentropy(loss, output, logits=logits, weighted=weighted, index_targets=index_targets)
    if loss.kind in _MODULES:
        return module_call(_MODULES[loss.kind], weighted)
    if loss.kind == "huber":
        delta = loss.config.get("delta", 1.0)
        return module_call("nn.HuberLoss", weighted, **({"delta": _known(delta)} if delta != 1.0 else {}))
    if loss.kind in _OVER_CLASSES:
        return with_options(loss.kind, **({"dim": 1} if output.first else {}))
    return with_options(loss.kind)


def custom_call(loss: Loss, output: Output, weighted: bool) -> str:
    """The call of a function of the program's, on tensors in Keras' layout."""
    move = ".movedim(1, -1)" if output.first else ""
    return f"{loss.text}(targets{move}, outputs{move})" + ("" if weighted else ".mean()")


def _known(value: Any) -> float:
    if not isinstance(value, (int, float)):
        value = getattr(value, "value", None)
    if not isinstance(value, (int, float)):
        raise Refusal("KT301", "an option of the loss is known only when the program runs")
    return value


def _crossentropy(loss: Loss, output: Output, *, logits: bool, weighted: bool, index_targets: bool) -> Code:
    smoothing = _known(loss.config.get("label_smoothing", 0.0) or 0.0)
    options: dict[str, Any] = {"label_smoothing": smoothing} if smoothing else {}
    if loss.kind == "binary_crossentropy":
        if not logits:
            return with_options("binary_crossentropy", **options)
        if smoothing:
            return with_options("smooth_bce_with_logits", **options)
        return module_call("nn.BCEWithLogitsLoss", weighted)
    if loss.kind == "categorical_crossentropy":
        if logits and output.class_second:
            return module_call("nn.CrossEntropyLoss", weighted, **options)
        if logits:
            return with_options("cross_entropy", **options)
        return with_options("categorical_crossentropy", **options, **({"dim": 1} if output.first else {}))
    ignored = loss.config.get("ignore_class")
    if ignored is not None and not (logits and output.class_second and index_targets and not weighted):
        raise Refusal("KT301", "`ignore_class` is translated for logits alone")
    if logits and output.class_second and index_targets:
        options = {} if ignored is None else {"ignore_index": _known(ignored)}
        return module_call("nn.CrossEntropyLoss", weighted, **options)
    helper = "sparse_cross_entropy" if logits else "sparse_categorical_crossentropy"
    return with_options(helper, **({"dim": 1} if output.first else {}))
