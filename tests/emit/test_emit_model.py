"""Whole classes: what is written, and that it runs."""

from __future__ import annotations

import math
from typing import Any

import black
import pytest

from tests.emit.graphs import GLOROT, ORIGIN, ZEROS, Builder, load, make_layer, render, source_file
from transpiler.emit.model import EmitOptions, render_init_weights, shared_instances
from transpiler.graph.keras import ApiObject, Model
from transpiler.graph.symbolic import Expr, Leaf
from transpiler.graph.torch import FIRST, Module, TorchModel

torch = pytest.importorskip("torch")
HE = ApiObject("keras.initializers.HeUniform", {"seed": None})
L2 = ApiObject("keras.regularizers.L1L2", {"l1": 0.0, "l2": 0.01})


def cnn(**conv: Any) -> TorchModel:
    b = Builder(final_activation="torch.softmax({0}, dim=1)")
    x = b.input(28, 28, 1, layout=FIRST)
    for inputs, outputs in ((1, 32), (32, 64)):
        x = b.relu(b.call(b.conv(inputs, outputs, **conv), x))
        x = b.call(b.module("nn.MaxPool2d", (2, 2), role="pool", weights=False), x)
    x = b.op("torch.flatten({0}, 1)", x, module_form="nn.Flatten()")
    x = b.call(b.module("nn.Dropout", 0.5, role="dropout", weights=False), x)
    return b.build(b.call(b.linear(64 * 5 * 5, 10), x))


CNN = '''class ConvNet(nn.Module):
    """A small network, returning logits.

    Expects images in channels-first layout, ``(N, 1, 28, 28)``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 32, kernel_size=3),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(32, 64, kernel_size=3),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.dropout = nn.Dropout(0.5)
        self.fc = nn.Linear(1600, 10)
        self.apply(init_weights)

    def forward(self, x: Tensor) -> Tensor:
        x = self.features(x)
        x = torch.flatten(x, 1)
        x = self.dropout(x)
        return self.fc(x)
'''


def test_cnn_is_written_as_by_hand() -> None:
    rendered = render(cnn(), "ConvNet", docstring="A small network.")
    assert rendered.code == CNN
    assert black.format_str(rendered.code, mode=black.Mode()) == rendered.code
    assert list(rendered.paths.values()) == ["features.0", "features.2", "features.3", "features.5", "dropout", "fc"]
    assert rendered.imports == {"import torch", "from torch import nn", "from torch import Tensor"}
    assert rendered.init_kinds == {"nn.Conv2d", "nn.Linear"}
    assert load(rendered).ConvNet()(torch.zeros(2, 1, 28, 28)).shape == (2, 10)


def test_mlp_is_one_sequential() -> None:
    b = Builder()
    x = b.relu(b.call(b.linear(4, 8), b.input(4)))
    code = render(b.build(b.call(b.linear(8, 1), x))).code
    assert "self.net = nn.Sequential(\n            nn.Linear(4, 8),\n            nn.ReLU(),\n" in code
    assert "return self.net(x)" in code


def test_named_layers_keep_their_attributes() -> None:
    b = Builder()
    x = b.input(4)
    for name in ("block1/conv", "block1/out"):
        x = b.relu(b.call(b.linear(4, 4, layer=make_layer(name, explicit=True)), x))
    rendered = render(b.build(x))
    assert list(rendered.paths.values()) == ["block1_conv", "block1_out"]
    assert "return F.relu(self.block1_out(x))" in rendered.code


def test_layers_without_weights_are_shared() -> None:
    b = Builder()
    x = b.input(4)
    for name in ("a", "b", "c"):
        x = b.call(b.linear(4, 4, layer=make_layer(f"fc_{name}", explicit=True)), x)
        x = b.call(b.module("nn.Dropout", 0.5, role="dropout", weights=False), x)
    rendered = render(b.build(x))
    assert rendered.code.count("nn.Dropout") == 1
    assert rendered.code.count("self.dropout(x)") == 3


def test_a_shared_layer_is_one_attribute() -> None:
    b = Builder()
    shared = b.linear(4, 4)
    left, right = b.input(4, hint="left"), b.input(4, hint="right")
    out = b.op("{0} - {1}", b.call(shared, left), b.call(shared, right), operator=True)
    rendered = render(b.build(out))
    assert rendered.code.count("nn.Linear") == 1
    assert "return self.fc(left) - self.fc(right)" in rendered.code


def test_run_time_sizes_become_parameters() -> None:
    b = Builder()
    classes = Expr.of_leaf(Leaf("num_classes", "local", "nb_classes"))
    width = Expr.of_leaf(Leaf("width", "local", "args.width", "64"), 64)
    size = Expr.of_leaf(Leaf("SIZE", "global"), 7)
    x = b.call(b.linear(size, width * 2), b.input(7))
    x = b.call(b.module("nn.Dropout", Expr.of_leaf(Leaf("rate", "local", "r")), role="dropout", weights=False), x)
    rendered = render(b.build(b.call(b.linear(width * 2, classes), x)))
    assert "def __init__(self, rate: float, num_classes: int, width: int = 64) -> None:" in rendered.code
    assert "nn.Linear(SIZE, width * 2)" in rendered.code
    assert rendered.constructor == "Net(r, nb_classes, args.width)"


def nested(inner: TorchModel) -> TorchModel:
    b = Builder()
    module = Module("", role="model", subgraph=inner)
    return b.build(b.call(b.linear(2, 1), b.call(module, b.input(4))))


def encoder(size: Any = 2) -> TorchModel:
    b = Builder()
    return b.build(b.call(b.linear(4, size, regularizers={"weight": L2}), b.input(4)), hint="encoder")


def test_nested_models() -> None:
    inner = encoder(Expr.of_leaf(Leaf("latent", "local", "LATENT"), 2))
    outer = nested(inner)
    first, second = render(inner, "Encoder"), render(outer, "Whole", submodels={id(inner): "Encoder"})
    assert "self.apply(init_weights)\n        self.encoder = Encoder(latent)" in second.code
    assert second.constructor == "Whole(LATENT)"
    assert "return self.encoder.regularization_loss()" in second.code
    whole = load(first, second).Whole(2)
    assert whole(torch.zeros(3, 4)).shape == (3, 1)
    assert set(whole.state_dict()) == {"encoder.fc.weight", "encoder.fc.bias", "fc.weight", "fc.bias"}
    torch.testing.assert_close(whole.regularization_loss(), 0.01 * whole.encoder.fc.weight.square().sum())


def test_models_made_outside_are_passed_in() -> None:
    inner = encoder()
    options = EmitOptions(instances={id(inner): "encoder"})
    first = render(inner, "Encoder")
    second = render(nested(inner), "Whole", submodels={id(inner): "Encoder"}, options=options)
    assert "def __init__(self, encoder: Encoder) -> None:" in second.code
    assert second.constructor == "Whole(encoder)"
    generated = load(first, second)
    inside = generated.Encoder()
    before = inside.fc.weight.detach().clone()
    assert generated.Whole(inside).encoder is inside
    assert torch.equal(inside.fc.weight, before)


def test_layers_shared_with_another_model() -> None:
    b = Builder()
    x = b.input(4)
    code = b.call(b.linear(4, 2), x)
    whole = b.build(b.call(b.linear(2, 4), b.relu(code)))
    b2 = Builder()
    b2.inputs, b2.calls = [x], b.calls[:1]
    part = b2.build(code)
    first = render(whole, "Autoencoder")
    instances = shared_instances(part, whole, first.paths, "autoencoder")
    second = render(part, "Encoder", options=EmitOptions(instances=instances))
    assert second.constructor == "Encoder(autoencoder.net[0])"
    generated = load(first, second)
    autoencoder = generated.Autoencoder()
    assert generated.Encoder(autoencoder.net[0])(torch.zeros(1, 4)).shape == (1, 2)


def test_regularizers_of_many_layers() -> None:
    rendered = render(cnn(regularizers={"weight": L2}))
    net = load(rendered).Net()
    expected = 0.01 * (net.features[0].weight.square().sum() + net.features[3].weight.square().sum())
    torch.testing.assert_close(net.regularization_loss(), expected)


def test_other_initialisers_are_lines_of_their_own() -> None:
    starts = {"weight": HE, "bias": ZEROS}
    b = Builder()
    x = b.input(4)
    for i in range(3):
        x = b.call(b.module("nn.Linear", 4, 4, role="fc", initializers=starts, layer=make_layer(f"d{i}", True)), x)
    rendered = render(b.build(x))
    assert rendered.code.count("kaiming_uniform_") == 1
    assert "if isinstance(module, nn.Linear):" in rendered.code
    weight = load(rendered).Net().d1.weight
    assert weight.abs().max() <= math.sqrt(6 / 4)


def test_one_initialiser_for_nearly_all_layers() -> None:
    b = Builder()
    x = b.input(4)
    for i in range(6):
        starts = {"weight": HE if i != 3 else GLOROT, "bias": ZEROS}
        x = b.call(b.module("nn.Linear", 4, 4, role="fc", initializers=starts, layer=make_layer(f"d{i}", True)), x)
    lines = [line.strip() for line in render(b.build(x)).code.splitlines()]
    start = lines.index("for module in self.modules():")
    assert lines[start + 1] == "if isinstance(module, nn.Linear):"
    assert lines[start + 2].startswith("nn.init.kaiming_uniform_(module.weight")
    assert lines[start + 3] == "nn.init.xavier_uniform_(self.d3.weight)"


def test_init_weights_draws_like_keras() -> None:
    names: dict[str, Any] = {}
    code = render_init_weights({"nn.Linear", "nn.Embedding", "nn.LSTM", "nn.GRU", "lazy"})
    assert black.format_str(code, mode=black.Mode()) == code
    exec(f"import torch\nfrom torch import nn\n{code}", names)
    net = torch.nn.ModuleList([
        torch.nn.Linear(30, 20), torch.nn.Embedding(50, 3), torch.nn.LSTM(5, 7), torch.nn.GRU(5, 7),
        torch.nn.LazyLinear(3),
    ])  # fmt: skip
    net.apply(names["init_weights"])
    linear, embedding, lstm, gru, _ = net
    assert 0.3 < linear.weight.abs().max() <= math.sqrt(6 / 50)
    assert embedding.weight.abs().max() <= 0.05
    assert lstm.bias_ih_l0.tolist() == [0.0] * 7 + [1.0] * 7 + [0.0] * 14
    assert not lstm.bias_hh_l0.requires_grad
    assert gru.bias_hh_l0.requires_grad
    torch.testing.assert_close(lstm.weight_hh_l0.T @ lstm.weight_hh_l0, torch.eye(7))


@pytest.mark.parametrize("kind", ["nn.LSTM", "nn.GRU", "nn.RNN", "nn.Embedding", "nn.Conv3d"])
def test_init_weights_of_one_kind_compiles(kind: str) -> None:
    code = render_init_weights({kind})
    compile(code, "x.py", "exec")
    assert black.format_str(code, mode=black.Mode()) == code


def test_no_initialisation_on_request() -> None:
    rendered = render(cnn(), options=EmitOptions(keras_init=False))
    assert "init" not in rendered.code.replace("__init__", "")


def test_comments_stand_beside_their_layers() -> None:
    b = Builder()
    x = b.call(b.linear(4, 4), b.input(4), comments=("#  first\nlayer",))
    tm = b.build(b.call(b.linear(4, 1), b.relu(x), comments=("# the answer",)))
    tm.source = Model("sequential", [], [], "m", False, ORIGIN)
    code = render(tm).code
    assert "self.net = nn.Sequential(\n            # first layer\n            nn.Linear(4, 4)" in code
    assert "# the answer\n            nn.Linear(4, 1)" in code


def test_hostile_text_stays_text() -> None:
    b = Builder()
    hostile = '"""\nimport os  # \\'
    layer = make_layer(hostile, explicit=True)
    module = b.module("nn.Linear", 4, 4, role="fc", layer=layer, initializers={"weight": GLOROT})
    x = b.call(module, b.input(4, hint=hostile))
    rendered = render(b.build({hostile: x}), docstring=hostile)
    generated = load(rendered)
    assert not hasattr(generated, "os")
    assert list(generated.Net()(torch.zeros(1, 4))) == [hostile]
    compile(source_file(rendered), "x.py", "exec")
