"""The program's own classes: objects, methods, inheritance, dataclasses, enumerations, records."""

from __future__ import annotations

from typing import Any

import libcst as cst

from transpiler.diagnostics import Refusal
from transpiler.evaluate.core import FAILED, Evaluator, FailedDependencyError, is_failed, is_known, plain
from transpiler.evaluate.functions import call_function
from transpiler.evaluate.scope import Scope
from transpiler.evaluate.subclasses import BASES, base_attribute, keras_kind, make_custom
from transpiler.evaluate.values import (
    Bound,
    ClassMethod,
    ClassValue,
    Field,
    Function,
    Instance,
    Native,
    Opaque,
    Property,
    StaticMethod,
    Subclassed,
    Super,
    Symbol,
    make_row,
)
from transpiler.graph.program import Action
from transpiler.rules.callbacks import BASE as CALLBACK
from transpiler.rules.names import is_keras
from transpiler.rules.sources import SEQUENCES

_ENUMS = frozenset(["enum.Enum", "enum.IntEnum", "enum.StrEnum", "enum.Flag", "enum.IntFlag"])
_PLAIN_BASES = frozenset(
    "builtins.object abc.ABC typing.Generic typing.Protocol typing.NamedTuple".split()
) | _ENUMS  # fmt: skip
_OWN_BASES = SEQUENCES | {CALLBACK}
_HOOKS = ("__getattribute__", "__getattr__", "__setattr__")
_DATACLASS = "dataclasses.dataclass"
_TRANSPARENT = ("keras.saving.", "keras.utils.register", "functools.total_ordering", "typing.", "enum.unique")


def define_class(ev: Evaluator, node: cst.ClassDef) -> None:
    """``class``: its body is interpreted when nothing of Keras is a base; Keras subclasses are told."""
    bases = tuple(ev.eval(base.value) for base in node.bases)
    ev.current = node
    for base in bases:
        if isinstance(base, Symbol) and base.name in _OWN_BASES:
            continue
        if isinstance(base, Symbol) and is_keras(base.name) and base.name not in BASES:
            ev.scope.set(node.name.value, FAILED)
            raise Refusal("KT105", f"a subclass of `{base.name}` is not translated yet")
        if is_failed(base):
            ev.scope.set(node.name.value, FAILED)
            raise FailedDependencyError
    for base, written in zip(bases, node.bases, strict=True):
        if isinstance(base, Symbol) and base.name in _OWN_BASES:
            _note_base(ev, base.name, written.value)
    scope = Scope(node.name.value, ev.scope, of_class=True)
    outer, ev.scope = ev.scope, scope
    try:
        ev.run(node.body.body)
    finally:
        ev.scope = outer
    found = ClassValue(node.name.value, node, bases, scope.names)
    for value in scope.names.values():
        function = value.function if isinstance(value, (StaticMethod, ClassMethod, Property)) else value
        if isinstance(function, Function) and function.owner is None:
            function.owner = found
    _kind_of_class(ev, found)
    found.keras = keras_kind(ev, found)
    if found.keras:
        ev.facts.custom_classes.add(id(node))
    ev.classes.append(found)
    ev.scope.set(node.name.value, _decorated(ev, found))


def _note_base(ev: Evaluator, name: str, node: cst.BaseExpression) -> None:
    """The base of a class of callbacks, or of batches, has a twin in the output."""
    ev.record(Action(name, {}, ev.span(node), ev.scope.qualified_name, node=node))


def _kind_of_class(ev: Evaluator, cls: ClassValue) -> None:
    symbols = {base.name for base in cls.bases if isinstance(base, Symbol)}
    inherited = [base for base in cls.bases if isinstance(base, ClassValue)]
    cls.enum = bool(symbols & _ENUMS) or any(base.enum for base in inherited)
    cls.record = "typing.NamedTuple" in symbols
    cls.dataclass = any(base.dataclass for base in inherited)
    if cls.enum:
        for name, value in list(cls.attributes.items()):
            if not name.startswith("_") and not isinstance(value, (Function, StaticMethod, ClassMethod, Property)):
                cls.attributes[name] = Instance(cls, {"name": name, "value": value})


def _decorated(ev: Evaluator, cls: ClassValue) -> Any:
    """A class as its decorators give it back."""
    for decorator in reversed(cls.node.decorators):
        inner = decorator.decorator.func if isinstance(decorator.decorator, cst.Call) else decorator.decorator
        ev.eval(decorator.decorator)
        symbol = ev.facts.values.get(id(inner))
        name = symbol.name if isinstance(symbol, Symbol) else ""
        if name == _DATACLASS:
            cls.dataclass = True
        elif not name.startswith(_TRANSPARENT):
            return Opaque(f"`@{ev.source(decorator.decorator)}` may change the class `{cls.name}`")
    if any(keyword.keyword is not None and keyword.keyword.value == "metaclass" and not _is_abc(ev, keyword.value)
           for keyword in cls.node.keywords):  # fmt: skip
        return Opaque(f"the metaclass of `{cls.name}` is not followed")
    return cls


def _is_abc(ev: Evaluator, node: cst.BaseExpression) -> bool:
    value = ev.eval(node)
    return isinstance(value, Symbol) and value.name == "abc.ABCMeta"


def fields_of(cls: ClassValue) -> list[str]:
    """The fields of a dataclass or named tuple, those of its bases first."""
    found: dict[str, None] = {}
    for owner in reversed(cls.mro()):
        for line in owner.node.body.body:
            for small in line.body if isinstance(line, cst.SimpleStatementLine) else ():
                if isinstance(small, cst.AnnAssign) and isinstance(small.target, cst.Name):
                    annotation = cst.Module([]).code_for_node(small.annotation.annotation)
                    if "ClassVar" not in annotation:
                        found[small.target.value] = None
    return list(found)


def instantiate(ev: Evaluator, cls: ClassValue, args: list[Any], kwargs: dict[str, Any], node: cst.Call) -> Any:
    """An object of a class of the program's, its constructor interpreted."""
    if cls.enum:
        return _member(cls, args, node, ev)
    if cls.keras:
        return make_custom(ev, cls, args, kwargs, node)
    instance = Instance(cls)
    if any(cls.lookup(hook) is not None for hook in _HOOKS):
        ev.cloud(instance, "its class decides itself what its attributes are")
    ev.instances.setdefault(id(cls), instance)
    init = cls.lookup("__init__")
    if isinstance(init, Function):
        call_function(ev, init, [instance, *args], kwargs, node)
    elif cls.dataclass or cls.record:
        _fill(ev, instance, args, kwargs, node)
        if cls.record:
            return make_row(fields_of(cls), [instance.attributes[name] for name in fields_of(cls)])
    elif not _plain(cls):
        return Opaque(f"an object of `{cls.name}`", foreign=True)
    return instance


def _plain(cls: ClassValue) -> bool:
    """Whether nothing unknown stands above a class."""
    return all(
        isinstance(base, ClassValue)
        and _plain(base)
        or isinstance(base, Symbol)
        and base.name in _PLAIN_BASES | _OWN_BASES
        for base in cls.bases
    )


def _member(cls: ClassValue, args: list[Any], node: cst.Call, ev: Evaluator) -> Any:
    """``Color("red")``: the member with that value."""
    for member in members(cls):
        if args and is_known(args[0]) and plain(member.attributes["value"]) == plain(args[0]):
            return member
    return Opaque(f"`{ev.source(node)[:60]}` is known only when the program runs")


def members(cls: ClassValue) -> list[Instance]:
    """The members of an enumeration, in order."""
    return [value for value in cls.attributes.values() if isinstance(value, Instance) and value.cls is cls]


def _fill(ev: Evaluator, instance: Instance, args: list[Any], kwargs: dict[str, Any], node: cst.Call) -> None:
    """Set the fields of a dataclass as its generated constructor does."""
    from transpiler.evaluate.calls import invoke

    names = fields_of(instance.cls)
    given = dict(zip(names, args)) | kwargs  # noqa: B905 - fewer arguments than fields is usual
    unknown = set(given) - set(names) - {"**"}
    if unknown or len(args) > len(names):
        raise Refusal("KT205", f"`{instance.cls.name}` does not take these arguments")
    for name in names:
        default = instance.cls.lookup(name)
        if name in given:
            instance.attributes[name] = given[name]
        elif isinstance(default, Field) and default.factory is not None:
            instance.attributes[name] = invoke(ev, default.factory, [], {}, node)
        elif default is not None or name in instance.cls.all_attributes():
            instance.attributes[name] = default.default if isinstance(default, Field) else default
        elif "**" in given:
            instance.attributes[name] = given["**"]
        else:
            raise Refusal("KT205", f"`{instance.cls.name}` needs its argument `{name}`")
    after = instance.cls.lookup("__post_init__")
    if isinstance(after, Function):
        call_function(ev, after, [instance], {}, node)


def found_on_object(ev: Evaluator, instance: Instance, found: Any, node: cst.CSTNode) -> Any:
    """A class attribute as an object shows it: methods bound, properties computed."""
    if isinstance(found, Function):
        return Bound(found, instance)
    if isinstance(found, StaticMethod):
        return found.function
    if isinstance(found, ClassMethod):
        return Bound(found.function, instance.cls)
    if isinstance(found, Property):
        return call_function(ev, found.function, [instance], {}, node)
    return found


def found_on_class(cls: ClassValue, found: Any) -> Any:
    """A class attribute as the class shows it."""
    if isinstance(found, StaticMethod):
        return found.function
    if isinstance(found, ClassMethod):
        return Bound(found.function, cls)
    return found


def super_value(ev: Evaluator, args: list[Any]) -> Any:
    """``super()`` and ``super(Class, self)``."""
    if len(args) == 2 and isinstance(args[0], ClassValue) and isinstance(args[1], (Instance, ClassValue)):
        return Super(args[1], args[0])
    function = ev.functions[-1] if ev.functions else None
    if args or function is None or function.owner is None:
        return Opaque("super()")
    names = [p.name.value for p in (*function.node.params.posonly_params, *function.node.params.params)]
    receiver = ev.scope.names.get(names[0]) if names else None
    if isinstance(receiver, (Instance, ClassValue)):
        return Super(receiver, function.owner)
    return Opaque("super()")


def super_attribute(ev: Evaluator, value: Super, name: str, node: cst.CSTNode) -> Any:
    """``super().name``."""
    cls = value.receiver.cls if isinstance(value.receiver, Instance) else value.receiver
    line = cls.mro()
    rest = line[line.index(value.after) + 1 :] if value.after in line else []
    for owner in rest:
        if name in owner.attributes:
            found = owner.attributes[name]
            if isinstance(value.receiver, Instance):
                return found_on_object(ev, value.receiver, found, node)
            return found_on_class(value.receiver, found)
    if isinstance(value.receiver, Subclassed):
        return base_attribute(ev, value.receiver, name, node, of_super=True)
    if name in ("__init__", "__init_subclass__", "__post_init__"):
        return Native(name, lambda *_: None)
    return Opaque(f"`super().{name}` is not evaluated")
