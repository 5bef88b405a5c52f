"""Options of the test suite, and what its tests must not leave behind."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")  # before anything imports Keras


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--update-golden``."""
    parser.addoption("--update-golden", action="store_true", help="write expected outputs anew")


@pytest.fixture(autouse=True)
def single_precision() -> Iterator[None]:
    """Give Keras its own precision back after a test that compares in float64."""
    yield
    if "keras" in sys.modules:
        import keras
        from keras.src.backend.common import dtypes

        dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float32"
        keras.config.set_floatx("float32")
        keras.config.set_dtype_policy("float32")  # made from floatx when first asked for, then kept
