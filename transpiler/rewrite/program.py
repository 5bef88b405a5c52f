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
from transpiler.evaluate.values import Symbol
from transpiler.graph.keras import Model
from transpiler.graph.program import Action
from transpiler.graph.symbolic import Leaf
from transpiler.rewrite.disposition import DROP, KEEP, Dispositions, keras_import
from transpiler.rewrite.expressions import ExpressionRewriter, LocatedRefusal
from transpiler.rewrite.freezing import Freezing
from transpiler.rewrite.functions import TensorFunctions
from transpiler.rewrite.import_order import is_plain_import
from transpiler.rewrite.leaves import check_leaves, known_later
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
    nested: list[int] = field(default_factory=list)  # models that it holds, by identity


@dataclass(eq=False)
class Rewriter:
    """Rewrites one module. ``models`` has the rendered models by identity; ``render`` renders actions."""

    ev: Evaluator
    models: dict[int, ModelCode]
    render: Callable[[Action, Any, str], Any]
    needs_device: Callable[[], bool]
    helper_names: Callable[[], set[str]]
    freezing: Freezing
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

    def __post_init__(self) -> None:
        self.dispositions = Dispositions(self.ev.facts)

    # -- the module -------------------------------------------------------------------------------------------------
    def module(self) -> tuple[list[Statement], int]:
        """The statements of the output, and where imports and helpers of ours belong among them."""
        result: list[Statement] = []
        for statement in self.ev.module.body:
            kept = self._statement(statement)
            if self.classes:
                result.extend(self._take_classes())
            result.extend(kept)
            if self.import_at is None and self._is_keras_import(statement):
                self.import_at = len(result) - len(kept)
        result.extend(self._take_classes())
        return result, self._import_place(result)

    def _take_classes(self) -> list[Statement]:
        statements: list[Statement] = []
        for text in self.classes:
            comments = "".join(map(cst.Module([]).code_for_node, self._take_comments()))
            statements.append(Verbatim(f"{comments}{text.strip()}\n"))
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

    def _statement(self, node: Statement) -> list[Statement]:
        failed = self.ev.facts.failed.get(id(node))
        if failed is not None and not isinstance(node, cst.FunctionDef):
            return [self._raise(node, failed.code, failed.message)]
        try:
            result = self._dispatch(node)
            result += [self._made_late(waited) for waited in self.waiting.pop(id(node), [])]
            result = self._with_freezing(node, result)
        except Refusal as error:
            found = self.ev.report(error, getattr(error, "node", None) or _position_of(node))
            return [self._raise(node, found.code, found.message)]
        return self._with_comments(result)

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

    def _with_comments(self, result: list[Statement]) -> list[Statement]:
        if result and self.comments and not self.classes:
            lines = [*self._take_comments(), *result[0].leading_lines]
            result[0] = result[0].with_changes(leading_lines=lines)
        return result

    def _dispatch(self, node: Statement) -> list[Statement]:
        if isinstance(node, cst.SimpleStatementLine):
            return self._line(node)
        if isinstance(node, cst.FunctionDef):
            return self._function(node)
        if isinstance(node, cst.ClassDef):
            return [node.with_changes(body=self._block(node.body))]
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
            self._keep_comments(node)
            return []
        result[0] = result[0].with_changes(leading_lines=[*node.leading_lines, *result[0].leading_lines])
        return [self._checked(node, statement) for statement in result]

    @staticmethod
    def _line_of(node: cst.SimpleStatementLine, kept: list[Any]) -> list[Statement]:
        """The line with the small statements that are kept of it."""
        if not kept:
            return []
        return [node.with_changes(body=[*kept[:-1], _unterminated(kept[-1])], leading_lines=())]

    def _keep_comments(self, node: Statement) -> None:
        if id(node) in self.ev.facts.described:
            return  # they stand with the layer in its class
        if any(line.comment is not None for line in node.leading_lines):
            self.comments.extend(node.leading_lines)

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
        text = self._construct(value, self.ev.facts.creations[id(value)])
        if text is None:
            return node if isinstance(node, (cst.Assign, cst.Return)) else None
        return node.with_changes(value=cst.parse_expression(text))

    def _construct(self, node: cst.CSTNode, creations: list[Creation]) -> str | None:
        """The constructor call for a creation; None where the builder that is called here stays a function."""
        texts: set[str] = set()
        for creation in creations:
            function = creation.function
            outside = function is not None
            if function is not None:
                assert isinstance(function.node, cst.FunctionDef)
                if self.dispositions.function(function.node) != "builder":
                    return None
            model = self.models.get(id(creation.model))
            if model is None:
                raise Refusal("KT105", "this model could not be translated")
            self._write_class(model)
            check_leaves(self.ev, model.leaves, outside, self._moment(creation.model), self.function)
            texts.add(model.construct(outside))
        if len(texts) > 1:
            raise Refusal(
                "KT303", "this call builds different models from turn to turn", "build each in a statement of its own"
            )
        text = texts.pop()
        self._reachable(text)
        return f"{text}.to(device)" if self.needs_device() else text

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
        if model.class_name not in self.written:
            self.written.add(model.class_name)
            for inner in (self.models[key] for key in model.nested if key in self.models):
                self._write_class(inner)
            self.classes.append(model.code)

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
            result = node.with_changes(body=self._block(node.body))
            self.function = outer
            return [result]
        self._note_dropped(node, "it only built parts of a model")
        self._builder_classes(node)
        self._keep_comments(node)
        return []

    def _concerns_keras(self, node: cst.FunctionDef) -> bool:
        """Whether anything in a function could have to be rewritten."""
        return self._suspicious(node) or _contains(node, self.ev.facts.touched)

    def _builder_classes(self, node: cst.FunctionDef) -> None:
        """The classes that come in place of a builder function."""
        for model in self.ev.program.models:
            code = self.models.get(id(model))
            if code is not None and self._made_by(model, node):
                self._write_class(code)

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
            self._keep_comments(node)
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
        self._keep_comments(node)
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
            self._keep_comments(node)
            self._note_dropped(node, "it was part of the description of a model")
            return []
        if isinstance(node, cst.With) and self._unwrapped(node):
            self._keep_comments(node)
            return self.body(node.body.body)
        new = node.with_changes(body=self._block(node.body), **self._head(node))
        if getattr(node, "orelse", None) is not None:
            new = new.with_changes(orelse=node.orelse.with_changes(body=self._block(node.orelse.body)))
        return [self._checked_head(node, new)]

    def _match(self, node: cst.Match) -> list[Statement]:
        if self.dispositions.statement(node) == DROP and not self._creates(node):
            self._keep_comments(node)
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
            self._keep_comments(node)
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
