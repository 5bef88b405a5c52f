"""How long a translation takes, against the floor: parsing the source with LibCST and formatting the output with black.

    python benchmarks/speed.py [FILE...]

Translates every fixture, two programs of about 300 lines (one from a few layers and helpers, one from several fixtures
one after the other) and the files that are given. Prints a table; asserts nothing. Both figures of a ratio are measured
in turn in one run: each is the best of several turns, of processor time, after one turn that loads everything; helper
functions that earlier translations have formatted are not formatted again, as in any run over several files.
The last rows are whole processes; their floors: an empty process, and importing LibCST, black and Jinja plus the
floor of the file.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

TURNS = 5
TARGET = 2.5
FIXTURES = ("resnet_blocks", "unet_segmentation", "train_clothes", "siamese", "digits_mlp")
HEADER = f"{'milliseconds of processor time':<44} {'lines':>5} {'floor':>8} {'ours':>8}  ratio"
HEAVY = ("torch", "tensorflow", "keras", "h5py", "numpy")


def sample(lines: int = 300) -> str:
    """Return a program like the ones people have: imports, data, helpers, a model, training, plots."""
    head = '''"""Train a residual network on CIFAR-10."""

import numpy as np
from tensorflow import keras
from tensorflow.keras import layers

num_classes = 10
epochs = 3

(x_train, y_train), (x_test, y_test) = keras.datasets.cifar10.load_data()
x_train = x_train.astype("float32") / 255.0
x_test = x_test.astype("float32") / 255.0
y_train = keras.utils.to_categorical(y_train, num_classes)
y_test = keras.utils.to_categorical(y_test, num_classes)


def block(x, filters, stride=1):
    shortcut = x
    x = layers.Conv2D(filters, 3, strides=stride, padding="same")(x)
    x = layers.BatchNormalization()(x)
    x = layers.ReLU()(x)
    x = layers.Conv2D(filters, 3, padding="same")(x)
    x = layers.BatchNormalization()(x)
    if stride != 1:
        shortcut = layers.Conv2D(filters, 1, strides=stride)(shortcut)
    return layers.ReLU()(layers.add([x, shortcut]))


inputs = keras.Input(shape=x_train.shape[1:])
x = layers.Conv2D(32, 3, padding="same", activation="relu")(inputs)
for filters in (32, 64, 128):
    x = block(x, filters, stride=2 if filters != 32 else 1)
    x = block(x, filters)
x = layers.GlobalAveragePooling2D()(x)
outputs = layers.Dense(num_classes, activation="softmax")(x)
model = keras.Model(inputs, outputs)
model.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
model.fit(x_train, y_train, batch_size=128, epochs=epochs, validation_data=(x_test, y_test))
print(model.evaluate(x_test, y_test, verbose=0))
'''
    plain = '''

def describe_{n}(values, label="run {n}"):
    """Print what a series of numbers looks like."""
    values = np.asarray(values, dtype="float64")
    mean, spread = values.mean(), values.std()
    for index, value in enumerate(values):
        if abs(value - mean) > 3 * spread:
            print(f"{{label}}: outlier {{index}} = {{value:.3f}}")
    print(f"{{label}}: {{mean:.3f}} +- {{spread:.3f}} ({{len(values)}} values)")
'''
    parts = [head]
    while sum(part.count("\n") for part in parts) < lines:
        parts.append(plain.format(n=len(parts)))
    return "".join(parts)


def fixtures() -> str:
    """Return several fixtures as one program of about 300 lines."""
    folder = Path(__file__).resolve().parent.parent / "fixtures"
    return "\n\n".join((folder / name / f"{name}.py").read_text() for name in FIXTURES)


def best(*actions: Callable[[], object], clock: Callable[[], float] = time.process_time) -> list[float]:
    """Return the shortest of several times of each action, in milliseconds, measured in turn."""
    times: list[list[float]] = []
    for _ in range(TURNS + 1):
        row = []
        for action in actions:
            start = clock()
            action()
            row.append(1000 * (clock() - start))
        times.append(row)
    return [min(column) for column in zip(*times[1:], strict=True)]


@dataclass(frozen=True)
class Row:
    """One file or process: its floor and what it takes, in milliseconds."""

    name: str
    lines: int
    floor: float
    ours: float

    def __str__(self) -> str:
        return f"{self.name:<44} {self.lines:5d} {self.floor:8.1f} {self.ours:8.1f}  {self.ours / self.floor:5.2f} x"


def translation_row(name: str, source: str) -> Row:
    """Measure the translation of one program in this process."""
    import libcst

    from transpiler import transpile
    from transpiler.source.format import format_code

    code = transpile(source, name).code
    parse, layout, whole = best(
        lambda: libcst.parse_module(source), lambda: format_code(code), lambda: transpile(source, name)
    )
    return Row(name, source.count("\n"), parse + layout, whole)


def children_time() -> float:
    """Return the processor time of the processes that have ended."""
    spent = os.times()
    return spent.children_user + spent.children_system


def process_rows(source: str, floor: float) -> list[Row]:
    """Measure whole processes: the start of the command, and one file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "net.py")
        path.write_text(source)
        commands = (
            ["-c", "pass"],
            ["-c", "import libcst, black, jinja2"],
            ["-m", "transpiler", "--version"],
            ["-m", "transpiler", str(path), "-o", "-"],
        )
        bare, needed, version, one = best(*(partial(quiet, args) for args in commands), clock=children_time)
        print(f"\nimported by `transpile FILE`: {loaded(path)}\n\n{HEADER}")
    return [
        Row("process: transpile --version / pass", 0, bare, version),
        Row("process: transpile FILE / imports + floor", source.count("\n"), needed + floor, one),
    ]


def loaded(path: Path) -> str:
    """Say which heavy packages a translation by the command has imported by its end."""
    code = (
        "import sys\nfrom transpiler.cli import main\n"
        f"sys.argv = ['transpile', {str(path)!r}, '-o', '-']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"print(*[name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    found = done.stderr.splitlines()[-1].split()
    return f"imported: {', '.join(found)}" if found else f"none of {', '.join(HEAVY)}"


def quiet(args: list[str]) -> None:
    subprocess.run([sys.executable, *args], check=False, capture_output=True)


def sources() -> dict[str, str]:
    """Return the programs by name."""
    folder = Path(__file__).resolve().parent.parent / "fixtures"
    paths = [*(found / f"{found.name}.py" for found in sorted(folder.iterdir()) if found.is_dir()), *sys.argv[1:]]
    found = {Path(path).name: Path(path).read_text() for path in paths}
    return {"sample of 300 lines": sample(), "fixtures one after the other": fixtures(), **found}


def main() -> None:
    print(HEADER)
    rows = []
    for name, source in sources().items():
        rows.append(translation_row(name, source))
        print(rows[-1], flush=True)
    ratios = [row.ours / row.floor for row in rows]
    print(f"\nmedian {median(ratios):.2f} x, worst {max(ratios):.2f} x (at most {TARGET} x is the aim)")
    first = Path(__file__).resolve().parent.parent / "fixtures" / "digits_mlp" / "digits_mlp.py"
    floor = next(row.floor for row in rows if row.name == first.name)
    for row in process_rows(first.read_text(), floor):
        print(row)


if __name__ == "__main__":
    main()
