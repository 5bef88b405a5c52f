"""Helpers that stand for Keras' functions on data, against the originals; nothing is fetched."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")
keras = pytest.importorskip("keras")

from transpiler.emit.helpers import TEMPLATES, Helpers, imports_of  # noqa: E402
from transpiler.emit.plan import Needs  # noqa: E402


def helper(name: str) -> Any:
    """Run a helper's source, and what it calls, in a module of its own."""
    helpers = Helpers(set())
    helpers.use(name)
    sources = helpers.render(vars(Needs()))
    scope: dict[str, Any] = {}
    exec("\n".join([*imports_of(sources), *sources]), scope)
    return scope


def same(found: Any, expected: Any) -> None:
    if isinstance(expected, tuple):
        assert len(found) == len(expected)
        for a, b in zip(found, expected, strict=True):
            same(a, b)
    else:
        assert found.dtype == expected.dtype
        assert found.shape == expected.shape
        assert found.tolist() == expected.tolist()


@pytest.mark.parametrize("labels", [[0, 2, 1], [[1], [0], [3]], np.array([[0, 1], [2, 2]])])
@pytest.mark.parametrize("classes", [None, 5])
def test_to_categorical(labels: Any, classes: int | None) -> None:
    same(helper("to_categorical")["to_categorical"](labels, classes), keras.utils.to_categorical(labels, classes))


@pytest.mark.parametrize(
    "options",
    [{}, {"maxlen": 3}, {"maxlen": 3, "padding": "post", "truncating": "post"}, {"value": 7.0, "dtype": "float32"}],
)
def test_pad_sequences(options: dict[str, Any]) -> None:
    sequences = [[1, 2, 3, 4], [5], [], [6, 7, 8]]
    expected = keras.utils.pad_sequences(sequences, **options)
    same(helper("pad_sequences")["pad_sequences"](sequences, **options), expected)


@pytest.mark.parametrize("axis", [-1, 0, 1])
def test_normalize(axis: int) -> None:
    x = np.array([[3.0, 4.0, 1.0], [0.0, 0.0, 0.0], [1.0, -1.0, 2.0]])
    np.testing.assert_allclose(helper("normalize")["normalize"](x, axis), keras.utils.normalize(x, axis))


def texts(count: int) -> np.ndarray:
    rng = np.random.default_rng(1)
    return np.array([rng.integers(1, 60, size=size).tolist() for size in rng.integers(3, 20, size=count)], dtype=object)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"num_words": 30, "skip_top": 4},
        {"maxlen": 12, "seed": 5},
        {"num_words": 30, "oov_char": None, "start_char": None, "index_from": 0},
    ],
)
@pytest.mark.parametrize("name", ["imdb", "reuters"])
def test_texts(name: str, options: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "texts.npz"
    if name == "imdb":
        np.savez(file, x_train=texts(40), y_train=np.arange(40) % 2, x_test=texts(20), y_test=np.arange(20) % 2)
    else:
        np.savez(file, x=texts(60), y=np.arange(60) % 46)
    module = __import__(f"keras.src.datasets.{name}", fromlist=[name]).load_data
    monkeypatch.setitem(module.__globals__, "get_file", lambda *args, **kwargs: str(file))
    scope = helper(f"load_{name}")
    scope["download"] = lambda *args: file
    same(scope[f"load_{name}"](**options), module(**options))


@pytest.mark.parametrize("name", ["boston_housing", "california_housing"])
def test_tables(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "table.npz"
    np.savez(file, x=np.arange(800.0).reshape(100, 8), y=np.arange(100.0))
    module = __import__(f"keras.src.datasets.{name}", fromlist=[name]).load_data
    monkeypatch.setitem(module.__globals__, "get_file", lambda *args, **kwargs: str(file))
    scope = helper(f"load_{name}")
    scope["download"] = lambda *args: file
    same(scope[f"load_{name}"](test_split=0.3, seed=4), module(test_split=0.3, seed=4))


def test_download_checks_what_it_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import hashlib

    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    origin = tmp_path / "origin.bin"
    origin.write_bytes(b"data")
    digest = hashlib.sha256(b"data").hexdigest()
    download = helper("download")["download"]
    path = download("a/b.bin", origin.as_uri(), digest)
    assert path == tmp_path / "home" / "datasets" / "a" / "b.bin"
    path.write_bytes(b"damaged")
    assert download("a/b.bin", origin.as_uri(), digest).read_bytes() == b"data"
    with pytest.raises(ValueError, match="expected"):
        download("c.bin", origin.as_uri(), digest[::-1])


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_helper_compiles(name: str) -> None:
    for needs in (Needs(), Needs(multi_in=True, multi_out=True, weights=True, metrics=True, loss_weights=True,
                                 penalty="some", validation=True, evaluate_prints=True, frozen=True, activation=True,
                                 tensors=True, target_dtype="torch.long", input_dtype="torch.long",
                                 fit=frozenset({"validation_split", "class_weight", "sample_weight", "verbose",
                                                "shuffle", "initial_epoch"}))):  # fmt: skip
        helpers = Helpers(set())
        helpers.use(name)
        for source in helpers.render(vars(needs)):
            compile(source, name, "exec")
