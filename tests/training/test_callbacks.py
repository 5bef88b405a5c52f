"""Callbacks: the same decisions at the same epochs as Keras', on curves that are written down."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

keras = pytest.importorskip("keras")
torch = pytest.importorskip("torch")

from tests.training.curves import compare, program, run_keras, run_torch  # noqa: E402
from transpiler import transpile  # noqa: E402

# A training whose curves are all over the place: few samples, large steps, validation on noise.
WILD = "optimizer=keras.optimizers.SGD(0.4, momentum=0.5), loss='mse', metrics=['mae']"
FIT = """
history = model.fit(x, y, epochs=14, batch_size=8, shuffle=False, validation_split=0.3, verbose=0,
                    callbacks={callbacks}).history
score = model.evaluate(x, y, verbose=0)
predicted = model.predict(x, verbose=0)
steps = {steps}
"""


def noise() -> dict[str, Any]:
    rng = np.random.default_rng(1)
    return {"x": rng.normal(size=(40, 5)).astype("float32"), "y": rng.normal(size=(40, 2)).astype("float32")}


def check(callbacks: str, before: str = "", steps: str = "[0]", args: str = WILD) -> dict[str, Any]:
    source = program(2, "tanh", args, before + FIT.format(callbacks=callbacks, steps=steps))
    return compare(source, noise(), rel=1e-4)


EARLY = [
    "monitor='val_loss'", "monitor='val_mae', patience=2", "monitor='loss', min_delta=0.01, patience=1",
    "patience=3, restore_best_weights=True", "'val_loss', 0, 2, 1, 'max'", "patience=1, baseline=0.9",
    "patience=1, start_from_epoch=4", "monitor='val_mae', mode='auto', min_delta=-0.02, patience=2, verbose=1",
    "patience=50, restore_best_weights=True, verbose=1",
]  # fmt: skip


@pytest.mark.parametrize("args", EARLY)
def test_early_stopping(args: str) -> None:
    steps = "[early.stopped_epoch, early.best_epoch, early.best, early.wait]"
    check("[early]", f"early = keras.callbacks.EarlyStopping({args})\n", steps)


PLATEAU = [
    "patience=1", "monitor='loss', factor=0.5, patience=2, min_delta=0.05", "factor=0.2, patience=1, cooldown=2",
    "factor=0.5, patience=1, min_lr=0.1, verbose=1", "monitor='val_mae', mode='max', patience=2", "patience=0",
]  # fmt: skip


@pytest.mark.parametrize("args", PLATEAU)
def test_reduce_on_plateau(args: str) -> None:
    found = check(f"[keras.callbacks.ReduceLROnPlateau({args})]")
    assert len(set(found["history"]["learning_rate"])) > 1


@pytest.mark.parametrize(
    "schedule",
    [
        "lambda epoch: 0.1 / (epoch + 1)",
        "lambda epoch, lr: lr * 0.8",
        "decay",
        "decay, verbose=1",
    ],
)
def test_learning_rate_scheduler(schedule: str) -> None:
    decay = "def decay(epoch, lr):\n    return lr if epoch < 3 else lr * np.exp(-0.1)\n"
    check(f"[keras.callbacks.LearningRateScheduler({schedule})]", decay)


def test_schedules_of_both_kinds() -> None:
    check(
        "[keras.callbacks.LearningRateScheduler(lambda epoch: 0.1),"
        " keras.callbacks.LearningRateScheduler(lambda epoch, lr: lr * 0.5 ** epoch)]"
    )


# -- files ------------------------------------------------------------------------------------------------------------
CHECKPOINTS = {
    "save_best_only=True": "best.keras",
    "'val_mae', save_best_only=True, mode='max', verbose=1": "best.h5",
    "save_weights_only=True, verbose=1": "all-{epoch:02d}-{val_loss:.2f}.weights.h5",
    "monitor='loss', save_best_only=True, save_weights_only=True": "deep/{epoch}-{loss:.3f}.weights.h5",
    "save_best_only=True, initial_value_threshold=5.0": "{epoch}.keras",
}


@pytest.mark.parametrize("args", CHECKPOINTS)
def test_checkpoint(args: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same files, and in each the weights of that epoch."""
    call = f"keras.callbacks.ModelCheckpoint({args!s}".replace("(", f"({CHECKPOINTS[args]!r}, ", 1)
    source = program(2, "tanh", WILD, FIT.format(callbacks=f"[{call})]", steps="[0]"))
    scopes = []
    for place in ("keras", "torch"):
        (tmp_path / place).mkdir()
        monkeypatch.chdir(tmp_path / place)
        if place == "keras":
            weights, expected = run_keras(source, noise())
        scopes.append(expected if place == "keras" else run_torch(source, noise(), weights))
    written = sorted(str(path.relative_to(tmp_path / "keras")) for path in (tmp_path / "keras").rglob("*.*"))
    assert written
    for name in written:
        stem = name.removesuffix(".keras").removesuffix(".h5").removesuffix(".weights")
        scopes[0]["model"].load_weights(tmp_path / "keras" / name)
        state = torch.load(tmp_path / "torch" / f"{stem}.pt", weights_only=True)
        for found, weight in zip(state.values(), scopes[0]["model"].get_weights(), strict=True):
            np.testing.assert_allclose(found.numpy().T, weight, rtol=1e-3, atol=1e-5)
    assert len(list((tmp_path / "torch").rglob("*.pt"))) == len(written)


@pytest.mark.parametrize("args", ["", ", append=True", ", separator=';'"])
@pytest.mark.parametrize("held_out", ["", "validation_split=0.3, "])
def test_csv_logger(args: str, held_out: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fit = f"log = keras.callbacks.CSVLogger('log.csv'{args})\n" + 2 * (
        f"history = model.fit(x, y, epochs=2, shuffle=False, {held_out}verbose=0, callbacks=log).history\n"
    )
    source = program(2, "tanh", WILD, fit)
    lines = []
    for place in ("keras", "torch"):
        (tmp_path / place).mkdir()
        monkeypatch.chdir(tmp_path / place)
        if place == "keras":
            weights, _ = run_keras(source, noise())
        else:
            run_torch(source, noise(), weights)
        lines.append((tmp_path / place / "log.csv").read_text().splitlines())
    assert len(lines[0]) == len(lines[1]) == (5 if "append" in args else 3)
    for ours, theirs in zip(lines[1], lines[0], strict=True):
        separator = ";" if ";" in theirs else ","
        for found, expected in zip(ours.split(separator), theirs.split(separator), strict=True):
            assert found == expected or float(found) == pytest.approx(float(expected), rel=1e-4)


class Writer:
    """A stand-in for ``SummaryWriter``."""

    written: ClassVar[dict[str, list[tuple[str, int]]]] = {}

    def __init__(self, log_dir: Path) -> None:
        self.log_dir = str(log_dir)
        self.written[self.log_dir] = []

    def add_scalar(self, name: str, value: float, step: int) -> None:
        assert np.isfinite(value)
        self.written[self.log_dir].append((name, step))

    def add_histogram(self, name: str, values: Any, step: int) -> None:
        self.written[self.log_dir].append((name, step))

    def close(self) -> None:
        self.written[self.log_dir].append(("close", -1))


def test_tensorboard(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = Writer  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    fit = (
        "model.fit(x, y, epochs=2, validation_split=0.3, verbose=0,"
        " callbacks=[keras.callbacks.TensorBoard(log_dir='logs/run', histogram_freq=2)])\n"
    )
    run_torch(program(2, "tanh", WILD, fit), noise(), [np.zeros(shape) for shape in ((5, 8), (8,), (8, 2), (2,))])
    names = ("learning_rate", "loss", "mae")
    found = Writer.written["logs/run/train"]
    assert {(f"epoch_{name}", epoch) for name in names for epoch in (0, 1)} < set(found)
    assert {step for name, step in found if name.endswith("weight")} == {0}
    held_out = [(f"epoch_{name}", epoch) for epoch in (0, 1) for name in names[1:]]
    assert Writer.written["logs/run/validation"] == [*held_out, ("close", -1)]


# -- the program's own ------------------------------------------------------------------------------------------------
OWN = """
from keras.callbacks import Callback, LambdaCallback
import keras.backend as K
seen = []


class Recorder(Callback):
    def __init__(self, every=2):
        super().__init__()
        self.every = every

    def on_train_begin(self, logs={}):
        self.losses = []

    def on_train_batch_end(self, batch, logs=None):
        if batch % self.every == 0:
            self.losses.append(logs.get("loss"))

    def on_epoch_begin(self, epoch, logs=None):
        seen.append(float(self.model.optimizer.learning_rate))

    def on_epoch_end(self, epoch, logs=None):
        logs = logs or {}
        seen.append(logs["val_loss"])
        seen.append(float(self.model.predict(x[:3], verbose=0).sum()))
        if epoch >= 1:
            self.model.optimizer.learning_rate = 0.7 ** epoch
        if epoch == 5:
            print("stop")
            self.model.stop_training = True

    def on_train_end(self, logs=None):
        seen.append(len(self.losses))


recorder = Recorder(every=1)
"""


def test_own_callback() -> None:
    found = check("[recorder]", OWN, "seen + recorder.losses")
    assert len(found["history"]["loss"]) == 6


def test_lambda_callback() -> None:
    call = "LambdaCallback(on_train_begin=lambda logs: seen.append(7),"
    call += " on_epoch_end=lambda epoch, logs: seen.append(logs['val_mae']),"
    check(f"[{call} on_train_batch_begin=lambda batch, logs: seen.append(batch))]", OWN, "seen")


OLDER = """
class Older(keras.callbacks.Callback):
    def on_train_begin(self, logs={}):
        self.batches = []

    def on_batch_begin(self, batch, logs={}):
        self.batches.append(batch)

    def on_batch_end(self, batch, logs={}):
        self.batches.append(logs.get('loss'))
        if len(self.batches) > 20:
            self.model.stop_training = True


older = Older()
"""


def test_older_names_of_hooks() -> None:
    found = check("[older]", OLDER, "older.batches")
    assert len(found["history"]["loss"]) == 3


def test_nan_ends_training() -> None:
    args = "optimizer=keras.optimizers.SGD(1e6), loss='mse'"
    fit = (
        "history = model.fit(x, y, epochs=50, batch_size=8, shuffle=False, verbose=0,"
        " callbacks=[keras.callbacks.TerminateOnNaN()]).history\n"
    )
    source = program(2, None, args, fit)
    weights, expected = run_keras(source, noise())
    found = run_torch(source, noise(), weights)
    assert len(found["history"]["loss"]) == len(expected["history"]["loss"]) < 50


def test_history_object() -> None:
    check("[kept]", "kept = keras.callbacks.History()\n", "kept.history['val_loss'] + kept.epoch")


def test_rate_set_between_trainings() -> None:
    again = """
model.fit(x, y, epochs=2, shuffle=False, verbose=0)
model.optimizer.learning_rate = 0.05
before = float(model.optimizer.learning_rate)
history = model.fit(x, y, epochs=3, shuffle=False, verbose=0).history
steps = [before, model.optimizer.learning_rate * 2]
"""
    weights, expected = run_keras(program(2, "tanh", WILD, again.replace("* 2]", "* 2]")), noise())
    found = run_torch(program(2, "tanh", WILD, again), noise(), weights)
    assert found["history"]["loss"] == pytest.approx(expected["history"]["loss"], rel=1e-4)
    assert found["steps"] == pytest.approx([0.05, 0.1])


def test_added_under_an_unknown_condition() -> None:
    before = """
import sys
callbacks = [keras.callbacks.EarlyStopping(patience=2)]
if len(sys.argv) >= 0:
    callbacks.append(keras.callbacks.ReduceLROnPlateau(patience=1))
"""
    check("callbacks", before)


@pytest.mark.parametrize(
    ("callbacks", "code", "words"),
    [
        ("[other.Thing()]", "KT301", "known only when the program runs"),
        ("[keras.callbacks.RemoteMonitor()]", "KT301", "RemoteMonitor"),
        ("[keras.callbacks.ModelCheckpoint('a.keras', save_freq=10)]", "KT301", "save_freq"),
        ("[keras.callbacks.TensorBoard(update_freq='batch')]", "KT301", "update_freq"),
        ("[keras.callbacks.LearningRateScheduler(other.schedule)]", "KT301", "LearningRateScheduler"),
        ("[keras.callbacks.EarlyStopping('val_worst')]", "KT301", "grow or shrink"),
        ("[[keras.callbacks.EarlyStopping()]]", "KT301", "list"),
    ],
)
def test_refused(callbacks: str, code: str, words: str) -> None:
    args = "optimizer='sgd', loss='mse', metrics=[worst]"
    own = "import other\ndef worst(y_true, y_pred):\n    return abs(y_true - y_pred)\n"
    source = program(2, None, args, FIT.format(callbacks=callbacks, steps="[0]")).replace("model =", own + "model =", 1)
    found = [d for d in transpile(source).diagnostics if d.code == code and words in d.message]
    assert found


@pytest.mark.parametrize("text", ["callbacks=[keras.callbacks.ReduceLROnPlateau()]", "callbacks=[]"])
def test_a_rate_that_follows_a_schedule(text: str) -> None:
    args = "keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(0.1, 9, 0.5)), 'mse'"
    fit = f"model.fit(x, y, {text})\nprint(float(model.optimizer.learning_rate))\n"
    found = transpile(program(2, None, args, fit)).diagnostics
    assert [d.code for d in found] == (["KT205", "KT301"] if "Reduce" in text else ["KT301"])


def test_other_names_of_what_is_monitored() -> None:
    """``val_acc`` of older programs is ``val_accuracy``."""
    call = "[keras.callbacks.EarlyStopping('val_acc'), keras.callbacks.ModelCheckpoint('m.h5', 'val_acc', 1, True)]"
    args = "optimizer='sgd', loss='binary_crossentropy', metrics=['accuracy']"
    result = transpile(program(1, "sigmoid", args, FIT.format(callbacks=call, steps="[0]")))
    assert not result.diagnostics
    assert result.code.count('monitor="val_accuracy"') == 2
    assert result.code.count('mode="max"') == 2
