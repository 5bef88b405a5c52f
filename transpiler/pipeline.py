"""The stages in order: read, evaluate, lower, structure and render, splice, format."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from transpiler.diagnostics import Diagnostic
from transpiler.options import Options
from transpiler.result import Building, Result

if TYPE_CHECKING:
    import libcst as cst

    from transpiler.evaluate import Evaluator, Modules
    from transpiler.rewrite.models import Translation
    from transpiler.rewrite.neighbours import Neighbours
    from transpiler.source.pieces import Piece
    from transpiler.source.positions import Positions
    from transpiler.source.project import Project


@dataclass(frozen=True)
class Translated:
    """The result for one file, and what the translations of other files ask of it."""

    result: Result
    evaluation: Evaluator
    translation: Translation


def run(source: str, filename: str = "<string>", options: Options | None = None) -> Result:
    """Translate one Keras program; one without Keras comes back as it is.

    Raises ``ReadError`` where it is not Python; everything else is a diagnostic.
    """
    from transpiler.source.detect import uses_keras
    from transpiler.source.read import ReadError, parse_ast, too_deep

    if not uses_keras(parse_ast(source, filename)):
        return Result(source)
    try:
        return translate(source, filename, options or Options()).result
    except RecursionError as error:
        raise ReadError(too_deep()) from error


def run_notebook(source: str, filename: str, options: Options | None = None) -> Result:
    """Translate a notebook: its code cells are one program. Raises ``ReadError`` where it cannot be read."""
    from transpiler.source.cells import join
    from transpiler.source.collector import collector_paused
    from transpiler.source.notebooks import read_notebook
    from transpiler.source.positions import positions_of
    from transpiler.source.read import ReadError, parse_module

    options = options or Options()
    notebook = read_notebook(source)
    program = join(notebook)
    try:
        with collector_paused():
            parsed = parse_module(program.text, filename, folds=False)
            module, positions = parsed.module, positions_of(parsed, program.place)
            evaluation, translation, pieces = _translate(module, positions, filename, options)
    except ReadError as error:
        raise ReadError(program.located(error.diagnostic)) from error
    text, lost = "".join(piece.text for piece in pieces), evaluation.lost_lines()
    code = notebook.with_sources(program.sources(text, lost))
    told = [*program.diagnostics, *map(program.located, evaluation.diagnostics), *program.silenced(text, lost)]
    return Result(code, _ordered(told), translation.summaries(), building=_building(evaluation, translation, options))


def translate(
    source: str,
    filename: str,
    options: Options,
    project: Project | None = None,
    neighbours: Neighbours | None = None,
) -> Translated:
    """Translate one file, with the modules of its project; ``neighbours`` are those translated along."""
    from transpiler.source.collector import collector_paused
    from transpiler.source.format import format_pieces
    from transpiler.source.positions import positions_of
    from transpiler.source.read import parse_module

    with collector_paused():  # but not for black, which leaves much garbage
        modules = _modules(source, filename, options, project, neighbours)
        if modules is not None and modules.home is not None:
            module, positions = modules.home.module, modules.home.positions
        else:
            parsed = parse_module(source, filename)
            module, positions = parsed.module, positions_of(parsed)
        evaluation, translation, pieces = _translate(module, positions, filename, options, modules, neighbours)
    read = project.read_files if (project := evaluation.modules.project) is not None else ()
    told, building = _ordered(_own(evaluation, neighbours)), _building(evaluation, translation, options)
    result = Result(positions.folded.unfold(format_pieces(pieces)), told, translation.summaries(), read, building)
    return Translated(result, evaluation, translation)


def _translate(
    module: cst.Module,
    positions: Positions,
    filename: str,
    options: Options,
    modules: Modules | None = None,
    neighbours: Neighbours | None = None,
) -> tuple[Evaluator, Translation, list[Piece]]:
    """The evaluated program, its models, and the pieces of the output, not yet formatted."""
    from transpiler.evaluate import evaluate
    from transpiler.rewrite.assemble import assemble
    from transpiler.rewrite.models import translate_models

    evaluation = evaluate(module, positions, options.entry, modules)
    translation = translate_models(evaluation, filename, options, neighbours)
    return evaluation, translation, assemble(evaluation, translation, neighbours)


def _building(evaluation: Evaluator, translation: Translation, options: Options) -> Callable[[], Building]:
    """The part of the program that builds its models, worked out when somebody asks."""
    from transpiler.rewrite.building import building_of

    return partial(building_of, evaluation, translation, options.entry)


def _modules(
    source: str, filename: str, options: Options, project: Project | None, neighbours: Neighbours | None
) -> Modules | None:
    """The project's modules, where a root is given and the program is one of its files."""
    from transpiler.evaluate import Modules
    from transpiler.source.project import Project

    if project is None and options.root is not None:
        project = Project(options.root)
    path = Path(filename)
    if project is None or not path.is_file() or not path.resolve().is_relative_to(project.root):
        return None
    home = project.load(path)
    if home.source.text != source:
        return None
    return Modules(project, home, clients=set(neighbours.clients) if neighbours is not None else set())


def _own(evaluation: Evaluator, neighbours: Neighbours | None) -> list[Diagnostic]:
    """The findings, without those that the file where they are tells itself."""
    found = evaluation.diagnostics
    if neighbours is None:
        return found
    twins = {str(path): twin for path, twin in neighbours.twins.items()}
    places = evaluation.modules.foreign_lines
    told = {key for key, (path, line) in places.items() if path in twins and line in twins[path].errors}
    return [each for each in found if id(each) not in told]


def _ordered(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    return tuple(sorted(diagnostics, key=lambda d: (d.cell or 0, d.line, d.column, d.code)))
