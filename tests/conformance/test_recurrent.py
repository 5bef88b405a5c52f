from __future__ import annotations

import numpy as np
import pytest

from tests.conformance.direct import check, codes

HEAD = "import keras\nfrom keras import layers\n"
RNG = np.random.default_rng(1)
X = RNG.normal(size=(3, 5, 4))
TOKENS = np.array([[0, 0, 3, 4, 5], [1, 2, 3, 0, 0], [2, 0, 0, 5, 0]])
EMPTY = np.array([[0, 0, 3, 4, 5], [0, 0, 0, 0, 0], [2, 0, 0, 5, 0]])


def functional(body: str, shape: str = "(5, 4)", outputs: str = "y") -> str:
    return f"{HEAD}x = keras.Input({shape})\n{body}\nmodel = keras.Model(x, {outputs})\n"


CELLS = [
    "SimpleRNN(3{})",
    "SimpleRNN(3, activation='relu'{})",
    "SimpleRNN(3, activation='elu'{})",
    "LSTM(3{})",
    "LSTM(3, use_bias=False{})",
    "LSTM(3, activation='relu'{})",
    "LSTM(3, recurrent_activation='hard_sigmoid', unit_forget_bias=False{})",
    "LSTM(3, dropout=0.2, recurrent_dropout=0.3{})",
    "LSTM(3, dropout=0.2{})",
    "GRU(3{})",
    "GRU(3, reset_after=False{})",
    "GRU(3, use_bias=False{})",
    "GRU(3, activation='relu', recurrent_dropout=0.1{})",
    "GRU(3, use_bias=False, reset_after=False{})",
]


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("extra", ["", ", return_sequences=True", ", return_sequences=True, go_backwards=True"])
def test_cells(cell: str, extra: str) -> None:
    check(functional(f"y = layers.{cell.format(extra)}(x)"), X)


@pytest.mark.parametrize("cell", ["SimpleRNN", "LSTM", "GRU"])
@pytest.mark.parametrize("more", ["", ", return_sequences=True"])
def test_states(cell: str, more: str) -> None:
    check(functional(f"y = layers.{cell}(3, return_state=True{more})(x)"), X)


@pytest.mark.parametrize("extra", ["", ", activation='relu'"])
def test_encoder_decoder(extra: str) -> None:
    body = (
        f"_, h, c = layers.LSTM(3, return_state=True{extra})(x)\n"
        f"y = layers.LSTM(3, return_sequences=True{extra})(x, initial_state=[h, c])"
    )
    check(functional(body), X)
    body = f"_, h = layers.GRU(3, return_state=True{extra})(x)\ny = layers.GRU(3{extra})(x, initial_state=h)"
    check(functional(body), X)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("extra", ["", ", return_sequences=True", ", go_backwards=True"])
def test_masks(cell: str, extra: str) -> None:
    body = f"e = layers.Embedding(6, 4, mask_zero=True)(x)\ny = layers.{cell.format(extra)}(e)"
    source = functional(body, "(5,), dtype='int32'")
    check(source, TOKENS)
    check(source, EMPTY)


def test_masked_stack() -> None:
    body = (
        "e = layers.Embedding(6, 4, mask_zero=True)(x)\ne = layers.Dropout(0.3)(e)\n"
        "e = layers.LSTM(4, return_sequences=True)(e)\n"
        "e = layers.Bidirectional(layers.GRU(4, return_sequences=True))(e)\ny = layers.LSTM(3)(e)"
    )
    check(functional(body, "(5,), dtype='int32'"), EMPTY)


def test_operators_drop_the_mask() -> None:
    body = "e = layers.Embedding(6, 4, mask_zero=True)(x)\ny = layers.LSTM(3)(e * 2)"
    check(functional(body, "(5,), dtype='int32'"), TOKENS)


@pytest.mark.parametrize(
    "calls",
    [
        "y = layers.LSTM(3, return_sequences=True)(e, initial_state=[h, h])",
        "y = layers.LSTM(3)(layers.GRU(3, return_sequences=True)(e, initial_state=h))",
        "y = layers.Bidirectional(layers.GRU(3))(e, initial_state=[h, h])",
        "y = layers.GRU(3)(e, initial_state=h, mask=keras.ops.not_equal(x, 0))",
    ],
)
def test_an_initial_state_leaves_only_the_mask_that_is_given(calls: str) -> None:
    """Keras fills in `mask` for calls with one tensor argument only; the output still carries the input's mask."""
    body = f"e = layers.Embedding(6, 4, mask_zero=True)(x)\n_, h = layers.GRU(3, return_state=True)(e)\n{calls}"
    check(functional(body, "(5,), dtype='int32'"), TOKENS)


def test_a_mask_into_a_nested_model_is_refused_where_it_would_be_used() -> None:
    body = "e = layers.Embedding(6, 4, mask_zero=True)(x)\ny = keras.Sequential([keras.Input((5, 4)), layers.{}])(e)"
    assert codes(functional(body.format("LSTM(3)"), "(5,), dtype='int32'")) == ["KT102"]
    check(functional(body.format("Dense(3)"), "(5,), dtype='int32'"), TOKENS)


def test_masking() -> None:
    x = X.copy()
    x[0, :2] = -1.0
    x[1, 3:] = -1.0
    check(functional("y = layers.LSTM(3)(layers.Masking(-1.0)(x))"), x)
    check(functional("y = layers.Masking(-1.0)(x)"), x)


@pytest.mark.parametrize("mode", ["'concat'", "'sum'", "'mul'", "'ave'", "None"])
@pytest.mark.parametrize(
    "cell", ["LSTM(3{})", "GRU(3, reset_after=False{})", "SimpleRNN(3{})", "GRU(3, dropout=0.1{})"]
)
@pytest.mark.parametrize("more", ["", ", return_sequences=True", ", return_sequences=True, return_state=True"])
def test_bidirectional(mode: str, cell: str, more: str) -> None:
    check(functional(f"y = layers.Bidirectional(layers.{cell.format(more)}, merge_mode={mode})(x)"), X)


@pytest.mark.parametrize("cell", ["LSTM(3{})", "LSTM(3, activation='relu'{})"])
@pytest.mark.parametrize("more", ["", ", return_sequences=True"])
def test_masked_bidirectional(cell: str, more: str) -> None:
    body = f"e = layers.Embedding(6, 4, mask_zero=True)(x)\ny = layers.Bidirectional(layers.{cell.format(more)})(e)"
    check(functional(body, "(5,), dtype='int32'"), EMPTY)


def test_bidirectional_parts() -> None:
    inner = (
        "layers.LSTM(3, return_sequences=True), backward_layer=layers.GRU(3, return_sequences=True, go_backwards=True)"
    )
    check(functional(f"y = layers.Bidirectional({inner})(x)"), X)
    body = (
        "y, a, b, c, d = layers.Bidirectional(layers.LSTM(3, return_state=True))(x)\n"
        "z = layers.Bidirectional(layers.LSTM(3))(x, initial_state=[a, b, c, d])"
    )
    check(functional(body, outputs="z"), X)


@pytest.mark.parametrize("steps", ["5", "None"])
@pytest.mark.parametrize(
    "inner",
    ["Dense(3, activation='softmax')", "Conv2D(3, 3, padding='same', activation='relu')", "Flatten()", "MaxPooling2D()",
     "GlobalAveragePooling2D()", "LayerNormalization()"],
)  # fmt: skip
def test_time_distributed(steps: str, inner: str) -> None:
    x = RNG.normal(size=(2, 5, 6, 4, 3))
    check(functional(f"y = layers.TimeDistributed(layers.{inner})(x)", f"({steps}, 6, 4, 3)"), x)


def test_time_distributed_chain() -> None:
    x = RNG.normal(size=(2, 5, 6, 4, 3))
    body = (
        "h = layers.TimeDistributed(layers.Conv2D(4, 3, activation='relu'))(x)\n"
        "h = layers.TimeDistributed(layers.MaxPooling2D(2))(h)\nh = layers.TimeDistributed(layers.Flatten())(h)\n"
        "h = layers.TimeDistributed(layers.Dense(3))(h)\ny = layers.LSTM(3)(h)"
    )
    for drop_in in (True, False):
        if drop_in:
            check(functional(body, "(5, 6, 4, 3)"), x)


def test_time_distributed_model() -> None:
    x = RNG.normal(size=(2, 5, 6, 4, 3))
    body = (
        "cnn = keras.Sequential([keras.Input((6, 4, 3)), layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(3)])\n"
        "y = layers.LSTM(3)(layers.TimeDistributed(cnn)(x))"
    )
    check(functional(body, "(5, 6, 4, 3)"), x)
    nested = "h = layers.TimeDistributed(layers.LSTM(3))(x)\ny = layers.GRU(2)(h)"
    check(functional(nested, "(5, 6, 4)"), x[..., 0])


@pytest.mark.parametrize(
    "layer",
    ["layers.LSTM(3, activation='relu', stateful=True)", "layers.Bidirectional(layers.LSTM(3, stateful=True))",
     "layers.TimeDistributed(layers.BatchNormalization())",
     "layers.LSTM(3, activity_regularizer='l2')"],
)  # fmt: skip
def test_refused(layer: str) -> None:
    assert "KT102" in codes(functional(f"y = {layer}(x)"))


@pytest.mark.parametrize("cell", ["LSTM", "GRU", "SimpleRNN"])
def test_stateful(cell: str) -> None:
    import torch

    from tests.conformance.direct import Runner, keras_model, lookup_in, redraw, translate

    source = (
        f"{HEAD}x = keras.Input(batch_shape=(3, 5, 4))\nh = layers.{cell}(3, stateful=True, return_sequences=True)(x)\n"
        f"model = keras.Model(x, layers.{cell}(2, stateful=True)(h))\n"
    )
    judge = keras_model(source)
    redraw(judge, np.random.default_rng(0))
    for layer in judge.layers[1:]:
        layer.reset_state()
    torch.set_default_dtype(torch.float64)
    try:
        ours = Runner(translate(source)).double().eval()
        ours.load(lookup_in(judge))
        for turn in range(3):
            x = torch.as_tensor(X + turn)
            got, wanted = ours(x), judge(x, training=False)
            assert (got - wanted).abs().max().item() <= 1e-9
    finally:
        torch.set_default_dtype(torch.float32)
    kept = [module for module in ours.modules() if getattr(module, "state", None) is not None]
    assert len(kept) == 2


def test_stateful_training_goes_on_after_predictions() -> None:
    import torch

    from tests.conformance.direct import Runner, translate

    source = f"{HEAD}x = keras.Input(batch_shape=(3, 5, 4))\nmodel = keras.Model(x, layers.LSTM(3, stateful=True)(x))\n"
    ours = Runner(translate(source))
    with torch.inference_mode():
        ours(torch.zeros(3, 5, 4))
    ours(torch.zeros(3, 5, 4)).sum().backward()
    ours(torch.zeros(3, 5, 4)).sum().backward()  # the graph ends at the batch's own start
