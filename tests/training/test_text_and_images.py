"""Tokens of texts and images from files: helpers against the originals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras")
pytest.importorskip("torch")

from tests.training.test_data import helper  # noqa: E402
from transpiler import transpile  # noqa: E402

TEXTS = ["The cat sat on the mat.", "A dog, a cat; the END", ["Already", "split", "the"], "", "the\tcat"]
MORE = ["the unknown cat", "dog dog zebra", ["the", "Zebra"]]


def original(name: str) -> Any:
    return getattr(pytest.importorskip("keras.src.legacy.preprocessing.text"), name)


@pytest.mark.parametrize(
    "options",
    [
        {}, {"num_words": 4}, {"oov_token": "<oov>"}, {"num_words": 5, "oov_token": "?"}, {"char_level": True},
        {"lower": False, "split": "t"}, {"filters": "tc"}, {"num_words": 3, "char_level": True, "oov_token": "-"},
    ],
)  # fmt: skip
def test_tokenizer(options: dict[str, Any]) -> None:
    ours, theirs = helper("Tokenizer")["Tokenizer"](**options), original("Tokenizer")(**options)
    for tokenizer in (ours, theirs):
        tokenizer.fit_on_texts(TEXTS)
        tokenizer.fit_on_texts(TEXTS[1:])
    for name in ("word_index", "index_word", "document_count"):
        assert getattr(ours, name) == getattr(theirs, name)
    assert dict(ours.word_counts) == dict(theirs.word_counts)
    sequences = theirs.texts_to_sequences([*TEXTS, *MORE])
    assert ours.texts_to_sequences([*TEXTS, *MORE]) == sequences
    assert ours.sequences_to_texts([*sequences, [1, 99]]) == theirs.sequences_to_texts([*sequences, [1, 99]])


def test_words_of_a_text() -> None:
    for text in ("Hello, World! it's\n", "a--b  c"):
        found = helper("text_to_word_sequence")["text_to_word_sequence"](text)
        assert found == original("text_to_word_sequence")(text)


def test_other_methods_are_told() -> None:
    head = "from keras.preprocessing.text import Tokenizer\ntokens = Tokenizer(9)\n"
    assert not transpile(f"{head}tokens.fit_on_texts(['a'])\nprint(tokens.word_index)\n").diagnostics
    (found,) = transpile(f"{head}tokens.texts_to_matrix(['a'])\n").diagnostics
    assert found.code == "KT302"


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    image = pytest.importorskip("PIL.Image")
    pixels = np.random.default_rng(0).integers(0, 255, (7, 9, 4)).astype("uint8")
    path = tmp_path / "picture.png"
    image.fromarray(pixels).save(path)
    return path


@pytest.mark.parametrize(
    "options",
    [
        {}, {"target_size": (4, 5)}, {"target_size": (14, 6), "interpolation": "bilinear"},
        {"color_mode": "grayscale"}, {"color_mode": "rgba", "target_size": (3, 3), "interpolation": "lanczos"},
    ],
)  # fmt: skip
def test_images(picture: Path, options: dict[str, Any]) -> None:
    found, expected = helper("load_img")["load_img"](picture, **options), keras.utils.load_img(picture, **options)
    arrays = helper("img_to_array")["img_to_array"](found), keras.utils.img_to_array(expected)
    assert arrays[0].dtype == arrays[1].dtype
    assert arrays[0].tolist() == arrays[1].tolist()
    again = helper("array_to_img")["array_to_img"](arrays[0] - 3.5), keras.utils.array_to_img(arrays[1] - 3.5)
    assert np.asarray(again[0]).tolist() == np.asarray(again[1]).tolist()
