"""The method that adds up the weight penalties of a class."""

from __future__ import annotations

from transpiler.emit.attributes import Layout
from transpiler.emit.initializers import whole_classes
from transpiler.graph.torch import Module, TorchModel
from transpiler.rules.regularizers import regularizer_code

_LOOP_FROM = 3


def has_penalties(model: TorchModel) -> bool:
    """Whether any weight of the model, or of a model inside it, is regularised."""
    return any(m.regularizers or (m.subgraph is not None and has_penalties(m.subgraph)) for m in model.modules())


def penalty_lines(modules: list[Module], layout: Layout) -> list[str]:
    """The body of ``regularization_loss``; empty if nothing is regularised."""
    weights: dict[str, list[tuple[Module, str]]] = {}
    terms: list[str] = []
    for module in modules:
        if module.subgraph is not None and has_penalties(module.subgraph):
            terms.append(f"{layout.expression(module)}.regularization_loss()")
        for key, value in module.regularizers.items():
            code = regularizer_code(value, "weight")
            if code != "0.0":
                weights.setdefault(code, []).append((module, key))
    if len(weights) == 1 and not terms:
        ((code, owners),) = weights.items()
        if len(owners) >= _LOOP_FROM:
            return _summed(code, owners, modules, layout)
    own = [
        code.replace("weight.", f"{_target(layout, module, key)}.")
        for code, owners in weights.items()
        for module, key in owners
    ]
    return [f"return {' + '.join(own + terms)}"] if own or terms else []


def _target(layout: Layout, module: Module, key: str) -> str:
    return f"{layout.expression(module)}.{key}" if key else layout.expression(module)


def _summed(code: str, owners: list[tuple[Module, str]], modules: list[Module], layout: Layout) -> list[str]:
    """One penalty for many weights."""
    tested = whole_classes(owners, modules)
    if tested:
        key = owners[0][1]
        weights = f"[module.{key} for module in self.modules() if isinstance(module, {tested})]"
    else:
        weights = f"({', '.join(_target(layout, module, key) for module, key in owners)})"
    return [f"weights = {weights}", f"return torch.stack([{code} for weight in weights]).sum()"]
