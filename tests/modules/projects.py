"""Small projects of several files, by name: what each file holds. ``train.py`` or the like is what a person runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

BLOCKS = '''
from tensorflow.keras import layers

WIDTH = 4


def conv_block(x, filters, kernel=3):
    """Convolution, normalisation, activation."""
    x = layers.Conv2D(filters, kernel, padding="same")(x)
    x = layers.BatchNormalization()(x)
    return layers.Activation("relu")(x)
'''

UNET = '''
"""A small U-Net."""

from tensorflow import keras
from tensorflow.keras import layers

from {blocks} import WIDTH, conv_block


def build_unet(input_shape, num_classes, width=WIDTH):
    inputs = keras.Input(input_shape)
    down = conv_block(inputs, width)
    x = layers.MaxPooling2D()(down)
    x = conv_block(x, width * 2)
    x = layers.UpSampling2D()(x)
    x = layers.Concatenate()([x, down])
    x = conv_block(x, width)
    outputs = layers.Conv2D(num_classes, 1, activation="softmax")(x)
    return keras.Model(inputs, outputs)
'''

CONFIG = '''
"""Settings."""

NUM_CLASSES = 3
SIZE = 8
'''

SEGMENT = '''
"""Segment some images."""

import numpy as np

from {config} import NUM_CLASSES, SIZE
{imports}

images = np.random.default_rng(0).random((4, SIZE, SIZE, 3)).astype("float32")
model = {call}((SIZE, SIZE, 3), NUM_CLASSES)
model.load_weights("segment.weights.h5")
np.save("segment.npy", model.predict(images, verbose=0))
'''

LOSSES = '''
from tensorflow.keras import backend as K


def scaled_error(y_true, y_pred):
    """Mean squared error, twice."""
    return 2.0 * K.mean(K.square(y_true - y_pred), axis=-1)
'''


def segment(imports: str, call: str = "build_unet", config: str = "config") -> str:
    """A script that builds a U-Net, loads weights and predicts."""
    return SEGMENT.format(imports=imports, call=call, config=config)


PROJECTS: dict[str, dict[str, str]] = {
    "package": {
        "models/__init__.py": '"""Models."""\n\nfrom .unet import build_unet\n\n__all__ = ["build_unet"]\n',
        "models/blocks.py": BLOCKS,
        "models/unet.py": UNET.format(blocks=".blocks"),
        "config.py": CONFIG,
        "segment.py": segment("from models import build_unet"),
    },
    "submodule": {
        "models/__init__.py": "",
        "models/blocks.py": BLOCKS,
        "models/unet.py": UNET.format(blocks="models.blocks"),
        "config.py": CONFIG,
        "segment.py": segment("import models.unet as unet", "unet.build_unet"),
    },
    "flat": {
        "blocks.py": BLOCKS,
        "unet.py": UNET.format(blocks="blocks"),
        "config.py": CONFIG,
        "segment.py": segment("import unet", "unet.build_unet"),
    },
    "source_layout": {
        "pyproject.toml": '[project]\nname = "segmenting"\n',
        "src/segmenting/__init__.py": "",
        "src/segmenting/config.py": CONFIG,
        "src/segmenting/blocks.py": BLOCKS,
        "src/segmenting/unet.py": UNET.format(blocks="segmenting.blocks"),
        "src/segment.py": segment("from segmenting.unet import build_unet", config="segmenting.config"),
    },
    "star": {
        "blocks.py": BLOCKS,
        "unet.py": UNET.format(blocks="blocks").replace("import WIDTH, conv_block", "import *"),
        "config.py": CONFIG,
        "segment.py": segment("from unet import *").replace("import NUM_CLASSES, SIZE", "import *"),
    },
    "inside_package": {
        "seg/__init__.py": "",
        "seg/blocks.py": BLOCKS,
        "seg/unet.py": UNET.format(blocks=".blocks"),
        "seg/config.py": CONFIG,
        "seg/segment.py": segment("from . import unet", "unet.build_unet", ".config"),
    },
}


def write(root: Path, files: Mapping[str, str]) -> None:
    """Write the files of a project below ``root``."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.lstrip("\n"))
