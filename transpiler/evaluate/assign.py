"""Binding values to names, attributes, elements and nested targets."""

from __future__ import annotations

from typing import Any

import libcst as cst

from transpiler.diagnostics import Refusal
from transpiler.evaluate import limits
from transpiler.evaluate.core import Evaluator, is_build, is_failed, is_known, plain
from transpiler.evaluate.functions import call_function
from transpiler.evaluate.natives import NAMESPACE
from transpiler.evaluate.rates import rate
from transpiler.evaluate.subclasses import set_on_custom
from transpiler.evaluate.values import (
    ClassValue,
    Created,
    HistoryLogs,
    InitialValue,
    Instance,
    Opaque,
    OptimizerOf,
    ProjectModule,
    Property,
    Subclassed,
    Symbol,
)
from transpiler.graph.keras import Layer, Model, Tensor
from transpiler.graph.program import Array
from transpiler.graph.symbolic import Expr, Leaf


def assign(ev: Evaluator, target: cst.BaseExpression, value: Any, source: cst.BaseExpression | None) -> None:
    """Bind ``value`` to ``target``; ``source`` is the expression that it came from."""
    if isinstance(target, cst.Name):
        _set_name(ev, target.value, value)
    elif isinstance(target, (cst.Tuple, cst.List)):
        _unpack(ev, target, value)
    elif isinstance(target, cst.Attribute):
        set_attribute(ev, target, value)
    elif isinstance(target, cst.Subscript):
        _set_item(ev, target, value)
    elif isinstance(target, cst.StarredElement):
        assign(ev, target.value, value, None)
    if source is not None and is_build(value) and not isinstance(value, Model):
        ev.mark_build(source)


def _set_name(ev: Evaluator, name: str, value: Any) -> None:
    outer = name in ev.scope.globals or name in ev.scope.nonlocals
    if outer and ev.unknown_depth and not is_failed(value):
        if is_build(value):
            raise Refusal("KT203", f"whether `{name}` is set depends on a condition known only at run time")
        value = Opaque(f"`{name}` is set by code that may or may not run", maybe_model=isinstance(value, Model))
    ev.scope.set(name, name_value(ev, name, value))
    if outer and not is_build(value):
        ev.affect(name)
    owner = ev.scope.find(name)
    if owner is not None:
        ev.bindings.setdefault((id(owner), name), []).append(ev.steps)


def name_value(ev: Evaluator, name: str, value: Any) -> Any:
    """``value`` as it is known under ``name``: tensors get hints, numbers and unknowns remember the name."""
    if isinstance(value, (Tensor, Layer, Model)):
        if value.hint is None:
            value.hint = name
        if isinstance(value, Model) and value.reference is None:
            value.reference = name
        return value
    if is_failed(value):
        return value
    if isinstance(value, Opaque) and value.expr is not None and _of_parameters(value.expr):
        return value
    if isinstance(value, Opaque) and not isinstance(value, (Created, HistoryLogs, InitialValue)):
        named = Opaque.named(name, name, value.why or f"`{name}` is known only when the program runs")
        named.foreign, named.scalar, named.maybe_model = value.foreign, value.scalar, value.maybe_model
        return named
    if isinstance(value, Array):
        ev.array_names[id(value)] = name
        ev.keep_alive.append(value)
        return value
    number = value.value if isinstance(value, Expr) else value
    if type(number) in (int, float) and ev.scope.parent is None and name in ev.scope.constants:
        return Expr.of_leaf(Leaf(name, "global", name, structural=not ev.modules.is_home(ev.scope)), number)
    if isinstance(value, Expr) and not value.known and not _of_parameters(value):
        return Expr.of_leaf(Leaf(name, "local", name))
    return value


def _of_parameters(expr: Expr) -> bool:
    """Whether an expression is made of a builder's parameters: then it says more than the name of a variable."""
    leaves = list(expr.leaves())
    return bool(leaves) and all(leaf.parameter for leaf in leaves)


def _unpack(ev: Evaluator, target: cst.Tuple | cst.List, value: Any) -> None:
    elements = list(target.elements)
    items = unpack_items(value, len(elements))
    star = next((i for i, e in enumerate(elements) if isinstance(e, cst.StarredElement)), None)
    if items is None:
        for element in elements:
            name = element.value.value if isinstance(element.value, cst.Name) else "value"
            assign(ev, element.value, value if is_failed(value) else Opaque.named(name, name, ""), None)
        return
    if star is not None:
        tail = len(elements) - star - 1
        if len(items) < star + tail:
            raise Refusal("KT205", f"cannot unpack {len(items)} values into {len(elements)} names")
        stop = len(items) - tail
        items = [*items[:star], items[star:stop], *items[stop:]]
    elif len(items) != len(elements):
        raise Refusal("KT205", f"cannot unpack {len(items)} values into {len(elements)} names")
    for element, item in zip(elements, items, strict=True):
        assign(ev, element.value, item, None)


def unpack_items(value: Any, count: int) -> list[Any] | None:
    """The elements of ``value``, or None where they are unknown."""
    if isinstance(value, (list, tuple, set, range)):
        return list(value)
    if isinstance(value, dict):
        return list(value)
    if isinstance(value, str):
        return list(value)
    if isinstance(value, Array) and value.shape:
        return [Array(value.shape[1:], value.dtype) for _ in range(count)]
    return None


def set_attribute(ev: Evaluator, target: cst.Attribute, value: Any) -> None:
    """``receiver.name = value``."""
    put_attribute(ev, ev.eval(target.value), target.attr.value, value, target)


def put_attribute(ev: Evaluator, receiver: Any, name: str, value: Any, target: cst.BaseExpression) -> None:
    """Set an attribute; ``target`` is the expression that names it, or the call that sets it."""
    text = ev.source(target)
    if isinstance(receiver, Instance) and isinstance(own := receiver.cls.lookup(name), Property):
        if own.setter is None:
            raise Refusal("KT205", f"`{name}` is a property that cannot be set")
        call_function(ev, own.setter, [receiver, value], {}, target)
    elif _of_training(ev, receiver, name, target):
        return
    elif isinstance(receiver, Subclassed):
        set_on_custom(ev, receiver, name, value, text)
    elif isinstance(receiver, (Instance, ClassValue)):
        _set_on_object(ev, receiver, name, text, value)
    elif isinstance(receiver, ProjectModule):
        _set_in_module(ev, receiver, name, text, value)
    elif isinstance(receiver, Opaque):
        ev.cloud(value, f"`{text}` holds it, and may change it")
    elif isinstance(receiver, (Layer, Model)):
        _set_trainable(ev, receiver, name, value, target)


def _set_trainable(ev: Evaluator, receiver: Layer | Model, name: str, value: Any, target: cst.BaseExpression) -> None:
    """``layer.trainable = value``; nothing else is set on layers and models."""
    ev.mark_build(target)
    if name != "trainable":
        raise Refusal("KT105", f"setting `{name}` on a layer or model is not translated")
    ev.set_trainable(receiver, value)
    if isinstance(receiver, Layer) or ev.tracing:  # elsewhere the statement itself stays for a model
        ev.freeze(receiver, receiver.trainable)


def _of_training(ev: Evaluator, receiver: Any, name: str, target: cst.BaseExpression) -> bool:
    """Whether what is set is one of the attributes that training reads as it goes on."""
    if isinstance(receiver, OptimizerOf) and isinstance(target, cst.Attribute):
        rate(ev, receiver, name, target)
        return True
    return isinstance(receiver, Model) and name == "stop_training"  # a plain flag of the output's modules too


def _set_on_object(ev: Evaluator, receiver: Instance | ClassValue, name: str, text: str, value: Any) -> None:
    """An attribute of one of the program's objects or classes."""
    if isinstance(value, (Tensor, Layer, Model)) and value.hint is None:
        value.hint = name
    if isinstance(value, Model) and value.reference is None and isinstance(receiver, Instance):
        value.reference = text
    if ev.unknown_depth and not is_build(value):
        value = Opaque(f"`{text}` is set by code that may or may not run", maybe_model=isinstance(value, Model))
    owner = receiver.cls.name if isinstance(receiver, Instance) else ""
    receiver.attributes[name] = _attribute_value(ev, name, text, value, owner)
    if not is_build(value):
        ev.affect(receiver)


def _set_in_module(ev: Evaluator, module: ProjectModule, name: str, text: str, value: Any) -> None:
    """A name of another module of the project is bound anew."""
    if ev.unknown_depth:
        value = Opaque(f"`{text}` is set by code that may or may not run", maybe_model=isinstance(value, Model))
    module.scope.names[name] = plain(value) if is_known(value) else value
    ev.bindings.setdefault((id(module.scope), name), []).append(ev.steps)


def _attribute_value(ev: Evaluator, name: str, text: str, value: Any, owner: str) -> Any:
    """A number that is kept in an attribute is known by the attribute from then on, if nothing sets it again."""
    number = value.value if isinstance(value, Expr) else value
    if type(number) in (int, float) and ev.scan.attributes[name] == 1 and owner and text.startswith("self."):
        origin = value if isinstance(value, Expr) else None
        return Expr.of_leaf(Leaf(name, "local", text, owner=owner, origin=origin), number)
    own = (Created, HistoryLogs, InitialValue)
    unknown = isinstance(value, Opaque) and not isinstance(value, own) and not is_failed(value)
    if unknown or isinstance(value, Expr) and not value.known:
        origin = value.expr if isinstance(value, Opaque) else value
        named = Opaque(getattr(value, "why", ""), Expr.of_leaf(Leaf(name, "local", text, owner=owner, origin=origin)))
        if isinstance(value, Opaque):
            named.foreign, named.scalar, named.maybe_model = value.foreign, value.scalar, value.maybe_model
        return named
    return value


def all_layers(model: Model) -> list[Layer]:
    """The layers of a model, those of nested models included."""
    found: list[Layer] = []
    for layer in model.layers:
        found.extend(all_layers(layer) if isinstance(layer, Model) else [layer])
    return found


def _set_item(ev: Evaluator, target: cst.Subscript, value: Any) -> None:
    receiver = ev.eval(target.value)
    if len(target.slice) != 1 or not isinstance(target.slice[0].slice, cst.Index):
        return
    index = ev.eval(target.slice[0].slice.value)
    if ev.unknown_depth and is_build(value):
        raise Refusal("KT203", "whether this belongs to the model depends on a condition known only at run time")
    if isinstance(receiver, (list, dict)) and is_known(index):
        try:
            receiver[plain(index)] = value
        except (IndexError, TypeError) as error:
            raise Refusal("KT205", f"the program fails here: {error}") from None
        ev.change(receiver)
    elif isinstance(receiver, Array):
        receiver.items = None
    elif isinstance(receiver, Symbol) and receiver.name == NAMESPACE:
        raise Refusal("KT105", "names that are set through `globals()` or `locals()` are not followed")
    elif isinstance(receiver, Opaque):
        ev.cloud(value, f"`{ev.source(target.value)}` holds it, and may change it")
    elif isinstance(receiver, (list, dict)):
        ev.cloud(receiver, "what is set in it is known only when the program runs")


def augmented(ev: Evaluator, node: cst.AugAssign) -> None:
    """``target op= value``."""
    from transpiler.evaluate.expressions import AUGMENTED, apply_binary

    left = ev.eval(node.target)
    right = ev.eval(node.value)
    op = AUGMENTED.get(type(node.operator))
    if isinstance(left, Array):
        left.items = None
    if isinstance(left, list) and op == "+" and isinstance(right, (list, tuple)):
        if ev.unknown_depth and is_build(right):
            raise Refusal("KT203", "whether this belongs to the model depends on a condition known only at run time")
        if len(left) + len(right) > limits.MAX_ITEMS:
            raise limits.LimitReached("a list too long")
        left.extend(right)
        ev.change(left)
        if is_build(right):
            ev.mark_build(node.value)
        return
    value = apply_binary(ev, op, left, right, node.value) if op else Opaque("this operator is not evaluated")
    if is_build(value):
        ev.mark_build(node.value)
    if isinstance(value, Tensor) and isinstance(left, Tensor) and value.hint is None:
        value.hint = left.hint
    assign(ev, node.target, value, None)


def delete(ev: Evaluator, node: cst.Del) -> None:
    """``del target``."""
    targets = [e.value for e in node.target.elements] if isinstance(node.target, cst.Tuple) else [node.target]
    for target in targets:
        _delete(ev, target, node)


def _delete(ev: Evaluator, target: cst.BaseExpression, node: cst.Del) -> None:
    if isinstance(target, cst.Name):
        value = ev.scope.names.pop(target.value, None)
        if is_build(value) or isinstance(value, Symbol):
            ev.mark_build(node)
    elif isinstance(target, cst.Attribute):
        owner = ev.eval(target.value)
        if isinstance(owner, Instance):
            owner.attributes.pop(target.attr.value, None)
    elif isinstance(target, cst.Subscript):
        receiver = ev.eval(target.value)
        inner = target.slice[0].slice
        index = plain(ev.eval(inner.value)) if isinstance(inner, cst.Index) else None
        if isinstance(receiver, (list, dict)) and isinstance(index, (int, str)):
            try:
                del receiver[index]  # type: ignore[arg-type]
            except (KeyError, IndexError, TypeError):
                raise Refusal("KT205", "nothing to delete at that index") from None
            ev.change(receiver)
        elif isinstance(receiver, (list, dict)):
            ev.cloud(receiver, "what is deleted from it is not followed")
