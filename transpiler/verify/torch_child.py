"""Runs the models of a translation on the inputs that Keras had, and compares. A process of its own, without Keras.

``python -m transpiler.verify.torch_child JOB``: reads ``JOB/torch.json`` and what the other child wrote; writes
``JOB/compared.json``. Of the translated program only what the classes need is executed: no training, no data.
"""

from __future__ import annotations

import ast
import json
import math
import re
import symtable
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from transpiler.verify.exercise import NotComparableError, flat, one_line


def class_code(code: str, wanted: set[str]) -> str:
    """The definitions of a program that ``wanted`` names need: imports, classes, functions, constants."""
    body = ast.parse(code).body
    bound = [_bound(statement) for statement in body]
    needed, chosen = set(wanted), set[int]()
    while True:
        more = {at for at, names in enumerate(bound) if names & needed} - chosen
        if not more:
            break
        chosen |= more
        for at in more:
            needed |= _read(ast.unparse(body[at]))
    return ast.unparse(ast.Module([s for at, s in enumerate(body) if at in chosen or _is_future(s)], []))


def _read(code: str) -> set[str]:
    """The names of the module that a statement reads, also in the functions in it."""
    tables = [symtable.symtable(code, "<statement>", "exec")]
    names: set[str] = set()
    while tables:
        table = tables.pop()
        tables.extend(table.get_children())
        top = table.get_type() == "module"
        names |= {s.get_name() for s in table.get_symbols() if s.is_referenced() and (top or s.is_global())}
    return names


def _bound(statement: ast.stmt) -> set[str]:
    if isinstance(statement, (ast.ClassDef, ast.FunctionDef)):
        return {statement.name}
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        return {alias.asname or alias.name.partition(".")[0] for alias in statement.names}
    if isinstance(statement, (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.If, ast.For, ast.Try)):
        return {n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return set()


def _is_future(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.ImportFrom) and statement.module == "__future__"


class Builder:
    """Makes the models of one translation, those that are handed into others once."""

    def __init__(self, job: Any) -> None:
        self.job = job
        self.names: dict[str, Any] = {"__name__": "program"}
        classes = {model["class_name"] for model in job["models"]}
        exec(compile(class_code(job["code"], classes), "<translation>", "exec"), self.names)  # noqa: S102
        self.made: dict[int, nn.Module] = {}

    def make(self, number: int) -> nn.Module:
        """The model of this number."""
        if number not in self.made:
            model = self.job["models"][number]
            given = {name: self._argument(number, name, text) for name, text in model["arguments"].items()}
            self.made[number] = self.names[model["class_name"]](**given).eval()
        return self.made[number]

    def _argument(self, number: int, name: str, text: str) -> Any:
        values = self.job["models"][number]["values"]
        if name in values:
            return values[name]
        for other in reversed(range(number)):
            reference = self.job["models"][other]["reference"]
            if reference and (text == reference or text.startswith((f"{reference}.", f"{reference}["))):
                return _part(self.make(other), text.removeprefix(reference))
        raise NotComparableError(f"the value of `{text}`, which its class takes, is not known")


def _part(module: nn.Module, path: str) -> nn.Module:
    for name in re.findall(r"[A-Za-z_0-9]+", path):
        module = module[int(name)] if name.isdigit() else getattr(module, name)  # type: ignore[index]
    return module


def compare(builder: Builder, number: int, folder: Path) -> dict[str, Any]:
    """Load the weights, run the model, and say how far its outputs are from Keras'."""
    job = builder.job["models"][number]
    dtype = getattr(torch, builder.job["floatx"])
    module = builder.make(number).to(dtype)
    state = torch.load(folder / f"{number}.pt", weights_only=True)
    module.load_state_dict(state, strict=True)
    arrays = dict(np.load(folder / f"{number}.npz"))
    given = zip(_numbered(arrays, "input"), _flags(job, "inputs"))  # noqa: B905 - there are flags enough
    inputs = [_entering(array, first, dtype) for array, first in given]
    seen = _watch(module, job["layers"]) if job["layers"] else {}
    with torch.no_grad():
        outputs = flat(module(*inputs))
    expected = _numbered(arrays, "output")
    if len(outputs) != len(expected):
        return {"part": f"{len(outputs)} outputs instead of {len(expected)}"}
    if job["final_activation"]:
        outputs = [_finished(job["final_activation"], output) for output in outputs]
    found = [_leaving(output, first) for output, first in zip(outputs, _flags(job, "outputs"))]  # noqa: B905
    worst = max((difference(f, e) for f, e in zip(found, expected, strict=True)), default=math.inf)
    answer: dict[str, Any] = {"difference": worst if math.isfinite(worst) else None}
    if seen:
        answer["layer"] = _parting(job["layers"], seen, arrays)
    return answer


def _flags(job: Any, side: str) -> list[bool]:
    return [*job[f"{side}_first"], *([False] * 100)]


def _entering(array: Any, first: bool, dtype: torch.dtype) -> torch.Tensor:
    tensor = torch.from_numpy(np.ascontiguousarray(array))
    tensor = tensor.to(dtype) if tensor.is_floating_point() else tensor
    return tensor.movedim(-1, 1).contiguous() if first and tensor.ndim > 2 else tensor


def _leaving(tensor: torch.Tensor, first: bool) -> Any:
    return (tensor.movedim(1, -1) if first and tensor.ndim > 2 else tensor).numpy()


def _finished(template: str, output: torch.Tensor) -> torch.Tensor:
    """Apply the activation that the translation leaves to its loss."""
    from torch.nn import functional

    result = eval(template.format("y"), {"torch": torch, "F": functional, "nn": nn, "y": output})  # noqa: S307
    assert isinstance(result, torch.Tensor)
    return result


def difference(found: Any, expected: Any) -> float:
    """The largest error relative to the size of what was expected; infinite where the shapes differ."""
    if found.shape != expected.shape or not np.isfinite(found).all():
        return math.inf
    if not expected.size:
        return 0.0
    wide_found, wide_expected = np.asarray(found, "float64"), np.asarray(expected, "float64")
    return float(np.abs(wide_found - wide_expected).max() / max(np.abs(wide_expected).max(), 1e-12))


def _numbered(arrays: dict[str, Any], kind: str) -> list[Any]:
    count = sum(key.startswith(f"{kind}_") for key in arrays)
    return [arrays[f"{kind}_{at}"] for at in range(count)]


# -- where they part --------------------------------------------------------------------------------------------------
def _watch(module: nn.Module, layers: list[Any]) -> dict[str, Any]:
    """Note the output of every module that stands for a layer."""
    seen: dict[str, Any] = {}
    modules = dict(module.named_modules())
    for _, _, path in layers:
        if path in modules:
            modules[path].register_forward_hook(lambda _m, _i, out, path=path: seen.setdefault(path, flat(out)[0]))
    return seen


def _parting(layers: list[Any], seen: dict[str, Any], arrays: dict[str, Any]) -> str | None:
    """The first layer whose values are not Keras', whatever their order."""
    for at, (name, activation, path) in enumerate(layers):
        expected = arrays.get(f"layer_{at}")
        found = seen.get(path)
        if expected is None or found is None or found.numel() != expected.size:
            continue
        wanted = np.sort(np.asarray(expected, "float64"), axis=None)
        ways = [found, *_activated(activation, found)]
        if all(difference(np.sort(way.double().numpy(), axis=None), wanted) > 1e-3 for way in ways):
            return str(name)
    return None


def _activated(activation: str, value: torch.Tensor) -> list[torch.Tensor]:
    from torch.nn import functional

    if activation in ("softmax", "log_softmax"):
        return [getattr(functional, activation)(value, dim=dim) for dim in {1, -1}]
    function = getattr(functional, activation, None) if activation not in ("", "linear") else None
    return [] if function is None else [function(value)]


def _answer(job: Any, number: int, folder: Path) -> dict[str, Any]:
    if not job["models"][number]["compared"]:
        return {}
    try:
        return compare(Builder(job), number, folder)
    except NotComparableError as error:
        return {"why": str(error)}
    except Exception as error:  # noqa: BLE001 - whatever the translation raises is what one wants to know
        return {"part": f"the translation raises {one_line(error)}"}


def main() -> None:
    """Do the job."""
    folder = Path(sys.argv[1])
    job = json.loads((folder / "torch.json").read_text(encoding="utf-8"))
    torch.set_num_threads(1)
    answers = [_answer(job, number, folder) for number in range(len(job["models"]))]
    (folder / "compared.json").write_text(json.dumps(answers), encoding="utf-8")


if __name__ == "__main__":
    main()
