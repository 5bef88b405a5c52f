"""Compares the models of a translation with those that real Keras builds from the same source."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from transpiler import Options, Result, transpile
from transpiler.diagnostics import Refusal, diagnostic
from transpiler.result import ELSEWHERE, Building, BuiltModel
from transpiler.source.cells import Program, join
from transpiler.source.notebooks import SUFFIX, read_notebook
from transpiler.verify.children import ChildError, run_child

LIMIT = 300.0  # seconds for one child
TOLERANCE = {"float32": 1e-4, "float64": 1e-7}
EQUAL, DIFFERENT, NOT_COMPARABLE = "equal", "different", "not comparable"
_TENSORFLOW = re.compile(r"^\s*(?:import|from)\s+tensorflow\b", re.MULTILINE)


class VerifyError(Exception):
    """Nothing can be verified here: a package is missing."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True)
class Verdict:
    """What came out for one model: ``status``, the largest relative ``difference``, and ``detail``.

    In a notebook the ``line`` is one of the ``cell``.
    """

    name: str
    line: int
    status: str
    difference: float | None = None
    detail: str = ""
    cell: int | None = None

    def __str__(self) -> str:
        if self.status == EQUAL:
            return f"`{self.name}`: equal (largest difference {self.difference:.1e})"
        return f"`{self.name}`: {self.status} ({self.detail})"


@dataclass(frozen=True)
class _Way:
    """How one comparison is made. ``layers``: also look for the first layer that differs."""

    backend: str
    floatx: str = "float32"
    layers: bool = False


def verify(source: str, filename: str, options: Options | None = None, limit: float = LIMIT) -> tuple[Verdict, ...]:
    """Execute the part of ``source`` that builds its models, and compare. Raises :class:`VerifyError`.

    Each model is compared twice: as the translation with ``drop_in`` has it, and as it has it without.
    """
    _check_packages()
    if filename.endswith(SUFFIX):
        program = join(read_notebook(source))
        verdicts = _verify(program.text, f"{filename.removesuffix(SUFFIX)}.py", options or Options(), limit)
        return tuple(_located(verdict, program) for verdict in verdicts)
    return _verify(source, filename, options or Options(), limit)


def _located(verdict: Verdict, program: Program) -> Verdict:
    """A verdict on a notebook's program, with its place in the notebook."""
    place = program.located(diagnostic("KT502", "", verdict.line))
    return replace(verdict, cell=place.cell, line=place.line)


def _verify(source: str, filename: str, chosen: Options, limit: float) -> tuple[Verdict, ...]:
    modes = [transpile(source, filename, replace(chosen, drop_in=drop_in)) for drop_in in (True, False)]
    comparison = _Comparison(filename, modes, limit)
    first, *others = _ways(source)
    verdicts = comparison.out_of_reach()
    verdicts |= comparison.run(first, [at for at in comparison.distinct if at not in verdicts])
    for way in others:  # rounding and faults of a backend are told from real differences
        doubtful = [at for at, verdict in verdicts.items() if verdict.status == DIFFERENT]
        if doubtful:
            again = comparison.run(way, doubtful)
            verdicts.update({at: verdict for at, verdict in again.items() if verdict.status != NOT_COMPARABLE})
    return tuple(verdicts[at] for at in sorted(verdicts))


def _check_packages() -> None:
    missing = [name for name in ("keras", "torch", "h5py") if find_spec(name) is None]
    if missing:
        raise VerifyError(f"--verify needs {' and '.join(missing)}", f"pip install {' '.join(missing)}")


def backend_for(source: str) -> str:
    """TensorFlow for a program that imports it, if it is installed; else the user's choice, or torch."""
    if find_spec("tensorflow") is not None and _TENSORFLOW.search(source):
        return "tensorflow"
    return os.environ.get("KERAS_BACKEND") or "torch"


def _ways(source: str) -> list[_Way]:
    """Single precision first; where that differs, double precision, and then TensorFlow, if it is installed."""
    has_tensorflow = find_spec("tensorflow") is not None
    backend = backend_for(source)
    ways = [_Way(backend), _Way(backend, "float64", layers=True)]
    if has_tensorflow and backend != "tensorflow":
        ways += [_Way("tensorflow", "float64", layers=True), _Way("tensorflow")]
    return ways


class _Comparison:
    """All comparisons of one file. ``modes`` are its translations, the drop-in one first."""

    def __init__(self, filename: str, modes: Sequence[Result], limit: float) -> None:
        self.filename = filename
        self.modes = modes
        self.limit = limit
        self.buildings = [_building(result) for result in modes]
        self.models = self.buildings[0].models
        self.distinct = list({(m.site[0], m.class_name, m.inputs): n for n, m in reversed(list(enumerate(self.models)))}.values())  # fmt: skip  # noqa: E501

    def out_of_reach(self) -> dict[int, Verdict]:
        """The verdicts on models that the translations lack, or that Keras is not asked for."""
        missing = [at for at in self.distinct if any(b.models[at].summary is None for b in self.buildings)]
        elsewhere = [at for at in self.distinct if self.models[at].site[0] == ELSEWHERE]
        found = {at: self._verdict(at, NOT_COMPARABLE, "another file makes it: verify that one") for at in elsewhere}
        return found | {at: self._verdict(at, NOT_COMPARABLE, "it could not be translated") for at in missing}

    def run(self, way: _Way, wanted: Sequence[int]) -> dict[int, Verdict]:
        """Compare the wanted models in one way."""
        if not wanted:
            return {}
        with tempfile.TemporaryDirectory(prefix="transpiler-verify-") as name:
            folder = Path(name)
            try:
                judged = self._judge(folder, way, wanted)
            except ChildError as error:
                return {at: self._verdict(at, NOT_COMPARABLE, f"Keras: {error}") for at in wanted}
            answers = [self._compare(folder, mode, way, wanted, judged) for mode in range(len(self.modes))]
        return {at: self._weigh(at, way, judged[at], [answer[at] for answer in answers]) for at in wanted}

    def _judge(self, folder: Path, way: _Way, wanted: Sequence[int]) -> dict[int, Any]:
        """Run the original's models under Keras."""
        job = {
            "filename": self.filename,
            "source": self.buildings[0].source,
            "floatx": way.floatx,
            "trace": way.layers,
            "models": [asdict(model) for model in self.models],
            "wanted": list(wanted),
        }
        (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
        answers = run_child(
            "transpiler.verify.keras_child", folder, "keras.json", self.limit, KERAS_BACKEND=way.backend
        )
        return dict(zip(wanted, answers, strict=True))

    def _compare(
        self, folder: Path, mode: int, way: _Way, wanted: Sequence[int], judged: dict[int, Any]
    ) -> dict[int, Any]:
        """Run the translated models; what each of them answered."""
        result, building = self.modes[mode], self.buildings[mode]
        answers = {at: self._convert(folder, result, building.models[at], at, judged[at]) for at in wanted}
        job = {
            "code": result.code,
            "floatx": way.floatx,
            "models": [
                _torch_job(model, result, judged.get(at, {}), at in answers and not answers[at])
                for at, model in enumerate(building.models)
            ],
        }
        (folder / "torch.json").write_text(json.dumps(job), encoding="utf-8")
        if all(answers.values()):
            return answers
        try:
            found = run_child("transpiler.verify.torch_child", folder, "compared.json", self.limit)
        except ChildError as error:
            return {at: answer or {"part": f"the translation: {error}"} for at, answer in answers.items()}
        return {at: answer or found[at] for at, answer in answers.items()}

    @staticmethod
    def _convert(folder: Path, result: Result, model: BuiltModel, at: int, judged: Any) -> dict[str, Any]:
        """Convert the weights that Keras saved; empty where that went well."""
        if "why" in judged:
            return {"why": judged["why"]}
        import torch

        assert model.summary is not None
        try:
            alone = replace(result, models=(result.models[model.summary],))
            torch.save(alone.state_dict(folder / f"{at}.weights.h5"), folder / f"{at}.pt")
        except Refusal as error:
            return {"part": f"weights: {error.message}"}
        return {}

    def _weigh(self, at: int, way: _Way, judged: Any, answers: list[Any]) -> Verdict:
        """The verdict from what the modes answered."""
        for answer, label in zip(answers, (" with --drop-in", ""), strict=True):
            if "why" in answer:
                return self._verdict(at, NOT_COMPARABLE, answer["why"])
            if "part" in answer:
                return self._verdict(at, DIFFERENT, f"{answer['part']}{label}")
            difference = answer["difference"]
            if difference is None or difference > TOLERANCE[way.floatx]:
                size = "shapes or infinities" if difference is None else f"largest difference {difference:.1e}"
                where = f"first at layer `{answer['layer']}`, " if answer.get("layer") else ""
                return self._verdict(at, DIFFERENT, f"{where}{size}{label}")
        model = self.models[at]
        return Verdict(model.name, model.line, EQUAL, max(answer["difference"] for answer in answers))

    def _verdict(self, at: int, status: str, detail: str) -> Verdict:
        return Verdict(self.models[at].name, self.models[at].line, status, None, detail)


def _building(result: Result) -> Building:
    return Building("", ()) if result.building is None else result.building()


def _torch_job(model: BuiltModel, result: Result, judged: Any, compared: bool) -> dict[str, Any]:
    paths = {}
    if model.summary is not None:  # a model that others hand in may lack a translation
        paths = {layer["name"]: layer["module"] for layer in result.models[model.summary].layers}
    # Keras' and our automatic names may differ: layers are matched by place where their number is the same
    layers = judged.get("layers", [])
    by_place = list(paths.values()) if len(paths) == len(layers) else [paths.get(name, "") for name, _ in layers]
    return {
        **asdict(model),
        "compared": compared,
        "values": judged.get("values", {}),
        "layers": [[name, activation, path] for (name, activation), path in zip(layers, by_place, strict=True)],
    }
