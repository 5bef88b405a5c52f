"""Putting the output file together: imports, helpers, classes and the rewritten program."""

from __future__ import annotations

import re
from typing import Any

import libcst as cst

from transpiler.emit.helpers import imports_of
from transpiler.evaluate.core import Evaluator
from transpiler.rewrite.functions import TensorFunctions
from transpiler.rewrite.models import Translation
from transpiler.rewrite.program import Rewriter
from transpiler.rewrite.residue import names_of
from transpiler.template_env import helper_source

_RUNS = {
    f"keras.Model.{name}"
    for name in ("fit", "evaluate", "predict", "train_on_batch", "test_on_batch", "predict_on_batch", "__call__", "fit_generator")
}
_DEVICE = 'device = torch.device("cuda" if torch.cuda.is_available() else "cpu")\n'


def assemble(ev: Evaluator, translation: Translation, filename: str) -> str:
    """The text of the output, not yet formatted."""
    emitter = translation.emitter
    functions = TensorFunctions(ev)
    on_device = any(action.model is not None and action.symbol in _RUNS for action in ev.program.actions)
    rewriter = Rewriter(ev, translation.codes(), emitter.render, lambda: on_device, functions=functions)
    statements, place = rewriter.module()
    code = cst.Module([]).code_for_node
    before, after = [code(s) for s in statements[:place]], [code(s) for s in statements[place:]]
    wanted = [*(translation.helpers() if rewriter.written else []), *functions.helpers]
    helpers = [helper_source(name) for name in dict.fromkeys(wanted)]
    if rewriter.written and (init := translation.init_weights()):
        helpers.append(init)
    helpers.extend(emitter.helpers())
    if on_device and rewriter.written:
        helpers.insert(0, _DEVICE)
    body = "\n\n".join(["", *helpers, ""]) + "".join(after)
    header = "".join(module_header(ev.module))
    text = header + "".join(before)
    imports = (translation.imports() if rewriter.written else set()) | emitter.imports() | functions.imports
    imports |= imports_of(helpers)
    lines = merge_imports({line for line in imports if _used(line, text + body)}, text)
    return _drop_unused(ev, text + "".join(f"{line}\n" for line in lines) + body + "".join(_footer(ev.module)))


def module_header(module: cst.Module) -> list[str]:
    """Comments and blank lines above the first statement."""
    return [cst.Module([]).code_for_node(line) for line in module.header]


def _footer(module: cst.Module) -> list[str]:
    return [cst.Module([]).code_for_node(line) for line in module.footer]


def _bound(line: str) -> list[str]:
    statement = cst.parse_statement(line)
    return sorted(names_of(statement).bound)


def _used(line: str, text: str) -> bool:
    return any(re.search(rf"\b{re.escape(name)}\b", text) for name in _bound(line))


def merge_imports(lines: set[str], existing: str) -> list[str]:
    """Import lines, those from one module joined, without what the file imports already; plain imports first."""
    present = set(existing.splitlines())
    plain = sorted(line for line in lines if line.startswith("import ") and line not in present)
    froms: dict[str, set[str]] = {}
    for line in lines:
        if line.startswith("from ") and line not in present:
            module, names = re.fullmatch(r"from (\S+) import (.+)", line).groups()  # type: ignore[union-attr]
            froms.setdefault(module, set()).update(name.strip() for name in names.split(","))
    joined = [f"from {module} import {', '.join(sorted(names, key=_order))}" for module, names in sorted(froms.items())]
    return [*plain, *joined]


def _order(name: str) -> tuple[bool, str]:
    return (not name[:1].isupper(), name)


def _drop_unused(ev: Evaluator, text: str) -> str:
    """Remove imports of the source that nothing uses any more (those that were unused before stay)."""
    module = cst.parse_module(text)
    used_before = _reads(ev.module)
    used_now = _reads(module)
    gone = used_before - used_now
    body: list[Any] = []
    for statement in module.body:
        kept = _without(statement, gone) if isinstance(statement, cst.SimpleStatementLine) else statement
        if kept is not None:
            body.append(kept)
    return module.with_changes(body=body).code


def _without(statement: cst.SimpleStatementLine, gone: set[str]) -> Any:
    small = statement.body[0]
    if len(statement.body) != 1 or not isinstance(small, (cst.Import, cst.ImportFrom)) or isinstance(small.names, cst.ImportStar):
        return statement
    kept = [a for a in small.names if (a.evaluated_alias or a.evaluated_name.split(".")[0]) not in gone]
    if len(kept) == len(small.names):
        return statement
    if not kept:
        return None
    kept[-1] = kept[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)
    return statement.with_changes(body=[small.with_changes(names=kept)])


def _reads(module: cst.Module) -> set[str]:
    reads: set[str] = set()
    for statement in module.body:
        if not (isinstance(statement, cst.SimpleStatementLine) and isinstance(statement.body[0], (cst.Import, cst.ImportFrom))):
            reads |= names_of(statement).read
    return reads
