"""Rewriting the program: statements that only described models go, classes come in, the rest is kept.

The classes of the models stand where the source built them: in place of a builder function, or before the top-level
statement that made the model.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

import libcst as cst

from transpiler.diagnostics import Refusal
from transpiler.evaluate.core import Creation, Evaluator, is_build
from transpiler.evaluate.functions import is_transparent
from transpiler.evaluate.values import Function, Symbol
from transpiler.graph.keras import CustomModel, Model
from transpiler.graph.program import Action
from transpiler.graph.symbolic import Leaf
from transpiler.rewrite.comments import Comments
from transpiler.rewrite.disposition import DROP, KEEP, Dispositions, keras_import
from transpiler.rewrite.expressions import ExpressionRewriter, LocatedRefusal
from transpiler.rewrite.freezing import Freezing
from transpiler.rewrite.functions import TensorFunctions
from transpiler.rewrite.import_order import is_plain_import
from transpiler.rewrite.leaves import check_leaves, known_later
from transpiler.rewrite.neighbours import Neighbours
from transpiler.rewrite.project_imports import Kept, ProjectImports
from transpiler.rewrite.public import with_public_names
from transpiler.rewrite.residue import Locate, names_of
from transpiler.rules.names import is_keras
from transpiler.source.tree import walk

Statement = Any  # a CST statement


@dataclass(eq=False)
class Verbatim:
    """A top-level statement of the output that nobody needs to take apart: its text."""

    code: str


@dataclass(eq=False)
class ModelCode:
    """What the rewriter needs of a rendered model: its class and how to construct it."""

    class_name: str
    code: str
    leaves: list[Leaf]  # the numbers behind its parameters
    construct: Callable[[bool], str]  # True: where the source called the builder; False: inside it
    provided: bool = False  # another translated file has the class
    loose: tuple[str, ...] = ()  # values of its parameters that only the file which builds it knows
    foreign: bool = False  # it is in the place of a class of another file
    parts: tuple[int, ...] = ()  # the objects of the program's own classes in it, by identity
    nested: tuple[int, ...] = ()  # the networks that it holds, by identity


@dataclass(eq=False)
class Rewriter:
    """Rewrites one module. ``models`` has the rendered models by identity; ``render`` renders actions."""

    ev: Evaluator
    models: dict[int, ModelCode]
    render: Callable[[Action, Any, str], Any]
    needs_device: Callable[[], bool]
    helper_names: Callable[[], set[str]]
    freezing: Freezing
    notes: Comments
    dispositions: Dispositions = field(init=False)
    written: set[str] = field(default_factory=set)  # classes that are in the output already
    import_at: int | None = None  # where the first Keras import stood
    dropped_names: dict[str, str] = field(default_factory=dict)
    failed_names: set[str] = field(default_factory=set)  # of statements that were refused: told once
    late: set[int] = field(default_factory=set)  # models that are made later than the source makes them
    waiting: dict[int, list[cst.Assign]] = field(default_factory=dict)  # their statements, by the one they follow
    functions: TensorFunctions | None = None
    function: cst.FunctionDef | None = None
    classes: list[str] = field(default_factory=list)  # to be put before the current top-level statement
    comments: list[cst.EmptyLine] = field(default_factory=list)  # of dropped statements, waiting for a place
    neighbours: Neighbours = field(default_factory=Neighbours)
    project: ProjectImports = field(init=False)
    imported: list[Statement] = field(default_factory=list)  # what other modules had and this one must have now
    replaced: dict[str, list[str]] = field(default_factory=dict)  # the classes in the place of functions
    placed: bool = False  # whether a model was put on the device

    def __post_init__(self) -> None:
        self.dispositions = Dispositions(self.ev.facts)
        texts = self.functions.texts if self.functions is not None else {}
        self.project = ProjectImports(self.ev, self.neighbours, texts)

    # -- the module -------------------------------------------------------------------------------------------------
    def module(self) -> tuple[list[Statement], int]:
        """The statements of the output, and where imports and helpers of ours belong among them."""
        result: list[Statement] = []
        for statement in self.ev.module.body:
            kept = self._statement(statement, top=True)
            if self.classes:
                result.extend(self._take_classes())
            result.extend(kept)
            if self.import_at is None and self._is_keras_import(statement):
                self.import_at = len(result) - len(kept)
        if self.comments:
            result.append(Verbatim(_code(self._take_comments())))
        result = [with_public_names(statement, self.dropped_names, self.replaced) for statement in result]
        place = self._import_place(result)
        return [*result[:place], *self.imported, *result[place:]], place

    def _take_classes(self) -> list[Statement]:
        statements: list[Statement] = []
        for text in self.classes:
            statements.append(Verbatim(f"{_code(self._take_comments())}{text.strip()}\n"))
        self.classes = []
        return statements

    def _take_comments(self) -> list[cst.EmptyLine]:
        comments, self.comments = self.comments, []
        return comments

    @staticmethod
    def _is_keras_import(statement: Statement) -> bool:
        return isinstance(statement, cst.SimpleStatementLine) and any(
            isinstance(small, (cst.Import, cst.ImportFrom)) and keras_import(small) for small in statement.body
        )

    def _import_place(self, result: list[Statement]) -> int:
        """After the last import of the leading block, or of those that stand where Keras was imported."""
        last = 0
        for at, statement in enumerate(result):
            if isinstance(statement, cst.SimpleStatementLine) and isinstance(
                statement.body[0], (cst.Import, cst.ImportFrom)
            ):
                last = at + 1
            elif not (at == 0 and _is_docstring(statement)):
                break
            else:
                last = at + 1
        place = max(last, self.import_at or 0)
        return place + sum(1 for _ in takewhile(is_plain_import, result[place:]))

    # -- statements -------------------------------------------------------------------------------------------------
    def body(self, statements: Sequence[Statement]) -> list[Statement]:
        """Rewrite a block."""
        result: list[Statement] = []
        for statement in statements:
            result.extend(self._statement(statement))
        return result

    def _statement(self, node: Statement, top: bool = False) -> list[Statement]:
        waiting = self._take_comments()  # they stand above whatever comes, not inside
        result = self._rewritten(node)
        lost = self.notes.left(node, result)
        if not result or top and self.classes:
            self.comments = [*waiting, *self.comments]
            waiting = []
        if not result:
            self.comments += lost
        elif waiting or lost:
            result[0] = result[0].with_changes(leading_lines=[*waiting, *result[0].leading_lines, *lost])
        return result

    def _rewritten(self, node: Statement) -> list[Statement]:
        failed = self.ev.facts.failed.get(id(node))
        if failed is not None and not isinstance(node, cst.FunctionDef):
            return [self._raise(node, failed.code, failed.message)]
        try:
            result = self._dispatch(node)
            result += [self._made_late(waited) for waited in self.waiting.pop(id(node), [])]
            return self._with_freezing(node, result)
        except Refusal as error:
            found = self.ev.report(error, getattr(error, "node", None) or _position_of(node))
            return [self._raise(node, found.code, found.message)]

    def _with_freezing(self, node: Statement, result: list[Statement]) -> list[Statement]:
        """What sets flags of single layers follows the statement that did it."""
        lines = self.freezing.lines_after(node, self._can_name)
        if lines and isinstance(node, cst.SimpleStatementLine) and isinstance(node.body[-1], cst.Return):
            raise Refusal("KT105", "layers of the model that is returned here are frozen: give it a name first")
        return [*result, *(cst.parse_module("\n".join(lines) + "\n").body if lines else ())]

    def _can_name(self, name: str) -> bool:
        """Whether a name is bound where the statement being rewritten stands."""
        local = names_of(self.function).bound if self.function is not None else set()
        return name in local or name in self.ev.scope.names or name == "self" and self.function is not None

    def _dispatch(self, node: Statement) -> list[Statement]:
        if isinstance(node, cst.SimpleStatementLine):
            return self._line(node)
        if isinstance(node, cst.FunctionDef):
            return self._function(node)
        if isinstance(node, cst.ClassDef) and id(node) in self.ev.facts.custom_classes:
            return self._custom_class(node)
        if isinstance(node, cst.ClassDef):
            return [self._class(node)]
        if isinstance(node, cst.If):
            return self._if(node)
        if isinstance(node, (cst.For, cst.While, cst.With)):
            return self._compound(node)
        if isinstance(node, (cst.Try, cst.TryStar)):
            return self._try(node)
        if isinstance(node, cst.Match):
            return self._match(node)
        return [self._checked(node, node)]

    def _raise(self, node: Statement, code: str, message: str) -> Statement:
        place = self.ev.positions.place(self.ev.span(_position_of(node)).line)
        text = f"raise NotImplementedError({f'{code} ({place}): {message}'!r})"
        statement = cst.parse_statement(text)
        for name in names_of(node).bound:
            self.failed_names.add(name)
        return statement.with_changes(leading_lines=getattr(node, "leading_lines", ()))

    def _line(self, node: cst.SimpleStatementLine) -> list[Statement]:
        result: list[Any] = []
        kept: list[Any] = []
        for small in node.body:
            if isinstance(small, (cst.Import, cst.ImportFrom)):
                kept.extend(self._import(small))
                continue
            done = self._small(small, node)
            if isinstance(done, list):  # a replacement by whole statements
                result += [*self._line_of(node, kept), *cst.parse_module("\n".join(done) + "\n").body]
                kept = []
            elif done is not None:
                kept.append(done)
        result += self._line_of(node, kept)
        if not result:
            return []
        result[0] = result[0].with_changes(leading_lines=[*node.leading_lines, *result[0].leading_lines])
        return [self._checked(node, statement) for statement in result]

    @staticmethod
    def _line_of(node: cst.SimpleStatementLine, kept: list[Any]) -> list[Statement]:
        """The line with the small statements that are kept of it."""
        if not kept:
            return []
        return [node.with_changes(body=[*kept[:-1], _unterminated(kept[-1])], leading_lines=())]

    def _small(self, node: Any, line: Any) -> Any:
        """One small statement: rewritten, None where it goes, or a list of source lines instead of the line."""
        answer = self.dispositions.small(node, line)
        if isinstance(node, cst.Del) and names_of(node.target).read <= set(self.dropped_names):
            return None
        if answer == DROP:
            created = self._creations(node)
            if created is None:
                self._note_dropped(line, "it was part of the description of a model")
                return None
            return created
        if self.dispositions.sets_trainable(node) and (inner := self._inner_model(node)) is not None:
            return self._trainable(node, inner)
        if id(line) not in self.ev.facts.touched and not isinstance(line, cst.SimpleStatementSuite):
            return self._trainable(node) if self.dispositions.sets_trainable(node) else node
        rewriter = ExpressionRewriter(self.ev.facts, self._render, self._construct)
        new = rewriter.rewrite(node)
        return rewriter.statements if rewriter.statements is not None else new

    def _inner_model(self, node: cst.Assign) -> cst.BaseExpression | None:
        """A nested model without a name in ``model.layers[0].trainable = flag``, as the output names it."""
        target = cst.ensure_type(node.targets[0].target, cst.Attribute)
        if isinstance(target.value, (cst.Name, cst.Attribute)):
            return None
        path = self.freezing.path_of(self.ev.facts.values.get(id(target.value)))
        return cst.parse_expression(path) if path is not None and self._can_name(path.partition(".")[0]) else None

    def _trainable(self, node: cst.Assign, named: cst.BaseExpression | None = None) -> cst.Expr:
        """``model.trainable = flag`` → ``model.requires_grad_(flag)``."""
        target = cst.ensure_type(node.targets[0].target, cst.Attribute)
        setter = self.freezing.check_model(self.ev.facts.values.get(id(target.value)), node.value)
        model = target.value if named is None else named
        if setter is not None:
            return cst.Expr(cst.Call(cst.Name(setter), [cst.Arg(model), cst.Arg(node.value)]))
        method = cst.Attribute(model, cst.Name("requires_grad_"))
        return cst.Expr(cst.Call(method, [cst.Arg(node.value)]))

    def _render(self, action: Action, texts: Any, receiver: str) -> Any:
        return self.render(action, texts, receiver)

    def _creations(self, node: Any) -> Any:
        """A statement that makes a model keeps its target: ``model = CNN()``."""
        value = getattr(node, "value", None)
        if value is None or id(value) not in self.ev.facts.creations:
            if isinstance(node, (cst.Assign, cst.Return)) and isinstance(self.ev.facts.values.get(id(value)), Model):
                return node
            return None
        if isinstance(node, cst.Assign) and self._waits(node, self.ev.facts.creations[id(value)]):
            return None
        if all(self._is_part(creation.model) for creation in self.ev.facts.creations[id(value)]):
            return None
        text = self._construct(value, self.ev.facts.creations[id(value)])
        if text is None:
            return node if isinstance(node, (cst.Assign, cst.Return)) else None
        return node.with_changes(value=cst.parse_expression(text))

    def _is_part(self, model: Model) -> bool:
        """Whether a layer of the program's own is only part of models: then these make it."""
        used = any(action.model is model for action in self.ev.program.actions)
        return isinstance(model, CustomModel) and model.is_layer and not used

    def _construct(self, node: cst.CSTNode, creations: list[Creation]) -> str | None:
        """The constructor call for a creation; None where the builder that is called here stays a function."""
        texts: set[str] = set()
        for creation in creations:
            function = creation.function
            outside = function is not None
            model = self.models.get(id(creation.model))
            if function is not None and (model is None or not model.provided) and self._stays(function):
                return None
            if model is None:
                raise Refusal("KT105", "this model could not be translated")
            if function is not None and not self.ev.modules.is_home(function.closure):
                self._known_here(model)
            self._write_class(model)
            check_leaves(self.ev, model.leaves, outside, self._moment(creation.model), self.function)
            texts.add(model.construct(outside))
        if len(texts) > 1:
            raise Refusal(
                "KT303", "this call builds different models from turn to turn", "build each in a statement of its own"
            )
        text = texts.pop()
        self._reachable(text)
        return self._on_device(text)

    @staticmethod
    def _known_here(model: ModelCode) -> None:
        """What a model of another file is built with must not be that file's own secret."""
        if model.loose:
            what = f"`{model.loose[0]}`, which a size of this model depends on, is known only in another file"
            raise Refusal("KT201", what, "give it to the builder as an argument")

    def _stays(self, function: Function) -> bool:
        """Whether the output has the function that was called, here or in its own module."""
        assert isinstance(function.node, cst.FunctionDef)
        module = function.closure.module.info
        if module is not None and module.source is not self.ev.modules.home:
            twin = self.neighbours.twins.get(module.path)
            if twin is not None and function.name in twin.exports:
                return True
        return self.dispositions.function(function.node) != "builder"

    def _moment(self, model: Model) -> int:
        """The step at which the constructor call of a model stands."""
        last = self.ev.last_add.get(id(model)) if id(model) in self.late else None
        made = last or self.ev.made_in.get(id(model))
        return self.ev.steps if made is None else made.moment

    def _waits(self, node: Any, creations: list[Creation]) -> bool:
        """Whether a Sequential model is made with its last layer, as a size of it is not known before that."""
        made, model = self.ev.made_in.get(id(creations[0].model)), self.models.get(id(creations[0].model))
        last = self.ev.last_add.get(id(creations[0].model))
        if made is None or last is None or model is None or creations[0].function is not None:
            return False
        if id(creations[0].model) in self.late or not known_later(self.ev, model.leaves, False, made.moment):
            return False
        depth = len(made.stack) - 1
        if len(last.stack) <= depth or last.stack[:depth] != made.stack[:depth]:
            return False
        self.late.add(id(creations[0].model))
        self.waiting.setdefault(last.stack[depth], []).append(node)
        return True

    def _made_late(self, node: cst.Assign) -> Statement:
        """The statement that makes a model which had to wait."""
        for name in names_of(node).bound:
            self.dropped_names.pop(name, None)
        return cst.SimpleStatementLine([self._creations(node)])

    def _reachable(self, text: str) -> None:
        """What a constructor call names must be there where it is written."""
        local = names_of(self.function).bound if self.function is not None else set()
        for name in names_of(cst.parse_expression(text)).read - local - self.classes_known() - self.helper_names():
            if name not in self.ev.scope.names and not hasattr(builtins, name):
                raise Refusal("KT201", f"`{name}`, which a size of this model depends on, is not known here")

    def classes_known(self) -> set[str]:
        """The names of the classes that the output has."""
        return {model.class_name for model in self.models.values()}

    def _write_class(self, model: ModelCode) -> None:
        if model.class_name in self.written or model.provided:
            return
        self.written.add(model.class_name)
        for part in model.parts:  # those of this file stand where it has them
            if part in self.models and self.models[part].foreign:
                self._write_class(self.models[part])
        for network in (self.models[key] for key in model.nested if key in self.models):
            self._write_class(network)
        if model.foreign:
            self.dropped_names.pop(model.class_name, None)
        self.classes.append(model.code)

    def _class(self, node: cst.ClassDef) -> cst.ClassDef:
        rewriter = ExpressionRewriter(self.ev.facts, self._render, self._construct)
        bases = [rewriter.rewrite(base) for base in node.bases]
        return node.with_changes(bases=bases, decorators=self._decorators(node), body=self._block(node.body))

    # -- compound statements ----------------------------------------------------------------------------------------
    def _function(self, node: cst.FunctionDef) -> list[Statement]:
        if self.functions is not None and id(node) in self.functions.refusals:
            raise self.functions.refusals[id(node)]
        if self.functions is not None and id(node) in self.functions.texts:
            translated = cst.parse_statement(self.functions.texts[id(node)])
            return [translated.with_changes(leading_lines=node.leading_lines)]
        kind = self.dispositions.function(node)
        if kind == KEEP and not self._concerns_keras(node):
            return [node]
        if kind == KEEP:
            outer, self.function = self.function, node
            result = self._head_of_function(node).with_changes(body=self._block(node.body))
            self.function = outer
            return [result]
        self._note_dropped(node, "it only built parts of a model")
        self._builder_classes(node)
        return []

    def _head_of_function(self, node: cst.FunctionDef) -> cst.FunctionDef:
        """A kept function without what its head says in terms of Keras: decorators without effect, annotations."""
        kept = self._decorators(node)
        defaults = [part.default for part in walk(node.params) if isinstance(part, cst.Param)]
        for default in defaults:
            for name in sorted(names_of(default).read) if default is not None else ():
                self._check_name(name, node)
        head = node.with_changes(decorators=kept)
        if not any(self._is_keras_name(n) for n in names_of(node.params).read | names_of_annotation(node.returns)):
            return head
        returns = None if names_of_annotation(node.returns) & self._keras_names() else node.returns
        return head.with_changes(params=node.params.visit(_Annotations(self._keras_names())), returns=returns)

    def _decorators(self, node: cst.FunctionDef | cst.ClassDef) -> list[cst.Decorator]:
        """The decorators that stay: all but those of Keras' without effect; others of its are refused."""
        kept = [each for each in node.decorators if not is_transparent(self.ev, each)]
        for each in kept:
            for name in sorted(names_of(each).read):
                self._check_name(name, node)
        return kept

    def _keras_names(self) -> set[str]:
        return {name for name in self.ev.scope.names if self._is_keras_name(name)}

    def _custom_class(self, node: cst.ClassDef) -> list[Statement]:
        """The classes that come in the place of a layer's or model's: one for each structure that its objects have."""
        objects = self.ev.facts.customs.get(id(node), [])
        codes = [self.models[id(made)] for made in objects if id(made) in self.models]
        if not codes and not self._has_heirs(node):
            self._check_told(node, objects)
            found = self.ev.facts.failed.get(id(node))
            return [] if found is None else [self._raise(node, found.code, found.message)]
        self.failed_names.add(node.name.value)
        methods = {id(function) for function in _functions(node)}
        for model in self.ev.program.models:  # models that its methods make come first
            inside = any(id(creation.inside) in methods for creation in self.ev.creations_of(model))
            if inside and id(model) in self.models and not isinstance(model, CustomModel):
                self._write_class(self.models[id(model)])
        for code in codes:
            self._write_class(code)
        return []

    def _has_heirs(self, node: cst.ClassDef) -> bool:
        """Whether other classes of the program's stand below this one."""
        return any(cls.node is not node and node in [above.node for above in cls.mro()] for cls in self.ev.classes)

    def _check_told(self, node: cst.ClassDef, objects: list[Any]) -> None:
        """A class that leaves nothing in the output must have been told of."""
        self.failed_names.add(node.name.value)
        inner = {method for cls in self.ev.classes if cls.keras for method in map(id, _functions(cls.node))}
        if any(made.failed or id(made) in self.ev.failed_models or made.home in inner for made in objects):
            return
        name = node.name.value
        if objects:
            hint = "call `build(input_shape)` of the model, or make it in this file and call it on data of known shape"
            raise Refusal("KT201", f"the input shape of `{name}` is never given", hint)
        if name not in self.ev.facts.refused_classes:
            raise Refusal("KT201", f"`{name}` is never used here, so the sizes of its weights are not known",
                          "use it in a model in this file")  # fmt: skip

    def _concerns_keras(self, node: cst.FunctionDef) -> bool:
        """Whether anything in a function could have to be rewritten."""
        return self._suspicious(node) or _contains(node, self.ev.facts.touched)

    def _builder_classes(self, node: cst.FunctionDef) -> None:
        """The classes that come in place of a builder function."""
        for model in self.ev.program.models:
            code = self.models.get(id(model))
            if code is not None and self._made_by(model, node):
                self._write_class(code)
                self.replaced.setdefault(node.name.value, []).append(code.class_name)

    def _made_by(self, model: Model, node: cst.FunctionDef) -> bool:
        return any(creation.inside is node for creation in self.ev.creations_of(model))

    def _block(self, body: cst.BaseSuite) -> cst.BaseSuite:
        if isinstance(body, cst.SimpleStatementSuite):
            kept = [done for small in body.body if (done := self._small(small, body)) is not None]
            if not any(isinstance(item, list) for item in kept):
                return body.with_changes(body=kept or [cst.Pass()])
            lines: list[Statement] = []
            for item in kept:
                whole = isinstance(item, list)
                lines += cst.parse_module("\n".join(item) + "\n").body if whole else [_alone(item)]
            return cst.IndentedBlock(lines)
        statements = self.body(body.body)
        return body.with_changes(body=statements or [cst.SimpleStatementLine([cst.Pass()])])

    def _if(self, node: cst.If) -> list[Statement]:
        taken = self.ev.facts.taken.get(id(node))
        if self.dispositions.statement(node) == DROP and not self._creates(node):
            self._note_dropped(node, "it was part of the description of a model")
            return []
        if taken is not None and len(taken) == 1 and self._speaks_of_keras(node):
            return self._fold(node, True in taken)
        test = ExpressionRewriter(self.ev.facts, self._render, self._construct).rewrite(node.test)
        new = node.with_changes(test=test, body=self._block(node.body))
        if node.orelse is not None:
            new = new.with_changes(orelse=self._else(node.orelse))
        return [self._checked_test(node, new)]

    def _else(self, node: cst.If | cst.Else) -> Any:
        if isinstance(node, cst.If):
            done = self._if(node)
            return (
                done[0]
                if len(done) == 1 and isinstance(done[0], cst.If)
                else cst.Else(cst.IndentedBlock(done or [_PASS]))
            )
        return node.with_changes(body=self._block(node.body))

    def _fold(self, node: cst.If, taken: bool) -> list[Statement]:
        """A condition on Keras itself is decided now: only the branch that runs is kept."""
        if taken:
            return self.body(node.body.body)
        if isinstance(node.orelse, cst.If):
            return self._if(node.orelse)
        return self.body(node.orelse.body.body) if node.orelse is not None else []

    def _speaks_of_keras(self, node: cst.If) -> bool:
        read = names_of(node.test).read
        taken = self.ev.facts.taken.get(id(node), set())
        if True not in taken:
            read |= names_of(node.body).read
        if False not in taken and node.orelse is not None:
            read |= names_of(node.orelse).read
        return any(self._is_keras_name(name) for name in read)

    def _is_keras_name(self, name: str) -> bool:
        value = self.ev.scope.names.get(name)
        return isinstance(value, Symbol) and is_keras(value.name) or name in self.dropped_names

    def _creates(self, node: Statement) -> bool:
        return _contains(node, self.ev.facts.creations)

    def _compound(self, node: Any) -> list[Statement]:
        if self.dispositions.statement(node) == DROP and not self._creates(node):
            self._note_dropped(node, "it was part of the description of a model")
            return []
        if isinstance(node, cst.With) and self._unwrapped(node):
            return self.body(node.body.body)
        new = node.with_changes(body=self._block(node.body), **self._head(node))
        if getattr(node, "orelse", None) is not None:
            new = new.with_changes(orelse=node.orelse.with_changes(body=self._block(node.orelse.body)))
        return [self._checked_head(node, new)]

    def _match(self, node: cst.Match) -> list[Statement]:
        if self.dispositions.statement(node) == DROP and not self._creates(node):
            self._note_dropped(node, "it was part of the description of a model")
            return []
        subject = ExpressionRewriter(self.ev.facts, self._render, self._construct).rewrite(node.subject)
        cases = [case.with_changes(body=self._block(case.body)) for case in node.cases]
        return [node.with_changes(subject=subject, cases=cases)]

    def _unwrapped(self, node: cst.With) -> bool:
        """``with tf.device(…)`` and name scopes have no twin."""
        harmless = ("tensorflow.device", "keras.backend.name_scope", "tensorflow.name_scope", "keras.name_scope")
        for item in node.items:
            call = item.item
            value = self.ev.facts.values.get(id(call.func)) if isinstance(call, cst.Call) else None
            if not (isinstance(value, Symbol) and value.name in harmless):
                return False
        return True

    def _try(self, node: cst.Try | cst.TryStar) -> list[Statement]:
        body = self.body(node.body.body)
        if not body:
            return []
        new = node.with_changes(body=node.body.with_changes(body=body))
        new = new.with_changes(handlers=[h.with_changes(body=self._block(h.body)) for h in node.handlers])
        if node.orelse is not None:
            new = new.with_changes(orelse=node.orelse.with_changes(body=self._block(node.orelse.body)))
        if node.finalbody is not None:
            new = new.with_changes(finalbody=node.finalbody.with_changes(body=self._block(node.finalbody.body)))
        return [new]

    # -- imports ----------------------------------------------------------------------------------------------------
    def _import(self, node: cst.Import | cst.ImportFrom) -> list[Any]:
        ours = self.project.rewrite(node)
        if ours is not None:
            self._take_over(ours)
            return list(ours.statements)
        if keras_import(node):
            for name in names_of(node).bound:
                self.dropped_names.setdefault(name, "it comes from Keras or TensorFlow")
            return []
        if isinstance(node, cst.Import):
            from transpiler.evaluate.imports import dotted
            from transpiler.rules.names import canonical

            kept = [alias for alias in node.names if not is_keras(canonical(dotted(alias.name)))]
            if len(kept) < len(node.names):
                kept[-1] = kept[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)
                return [node.with_changes(names=kept)]
        return [node]

    def _take_over(self, kept: Kept) -> None:
        """What another module had and the output of this one must have itself."""
        for name, why in kept.dropped.items():
            self.dropped_names.setdefault(name, why)
        self.replaced.update(kept.classes)
        for name, text in kept.constants.items():
            if name in self.ev.scan.names:
                self.imported.append(cst.parse_statement(f"{name} = {text}\n"))
        for name, node in kept.functions.items():
            assert self.functions is not None
            text = self.functions.texts[id(node)].replace(f"def {node.name.value}(", f"def {name}(", 1)
            self.imported.append(Verbatim(f"{text.strip()}\n"))
        for name, model in kept.models.items():
            code = self.models.get(id(model))
            if code is None:
                self.dropped_names.setdefault(name, "the model could not be translated")
                continue
            self._known_here(code)
            text = code.construct(True)
            self._reachable(text)
            waiting, self.classes = self.classes, []
            self._write_class(code)
            self.imported += [Verbatim(f"{written.strip()}\n") for written in self.classes]
            self.classes = waiting
            self.imported.append(cst.parse_statement(f"{name} = {self._on_device(text)}\n"))

    def _on_device(self, text: str) -> str:
        if not self.needs_device():
            return text
        self.placed = True
        return f"{text}.to(device)"

    # -- nothing of Keras may be left -------------------------------------------------------------------------------
    def _note_dropped(self, node: Statement, why: str) -> None:
        bound = {node.name.value} if isinstance(node, (cst.FunctionDef, cst.ClassDef)) else names_of(node).bound
        for name in bound:
            self.dropped_names.setdefault(name, why)
        for name in self._changed_by(node):
            self.dropped_names.setdefault(name, "it is changed by code that only describes a model")

    def _changed_by(self, node: Statement) -> set[str]:
        """The names of the module whose values change in functions that are called by a statement."""
        found: set[str] = set()
        for stack, target in self.ev.effects:
            if id(node) not in stack[:-1]:
                continue
            if isinstance(target, str):
                found.add(target)
            elif not is_build(target):
                found |= {name for name, value in self.ev.scope.names.items() if value is target}
        return found

    def _checked(self, original: Statement, new: Statement) -> Statement:
        if id(original) not in self.ev.facts.touched and not self._suspicious(original):
            return new
        names = names_of(new)
        theirs = self.ev.scan.reads.get(id(original), names.read)
        for name in sorted(names.read & theirs):  # others are our own, even where they are called like a module
            self._check_name(name, original)
        for name in names.bound:
            self.dropped_names.pop(name, None)
        return new

    def _suspicious(self, original: Statement) -> bool:
        """Whether a statement that is kept as it is reads a name that has gone."""
        reads = self.ev.scan.reads.get(id(original))
        return reads is None or any(self._is_keras_name(name) or name in self.dropped_names for name in reads)

    def _checked_test(self, original: cst.If, new: cst.If) -> cst.If:
        for name in sorted(names_of(new.test).read):
            self._check_name(name, original)
        return new

    def _checked_head(self, original: Any, new: Any) -> Any:
        head = (
            [new.iter]
            if isinstance(new, cst.For)
            else [new.test]
            if isinstance(new, cst.While)
            else [i.item for i in new.items]
        )
        for part in head:
            for name in sorted(names_of(part).read):
                self._check_name(name, original)
        return new

    def _head(self, node: Any) -> dict[str, Any]:
        """The rewritten head of a loop or ``with``."""

        def rewrite(part: cst.CSTNode) -> Any:
            return ExpressionRewriter(self.ev.facts, self._render, self._construct).rewrite(part)

        if isinstance(node, cst.For):
            return {"iter": rewrite(node.iter)}
        if isinstance(node, cst.While):
            return {"test": rewrite(node.test)}
        return {"items": [rewrite(item) for item in node.items]}

    def _check_name(self, name: str, original: Statement) -> None:
        if name in self.helper_names():
            return  # a helper of ours that took over the name
        if name in self.written and _contains(original, self.ev.facts.creations):
            return  # the class of a network has the name of the function that made it
        value = self.ev.scope.names.get(name)
        from_keras = isinstance(value, Symbol) and is_keras(value.name)
        if name in self.failed_names or not from_keras and name not in self.dropped_names:
            return
        locate = Locate(name)
        original.visit(locate)
        where = locate.node or original
        what = f"`{value.name}`" if isinstance(value, Symbol) else f"`{name}`"
        if isinstance(value, Symbol):
            full = self._full_symbol(original, name) or value.name
            raise LocatedRefusal(Refusal("KT101", f"`{full}` is not translated here"), where)
        raise LocatedRefusal(
            Refusal("KT105", f"{what} is used here, but has no twin: {self.dropped_names[name]}"), where
        )

    def _full_symbol(self, original: Statement, name: str) -> str | None:
        finder = _Symbols(self.ev, name)
        original.visit(finder)
        return finder.found


def _functions(node: cst.ClassDef) -> list[cst.FunctionDef]:
    return [line for line in node.body.body if isinstance(line, cst.FunctionDef)]


def names_of_annotation(annotation: cst.Annotation | None) -> set[str]:
    return set() if annotation is None else names_of(annotation).read


class _Annotations(cst.CSTTransformer):
    """Leaves out annotations that name something of Keras."""

    def __init__(self, keras: set[str]) -> None:
        self.keras = keras

    def leave_Param(self, original_node: cst.Param, updated_node: cst.Param) -> cst.Param:
        told = names_of_annotation(original_node.annotation) & self.keras
        return updated_node.with_changes(annotation=None) if told else updated_node


class _Symbols(cst.CSTVisitor):
    """Finds the longest dotted Keras name that starts with a given name."""

    def __init__(self, ev: Evaluator, name: str) -> None:
        self.ev = ev
        self.name = name
        self.found: str | None = None

    def visit_Attribute(self, node: cst.Attribute) -> bool:
        value = self.ev.facts.values.get(id(node))
        root: cst.BaseExpression = node
        while isinstance(root, cst.Attribute):
            root = root.value
        if self.found is None and isinstance(value, Symbol) and isinstance(root, cst.Name) and root.value == self.name:
            self.found = value.name
            return False
        return True


def _code(lines: Sequence[cst.CSTNode]) -> str:
    return "".join(map(cst.Module([]).code_for_node, lines))


def _contains(node: cst.CSTNode, ids: Collection[int]) -> bool:
    return any(id(part) in ids for part in walk(node))


def _unterminated(small: Any) -> Any:
    return small.with_changes(semicolon=cst.MaybeSentinel.DEFAULT)


def _alone(small: Any) -> cst.SimpleStatementLine:
    return cst.SimpleStatementLine([_unterminated(small)])


_PASS = cst.SimpleStatementLine([cst.Pass()])


def _is_docstring(statement: Statement) -> bool:
    return (
        isinstance(statement, cst.SimpleStatementLine)
        and isinstance(statement.body[0], cst.Expr)
        and isinstance(statement.body[0].value, (cst.SimpleString, cst.ConcatenatedString))
    )


def _position_of(node: Statement) -> Any:
    if isinstance(node, cst.SimpleStatementLine):
        first = node.body[0]
        if isinstance(first, (cst.Expr, cst.Assign, cst.Return)) and first.value is not None:
            return first.value if isinstance(first, cst.Expr) else first
        return first
    return node


__all__ = ["ModelCode", "Rewriter", "Verbatim"]
