"""The vocabulary of weight maps: forwards against plain NumPy, and back again."""

from __future__ import annotations

import numpy as np
import pytest

from transpiler.graph.keras import Layer, Origin, Span
from transpiler.graph.torch import WeightMap, WeightOp, WeightRef
from transpiler.weights.apply import apply_map, apply_ops, describe, invert_map
from transpiler.weights.errors import WeightsError

LAYER = Layer("keras.layers.Dense", {}, "dense", False, Origin(Span(1, 0, 1, 0)))
GRID = np.arange(24.0, dtype="float32").reshape(4, 6)


def op(kind, *args):
    return WeightOp(kind, args)


@pytest.mark.parametrize(
    ("ops", "wanted"),
    [
        ([op("transpose", (1, 0))], GRID.T),
        ([op("reshape", (2, 12))], GRID.reshape(2, 12)),
        ([op("reshape", (2, None))], GRID.reshape(2, 12)),
        ([op("split", 1, 2, 1)], GRID[:, 3:]),
        ([op("split", 1, (1, 2, 3), 1)], GRID[:, 1:3]),
        ([op("reorder", 1, 3, (1, 0, 2))], GRID[:, [2, 3, 0, 1, 4, 5]]),
        ([op("flip", (0,))], GRID[::-1]),
        ([op("scale", 2)], GRID * 2),
        ([op("permute_features", 1, (3, 1, 2))], GRID[:, [0, 2, 4, 1, 3, 5]]),
        ([op("permute_features", 1, ((2, 2), (2,)))], GRID[:, [0, 2, 1, 3, 4, 5]]),
    ],
)
def test_steps(ops, wanted):
    np.testing.assert_array_equal(apply_ops([GRID], ops), wanted)


def test_steps_before_a_join_act_on_each_source():
    refs = (WeightRef(LAYER, "kernel"), WeightRef(LAYER, "bias"))
    joined = WeightMap("weight", refs, (op("transpose", (1, 0)), op("concatenate", 0)))
    np.testing.assert_array_equal(apply_map(joined, lambda _: GRID), np.concatenate([GRID.T, GRID.T]))
    added = WeightMap("weight", refs, (op("add"),))
    np.testing.assert_array_equal(apply_map(added, lambda _: GRID), GRID * 2)


def test_zeros_need_no_source():
    assert apply_ops([], [op("zeros", (3,))]).tolist() == [0, 0, 0]
    with pytest.raises(WeightsError, match="known only when the program runs"):
        apply_ops([], [op("zeros", (None,))])


def test_features_that_do_not_fill_the_axis_are_refused():
    with pytest.raises(ValueError, match="4 features"):
        apply_ops([GRID], [op("permute_features", 1, (2, 2))])


@pytest.mark.parametrize(
    "ops",
    [
        [op("transpose", (1, 0)), op("permute_features", 0, (3, 1, 2)), op("concatenate", 1)],
        [op("reshape", (2, 12)), op("flip", (1,)), op("scale", 4), op("concatenate", 0)],
        [op("reorder", 1, 3, (2, 0, 1)), op("concatenate", 0)],
    ],
)
def test_inverse(ops):
    sources = (WeightRef(LAYER, "a"), WeightRef(LAYER, "b"))
    arrays = {"a": GRID, "b": GRID + 100}
    made = apply_map(WeightMap("weight", sources, tuple(ops)), lambda ref: arrays[ref.name])
    back = [np.zeros_like(GRID), np.zeros_like(GRID)]
    invert_map(WeightMap("weight", sources, tuple(ops)), made, back)
    np.testing.assert_array_equal(back[0], GRID)
    np.testing.assert_array_equal(back[1], GRID + 100)


def test_parts_of_a_split_fill_one_array():
    ref = (WeightRef(LAYER, "bias"),)
    back = np.zeros_like(GRID)
    for index in range(2):
        part = WeightMap("bias", ref, (op("split", 0, 2, index), op("reshape", (12,))))
        invert_map(part, apply_map(part, lambda _: GRID), [back])
    np.testing.assert_array_equal(back, GRID)


def test_a_sum_has_no_inverse():
    with pytest.raises(WeightsError, match="sum"):
        invert_map(WeightMap("bias", (WeightRef(LAYER, "a"),), (op("add"),)), GRID, [GRID.copy()])


def test_descriptions():
    kernel = WeightRef(LAYER, "kernel", ("cell",))
    text = describe(WeightMap("weight", (kernel,), (op("transpose", (1, 0)), op("permute_features", 1, (5, 5, 8)))))
    assert text == "weight = cell/kernel, axes (1, 0), axis 1 from (5, 5, 8) to channels-first order"
    assert describe(WeightMap("bias_hh", (), (op("zeros", (8,)),))) == "bias_hh = zeros of shape (8,)"
    joined = WeightMap("weight", (kernel, kernel), (op("concatenate", 0),))
    assert describe(joined) == "weight = cell/kernel and cell/kernel joined along axis 0"
