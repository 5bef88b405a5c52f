"""How long a translation takes, against the floor: parsing the source with LibCST and formatting the output with black.

    python benchmarks/speed.py [FILE...]

Without files, two programs of about 300 lines are made: one from a few layers and helpers, one from several of the
fixtures, one after the other. Prints a table; asserts nothing.
The target is at most 2.5 times the floor. Each figure is the best of several turns, after one that
loads everything; the last rows are whole processes.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

TURNS = 5
TARGET = 2.5
FIXTURES = ("resnet_blocks", "unet_segmentation", "train_clothes", "siamese", "digits_mlp")
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


def best(action: Callable[[], object], clock: Callable[[], float] = time.process_time) -> float:
    """Return the shortest of several times, in milliseconds; of processor time, which other programs disturb less."""
    action()
    times = []
    for _ in range(TURNS):
        start = clock()
        action()
        times.append(clock() - start)
    return 1000 * min(times)


def translation_rows(name: str, source: str) -> list[tuple[str, float, str]]:
    import libcst

    from transpiler import transpile
    from transpiler.source.format import format_code

    code = transpile(source, name).code
    parse = best(lambda: libcst.parse_module(source))
    layout = best(lambda: format_code(code))
    whole = best(lambda: transpile(source, name))
    floor = parse + layout
    lines = source.count("\n")
    return [
        (f"{name}: {lines} lines, libcst.parse_module", parse, ""),
        (f"{name}: black.format_str of the output", layout, ""),
        (f"{name}: floor", floor, "1.0 x"),
        (f"{name}: transpile", whole, f"{whole / floor:.2f} x (target {TARGET})"),
    ]


def process_rows(source: str) -> list[tuple[str, float, str]]:
    with tempfile.TemporaryDirectory() as folder:
        keras, plain = Path(folder, "net.py"), Path(folder, "plain.py")
        keras.write_text(source)
        plain.write_text("import os\n" * 300)
        commands = {
            "process: python -c pass": ["-c", "pass"],
            "process: transpile --version": ["-m", "transpiler", "--version"],
            "process: transpile, a file without Keras": ["-m", "transpiler", str(plain)],
            "process: python -c 'import libcst, black'": ["-c", "import libcst, black"],
            "process: transpile, the program above": ["-m", "transpiler", str(keras), "-o", "-"],
        }
        rows = [(name, best(partial(quiet, args), time.perf_counter), "") for name, args in commands.items()]
        return [*rows, ("process: imports of the last", 0.0, loaded(keras))]


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


def main() -> None:
    sources = {Path(name).name: Path(name).read_text() for name in sys.argv[1:]} or {
        "sample": sample(),
        "fixtures": fixtures(),
    }
    rows = [row for name, source in sources.items() for row in translation_rows(name, source)]
    rows += process_rows(next(iter(sources.values())))
    width = max(len(name) for name, _, _ in rows)
    for name, milliseconds, remark in rows:
        print(f"{name:<{width}}  {milliseconds:8.1f} ms  {remark}".rstrip())


if __name__ == "__main__":
    main()
