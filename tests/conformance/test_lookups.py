"""TextVectorization and StringLookup as objects of the program, against Keras."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from transpiler import transpile

HEAD = "import numpy as np\nimport keras\nfrom keras import layers\n"
TEXTS = ["The cat sat.", "the dog; the Cat!", "A bird\tflew éÉ\xa0away", "", "it's  e-mail: a_b", "dog dog bird"]
WORDS = ["b", "a", "b", "c", "zebra", "a", "b", ""]


def both(source: str, **names: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The same program under Keras and translated: the names that it leaves."""
    result = transpile(HEAD + source, filename="p.py")
    assert not result.diagnostics, result.diagnostics
    theirs: dict[str, Any] = dict(names)
    ours: dict[str, Any] = dict(names)
    exec(HEAD + source, theirs)
    exec(result.code, ours)
    return ours, theirs


SETTINGS = [
    "", "max_tokens=6", "output_sequence_length=4", "output_sequence_length=9, max_tokens=8", "standardize=None",
    "standardize='lower'", "standardize='strip_punctuation'", "split='character'", "ngrams=2", "ngrams=(2, 3)",
    "output_mode='multi_hot'", "output_mode='count'", "output_mode='tf_idf'", "output_mode='binary', max_tokens=7",
    "output_mode='tf-idf', max_tokens=30, pad_to_max_tokens=True", "output_mode='count', ngrams=2",
]  # fmt: skip


@pytest.mark.parametrize(("settings", "texts"), [*((s, "texts") for s in SETTINGS), ("", "np.array(texts)")])
def test_text_vectorization(settings: str, texts: str) -> None:
    source = (
        f"v = layers.TextVectorization({settings})\nv.adapt({texts})\nmade = v(texts)\none = v('the bird sat')\n"
        "words = v.get_vocabulary()\nplain = v.get_vocabulary(include_special_tokens=False)\n"
        "size = v.vocabulary_size()\n"
    )
    ours, theirs = both(source, texts=TEXTS)
    for name in ("words", "plain", "size"):
        assert list(map(str, np.ravel(ours[name]))) == list(map(str, np.ravel(theirs[name])))
    for name in ("made", "one"):
        np.testing.assert_allclose(np.asarray(ours[name]), np.asarray(theirs[name]), atol=1e-6)


@pytest.mark.parametrize("words", ["['the', 'cat']", "['', '[UNK]', 'the', 'cat']"])
def test_given_vocabulary(words: str) -> None:
    for body in (f"v = layers.TextVectorization(vocabulary={words})\n",
                 f"v = layers.TextVectorization()\nv.set_vocabulary({words})\n"):  # fmt: skip
        ours, theirs = both(body + "made = v(texts)\nwords = v.get_vocabulary()\n", texts=TEXTS)
        np.testing.assert_array_equal(np.asarray(ours["made"]), np.asarray(theirs["made"]))
        assert ours["words"] == list(map(str, theirs["words"]))


@pytest.mark.parametrize(
    "settings",
    ["", "mask_token=''", "max_tokens=3", "output_mode='one_hot'", "output_mode='multi_hot'", "output_mode='count'",
     "output_mode='tf_idf'", "oov_token='?', max_tokens=9, pad_to_max_tokens=True, output_mode='count'"],
)  # fmt: skip
def test_string_lookup(settings: str) -> None:
    source = (
        f"v = layers.StringLookup({settings})\nv.adapt(words)\ngiven = np.array([*words[:6], 'new', 'c'])\n"
        "flat, pairs, column = v(given), v(given.reshape(4, 2)), v(given.reshape(8, 1))\n"
        "vocabulary = v.get_vocabulary()\n"
    )
    ours, theirs = both(source, words=WORDS)
    for name in ("flat", "pairs", "column"):
        np.testing.assert_allclose(np.asarray(ours[name]), np.asarray(theirs[name]), atol=1e-6)
    assert ours["vocabulary"] == [None if word is None else str(word) for word in theirs["vocabulary"]]


def test_back_to_words() -> None:
    source = (
        "there = layers.StringLookup(vocabulary=list('abc'), mask_token=None)\n"
        "back = layers.StringLookup(vocabulary=there.get_vocabulary(), mask_token=None, invert=True)\n"
        "made = [str(word) for word in back(np.array([1, 3, 0, 2]))]\n"
    )
    ours, theirs = both(source)
    assert ours["made"] == theirs["made"] == ["a", "c", "[UNK]", "b"]


def test_unknown_words_without_a_number() -> None:
    ours, _ = both("v = layers.StringLookup(vocabulary=['a'], num_oov_indices=0)\nmade = v(['a'])\n")
    assert ours["made"].tolist() == [0]
    with pytest.raises(ValueError, match="not in the vocabulary"):
        ours["v"](["b"])


@pytest.mark.filterwarnings("ignore:__array__ implementation")
def test_model_on_the_numbers() -> None:
    source = (
        "v = layers.TextVectorization(output_sequence_length=5)\nv.adapt(texts)\nx = np.array(v(texts))\n"
        "inputs = keras.Input((5,), dtype='int64')\n"
        "h = layers.Embedding(v.vocabulary_size(), 4)(inputs)\n"
        "model = keras.Model(inputs, layers.Dense(1)(layers.GlobalAveragePooling1D()(h)))\n"
    )
    ours, theirs = both(source, texts=TEXTS)
    size = theirs["v"].vocabulary_size()
    assert {tuple(p.shape) for p in ours["model"].parameters()} == {(size, 4), (1, 4), (1,)}


@pytest.mark.parametrize(
    "source",
    [
        "v = layers.TextVectorization(standardize=lambda t: t)\n", "v = layers.TextVectorization(split=None)\n",
        "v = layers.TextVectorization(ragged=True)\n", "v = layers.StringLookup(num_oov_indices=3)\n",
        "v = layers.TextVectorization(output_mode='one_hot')\n", "v = layers.StringLookup(vocabulary='words.txt')\n",
        "v = layers.TextVectorization(nonsense=3)\n",
        "v = layers.StringLookup(vocabulary=['a'])\nmodel = keras.Sequential([keras.Input((1,), dtype='string'), v])\n",
        "v = layers.TextVectorization()\ni = keras.Input((1,), dtype='string')\nmodel = keras.Model(i, v(i))\n",
    ],
)  # fmt: skip
def test_refused(source: str) -> None:
    assert transpile(HEAD + source, filename="p.py").diagnostics
