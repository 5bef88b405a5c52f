"""Keras runs on PyTorch here."""

import os

import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")
pytest.register_assert_rewrite("tests.training.curves")
