"""What the judge and the test share; neither Keras nor torch is needed."""

from __future__ import annotations

from typing import Any

import numpy as np

STEP = 0.1


def flat(value: Any) -> list[Any]:
    """The tensors of a structure."""
    if isinstance(value, dict):
        value = list(value.values())
    return [leaf for item in value for leaf in flat(item)] if isinstance(value, (list, tuple)) else [value]


def weigh(outputs: list[Any]) -> list[np.ndarray]:
    """Factors by which outputs are summed up to one number."""
    return [np.cos(np.arange(int(np.prod(o.shape)), dtype="float32")).reshape(tuple(o.shape)) for o in outputs]
