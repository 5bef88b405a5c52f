"""Random image layers: nothing in inference; in training the pixels of Keras for one factor, else its distribution."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from tests.conformance.direct import Runner, check, codes, keras_model, translate

HEAD = "import keras\nfrom keras import layers\n"
RNG = np.random.default_rng(5)
IMAGES = RNG.uniform(0, 255, size=(3, 6, 9, 2))


def program(layer: str, shape: tuple[Any, ...] = (6, 9, 2)) -> str:
    return f"{HEAD}model = keras.Sequential([keras.Input({shape}), layers.{layer}])\n"


def trained(layer: str, images: np.ndarray, drop_in: bool = True) -> torch.Tensor:
    """Our layer's output in training mode, channels last."""
    torch.set_default_dtype(torch.float64)
    try:
        runner = Runner(translate(program(layer, images.shape[1:]), drop_in=drop_in)).train()
        x = torch.as_tensor(images)
        made: torch.Tensor = runner(x) if drop_in else runner(x.movedim(-1, 1)).movedim(1, -1)
    finally:
        torch.set_default_dtype(torch.float32)
    return made


# A range of one number leaves nothing to chance.
FIXED = [
    *(f"RandomRotation(({f}, {f}){more})" for f in (0.13, -0.3) for more in (
        "", ", fill_mode='constant'", ", fill_mode='constant', fill_value=7.0", ", fill_mode='nearest'",
        ", interpolation='nearest'", ", seed=3")),
    *(f"RandomZoom(({f}, {f}){more})" for f in (0.4, -0.3) for more in (
        "", ", width_factor=(-0.2, -0.2)", ", fill_mode='constant', fill_value=2.0")),
    *(f"RandomTranslation(({f}, {f}), (-0.27, -0.27){more})" for f in (0.4, -0.1) for more in (
        "", ", fill_mode='constant'", ", fill_mode='nearest', interpolation='nearest'")),
    "RandomContrast((0.3, 0.3), value_range=(20, 200))", "RandomBrightness((0.2, 0.2))",
    "RandomBrightness((-0.6, -0.6), value_range=(250, 10))",
]  # fmt: skip


@pytest.mark.parametrize("layer", FIXED)
def test_pixels_in_training(layer: str) -> None:
    if "RandomContrast" in layer:  # there lower and upper are two sides of one
        layer = layer.replace("(0.3, 0.3)", "(0.0, 0.0)")
    model = keras_model(program(layer))
    wanted = model(torch.as_tensor(IMAGES.copy()), training=True).numpy()  # the torch backend writes into it
    for drop_in in (True, False):
        np.testing.assert_allclose(trained(layer, IMAGES, drop_in), wanted, rtol=0, atol=2e-3)  # Keras' matrix: float32


@pytest.mark.parametrize("layer", [*FIXED[::4], "RandomFlip()"])
def test_nothing_in_inference(layer: str) -> None:
    for drop_in in (True, False):
        if drop_in:
            check(program(layer), IMAGES)
        else:
            runner = Runner(translate(program(layer), drop_in=False)).eval()
            x = torch.as_tensor(IMAGES).movedim(-1, 1)
            assert torch.equal(runner(x), x)


@pytest.mark.parametrize(
    ("mode", "axes"), [("horizontal", (2,)), ("vertical", (1,)), ("horizontal_and_vertical", (1, 2))]
)
def test_half_of_the_images_are_flipped(mode: str, axes: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    images = np.repeat(IMAGES[:1], 400, axis=0)
    made = trained(f"RandomFlip('{mode}')", images).numpy()
    same = np.all(made == images, axis=(1, 2, 3))
    flipped = np.all(made == np.flip(images, axes), axis=(1, 2, 3))
    assert np.all(same ^ flipped)
    assert 150 < flipped.sum() < 250


def test_factors_fill_their_range() -> None:
    torch.manual_seed(0)
    grey = np.full((2000, 1, 1, 1), 100.0)
    steps = (trained("RandomBrightness((-0.1, 0.3))", grey).numpy().ravel() - 100) / 255
    assert -0.1 <= steps.min() < -0.095
    assert 0.295 < steps.max() <= 0.3
    assert abs(steps.mean() - 0.1) < 0.01
    pair = np.tile(np.array([90.0, 110.0]).reshape(1, 1, 2, 1), (2000, 1, 1, 1))
    stretch = (trained("RandomContrast((0.1, 0.5))", pair).numpy()[:, 0, 1, 0] - 100) / 10
    assert 0.9 <= stretch.min() < 0.91
    assert 1.49 < stretch.max() <= 1.5


def test_random_crop() -> None:
    torch.manual_seed(0)
    windows = set()
    for _ in range(200):
        made = trained("RandomCrop(4, 6)", IMAGES).numpy()
        found = [
            (i, j) for i in range(3) for j in range(4) if np.array_equal(made, IMAGES[:, i : i + 4, j : j + 6])
        ]  # fmt: skip
        assert len(found) == 1
        windows.add(found[0])
    assert len(windows) == 12


@pytest.mark.parametrize("size", [(4, 6), (3, 5), (5, 3)])
def test_crop_in_inference_resizes_the_largest_window(size: tuple[int, int]) -> None:
    # Keras 3.15 gives the images back whole there, against its documentation and its own static shape
    wanted = keras_model(program(f"Resizing{(*size, 'bilinear', True)}"))(torch.as_tensor(IMAGES)).numpy()
    runner = Runner(translate(program(f"RandomCrop{size}"))).eval()
    np.testing.assert_allclose(runner(torch.as_tensor(IMAGES)).numpy(), wanted, atol=1e-9)


@pytest.mark.parametrize(
    "layer",
    [
        "Resizing(4, 7)", "Resizing(12, 18)", "Resizing(6, 9)", "Resizing(4, 5, 'nearest')",
        "Resizing(7, 5, antialias=True)",
        "Resizing(4, 5, crop_to_aspect_ratio=True)", "Resizing(9, 2, crop_to_aspect_ratio=True)",
        "Resizing(4, 5, pad_to_aspect_ratio=True, fill_value=3.0)", "Resizing(4, 12, pad_to_aspect_ratio=True)",
        "CenterCrop(3, 4)", "CenterCrop(4, 4)", "CenterCrop(6, 9)", "CenterCrop(8, 4)", "CenterCrop(3, 12)",
    ],
)  # fmt: skip
def test_sizes(layer: str) -> None:
    check(program(layer), IMAGES)
    check(program(f"Conv2D(3, 1), layers.{layer}, layers.Flatten(), layers.Dense(2)"), IMAGES / 255)


@pytest.mark.parametrize(
    ("layer", "code"),
    [
        ("RandomRotation(2.0)", "KT103"), ("RandomRotation(0.1, fill_mode='wrap')", "KT102"),
        ("RandomFlip('x')", "KT103"),
        ("Resizing(3, 3, 'bicubic')", "KT102"), ("RandomCrop(6, 4)", "KT102"), ("RandomCrop(8, 12)", "KT102"),
        ("RandomZoom(0.2, bounding_box_format='xyxy')", "KT102"), ("RandomContrast(-0.2)", "KT103"),
        ("Resizing(3, 3, data_format='channels_first')", "KT102"), ("RandomZoom(-1.0)", "KT103"),
    ],
)  # fmt: skip
def test_refused(layer: str, code: str) -> None:
    assert code in codes(program(layer))


def test_a_function_of_the_program_with_the_name_of_a_helper() -> None:
    from transpiler import transpile

    source = program("RandomRotation(0.1)") + "\n\ndef warp_images(x):\n    return x\n\n\nprint(warp_images(3))\n"
    found = [(d.code, d.line) for d in transpile(source, filename="p.py").diagnostics]
    assert found == [("KT105", 6)]
