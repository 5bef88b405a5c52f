"""The files of one run together: who imports whom, in which order they are translated, what each gives the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from transpiler.jobs import Job
from transpiler.result import Result
from transpiler.source.project import MAX_MODULES, ModuleSource, Project, find_root
from transpiler.source.read import ReadError

if TYPE_CHECKING:
    from transpiler.options import Options
    from transpiler.pipeline import Translated
    from transpiler.rewrite.neighbours import Neighbours, Twin

MAX_CLIENTS = 25  # files that are interpreted to see how they call the functions of another one
_CACHED = 80  # syntax trees kept


@dataclass(eq=False)
class Tree:
    """The jobs of a run. ``drop_in`` and ``entry`` are what the command line says."""

    jobs: Sequence[Job]
    drop_in: bool = False
    entry: tuple[str, ...] = ()
    _projects: dict[Path, Project] = field(default_factory=dict)
    _files: dict[Path, Job] = field(default_factory=dict)
    _done: dict[Path, Translated] = field(default_factory=dict)
    _twins: dict[Path, Twin] = field(default_factory=dict)
    _working: set[Path] = field(default_factory=set)
    _examined: set[Path] = field(default_factory=set)
    _reached: dict[Path, list[Path]] | None = None

    def __post_init__(self) -> None:
        for job in self.jobs:
            if job.source is not None and not job.skip and job.source.suffix == ".py":
                self._files[job.source.resolve()] = job

    # -- one file ---------------------------------------------------------------------------------------------------
    def project(self, job: Job) -> Project | None:
        """The project that a job's file belongs to."""
        if job.source is None or job.source.resolve() not in self._files:
            return None
        root = find_root(job.base or job.source)
        if root not in self._projects:
            self._projects[root] = Project(root, MAX_MODULES + len(self._files))
        found = self._projects[root]
        return found if job.source.resolve().is_relative_to(found.root) else None

    def concerns_keras(self, job: Job) -> bool:
        """Whether a file uses Keras only through other modules of the project."""
        project = self.project(job)
        if project is None or job.source is None or job.target is None and not job.named:
            return False
        if job.source.name == "__init__.py" and not self._keeps_names(job):
            return False  # beside its source it would be no package; those who import it go to its modules
        try:
            self._examine(job.source.resolve())
            return project.concerns_keras(job.source)
        except ReadError:
            return False

    def _examine(self, path: Path) -> None:
        """Find out whether a file without Keras works on models that those who import it give it."""
        job = self._files[path]
        project = self.project(job)
        if path in self._examined or project is None:
            return
        self._examined.add(path)
        if project.concerns_keras(path) or not project.load(path).may_act or not project.load(path).parses:
            return
        if any(project.concerns_keras(each) for each in self._clients(job)):
            from transpiler.evaluate import Modules, works_on_models

            if works_on_models(Modules(project, project.load(path), clients=set(self._clients(job)))):
                project.acting.add(path)

    def translate(self, job: Job, text: str) -> Result:
        """Translate a job's file, those that it imports first."""
        from transpiler import transpile

        project = self.project(job)
        if project is None or job.source is None or self._stands_alone(job, project):
            return transpile(text, job.filename, self._plain_options(job))
        path = job.source.resolve()
        try:
            self._finish(path)
        except ReadError as error:
            return Result(text, (error.diagnostic,))
        if sum("module" in vars(each) for each in project.sources) > _CACHED:
            for each in project.sources:
                _forget(each)
        return self._done[path].result

    def _stands_alone(self, job: Job, project: Project) -> bool:
        assert job.source is not None
        return project.stands_alone(job.source) and not self._clients(job)

    def _finish(self, path: Path) -> None:
        """Translate a file, those that it imports first."""
        if path in self._done or path in self._working:
            return
        job = self._files[path]
        project = self.project(job)
        assert project is not None
        _ = project.load(path).module  # before the others: a file that cannot be parsed needs nothing
        self._working.add(path)
        for each in project.closure(path):
            if each in self._files:
                self._examine(each)
        for each in self._siblings(job, project):
            self._finish(each)
        self._done[path] = self._run(path, self._neighbours(job, project))
        self._working.discard(path)

    def _run(self, path: Path, neighbours: Neighbours) -> Translated:
        from transpiler.pipeline import translate

        job = self._files[path]
        project = self.project(job)
        assert project is not None
        return translate(project.load(path).source.text, job.shown, self.options(job), project, neighbours)

    def options(self, job: Job) -> Options:
        """How a job's file is translated by itself."""
        options = self._plain_options(job)
        project = self.project(job)
        return options if project is None else replace(options, root=project.root)

    def _plain_options(self, job: Job) -> Options:
        return job.settings.options(job.source, self.drop_in, self.entry)

    # -- the others -------------------------------------------------------------------------------------------------
    def _neighbours(self, job: Job, project: Project) -> Neighbours:
        from transpiler.rewrite.neighbours import Neighbours

        assert job.source is not None
        twins = {each: self._twin(each) for each in self._siblings(job, project)}
        inner = _tail(job)
        deeper = max(len(inner) - 1, 0) if inner else 0
        return Neighbours(twins, frozenset(self._clients(job)), deeper, frozenset(self._files))

    def _twin(self, path: Path) -> Twin:
        """What a translated file gives; one that is being translated now (a circle) is drafted by itself."""
        if path not in self._twins:
            job = self._files[path]
            done = self._done.get(path)
            if done is None:
                return _twin_of(path, job, self._run(path, self._draft(job)))
            self._twins[path] = _twin_of(path, job, done)
        return self._twins[path]

    def _draft(self, job: Job) -> Neighbours:
        from transpiler.rewrite.neighbours import Neighbours

        return Neighbours(clients=frozenset(self._clients(job)))

    def _siblings(self, job: Job, project: Project) -> Iterator[Path]:
        """The files that a job's file imports, directly or not, whose translations it can import."""
        assert job.source is not None
        if not job.importable:
            return
        for each in project.closure(job.source):
            other = self._files.get(each)
            mine = other is not None and self.project(other) is project and project.load(each).parses
            if other is not None and mine and self._usable(job, other, project):
                yield each

    def _usable(self, job: Job, other: Job, project: Project) -> bool:
        assert job.source is not None
        assert other.source is not None
        tail = _tail(other)
        if tail is None or not other.importable or not project.concerns_keras(other.source):
            return False
        if self._keeps_names(job):
            return job.base == other.base
        if other.source.name == "__init__.py":
            return False
        packages = set(_packages(other.source)) - set(_packages(job.source))
        return not any(project.concerns_keras(each) for each in packages)

    @staticmethod
    def _keeps_names(job: Job) -> bool:
        """Whether the outputs stand in another directory, laid out as the source."""
        return job.target is not None and job.mirrored

    def _clients(self, job: Job) -> list[Path]:
        """The files of the run that import a job's file, directly or not."""
        if self._reached is None:
            self._reached = {}
            for path, each in self._files.items() if len(self._files) > 1 else ():
                project = self.project(each)
                for reached in project.closure(path) if project is not None else ():
                    self._reached.setdefault(reached, []).append(path)
        assert job.source is not None
        return self._reached.get(job.source.resolve(), [])[:MAX_CLIENTS]

    # -- what else the outputs need ---------------------------------------------------------------------------------
    def copies(self) -> Iterator[tuple[Job, Path]]:
        """The modules without Keras that outputs in another directory import: with a job that needs each."""
        seen: set[Path] = set()
        for path in self._done:
            job = self._files[path]
            project = self.project(job)
            if project is None or not self._keeps_names(job):
                continue
            for each in project.closure(path):
                if each not in seen and not project.concerns_keras(each):
                    seen.add(each)
                    yield job, each

    @staticmethod
    def place(job: Job, path: Path) -> Path | None:
        """Where a module that is copied along with a job's output goes; None if it is not below the job's directory."""
        assert job.source is not None
        assert job.target is not None
        assert job.base is not None
        inner = job.source.resolve().parent.relative_to(job.base.resolve())
        folder = job.target.parent
        for _ in inner.parts:
            folder = folder.parent
        base = job.base.resolve()
        return folder / path.relative_to(base) if path.is_relative_to(base) else None


def _tail(job: Job) -> tuple[str, ...] | None:
    """The last parts of the module name of a job's output; None if it cannot be imported."""
    if job.target is None or job.source is None:
        return None
    if job.mirrored:
        parts: tuple[str, ...] = () if job.target.name == "__init__.py" else (job.target.stem,)
    else:
        try:
            parts = job.target.relative_to(job.source.parent).with_suffix("").parts
        except ValueError:
            return None
    return parts if all(part.isidentifier() for part in parts) else None


def _packages(path: Path) -> Iterator[Path]:
    """The ``__init__.py`` files that are run when a file is imported."""
    folder = path.resolve().parent
    while (folder / "__init__.py").is_file() and folder.parent != folder:
        yield folder / "__init__.py"
        folder = folder.parent


def _twin_of(path: Path, job: Job, done: Translated) -> Twin:
    from transpiler.rewrite.neighbours import Twin, exported_names
    from transpiler.rewrite.provided import builder_classes, provided_to_clients

    written, models = done.translation.written, done.translation.models
    elsewhere = done.evaluation.modules.foreign_lines  # told in that file, but not its own
    return Twin(
        path,
        _tail(job) or (),
        exported_names(done.result.code),
        provided_to_clients(done.evaluation, models, written, done.translation.emitter.logits),
        builder_classes(done.evaluation, models, written),
        frozenset(
            each.line for each in done.result.diagnostics if each.severity == "error" and id(each) not in elsewhere
        ),
    )


def _forget(source: ModuleSource) -> None:
    """Let go of the syntax tree of a file; it is made anew when it is needed."""
    for name in ("module", "positions", "tree"):
        vars(source).pop(name, None)
