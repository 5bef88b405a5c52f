"""One run of the command: every input read, translated and delivered, and what was found printed at the end."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from transpiler.delivery import Delivered, deliver
from transpiler.diagnostics import diagnostic
from transpiler.jobs import Job, UsageError, plan
from transpiler.result import Result
from transpiler.source.cells import join
from transpiler.source.detect import mentions_keras, uses_keras
from transpiler.source.notebooks import looks_like_notebook, read_notebook
from transpiler.source.read import ReadError, SourceText, decode, parse_ast, read_bytes, read_source, read_stdin
from transpiler.source.write import write_atomic
from transpiler.tree import Tree
from transpiler.writers import FileResult, render, report

OK, INCOMPLETE, UNUSABLE = 0, 1, 2
_UNUSABLE_CODES = ("KT001", "KT002")


@dataclass(frozen=True)
class Request:
    """The options of a command line."""

    output: str | None = None
    drop_in: bool = False
    entry: tuple[str, ...] = ()
    weights: Path | None = None
    weights_out: Path | None = None
    model: str | None = None
    verify: bool = False
    check: bool = False
    diff: bool = False
    report: Path | None = None
    form: str = "text"

    @property
    def dry(self) -> bool:
        """True if outputs are compared, not written."""
        return self.check or self.diff


@dataclass
class Session:
    """Carries the worst exit status and everything found from file to file."""

    request: Request
    status: int = OK
    results: list[FileResult] = field(default_factory=list)
    tree: Tree = field(init=False)

    def run(self, files: Sequence[str]) -> int:
        """Do all files, a bad one not keeping the next from its turn; return the exit status."""
        jobs = plan(files, self.request.output)
        self._check_usage(jobs)
        self.tree = Tree(jobs, self.request.drop_in, self.request.entry)
        for job in jobs:
            self._guarded(job)
        self._copy_modules()
        self._print_findings(jobs)
        self._write_report()
        return self.status

    def _check_usage(self, jobs: Sequence[Job]) -> None:
        request = self.request
        if (request.weights_out or request.model) and not request.weights:
            raise UsageError("--weights-out and --model need --weights")
        if request.weights and len(jobs) != 1:
            raise UsageError("--weights needs exactly one input file")
        if request.weights and request.dry:
            raise UsageError("--weights cannot be combined with --check or --diff, which write nothing")
        if request.dry and any(job.target is None for job in jobs):
            raise UsageError("--check and --diff compare with an output file; name one with -o")
        inputs = {job.source.resolve() for job in jobs if job.source}
        if request.report and request.report.resolve() in inputs:
            raise UsageError(f"the report {request.report} is an input file; it would be overwritten")

    def _guarded(self, job: Job) -> None:
        """Do one file; a fault of ours becomes a diagnostic."""
        try:
            self._do(job)
        except (KeyboardInterrupt, BrokenPipeError):
            raise
        except Exception as error:  # noqa: BLE001 - the last line of defence: no traceback reaches a user
            if os.environ.get("TRANSPILER_DEBUG"):
                traceback.print_exc()
            summary = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            self._add(INCOMPLETE, FileResult(job.shown, "", (diagnostic("KT999", f"internal error: {summary}"),)))

    def _do(self, job: Job) -> None:
        if job.skip:
            self._say(f"{job.shown}: {job.skip}; left alone")
            return
        try:
            data = read_stdin() if job.source is None else read_bytes(job.source)
            if job.source is None:
                job = replace(job, notebook=looks_like_notebook(data))
            source = self._keras_source(job, data)
        except ReadError as error:
            self._add(UNUSABLE, FileResult(job.shown, _text_of(error, job), (error.diagnostic,)))
            return
        if source is None:
            self._pass_over(job, data)
        else:
            self._translate(job, source)

    def _keras_source(self, job: Job, data: bytes) -> SourceText | None:
        """Return the text of a program that uses Keras, None for any other."""
        if mentions_keras(data):
            source = decode(data)
            if job.notebook:
                return source if join(read_notebook(source.text)).uses_keras else None
            if uses_keras(parse_ast(source.text, job.shown)):
                return source
        return decode(data) if not job.notebook and self.tree.concerns_keras(job) else None

    def _pass_over(self, job: Job, data: bytes) -> None:
        if job.source is None and job.target is None:
            sys.stdout.buffer.write(data)
        if self.request.weights:
            self._blame_weights(f"{job.shown} has no Keras model that these could be the weights of", INCOMPLETE)
        if job.named:
            self._say(f"{job.shown}: no Keras in it; left alone")

    def _translate(self, job: Job, source: SourceText) -> None:
        result = self.tree.translate(job, source.text)
        cells = {cell.number: cell.source for cell in read_notebook(source.text).cells} if job.notebook else {}
        found = FileResult(job.shown, source.text, result.diagnostics, result.models, cells)
        unusable = any(each.code in _UNUSABLE_CODES for each in result.diagnostics)
        self._add(UNUSABLE if unusable else OK if result.complete else INCOMPLETE, found)
        if unusable:
            return
        delivered = deliver(job, result.code, source, check=self.request.check, diff=self.request.diff)
        self._note(delivered)
        if self.request.weights:
            self._convert_weights(result)
        if self.request.verify:
            self._verify(found, job)

    def _verify(self, translated: FileResult, job: Job) -> None:
        """Compare with real Keras: one line a model; a mismatch becomes a diagnostic."""
        from transpiler.verify import DIFFERENT, VerifyError, verify

        shown = translated.file
        self._say(f"{shown}: verify: running the code of this file that builds models, under Keras")
        try:
            verdicts = verify(translated.text, job.filename, self.tree.options(job))
        except VerifyError as error:
            self._say(f"{shown}: verify: {error}; {error.hint}")
            self.status = UNUSABLE
            return
        for verdict in verdicts:
            place = verdict.line if verdict.cell is None else f"cell {verdict.cell}:{verdict.line}"
            self._say(f"{shown}:{place}: verify: {verdict}")
        if not verdicts:
            self._say(f"{shown}: verify: no model in it")
        parted = (v for v in verdicts if v.status == DIFFERENT)
        if found := tuple(replace(diagnostic("KT502", str(v), v.line), cell=v.cell) for v in parted):
            self._add(INCOMPLETE, replace(translated, diagnostics=found, models=()))

    def _copy_modules(self) -> None:
        """Copy the modules without Keras that outputs in another directory import."""
        for job, path in self.tree.copies():
            target = self.tree.place(job, path)
            if target is None:
                self._say(f"{path}: outside of {job.base}; copy it to where the output can import it")
            elif target.resolve() != path:
                source = read_source(path)
                copy = replace(job, source=path, target=target)
                self._note(deliver(copy, source.text, source, check=self.request.check, diff=self.request.diff))

    def _convert_weights(self, result: Result) -> None:
        from transpiler.weight_files import ConversionError, convert_weights

        assert self.request.weights is not None
        try:
            written = convert_weights(result, self.request.weights, self.request.weights_out, self.request.model)
            self._say(f"wrote {written}")
        except ConversionError as error:
            self._blame_weights(str(error), error.status, error.hint)

    def _blame_weights(self, message: str, status: int, hint: str | None = None) -> None:
        self._add(status, FileResult(str(self.request.weights), "", (diagnostic("KT501", message, hint=hint),)))

    def _note(self, delivered: Delivered) -> None:
        self.status = max(self.status, delivered.status)
        if delivered.message:
            self._say(delivered.message)

    def _add(self, status: int, result: FileResult) -> None:
        self.status = max(self.status, status)
        self.results.append(result)

    def _say(self, message: str) -> None:
        sys.stderr.write(f"{message}\n")

    def _print_findings(self, jobs: Sequence[Job]) -> None:
        """Print to stderr what people read, to stdout what machines read, unless the program itself goes there."""
        text = render(self.results, self.request.form)
        taken = self.request.diff or any(job.target is None for job in jobs)
        stream = sys.stderr if self.request.form == "text" or taken else sys.stdout
        stream.write(text)
        stream.flush()

    def _write_report(self) -> None:
        if self.request.report is None:
            return
        try:
            write_atomic(self.request.report, report(self.results))
        except OSError as error:
            self._say(f"cannot write {self.request.report}: {error.strerror}")
            self.status = UNUSABLE


def _text_of(error: ReadError, job: Job) -> str:
    """Return the text for the excerpt of a syntax error."""
    if error.diagnostic.code != "KT002" or job.source is None:
        return ""
    return decode(read_bytes(job.source)).text
