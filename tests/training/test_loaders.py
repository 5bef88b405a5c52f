"""Training on data sets, sequences and generators: the same batches, and so the same curves, as Keras."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("keras")
pytest.importorskip("torch")
pytest.importorskip("tensorflow")

from tests.training.curves import HEAD, compare, data, program
from transpiler import transpile

COMPILE = "optimizer='adam', loss='sparse_categorical_crossentropy', metrics=['accuracy']"
SETS = """
import tensorflow as tf
train = tf.data.Dataset.from_tensor_slices((x[:50], y[:50]))
test = tf.data.Dataset.from_tensor_slices((x[50:], y[50:])).batch(7)
"""
END = "score = model.evaluate(test, verbose=0)\npredicted = model.predict(test, verbose=0)\n"


def check(text: str, targets: str = "index", args: str = COMPILE, units: int = 4) -> dict[str, Any]:
    return compare(program(units, "softmax" if units > 1 else "sigmoid", args, text), data(units, targets))


PIPELINES = {
    "plain": "train.batch(16)",
    "remainder": "train.batch(16, drop_remainder=True).prefetch(tf.data.AUTOTUNE)",
    "cached": "train.cache().batch(16).prefetch(buffer_size=2)",
    "take and skip": "train.skip(3).take(30).batch(8)",
    "twice": "train.repeat(2).batch(16)",
    "joined": "train.take(9).concatenate(train.skip(20)).batch(10)",
    "mapped": "train.map(lambda a, b: (tf.cast(a, tf.float64) * 2, b), num_parallel_calls=tf.data.AUTOTUNE).batch(16)",
    "mapped batches": "train.batch(16).map(lambda a, b: (a / 2.0, tf.expand_dims(b, -1)))",
    "zipped": "tf.data.Dataset.zip((train.map(lambda a, b: a), train.map(lambda a, b: b))).batch(16)",
}


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_pipeline(pipeline: str) -> None:
    fit = f"history = model.fit({PIPELINES[pipeline]}, epochs=3, validation_data=test, verbose=0).history\n"
    check(SETS + fit + END)


def test_one_hot_in_a_function() -> None:
    function = "def prepare(a, b):\n    b = tf.one_hot(b, 4)\n    return tf.reshape(a, (5,)), b\n"
    sets = SETS.replace(".batch(7)", ".map(prepare).batch(7)").replace("tf\n", f"tf\n{function}", 1)
    fit = "history = model.fit(train.map(prepare).batch(16), epochs=3, validation_data=test, verbose=0).history\n"
    check(sets + fit + END, args=COMPILE.replace("sparse_", ""))


STEPS = {
    "goes on": "train.batch(8).repeat(), steps_per_epoch=4, validation_data=test, validation_steps=2",
    "of arrays": "x, y, batch_size=16, shuffle=False, steps_per_epoch=5, validation_data=(x, y), validation_steps=3",
    "every second": "train.batch(8), validation_data=test, validation_freq=2",
    "weighted classes": "train.batch(8), class_weight={0: 2.0, 1: 0.5, 2: 1.0, 3: 0.7}, validation_data=test",
    "arrays to validate": "train.batch(8), validation_data=(x[50:], y[50:])",
}


@pytest.mark.parametrize("steps", STEPS)
def test_steps(steps: str) -> None:
    check(f"{SETS}history = model.fit({STEPS[steps]}, epochs=5, verbose=0).history\n{END}")


SEQUENCE = """
import math
from keras.utils import PyDataset


class Rows(PyDataset):
    def __init__(self, x, y, size):
        super().__init__()
        self.x, self.y, self.size = x, y, size
        self.ended = 0

    def __len__(self):
        return math.ceil(len(self.x) / self.size)

    def __getitem__(self, index):
        rows = slice(index * self.size, (index + 1) * self.size)
        return np.array(self.x[rows]), np.array(self.y[rows])

    def on_epoch_end(self):
        self.ended += 1


train, test = Rows(x[:50], y[:50], 16), Rows(x[50:], y[50:], 7)
"""


def test_sequence() -> None:
    fit = "history = model.fit(train, epochs=3, shuffle=False, validation_data=test, verbose=0).history\n"
    found = check(SEQUENCE + fit + END)
    assert found["train"].ended == 3


GENERATOR = """
def batches(x, y, size):
    while True:
        for start in range(0, len(x), size):
            yield x[start:start + size], y[start:start + size]


train = batches(x[:50], y[:50], 16)
test = (x[50:], y[50:])
"""


def test_generator() -> None:
    fit = "history = model.fit(train, steps_per_epoch=3, epochs=4, validation_data=test, verbose=0).history\n"
    check(GENERATOR + fit + "score = model.evaluate(x, y, verbose=0)\n")


def test_generator_methods_of_keras_2() -> None:
    fit = "h = model.fit_generator(train, 3, epochs=4, validation_data=test, verbose=0, workers=1)\n"
    result = transpile(program(4, "softmax", COMPILE, GENERATOR + fit))
    assert "Steps(Batches(train, lambda x, y: (x, np.reshape(y, -1))), 3)" in result.code
    assert not [d for d in result.diagnostics if d.line > 1 and "generator" in d.message]


def test_images_are_turned() -> None:
    source = (
        HEAD
        + """
import tensorflow as tf
model = keras.Sequential([keras.Input((6, 6, 2)), layers.Conv2D(3, 3), layers.Flatten(), layers.Dense(1)])
model.compile(optimizer="sgd", loss="mse")
sets = tf.data.Dataset.from_tensor_slices((images, y)).batch(16)
model.fit(sets, epochs=1, verbose=0)
"""
    )
    result = transpile("import numpy as np\nimages, y = np.zeros((9, 6, 6, 2)), np.zeros(9)\n" + source)
    assert not result.diagnostics
    assert "lambda x, y: (channels_first(x), y.reshape(-1, 1))" in result.code


@pytest.mark.parametrize(
    "text",
    [
        "model.fit(train, epochs=2)",  # single samples
        "model.fit(train.shuffle(9, reshuffle_each_iteration=False).batch(2))",
        "model.fit(train.filter(lambda a, b: b > 0).batch(2))",
        "model.fit(train.map(lambda a, b: (tf.image.flip_left_right(a), b)).batch(2))",
        "model.fit(train.map(other).batch(2))",
        "model.fit(train.batch(2), validation_split=0.1)",
        "model.fit(other, epochs=2)",
    ],
)
def test_refused(text: str) -> None:
    result = transpile(program(4, "softmax", COMPILE, f"from elsewhere import other\n{SETS}{text}\n"))
    assert [d for d in result.diagnostics if d.severity == "error"]
