"""The keys of the history, as other versions of Keras name them."""

from __future__ import annotations

import pytest

from transpiler import transpile

PROGRAM = """
import keras
import numpy as np
x, y = np.random.rand(20, 4), np.random.rand(20, 1)
m = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, activation="sigmoid")])
m.compile("sgd", "mse", metrics={metrics})
h = m.fit(x, y, validation_split=0.2)
print({read})
"""


@pytest.mark.parametrize(
    ("metrics", "read", "expected"),
    [
        ("['accuracy']", "h.history['acc']", "h['accuracy']"),
        ("['acc']", "h.history['val_accuracy']", "h['val_acc']"),
        ("['mae']", "h.history['val_mean_absolute_error']", "h['val_mae']"),
        ("['mean_squared_error']", "h.history['mse']", "h['mean_squared_error']"),
        ("[keras.metrics.BinaryAccuracy(name='acc')]", "h.history['acc']", "h['acc']"),
        ("['mae']", "h.history['loss']", "h['loss']"),
    ],
)
def test_history_key(metrics: str, read: str, expected: str) -> None:
    result = transpile(PROGRAM.format(metrics=metrics, read=read))
    assert result.complete, result.diagnostics
    assert f"print({expected})" in result.code.replace('"', "'")


def test_history_key_in_a_variable() -> None:
    source = PROGRAM.format(metrics="['accuracy']", read="[h.history[key] for key in ('loss', 'acc')]")
    assert "KT301" in {found.code for found in transpile(source).diagnostics}


def test_two_metrics_of_one_name() -> None:
    metrics = "[keras.metrics.BinaryAccuracy(), 'binary_accuracy']"
    assert not transpile(PROGRAM.format(metrics=metrics, read="h")).complete


def test_modules_called_like_what_compile_becomes() -> None:
    source = PROGRAM.replace("import keras\n", "import keras\nfrom keras import metrics, losses\n", 1)
    result = transpile(source.format(metrics="[metrics.MeanAbsoluteError()]", read="h.history"))
    assert result.complete, result.diagnostics


def test_settings_of_keras_go() -> None:
    source = "import keras\nkeras.config.disable_traceback_filtering()\nprint(keras.__version__)\n"
    result = transpile(source)
    assert result.complete, result.diagnostics
    assert result.code.endswith("print(torch.__version__)\n")
    assert "traceback" not in result.code
