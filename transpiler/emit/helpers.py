"""The helper functions of an output file: which are needed, what they are called, and the imports they use."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from transpiler.template_env import environment

# Every helper in the order of the file: its template and the template's own variables.
_LOSSES = (
    "binary_crossentropy", "smooth_bce_with_logits", "categorical_crossentropy", "sparse_categorical_crossentropy",
    "cross_entropy", "sparse_cross_entropy", "mean_absolute_percentage_error", "mean_squared_logarithmic_error",
    "hinge", "squared_hinge", "categorical_hinge", "kl_divergence", "poisson", "log_cosh", "cosine_similarity",
    "cosine_metric", "binary_accuracy", "logit_accuracy", "categorical_accuracy", "sparse_categorical_accuracy",
    "top_k_accuracy", "sparse_top_k_accuracy",
)  # fmt: skip
_OPTIMIZERS = ("KerasSGD", "KerasRMSprop", "clip_by_norm", "clip_by_global_norm", "clip_by_value")
_TABLES = {
    "boston_housing": "f553886a1f8d56431e820c5b82552d9d95cfcb96d1e678153f8839538947dff5",
    "california_housing": "1a2e3a52e0398de6463aebe6f4a8da34fb21fbb6b934cf88c3425e766f2a1a6f",
}
_WORDS = {"imdb": "bfafd718b763782e994055a2d397834f", "reuters": "4d44cc38712099c9e383dc6e5f11a921"}
_DATA = ("file_digest", "download", "get_file", "unpack", "get_archive", "load_mnist", "load_fashion_mnist",
         "read_cifar", "load_cifar10", "load_cifar100", "word_numbers", "limit_words", "load_imdb", "load_reuters",
         "load_img", "img_to_array", "array_to_img", "text_to_word_sequence", "Tokenizer",
         "decode_predictions", "ImageBatches", "warp_image", "ImageDataGenerator")  # fmt: skip
_ARRAYS = ("to_categorical", "normalize", "pad_sequences", "channels_first", "channels_last", "images_last")
_PIPELINES = ("Pipeline", "from_arrays", "zip_data", "list_images", "read_image", "images_from_directory")
_LOADERS = ("to_batch", "Batches", "SequenceBatches", "Steps")
_LOOPS = ("to_tensor", "make_loader", "class_weights", "set_trainable", "select_trainable", "as_list", "weighted_mean",
          "total_loss", "metric_values", "train_one_epoch", "evaluate", "fit", "predict",
          "predict_in_training")  # fmt: skip

_CALLBACKS = ("Callback", "improves", "EarlyStopping", "ModelCheckpoint", "ReduceLROnPlateau", "LearningRateScheduler",
              "TensorBoard", "CSVLogger", "TerminateOnNaN", "LambdaCallback", "History")  # fmt: skip

TEMPLATES: dict[str, tuple[str, dict[str, str]]] = {
    **{name: (f"data/{name}", {}) for name in _DATA},
    **{f"load_{name}": ("data/load_table", {"which": name, "digest": digest}) for name, digest in _TABLES.items()},
    **{f"{name}_word_index": ("data/load_word_index", {"which": name, "digest": d}) for name, d in _WORDS.items()},
    **{name: (f"data/{name}", {}) for name in _ARRAYS},
    **{f"preprocess_{mode}": ("data/preprocess", {"which": mode}) for mode in ("caffe", "tf", "torch")},
    "StringLookup": ("data/string_lookup", {}),
    "TextVectorization": ("data/text_vectorization", {}),
    "Normalization": ("helpers/normalization", {}),
    "fit_normalization": ("data/fit_normalization", {}),
    **{name: ("training/losses", {"which": name}) for name in _LOSSES},
    "KerasAdam": ("training/optimizers", {"which": "KerasAdam", "name": "KerasAdam", "base": "Adam"}),
    "KerasAdamW": ("training/optimizers", {"which": "KerasAdam", "name": "KerasAdamW", "base": "AdamW"}),
    **{name: ("training/optimizers", {"which": name}) for name in _OPTIMIZERS},
    **{name: (f"data/{name}", {}) for name in _PIPELINES},
    **{name: (f"callbacks/{name}", {}) for name in _CALLBACKS},
    **{name: (f"training/{name}", {}) for name in _LOADERS},
    **{name: (f"training/{name}", {}) for name in _LOOPS},
    "train_on_batch": ("training/train_on_batch", {"which": "train_on_batch"}),
    "test_on_batch": ("training/train_on_batch", {"which": "test_on_batch"}),
    "load_pretrained": ("training/load_pretrained", {}),
    "weights_path": ("training/weights_path", {}),
    "load_model": ("training/load_model", {}),
    "count_params": ("training/count_params", {}),
}

_IMPORTS = {
    r"\bitertools\.": "import itertools", r"\bcsv\.": "import csv", r"\bwarnings\.": "import warnings",
    r"\bnp\.": "import numpy as np", r"\btorch\.": "import torch", r"\bmath\.": "import math",
    r"\brandom\.seed\(": "import random", r"\bre\.": "import re", r"\bos\.": "import os",
    r"\bgzip\.": "import gzip", r"\bjson\.": "import json", r"\bhashlib\.": "import hashlib",
    r"\bpickle\.": "import pickle", r"\btarfile\.": "import tarfile", r"\burllib\.request\.": "import urllib.request",
    r"\burllib\.parse\.": "import urllib.parse", r"\btempfile\.": "import tempfile", r"\bzipfile\.": "import zipfile",
    r"\bnn\.": "from torch import nn", r"\bTensor\b": "from torch import Tensor",
    r"\bF\.": "from torch.nn import functional as F", r"\bpartial\(": "from functools import partial",
    r"\bArrayLike\b": "from numpy.typing import ArrayLike", r"\bAny\b": "from typing import Any",
    r"\bImage\.": "from PIL import Image", r"\bPath\b": "from pathlib import Path",
    r"\bSummaryWriter\b": "from torch.utils.tensorboard import SummaryWriter",
    **{rf"\b{name}\b": f"from torch.nn.utils.rnn import {name}"
       for name in ("PackedSequence", "pack_padded_sequence", "pad_packed_sequence")},
    **{rf"\b{name}\b": f"from collections.abc import {name}"
       for name in ("Callable", "Iterable", "Iterator", "Mapping", "Sequence")},
    **{rf"\b{name}\b": f"from torch.utils.data import {name}"
       for name in ("DataLoader", "IterableDataset", "StackDataset", "TensorDataset", "default_collate")},
}  # fmt: skip


_CALLED = re.compile(r"(?<!def )(?<!class )(?<![\w.\"])(\w+)\(")
_MAPPED = re.compile(r"map\((\w+),")
_BASES = re.compile(r"class \w+\((\w+)\)|Sequence\[(\w+)\]")


class Names(dict[str, str]):
    """The name of every helper in this file; templates read them as attributes."""

    def __init__(self, taken: set[str]) -> None:
        super().__init__({name: _free(name, taken) for name in (*TEMPLATES, "device")})


def _free(name: str, taken: set[str]) -> str:
    if name not in taken:
        return name
    for candidate in (f"{name}_model", f"{name}_helper", f"keras_{name}"):
        if candidate not in taken:
            return candidate
    number = 2
    while f"{name}{number}" in taken:
        number += 1
    return f"{name}{number}"


class Helpers:
    """Collects helpers by need. ``texts`` that go into the program are kept to find out which imports they use."""

    def __init__(self, taken: set[str]) -> None:
        self.names = Names(taken)
        self.wanted: set[str] = set()
        self.texts: list[str] = []

    def use(self, name: str) -> str:
        """Note that the helper is needed; returns what it is called."""
        self.wanted.add(name)
        return self.names[name]

    def fill(self, text: str) -> str:
        """Put names in for ``<helper>`` marks, and note the helpers."""
        return re.sub(r"<([A-Za-z_]\w*)>", lambda m: self.use(m[1]) if m[1] in TEMPLATES else m[0], text)

    def keep(self, text: str) -> str:
        """Remember ``text`` for its imports."""
        self.texts.append(text)
        return text

    def render(self, needs: Mapping[str, Any]) -> list[str]:
        """The sources of all wanted helpers and of those that they call, in the order of the file."""
        sources: dict[str, str] = {}
        pending = list(self.wanted)
        while pending:
            name = pending.pop()
            if name not in sources:
                sources[name] = self._render(name, needs)
                pending.extend(self._called(sources[name]))
        return [sources[name] for name in TEMPLATES if name in sources]

    def _called(self, source: str) -> list[str]:
        """The helpers that a source calls or maps."""
        bases = (name for pair in _BASES.findall(source) for name in pair)
        called = {*_CALLED.findall(source), *_MAPPED.findall(source), *bases}
        return [name for name in TEMPLATES if self.names[name] in called]

    def _render(self, name: str, needs: Mapping[str, Any]) -> str:
        path, variables = TEMPLATES[name]
        template = environment().get_template(f"{path}.py.jinja")
        return template.render(f=needs, n=self.names, **variables).strip("\n") + "\n"


def imports_of(texts: list[str]) -> set[str]:
    """The import lines that ``texts`` need."""
    joined = re.sub(r'(?s)""".*?"""', "", "\n".join(texts))
    return {
        line
        for pattern, line in _IMPORTS.items()
        if pattern.replace(r"\b", "").replace("\\", "") in joined and re.search(pattern, joined)  # the first is faster
    }
