"""CategoryEncoding, Discretization and IntegerLookup against Keras."""

from __future__ import annotations

import numpy as np
import pytest

from tests.conformance.direct import check, codes

HEAD = "import keras\nfrom keras import layers\n"
RNG = np.random.default_rng(9)
TOKENS = np.array([[1, 2, 0], [3, 3, 1]])


def program(layer: str, shape: str, more: str = "") -> str:
    return f"{HEAD}x = keras.Input({shape})\ny = layers.{layer}(x{more})\nmodel = keras.Model(x, y)\n"


@pytest.mark.parametrize("mode", ["one_hot", "multi_hot", "count", "binary"])
def test_category_encoding(mode: str) -> None:
    if mode != "binary":
        check(program(f"CategoryEncoding(4, output_mode='{mode}')", "(3,), dtype='int32'"), TOKENS)
    check(program(f"CategoryEncoding(num_tokens=5, output_mode='{mode}')", "(1,), dtype='int64'"), TOKENS[:, :1])
    check(program("CategoryEncoding(5)", "(3,), dtype='int64'"), TOKENS)


def test_count_weights() -> None:
    source = (
        f"{HEAD}x = keras.Input((3,), dtype='int32')\nw = keras.Input((3,))\n"
        "y = layers.CategoryEncoding(4, output_mode='count')(x, count_weights=w)\nmodel = keras.Model([x, w], y)\n"
    )
    check(source, TOKENS, RNG.normal(size=(2, 3)))


@pytest.mark.parametrize("mode", ["int", "one_hot", "multi_hot", "count"])
def test_discretization(mode: str) -> None:
    values = np.array([[-2.0, 0.0, 0.3], [0.5, 0.7, 1.0]])
    layer = f"Discretization([-1.0, 0.0, 0.5, 1.0], output_mode='{mode}')"
    check(program(layer, "(3,)"), values)
    check(program(layer, "(1,)"), values[:, :1])


NUMBERS = np.array([[12, 42, 7], [1138, 36, -5]])


@pytest.mark.parametrize(
    "settings",
    ["", ", num_oov_indices=3", ", mask_token=7", ", mask_token=7, num_oov_indices=2", ", output_mode='one_hot'",
     ", output_mode='multi_hot'", ", output_mode='count', max_tokens=9, pad_to_max_tokens=True"],
)  # fmt: skip
def test_integer_lookup(settings: str) -> None:
    layer = f"IntegerLookup(vocabulary=[12, 36, 1138, 42]{settings})"
    eager = f"{HEAD}model = layers.{layer}\n"  # Keras runs this layer outside of models only, on the torch backend
    wanted = run_eagerly(eager, NUMBERS)
    assert_same(program(layer, "(3,), dtype='int64'"), NUMBERS, wanted)


def test_vocabulary_with_special_tokens() -> None:
    layer = "IntegerLookup(vocabulary=[0, -1, 12, 36], mask_token=0)"
    numbers = np.array([[12, 0, 36, 4]])
    wanted = run_eagerly(f"{HEAD}model = layers.{layer}\n", numbers)
    assert_same(program(layer, "(4,), dtype='int64'"), numbers, wanted)


def test_only_known_numbers() -> None:
    layer = "IntegerLookup(vocabulary=[12, 36], num_oov_indices=0)"
    assert_same(program(layer, "(2,), dtype='int64'"), np.array([[36, 12]]), np.array([[1, 0]]))
    with pytest.raises(ValueError, match="not in the vocabulary"):
        assert_same(program(layer, "(2,), dtype='int64'"), np.array([[36, 13]]), np.array([[1, 0]]))


def run_eagerly(source: str, x: np.ndarray) -> np.ndarray:
    from tests.conformance.direct import keras_model

    return np.asarray(keras_model(source)(x))


def assert_same(source: str, x: np.ndarray, wanted: np.ndarray) -> None:
    import torch

    from tests.conformance.direct import Runner, translate

    for drop_in in (True, False):
        got = Runner(translate(source, drop_in=drop_in)).eval()(torch.as_tensor(x)).numpy()
        np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize(
    ("layer", "code"),
    [
        ("CategoryEncoding(0)", "KT103"), ("CategoryEncoding(3, sparse=True)", "KT102"),
        ("CategoryEncoding()", "KT103"),
        ("Discretization(num_bins=4)", "KT102"), ("IntegerLookup()", "KT102"),
        ("IntegerLookup(vocabulary=[1, 1])", "KT103"),
        ("IntegerLookup(vocabulary=[1, 2], invert=True)", "KT102"),
        ("IntegerLookup(vocabulary=[1, 2, 3], max_tokens=3)", "KT103"),
        ("IntegerLookup(vocabulary=[1, 2], output_mode='tf_idf')", "KT102"),
    ],
)  # fmt: skip
def test_refused(layer: str, code: str) -> None:
    assert code in codes(program(layer, "(3,), dtype='int64'"))
