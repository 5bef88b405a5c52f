"""Numbers to categories: CategoryEncoding, Discretization and IntegerLookup."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from transpiler.diagnostics import Refusal
from transpiler.graph.keras import Layer, TensorSpec
from transpiler.graph.torch import KERAS, Value
from transpiler.rules.arguments import choice, refuse_given
from transpiler.rules.base import LayerRule, layer_rule, params

if TYPE_CHECKING:
    from transpiler.rules.lowering import Lowering

_MODES = ("int", "one_hot", "multi_hot", "count")


def encoded_spec(x: TensorSpec, mode: str, depth: int) -> TensorSpec:
    """What becomes of indices of a spec."""
    if mode == "int":
        return replace(x, dtype="int64")
    if mode == "one_hot":
        shape = x.shape[:-1] if x.rank > 1 and x.shape[-1] == 1 else x.shape
        return TensorSpec((*shape, depth))
    if x.rank != 2:
        raise Refusal("KT102", f"`output_mode={mode!r}` is supported on tensors of rank 2 only, not {x.rank}")
    return TensorSpec((x.shape[0], depth))


def encode(cx: Lowering, x: Value, mode: str, depth: int, weights: Value | None = None) -> Value:
    """Indices (whole numbers) in the form that a layer's ``output_mode`` asks for."""
    spec = encoded_spec(x.spec, mode, depth)
    if mode == "int":
        return x
    whole = "{0}" if x.spec.dtype == "int64" and not cx.options.drop_in else "{0}.long()"
    if mode == "one_hot":
        squeezed = ".squeeze(-1)" if x.spec.rank > 1 and x.spec.shape[-1] == 1 else ""
        value: Value = cx.op(f"F.one_hot({whole}{squeezed}, {depth}).float()", x, spec, KERAS)
        return value
    if weights is not None:
        text = f"(F.one_hot({whole}, {depth}) * {{1}}.unsqueeze(-1)).sum(dim=1)"
        weighted: Value = cx.op(text, [x, weights], spec, KERAS)
        return weighted
    reduced = "amax(dim=1)" if mode == "multi_hot" else "sum(dim=1)"
    made: Value = cx.op(f"F.one_hot({whole}, {depth}).{reduced}.float()", x, spec, KERAS)
    return made


@layer_rule("keras.layers.CategoryEncoding")
class CategoryEncoding(LayerRule):
    """Indices as one-hot, multi-hot or counts."""

    layout = "keras"
    params = params("num_tokens, output_mode='multi_hot', sparse=False")
    examples = (("CategoryEncoding(4, 'one_hot')", (1,)),)

    def normalize(self, config: dict[str, Any], legacy: int | None = None) -> dict[str, Any]:
        mode = {"binary": "multi_hot"}.get(config["output_mode"], config["output_mode"])
        config["output_mode"] = choice(mode, _MODES[1:], "output_mode")
        if not isinstance(config["num_tokens"], int) or config["num_tokens"] < 1:
            raise Refusal("KT103", f"`num_tokens` must be a number from 1 on, not {config['num_tokens']!r}")
        refuse_given(config, self.symbol, "sparse")
        return config

    def infer(self, layer: Layer, inputs: TensorSpec, count_weights: Any = None, **call: Any) -> TensorSpec:
        if count_weights is not None and layer.config["output_mode"] != "count":
            raise Refusal("KT103", "`count_weights` goes with `output_mode='count'` only")
        return encoded_spec(inputs, layer.config["output_mode"], layer.config["num_tokens"])

    def lower(self, cx: Lowering, layer: Layer, inputs: Value, count_weights: Any = None) -> Value:
        return encode(cx, inputs, layer.config["output_mode"], layer.config["num_tokens"], count_weights)


@layer_rule("keras.layers.Discretization")
class Discretization(LayerRule):
    """The number of the bin that each value falls in."""

    layout = "keras"
    params = params("bin_boundaries=None, num_bins=None, epsilon=0.01, output_mode='int', sparse=False")
    examples = (("Discretization([-0.5, 0.0, 0.5])", (4,)),)

    def normalize(self, config: dict[str, Any], legacy: int | None = None) -> dict[str, Any]:
        config["output_mode"] = choice(config["output_mode"], _MODES, "output_mode")
        refuse_given(config, self.symbol, "sparse")
        bounds = config["bin_boundaries"]
        if bounds is None:
            raise Refusal(
                "KT102", "the bins of a `Discretization` that learns them are not in the program",
                "give `bin_boundaries`, as `get_config()` of the adapted layer shows them",
            )  # fmt: skip
        if not isinstance(bounds, (list, tuple)) or not all(isinstance(item, (int, float)) for item in bounds):
            raise Refusal("KT103", "`bin_boundaries` must be a list of numbers")
        config["bin_boundaries"] = tuple(float(item) for item in bounds)
        return config

    def infer(self, layer: Layer, inputs: TensorSpec, **call: Any) -> TensorSpec:
        return encoded_spec(inputs, layer.config["output_mode"], len(layer.config["bin_boundaries"]) + 1)

    def lower(self, cx: Lowering, layer: Layer, inputs: Value, training: Any = None) -> Value:
        bounds = layer.config["bin_boundaries"]
        module = cx.module("Discretization", bounds, layer=layer, role="bins", helpers=("discretization",))
        indices = cx.call(module, inputs, replace(inputs.spec, dtype="int64"))
        return encode(cx, indices, layer.config["output_mode"], len(bounds) + 1)


@layer_rule("keras.layers.IntegerLookup")
class IntegerLookup(LayerRule):
    """The place of each number in a vocabulary that the program gives."""

    layout = "keras"
    params = params(
        "max_tokens=None, num_oov_indices=1, mask_token=None, oov_token=-1, vocabulary=None, "
        "vocabulary_dtype='int64', idf_weights=None, invert=False, output_mode='int', sparse=False, "
        "pad_to_max_tokens=False, oov_method='floormod', salt=None"
    )
    examples = (("IntegerLookup(vocabulary=[12, 36, 1138, 42])", (3,)),)

    def normalize(self, config: dict[str, Any], legacy: int | None = None) -> dict[str, Any]:
        mode = {"binary": "multi_hot", "tf-idf": "tf_idf"}.get(config["output_mode"], config["output_mode"])
        config["output_mode"] = choice(mode, (*_MODES, "tf_idf"), "output_mode")
        refuse_given(config, self.symbol, "invert", "idf_weights", "sparse", "salt")
        words = config["vocabulary"]
        if words is None:
            raise Refusal("KT102", "the vocabulary of an `IntegerLookup` that learns it is not in the program",
                          "give `vocabulary`, as `get_vocabulary()` of the adapted layer shows it")  # fmt: skip
        if not isinstance(words, (list, tuple)) or not all(isinstance(word, int) for word in words):
            raise Refusal("KT102", "`vocabulary` must be a list of whole numbers here")
        if config["output_mode"] == "tf_idf" or config["oov_method"] != "floormod":
            raise Refusal("KT102", "`IntegerLookup` with `tf_idf` or `farmhash` is not supported")
        if config["mask_token"] is not None and config["output_mode"] != "int":
            raise Refusal("KT102", "`mask_token` with another `output_mode` than 'int' is not supported")
        return self._checked(config, list(words))

    def _checked(self, config: dict[str, Any], words: list[int]) -> dict[str, Any]:
        """The vocabulary without the special tokens at its start."""
        special = [config["oov_token"]] * config["num_oov_indices"]
        if config["mask_token"] is not None:
            special.insert(0, config["mask_token"])
        if special and words[: len(special)] == special:
            words = words[len(special) :]
        if len(set(words)) != len(words) or not words or config["mask_token"] in words:
            raise Refusal("KT103", "`vocabulary` must hold different numbers, the mask token not among them")
        size, limit = len(words) + len(special), config["max_tokens"]
        if limit is not None and size > limit:
            raise Refusal("KT103", f"`vocabulary` has {size} entries, more than `max_tokens`")
        config["vocabulary"] = tuple(words)
        config["depth"] = limit if config["pad_to_max_tokens"] and limit is not None else size
        return config

    def infer(self, layer: Layer, inputs: TensorSpec, **call: Any) -> TensorSpec:
        return encoded_spec(inputs, layer.config["output_mode"], layer.config["depth"])

    def lower(self, cx: Lowering, layer: Layer, inputs: Value, training: Any = None) -> Value:
        config = layer.config
        extra: dict[str, Any] = {} if config["num_oov_indices"] == 1 else {"unknown": config["num_oov_indices"]}
        if config["mask_token"] is not None:
            extra["mask"] = config["mask_token"]
        module = cx.module(
            "IntegerLookup", config["vocabulary"], layer=layer, role="lookup", helpers=("integer_lookup",), **extra
        )
        indices = cx.call(module, inputs, replace(inputs.spec, dtype="int64"))
        return encode(cx, indices, config["output_mode"], config["depth"])
