"""Names and printed values."""

from __future__ import annotations

import keyword
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.emit.graphs import ORIGIN, make_layer
from transpiler.emit.classnames import class_name_for, free_name
from transpiler.emit.code import constructor_code, float_code, literal, string_code
from transpiler.emit.describe import model_summary
from transpiler.emit.names import FILE_NAMES, MODULE_ATTRIBUTES, Namer, Wish, attribute, identifier, snake, variable
from transpiler.graph.keras import Model
from transpiler.graph.symbolic import Expr, Leaf
from transpiler.graph.torch import Code


@given(st.text())
def test_any_text_becomes_an_identifier(text: str) -> None:
    for make in (identifier, snake, variable, attribute):
        name = make(text)
        assert name.isidentifier()
        assert name.isascii()
        assert not keyword.iskeyword(name)
    assert attribute(text) not in MODULE_ATTRIBUTES
    assert variable(text) not in FILE_NAMES


@pytest.mark.parametrize(
    ("text", "name"),
    [("conv/1", "conv_1"), ("2nd", "layer2nd"), ("forward", "forward_"), ("FC", "fc"), ("myDense", "my_dense")],
)
def test_attribute_names(text: str, name: str) -> None:
    assert attribute(text) == name


def test_no_attribute_of_a_module_is_forgotten() -> None:
    nn = pytest.importorskip("torch").nn
    assert {name for name in dir(nn.Module) if not name.startswith("_")} <= MODULE_ATTRIBUTES


def test_roles_are_numbered_where_there_are_several() -> None:
    wishes = [Wish(1, "conv", False), Wish(2, "fc", False), Wish(3, "conv", False), Wish(4, "conv2", True)]
    assert Namer().assign(wishes) == {1: "conv1", 2: "fc", 3: "conv3", 4: "conv2"}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e-3, "1e-3"), (2e-4, "2e-4"), (0.5, "0.5"), (0.01, "0.01"), (1e-07, "1e-7"), (0.0015, "0.0015"),
        (1.0, "1.0"), (0.0, "0.0"), (-0.0, "-0.0"), (1e10, "1e10"), (2.5e-05, "2.5e-5"), (-1e9, "-1e9"),
        (0.1 + 0.2, "0.30000000000000004"), (math.inf, 'float("inf")'), (100000.0, "100000.0"),
    ],
)  # fmt: skip
def test_floats(value: float, text: str) -> None:
    assert float_code(value) == text


@given(st.floats(allow_nan=False))
def test_floats_keep_their_value(value: float) -> None:
    assert eval(float_code(value)) == value


@given(st.text())
def test_strings_are_data(text: str) -> None:
    assert eval(string_code(text)) == text


def test_expressions_and_tuples() -> None:
    width = Expr.of_leaf(Leaf("width"), 8)
    assert literal((width * 2, 1)) == "(width * 2, 1)"
    assert literal(width + 1, lambda leaf: f"{leaf.name}_") == "width_ + 1"
    assert literal(Code("torch.tanh")) == "torch.tanh"
    assert literal({"a": [1, None]}) == '{"a": [1, None]}'


def test_square_arguments_are_one_number() -> None:
    assert constructor_code("nn.MaxPool2d", ((2, 2),), {"stride": (1, 2)}) == "nn.MaxPool2d(2, stride=(1, 2))"
    assert constructor_code("nn.Conv1d", (3, 4), {"kernel_size": (3,)}) == "nn.Conv1d(3, 4, kernel_size=3)"
    assert constructor_code("nn.LayerNorm", ((8, 8),), {}) == "nn.LayerNorm((8, 8))"
    assert constructor_code("nn.Unflatten", (1, (7, 7)), {}) == "nn.Unflatten(1, (7, 7))"
    assert constructor_code("SamePad", (), {"kernel_size": (3, 3)}) == "SamePad(kernel_size=(3, 3))"
    assert constructor_code("nn.AdaptiveAvgPool2d", ((None, None),), {}) == "nn.AdaptiveAvgPool2d((None, None))"


@pytest.mark.parametrize(
    ("hint", "builder", "filename", "name"),
    [
        (None, "build_unet", "a.py", "UNet"),
        ("model", None, "mnist_cnn.py", "MnistCNN"),
        ("generator", None, "dcgan.py", "Generator"),
        ("self.discriminator", None, "gan.py", "Discriminator"),
        ("model", "get_unet", "x.py", "UNet"),
        ("model", "buildResNet", "x.py", "ResNet"),
        ("model1", None, "imdb_lstm.py", "ImdbLSTM"),
        ("vae", None, "x.py", "VAE"),
        ("model", "create_model", "/tmp/simple-autoencoder.py", "Autoencoder"),
        ("resnet50", None, "x.py", "ResNet50"),
        ("model", None, "keras_script.py", "MLP"),
        ("model", "build_model", "<string>", "MLP"),
        ("list", None, "x.py", "List"),
        ("softmax_model", None, "x.py", "SoftmaxNet"),
        ("type_error", None, "x.py", "TypeErrorNet"),
    ],
)
def test_class_names(hint: str | None, builder: str | None, filename: str, name: str) -> None:
    model = Model("sequential", [], [], "sequential", False, ORIGIN, layers=[make_layer()], hint=hint, builder=builder)
    assert class_name_for(model, filename) == name


def test_a_class_name_that_is_taken() -> None:
    assert free_name("UNet", {"UNet"}, {"UNet"}) == "UNet2"
    assert free_name("ResNet50", {"ResNet50"}, ()) == "ResNet50_2"
    assert free_name("VGG", (), {"VGG", "build"}) == "VGGNet"
    assert free_name("UNet", (), {"UNet"}) == "UNetModel"
    assert free_name("UNet", {"UNetModel"}, {"UNet"}) == "UNetModel2"


@pytest.mark.parametrize(
    ("docstring", "summary"),
    [
        ("The part that both recordings go through.", "The part that both recordings go through."),
        ("Builds a U-Net with four levels.\n\nArgs:\n    shape: of the input", "A U-Net with four levels."),
        ("Build and compile the critic, and return it.", "The critic."),
        ("Create model", ""),
        ("Build the model that ``cfg`` describes.", ""),
        ("``stages`` is a list of (filters, number of blocks).", ""),
        ("", ""),
    ],
)
def test_docstrings_of_builders(docstring: str, summary: str) -> None:
    assert model_summary(docstring, ["cfg", "stages"]) == summary
