"""Batches of images that are changed at random: the same numbers as Keras' generators draw, from the same seeds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("keras")
pytest.importorskip("torch")
pytest.importorskip("scipy")

from tests.training.test_data import helper
from transpiler import transpile

legacy = pytest.importorskip("keras.src.legacy.preprocessing.image")

RANGES: dict[str, dict[str, Any]] = {
    "none": {},
    "scaled": {"rescale": 1 / 255},
    "turned": {"rotation_range": 40},
    "shifted": {"width_shift_range": 0.2, "height_shift_range": 0.1},
    "by pixels": {"width_shift_range": 3, "height_shift_range": [1, 2]},
    "sheared": {"shear_range": 25.0},
    "zoomed": {"zoom_range": 0.3},
    "zoomed out": {"zoom_range": [1.0, 1.7]},
    "mirrored": {"horizontal_flip": True, "vertical_flip": True},
    "all": {
        "rescale": 0.5, "rotation_range": 30, "width_shift_range": 0.2, "height_shift_range": 0.2, "shear_range": 0.2,
        "zoom_range": 0.2, "horizontal_flip": True, "validation_split": 0.25,
    },
}  # fmt: skip


def same_batches(found: Any, expected: Any, count: int) -> None:
    assert len(found) == len(expected)
    for _ in range(count):
        theirs, ours = (part if isinstance(part, tuple) else (part,) for part in (next(expected), next(found)))
        for a, b in zip(ours, theirs, strict=True):
            assert a.dtype == b.dtype
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("ranges", RANGES)
@pytest.mark.parametrize("size", [(9, 9), (8, 13)])
def test_flow(ranges: str, size: tuple[int, int]) -> None:
    images = np.random.default_rng(0).uniform(0, 255, (11, *size, 3)).astype("float32")
    labels = np.arange(11) % 2
    generators = (kind(**RANGES[ranges]) for kind in (helper("ImageDataGenerator")["ImageDataGenerator"],
                                                      legacy.ImageDataGenerator))  # fmt: skip
    subset = "training" if "validation_split" in RANGES[ranges] else None
    found, expected = (each.flow(images, labels, batch_size=4, seed=3, subset=subset) for each in generators)
    same_batches(found, expected, 7)
    for index in (1, 0):
        np.testing.assert_allclose(found[index][0], expected[index][0], rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(
    "options",
    [
        {}, {"class_mode": "binary", "classes": ["dog", "cat"]}, {"class_mode": None, "shuffle": False},
        {"class_mode": "sparse", "subset": "training"}, {"subset": "validation", "color_mode": "grayscale"},
    ],
)  # fmt: skip
def test_flow_from_directory(options: dict[str, Any], tmp_path: Path) -> None:
    pictures = pytest.importorskip("PIL.Image")
    draw = np.random.default_rng(0)
    for name in ("cat", "dog", "ant"):
        (tmp_path / name / "more").mkdir(parents=True)
        for index in range(5):
            pixels = draw.integers(0, 256, (9 + index, 12, 3)).astype("uint8")
            pictures.fromarray(pixels).save(tmp_path / name / ("more" if index == 2 else "") / f"{index}.png")
    made = {"rescale": 1 / 255, "rotation_range": 20, "horizontal_flip": True, "validation_split": 0.4}
    options = {"target_size": (10, 8), "batch_size": 4, "seed": 1, **options}
    ours = helper("ImageDataGenerator")["ImageDataGenerator"](**made).flow_from_directory(tmp_path, **options)
    theirs = legacy.ImageDataGenerator(**made).flow_from_directory(str(tmp_path), **options)
    same_batches(ours, theirs, 6)
    assert ours.class_indices == theirs.class_indices
    assert ours.classes.tolist() == theirs.classes.tolist()
    assert ours.filenames == theirs.filenames
    assert ours.samples == theirs.samples


HEAD = """
import numpy as np
import keras
from keras import layers
from keras.preprocessing.image import ImageDataGenerator
from elsewhere import other

x, y = np.random.default_rng(0).uniform(size=(30, 8, 9, 3)), np.arange(30) % 3
made = ImageDataGenerator(rotation_range=20, zoom_range=0.1, fill_mode="nearest")
model = keras.Sequential([keras.Input((8, 9, 3)), layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(3)])
model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
"""


def test_a_model_is_trained() -> None:
    text = """
train = made.flow(x, y, batch_size=8)
history = model.fit(train, steps_per_epoch=train.n // 8, epochs=2, validation_data=made.flow(x, y, shuffle=False))
plain = ImageDataGenerator()
predicted = model.predict(made.flow(x, batch_size=7))
in_order = model.predict(x)
shuffled = model.predict(plain.flow(x, batch_size=7))
started = model.predict(plain.flow(x, batch_size=7, shuffle=False), steps=2)
"""
    result = transpile(HEAD.replace("from elsewhere import other\n", "") + text)
    assert not result.diagnostics, result.diagnostics
    translated: dict[str, Any] = {"__name__": "translated"}
    exec(result.code, translated)
    assert translated["predicted"].shape == (30, 3)
    in_order, shuffled = translated["in_order"], translated["shuffled"]
    np.testing.assert_allclose(translated["started"], in_order[:14], atol=1e-6)
    np.testing.assert_allclose(np.sort(shuffled, axis=0), np.sort(in_order, axis=0), atol=1e-6)  # each image once


@pytest.mark.parametrize(
    "text",
    [
        "ImageDataGenerator(featurewise_center=True)", "ImageDataGenerator(fill_mode='wrap')",
        "ImageDataGenerator(preprocessing_function=other)", "ImageDataGenerator(brightness_range=(0.5, 1.0))",
        "made.fit(x)", "made.flow_from_dataframe(other)", "made.flow(x, y, save_to_dir='seen')",
        "made.flow((x, x), y)", "made.flow_from_directory('pets', class_mode='input')",
    ],
)  # fmt: skip
def test_refused(text: str) -> None:
    result = transpile(f"{HEAD}value = {text}\n")
    assert [d for d in result.diagnostics if d.severity == "error"]
