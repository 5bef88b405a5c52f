"""Data sets of images in folders, against those of Keras and TensorFlow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras")
pytest.importorskip("torch")
pytest.importorskip("tensorflow")
pictures = pytest.importorskip("PIL.Image")

from transpiler import transpile  # noqa: E402


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of colour images of different sizes, some in folders further down, and files of other kinds."""
    root = tmp_path_factory.mktemp("pets")
    draw = np.random.default_rng(0)
    for number, name in enumerate(("cat", "dog", "ant")):
        for index in range(7 + number):
            place = root / name / ("more" if index % 3 == 0 else "")
            place.mkdir(parents=True, exist_ok=True)
            pixels = draw.integers(0, 256, (9 + index, 14 - number, 3)).astype("uint8")
            pictures.fromarray(pixels).save(place / f"{index}.{('png', 'BMP')[index % 2]}")
        (root / name / "notes.txt").write_text("not a picture")
    (root / ".hidden").mkdir()
    return root


def batches(arguments: str, folder: Path) -> tuple[Any, Any]:
    """What Keras' data set and the translated one give."""
    source = f"import keras\nsets = keras.utils.image_dataset_from_directory({str(folder)!r}, {arguments})\n"
    scope: dict[str, Any] = {}
    exec(source, scope)
    result = transpile(source)
    assert not result.diagnostics, result.diagnostics
    translated: dict[str, Any] = {"__name__": "translated"}
    exec(result.code, translated)
    expected, found = scope["sets"], translated["sets"]
    assert found.class_names == expected.class_names
    assert found.file_paths == expected.file_paths
    assert len(found) == len(expected)
    return expected, found


OPTIONS = {
    "plain": "image_size=(12, 10)",
    "one number": "image_size=8, batch_size=4",
    "single images": "image_size=(6, 6), batch_size=None",
    "one hot": "image_size=(12, 10), label_mode='categorical', batch_size=5",
    "two classes": "image_size=(12, 10), label_mode='binary', class_names=['dog', 'cat']",
    "without labels": "image_size=(12, 10), labels=None",
    "no label mode": "image_size=(12, 10), label_mode=None",
    "nearest": "image_size=(13, 21), interpolation='nearest'",
    "cropped": "image_size=(13, 7), crop_to_aspect_ratio=True",
    "with an alpha channel": "image_size=(12, 10), color_mode='rgba'",
    "validation": "image_size=(12, 10), validation_split=0.3, subset='validation'",
    "training": "image_size=(12, 10), validation_split=0.3, subset='training', batch_size=3",
}


@pytest.mark.parametrize("options", OPTIONS)
def test_batches(options: str, folder: Path) -> None:
    expected, found = batches(f"{OPTIONS[options]}, shuffle=False", folder)
    for theirs, ours in zip(expected, found, strict=True):
        theirs, ours = (part if isinstance(part, tuple) else (part,) for part in (theirs, ours))
        for a, b in zip(ours, theirs, strict=True):
            assert tuple(a.shape) == tuple(b.shape)
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("subset", ["training", "validation"])
def test_seeded_subsets_hold_the_same_files(subset: str, folder: Path) -> None:
    expected, found = batches(f"image_size=(4, 4), seed=7, validation_split=0.4, subset={subset!r}", folder)
    labels = [np.sort(np.concatenate([y.numpy() for _, y in sets])) for sets in (expected, found)]
    np.testing.assert_array_equal(*labels)


def test_a_model_is_trained(folder: Path) -> None:
    source = f"""
import keras
from keras import layers

sets = keras.preprocessing.image_dataset_from_directory({str(folder)!r}, image_size=(8, 9), batch_size=4)
model = keras.Sequential([keras.Input((8, 9, 3)), layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(3)])
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
model.compile("sgd", loss, metrics=["accuracy"])
history = model.fit(sets.prefetch(2), epochs=1, validation_data=sets)
seen = [tuple(images.shape) for images, labels in sets.take(1)]
predicted = model.predict(sets)
"""
    result = transpile(source)
    assert not result.diagnostics, result.diagnostics
    translated: dict[str, Any] = {"__name__": "translated"}
    exec(result.code, translated)
    assert translated["seen"] == [(4, 8, 9, 3)]
    assert translated["predicted"].shape == (24, 3)


@pytest.mark.parametrize(
    "arguments",
    [
        "pad_to_aspect_ratio=True", "labels=[0, 1]", "interpolation='bicubic'", "format='grain'", "subset='both'",
        "validation_split=0.2, subset='training'", "color_mode=mode", "label_mode=mode",
    ],
)  # fmt: skip
def test_refused(arguments: str) -> None:
    head = "import keras\nfrom elsewhere import mode\n"
    result = transpile(f"{head}sets = keras.utils.image_dataset_from_directory('pets', {arguments})\n")
    assert [d for d in result.diagnostics if d.severity == "error"]
