"""End to end: the translated module, with the weights of a file that real Keras wrote, gives the same numbers."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("h5py")
keras = pytest.importorskip("keras")
torch = pytest.importorskip("torch")

from transpiler import Options, transpile  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")

HEAD = "import keras\nfrom keras import layers\n"
PROGRAMS = {
    "cnn": ("""
        x = keras.Input((12, 12, 3))
        y = layers.Conv2D(8, 3, padding="same", activation="relu")(x)
        y = layers.BatchNormalization()(y)
        y = layers.MaxPooling2D()(y)
        y = layers.SeparableConv2D(6, 3)(y)
        y = layers.DepthwiseConv2D(3, depth_multiplier=2)(y)
        y = layers.Flatten()(y)
        model = keras.Model(x, layers.Dense(5, activation="softmax", name="head")(layers.Dense(7)(y)))
    """, (12, 12, 3)),
    "shared and nested": ("""
        def encoder():
            return keras.Sequential([keras.Input((6,)), layers.Dense(6, activation="relu"), layers.BatchNormalization(),
                                     layers.Dense(6)])
        first, second = encoder(), encoder()
        shared = layers.Dense(6, activation="tanh")
        x = keras.Input((6,))
        y = layers.Concatenate()([shared(x), shared(first(x)), second(first(shared(x)))])
        model = keras.Model(x, layers.Dense(3)(y))
    """, (6,)),
    "recurrent": ("""
        x = keras.Input((7, 4))
        y = layers.Bidirectional(layers.LSTM(5, return_sequences=True))(x)
        y = layers.TimeDistributed(layers.Dense(6))(y)
        y = layers.Bidirectional(layers.GRU(5, return_sequences=True), merge_mode="sum")(y)
        y = layers.SimpleRNN(4, return_sequences=True)(y)
        y = layers.GRU(5, reset_after=False, return_sequences=True)(y)
        model = keras.Model(x, layers.LSTM(3)(y))
    """, (7, 4)),
    "attention": ("""
        x = keras.Input((7, 8))
        y = layers.MultiHeadAttention(2, 4)(x, x)
        x2 = layers.LayerNormalization()(layers.Add()([x, y]))
        y = layers.MultiHeadAttention(2, 3, value_dim=5)(x2, x2)
        y = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(layers.Add()([x2, y])))
        model = keras.Model(x, layers.Dense(4)(y))
    """, (7, 8)),
    "a loop in a builder": ("""
        def net(width=6, blocks=12):
            x = y = keras.Input((8, 8, 3))
            for _ in range(blocks):
                y = layers.Conv2D(width, 3, padding="same")(y)
                y = layers.PReLU(shared_axes=[1, 2])(layers.BatchNormalization()(y))
            y = layers.Conv2DTranspose(2, 3, strides=2, padding="same")(y)
            return keras.Model(x, layers.GlobalMaxPooling2D()(y))
        model = net()
    """, (8, 8, 3)),
    "a model per step": ("""
        inner = keras.Sequential([keras.Input((4,)), layers.Dense(5, activation="relu"), layers.Dense(4)])
        model = keras.Sequential([keras.Input((6, 4)), layers.TimeDistributed(inner), layers.LSTM(3)])
    """, (6, 4)),
    "no weights at all": ("""
        x = keras.Input((4, 4, 2))
        model = keras.Model(x, layers.Flatten()(layers.MaxPooling2D()(x)))
    """, (4, 4, 2)),
}  # fmt: skip


def program(name):
    body, shape = PROGRAMS[name]
    return HEAD + "\n".join(line.removeprefix("        ") for line in body.splitlines()), shape


def original(source):
    scope = {}
    exec(source, scope)
    rng = np.random.default_rng(0)
    for weight in scope["model"].weights:
        positive = weight.name in ("gamma", "moving_variance")
        drawn = rng.uniform(0.5, 1.5, weight.shape) if positive else rng.normal(0, 0.4, weight.shape)
        weight.assign(drawn.astype("float32"))
    return scope["model"]


@pytest.mark.parametrize("form", ["m.weights.h5", "m.keras", "m.h5"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_same_numbers(name, form, tmp_path):
    source, shape = program(name)
    model = original(source)
    path = tmp_path / form
    model.save_weights(path) if form.endswith(".weights.h5") else model.save(path)
    result = transpile(source, options=Options(drop_in=True))
    assert result.complete, result.diagnostics
    scope = {"__name__": "translated"}
    exec(result.code, scope)
    module = eval(result.model("model").constructor, scope)
    module.load_state_dict(result.state_dict(path, "model"), strict=True)
    inputs = np.random.default_rng(1).normal(size=(3, *shape)).astype("float32")
    with torch.inference_mode():
        got = module.eval()(torch.from_numpy(inputs)).numpy()
    wanted = np.asarray(model.predict(inputs, verbose=0))
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)
    assert np.ptp(wanted, axis=0).max() > 0.01 * np.abs(wanted).max()
