"""What is cut out of a program for ``--verify``, and what is not."""

from __future__ import annotations

import ast

import pytest

from transpiler import Options, transpile
from transpiler.result import Building

HEAD = "import numpy as np\nimport keras\nfrom keras import layers\n"


def building(source: str, *entry: str) -> Building:
    """Slice a program."""
    result = transpile(HEAD + source, "program.py", Options(entry=entry))
    assert result.building is not None
    found = result.building()
    ast.parse(found.source)
    return found


def test_training_printing_and_files_go() -> None:
    text = building("""
model = keras.Sequential([keras.Input((4,)), layers.Dense(2)])
model.compile("adam", "mse")
print("params", model.count_params())
rows = open("log.txt", "w")
history = model.fit(np.zeros((8, 4)), np.zeros((8, 2)))
rows.write(str(history.history))
""").source
    assert "__record__(0, keras.Sequential" in text
    for gone in ("compile", "fit", "print", "open", "write", "history"):
        assert gone not in text


def test_what_the_model_reads_stays_and_what_that_reads() -> None:
    text = building("""
BASE = 8
config = {"units": BASE}
config["units"] = config["units"] * 2
unused = 3

def head(n):
    return layers.Dense(n)

model = keras.Sequential([keras.Input((4,))])
model.add(head(config["units"]))
other = unused + 1
""").source
    for kept in ("BASE = 8", 'config["units"] = ', "def head", "model.add"):
        assert kept in text
    assert "unused" not in text


def test_data_become_arrays_of_their_shape() -> None:
    text = building("""
(x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
x_train = x_train.reshape(60000, 784).astype("float32") / 255
model = keras.Sequential([keras.Input((x_train.shape[1],)), layers.Dense(10)])
""").source
    assert "load_data" not in text
    assert "__array__([60000, 784], 'float32')" in text


def test_sizes_that_only_the_program_knows_are_computed_there() -> None:
    text = building("""
header = open("data.csv").readline().split(",")
table = np.zeros((100, len(header) - 1))
model = keras.Sequential([keras.Input((table.shape[-1],)), layers.Dense(10)])
""").source
    assert "__array__([100, len(header) - 1], 'float64')" in text


def test_a_main_function_is_cut_to_what_builds() -> None:
    found = building("""
def main():
    data = np.load("data.npz")
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2)])
    model.compile("adam", "mse")
    for epoch in range(100):
        print(epoch)
    return model.evaluate(data["x"], data["y"])

if __name__ == "__main__":
    main()
""")
    assert "main()" in found.source
    for gone in ("np.load", "for epoch", "evaluate"):
        assert gone not in found.source
    assert [model.name for model in found.models] == ["model"]


def test_methods_that_do_not_build_go() -> None:
    text = building("""
class Trainer:
    def __init__(self):
        self.net = self.build()

    def build(self):
        return keras.Sequential([keras.Input((4,)), layers.Dense(2)])

    def train(self):
        self.net.fit(np.load("x.npy"), np.load("y.npy"))

trainer = Trainer()
trainer.train()
""").source
    assert "def build" in text
    assert "train()" not in text
    assert "np.load" not in text


def test_branches_and_loops_around_stay() -> None:
    text = building("""
deep = True
x = inputs = keras.Input((4,))
for units in [8, 4]:
    x = layers.Dense(units)(x)
    print(units)
if deep:
    x = layers.Dense(3)(x)
else:
    print("shallow")
model = keras.Model(inputs, x)
""").source
    assert "for units in [8, 4]:" in text
    assert "if deep:" in text
    assert "print" not in text


@pytest.mark.parametrize(
    ("source", "entry", "line"),
    [
        (
            "def build(n):\n    return keras.Sequential([keras.Input((4,)), layers.Dense(n)])\n",
            (),
            "__alone__(2, build)",
        ),
        (
            "def build(n):\n    return keras.Sequential([keras.Input((4,)), layers.Dense(n)])\n",
            ("build(3)",),
            "__run__(lambda: build(3))",
        ),
        (
            "class Nets:\n    def build(self):\n        return keras.Sequential([layers.Dense(1, input_dim=4)])\n",
            (),
            "__alone__(2, Nets, 'build')",
        ),
    ],
)
def test_builders_that_nothing_calls_are_called_at_the_end(source: str, entry: tuple[str, ...], line: str) -> None:
    assert building(source, *entry).source.splitlines()[-1] == line


def test_layouts_and_lines_of_models_are_told() -> None:
    found = building("""
model = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(4, 3)])
other = keras.Sequential([keras.Input((4,)), layers.Dense(len(open("classes.txt").readlines()))])
""")
    image, dense = found.models
    assert (image.line, image.inputs_first, image.outputs_first) == (5, (True,), (True,))
    assert (dense.line, dense.inputs, dense.inputs_first) == (6, ((None, 4),), (False,))
    assert list(dense.arguments.values()) == ["len(open('classes.txt').readlines())"]
