"""Helpers whose assertions are to be rewritten."""

import pytest

pytest.register_assert_rewrite("tests.training.curves")
