"""Every network that is translated: the same layers, the same variables, the same numbers as Keras' own."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

from tests.applications.networks import Twin, twin
from transpiler.rules.base import LAYERS

pytestmark = pytest.mark.skipif(find_spec("keras") is None, reason="Keras is the judge")

_SMALL = {"InceptionV3": 75, "InceptionResNetV2": 75, "Xception": 71}
_BARE = "include_top=False, pooling='avg'"
_LOGITS = "classes=7, classifier_activation=None"
# What is computed for each kind of network; the larger ones repeat the blocks of the smallest.
_COMPUTED = [
    ("VGG16", _LOGITS),
    ("VGG19", "include_top=False, pooling='max'"),
    ("ResNet50", _LOGITS),
    ("ResNet50V2", _BARE),
    ("InceptionV3", "include_top=False"),
    ("InceptionResNetV2", _BARE),
    ("MobileNet", "classes=7, alpha=0.5"),
    ("MobileNet", f"{_BARE}, depth_multiplier=2"),
    ("MobileNetV2", "classes=7, alpha=1.4"),
    ("MobileNetV2", f"{_BARE}, alpha=0.35"),
    ("MobileNetV3Small", _LOGITS),
    ("MobileNetV3Small", f"{_BARE}, minimalistic=True"),
    ("MobileNetV3Large", f"{_LOGITS}, alpha=1.25"),
    ("Xception", _BARE),
    ("DenseNet121", _BARE),
    ("EfficientNetB0", _LOGITS),
    ("EfficientNetB1", _BARE),
    ("EfficientNetV2B0", _LOGITS),
    ("EfficientNetV2B1", f"{_BARE}, include_preprocessing=False"),
    ("EfficientNetV2S", _BARE),
]
_NAMED = ("ResNet101", "ResNet152V2", "DenseNet169", "EfficientNetB3", "EfficientNetV2B2", "EfficientNetV2B3")
# Their first layers bring pixels of 0 to 255 to a small range.
_SCALED = ("EfficientNet", "MobileNetV3")


def _twin(name: str, arguments: str) -> Twin:
    if name.startswith("EfficientNet") and "keras.layers.Normalization" not in LAYERS:
        pytest.skip("needs Normalization")
    size = _SMALL.get(name, 32)
    return twin(
        f"from keras.applications import {name}\n"
        f"model = {name}(weights=None, input_shape=({size}, {size}, 3), {arguments})\n"
    )


def _same_layers(both: Twin) -> None:
    assert both.our_names == both.names
    assert both.model.name == both.keras.name
    assert both.shapes() == [tuple(v.shape) for layer in both.keras.layers for v in layer.weights]


def _same_numbers(both: Twin, contrast: float) -> None:
    size = both.keras.input_shape[1]
    images = np.random.default_rng(1).uniform(-contrast, contrast, (2, size, size, 3))
    ours, theirs = both.outputs(images)
    assert ours.shape == theirs.shape
    scale = np.abs(theirs).max()
    assert np.isfinite(scale)
    assert np.std(theirs, axis=0).max() > 0.02 * scale
    assert np.abs(ours - theirs).max() <= 1e-9 * scale


@pytest.mark.parametrize(("name", "arguments"), _COMPUTED)
def test_network_gives_keras_numbers(name: str, arguments: str) -> None:
    both = _twin(name, arguments)
    _same_layers(both)
    _same_numbers(both, 2e5 if name.startswith(_SCALED) else 2)


@pytest.mark.parametrize("name", _NAMED)
def test_network_has_keras_layers(name: str) -> None:
    _same_layers(_twin(name, _BARE))
