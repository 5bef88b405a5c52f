"""Every network that is translated: the same layers, the same variables, the same numbers as Keras' own."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

from tests.applications.networks import Twin, twin
from transpiler.applications import APPLICATIONS, PREFIX

pytestmark = pytest.mark.skipif(find_spec("keras") is None, reason="Keras is the judge")

_SMALL = {"InceptionV3": 75, "Xception": 71}
_BARE = "include_top=False, pooling='avg'"
# What is computed for each kind of network; the larger ones repeat the blocks of the smallest.
_COMPUTED = [
    ("VGG16", "classes=7, classifier_activation=None"),
    ("VGG19", "include_top=False, pooling='max'"),
    ("ResNet50", "classes=7, classifier_activation=None"),
    ("ResNet50V2", _BARE),
    ("InceptionV3", "include_top=False"),
    ("MobileNet", "classes=7, alpha=0.5"),
    ("MobileNet", f"{_BARE}, depth_multiplier=2"),
    ("MobileNetV2", "classes=7, alpha=1.4"),
    ("MobileNetV2", f"{_BARE}, alpha=0.35"),
    ("Xception", _BARE),
    ("DenseNet121", _BARE),
]
_REST = [
    name
    for name in (symbol.removeprefix(PREFIX) for symbol in APPLICATIONS)
    if name not in dict(_COMPUTED) and not name.startswith("EfficientNet")
]


def _twin(name: str, arguments: str) -> Twin:
    size = _SMALL.get(name, 32)
    return twin(
        f"from keras.applications import {name}\n"
        f"model = {name}(weights=None, input_shape=({size}, {size}, 3), {arguments})\n"
    )


def _same_layers(both: Twin) -> None:
    assert both.our_names == both.names
    assert both.model.name == both.keras.name
    assert both.shapes() == [tuple(v.shape) for layer in both.keras.layers for v in layer.weights]


def _same_numbers(both: Twin, contrast: float = 2) -> None:
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
    _same_numbers(both)


@pytest.mark.parametrize("name", _REST)
def test_network_has_keras_layers(name: str) -> None:
    _same_layers(_twin(name, _BARE))
