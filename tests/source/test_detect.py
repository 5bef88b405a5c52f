"""Which programs have to do with Keras."""

from __future__ import annotations

import ast

import pytest

from transpiler.source.detect import mentions_keras, uses_keras


@pytest.mark.parametrize(
    "text",
    [
        "import keras",
        "import keras.backend as K",
        "from keras import *",
        "from tensorflow import keras",
        "from tensorflow.keras.layers import Conv2D as C",
        "from tensorflow.python.keras import layers",
        "from tensorflow.contrib.keras.api.keras import layers",
        "import tensorflow as tf\nm = tf.keras.Sequential()",
        "import tensorflow.compat.v1 as tf\nm = tf.keras.Sequential()",
        "import tf_keras",
        "def f():\n    from tensorflow import (\n        float32,\n        keras,\n    )",
        "import importlib\nk = importlib.import_module('tensorflow.keras')",
        "k = __import__('keras')",
    ],
)
def test_programs_with_keras(text: str) -> None:
    assert mentions_keras(text.encode())
    assert uses_keras(ast.parse(text))


@pytest.mark.parametrize(
    "text",
    [
        "# like keras\nimport torch",
        '"""Ported from keras."""',
        "if backend == 'keras':\n    pass",
        "import keras_tuner",
        "from mykeras import Net",
        "from .keras import Net",
        "keras_version = 3",
    ],
)
def test_programs_that_only_talk_of_it(text: str) -> None:
    assert not uses_keras(ast.parse(text))


def test_most_files_are_passed_over_by_their_bytes() -> None:
    assert not mentions_keras(b"import torch\n" * 1000)
