"""Which layers let an implicit mask through: the same as Keras."""

from __future__ import annotations

from typing import Any

import pytest

from transpiler.evaluate import evaluate
from transpiler.source.positions import positions_of
from transpiler.source.read import parse_module

LAYERS = [
    "Dense(3)", "Activation('relu')", "Dropout(0.1)", "LSTM(3, return_sequences=True)", "LSTM(3)",
    "GRU(3, return_sequences=True)", "SimpleRNN(3, return_sequences=True)", "TimeDistributed(layers.Dense(3))",
    "Bidirectional(layers.LSTM(3, return_sequences=True))", "Bidirectional(layers.LSTM(3))", "LayerNormalization()",
    "BatchNormalization()", "GroupNormalization(2)", "UnitNormalization()", "RMSNormalization()", "Normalization()",
    "ReLU()", "LeakyReLU()", "ELU()", "PReLU()", "Softmax()", "SpatialDropout1D(0.1)", "GaussianNoise(0.1)",
    "GaussianDropout(0.1)", "AlphaDropout(0.1)", "Identity()", "ActivityRegularization()", "Masking()",
    "Rescaling(2.0)", "Conv1D(3, 2)", "Conv1D(3, 2, padding='causal')", "MaxPooling1D(2)", "AveragePooling1D(2)",
    "GlobalAveragePooling1D()", "GlobalMaxPooling1D()", "Flatten()", "Reshape((-1,))", "Permute((2, 1))",
    "Cropping1D(1)", "ZeroPadding1D(1)", "UpSampling1D(2)", "SeparableConv1D(3, 2)", "DepthwiseConv1D(2)",
    "Conv1DTranspose(3, 2)", "EinsumDense('abc,cd->abd', (None, 3))", "RNN(layers.LSTMCell(3), return_sequences=True)",
    "RNN(layers.LSTMCell(3))", "Lambda(lambda t: t * 2)", "AdaptiveAveragePooling1D(2)", "Discretization([0.0])",
]  # fmt: skip


@pytest.mark.parametrize("layer", LAYERS)
def test_mask_after(layer: str) -> None:
    source = (
        "import keras\nfrom keras import layers\ni = keras.Input((5,), dtype='int32')\n"
        f"e = layers.Embedding(6, 4, mask_zero=True)(i)\ny = layers.{layer}(e)\nmodel = keras.Model(i, y)\n"
    )
    theirs: dict[str, Any] = {}
    exec(source, theirs)
    parsed = parse_module(source)
    found = evaluate(parsed.module, positions_of(parsed))
    assert not found.diagnostics
    ours = found.program.models[-1].output_tensors()[0]
    assert (ours.mask is not None) == (getattr(theirs["y"], "_keras_mask", None) is not None)
