"""``--verify`` against real Keras: equal models, faults in a translation, and what cannot be compared."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from transpiler import Options, Result, transpile
from transpiler.verify import DIFFERENT, EQUAL, NOT_COMPARABLE, Verdict, compare, verify

pytestmark = pytest.mark.skipif(find_spec("keras") is None, reason="Keras is the judge")

HEAD = "import numpy as np\nimport keras\nfrom keras import layers\n"
SHARED = """
(x_train, y_train), (x_test, y_test) = keras.datasets.cifar10.load_data()
num_classes = len(np.unique(y_train))
image = keras.Input(x_train.shape[1:], name="image")
x = layers.Conv2D(6, 3, activation="relu", name="stem")(image)
x = layers.BatchNormalization(name="norm")(x)
x = layers.MaxPooling2D()(x)
encoder = keras.Model(image, layers.Flatten()(x), name="encoder")
left, right = keras.Input((32, 32, 3)), keras.Input((32, 32, 3))
both = layers.Concatenate()([encoder(left), encoder(right)])
pair = keras.Model({"b": right, "a": left}, layers.Dense(num_classes, activation="softmax")(both))
pair.compile("adam", "sparse_categorical_crossentropy")
open("TOUCHED", "w").write("training has begun")
pair.fit({"b": x_train, "a": x_train}, y_train)

def head(input_shape, n_classes):
    model = keras.Sequential()
    model.add(keras.Input(input_shape))
    model.add(layers.Conv2D(5, 3))
    model.add(layers.GlobalMaxPooling2D())
    model.add(layers.Dense(n_classes))
    return model
"""


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch judges, and nobody is asked a third time."""
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    ways = compare._ways
    monkeypatch.setattr(compare, "_ways", lambda source: ways(source)[:2])


def statuses(verdicts: tuple[Verdict, ...]) -> dict[str, str]:
    """What came out, by the model's name."""
    return {verdict.name: verdict.status for verdict in verdicts}


@pytest.mark.usefixtures("backend")
def test_equal_models_and_nothing_else_is_run(tmp_path: Path) -> None:
    source = HEAD + SHARED.replace("TOUCHED", str(tmp_path / "touched"))
    verdicts = verify(source, "pair.py")
    assert statuses(verdicts) == {"encoder": EQUAL, "pair": EQUAL, "head": EQUAL}
    assert all(verdict.difference is not None and verdict.difference < 1e-5 for verdict in verdicts)
    assert not (tmp_path / "touched").exists()


def tampered(monkeypatch: pytest.MonkeyPatch, old: str, new: str, *, drop_in: bool) -> None:
    """Put a fault into the translations of one mode."""

    def wrong(source: str, filename: str, options: Options) -> Result:
        result = transpile(source, filename, options)
        if options.drop_in is not drop_in:
            return result
        assert old in result.code
        return replace(result, code=result.code.replace(old, new))

    monkeypatch.setattr(compare, "transpile", wrong)


NET = """
model = keras.Sequential([
    keras.Input((12, 10, 3)),
    layers.Rescaling(1 / 255),
    layers.Conv2D(8, 3, activation="relu", name="stem"),
    layers.BatchNormalization(name="norm"),
    layers.Conv2D(4, 3, name="top"),
])
"""


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("drop_in", [True, False])
def test_a_fault_is_found_with_its_layer(monkeypatch: pytest.MonkeyPatch, drop_in: bool) -> None:
    tampered(monkeypatch, "eps=1e-3", "eps=0.2", drop_in=drop_in)
    (verdict,) = verify(HEAD + NET, "net.py")
    assert verdict.status == DIFFERENT
    assert "first at layer `norm`" in verdict.detail
    assert verdict.detail.endswith("--drop-in") is drop_in


@pytest.mark.usefixtures("backend")
def test_a_wrong_shape_and_a_crash_are_differences(monkeypatch: pytest.MonkeyPatch) -> None:
    tampered(monkeypatch, "F.relu", "F.undefined", drop_in=False)
    (verdict,) = verify(HEAD + NET, "net.py")
    assert verdict.status == DIFFERENT
    assert "the translation raises AttributeError" in verdict.detail


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("m = keras.Sequential([layers.Rescaling(2.0)])\n", "could not be translated"),
        (
            "m = keras.Sequential()\nm.add(layers.Convolution2D(4, 3, 3, border_mode='same', input_shape=(8, 8, 1)))\n",
            "ValueError",
        ),
        ("m = keras.Sequential([keras.Input((4,)), layers.Dense(3), layers.Rescaling(0.0)])\n", "hardly depend"),
    ],
)
def test_what_cannot_be_compared_says_why(source: str, why: str) -> None:
    verdicts = verify(HEAD + source, "net.py")
    assert [verdict.status for verdict in verdicts] == [NOT_COMPARABLE]
    assert why in verdicts[0].detail


def test_a_time_limit_ends_the_child() -> None:
    (verdict,) = verify(HEAD + NET, "net.py", limit=0.05)
    assert (verdict.status, verdict.detail) == (NOT_COMPARABLE, "Keras: it ran longer than 0.05 seconds")


def test_the_network_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    import keras

    from transpiler.verify import stand_ins

    for name in stand_ins._ACTIONS:
        monkeypatch.setattr(keras.Model, name, getattr(keras.Model, name, None), raising=False)
    for owner, name in ((socket.socket, "connect"), (socket, "create_connection"), (socket, "getaddrinfo")):
        monkeypatch.setattr(owner, name, getattr(owner, name))
    stand_ins._close_network()
    with pytest.raises(OSError, match="the network"):
        socket.create_connection(("127.0.0.1", 9))


def test_old_names_and_tensorflow_without_tensorflow() -> None:
    """In a process of its own, for it changes how modules are found."""
    import subprocess
    import sys

    program = """
import sys, keras
from transpiler.verify.stand_ins import Finder
sys.meta_path.insert(0, type("F", (), {"find_spec": staticmethod(lambda n, p=None, t=None: Finder(keras).find_spec(n)
    if n.partition(".")[0] == "tensorflow" else None)}))
sys.meta_path.append(Finder(keras))
source = '''
import tensorflow as tf
from tensorflow.keras.layers import Dense
from tensorflow.keras import layers, Model
from keras.layers.convolutional import Conv2D
from keras.engine.topology import Layer
from keras.utils.np_utils import to_categorical
import not_installed.at_all as missing
assert tf.keras.layers.Dense is Dense is layers.Dense
assert missing.anything(3)[1].more is not None
try:
    tf.nn
except AttributeError as error:
    assert "not installed" in str(error)
else:
    raise SystemExit("tf.nn is there")
'''
exec(compile(source, "<program>", "exec"))
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)


# -- the command ------------------------------------------------------------------------------------------------------
def run_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *args: str) -> int:
    from transpiler.cli import command

    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(HEAD + NET, encoding="utf-8")
    status: Any = command.main(["net.py", *args], standalone_mode=False)
    return int(status)


def test_the_command_prints_a_line_a_model_and_fails_on_a_mismatch(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = (Verdict("a", 4, EQUAL, 2e-7), Verdict("b", 5, DIFFERENT, None, "largest difference 3.0e-01"))
    monkeypatch.setattr("transpiler.verify.verify", lambda *args: found)
    assert run_command(monkeypatch, tmp_path, "--verify") == 1
    told = capsys.readouterr().err
    assert "net.py: verify: running the code of this file that builds models" in told
    assert "net.py:4: verify: `a`: equal (largest difference 2.0e-07)" in told
    assert "KT502" in told
    monkeypatch.setattr("transpiler.verify.verify", lambda *args: found[:1])
    assert run_command(monkeypatch, tmp_path, "--verify") == 0


def test_without_keras_it_is_a_usage_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(compare, "find_spec", lambda name: None if name == "keras" else object())
    assert run_command(monkeypatch, tmp_path, "--verify") == 2
    assert "--verify needs keras; pip install keras" in capsys.readouterr().err


def test_the_help_says_that_code_is_run() -> None:
    from click.testing import CliRunner

    from transpiler.cli import command

    assert "runs code of FILE" in CliRunner().invoke(command, ["--help"]).output


def test_a_model_that_draws_random_numbers_is_not_compared(backend: None) -> None:
    """Two calls of it differ under Keras already."""
    body = "i = keras.Input((8,))\nm = keras.Model(i, layers.Lambda(lambda t: keras.random.dropout(t, 0.5))(i))\n"
    (verdict,) = verify(HEAD + body, "random.py")
    assert verdict.status == NOT_COMPARABLE
    assert "random" in verdict.detail
