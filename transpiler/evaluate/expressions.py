"""Interpreting expressions."""

from __future__ import annotations

import copy
import keyword
import operator
from ast import literal_eval
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import libcst as cst

from transpiler.diagnostics import Refusal
from transpiler.evaluate import limits
from transpiler.evaluate.arrays import array_binary, array_item, array_product
from transpiler.evaluate.attributes import attribute
from transpiler.evaluate.branches import perhaps
from transpiler.evaluate.calls import call, invoke
from transpiler.evaluate.core import (
    FAILED,
    Evaluator,
    FailedDependencyError,
    decided,
    is_build,
    is_failed,
    is_known,
    plain,
)
from transpiler.evaluate.functions import call_function, parameter_defaults, yield_value
from transpiler.evaluate.natives import BUILTINS
from transpiler.evaluate.operators import tensor_binary, tensor_item, tensor_unary
from transpiler.evaluate.values import DefaultDict, Function, HistoryLogs, Instance, Opaque, Symbol
from transpiler.graph.keras import Layer, Tensor
from transpiler.graph.program import Action, Array, Unknown
from transpiler.graph.symbolic import Expr, Leaf, binary

_BINARY: dict[type, str] = {
    cst.Add: "+", cst.Subtract: "-", cst.Multiply: "*", cst.Divide: "/", cst.FloorDivide: "//", cst.Modulo: "%",
    cst.Power: "**", cst.MatrixMultiply: "@", cst.BitAnd: "&", cst.BitOr: "|", cst.BitXor: "^", cst.LeftShift: "<<",
    cst.RightShift: ">>",
}  # fmt: skip
AUGMENTED: dict[type, str] = {
    cst.AddAssign: "+", cst.SubtractAssign: "-", cst.MultiplyAssign: "*", cst.DivideAssign: "/",
    cst.FloorDivideAssign: "//", cst.ModuloAssign: "%", cst.PowerAssign: "**", cst.MatrixMultiplyAssign: "@",
}  # fmt: skip
_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "//": operator.floordiv,
    "%": operator.mod, "**": operator.pow, "&": operator.and_, "|": operator.or_, "^": operator.xor,
    "<<": operator.lshift, ">>": operator.rshift,
}  # fmt: skip
_COMPARE: dict[type, Callable[[Any, Any], Any]] = {
    cst.Equal: operator.eq, cst.NotEqual: operator.ne, cst.LessThan: operator.lt, cst.LessThanEqual: operator.le,
    cst.GreaterThan: operator.gt, cst.GreaterThanEqual: operator.ge,
}  # fmt: skip


def _name(ev: Evaluator, node: cst.Name) -> Any:
    scope = ev.scope.find(node.value)
    if scope is not None:
        value = scope.names[node.value]
        if value is FAILED and ev.modules.latent:
            ev.modules.failed_name(ev, scope, node.value)
        return value
    if node.value in ev.positions.folded.values:
        return copy.deepcopy(ev.positions.folded.values[node.value])
    if node.value in BUILTINS:
        return Symbol(f"builtins.{node.value}")
    if node.value in ("True", "False", "None"):
        return {"True": True, "False": False, "None": None}[node.value]
    if node.value == "__name__":
        module = ev.scope.module.info
        return "__main__" if module is None or not ev.modules.loading else module.name
    return Opaque.named(node.value, node.value, f"`{node.value}` is not defined in what was interpreted")


_literal = lru_cache(maxsize=4096)(literal_eval)


def _integer(ev: Evaluator, node: cst.Integer) -> Any:
    if len(node.value) > 400:
        raise limits.LimitReached("an integer of more than 400 digits")
    return _literal(node.value)


def _float(ev: Evaluator, node: cst.Float) -> Any:
    return _literal(node.value)


def _imaginary(ev: Evaluator, node: cst.Imaginary) -> Any:
    return Opaque("complex numbers are not evaluated")


def _string(ev: Evaluator, node: cst.SimpleString | cst.ConcatenatedString) -> Any:
    value = _literal(node.value) if isinstance(node, cst.SimpleString) else node.evaluated_value
    return Opaque("a string that is not evaluated") if value is None else value


def _formatted(ev: Evaluator, node: cst.FormattedString) -> Any:
    parts: list[str] = []
    known = True
    for part in node.parts:
        if isinstance(part, cst.FormattedStringText):
            parts.append(part.value.replace("{{", "{").replace("}}", "}"))
            continue
        assert isinstance(part, cst.FormattedStringExpression)
        value = ev.eval(part.expression)
        if not is_known(value) or any(isinstance(p, cst.FormattedStringExpression) for p in part.format_spec or ()):
            known = False
            continue
        parts.append(_format_part(plain(value), part))
    return "".join(parts) if known else Opaque("an f-string over values known only at run time")


def _format_part(value: Any, part: cst.FormattedStringExpression) -> str:
    if part.conversion == "r":
        value = repr(value)
    spec = "".join(p.value for p in part.format_spec or () if isinstance(p, cst.FormattedStringText))
    if any(int(run) > 1000 for run in _digits(spec)):
        raise limits.LimitReached("a format specification that makes a huge string")
    try:
        return format(value, spec)
    except (ValueError, TypeError):
        raise Refusal("KT205", f"`{spec}` is not a format for this value") from None


def _digits(text: str) -> list[str]:
    return "".join(c if c.isdecimal() else " " for c in text).split()


def _elements(ev: Evaluator, node: cst.Tuple | cst.List | cst.Set) -> list[Any]:
    items: list[Any] = []
    for element in node.elements:
        value = ev.eval(element.value)
        if isinstance(element, cst.StarredElement):
            known = plain(value) if isinstance(value, (range, str)) else value
            items.extend(
                known if isinstance(known, (list, tuple, range, set, dict, str)) else [Opaque("unknown items")]
            )
        else:
            items.append(value)
    return items


def _tuple(ev: Evaluator, node: cst.Tuple) -> Any:
    return tuple(_elements(ev, node))


def _list(ev: Evaluator, node: cst.List) -> Any:
    return _elements(ev, node)


def _set(ev: Evaluator, node: cst.Set) -> Any:
    items = _elements(ev, node)
    return set(plain(items)) if is_known(items) else Opaque("a set of values known only at run time")


def _dict(ev: Evaluator, node: cst.Dict) -> Any:
    result: dict[Any, Any] = {}
    for element in node.elements:
        value = ev.eval(element.value)
        if isinstance(element, cst.StarredDictElement):
            if isinstance(value, dict):
                result.update(value)
            else:
                return Opaque("a dict with entries known only at run time")
            continue
        key = ev.eval(element.key) if isinstance(element, cst.DictElement) else None
        if isinstance(key, (Symbol, Layer)):
            result[key] = value
        elif is_known(key):
            try:
                result[plain(key)] = value
            except TypeError:
                raise Refusal("KT205", "this dict key is not hashable") from None
        else:
            result[id(element)] = value
    return result


def _binary(ev: Evaluator, node: cst.BinaryOperation) -> Any:
    left = ev.eval(node.left)
    right = ev.eval(node.right)
    return apply_binary(ev, _BINARY.get(type(node.operator), ""), left, right, node)


def apply_binary(ev: Evaluator, op: str, left: Any, right: Any, node: cst.CSTNode) -> Any:
    """``left op right`` over values of every kind."""
    if is_failed(left) or is_failed(right):
        raise FailedDependencyError
    if isinstance(left, Tensor) or isinstance(right, Tensor):
        return tensor_binary(ev, op, left, right, node)
    if isinstance(left, Array) or isinstance(right, Array):
        return array_product(left, right) if op == "@" else array_binary(left, right)
    if _numeric(left) and _numeric(right) and op in ("+", "-", "*", "/", "//", "%", "**"):
        if isinstance(left, Opaque) or isinstance(right, Opaque):
            return _opaque_arithmetic(op, left, right)
        if isinstance(left, Expr) or isinstance(right, Expr):
            return _guard(lambda: _bounded(binary(op, left, right)))
    left, right = (plain(left) if not isinstance(left, list) else left), plain(right)
    if isinstance(left, (list, tuple)) or isinstance(right, (list, tuple)) or is_known(left) and is_known(right):
        return _known_binary(op, left, right)
    return Opaque("arithmetic on values known only at run time")


def _numeric(value: Any) -> bool:
    return isinstance(value, (int, float, Expr)) or isinstance(value, Opaque) and value.expr is not None


def _opaque_arithmetic(op: str, left: Any, right: Any) -> Any:
    why = left.why if isinstance(left, Opaque) else right.why
    a: Any = left.expr if isinstance(left, Opaque) else left
    b: Any = right.expr if isinstance(right, Opaque) else right
    result = binary(op, a, b)
    return Opaque(why, result if isinstance(result, Expr) else None)


def _guard(compute: Callable[[], Any]) -> Any:
    try:
        return compute()
    except ZeroDivisionError:
        raise Refusal("KT205", "the program divides by zero here") from None
    except OverflowError:
        raise limits.LimitReached("a number too large") from None


def _bounded(value: Any) -> Any:
    number = value.value if isinstance(value, Expr) else value
    if isinstance(number, int) and not isinstance(number, bool) and abs(number) > limits.MAX_INTEGER:
        raise limits.LimitReached("an integer beyond 64 bits")
    return value


def _known_binary(op: str, left: Any, right: Any) -> Any:
    _check_size(op, left, right)
    if op not in _OPERATORS:
        return Opaque("this operator is not evaluated")
    try:
        return _bounded(_OPERATORS[op](left, right))
    except ZeroDivisionError:
        raise Refusal("KT205", "the program divides by zero here") from None
    except (TypeError, ValueError, OverflowError):
        return Opaque("an operation on values of these kinds is not evaluated")


def _check_size(op: str, left: Any, right: Any) -> None:
    for a, b in ((left, right), (right, left)):
        if op == "*" and isinstance(b, int) and isinstance(a, (list, tuple, str, bytes)):
            bound = limits.MAX_TEXT if isinstance(a, (str, bytes)) else limits.MAX_ITEMS
            if len(a) * b > bound:
                raise limits.LimitReached("a sequence too long")
    if op == "+" and isinstance(left, (list, tuple, str, bytes)) and isinstance(right, type(left)):
        bound = limits.MAX_TEXT if isinstance(left, (str, bytes)) else limits.MAX_ITEMS
        if len(left) + len(right) > bound:
            raise limits.LimitReached("a sequence too long")
    powers = op == "**" and isinstance(left, int) and isinstance(right, int) and right > 0
    if powers and left.bit_length() * right > 4096:
        raise limits.LimitReached("a power too large")
    if op == "<<" and isinstance(right, int) and right > 4096:
        raise limits.LimitReached("a shift too large")
    if op == "%" and isinstance(left, str) and any(int(run) > 1000 for run in _digits(left)):
        raise limits.LimitReached("a format that makes a huge string")


def _unary(ev: Evaluator, node: cst.UnaryOperation) -> Any:
    value = ev.eval(node.expression)
    if is_failed(value):
        raise FailedDependencyError
    if isinstance(value, Tensor):
        return tensor_unary(ev, type(node.operator).__name__, value, node)
    if isinstance(node.operator, cst.Not):
        from transpiler.evaluate.branches import truth

        known = truth(value)
        return Opaque("the negation of an unknown value") if known is None else not known
    if isinstance(value, Array):
        return value
    if isinstance(value, (int, float, Expr)):
        if isinstance(node.operator, cst.Minus):
            return -value
        if isinstance(node.operator, cst.Plus):
            return value
        return ~int(value)
    if isinstance(value, Opaque) and value.expr is not None and isinstance(node.operator, cst.Minus):
        negated = -value.expr
        return Opaque(value.why, negated if isinstance(negated, Expr) else None)
    return Opaque("an operation on a value known only at run time")


def _boolean(ev: Evaluator, node: cst.BooleanOperation) -> Any:
    from transpiler.evaluate.branches import truth

    left = ev.eval(node.left)
    known = truth(left)
    stops_at = isinstance(node.operator, cst.Or)
    if known is None:
        right = truth(perhaps(ev, lambda: ev.eval(node.right)))
        return right if right is stops_at else Opaque("a condition known only at run time")
    return left if known == stops_at else ev.eval(node.right)


def _comparison(ev: Evaluator, node: cst.Comparison) -> Any:
    left = ev.eval(node.left)
    for target in node.comparisons:
        right = ev.eval(target.comparator)
        result = compare(ev, target.operator, left, right, node)
        if result is not True:
            return result
        left = right
    return True


def compare(ev: Evaluator, op: cst.BaseCompOp, left: Any, right: Any, node: cst.CSTNode) -> Any:
    """One comparison over values of every kind."""
    if isinstance(op, (cst.Is, cst.IsNot)):
        same = _identical(left, right)
        return same if same is None or isinstance(op, cst.Is) or isinstance(same, Opaque) else not same
    if isinstance(left, Tensor) or isinstance(right, Tensor):
        return tensor_binary(ev, type(op).__name__, left, right, node)
    if isinstance(op, (cst.In, cst.NotIn)):
        found = _contains(left, right)
        return found if isinstance(found, Opaque) else found is isinstance(op, cst.In)
    if isinstance(left, Array) or isinstance(right, Array):
        return Array(left.shape if isinstance(left, Array) else right.shape, "bool")
    if isinstance(left, Symbol) and isinstance(right, Symbol):
        return (left == right) is isinstance(op, cst.Equal)
    if is_known(left) and is_known(right):
        try:
            return bool(_COMPARE[type(op)](decided(left), decided(right)))
        except (TypeError, KeyError):
            raise Refusal("KT205", "these values cannot be compared") from None
    return Opaque("a comparison with a value known only at run time")


def _identical(left: Any, right: Any) -> Any:
    if isinstance(left, Opaque) or isinstance(right, Opaque):
        return Opaque("an identity test of a value known only at run time")
    if left is None or right is None or isinstance(left, bool) or isinstance(right, bool):
        return left is right
    return left is right or (is_known(left) and is_known(right) and type(left) is type(right) and left == right)


def _contains(item: Any, container: Any) -> Any:
    if isinstance(container, (list, tuple, set, dict, str, range)):
        if is_known(item):
            known = plain(item)
            if isinstance(container, dict):
                return known in container
            if is_known(container if not isinstance(container, set) else list(container)):
                try:
                    return known in container
                except TypeError:
                    return False
        elif isinstance(container, (list, tuple)) and any(item is other for other in container):
            return True
    return Opaque("membership in something known only at run time")


def _conditional(ev: Evaluator, node: cst.IfExp) -> Any:
    from transpiler.evaluate.branches import truth

    known = truth(ev.eval(node.test))
    if known is not None:
        return ev.eval(node.body if known else node.orelse)
    left, right = perhaps(ev, lambda: ev.eval(node.body)), perhaps(ev, lambda: ev.eval(node.orelse))
    if left is right or is_known(left) and is_known(right) and left == right:
        return left
    if is_build(left) or is_build(right):
        raise Refusal("KT203", "what is built here depends on a condition known only at run time")
    return Opaque("it depends on a condition known only at run time")


def _attribute(ev: Evaluator, node: cst.Attribute) -> Any:
    return attribute(ev, ev.eval(node.value), node.attr.value, node)


def _subscript(ev: Evaluator, node: cst.Subscript) -> Any:
    value = ev.eval(node.value)
    if is_failed(value):
        raise FailedDependencyError
    index = tuple(_index(ev, element.slice) for element in node.slice)
    key = index[0] if len(index) == 1 else index
    if isinstance(value, Tensor):
        return tensor_item(ev, value, key, node)
    if isinstance(value, Array):
        return array_item(ev, value, key, node)
    if isinstance(value, Instance) and isinstance(method := value.cls.lookup("__getitem__"), Function):
        return call_function(ev, method, [value, key], {}, node)
    return item(ev, value, key, node)


def item(ev: Evaluator, value: Any, key: Any, node: cst.CSTNode) -> Any:
    """``value[key]`` on Python containers."""
    if isinstance(value, (list, tuple, str, range)) and is_known(key):
        return _python_item(value, plain(key))
    if isinstance(value, HistoryLogs) and isinstance(key, str) and value.action is not None:
        made = Action("keras.History.item", {"key": key}, ev.span(node), ev.scope.qualified_name, node=node)
        made.model, made.compiled = value.action.model, value.action.compiled
        ev.record(made)
    if isinstance(value, dict):
        known = plain(key) if is_known(key) else key
        try:
            if known in value:
                return value[known]
        except TypeError:
            return Opaque(f"`{ev.source(node)[:60]}` is known only when the program runs")
        if isinstance(value, DefaultDict) and is_known(key) and value.factory is not None:
            value[known] = invoke(ev, value.factory, [], {}, cst.Call(cst.Name("factory")))
            return value[known]
        if is_known(key) and any(map(is_build, value.values())):
            raise Refusal("KT205", f"the key {known!r} is not in this dict")
    return _unknown_item(ev, value, key, node)


def _unknown_item(ev: Evaluator, value: Any, key: Any, node: cst.CSTNode) -> Opaque:
    """An item known only at run time; one at a known key has a name: ``sizes[0]`` becomes the parameter ``sizes_0``."""
    text = ev.source(node)
    found = Opaque(f"`{text[:60]}` is known only when the program runs")
    key = plain(key) if is_known(key) else None
    if isinstance(node, cst.Subscript) and isinstance(value, (Opaque, dict, list)) and isinstance(key, (str, int)):
        base = node.value.attr.value if isinstance(node.value, cst.Attribute) else ev.source(node.value)
        name = key if isinstance(key, str) else f"{base}_{'last' if key == -1 else abs(key)}"
        if name.isidentifier() and not keyword.iskeyword(name):
            found.expr = Expr.of_leaf(Leaf(name, "local", text))
    if isinstance(value, Opaque):
        found.foreign = value.foreign
    return found


def _python_item(value: Any, key: Any) -> Any:
    try:
        return value[key]
    except IndexError:
        if isinstance(value, list) and not any(map(is_build, value)):
            return Opaque("an item of a list that grows when the program runs")
        raise Refusal("KT205", f"index {key} is out of range for {len(value)} items") from None
    except (TypeError, ValueError):
        raise Refusal("KT205", "this index does not fit the sequence") from None


def _index(ev: Evaluator, node: cst.BaseSlice) -> Any:
    if isinstance(node, cst.Index):
        return ev.eval(node.value)
    assert isinstance(node, cst.Slice)
    parts = [ev.eval(part) if part is not None else None for part in (node.lower, node.upper, node.step)]
    return slice(*parts)


def _lambda(ev: Evaluator, node: cst.Lambda) -> Any:
    return Function("<lambda>", node, ev.scope.for_closures(), parameter_defaults(ev, node.params))


def _comprehension(ev: Evaluator, node: cst.ListComp | cst.SetComp | cst.GeneratorExp) -> Any:
    items: list[Any] = []
    complete = _generate(ev, node.for_in, lambda: items.append(ev.eval(node.elt)), items)
    if not complete and not items:
        return _one_of_many(ev, node)
    if is_build(items):
        ev.mark_build(node)
    if not complete:
        return Opaque("a comprehension over something known only at run time")
    if isinstance(node, cst.SetComp):
        return set(plain(items)) if is_known(items) else Opaque("a set of values known only at run time")
    return items


def _one_of_many(ev: Evaluator, node: cst.ListComp | cst.SetComp | cst.GeneratorExp) -> Any:
    """A comprehension of unknown length: arrays of one shape stay known as such."""
    from transpiler.evaluate.assign import assign
    from transpiler.evaluate.scope import Scope

    outer, ev.scope = ev.scope, Scope("<comprehension>", ev.scope)
    with ev.uncertain():
        assign(ev, node.for_in.target, Opaque("it changes from turn to turn"), None)
        value = ev.eval(node.elt) if node.for_in.inner_for_in is None else None
    ev.scope = outer
    if is_build(value):
        raise Refusal("KT201", "a comprehension that builds layers must run over something known")
    if isinstance(value, Array) and value.shape is not None:
        return Array((None, *value.shape), value.dtype)
    return Opaque("a comprehension over something known only at run time")


def _dict_comprehension(ev: Evaluator, node: cst.DictComp) -> Any:
    result: dict[Any, Any] = {}

    def add() -> None:
        result[plain(ev.eval(node.key))] = ev.eval(node.value)

    complete = _generate(ev, node.for_in, add, result)
    return result if complete else Opaque("a comprehension over something known only at run time")


def _generate(ev: Evaluator, clause: cst.CompFor, emit: Callable[[], None], sink: Any) -> bool:
    """Run a comprehension's clauses; False where what they loop over is unknown."""
    from transpiler.evaluate.assign import assign
    from transpiler.evaluate.branches import truth
    from transpiler.evaluate.loops import iterate
    from transpiler.evaluate.scope import Scope

    items = iterate(ev, ev.eval(clause.iter))
    if items is None:
        return False
    outer = ev.scope
    ev.scope = Scope("<comprehension>", outer)
    complete = True
    try:
        for value in items:
            ev.tick()
            if len(sink) > limits.MAX_ITEMS:
                raise limits.LimitReached("a comprehension that makes too many items")
            assign(ev, clause.target, value, None)
            tests = [truth(ev.eval(test.test)) for test in clause.ifs]
            if None in tests:
                complete = False
            elif all(tests):
                if clause.inner_for_in is not None:
                    complete = _generate(ev, clause.inner_for_in, emit, sink) and complete
                else:
                    emit()
    except limits.LoopBudgetSpent:
        if is_build(sink):
            raise
        complete = False
        ev.loop_budget = None
    finally:
        ev.scope = outer
    return complete


def _walrus(ev: Evaluator, node: cst.NamedExpr) -> Any:
    from transpiler.evaluate.assign import assign

    value = ev.eval(node.value)
    assign(ev, node.target, value, node.value)
    return value


def _await(ev: Evaluator, node: cst.Await) -> Any:
    ev.eval(node.expression)
    return Opaque("what is awaited is known only when the program runs")


def _ellipsis(ev: Evaluator, node: cst.Ellipsis) -> Any:
    return ...


def unknown_to_program(value: Any) -> Any:
    """``value`` as actions carry it: evaluator-only kinds of unknown become :class:`Unknown` or expressions."""
    if isinstance(value, Opaque):
        if value is FAILED:
            raise FailedDependencyError
        return value.expr if value.expr is not None else Unknown(value.why)
    if isinstance(value, list):
        return [unknown_to_program(v) for v in value]
    if isinstance(value, tuple):
        return tuple(unknown_to_program(v) for v in value)
    if isinstance(value, dict):
        return {k: unknown_to_program(v) for k, v in value.items()}
    return value


EXPRESSIONS: dict[type, Callable[[Evaluator, Any], Any]] = {
    cst.Name: _name, cst.Integer: _integer, cst.Float: _float, cst.Imaginary: _imaginary,
    cst.SimpleString: _string, cst.ConcatenatedString: _string, cst.FormattedString: _formatted,
    cst.Tuple: _tuple, cst.List: _list, cst.Set: _set, cst.Dict: _dict, cst.BinaryOperation: _binary,
    cst.UnaryOperation: _unary, cst.BooleanOperation: _boolean, cst.Comparison: _comparison, cst.IfExp: _conditional,
    cst.Attribute: _attribute, cst.Subscript: _subscript, cst.Call: call, cst.Lambda: _lambda,
    cst.ListComp: _comprehension, cst.SetComp: _comprehension, cst.GeneratorExp: _comprehension,
    cst.DictComp: _dict_comprehension, cst.Yield: yield_value, cst.Await: _await,
    cst.NamedExpr: _walrus, cst.Ellipsis: _ellipsis,
}  # fmt: skip
