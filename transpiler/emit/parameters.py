"""Constructor parameters: the numbers that only the program knows, and modules that are made outside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from transpiler.emit.code import exprs_of, literal
from transpiler.emit.graph import analyse
from transpiler.emit.names import Namer, Wish, variable
from transpiler.graph.keras import CustomModel
from transpiler.graph.symbolic import Expr, Leaf
from transpiler.graph.torch import Module, TorchModel

_REAL = frozenset(("p", "eps", "momentum", "negative_slope", "std", "alpha", "lambd", "gain"))


@dataclass(frozen=True)
class CtorParam:
    """A constructor parameter. ``source`` is the text to pass where the model is built."""

    name: str
    annotation: str
    default: str | None = None
    source: str = ""

    @property
    def declaration(self) -> str:
        """The parameter as it stands in the signature."""
        return f"{self.name}: {self.annotation}" + ("" if self.default is None else f" = {self.default}")


@dataclass
class Parameters:
    """The parameters of one class and the names of the leaves behind them."""

    params: list[CtorParam] = field(default_factory=list)
    injected: dict[int, str] = field(default_factory=dict)  # id of module → parameter
    _names: dict[tuple[str, str], str] = field(default_factory=dict)

    def leaf_name(self, leaf: Leaf) -> str:
        """The name by which the class body knows a leaf."""
        return self._names.get(_key(leaf), leaf.name)


def _key(leaf: Leaf) -> tuple[str, str]:
    return leaf.name, leaf.source


def collect(
    model: TorchModel, submodels: Mapping[int, str], instances: Mapping[int, str], taken: set[str]
) -> Parameters:
    """Find the parameters that the class of ``model`` needs: modules from outside first, then numbers."""
    result = Parameters()
    modules = analyse(model).modules()
    found = [(expr, real) for expr, real in _expressions(model, instances)]
    global_names = {leaf.name for expr, _ in found for leaf in expr.leaves() if leaf.scope == "global"}
    namer = Namer(taken | global_names | {"self"})
    _collect_modules(result, modules, submodels, instances, namer)
    numbers: list[CtorParam] = []
    for expr, real in found:
        for leaf, known in _local_leaves(expr):
            if _key(leaf) in result._names:
                continue
            name = namer.unique(variable(leaf.name))
            result._names[_key(leaf)] = name
            kind = type(known).__name__ if known is not None else ("float" if real else "int")
            numbers.append(CtorParam(name, kind, leaf.default, leaf.source or leaf.name))
    result.params += sorted(numbers, key=lambda param: param.default is not None)
    return result


def _collect_modules(
    result: Parameters, modules: list[Module], submodels: Mapping[int, str], instances: Mapping[int, str], namer: Namer
) -> None:
    """Add a parameter for each module from outside, called as there, or by its role where it has no name there."""
    sources = {id(m): source for m in modules if (source := _instance(m, instances)) is not None}
    found = [module for module in modules if id(module) in sources]
    wishes = []
    for module in found:
        last = sources[id(module)].rpartition(".")[2]
        given = last.isidentifier()
        wishes.append(Wish(id(module), variable(last if given else module.role, "module"), given))
    names = namer.assign(wishes)
    for module in found:
        annotation = submodels.get(id(module.subgraph), "nn.Module") if module.subgraph else module.cls
        result.params.append(CtorParam(names[id(module)], annotation, None, sources[id(module)]))
        result.injected[id(module)] = names[id(module)]


def _instance(module: Module, instances: Mapping[int, str]) -> str | None:
    return instances.get(id(module)) or (instances.get(id(module.subgraph)) if module.subgraph else None)


def _local_leaves(expr: Expr) -> Iterator[tuple[Leaf, Any]]:
    """Yield the leaves that become parameters, with their value where it is known."""
    if expr.leaf is not None:
        if expr.leaf.scope == "local" and any(True for _ in expr.leaves()):
            yield expr.leaf, expr.value
        return
    for arg in expr.args:
        yield from _local_leaves(arg)


def _expressions(model: TorchModel, instances: Mapping[int, str]) -> Iterator[tuple[Expr, bool]]:
    """Yield every expression that the class prints, and whether it stands where torch takes a float."""
    for module in analyse(model).modules():
        if _instance(module, instances) is not None:
            continue
        if module.subgraph is not None:
            if isinstance(module.subgraph.source, CustomModel):
                yield from (
                    (expr, False)
                    for value in given_arguments(module.subgraph).values()
                    for expr in exprs_of(number_of(value))
                )
            else:
                yield from _expressions(module.subgraph, {})
            continue
        real = "Dropout" in module.cls
        for expr in exprs_of(module.args):
            yield expr, real
        for key, value in module.kwargs.items():
            for expr in exprs_of(value):
                yield expr, real or key in _REAL


def number_of(value: Any) -> Any:
    """A value as an expression that can be printed; what only the running program knows has one."""
    expr = getattr(value, "expr", None)
    return value if expr is None else expr


def given_arguments(model: TorchModel) -> dict[str, Any]:
    """What the constructor of a program's own class is given for the parameters that its translation has."""
    assert isinstance(model.source, CustomModel)
    given = model.source.arguments
    inner = collect(model, {}, {}, set())
    return {param: given[leaf] for (leaf, _), param in inner._names.items() if leaf in given}


def nested_arguments(model: TorchModel, submodels: Mapping[int, str], outer: Parameters) -> str:
    """The arguments for a nested model's class, from the parameters of the class around it."""
    if isinstance(model.source, CustomModel):
        pairs = given_arguments(model).items()
        return ", ".join(f"{name}={literal(number_of(value), outer.leaf_name)}" for name, value in pairs)
    inner = collect(model, submodels, {}, set())
    passed = [outer._names.get(key) for key in inner._names]
    by_param = dict(zip(inner._names.values(), passed, strict=True))
    return ", ".join(by_param[param.name] or param.name for param in inner.params)
