"""What becomes of public programs: translate every Keras file below some directories, and count the outcomes.

    python benchmarks/corpus.py DIR... [--verify] [--jobs N] [--limit SECONDS] [--json OUT] [--list CODE]

Each file is translated in a process of its own, notebooks too. Prints how many files there are, how
many were translated without an error, what the others were told (by code, the most frequent first, with the most
frequent messages), and what crashed or ran out of time, of which there must be none. With ``--verify`` (slow) it also
runs the files' model-building code under real Keras: how many models Keras makes of them, and how many of these are
translated and equal. ``--json`` keeps the outcomes for comparing two runs; ``--list`` prints the places of one code.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
UNREADABLE = ("KT001", "KT002")
Answer = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="+", type=Path, metavar="DIR")
    parser.add_argument("--verify", action="store_true", help="compare with real Keras: runs code of the files")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="files at a time")
    parser.add_argument("--limit", type=float, default=60.0, help="seconds for the translation of one file")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the outcomes of all files")
    parser.add_argument("--list", metavar="CODE", help="print the places of this diagnostic")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(_one(arguments.paths[0], verify=arguments.verify)))
        return
    files = [path for given in arguments.paths for path in _keras_files(given)]
    with ThreadPoolExecutor(arguments.jobs) as pool:
        answers = list(pool.map(lambda path: _apart(path, arguments), files))
    outcomes = dict(zip(map(str, files), answers, strict=True))
    if arguments.json:
        arguments.json.write_text(json.dumps(outcomes, indent=1), encoding="utf-8")
    if arguments.list:
        _print_places(outcomes, arguments.list)
    _print_outcomes(outcomes)
    if arguments.verify:
        _print_models(outcomes)


def _keras_files(given: Path) -> Iterator[Path]:
    """The programs below a directory that mention Keras."""
    found = sorted(path for path in given.rglob("*") if path.suffix in (".py", ".ipynb")) if given.is_dir() else [given]
    for path in found:
        if path.is_file() and b"keras" in path.read_bytes().lower():
            yield path


# -- one file ---------------------------------------------------------------------------------------------------------
def _apart(path: Path, arguments: argparse.Namespace) -> Answer:
    """Do one file in a process of its own."""
    command = [sys.executable, __file__, "--one", str(path)]
    answer = _answer_of(command, arguments.limit)
    if arguments.verify and answer["outcome"] not in ("timed out", "crashed", "unreadable"):
        answer |= {"verified": _answer_of([*command, "--verify"], 1800.0)}
    return answer


def _answer_of(command: list[str], limit: float) -> Answer:
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=limit)
    except subprocess.TimeoutExpired:
        return {"outcome": "timed out"}
    if done.returncode:
        return {"outcome": "crashed", "detail": done.stderr[-2000:]}
    answer: Answer = json.loads(done.stdout.splitlines()[-1])
    return answer


def _one(path: Path, *, verify: bool) -> Answer:
    """Translate one file, or compare it: the work of a child process."""
    text = path.read_text(encoding="utf-8", errors="replace")
    return _verified(text, path) if verify else _translated(text, path)


def _translated(text: str, path: Path) -> Answer:
    from transpiler import transpile

    try:
        result = transpile(text, filename=path.name)
    except Exception:  # noqa: BLE001 - a crash is one of the outcomes
        return {"outcome": "crashed", "detail": traceback.format_exc()[-2000:]}
    errors = [(d.code, _place(d), d.message) for d in result.diagnostics if d.severity == "error"]
    outcome = "unreadable" if any(code in UNREADABLE for code, _, _ in errors) else "told" if errors else "translated"
    return {"outcome": outcome, "errors": errors, "models": len(result.models)}


def _place(found: Any) -> str:
    return f"{found.line}" if found.cell is None else f"cell {found.cell}:{found.line}"


def _verified(text: str, path: Path) -> Answer:
    """The verdicts on the models, and the lines at which real Keras makes models."""
    from transpiler.source.cells import join
    from transpiler.source.notebooks import SUFFIX, read_notebook
    from transpiler.verify import verify
    from transpiler.verify.children import ChildError, run_child
    from transpiler.verify.compare import backend_for

    text = join(read_notebook(text)).text if path.suffix == SUFFIX else text
    verdicts = [(v.line, v.name, v.status, v.detail) for v in verify(text, f"{path.stem}.py", limit=240.0)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "job.json").write_text(json.dumps({"filename": path.name, "source": text}), encoding="utf-8")
        try:
            census = run_child("benchmarks.census", folder, "census.json", 300.0, KERAS_BACKEND=backend_for(text))
        except ChildError as error:
            census = {"problem": str(error)}
    return {"verdicts": verdicts, "census": census}


# -- the tables -------------------------------------------------------------------------------------------------------
def _print_outcomes(outcomes: dict[str, Answer]) -> None:
    counted = Counter(answer["outcome"] for answer in outcomes.values())
    print(f"\n{len(outcomes):6} files")
    for name in ("translated", "told", "unreadable", "crashed", "timed out"):
        print(f"{counted[name]:6} {name}")
    for path, answer in outcomes.items():
        if answer["outcome"] in ("crashed", "timed out"):
            print(f"       {answer['outcome']}: {path}\n{answer.get('detail', '')}")
    errors = [(code, message) for answer in outcomes.values() for code, _, message in answer.get("errors", [])]
    print("\nwhat was told")
    for code, count in Counter(code for code, _ in errors).most_common():
        print(f"{count:6} {code}")
        messages = Counter(message for own, message in errors if own == code)
        for message, times in messages.most_common(5):
            print(f"       {times:5} {message[:110]}")


def _print_places(outcomes: dict[str, Answer], code: str) -> None:
    for path, answer in outcomes.items():
        for own, line, message in answer.get("errors", []):
            if own == code:
                print(f"{path}:{line}: {own} {message}")


def _print_models(outcomes: dict[str, Answer]) -> None:
    """Models are told apart by the line that makes them."""
    totals: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for path, answer in outcomes.items():
        found = answer.get("verified", {})
        census = found.get("census", {})
        status = _by_line(found.get("verdicts", []))
        for line, name, state, detail in found.get("verdicts", []):
            if state == "different":
                print(f"different: {path}:{line}: `{name}` {detail}")
            elif state == "not comparable":
                reasons[detail[:100]] += 1
        aside = {*census.get("own", []), *census.get("ready", [])}
        built = {*census.get("plain", []), *(n for n, state in status.items() if state in ("equal", "different"))}
        totals["made by real Keras"] += len(built - aside)
        totals["of these translated and equal"] += sum(status.get(line) == "equal" for line in built - aside)
        totals["of these different"] += sum(status.get(line) == "different" for line in built - aside)
        totals["with layers of the program's own (aside)"] += len(census.get("own", []))
        totals["ready-made by keras.applications (aside)"] += len(census.get("ready", []))
        totals["files whose models could not be counted"] += "problem" in census or "outcome" in found
    print("\nmodels")
    for name, count in totals.items():
        print(f"{count:6} {name}")
    share = totals["of these translated and equal"] / max(totals["made by real Keras"], 1)
    print(f"{share:6.1%} translated and equal; the aim is 85%\n\nnot comparable")
    for reason, count in reasons.most_common(25):
        print(f"{count:6} {reason}")


def _by_line(verdicts: list[Any]) -> dict[int, str]:
    """The worst verdict at each line."""
    rank = {"equal": 0, "not comparable": 1, "different": 2}
    found: dict[int, str] = {}
    for line, _, state, _ in verdicts:
        found[line] = max(found.get(line, "equal"), state, key=rank.__getitem__)
    return found


if __name__ == "__main__":
    main()
