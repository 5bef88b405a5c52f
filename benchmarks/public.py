"""What becomes of public programs: translate each file in a process of its own and count the outcomes.

``python benchmarks/public.py FILE...`` prints one line a file and a table of diagnostics at the end; ``--out DIR``
also keeps the translations, ``--verbose`` prints every diagnostic.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import traceback
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LIMIT = 60  # seconds for one file


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, help="a directory for the translations")
    parser.add_argument("--verbose", action="store_true", help="print every diagnostic")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(_translate(arguments.files[0])))
        return
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        _report(arguments, pool.map(_in_process, arguments.files))


def _translate(path: Path) -> dict[str, Any]:
    """Translate one file: the work of a child process."""
    sys.path.insert(0, str(ROOT))
    from transpiler import transpile

    try:
        text = _notebook_code(path) if path.suffix == ".ipynb" else path.read_text(encoding="utf-8", errors="replace")
    except json.JSONDecodeError as error:
        return {"outcome": "not a notebook", "detail": str(error)}
    try:
        result = transpile(text, filename=path.name)
    except Exception:  # noqa: BLE001 - a crash is one of the outcomes
        return {"outcome": "crash", "detail": traceback.format_exc()}
    found = [(d.code, d.severity, d.line, d.message) for d in result.diagnostics]
    outcome = "translated" if result.complete else "refused in part"
    if result.code == text:
        outcome = "left alone"
    return {"outcome": outcome, "diagnostics": found, "code": result.code, "models": len(result.models)}


def _notebook_code(path: Path) -> str:
    """The code cells of a notebook, one after the other, without the lines that are IPython's."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    lines = [line for source in sources for line in [*source.splitlines(), ""]]
    return "\n".join(line for line in lines if not line.lstrip().startswith(("%", "!"))) + "\n"


def _in_process(path: Path) -> tuple[Path, dict[str, Any]]:
    command = [sys.executable, __file__, "--one", str(path)]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        return path, {"outcome": "timeout"}
    if done.returncode:
        return path, {"outcome": "crash", "detail": done.stderr}
    return path, json.loads(done.stdout.splitlines()[-1])


def _report(arguments: argparse.Namespace, answers: Any) -> None:
    outcomes: Counter[str] = Counter()
    codes: Counter[str] = Counter()
    for path, answer in answers:
        outcomes[answer["outcome"]] += 1
        diagnostics = answer.get("diagnostics", [])
        counted = Counter(code for code, severity, _, _ in diagnostics if severity == "error")
        codes.update(counted)
        summary = " ".join(f"{code}x{n}" for code, n in sorted(counted.items()))
        print(f"{answer['outcome']:16} models={answer.get('models', 0):<3} {path} {summary}")
        if "detail" in answer:
            print("    " + "\n    ".join(answer["detail"].strip().splitlines()[-6:]))
        if arguments.verbose:
            print(*(f"    {line}: {code} {message}" for code, _, line, message in diagnostics), sep="\n")
        if arguments.out and "code" in answer:
            (arguments.out / f"{path.stem}_torch.py").write_text(answer["code"], encoding="utf-8")
    print(*(f"{n:6} {name}" for name, n in [*outcomes.most_common(), *codes.most_common()]), sep="\n")


if __name__ == "__main__":
    main()
