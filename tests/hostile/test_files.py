"""Files that are no usual programs: the command ends with a message and status 0, 1 or 2, and runs none of them."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
KERAS = b"import keras\nfrom keras import layers\n"
MODEL = b"m = keras.Sequential([keras.Input((4,)), layers.Dense(3)])\n"
NAMED = b"m = keras.Sequential([layers.Dense(3, input_dim=4, name=%s)], name=%s)\n"
EVIL = b"\"x'); import os; os.system('touch OWNED')  #\""

FILES: dict[str, tuple[bytes, set[int]]] = {
    "a list of 50,000 items": (KERAS + b"n = [" + b"1, " * 50_000 + b"]\n" + MODEL, {0}),
    "2,000 nested parentheses": (KERAS + b"n = " + b"(" * 2000 + b"1" + b")" * 2000 + b"\n" + MODEL, {2}),
    "150 nested parentheses": (KERAS + b"n = " + b"(" * 150 + b"1" + b")" * 150 + b"\n" + MODEL, {0, 2}),
    "5 MB": (KERAS + MODEL + b"# a comment of some length, again and again\n" * 120_000, {0, 1, 2}),
    "one line of 1 MB": (KERAS + b"t = '" + b"x" * 1_000_000 + b"'\n" + MODEL, {0, 1, 2}),
    "a NUL byte": (KERAS + b"a = 1\x00\n" + MODEL, {2}),
    "a byte order mark": (b"\xef\xbb\xbf" + KERAS + MODEL, {0}),
    "UTF-16": ((KERAS + MODEL).decode().encode("utf-16"), {0, 2}),
    "Latin-1 with a coding line": (b"# -*- coding: latin-1 -*-\n# caf\xe9\n" + KERAS + MODEL, {0}),
    "Latin-1 without one": (b"# caf\xe9\n" + KERAS + MODEL, {2}),
    "Windows line ends": ((KERAS + MODEL).replace(b"\n", b"\r\n"), {0}),
    "old Mac line ends": ((KERAS + MODEL).replace(b"\n", b"\r"), {0, 2}),
    "empty": (b"", {0}),
    "Python 2": (KERAS + MODEL + b"print 'hello'\nexec 'x'\n", {2}),
    "an open string": (KERAS + b"s = 'abc\n" + MODEL, {2}),
    "an open triple string": (KERAS + b's = """abc\n' + MODEL, {2}),
    "a name that wants to be code": (KERAS + NAMED % (EVIL, b"'m'"), {0}),
    "a model's name that wants to be code": (KERAS + NAMED % (b"'d'", EVIL), {0}),
    "a docstring that wants to be code": (b'"""x\\"\\"\\"\nimport os\nos.system(1)\n"""\n' + KERAS + MODEL, {0}),
    "lone surrogates": (KERAS + b"t = '\\ud800\\udfff \\ud800'\n" + NAMED % (b"t", b"t"), {0, 1}),
    "nested f-strings": (KERAS + b"w = 3\nn = f\"{f'{f\"\"\"{w!r:>{w}}\"\"\"}'} {{}} {w=}\"\n" + MODEL, {0, 1, 2}),
    "tabs and spaces mixed": (KERAS + b"if 1:\n\ta = 1\n        b = 2\n" + MODEL, {0, 2}),
    "form feeds": (KERAS.replace(b"\n", b"\n\x0c\n") + MODEL, {0}),
    "no newline at the end": ((KERAS + MODEL).rstrip(b"\n"), {0}),
    "a continued line at the end": (KERAS + MODEL + b"a = 1 + \\", {2}),
    "only a shebang": (b"#!/usr/bin/env python\n# keras\n", {0}),
    "2,000 nested lists": (KERAS + b"n = " + b"[" * 2000 + b"]" * 2000 + b"\n" + MODEL, {2}),
    "3,000 sums": (KERAS + b"n = " + b"1 + " * 3000 + b"1\n" + MODEL, {0, 1, 2}),
    "1,000 attributes": (KERAS + b"n = keras" + b".a" * 1000 + b"\n" + MODEL, {0, 1, 2}),
    "90 nested blocks": (KERAS + b"".join(b" " * i + b"if a:\n" for i in range(90)) + b" " * 90 + b"a = 1\n", {0}),
    "1,000 functions": (KERAS + b"".join(b"def f%d(x): return x\n" % i for i in range(1000)) + MODEL, {0}),
}  # fmt: skip


@pytest.mark.parametrize(("data", "statuses"), FILES.values(), ids=[name.replace(" ", "_") for name in FILES])
def test_a_strange_file(data: bytes, statuses: set[int], tmp_path: Path) -> None:
    (tmp_path / "input.py").write_bytes(data)
    command = [sys.executable, "-m", "transpiler", "input.py"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, timeout=60, check=False)
    said = done.stderr.decode("utf-8", "replace")
    assert done.returncode in statuses, said
    assert "Traceback" not in said
    assert "KT999" not in said
    assert not (tmp_path / "OWNED").exists()
    if done.returncode:
        assert said.startswith("input.py:")
    output = tmp_path / "input_torch.py"
    assert output.exists() == (done.returncode < 2 and b"import keras" in data)
    if output.exists():
        written = ast.parse(output.read_bytes())
        assert not any(isinstance(node, ast.Name) and node.id == "os" for node in ast.walk(written))
