"""Keras 1's ``merge([a, b], mode="concat")`` and ``Merge(mode="concat")``: the layer of that mode."""

from __future__ import annotations

from typing import Any

import libcst as cst

from transpiler.diagnostics import Refusal
from transpiler.evaluate.core import Evaluator, plain
from transpiler.rules.base import bind, params
from transpiler.rules.names import MERGE_MODES

_REST = "mode='sum', concat_axis=-1, dot_axes=-1, output_shape=None, output_mask=None, arguments=None"
_SIGNATURES = {
    "keras.layers.merge": params(f"inputs, {_REST}, name=None", inputs="layers"),
    "keras.layers.Merge": params(f"layers=None, {_REST}, node_indices=None, tensor_indices=None, name=None"),
}


def legacy_merge(ev: Evaluator, name: str, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> Any:
    """The merged tensor of ``merge``, or the layer that ``Merge`` is."""
    from transpiler.evaluate.layers import call_layer, make_layer

    bound = bind(name.rpartition(".")[2], _SIGNATURES[name], tuple(args), kwargs)
    mode = bound["mode"]
    if not isinstance(mode, str) or mode not in MERGE_MODES:
        shown = repr(mode) if isinstance(mode, str) else "a function"
        raise Refusal("KT102", f"`mode` of `merge` must be one of {', '.join(MERGE_MODES)} here, not {shown}",
                      "write the merge as a Lambda layer over a list")  # fmt: skip
    if bound.get("layers"):
        raise Refusal("KT102", "`Merge` of models as the first layer of a Sequential model is not supported",
                      "build the branches with the functional API")  # fmt: skip
    for option in ("output_shape", "output_mask", "arguments"):
        if bound[option] is not None:
            raise Refusal("KT102", f"`{option}` of `merge` is not supported")
    config: dict[str, Any] = {} if bound["name"] is None else {"name": bound["name"]}
    if mode == "concat":
        config["axis"] = plain(bound["concat_axis"])
    if mode == "dot":
        config["axes"] = plain(bound["dot_axes"])
    layer = make_layer(ev, MERGE_MODES[mode], [], config, node)
    return call_layer(ev, layer, [bound["inputs"]], {}, node) if "inputs" in bound else layer
