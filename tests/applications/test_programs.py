"""Programs around the networks: scaling of images, names of classes, fine-tuning, what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras")
torch = pytest.importorskip("torch")
pytest.importorskip("h5py")

from tests.applications.networks import redraw  # noqa: E402
from transpiler import Result, transpile  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")

_MODULES = ("vgg16", "resnet50", "resnet_v2", "inception_v3", "xception", "mobilenet_v2", "densenet", "efficientnet")


def _run(source: str, **scope: Any) -> dict[str, Any]:
    result = transpile(source)
    assert result.complete, result.diagnostics
    assert "keras" not in result.code.replace("keras.applications.", "").replace("as Keras does", "").lower(), (
        result.code
    )
    exec(result.code, scope)
    return scope


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
@pytest.mark.parametrize("module", _MODULES)
def test_arrays_are_scaled_as_in_keras(module: str, dtype: str) -> None:
    """Also in what becomes of the array that was given."""
    images = np.random.default_rng(0).integers(0, 256, (2, 4, 5, 3)).astype(dtype)
    theirs, ours = images.copy(), images.copy()
    wanted = getattr(keras.applications, module).preprocess_input(theirs)
    made = _run(
        f"from tensorflow.keras.applications.{module} import preprocess_input\ny = preprocess_input(x)\n", x=ours
    )
    assert made["y"].dtype == wanted.dtype
    np.testing.assert_array_equal(made["y"], wanted)
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("module", _MODULES)
def test_tensors_are_scaled_as_in_keras(module: str) -> None:
    source = (
        "import keras\nfrom keras import layers\n"
        "inputs = keras.Input((6, 5, 3))\n"
        f"x = keras.applications.{module}.preprocess_input(inputs)\n"
        "x = layers.Conv2D(4, 3, name='conv')(x)\n"
        "model = keras.Model(inputs, x)\n"
    )
    judge_scope: dict[str, Any] = {}
    exec(source, judge_scope)
    judge = judge_scope["model"]
    images = np.random.default_rng(0).uniform(0, 255, (2, 6, 5, 3)).astype("float32")
    model = _run(source)["model"]
    kernel, bias = (torch.as_tensor(np.array(v.numpy())) for v in judge.get_layer("conv").weights)
    model.load_state_dict({"conv.weight": kernel.permute(3, 2, 0, 1), "conv.bias": bias})
    with torch.no_grad():
        got = model(torch.from_numpy(images).permute(0, 3, 1, 2)).permute(0, 2, 3, 1).numpy()
    wanted = judge.predict(images, verbose=0)
    assert np.abs(got - wanted).max() <= 1e-4 * np.abs(wanted).max()


def test_classes_have_keras_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = {str(at): [f"n{at:08}", f"class_{at}"] for at in range(1000)}
    stored = tmp_path / "index.json"
    stored.write_text(json.dumps(names))
    from keras.src.applications import imagenet_utils

    monkeypatch.setattr(imagenet_utils, "CLASS_INDEX", names)
    scores = np.random.default_rng(0).dirichlet(np.ones(1000), 3).astype("float32")
    source = (
        "from keras.applications.resnet50 import decode_predictions\n"
        "best = decode_predictions(scores)\nfirst = decode_predictions(scores, top=2)[0]\n"
    )
    code = transpile(source).code
    scope: dict[str, Any] = {"scores": scores}
    head, _, tail = code.rpartition("best = ")
    exec(head, scope)
    scope["download"] = lambda name, url, digest: stored
    exec(f"best = {tail}", scope)
    assert scope["best"] == keras.applications.resnet50.decode_predictions(scores)
    assert scope["first"] == keras.applications.resnet50.decode_predictions(scores, top=2)[0]


_FINE_TUNING = """
import numpy as np
from tensorflow import keras
from tensorflow.keras.applications.mobilenet_v2 import MobileNetV2, preprocess_input
from tensorflow.keras.layers import Dense, GlobalAveragePooling2D
from tensorflow.keras.models import Model

base_model = MobileNetV2(weights=None, include_top=False, input_shape=(32, 32, 3), alpha=0.35)
{freeze}
x = {output}
x = GlobalAveragePooling2D()(x)
model = Model(inputs={inputs}, outputs=Dense(4, activation="softmax", name="head")(x))
model.compile(optimizer=keras.optimizers.SGD(0.05), loss="categorical_crossentropy")
"""
_WAYS = {
    "head on the output, frozen by loop": {
        "freeze": "for layer in base_model.layers[:-20]:\n    layer.trainable = False",
        "output": "base_model.output", "inputs": "base_model.input",
    },
    "head on the output, frozen whole": {
        "freeze": "base_model.trainable = False", "output": "base_model.output", "inputs": "base_model.inputs",
    },
    "called as a layer": {
        "freeze": "base_model.trainable = False\ninputs = keras.Input((32, 32, 3))",
        "output": "base_model(inputs, training=False)", "inputs": "inputs",
    },
    "cut in the middle": {
        "freeze": "base_model.trainable = False",
        "output": "base_model.get_layer('block_6_expand_relu').output", "inputs": "base_model.input",
    },
}  # fmt: skip


def _translated(result: Result, judge: Any, folder: Path) -> Any:
    """Our model with the weights of Keras'."""
    assert result.complete, result.diagnostics
    scope: dict[str, Any] = {}
    exec(result.code, scope)
    judge.save_weights(folder / "model.weights.h5")
    scope["model"].load_state_dict(result.state_dict(folder / "model.weights.h5", "model"))
    return scope["model"]


@pytest.mark.parametrize("way", _WAYS)
def test_fine_tuning(way: str, tmp_path: Path) -> None:
    """The same numbers, and the same weights to be trained."""
    source = _FINE_TUNING.format(**_WAYS[way])
    keras.config.set_floatx("float32")
    keras.utils.clear_session()
    scope: dict[str, Any] = {}
    exec(source, scope)
    judge = scope["model"]
    for layer in judge.layers:
        if hasattr(layer, "layers"):
            redraw(layer)
    redraw(judge)
    model = _translated(transpile(source), judge, tmp_path)
    images = np.random.default_rng(0).uniform(-2, 2, (2, 32, 32, 3)).astype("float32")
    model.eval()
    with torch.no_grad():
        got = torch.softmax(model(torch.from_numpy(images).permute(0, 3, 1, 2)), 1).numpy()
    assert np.abs(got - judge.predict(images, verbose=0)).max() <= 1e-4
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert trained == sum(int(np.prod(v.shape)) for v in judge.trainable_weights)


@pytest.mark.parametrize(
    ("call", "code", "told"),
    [
        ("VGG16(weights='imagenet', classes=10)", "KT103", "1000 classes, not 10"),
        ("VGG16(weights='imagenet', input_shape=(32, 32, 3))", "KT103", "(224, 224, 3)"),
        ("VGG16(include_top=False, input_shape=(16, 16, 3))", "KT103", "at least 32 by 32"),
        ("VGG16(include_top=False, input_shape=(64, 64, 1))", "KT103", "three channels, not 1"),
        ("VGG16(weights=path)", "KT201", "`weights` must be known"),
        ("VGG16(weights=None, size=3)", "KT102", "no argument `size`"),
        ("MobileNet(alpha=0.3)", "KT103", "`alpha` in (0.25, 0.5, 0.75, 1.0)"),
        ("NASNetMobile(weights=None)", "KT101", "timm has a port"),
        ("ConvNeXtTiny(weights=None)", "KT101", "torchvision and timm have the same network"),
    ],
)
def test_refusals(call: str, code: str, told: str) -> None:
    name = call.partition("(")[0]
    result = transpile(f"import sys\nfrom keras.applications import {name}\npath = sys.argv[1]\nmodel = {call}\n")
    assert [(d.code, d.line) for d in result.diagnostics] == [(code, 4)]
    assert told in result.diagnostics[0].message


@pytest.mark.parametrize(
    "spelling",
    [
        "from keras.applications.vgg16 import VGG16 as make",
        "from tensorflow.keras.applications import vgg16\nmake = vgg16.VGG16",
        "import tensorflow as tf\nmake = tf.keras.applications.vgg16.VGG16",
        "from keras_applications.vgg16 import VGG16 as make",
        "import keras.applications as apps\nmake = apps.VGG16",
    ],
)
def test_spellings(spelling: str) -> None:
    result = transpile(f"{spelling}\nbase = make(weights=None, include_top=False, input_shape=(32, 32, 3))\n")
    assert result.diagnostics == ()
    assert [model.class_name for model in result.models] == ["VGG16"]
    assert result.models[0].layers[-1]["name"] == "block5_pool"
