"""Files that real Keras 3 writes, in every form, give back every array of the model."""

from __future__ import annotations

import warnings

import pytest

pytest.importorskip("h5py")
keras = pytest.importorskip("keras")

from keras import layers as kl  # noqa: E402
from weights_oracle import assert_same, describe, redraw  # noqa: E402

from transpiler.weights.convert import convert, load_state_dict  # noqa: E402
from transpiler.weights.errors import WeightsError  # noqa: E402
from transpiler.weights.write import write_state_dict  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")


def sequential():
    layers = [kl.Conv2D(4, 3), kl.BatchNormalization(), kl.Conv2D(4, 3), kl.BatchNormalization()]
    head = [kl.Flatten(), kl.Dropout(0.5), kl.Dense(6), kl.Dense(6, name="head")]
    return keras.Sequential([keras.Input((8, 8, 3)), *layers, *head])


def functional():
    left, right = keras.Input((5,)), keras.Input((5,))
    shared = kl.Dense(5, name="shared")
    x = kl.Concatenate()([shared(left), shared(right)])
    return keras.Model([left, right], kl.Dense(2)(kl.PReLU()(x)))


def nested():
    inner = keras.Sequential([keras.Input((5,)), kl.Dense(5), kl.BatchNormalization(), kl.Dense(5)], name="inner")
    mid_in = keras.Input((5,))
    middle = keras.Model(mid_in, kl.BatchNormalization()(inner(kl.Dense(5)(mid_in))), name="middle")
    x = keras.Input((5,))
    return keras.Model(x, kl.Dense(5)(kl.Dense(5)(middle(middle(x)))))


def frozen():
    inner = keras.Sequential([keras.Input((5,)), kl.Dense(5), kl.BatchNormalization(), kl.Dense(5)])
    inner.layers[0].trainable = False
    return keras.Sequential([keras.Input((5,)), inner, kl.Dense(5)])


def shared_with_nested():
    x = keras.Input((5,))
    shared = kl.Dense(5)
    inner = keras.Sequential([keras.Input((5,)), shared, kl.Dense(5)])
    return keras.Model(x, inner(shared(x)))


def recurrent():
    x = keras.Input((6,))
    y = kl.Embedding(9, 4)(x)
    y = kl.Bidirectional(kl.LSTM(4, return_sequences=True))(y)
    y = kl.Bidirectional(kl.GRU(4, return_sequences=True))(y)
    y = kl.TimeDistributed(kl.Dense(8))(y)
    y = kl.SimpleRNN(8, return_sequences=True)(y)
    return keras.Model(x, kl.LSTM(8, dropout=0.1)(kl.GRU(8, return_sequences=True)(y)))


def attention():
    x = keras.Input((6, 8))
    y = kl.MultiHeadAttention(2, 4)(x, x)
    y = kl.LayerNormalization()(kl.Add()([x, y]))
    return keras.Model(x, kl.MultiHeadAttention(2, 4, value_dim=4)(y, y))


def convolutions():
    x = keras.Input((8, 8, 4))
    y = kl.SeparableConv2D(4, 3)(x)
    y = kl.DepthwiseConv2D(3)(y)
    y = kl.Conv2DTranspose(4, 3)(y)
    y = kl.GroupNormalization(2)(y)
    return keras.Model(x, kl.Conv2DTranspose(4, 3)(y))


def per_step():
    inner = keras.Sequential([keras.Input((5,)), kl.Dense(5), kl.BatchNormalization(), kl.Dense(5)])
    return keras.Sequential([keras.Input((3, 5)), kl.TimeDistributed(inner), kl.LSTM(5)])


def many_of_a_kind():
    return keras.Sequential([keras.Input((4,)), *[kl.Dense(4) for _ in range(13)]])


MODELS = [
    sequential, functional, nested, frozen, shared_with_nested, recurrent, attention, convolutions, per_step,
    many_of_a_kind,
]  # fmt: skip
FORMS = ["model.weights.h5", "model.keras", "model.h5"]


def saved(model, path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save_weights(path) if path.name.endswith(".weights.h5") else model.save(path)
    return path


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("build", MODELS, ids=lambda build: build.__name__)
def test_every_array_comes_back(build, form, tmp_path):
    model = build()
    redraw(model)
    spec, wanted = describe(model)
    assert_same(convert(saved(model, tmp_path / form), spec), wanted)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("build", MODELS, ids=lambda build: build.__name__)
def test_automatic_names_need_not_agree(build, form, tmp_path):
    file = build()
    redraw(file)
    path = saved(file, tmp_path / form)
    keras.backend.clear_session()
    for _ in range(3):
        kl.Dense(1), kl.Conv2D(1, 1), kl.LSTM(1)
    spec, _ = describe(build(), explicit=("head", "shared", "inner", "middle"))
    assert_same(convert(path, spec), describe(file)[1])


@pytest.mark.parametrize("form", FORMS)
def test_given_names_go_before_order(form, tmp_path):
    def model(first, second):
        return keras.Sequential([keras.Input((4,)), kl.Dense(4, name=first), kl.Dense(4, name=second)])

    file = model("b", "a")
    redraw(file)
    spec, _ = describe(model("a", "b"), explicit=("a", "b"))
    got = convert(saved(file, tmp_path / form), spec)
    assert (got["0/kernel"] == file.layers[1].kernel.numpy()).all()
    assert (got["1/kernel"] == file.layers[0].kernel.numpy()).all()


@pytest.mark.parametrize("form", FORMS)
def test_a_wrong_shape_names_the_layer_and_both_shapes(form, tmp_path):
    path = saved(keras.Sequential([keras.Input((4,)), kl.Dense(3, name="head")]), tmp_path / form)
    spec, _ = describe(keras.Sequential([keras.Input((5,)), kl.Dense(3, name="head")]))
    with pytest.raises(WeightsError, match=r"`head` \(Dense\).*\(4, 3\).*\(5, 3\)"):
        convert(path, spec)


@pytest.mark.parametrize("form", FORMS)
def test_a_missing_layer_is_named(form, tmp_path):
    path = saved(keras.Sequential([keras.Input((4,)), kl.Dense(4)]), tmp_path / form)
    spec, _ = describe(keras.Sequential([keras.Input((4,)), kl.Dense(4), kl.BatchNormalization(name="norm")]))
    with pytest.raises(WeightsError, match="norm" if form != "model.h5" else "1 layers with weights in the file"):
        convert(path, spec)


@pytest.mark.parametrize("ending", [".pt", ".safetensors"])
def test_written_state_dicts_load_again(ending, tmp_path):
    import torch
    from safetensors.torch import load_file

    model = sequential()
    spec, wanted = describe(model)
    state = load_state_dict(saved(model, tmp_path / "model.weights.h5"), spec)
    target = tmp_path / f"out{ending}"
    write_state_dict(state, target)
    again = torch.load(target, weights_only=True) if ending == ".pt" else load_file(target)
    assert_same({key: tensor.numpy() for key, tensor in again.items()}, wanted)
    assert [path.name for path in tmp_path.glob(".*")] == []
