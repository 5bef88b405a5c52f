from __future__ import annotations

import numpy as np
import pytest

from tests.conformance.direct import check, codes

HEAD = "import keras\nfrom keras import layers\n"
RNG = np.random.default_rng(10)


def program(arguments: str, shape: tuple[int | None, ...]) -> str:
    return f"{HEAD}x = keras.Input({shape})\nmodel = keras.Model(x, layers.EinsumDense({arguments})(x))\n"


@pytest.mark.parametrize(
    ("arguments", "shape"),
    [
        ("'ab,bc->ac', 4, bias_axes='c', activation='relu'", (3,)), ("'abc,cd->abd', (None, 4)", (5, 3)),
        ("'abc,cd->abd', (None, 4), bias_axes='d'", (5, 3)),
        ("'...x,xy->...y', output_shape=4, bias_axes='y'", (5, 6, 3)),
        ("'abc,cde->abde', (None, 2, 4), bias_axes='de'", (5, 3)),
        ("'abc,cde->abde', (None, 2, 4), bias_axes='e'", (5, 3)),
        ("'abc,cde->abde', (None, 2, 4), bias_axes='d'", (5, 3)),
        ("'aecd,cdf->aef', (None, 7), bias_axes='f'", (5, 2, 3)),
        ("'abc,bd->adc', (4, 3), bias_axes='d'", (5, 3)), ("'ab...,bc->ac...', (4,), bias_axes='c'", (3, 5)),
        ("'...bc,cde->...bde', (None, 2, 4), activation='softmax'", (5, 6, 3)),
        ("'abc,bcd->abd', (5, 4), bias_axes='bd'", (5, 3)),
    ],
)  # fmt: skip
def test_equations(arguments: str, shape: tuple[int, ...]) -> None:
    check(program(arguments, shape), RNG.normal(size=(2, *shape)))


def test_unknown_time() -> None:
    check(program("'abc,cde->abde', (None, 2, 4), bias_axes='e'", (None, 3)), RNG.normal(size=(2, 5, 3)))


@pytest.mark.parametrize(
    "arguments",
    ["'abc->ab', 3", "'ab,bc->ac', 4", "'abc,cd->abd', (6, 4)", "'abc,cd->abd', (None, 4), bias_axes='z'",
     "'abc,cz->abd', (None, 4)", "'abc,cd->abd', (None, 4), lora_rank=2", "'abc,acd->abd', (None, 4)"],
)  # fmt: skip
def test_refused(arguments: str) -> None:
    assert codes(program(arguments, (5, 3)))
