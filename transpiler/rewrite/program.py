"""Rewriting the program: statements that only described models go, classes come in, the rest is kept.

The classes of the models stand where the source built them: in place of a builder function, or before the top-level
statement that made the model.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import libcst as cst

from transpiler.diagnostics import Refusal
from transpiler.evaluate.values import Symbol
from transpiler.rewrite.constructions import Constructions
from transpiler.rewrite.disposition import DROP, KEEP, keras_import
from transpiler.rewrite.expressions import ExpressionRewriter
from transpiler.rewrite.import_order import is_plain_import
from transpiler.rewrite.leftovers import position_of
from transpiler.rewrite.public import with_public_names
from transpiler.rewrite.residue import names_of
from transpiler.rewrite.state import Statement, Verbatim
from transpiler.rules.names import is_keras
from transpiler.source.tree import walk


@dataclass(eq=False)
class Rewriter(Constructions):
    """Rewrites one module."""

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
            found = self.ev.report(error, getattr(error, "node", None) or position_of(node))
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

    def _concerns_keras(self, node: cst.FunctionDef) -> bool:
        """Whether anything in a function could have to be rewritten."""
        return self._suspicious(node) or _contains(node, self.ev.facts.touched)

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

    def _head(self, node: Any) -> dict[str, Any]:
        """The rewritten head of a loop or ``with``."""

        def rewrite(part: cst.CSTNode) -> Any:
            return ExpressionRewriter(self.ev.facts, self._render, self._construct).rewrite(part)

        if isinstance(node, cst.For):
            return {"iter": rewrite(node.iter)}
        if isinstance(node, cst.While):
            return {"test": rewrite(node.test)}
        return {"items": [rewrite(item) for item in node.items]}


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


__all__ = ["Rewriter"]
