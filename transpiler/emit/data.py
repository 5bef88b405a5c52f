"""Calls of the API's functions on data: what stands in their place."""

from __future__ import annotations

from collections.abc import Mapping

from transpiler.diagnostics import Refusal
from transpiler.emit.helpers import Helpers
from transpiler.emit.lookups import LOOKUPS, render_lookup
from transpiler.graph.program import Action
from transpiler.rules.data import FUNCTIONS, IMAGE_GENERATOR, IMAGES_FROM_DIRECTORY, TOKENIZER
from transpiler.rules.imagenet import DECODE, PREPROCESS, preprocess_mode
from transpiler.rules.layout import literal

_SETS = "keras.datasets."
_PLAIN = {
    "keras.utils.normalize": "normalize",
    "keras.preprocessing.sequence.pad_sequences": "pad_sequences",
    **{f"{_SETS}{name}.load_data": f"load_{name}"
       for name in ("mnist", "fashion_mnist", "cifar10", "cifar100", "imdb", "reuters", "boston_housing",
                    "california_housing")},
    "keras.utils.load_img": "load_img",
    "keras.utils.img_to_array": "img_to_array",
    "keras.utils.array_to_img": "array_to_img",
    "keras.preprocessing.text.text_to_word_sequence": "text_to_word_sequence",
    TOKENIZER: "Tokenizer",
    IMAGE_GENERATOR: "ImageDataGenerator",
    f"{_SETS}imdb.get_word_index": "imdb_word_index",
    f"{_SETS}reuters.get_word_index": "reuters_word_index",
}  # fmt: skip
_FIXED = {
    ("keras.utils.load_img", "keep_aspect_ratio"): False, ("keras.utils.load_img", "grayscale"): False,
    ("keras.utils.img_to_array", "data_format"): "channels_last",
    ("keras.utils.array_to_img", "data_format"): "channels_last", ("keras.utils.array_to_img", "dtype"): "float32",
    **{(IMAGE_GENERATOR, f"{kind}_center"): False for kind in ("featurewise", "samplewise")},
    **{(IMAGE_GENERATOR, f"{kind}_std_normalization"): False for kind in ("featurewise", "samplewise")},
    (IMAGE_GENERATOR, "zca_whitening"): False, (IMAGE_GENERATOR, "zca_epsilon"): 1e-6,
    (IMAGE_GENERATOR, "brightness_range"): None, (IMAGE_GENERATOR, "channel_shift_range"): 0,
    (IMAGE_GENERATOR, "fill_mode"): "nearest", (IMAGE_GENERATOR, "cval"): 0,
    (IMAGE_GENERATOR, "preprocessing_function"): None, (IMAGE_GENERATOR, "data_format"): "channels_last",
    (IMAGE_GENERATOR, "interpolation_order"): 1, (IMAGE_GENERATOR, "dtype"): "float32",
}  # fmt: skip
_SEEDS = ("tensorflow.random.set_seed", "tensorflow.set_random_seed", "tensorflow.compat.v1.set_random_seed")


def render_function(action: Action, texts: Mapping[str, str], helpers: Helpers) -> str | list[str]:
    """The expression for a call of a function of :data:`FUNCTIONS`, or the statements."""
    symbol = action.symbol
    if symbol in _PLAIN:
        for (owner, name), value in _FIXED.items():
            if owner == symbol and action.args.get(name, value) not in (value, None):
                raise Refusal("KT302", f"`{name}` of `{symbol.rpartition('.')[2]}` is not translated")
        texts = {name: text for name, text in texts.items() if (symbol, name) not in _FIXED}
        return call(helpers.use(_PLAIN[symbol]), symbol, texts)
    if symbol == "keras.utils.to_categorical":
        return _to_categorical(texts, helpers)
    if symbol in _FILES:
        return _FILES[symbol](action, texts, helpers)
    if symbol in PREPROCESS:
        mode = preprocess_mode(symbol, dict(action.args))
        return texts["x"] if mode == "none" else f"{helpers.use(f'preprocess_{mode}')}({texts['x']})"
    if symbol in DECODE:
        return call(helpers.use("decode_predictions"), symbol, texts)
    if symbol == "keras.utils.set_random_seed":
        seed = texts["seed"]
        return [f"random.seed({seed})", f"np.random.seed({seed})", f"torch.manual_seed({seed})"]
    if symbol in _SEEDS:
        return [f"torch.manual_seed({texts['seed']})"]
    if symbol == "keras.backend.clear_session":
        return []
    if symbol in LOOKUPS:
        return render_lookup(action, texts)
    raise Refusal("KT101", f"`{symbol}` is not translated")


def call(name: str, symbol: str, texts: Mapping[str, str]) -> str:
    """A call with the arguments that were given: by position as long as none was left out."""
    shown: list[str] = []
    complete = True
    for param in FUNCTIONS[symbol]:
        if param.name not in texts:
            complete = False
        elif complete and len(shown) < 2:
            shown.append(texts[param.name])
        else:
            shown.append(f"{param.name}={texts[param.name]}")
    return f"{name}({', '.join(shown)})"


def _to_categorical(texts: Mapping[str, str], helpers: Helpers) -> str:
    plain = {key: text for key, text in texts.items() if key != "dtype"}
    text = call(helpers.use("to_categorical"), "keras.utils.to_categorical", plain)
    return f"{text}.astype({texts['dtype']})" if "dtype" in texts else text


def _get_file(action: Action, texts: Mapping[str, str], helpers: Helpers) -> str:
    """``get_file``: of Keras 3, which gives the folder of what it unpacks."""
    given = {name: texts[name] for name in texts if action.args.get(name) is not None}
    if "origin" not in given:
        raise Refusal("KT205", "`get_file` needs an address")
    flags = {name: action.args.get(name, False) for name in ("extract", "untar")}
    if any(not isinstance(flag, bool) and flag is not None for flag in flags.values()):
        raise Refusal("KT302", "`get_file` is translated where it is known whether it unpacks the file")
    unpacks = any(flags.values())
    digest = given.get("file_hash", given.get("md5_hash"))
    shown = [given["fname"], given["origin"]] if "fname" in given else [f"origin={given['origin']}"]
    if digest:
        shown.append(digest if "fname" in given else f"digest={digest}")
    if unpacks and (kinds := _archive_kinds(action, bool(flags["untar"]))) != ("tar", "zip"):
        shown.append(f"kinds={kinds!r}")
    shown += [f"{name}={given[name]}" for name in ("cache_subdir", "cache_dir", "force_download") if name in given]
    return f"{helpers.use('get_archive' if unpacks else 'get_file')}({', '.join(shown)})"


def _archive_kinds(action: Action, untar: bool) -> tuple[str, ...]:
    """The kinds of archives that ``get_file`` unpacks."""
    value = "tar" if untar else action.args.get("archive_format", "auto")
    if value == "auto":
        return ("tar", "zip")
    kinds = (value,) if isinstance(value, str) else value or ()
    if not isinstance(kinds, (list, tuple)) or any(kind not in ("tar", "zip") for kind in kinds):
        raise Refusal("KT302", "`archive_format` of `get_file` is not known to be `auto`, `tar` or `zip`")
    return tuple(kinds)


_CHOICES: dict[str, tuple[object, ...]] = {
    "labels": ("inferred", None), "label_mode": ("int", "binary", "categorical", None),
    "color_mode": ("rgb", "rgba", "grayscale"), "interpolation": ("bilinear", "nearest"),
    "subset": ("training", "validation", None), "pad_to_aspect_ratio": (False,),
    "data_format": ("channels_last", None), "format": ("tf",),
}  # fmt: skip


def _images_from_directory(action: Action, texts: Mapping[str, str], helpers: Helpers) -> str:
    for name, choices in _CHOICES.items():
        if name in texts and not any(action.args[name] is c or action.args[name] == c for c in choices):
            raise Refusal("KT302", f"`{name}` of `image_dataset_from_directory` is not translated with this value")
    split = action.args.get("validation_split")
    if split is not None and (action.args.get("subset") is None or not _seeded(action)):
        raise Refusal("KT205", "`validation_split` needs a `subset`, and a `seed` unless `shuffle=False`")
    left_out = ("pad_to_aspect_ratio", "data_format", "format")
    shown = {name: text for name, text in texts.items() if name not in left_out}
    return call(helpers.use("images_from_directory"), IMAGES_FROM_DIRECTORY, shown)


def _seeded(action: Action) -> bool:
    return action.args.get("seed") is not None or action.args.get("shuffle") is False


_FILES = {"keras.utils.get_file": _get_file, IMAGES_FROM_DIRECTORY: _images_from_directory}


def render_adapt(action: Action, texts: Mapping[str, str], receiver: str) -> list[str]:
    """``normalizer.adapt(data)``: the layer is made here, with the statistics of the data."""
    assert action.layer is not None
    config = action.layer.config
    shape = config.get("statistics_shape")
    if shape is None:
        raise Refusal("KT302", "`adapt` of a layer that no model uses is not translated")
    extra = "" if config["axis"] == (-1,) else f", axis={config['axis']}"
    extra += "" if len(shape) == 1 else f", shape={literal(shape)}"
    extra += ", invert=True" if config["invert"] else ""
    return [f"{receiver} = <fit_normalization>({texts['data']}{extra})"]
