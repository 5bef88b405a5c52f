"""Functions of Python and of libraries that mean something to the evaluator beyond their plain result."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from keyword import iskeyword
from typing import Any

import libcst as cst

from transpiler.diagnostics import Refusal
from transpiler.evaluate import limits
from transpiler.evaluate.calls import invoke
from transpiler.evaluate.classes import fields_of, super_value
from transpiler.evaluate.core import Evaluator, decided, is_known, plain
from transpiler.evaluate.functions import callable_value
from transpiler.evaluate.natives import NAMESPACE
from transpiler.evaluate.values import (
    ClassValue,
    DefaultDict,
    Field,
    Instance,
    Native,
    Opaque,
    Row,
    Subclassed,
    Symbol,
    make_row,
)
from transpiler.graph.keras import Layer, Model, Tensor
from transpiler.graph.program import Array
from transpiler.graph.symbolic import Expr
from transpiler.rules.names import is_keras


def _isinstance(ev: Evaluator, args: list[Any], kwargs: dict[str, Any], node: cst.Call) -> Any:
    if len(args) != 2 or isinstance(args[0], (Opaque, Symbol)):
        return NotImplemented
    kinds = args[1] if isinstance(args[1], tuple) else (args[1],)
    value = args[0].value if isinstance(args[0], Expr) else args[0]
    if isinstance(value, Subclassed):
        bases = ("keras.layers.Layer", "keras.Model", "keras.Sequential")
        above = bases[: 1 + ("layer", "model", "sequential").index(value.cls.keras)]
        return any(kind in value.cls.mro() or isinstance(kind, Symbol) and kind.name in above for kind in kinds)
    if isinstance(value, Instance):
        return any(kind in value.cls.mro() for kind in kinds) or NotImplemented
    names = {k.name.removeprefix("builtins.") for k in kinds if isinstance(k, Symbol)}
    if isinstance(value, Layer):
        return value.symbol in names or "keras.layers.Layer" in names
    if isinstance(value, Model):
        own = "keras.Sequential" if value.kind == "sequential" else "keras.Functional"
        return bool(names & {"keras.Model", own, "keras.layers.Layer"})
    if isinstance(value, Array):
        return True if "numpy.ndarray" in names else NotImplemented
    if isinstance(value, (bool, int, float, str, list, tuple, dict, set)) or value is None:
        return any(base.__name__ in names for base in type(value).__mro__)
    return NotImplemented


def _getattr(ev: Evaluator, args: list[Any], kwargs: dict[str, Any], node: cst.Call) -> Any:
    from transpiler.evaluate.attributes import attribute

    if len(args) < 2 or not isinstance(args[1], str) or isinstance(args[0], Opaque) or not args[1].isidentifier():
        return NotImplemented
    if len(args) > 2 and _has(ev, args[0], args[1]) is False:
        return args[2]
    return attribute(ev, args[0], args[1], cst.Attribute(node.func, cst.Name(args[1])))


def _has(ev: Evaluator, value: Any, name: str) -> bool | None:
    """Whether ``value`` has an attribute, as far as it is known."""
    if isinstance(value, Instance) and id(value) not in ev.clouded:
        return name in value.attributes or name in value.cls.all_attributes()
    if isinstance(value, ClassValue):
        return name in value.all_attributes()
    return True if isinstance(value, (Layer, Model)) and name in ("name", "trainable", "input", "output") else None


def _hasattr(ev: Evaluator, args: list[Any], kwargs: dict[str, Any], node: cst.Call) -> Any:
    found = _has(ev, args[0], args[1]) if len(args) == 2 and isinstance(args[1], str) else None
    return NotImplemented if found is None else found


def _setattr(ev: Evaluator, args: list[Any], kwargs: dict[str, Any], node: cst.Call) -> Any:
    from transpiler.evaluate.assign import put_attribute

    if len(args) == 3 and isinstance(args[1], str) and isinstance(args[0], (Instance, ClassValue, Layer, Model)):
        put_attribute(ev, args[0], args[1], args[2], node)
        return None
    if isinstance(args[0], (Layer, Model, ClassValue)):
        raise Refusal("KT105", "an attribute whose name is known only at run time is set here")
    return NotImplemented


def _type(ev: Evaluator, args: list[Any], kwargs: dict[str, Any], node: cst.Call) -> Any:
    value = args[0].value if len(args) == 1 and isinstance(args[0], Expr) else args[0] if len(args) == 1 else None
    if isinstance(value, Instance):
        return value.cls
    if isinstance(value, Layer):
        return Symbol(value.symbol)
    if type(value) in (bool, int, float, str, list, tuple, dict, set):
        return Symbol(f"builtins.{type(value).__name__}")
    return NotImplemented


def _callable(ev: Evaluator, args: list[Any], kwargs: dict[str, Any], node: cst.Call) -> Any:
    if len(args) == 1 and not isinstance(args[0], Opaque):
        return callable_value(args[0]) or isinstance(args[0], (Layer, Model, Symbol))
    return NotImplemented


def _super(ev: Evaluator, args: list[Any], kwargs: dict[str, Any], node: cst.Call) -> Any:
    return super_value(ev, args)


def _vars(ev: Evaluator, args: list[Any], kwargs: dict[str, Any], node: cst.Call) -> Any:
    if len(args) == 1 and isinstance(args[0], Instance) and id(args[0]) not in ev.clouded:
        return args[0].attributes
    return Symbol(NAMESPACE) if not args else NotImplemented


def _items(ev: Evaluator, value: Any) -> list[Any] | None:
    from transpiler.evaluate.loops import iterate

    found = iterate(ev, value)
    if found is None:
        return None
    items = list(itertools.islice(found, limits.MAX_ITEMS + 1))
    if len(items) > limits.MAX_ITEMS:
        raise limits.LimitReached("a sequence with too many items")
    return items


def _eval(ev: Evaluator, args: list[Any], kwargs: dict[str, Any], node: cst.Call) -> Any:
    """``eval("ReLU")``: a dotted name is looked up; anything else stays unknown, for no code is run."""
    text = args[0] if len(args) == 1 and isinstance(args[0], str) and len(args[0]) < 200 else ""
    if not text or not all(part.isidentifier() and not iskeyword(part) for part in text.split(".")):
        return NotImplemented
    return ev.eval(cst.parse_expression(text))


def _sum(ev: Evaluator, args: list[Any], kwargs: dict[str, Any], node: cst.Call) -> Any:
    from transpiler.evaluate.expressions import apply_binary

    if not args or not isinstance(args[0], (list, tuple)):
        return NotImplemented
    total: Any = args[1] if len(args) > 1 else 0
    for item in args[0]:
        total = (
            item
            if type(total) is int and total == 0 and not isinstance(item, Tensor)
            else apply_binary(ev, "+", total, item, node)
        )
    return total


def sort_by(ev: Evaluator, items: list[Any], key: Any, reverse: Any, node: cst.Call) -> list[Any] | None:
    """``items`` in the order of what ``key`` gives for each, or None where that is not known."""
    keys = items if key is None else [invoke(ev, key, [item], {}, node) for item in items]
    if not is_known(keys) or not is_known(reverse):
        return None
    values = decided(keys)
    try:
        order = sorted(range(len(items)), key=values.__getitem__, reverse=bool(plain(reverse)))
    except TypeError:
        return None
    return [items[i] for i in order]


def _sorted(ev: Evaluator, args: list[Any], kwargs: dict[str, Any], node: cst.Call) -> Any:
    items = _items(ev, args[0]) if len(args) == 1 and not isinstance(args[0], (Opaque, Array)) else None
    if items is None or set(kwargs) - {"key", "reverse"}:
        return NotImplemented
    found = sort_by(ev, items, kwargs.get("key"), kwargs.get("reverse", False), node)
    return NotImplemented if found is None else found


def _map(ev: Evaluator, args: list[Any], kwargs: dict[str, Any], node: cst.Call) -> Any:
    columns = [_items(ev, value) for value in args[1:] if not isinstance(value, (Opaque, Array))]
    if len(columns) != len(args) - 1 or not columns or None in columns:
        return NotImplemented
    rows = zip(*[column for column in columns if column is not None])  # noqa: B905 - map stops at the shortest
    return [invoke(ev, args[0], list(row), {}, node) for row in rows]


def _filter(ev: Evaluator, args: list[Any], kwargs: dict[str, Any], node: cst.Call) -> Any:
    from transpiler.evaluate.branches import truth

    items = _items(ev, args[1]) if len(args) == 2 and not isinstance(args[1], (Opaque, Array)) else None
    if items is None:
        return NotImplemented
    tests = [truth(item if args[0] is None else invoke(ev, args[0], [item], {}, node)) for item in items]
    return NotImplemented if None in tests else list(itertools.compress(items, tests))


def _reduce(ev: Evaluator, args: list[Any], kwargs: dict[str, Any], node: cst.Call) -> Any:
    items = _items(ev, args[1]) if len(args) >= 2 and not isinstance(args[1], (Opaque, Array)) else None
    if items is None or not items and len(args) < 3:
        return NotImplemented
    items = [*args[2:], *items]
    total = items[0]
    for item in items[1:]:
        total = invoke(ev, args[0], [total, item], {}, node)
    return total


def _partial(ev: Evaluator, args: list[Any], kwargs: dict[str, Any], node: cst.Call) -> Any:
    if not args:
        return NotImplemented

    def later(ev: Evaluator, more: list[Any], named: dict[str, Any], at: cst.Call) -> Any:
        return invoke(ev, args[0], [*args[1:], *more], {**kwargs, **named}, at)

    if isinstance(args[0], Symbol) and is_keras(args[0].name):
        ev.mark_build(node)
    return Native("partial", later)


def _next(ev: Evaluator, args: list[Any], kwargs: dict[str, Any], node: cst.Call) -> Any:
    if args and isinstance(args[0], Iterator):
        if ev.unknown_depth:
            raise Refusal("KT203", "whether an item is taken here depends on a condition known only at run time")
        return next(args[0], args[1] if len(args) > 1 else Opaque("an exhausted iterator"))
    return NotImplemented


def _deepcopy(ev: Evaluator, args: list[Any], kwargs: dict[str, Any], node: cst.Call) -> Any:
    return _copied(args[0], {}) if len(args) == 1 else NotImplemented


def _copied(value: Any, memo: dict[int, Any]) -> Any:
    """A deep copy of containers and objects; what describes models cannot be copied."""
    if id(value) in memo:
        return memo[id(value)]
    if isinstance(value, (Layer, Model, Tensor)):
        raise Refusal("KT105", "copies of layers and models are not translated")
    if isinstance(value, list):
        copy: Any = memo.setdefault(id(value), [])
        copy.extend(_copied(item, memo) for item in value)
    elif isinstance(value, dict):
        copy = memo.setdefault(id(value), {})
        copy.update((key, _copied(item, memo)) for key, item in value.items())
    elif isinstance(value, tuple) and not isinstance(value, Row):
        copy = tuple(_copied(item, memo) for item in value)
    elif isinstance(value, Instance):
        copy = memo.setdefault(id(value), Instance(value.cls))
        copy.attributes.update((key, _copied(item, memo)) for key, item in value.attributes.items())
    else:
        copy = value
    return copy


def _namedtuple(ev: Evaluator, args: list[Any], kwargs: dict[str, Any], node: cst.Call) -> Any:
    if len(args) != 2 or kwargs or not is_known(args):
        return NotImplemented
    fields = plain(args[1])
    names = fields.replace(",", " ").split() if isinstance(fields, str) else list(fields)

    def make(ev: Evaluator, values: list[Any], named: dict[str, Any], at: cst.Call) -> Any:
        given = dict(zip(names, values)) | named  # noqa: B905 - fewer positional arguments than fields is usual
        if set(given) != set(names):
            raise Refusal("KT205", f"`{args[0]}` takes the arguments {', '.join(names)}")
        return make_row(names, [given[name] for name in names])

    return Native(str(args[0]), make)


_NAMESPACE_CLASS = ClassValue(
    "SimpleNamespace", cst.ClassDef(cst.Name("SimpleNamespace"), cst.IndentedBlock([])), (), {}
)


def _simple_namespace(ev: Evaluator, args: list[Any], kwargs: dict[str, Any], node: cst.Call) -> Any:
    if args or "**" in kwargs:
        return NotImplemented
    return Instance(_NAMESPACE_CLASS, dict(kwargs))


def _field(ev: Evaluator, args: list[Any], kwargs: dict[str, Any], node: cst.Call) -> Any:
    return Field(kwargs.get("default"), kwargs.get("default_factory"))


def _asdict(ev: Evaluator, args: list[Any], kwargs: dict[str, Any], node: cst.Call) -> Any:
    if len(args) != 1 or not isinstance(args[0], Instance) or id(args[0]) in ev.clouded:
        return NotImplemented
    return {name: _copied(args[0].attributes.get(name), {}) for name in fields_of(args[0].cls)}


def _replace(ev: Evaluator, args: list[Any], kwargs: dict[str, Any], node: cst.Call) -> Any:
    if len(args) != 1 or not isinstance(args[0], Instance) or id(args[0]) in ev.clouded:
        return NotImplemented
    return Instance(args[0].cls, args[0].attributes | kwargs)


def _defaultdict(ev: Evaluator, args: list[Any], kwargs: dict[str, Any], node: cst.Call) -> Any:
    found = DefaultDict(*[v for v in args[1:2] if isinstance(v, dict)], **kwargs)
    found.factory = args[0] if args else None
    return found


def _print(ev: Evaluator, args: list[Any], kwargs: dict[str, Any], node: cst.Call) -> Any:
    return None


def _generator(ev: Evaluator, args: list[Any], kwargs: dict[str, Any], node: cst.Call) -> Any:
    """A random generator has the functions of ``numpy.random`` as methods."""
    return Symbol("numpy.random")


def _namespace(ev: Evaluator, args: list[Any], kwargs: dict[str, Any], node: cst.Call) -> Any:
    return Symbol(NAMESPACE) if not args else NotImplemented


def _code_as_text(ev: Evaluator, args: list[Any], kwargs: dict[str, Any], node: cst.Call) -> Any:
    raise Refusal("KT105", f"code that is run from text is not followed: `{ev.source(node)[:60]}`")


def _train_test_split(ev: Evaluator, args: list[Any], kwargs: dict[str, Any], node: cst.Call) -> Any:
    """scikit-learn's split: twice as many arrays, their lengths unknown."""
    parts = [v if isinstance(v, Array) else Array() for v in args]
    halves = [Array(None if p.shape is None else (None, *p.shape[1:]), p.dtype) for p in parts]
    return [half for half in halves for _ in range(2)]


SPECIAL: dict[str, Any] = {
    "numpy.random.RandomState": _generator,
    "numpy.random.default_rng": _generator,
    "sklearn.model_selection.train_test_split": _train_test_split,
    "builtins.globals": _namespace,
    "builtins.locals": _namespace,
    "builtins.vars": _vars,
    "builtins.exec": _code_as_text,
    f"{NAMESPACE}.update": _code_as_text,
    f"{NAMESPACE}.setdefault": _code_as_text,
    "builtins.isinstance": _isinstance,
    "builtins.getattr": _getattr,
    "builtins.eval": _eval,
    "builtins.hasattr": _hasattr,
    "builtins.setattr": _setattr,
    "builtins.type": _type,
    "builtins.callable": _callable,
    "builtins.super": _super,
    "builtins.sum": _sum,
    "builtins.sorted": _sorted,
    "builtins.map": _map,
    "builtins.filter": _filter,
    "builtins.next": _next,
    "builtins.print": _print,
    "functools.partial": _partial,
    "functools.reduce": _reduce,
    "copy.deepcopy": _deepcopy,
    "collections.namedtuple": _namedtuple,
    "collections.defaultdict": _defaultdict,
    "types.SimpleNamespace": _simple_namespace,
    "dataclasses.field": _field,
    "dataclasses.asdict": _asdict,
    "dataclasses.replace": _replace,
}
