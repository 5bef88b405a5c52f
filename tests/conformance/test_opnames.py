from __future__ import annotations

import pytest

from transpiler.diagnostics import Refusal
from transpiler.rules import opnames
from transpiler.rules.base import OPS


@pytest.mark.parametrize(
    ("name", "args", "kwargs", "expected"),
    [
        ("tensorflow.math.reduce_sum", (1,), {"axis": -1, "name": "h"}, ("sum", {"x": 1, "axis": -1})),
        ("tensorflow.reduce_mean", (1, [1, 2]), {"keepdims": True},
         ("mean", {"x": 1, "axis": [1, 2], "keepdims": True})),
        ("tensorflow.argmax", (1,), {}, ("argmax", {"x": 1, "axis": 0})),
        ("tensorflow.split", (1, [2, 3, 1]), {"axis": 1},
         ("split", {"x": 1, "axis": 1, "indices_or_sections": [2, 5]})),
        ("tensorflow.nn.l2_normalize", (1, 1), {}, ("normalize", {"x": 1, "axis": 1, "epsilon": 1e-6})),
        ("keras.backend.expand_dims", (1,), {}, ("expand_dims", {"x": 1, "axis": -1})),
        ("keras.backend.concatenate", ([1, 2],), {}, ("concatenate", {"xs": [1, 2], "axis": -1})),
        ("keras.backend.permute_dimensions", (1, (0, 2, 1)), {}, ("transpose", {"x": 1, "axes": (0, 2, 1)})),
    ],
)  # fmt: skip
def test_spellings(name: str, args: tuple, kwargs: dict, expected: tuple) -> None:
    op, bound = expected
    assert opnames.op_call(name, args, kwargs) == (f"keras.ops.{op}", (), bound)


def test_every_row_fits_its_op() -> None:
    for prefix, table in (("tensorflow.", opnames._TENSORFLOW), ("keras.backend.", opnames._BACKEND)):
        for name in table:
            spelling = opnames._spelling(prefix + name)
            assert spelling is not None
            if spelling.op in opnames._ADAPTERS:
                continue
            known = {p.name for p in OPS[spelling.op].params} | {"-"}
            assert {p.name for p in spelling.parameters} <= known, name


def test_unknown() -> None:
    assert opnames.op_call("tensorflow.nn.no_such_op", (1,), {}) is None
    with pytest.raises(Refusal):
        opnames.op_call("tensorflow.reduce_sum", (1,), {"weights": 2})
