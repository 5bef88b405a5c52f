from __future__ import annotations

import numpy as np
import pytest

from tests.conformance.direct import check, codes

HEAD = "import keras\nfrom keras import layers\n"
RNG = np.random.default_rng(2)
Q, V = RNG.normal(size=(2, 5, 8)), RNG.normal(size=(2, 7, 6))
TOKENS = np.array([[0, 0, 3, 4, 5], [1, 2, 3, 0, 0]])
TWO = f"{HEAD}q = keras.Input((5, 8))\nv = keras.Input((7, 6))\n"
SAME = f"{HEAD}q = keras.Input((5, 8))\n"


def models(body: str, head: str, inputs: str) -> str:
    return f"{head}{body}\nmodel = keras.Model({inputs}, y)\n"


@pytest.mark.parametrize(
    "settings",
    ["2, 4", "2, 3", "4, 2, dropout=0.1", "2, 4, use_bias=False", "2, 4, value_dim=5", "3, 4, output_shape=10",
     "1, 4, value_dim=2, use_bias=False"],
)  # fmt: skip
@pytest.mark.parametrize("call", ["", ", use_causal_mask=True", ", return_attention_scores=True"])
def test_attention(settings: str, call: str) -> None:
    layer = f"layers.MultiHeadAttention({settings})"
    check(models(f"y = {layer}(q, q{call})", SAME, "q"), Q)
    check(models(f"y = {layer}(q, v{call})", TWO, "[q, v]"), Q, V)


def test_key_of_its_own() -> None:
    body = "y = layers.MultiHeadAttention(2, 4)(q, v, layers.Dense(3)(v))"
    check(models(body, TWO, "[q, v]"), Q, V)
    check(models("y = layers.MultiHeadAttention(num_heads=2, key_dim=4)(q, value=v, key=v)", TWO, "[q, v]"), Q, V)


@pytest.mark.parametrize("causal", ["", ", use_causal_mask=True"])
def test_masks(causal: str) -> None:
    head = f"{HEAD}t = keras.Input((5,), dtype='int32')\ne = layers.Embedding(6, 8, mask_zero=True)(t)\n"
    check(models(f"y = layers.MultiHeadAttention(2, 4)(e, e{causal})", head, "t"), TOKENS)
    body = "q = layers.Dense(8)(layers.Embedding(6, 8)(t))\ny = layers.MultiHeadAttention(2, 4)(q, e)"
    check(models(body, head, "t"), TOKENS)
    body = f"h = layers.MultiHeadAttention(2, 4)(e, e{causal})\ny = layers.LSTM(3)(layers.LayerNormalization()(h + e))"
    check(models(body, head, "t"), TOKENS)


def test_attention_mask() -> None:
    head = f"{HEAD}q = keras.Input((5, 8))\nm = keras.Input((5, 5), dtype='bool')\n"
    mask = RNG.random((2, 5, 5)) < 0.6
    check(models("y = layers.MultiHeadAttention(2, 4)(q, q, attention_mask=m)", head, "[q, m]"), Q, mask)


@pytest.mark.parametrize("axes", ["", ", attention_axes=(2,)", ", attention_axes=1", ", attention_axes=(1, 2)"])
def test_several_axes(axes: str) -> None:
    head = f"{HEAD}q = keras.Input((3, 4, 6))\n"
    check(models(f"y = layers.MultiHeadAttention(2, 3{axes})(q, q)", head, "q"), RNG.normal(size=(2, 3, 4, 6)))


@pytest.mark.parametrize(
    "layer",
    ["Attention()", "Attention(use_scale=True)", "Attention(score_mode='concat')", "AdditiveAttention()",
     "AdditiveAttention(use_scale=False)"],
)  # fmt: skip
@pytest.mark.parametrize("call", ["", ", use_causal_mask=True", ", return_attention_scores=True"])
def test_simple_attention(layer: str, call: str) -> None:
    head = f"{HEAD}q = keras.Input((5, 6))\nv = keras.Input((7, 6))\n"
    check(models(f"y = layers.{layer}([q, v]{call})", head, "[q, v]"), Q[..., :6], V)


def test_simple_attention_masked() -> None:
    head = f"{HEAD}t = keras.Input((5,), dtype='int32')\ne = layers.Embedding(6, 8, mask_zero=True)(t)\n"
    check(models("y = layers.Attention()([e, e])", head, "t"), TOKENS)


def test_refused() -> None:
    assert "KT102" in codes(models("y = layers.MultiHeadAttention(2, 4, sliding_window=2)(q, q)", SAME, "q"))


@pytest.mark.parametrize("settings", ["3, 4, 2", "4, 2, 1, use_bias=False", "2, 3, 3, dropout=0.2", "8, 2, 2"])
@pytest.mark.parametrize("call", ["", ", use_causal_mask=True", ", return_attention_scores=True"])
def test_grouped_attention(settings: str, call: str) -> None:
    layer = f"layers.GroupQueryAttention({settings})"
    check(models(f"y = {layer}(q, q{call})", SAME, "q"), Q)
    head = f"{HEAD}q = keras.Input((5, 8))\nv = keras.Input((7, 8))\n"
    wide = RNG.normal(size=(2, 7, 8))
    check(models(f"y = {layer}(q, v{call})", head, "[q, v]"), Q, wide)
    check(models(f"y = {layer}(q, v, layers.Dense(3)(v){call})", head, "[q, v]"), Q, wide)


def test_grouped_attention_mask() -> None:
    head = f"{HEAD}q = keras.Input((5, 8))\nm = keras.Input((5, 5), dtype='bool')\n"
    mask = np.tril(np.ones((2, 5, 5), bool)) | (RNG.random((2, 5, 5)) < 0.3)
    check(models("y = layers.GroupQueryAttention(3, 4, 2)(q, q, attention_mask=m)", head, "[q, m]"), Q, mask)


@pytest.mark.parametrize("settings", ["3, 4, 3", "3, 4, 2, use_gate=True", "3, 4, 2, sliding_window=2"])
def test_grouped_attention_refused(settings: str) -> None:
    assert codes(models(f"y = layers.GroupQueryAttention({settings})(q, q)", SAME, "q"))
