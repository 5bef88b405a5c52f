"""Files in the forms of Keras 1 and 2, made by hand: names, Theano's kernels, Keras 1's gates, cuDNN."""

from __future__ import annotations

import numpy as np
import pytest

h5py = pytest.importorskip("h5py")

from transpiler.weights.convert import convert  # noqa: E402
from transpiler.weights.errors import WeightsError  # noqa: E402
from transpiler.weights.spec import LayerEntry, ModelWeights, Source, StateEntry, Variable, walk  # noqa: E402

RNG = np.random.default_rng(0)


def array(*shape):
    return RNG.normal(size=shape).astype("float32")


def entry(kind, name, *variables, **options):
    return LayerEntry(kind, name, variables=tuple(Variable(*v) for v in variables), **options)


def spec(*layers):
    entries = [
        StateEntry("/".join((*map(str, place), v.label)), (Source(place, i),))
        for place, layer in walk(layers)
        for i, v in enumerate(layer.variables)
    ]
    return ModelWeights("model", layers, tuple(entries))


def write(path, layers, **attributes):
    """``layers``: name → list of (weight name, array), in order."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in layers]
        file.attrs.update({key: value.encode() for key, value in attributes.items()})
        for name, weights in layers.items():
            group = file.create_group(name)
            group.attrs["weight_names"] = [weight.encode() for weight, _ in weights]
            for weight, value in weights:
                group[weight] = value
    return path


DENSE = entry("Dense", "dense", ("kernel", (4, 3)), ("bias", (3,)))


@pytest.mark.parametrize("names", [("dense_7/kernel:0", "dense_7/bias:0"), ("dense_7_W", "dense_7_b")])
def test_names_of_every_age(names, tmp_path):
    kernel, bias = array(4, 3), array(3)
    path = write(tmp_path / "x.h5", {"flatten_1": [], "dense_7": [(names[0], kernel), (names[1], bias)]})
    got = convert(path, spec(DENSE))
    np.testing.assert_array_equal(got["0/kernel"], kernel)
    np.testing.assert_array_equal(got["0/bias"], bias)


def test_theano_turns_kernels_around(tmp_path):
    kernel = array(3, 3, 2, 4)
    layer = entry("Conv2D", "conv", ("kernel", (3, 3, 2, 4)))
    path = write(tmp_path / "x.h5", {"conv": [("conv/kernel:0", kernel)]}, keras_version="2.0.8", backend="theano")
    np.testing.assert_array_equal(convert(path, spec(layer))["0/kernel"], kernel[::-1, ::-1])


def test_keras_1_kernels_in_theanos_order(tmp_path):
    kernel = array(4, 2, 3, 3)
    layer = entry("Conv2D", "conv", ("kernel", (3, 3, 2, 4)))
    path = write(tmp_path / "x.h5", {"conv": [("conv_W", kernel)]}, backend="tensorflow")
    np.testing.assert_array_equal(convert(path, spec(layer))["0/kernel"], kernel.transpose(2, 3, 1, 0))


@pytest.mark.parametrize("shape", [(3, 1, 2, 4), (4, 2, 3, 1)])
def test_keras_1_kernels_of_conv1d(shape, tmp_path):
    kernel = array(*shape)
    layer = entry("Conv1D", "conv", ("kernel", (3, 2, 4)))
    got = convert(write(tmp_path / "x.h5", {"conv": [("conv_W", kernel)]}), spec(layer))["0/kernel"]
    wanted = kernel[:, 0] if shape[1] == 1 else kernel.transpose(2, 3, 1, 0)[:, 0]
    np.testing.assert_array_equal(got, wanted)


LSTM = entry("LSTM", "lstm", ("kernel", (2, 12)), ("recurrent_kernel", (3, 12)), ("bias", (12,)))


def test_keras_1_gates_are_joined(tmp_path):
    gates = {gate: (array(2, 3), array(3, 3), array(3)) for gate in "icfo"}
    weights = [(f"l_{kind}_{g}", a) for g, arrays in gates.items() for kind, a in zip("WUb", arrays, strict=True)]
    got = convert(write(tmp_path / "x.h5", {"l": weights}), spec(LSTM))
    for index, name in enumerate(("kernel", "recurrent_kernel", "bias")):
        wanted = np.concatenate([gates[gate][index] for gate in "ifco"], axis=-1)
        np.testing.assert_array_equal(got[f"0/{name}"], wanted)


def test_cudnn_lstm(tmp_path):
    kernel, recurrent, bias = array(2, 12), array(3, 12), array(24)
    names = ("kernel", "recurrent_kernel", "bias")
    weights = [(f"l/{n}:0", a) for n, a in zip(names, (kernel, recurrent, bias), strict=True)]
    got = convert(write(tmp_path / "x.h5", {"l": weights}, keras_version="2.2.4"), spec(LSTM))
    np.testing.assert_allclose(got["0/bias"], bias[:12] + bias[12:])
    gate = recurrent[:, 3:6]
    np.testing.assert_array_equal(got["0/recurrent_kernel"][:, 3:6], gate.T)
    np.testing.assert_array_equal(got["0/kernel"][:, :3].T.ravel(), kernel[:, :3].T.reshape(2, 3, order="F").T.ravel())


def nested(trainable=True):
    norm = [("gamma", (4,)), ("beta", (4,)), ("moving_mean", (4,), False), ("moving_variance", (4,), False)]
    first = entry("Dense", "dense_1", ("kernel", (4, 4)), ("bias", (4,)), trainable=trainable)
    second = entry("Dense", "dense_2", ("kernel", (4, 4)), ("bias", (4,)))
    inside = (first, entry("BatchNormalization", "batch_normalization_1", *norm), second)
    return LayerEntry("Functional", "model_1", layers=inside)


@pytest.mark.parametrize("plain", [True, False], ids=["names", "only order"])
def test_a_nested_model_is_one_list_with_the_trainable_first(plain, tmp_path):
    flat = [(leaf.name, v) for leaf in nested().layers for v in leaf.variables]
    flat.sort(key=lambda item: not item[1].trainable)
    values = {(name, v.name): array(*v.shape) for name, v in flat}
    naming = "{0}/{1}:0" if plain else "{0}{1}_"
    weights = [(naming.format(name, v.name), values[name, v.name]) for name, v in flat]
    got = convert(write(tmp_path / "x.h5", {"m": weights, "last": []}), spec(nested()))
    for index, leaf in enumerate(nested().layers):
        for variable in leaf.variables:
            np.testing.assert_array_equal(got[f"0/{index}/{variable.name}"], values[leaf.name, variable.name])


def test_long_lists_of_names_are_kept_in_parts(tmp_path):
    kernel, bias = array(4, 3), array(3)
    path = write(tmp_path / "x.h5", {"dense": [("dense/kernel:0", kernel), ("dense/bias:0", bias)]})
    with h5py.File(path, "a") as file:
        group = file["dense"]
        del group.attrs["weight_names"]
        group.attrs["weight_names0"] = [b"dense/kernel:0"]
        group.attrs["weight_names1"] = [b"dense/bias:0"]
        del file.attrs["layer_names"]
        file.attrs["layer_names0"] = [b"dense"]
    np.testing.assert_array_equal(convert(path, spec(DENSE))["0/bias"], bias)


def test_a_wrong_number_of_layers_is_said(tmp_path):
    path = write(tmp_path / "x.h5", {"a": [("a/kernel:0", array(4, 3))], "b": [("b/kernel:0", array(4, 3))]})
    with pytest.raises(WeightsError, match="2 layers with weights in the file"):
        convert(path, spec(DENSE))


def two_dense():
    return spec(entry("Dense", "a", ("kernel", (4, 4))), entry("Dense", "b", ("kernel", (4, 4))))


@pytest.mark.parametrize(
    "groups",
    [
        ("_layer_checkpoint_dependencies/dense", "_layer_checkpoint_dependencies/dense_2"),  # TensorFlow 2.12
        ("layers\\dense", "layers\\dense_1"),  # written on Windows
        ("layers/dense", "layers/dense_10"),
    ],
)
def test_early_forms_of_numbered_groups(groups, tmp_path):
    kernels = [array(4, 4), array(4, 4)]
    with h5py.File(tmp_path / "x.weights.h5", "w") as file:
        for group, kernel in zip(groups, kernels, strict=True):
            file[f"{group}/vars/0"] = kernel
        file["optimizer/vars/0"] = array(3)
        file["layers/dropout/seed_generator/vars/0"] = array(2)
    got = convert(tmp_path / "x.weights.h5", two_dense())
    np.testing.assert_array_equal(got["0/kernel"], kernels[0])
    np.testing.assert_array_equal(got["1/kernel"], kernels[1])


def test_half_precision_becomes_single(tmp_path):
    with h5py.File(tmp_path / "x.weights.h5", "w") as file:
        file["layers/dense/vars/0"] = np.ones((4, 4), "float16")
        raw = np.full((4, 4), 0x3FC0, "uint16").view("V2")  # 1.5
        file["layers/dense_1/vars"] = file.create_group("spare")
        file["layers/dense_1/vars"].create_dataset("0", data=raw).attrs["dtype"] = "bfloat16"
        del file["spare"]
    got = convert(tmp_path / "x.weights.h5", two_dense())
    assert got["0/kernel"].dtype == got["1/kernel"].dtype == np.float32
    assert got["1/kernel"].tolist() == [[1.5] * 4] * 4
