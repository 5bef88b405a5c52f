"""Metrics: which one an argument of ``compile`` names, under which key it is reported, and the function for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from transpiler.diagnostics import Refusal
from transpiler.emit.losses import (
    CROSSENTROPIES,
    KNOWN,
    Code,
    Loss,
    Output,
    criterion,
    custom_call,
    snake,
    standard_name,
    with_options,
)
from transpiler.graph.keras import ApiObject, FunctionRef

ACCURACIES = {"binary_accuracy", "categorical_accuracy", "sparse_categorical_accuracy"}
_TOP_K = {"top_k_categorical_accuracy": "top_k_accuracy", "sparse_top_k_categorical_accuracy": "sparse_top_k_accuracy"}


@dataclass(frozen=True)
class Metric:
    """A metric: the key of the history, its standard name, its configuration."""

    key: str
    kind: str
    loss: Loss


def resolve_metric(value: Any, text: str, output: Output, sparse: bool | None) -> Metric:
    """The metric that ``value`` stands for."""
    if isinstance(value, FunctionRef):
        return Metric(value.name.strip("<>"), "custom", Loss("custom", text=text or value.source_name or ""))
    if isinstance(value, ApiObject):
        name = value.symbol.rpartition(".")[2]
        _refuse_options(value.config, output)
        key = value.config.get("name") or snake(name)
        return Metric(key, _kind(name, output, sparse), Loss(standard_name(name), value.config))
    if isinstance(value, str):
        return Metric(value, _kind(value, output, sparse), Loss(standard_name(value)))
    raise Refusal("KT301", "a metric is known only when the program runs")


def _refuse_options(config: Mapping[str, Any], output: Output) -> None:
    if config.get("axis", -1) not in (-1, output.rank - 1):
        raise Refusal("KT301", f"`axis={config['axis']!r}` of a metric is not translated")
    if config.get("from_sorted_ids"):
        raise Refusal("KT301", "`from_sorted_ids` of a metric is not translated")


def _kind(name: str, output: Output, sparse: bool | None) -> str:
    kind = standard_name(name)
    if name in ("accuracy", "acc"):
        if output.shape[-1] == 1:
            return "binary_accuracy"
        if sparse is None:
            raise Refusal("KT301", "which accuracy is meant depends on the targets; give the metric by its full name")
        return "sparse_categorical_accuracy" if sparse else "categorical_accuracy"
    if name == "cosine_similarity" or name in ("cosine", "cosine_proximity"):
        raise Refusal("KT301", f"the metric `{name}` is not translated; use `keras.metrics.CosineSimilarity()`")
    if kind not in KNOWN and kind not in ACCURACIES and kind not in _TOP_K:
        raise Refusal("KT301", f"the metric `{name}` is not translated")
    return kind


def direction(metric: Metric) -> str:
    """``max`` where larger is better, ``min`` where smaller is, nothing where Keras does not know."""
    if metric.kind == "custom":
        return ""
    return "max" if metric.kind in ACCURACIES or metric.kind in _TOP_K or metric.kind == "cosine_similarity" else "min"


def works_on_logits(metric: Metric, activation: str) -> bool:
    """Whether the metric can be computed where the final activation is left out."""
    if metric.kind == "binary_accuracy":
        return activation == "sigmoid" and metric.loss.config.get("threshold", 0.5) == 0.5
    if metric.kind in ("categorical_accuracy", "sparse_categorical_accuracy", *_TOP_K):
        return True
    return metric.kind in CROSSENTROPIES and (metric.kind == "binary_crossentropy") == (activation == "sigmoid")


def metric_code(metric: Metric, output: Output) -> Code:
    """The function over (outputs, targets) that gives the batch's mean."""
    dim = {"dim": 1} if output.first else {}
    if metric.kind == "custom":
        return Code(f"lambda outputs, targets: {custom_call(metric.loss, output, weighted=False)}")
    if metric.kind == "binary_accuracy":
        if output.logits == "sigmoid":
            return with_options("logit_accuracy")
        threshold = metric.loss.config.get("threshold", 0.5)
        return with_options("binary_accuracy", **({} if threshold == 0.5 else {"threshold": threshold}))
    if metric.kind in ACCURACIES:
        return with_options(metric.kind, **dim)
    if metric.kind in _TOP_K:
        if output.rank != 2:
            raise Refusal("KT301", f"`{metric.kind}` is translated for outputs of one axis only")
        k = metric.loss.config.get("k", 5)
        return with_options(_TOP_K[metric.kind], **({} if k == 5 else {"k": k}))
    if metric.kind == "cosine_similarity":
        return with_options("cosine_metric", **dim)
    return criterion(replace(metric.loss, kind=metric.kind), output, weighted=False, index_targets=False)
