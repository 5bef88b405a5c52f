"""API functions that work on data: their signatures, and the shapes and dtypes of what they give back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from transpiler.graph.program import Array, Source, Unknown
from transpiler.graph.symbolic import Expr
from transpiler.rules.base import Param, params
from transpiler.rules.imagenet import PREPROCESS, SIGNATURES

_SETS = "keras.datasets."
_TEXT = "seed=113, start_char=1, oov_char=2, index_from=3"
_PAD = "sequences, maxlen=None, dtype='int32', padding='pre', truncating='pre', value=0.0"
_CATEGORICAL = "x, num_classes=None, dtype=None"

IMAGES_FROM_DIRECTORY = "keras.utils.image_dataset_from_directory"
IMAGE_GENERATOR = "keras.preprocessing.image.ImageDataGenerator"
TOKENIZER = "keras.preprocessing.text.Tokenizer"
# What the output's class for a name can do too.
TWINS = {
    TOKENIZER: frozenset(
        "num_words filters lower split char_level oov_token document_count word_counts word_index index_word "
        "fit_on_texts texts_to_sequences sequences_to_texts".split()
    ),
    IMAGE_GENERATOR: frozenset(),
}

FUNCTIONS: dict[str, tuple[Param, ...]] = {
    _SETS + "mnist.load_data": params("path='mnist.npz'"),
    _SETS + "fashion_mnist.load_data": (),
    _SETS + "cifar10.load_data": (),
    _SETS + "cifar100.load_data": params("label_mode='fine'"),
    _SETS + "imdb.load_data": params(
        f"path='imdb.npz', num_words=None, skip_top=0, maxlen=None, {_TEXT}", num_words="nb_words"
    ),
    _SETS + "imdb.get_word_index": params("path='imdb_word_index.json'"),
    _SETS + "reuters.load_data": params(
        f"path='reuters.npz', num_words=None, skip_top=0, maxlen=None, test_split=0.2, {_TEXT}", num_words="nb_words"
    ),
    _SETS + "reuters.get_word_index": params("path='reuters_word_index.json'"),
    _SETS + "boston_housing.load_data": params("path='boston_housing.npz', test_split=0.2, seed=113"),
    _SETS + "california_housing.load_data": params(
        "version='large', path='california_housing.npz', test_split=0.2, seed=113"
    ),
    "keras.utils.to_categorical": params(_CATEGORICAL, x="y", num_classes="nb_classes"),
    "keras.utils.normalize": params("x, axis=-1, order=2"),
    "keras.preprocessing.sequence.pad_sequences": params(_PAD),
    "keras.utils.get_file": params(
        "fname=None, origin=None, untar=False, md5_hash=None, file_hash=None, cache_subdir='datasets', "
        "hash_algorithm='auto', extract=False, archive_format='auto', cache_dir=None, force_download=False"
    ),
    "keras.layers.TextVectorization": params(
        "max_tokens=None, standardize='lower_and_strip_punctuation', split='whitespace', ngrams=None, "
        "output_mode='int', output_sequence_length=None, pad_to_max_tokens=False, vocabulary=None, idf_weights=None, "
        "sparse=False, ragged=False, encoding='utf-8', name=None"
    ),
    "keras.layers.StringLookup": params(
        "max_tokens=None, num_oov_indices=1, mask_token=None, oov_token='[UNK]', vocabulary=None, idf_weights=None, "
        "invert=False, output_mode='int', pad_to_max_tokens=False, sparse=False, encoding='utf-8', name=None, "
        "salt=None"
    ),
    "keras.utils.load_img": params(
        "path, color_mode='rgb', target_size=None, interpolation='nearest', keep_aspect_ratio=False, grayscale=False"
    ),
    IMAGE_GENERATOR: params(
        "featurewise_center=False, samplewise_center=False, featurewise_std_normalization=False, "
        "samplewise_std_normalization=False, zca_whitening=False, zca_epsilon=1e-06, rotation_range=0, "
        "width_shift_range=0.0, height_shift_range=0.0, brightness_range=None, shear_range=0.0, zoom_range=0.0, "
        "channel_shift_range=0.0, fill_mode='nearest', cval=0.0, horizontal_flip=False, vertical_flip=False, "
        "rescale=None, preprocessing_function=None, data_format=None, validation_split=0.0, interpolation_order=1, "
        "dtype=None"
    ),
    IMAGES_FROM_DIRECTORY: params(
        "directory, labels='inferred', label_mode='int', class_names=None, color_mode='rgb', batch_size=32, "
        "image_size=(256, 256), shuffle=True, seed=None, validation_split=None, subset=None, "
        "interpolation='bilinear', follow_links=False, crop_to_aspect_ratio=False, pad_to_aspect_ratio=False, "
        "data_format=None, format='tf', verbose=True"
    ),
    "keras.utils.img_to_array": params("img, data_format=None, dtype='float32'"),
    "keras.utils.array_to_img": params("x, data_format=None, scale=True, dtype=None"),
    "keras.preprocessing.text.text_to_word_sequence": params(
        "input_text, filters=None, lower=True, split=' '", input_text="text"
    ),
    TOKENIZER: params(
        "num_words=None, filters=None, lower=True, split=' ', char_level=False, oov_token=None", num_words="nb_words"
    ),
    "keras.utils.set_random_seed": params("seed"),
    "tensorflow.random.set_seed": params("seed"),
    "tensorflow.set_random_seed": params("seed"),
    "tensorflow.compat.v1.set_random_seed": params("seed"),
    "keras.backend.clear_session": params("free_memory=True"),
    **SIGNATURES,
}

# Samples to train and test on, shape of one sample, dtypes of samples and labels, shape of one label.
_IMAGES: dict[str, tuple[int, int, tuple[int, ...], tuple[int, ...], str]] = {
    "mnist": (60000, 10000, (28, 28), (), "uint8"),
    "fashion_mnist": (60000, 10000, (28, 28), (), "uint8"),
    "cifar10": (50000, 10000, (32, 32, 3), (1,), "uint8"),
    "cifar100": (50000, 10000, (32, 32, 3), (1,), "int64"),
}
_TABLES = {"boston_housing": (506, 13), "california_housing": (20640, 8)}
_TABLE_DTYPES: dict[str, tuple[str | None, str | None]] = {
    "boston_housing": ("float64", "float64"),
    "california_housing": (None, None),
}


def infer_function(symbol: str, args: Mapping[str, Any]) -> Any:
    """The value that a function of :data:`FUNCTIONS` gives for bound arguments, as far as it is known."""
    name = symbol.removeprefix(_SETS)
    if name.endswith(".load_data"):
        return _load_data(name.removesuffix(".load_data"), args)
    infer = _INFER.get(symbol)
    return infer(args) if infer else Unknown(f"`{symbol}` is known only when the program runs")


def _load_data(name: str, args: Mapping[str, Any]) -> Any:
    if name in _IMAGES:
        train, test, sample, label, dtype = _IMAGES[name]
        return tuple((Array((n, *sample), "uint8"), Array((n, *label), dtype)) for n in (train, test))
    if name in _TABLES:
        return _table(name, args)
    filtered = args.get("maxlen") is not None
    if name == "imdb":
        sizes: tuple[Any, Any] = (None, None) if filtered else (25000, 25000)
    else:
        sizes = (None, None) if filtered else _split(11228, args.get("test_split", 0.2))
    return tuple((Array((n,), "object"), Array((n,), "int64")) for n in sizes)


def _table(name: str, args: Mapping[str, Any]) -> Any:
    rows, columns = _TABLES[name]
    version = args.get("version", "large")
    if version not in ("large", "small"):
        sizes: tuple[Any, Any] = (None, None)
    else:
        sizes = _split(600 if version == "small" else rows, args.get("test_split", 0.2))
    x_dtype, y_dtype = _TABLE_DTYPES[name]
    return tuple((Array((n, columns), x_dtype), Array((n,), y_dtype)) for n in sizes)


def _split(rows: int, test_split: Any) -> tuple[Any, Any]:
    if isinstance(test_split, Expr):
        test_split = test_split.value
    if not isinstance(test_split, (int, float)):
        return None, None
    train = int(rows * (1 - test_split))
    return train, rows - train


def _dim(value: Any) -> Any:
    return value if isinstance(value, (int, Expr)) and not isinstance(value, bool) else None


def _to_categorical(args: Mapping[str, Any]) -> Array:
    x = args["x"]
    classes = _dim(args.get("num_classes"))
    dtype = args["dtype"] if isinstance(args.get("dtype"), str) else "float64"
    if isinstance(x, (list, tuple)):
        flat = all(isinstance(item, (int, float)) for item in x)
        return Array((len(x), classes), dtype) if flat else Array(None, dtype)
    if not isinstance(x, Array) or x.shape is None:
        return Array(None, dtype)
    shape = x.shape[:-1] if len(x.shape) > 1 and x.shape[-1] == 1 else x.shape
    return Array((*shape, classes), dtype)


def _normalize(args: Mapping[str, Any]) -> Any:
    x = args["x"]
    if not isinstance(x, Array):
        return Array()
    return Array(x.shape, x.dtype if x.dtype and x.dtype.startswith("float") else "float64")


def _pad_sequences(args: Mapping[str, Any]) -> Array:
    sequences, length = args["sequences"], _dim(args.get("maxlen"))
    dtype = args["dtype"] if isinstance(args.get("dtype"), str) else None
    if isinstance(sequences, (list, tuple)):
        return Array((len(sequences), length), dtype) if _flat(sequences) else Array(None, dtype)
    if isinstance(sequences, Array) and sequences.shape:
        return Array((sequences.shape[0], length, *sequences.shape[2:]), dtype)
    return Array((None, length), dtype)


def _preprocess(args: Mapping[str, Any]) -> Array:
    x = args["x"]
    if not isinstance(x, Array):
        return Array()
    return Array(x.shape, x.dtype if x.dtype and x.dtype.startswith("float") else "float32" if x.dtype else None)


def _flat(sequences: Any) -> bool:
    """Whether every sequence is a plain list of numbers."""
    return all(isinstance(s, (list, tuple)) and not any(isinstance(v, (list, tuple)) for v in s) for s in sequences)


def _words(args: Mapping[str, Any]) -> Unknown:
    return Unknown("PyTorch has no tensors of strings: look the words up outside of the model and feed it numbers")


def _img_to_array(args: Mapping[str, Any]) -> Array:
    return Array((None, None, None), args["dtype"] if isinstance(args.get("dtype"), str) else "float32")


def _images_from_directory(args: Mapping[str, Any]) -> Any:
    """A data set of batches, or of single images."""
    size, names, mode = args["image_size"], args["class_names"], args["label_mode"]
    sides = tuple(size) if isinstance(size, (list, tuple)) and len(size) == 2 else (size, size)
    channels = {"rgb": 3, "rgba": 4, "grayscale": 1}.get(args["color_mode"])
    rows = () if args["batch_size"] is None else (None,)
    images = Array((*rows, *map(_dim, sides), channels), "float32")
    if args["labels"] is None or mode is None:
        return Source("pipeline", images, bool(rows))
    count = len(names) if isinstance(names, (list, tuple)) else None
    targets = {"binary": Array((*rows, 1), "float32"), "categorical": Array((*rows, count), "float32")}
    return Source("pipeline", (images, targets.get(mode, Array(rows, "int32"))), bool(rows))


_INFER: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    **dict.fromkeys(PREPROCESS, _preprocess),
    "keras.utils.to_categorical": _to_categorical,
    "keras.utils.normalize": _normalize,
    "keras.preprocessing.sequence.pad_sequences": _pad_sequences,
    "keras.layers.TextVectorization": _words,
    "keras.layers.StringLookup": _words,
    IMAGES_FROM_DIRECTORY: _images_from_directory,
    "keras.utils.img_to_array": _img_to_array,
    "keras.utils.set_random_seed": lambda args: None,
    "tensorflow.random.set_seed": lambda args: None,
    "tensorflow.set_random_seed": lambda args: None,
    "tensorflow.compat.v1.set_random_seed": lambda args: None,
    "keras.backend.clear_session": lambda args: None,
}
