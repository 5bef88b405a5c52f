"""RNN around cells and stacks of cells, and the convolutional LSTMs."""

from __future__ import annotations

import numpy as np
import pytest

from tests.conformance.direct import check, codes

HEAD = "import keras\nfrom keras import layers\nfrom keras.layers import GRUCell, LSTMCell, SimpleRNNCell\n"
RNG = np.random.default_rng(7)
X = RNG.normal(size=(3, 5, 4))
TOKENS = np.array([[0, 0, 3, 4, 5], [1, 2, 3, 0, 0], [0, 0, 0, 0, 0]])
CELLS = [
    "LSTMCell(3)", "GRUCell(3)", "GRUCell(3, reset_after=False)", "SimpleRNNCell(3, activation='relu')",
    "LSTMCell(3, use_bias=False, recurrent_dropout=0.2)", "LSTMCell(3, activation='elu', dropout=0.1)",
    "[LSTMCell(3), LSTMCell(2)]", "[GRUCell(3), SimpleRNNCell(4), GRUCell(2), LSTMCell(2)]",
    "layers.StackedRNNCells([LSTMCell(3), GRUCell(2, activation='relu')])",
]  # fmt: skip


def functional(body: str, shape: str = "(5, 4)") -> str:
    return f"{HEAD}x = keras.Input({shape})\n{body}\nmodel = keras.Model(x, y)\n"


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("more", ["", ", return_sequences=True, go_backwards=True", ", return_state=True, unroll=True"])
def test_cells(cell: str, more: str) -> None:
    check(functional(f"y = layers.RNN({cell}{more})(x)"), X)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("more", ["", ", return_sequences=True", ", return_sequences=True, zero_output_for_mask=True"])
def test_masks(cell: str, more: str) -> None:
    body = f"e = layers.Embedding(6, 4, mask_zero=True)(x)\ny = layers.RNN({cell}{more})(e)"
    check(functional(body, "(5,), dtype='int32'"), TOKENS)


def test_stack_of_one() -> None:  # Keras itself fails on its masks and states
    check(functional("y = layers.RNN([LSTMCell(3)], return_sequences=True)(x)"), X)


def test_states_travel() -> None:
    body = (
        "_, a, b = layers.RNN([LSTMCell(3), GRUCell(2)], return_state=True)(x)\n"
        "y = layers.RNN([LSTMCell(3), GRUCell(2)], return_sequences=True)(x, initial_state=[a, b])"
    )
    check(functional(body), X)
    body = "_, h, c = layers.RNN(LSTMCell(3), return_state=True)(x)\ny = layers.LSTM(3)(x, initial_state=[h, c])"
    check(functional(body), X)


@pytest.mark.parametrize(
    "layer",
    ["layers.RNN(LSTMCell(3), stateful=True)(x)", "LSTMCell(3)(x, [x, x])", "layers.RNN(layers.Dense(3))(x)",
     "layers.RNN([])(x)"],
)  # fmt: skip
def test_refused(layer: str) -> None:
    assert codes(functional(f"y = {layer}"))


SHAPES = {1: (4, 6, 3), 2: (4, 6, 7, 2), 3: (2, 4, 5, 3, 2)}


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize(
    "more",
    ["2", "3, padding='same', return_sequences=True", "2, padding='same', strides=2", "2, dilation_rate=2",
     "3, padding='same', return_state=True, go_backwards=True",
     "2, activation='relu', recurrent_activation='hard_sigmoid'",
     "2, use_bias=False, dropout=0.2, recurrent_dropout=0.1", "2, padding='same', unit_forget_bias=False"],
)  # fmt: skip
def test_convolutional(rank: int, more: str) -> None:
    if rank == 3 and "dilation" in more:
        more += ", padding='same'"
    body = f"y = layers.ConvLSTM{rank}D(3, {more})(x)"
    check(functional(body, str(SHAPES[rank])), RNG.normal(size=(2, *SHAPES[rank])))


def test_convolutional_stack() -> None:
    body = (
        "y, h, c = layers.ConvLSTM2D(3, 3, padding='same', return_sequences=True, return_state=True)(x)\n"
        "y = layers.BatchNormalization()(y)\ny = layers.ConvLSTM2D(3, (3, 2), padding='same', return_sequences=True)"
        "(y, initial_state=[h, c])\ny = layers.Conv3D(2, 3, activation='sigmoid', padding='same')(y)"
    )
    check(functional(body, "(4, 6, 7, 2)"), RNG.normal(size=(2, 4, 6, 7, 2)))


def test_convolutional_dropout_is_drawn_for_each_gate_and_sequence() -> None:
    import torch

    from tests.conformance.direct import Runner, translate

    source = functional("y = layers.ConvLSTM2D(3, 2, dropout=0.5, recurrent_dropout=0.5)(x)", "(4, 6, 7, 2)")
    runner = Runner(translate(source)).train()
    x = torch.randn(2, 4, 6, 7, 2)
    assert not torch.equal(runner(x), runner(x))
    module = runner.m0
    noise = module.noise(torch.ones(2, 3, 5, 5), 0.5)
    assert noise.shape == (4, 2, 3, 5, 5)
    assert set(noise.unique().tolist()) == {0.0, 2.0}
    runner.eval()
    assert torch.equal(runner(x), runner(x))


@pytest.mark.parametrize(
    "layer", ["ConvLSTM2D(3, 2, stateful=True)", "ConvLSTM2D(3, 2, data_format='channels_first')", "ConvLSTM1D(3, 2)"]
)
def test_convolutional_refused(layer: str) -> None:
    assert codes(functional(f"y = layers.{layer}(x)", "(4, 6, 7, 2)"))
