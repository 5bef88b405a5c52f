"""The method that adds up the weight penalties of a class."""

from __future__ import annotations

from collections.abc import Iterable

from transpiler.emit.attributes import Layout
from transpiler.graph.torch import Module, TorchModel
from transpiler.rules.regularizers import regularizer_code


def has_penalties(model: TorchModel) -> bool:
    """Whether any weight of the model, or of a model inside it, is regularised."""
    return any(m.regularizers or (m.subgraph is not None and has_penalties(m.subgraph)) for m in model.modules())


def penalty_lines(modules: Iterable[Module], layout: Layout) -> list[str]:
    """The body of ``regularization_loss``; empty if nothing is regularised."""
    weights: dict[str, list[str]] = {}
    terms: list[str] = []
    for module in modules:
        if module.subgraph is not None and has_penalties(module.subgraph):
            terms.append(f"{layout.expression(module)}.regularization_loss()")
        for key, value in module.regularizers.items():
            code = regularizer_code(value, "weight")
            if code != "0.0":
                weights.setdefault(code, []).append(f"{layout.expression(module)}.{key}")
    if len(weights) == 1 and not terms:
        ((code, targets),) = weights.items()
        if len(targets) > 1:
            return [f"weights = ({', '.join(targets)})", f"return torch.stack([{code} for weight in weights]).sum()"]
    own = [code.replace("weight.", f"{target}.") for code, targets in weights.items() for target in targets]
    return [f"return {' + '.join(own + terms)}"] if own or terms else []
