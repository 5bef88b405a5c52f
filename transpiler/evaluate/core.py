"""The evaluator's state, and the dispatch over statements and expressions.

A partial evaluator: it interprets the program symbolically. Keras calls build graph nodes, everything else is
computed where it is known and carried as unknown where it is not. No code of the program is executed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import libcst as cst

from transpiler.diagnostics import Diagnostic, Refusal, diagnostic
from transpiler.evaluate import limits
from transpiler.evaluate.modules import Modules
from transpiler.evaluate.scan import Scan
from transpiler.evaluate.scope import Scope
from transpiler.evaluate.values import ClassValue, Function, Instance, Opaque, Symbol
from transpiler.graph.keras import CustomModel, Frame, Layer, Model, Node, Origin, Span, Tensor
from transpiler.graph.program import Action, Array, Callback, Program
from transpiler.graph.symbolic import Expr, UnknownValueError
from transpiler.source.positions import Positions


@dataclass(eq=False)
class Creation:
    """A model and the expression that made it. ``function`` is the builder whose call that was, if it was one."""

    model: Model
    node: cst.CSTNode
    scope: str
    function: Function | None = None
    inside: cst.FunctionDef | None = None  # the function in whose body the expression stands


@dataclass(frozen=True, eq=False)
class Moment:
    """When and where something happened: the statements being interpreted, from the outermost in."""

    stack: tuple[int, ...]
    moment: int


@dataclass(frozen=True, eq=False)
class Freeze(Moment):
    """``layer.trainable = flag``; of a model too where its statement goes with the class around it."""

    layer: Layer | Model
    flag: bool


@dataclass(eq=False)
class Facts:
    """What was seen at each place of the source, by the identity of the CST node."""

    values: dict[int, Any] = field(default_factory=dict)
    creations: dict[int, list[Creation]] = field(default_factory=dict)
    actions: dict[int, list[Action]] = field(default_factory=dict)
    builds: set[int] = field(default_factory=set)  # expressions that only describe models
    failed: dict[int, Diagnostic] = field(default_factory=dict)  # statements that could not be interpreted
    taken: dict[int, set[bool]] = field(default_factory=dict)  # branches of `if` that ran
    visited: set[int] = field(default_factory=set)  # statements that were interpreted
    functions: dict[int, Function] = field(default_factory=dict)  # by FunctionDef
    touched: set[int] = field(default_factory=set)  # statements with an action or a creation of their own
    introspected: dict[int, Any] = field(default_factory=dict)  # reads of layers, models and tensors: their values
    takes_apart: set[int] = field(default_factory=set)  # functions that use parts of a network which they make whole
    custom_classes: set[int] = field(default_factory=set)  # definitions of classes that are Keras layers or models
    refused_classes: set[str] = field(default_factory=set)  # names of such classes of which an object was refused
    customs: dict[int, list[Any]] = field(default_factory=dict)  # by ClassDef: its objects that are layers or models


class FailedDependencyError(Exception):
    """Something needed a value whose own failure has been told already."""


@contextmanager
def checked_arguments(symbol: str) -> Iterator[None]:
    """Within: a rule looks at arguments of the program's; values of a kind that Keras would not take are refused."""
    try:
        yield
    except UnknownValueError as error:
        raise Refusal("KT201", f"an argument of `{symbol}` must be known: {error}") from None
    except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
        raise Refusal("KT103", f"the arguments of `{symbol}` do not fit: {error}") from None


FAILED = Opaque("it could not be translated above")


class Evaluator:
    """Interprets one module; the result is in :attr:`program` and :attr:`facts`."""

    def __init__(self, module: cst.Module, positions: Positions) -> None:
        self.module = module
        self.positions = positions
        self.modules = Modules()
        self.scope = Scope("")
        self.facts = Facts()
        self.scan = Scan()
        self.program = Program()
        self.diagnostics: list[Diagnostic] = []
        self.frames: tuple[Frame, ...] = ()
        self.functions: list[Function] = []
        self.statement: cst.CSTNode | None = None
        self.home_statement: cst.CSTNode | None = None  # the innermost one of the module that is translated
        self.current: cst.CSTNode = module  # the innermost call being worked on, for positions
        self.steps = 0
        self.last_step = limits.MAX_STEPS
        self.unknown_depth = 0
        self.open_steps = 0  # of those, in code that may or may not run
        self.built = 0  # counts everything that builds: quiet loops are told by it
        self.layer_names: dict[str, int] = {}
        self.image_data_format = "channels_last"
        self.compiled: dict[int, Any] = {}
        self.loop_budget: int | None = None
        self.node_order: dict[int, int] = {}  # nodes in the order they were made
        self.array_names: dict[int, str] = {}
        self.input_shapes: dict[int, tuple[Any, ...]] = {}  # by layer: the batch input shape it was given
        self.input_dtypes: dict[int, str] = {}
        self.bindings: dict[tuple[int, str], list[int]] = {}  # by scope and name: the steps at which it was bound
        self.bound_names: dict[int, list[str]] = {}  # by statement: what it assigns, once somebody asked
        self.stack: list[int] = []  # the statements being interpreted, from the outermost in
        self.networks: list[Model] = []  # those of `keras.applications`
        self.freezes: list[Freeze] = []
        self.made_in: dict[int, Moment] = {}  # by model
        self.last_add: dict[int, Moment] = {}  # by Sequential model
        self.trained: set[int] = set()  # layers of models that were trained or evaluated
        self.compiled_at: dict[int, int] = {}  # by model: the step of its last `compile`
        self.toggles = False  # whether a layer's flag changes after it was trained
        self.calls_of: dict[int, list[Node]] = {}  # by layer or model: its calls on symbolic tensors
        self.input_layers: dict[int, Layer] = {}  # by tensor: what Keras lists for an input of a functional model
        self.input_tensors: dict[int, Tensor] = {}  # the other way
        self.input_names: dict[int, str] = {}  # by tensor: the automatic name of an unnamed input
        self.open_parameters: dict[int, str] = {}  # values of parameters that no call gives
        self.parameter_tensors: dict[int, Tensor] = {}  # those that turned out to be tensors
        self.open_inputs: dict[int, Opaque] = {}  # by tensor: the shape it was given, whose rank is not known yet
        self.lambda_functions: dict[int, Any] = {}
        self.pending: dict[int, list[Any]] = {}  # Sequential models without an input yet: layers to be applied
        self.sequential_depth: dict[int, int] = {}
        self.sequential_layers: dict[int, set[int]] = {}
        self.failed_models: set[int] = set()
        self.effects: list[tuple[tuple[int, ...], Any]] = []  # what functions changed, and under which statements
        self.changed: list[Any] = []  # containers, each time one is changed in place
        self.clouded: dict[int, str] = {}  # containers and objects whose contents are unknown, with the reason
        self.yields: list[tuple[list[Any], int]] = []  # of generators: what they yielded, how unknown it was outside
        self.single_calls: dict[str, int] = {}  # how often a call whose result may differ each time gave a parameter
        self.open_exits = 0  # counts `break` and `continue` under conditions known only at run time
        self.open_returns: list[list[Any]] = []  # by function: what it returned under such conditions
        self.classes: list[ClassValue] = []
        self.instances: dict[int, Instance] = {}  # the first object of each class
        self.tracing = 0  # within methods of the program's own layers and models: what they make is part of a model
        self.poisoned = 0  # counts statements that were refused, or that needed what was
        self.keep_alive: list[Any] = []  # objects known by their identity
        self.saved: list[tuple[str, Model]] = []  # the files that models were saved to
        self.checkpoint_paths: dict[int, str] = {}  # by callback: the code that names its file
        self.in_pipeline = False  # within a function that a data set maps
        self.own_callbacks: dict[int, Callback] = {}  # by object of a callback class of the program's

    # -- bookkeeping ------------------------------------------------------------------------------------------------
    def tick(self) -> None:
        """Count one step; raise where the program is too long."""
        self.steps += 1
        self.open_steps += self.unknown_depth > 0
        if self.loop_budget is not None and self.steps > self.loop_budget:
            raise limits.LoopBudgetSpent
        if self.steps > self.last_step:
            raise limits.LimitReached("the program takes too many steps")

    def span(self, node: cst.CSTNode) -> Span:
        """Where ``node`` stands."""
        where, file = self.positions.get(node), ""
        if where is None and (owner := self.modules.owner(node)) is not None:
            where, file = owner.positions.get(node), owner.shown
        if where is None:
            return Span(1, 0, 1, 0)
        return Span(where.start.line, where.start.column, where.end.line, where.end.column, file)

    def origin(self, node: cst.CSTNode) -> Origin:
        """The origin of something built at ``node``."""
        return Origin(self.span(node), self.frames)

    def report(self, error: Refusal, node: cst.CSTNode | None = None) -> Diagnostic:
        """Turn a refusal into a diagnostic at ``node`` (or the call being worked on)."""
        owner = self.modules.owner(node or self.current)
        if owner is not None:
            return self.modules.report(self, error, node or self.current, owner)
        span = self.span(node or self.current)
        found = diagnostic(error.code, error.message, span.line, span.column + 1, hint=error.hint)
        if found not in self.diagnostics:
            self.diagnostics.append(found)
        return found

    def note(self, code: str, message: str, node: cst.CSTNode) -> None:
        """Tell of something that is left out; what another file leaves out is told where that is translated."""
        if self.modules.owner(node) is not None:
            return
        span = self.span(node)
        found = diagnostic(code, message, span.line, span.column + 1)
        if found not in self.diagnostics:
            self.diagnostics.append(found)

    @contextmanager
    def frame(self, frame: Frame) -> Iterator[None]:
        """Within: everything built carries ``frame`` in its origin."""
        outer = self.frames
        self.frames = (*outer, frame)
        try:
            yield
        finally:
            self.frames = outer

    @contextmanager
    def working_on(self, node: cst.CSTNode) -> Iterator[None]:
        """Within: refusals are told at ``node``."""
        outer = self.current
        self.current = node
        yield
        self.current = outer

    @contextmanager
    def in_layer(self) -> Iterator[None]:
        """Within: methods of a layer or model of the program's own."""
        self.tracing += 1
        try:
            yield
        finally:
            self.tracing -= 1

    @contextmanager
    def uncertain(self) -> Iterator[None]:
        """Within: code that may or may not run."""
        self.unknown_depth += 1
        try:
            yield
        finally:
            self.unknown_depth -= 1

    def lost_lines(self) -> list[int]:
        """Where top-level statements start that went because they needed something that was refused."""
        return [self.span(line.body[0]).line for line in self.module.body
                if isinstance(line, cst.SimpleStatementLine) and id(line) in self.facts.builds]  # fmt: skip

    # -- evaluation -------------------------------------------------------------------------------------------------
    def eval(self, node: cst.BaseExpression) -> Any:
        """The value of an expression."""
        from transpiler.evaluate.expressions import EXPRESSIONS

        self.tick()
        handler = EXPRESSIONS.get(type(node))
        value = handler(self, node) if handler else Opaque("this kind of expression is not evaluated")
        if self.clouded and id(value) in self.clouded and not isinstance(value, Instance):
            value = self._clouded(node, value)
        expr = value.expr if isinstance(value, Opaque) else value
        if isinstance(expr, Expr):
            self.place(expr)
        self.facts.values[id(node)] = value
        if value is FAILED:
            self.modules.suffered = True
        elif isinstance(value, (Opaque, Expr)):
            self.modules.note_leaf(value, self.scope)
        return value

    def place(self, expr: Expr) -> None:
        """Note when and where the names of an expression were read, if that is not known yet."""
        for leaf in expr.leaves():
            if leaf.step < 0:
                leaf.step, leaf.home = self.steps, self.scope

    def _clouded(self, node: cst.BaseExpression, value: Any) -> Opaque:
        text = self.source(node)
        name = node.value if isinstance(node, cst.Name) else text
        return Opaque.named(name, text, f"`{text[:60]}` is not known: {self.clouded[id(value)]}")

    def run(self, body: Any) -> None:
        """Interpret a sequence of statements."""
        from transpiler.evaluate.statements import execute

        for statement in body:
            execute(self, statement)

    def mark_build(self, node: cst.CSTNode) -> None:
        """Note that ``node`` only describes a model."""
        self.facts.builds.add(id(node))

    def creations_of(self, model: Model) -> list[Creation]:
        """The expressions that made ``model``: its own, and the calls of builders that returned it."""
        return [c for found in self.facts.creations.values() for c in found if c.model is model]

    @property
    def inside(self) -> cst.FunctionDef | None:
        """The function whose body is being interpreted."""
        for function in reversed(self.functions):
            if isinstance(function.node, cst.FunctionDef):
                return function.node
        return None

    def touch(self) -> None:
        """Note that the statement being interpreted has an action or a creation in it."""
        self.facts.touched.add(id(self.statement))

    def count_node(self, made: Node) -> None:
        """Note a new node of a graph."""
        self.built += 1
        self.node_order[id(made)] = len(self.node_order)
        if not isinstance(made.target, str):
            self.calls_of.setdefault(id(made.target), []).append(made)
        self.keep_alive.append(made)
        if len(self.node_order) > limits.MAX_NODES:
            raise limits.LimitReached("the models have too many layers")

    def record(self, action: Action) -> None:
        """Note something that the program does at run time."""
        self.program.actions.append(action)
        self.facts.actions.setdefault(id(action.node), []).append(action)
        self.touch()

    def set_trainable(self, target: Layer | Model, value: Any) -> None:
        """``target.trainable = value``, for a model with all that is in it."""
        flag = bool(require_known(value, "`trainable`"))
        if self.unknown_depth:
            raise Refusal("KT203", "whether this is trainable depends on a condition known only at run time")
        if isinstance(target, Layer) and id(target) in self.trained and target.trainable != flag:
            self.toggles = True
        target.trainable = flag
        if isinstance(target, CustomModel):
            from transpiler.evaluate.subclasses import parts

            for part in parts(target):
                self.set_trainable(part, flag)
        elif isinstance(target, Model):
            for layer in target.layers:
                self.set_trainable(layer, flag)
        self.built += 1

    def freeze(self, layer: Layer | Model, flag: bool) -> None:
        """Note that the program sets the flag of a layer, or of a model in a class of its own, here."""
        self.freezes.append(Freeze(tuple(self.stack), self.steps, layer, flag))

    def made(self, model: Model) -> None:
        """Note a new model."""
        self.built += 1
        self.program.models.append(model)
        self.made_in[id(model)] = Moment(tuple(self.stack), self.steps)
        self.keep_alive.append(model)
        self.touch()

    def settle(self, model: Model) -> None:
        """Build a Sequential model whose input shape was never given, with unknown sizes."""
        from transpiler.evaluate.models import build_sequential, guess_input

        if model.inputs is None and model.layers:
            spec = guess_input(model)
            if spec is None:
                raise Refusal("KT201", f"the input shape of `{model.hint or model.name}` is never given",
                              "add an Input layer or input_shape= to the first layer")  # fmt: skip
            build_sequential(self, model, spec)

    def change(self, container: Any) -> None:
        """Note that a container was changed in place; in code that may or may not run, it is unknown from then on."""
        self.changed.append(container)
        self.affect(container)
        if self.unknown_depth:
            self.cloud(container, "it is changed by code that may or may not run")

    def affect(self, target: Any) -> None:
        """Note that a function of the program's changes something that may outlive its call."""
        if self.functions:
            self.effects.append((tuple(self.stack), target))

    def cloud(self, value: Any, why: str) -> None:
        """Forget what a container or an object holds, and what these hold in turn: anything may have changed it."""
        stack = [value]
        while stack:
            current = stack.pop()
            if isinstance(current, Array):
                current.items = None
            if id(current) in self.clouded or not _is_mutable(current):
                stack.extend(current if isinstance(current, tuple) else ())
                continue
            if _describes_models(current):
                continue
            self.clouded[id(current)] = why
            self.keep_alive.append(current)
            if isinstance(current, Instance):
                stack.extend(current.attributes.values())
            else:
                stack.extend(current.values() if isinstance(current, dict) else current)

    def source(self, node: cst.CSTNode) -> str:
        """The text of ``node``."""
        text = self.positions.text(node)
        if text is None and (owner := self.modules.owner(node)) is not None:
            text = owner.positions.text(node)
        if text is None or "\n" in text:  # the lines of an indented block have its indentation in the module's text
            text = self.module.code_for_node(node)
        return text.strip()


def _is_mutable(value: Any) -> bool:
    return isinstance(value, (list, dict, set, Instance))


def _describes_models(container: Any) -> bool:
    """Whether a container holds parts of models: what such a one holds is never left to unknown code."""
    if isinstance(container, Instance):
        return isinstance(container, CustomModel)
    items = container.values() if isinstance(container, dict) else container
    return is_build(container) or any(isinstance(item, Model) for item in items)


def is_failed(value: Any) -> bool:
    """Whether ``value`` comes from something that was refused."""
    return value is FAILED


def has_failed(value: Any, depth: int = 0) -> bool:
    """Whether something that was refused is in ``value``, lists, tuples and dicts looked through."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)) and depth < 4:
        return any(has_failed(item, depth + 1) for item in value)
    return is_failed(value)


def is_build(value: Any, depth: int = 0) -> bool:
    """Whether ``value`` exists only to describe a model: it has no twin in the running output."""
    if isinstance(value, (Tensor, Layer, Node)) or is_failed(value):
        return True
    if depth < 4 and isinstance(value, (list, tuple, set)):
        return any(is_build(item, depth + 1) for item in value)
    if depth < 4 and isinstance(value, dict):
        return any(is_build(item, depth + 1) for item in value.values())
    return False


def plain(value: Any, depth: int = 0) -> Any:
    """``value`` with known expressions replaced by their numbers (deep in lists, tuples and dicts)."""
    if isinstance(value, Expr):
        return value.value if value.known else value
    if depth > 40:
        raise limits.LimitReached("a container nested too deeply")
    if isinstance(value, list):
        return [plain(item, depth + 1) for item in value]
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        return tuple(plain(item, depth + 1) for item in value)
    if isinstance(value, dict):
        return {plain(key, depth + 1): plain(item, depth + 1) for key, item in value.items()}
    return value


def decided(value: Any) -> Any:
    """``plain(value)`` where the structure of what is built follows from it: its leaves become structural."""
    result = plain(value)  # first, for it bounds the depth
    _mark_structural(value)
    return result


def _mark_structural(value: Any) -> None:
    if isinstance(value, Expr):
        for leaf in value.leaves():
            leaf.structural = True
    elif isinstance(value, (list, tuple)):
        for item in value:
            _mark_structural(item)
    elif isinstance(value, dict):
        for item in value.values():
            _mark_structural(item)


def is_known(value: Any, depth: int = 0) -> bool:
    """Whether ``value`` is an ordinary Python value through and through."""
    if isinstance(value, Expr):
        return value.known
    if isinstance(value, (list, tuple, set, frozenset)):
        return depth < 20 and all(is_known(item, depth + 1) for item in value)
    if isinstance(value, dict):
        return depth < 20 and all(is_known(k, depth + 1) and is_known(v, depth + 1) for k, v in value.items())
    return value is None or isinstance(value, (bool, int, float, complex, str, bytes, range, slice, type(Ellipsis)))


def require_known(value: Any, why: str) -> Any:
    """The plain value, or a refusal that says what it was needed for and where the unknown came from.

    The only place that demands a known value.
    """
    if is_failed(value):
        raise FailedDependencyError
    if isinstance(value, Symbol) or not is_known(value):
        reason = f": {value.why}" if isinstance(value, Opaque) and value.why else ""
        raise Refusal("KT201", f"{why} must be known when the model is translated{reason}")
    return decided(value)
