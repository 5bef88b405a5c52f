"""Which file holds the weights: what Keras would download, what the output loads, and how one becomes the other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras")
torch = pytest.importorskip("torch")
pytest.importorskip("h5py")

from tests.applications.networks import redraw  # noqa: E402
from transpiler import transpile  # noqa: E402
from transpiler.rules.base import LAYERS  # noqa: E402
from transpiler.weight_files import convert_weights  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")

_FAMILIES = ("VGG19", "ResNet50", "ResNet101V2", "InceptionV3", "Xception", "DenseNet121", "EfficientNetB1",
             "EfficientNetV2B0", "InceptionResNetV2")  # fmt: skip
_CALLS: list[tuple[str, str]] = [
    *((name, f"include_top={top}") for name in (*_FAMILIES, "MobileNetV3Small") for top in (True, False)),
    *(("MobileNet", f"alpha={alpha}, include_top=False") for alpha in (0.25, 0.5, 0.75, 1.0)),
    ("MobileNet", "input_shape=(160, 160, 3)"),
    ("MobileNet", "input_shape=(100, 100, 3), include_top=False"),
    ("MobileNetV2", "input_shape=(96, 96, 3), alpha=1.4"),
    ("MobileNetV2", "input_shape=(64, 96, 3), include_top=False"),
    ("MobileNetV2", "input_tensor=keras.Input((128, 128, 3))"),
    ("MobileNetV3Small", "minimalistic=True"),
    ("MobileNetV3Large", "alpha=0.75, include_top=False"),
]


class _StopError(Exception):
    """Keras has said which file it wants."""


@pytest.mark.parametrize(("name", "arguments"), _CALLS)
def test_name_of_the_file_is_keras(name: str, arguments: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keras' own functions, as far as the download."""
    from keras.src.utils import file_utils

    if name.startswith("EfficientNet") and "keras.layers.Normalization" not in LAYERS:
        pytest.skip("needs Normalization")
    asked: list[str] = []

    def get_file(fname: str, *rest: Any, **options: Any) -> str:
        asked.append(fname)
        raise _StopError

    monkeypatch.setattr(file_utils, "get_file", get_file)
    source = f"import keras\nmodel = keras.applications.{name}(weights='imagenet', {arguments})\n"
    with pytest.raises(_StopError):
        exec(source, {})
    result = transpile(source)
    assert result.complete
    assert [(d.code, d.severity) for d in result.diagnostics] == [("KT405", "note")]
    assert f"--weights {asked[0]} --model {result.models[0].aliases[0]}" in result.diagnostics[0].hint
    assert f'"{asked[0].removesuffix(".h5")}.pt"' in result.code


def test_weights_of_keras_file_go_into_the_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file in the format of Keras' own ones, the command's conversion, the output run: Keras' numbers."""
    judge = keras.applications.MobileNet(weights=None, input_shape=(32, 32, 3), alpha=0.25, include_top=False)
    redraw(judge)
    name = "mobilenet_2_5_224_tf_no_top"
    judge.save_weights(tmp_path / f"{name}.weights.h5")
    result = transpile(
        "import numpy as np\n"
        "from tensorflow.keras.applications.mobilenet import MobileNet, preprocess_input\n"
        "base = MobileNet(input_shape=(32, 32, 3), alpha=0.25, include_top=False, weights='imagenet')\n"
        "features = base.predict(preprocess_input(images))\n"
    )
    assert result.complete
    convert_weights(result, tmp_path / f"{name}.weights.h5", tmp_path / f"{name}.pt", "base")
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype("uint8")
    monkeypatch.chdir(tmp_path)
    scope: dict[str, Any] = {"images": images}
    exec(result.code, scope)
    wanted = judge.predict(keras.applications.mobilenet.preprocess_input(images), verbose=0)
    assert np.abs(scope["features"] - wanted).max() <= 1e-4 * np.abs(wanted).max()


def test_weights_of_a_named_file() -> None:
    result = transpile("import keras\nmodel = keras.applications.VGG16(weights='flowers/vgg.weights.h5', classes=5)\n")
    assert result.complete
    assert '"flowers/vgg.pt"' in result.code
    assert "--weights flowers/vgg.weights.h5 --model vgg16" in result.diagnostics[0].hint


_BASE = "MobileNet(weights='imagenet', input_shape=(32, 32, 3), alpha=0.25, include_top=False)"
_PLACES = {
    "a head in a builder": f"""
def build():
    base = {_BASE}
    return Model(base.input, GlobalAveragePooling2D()(base.output))
model = build()
""",
    "a part in a builder": f"""
def build():
    base = {_BASE}
    return Model(base.input, base.get_layer("conv_pw_5_relu").output)
model = build()
""",
    "added without a name": f"""
model = Sequential()
model.add({_BASE})
model.add(GlobalAveragePooling2D())
model.layers[0].trainable = False
""",
    "frozen in one line": f"""
base = {_BASE}
for layer in base.layers: layer.trainable = False
model = Model(base.input, [l.output for l in base.layers if l.name.endswith("3_relu")])
""",
    "behind layers of the program's": f"""
inputs = Input((32, 32, 1))
base = {_BASE.replace("include_top", "input_tensor=Concatenate()([inputs] * 3), include_top")}
model = Model(inputs, GlobalAveragePooling2D()(base.output))
""",
}


@pytest.mark.parametrize("place", _PLACES)
def test_weights_arrive_where_the_network_is_built(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from keras.src.utils import file_utils

    keras.config.set_floatx("float32")
    keras.utils.clear_session()
    name = "mobilenet_2_5_224_tf_no_top"
    file = tmp_path / f"{name}.weights.h5"
    judge = keras.applications.MobileNet(weights=None, input_shape=(32, 32, 3), alpha=0.25, include_top=False)
    redraw(judge)
    judge.save_weights(file)
    monkeypatch.setattr(file_utils, "get_file", lambda *given, **options: str(file))
    source = (
        "from keras import Input\nfrom keras.applications import MobileNet\n"
        "from keras.models import Model, Sequential\n"
        f"from keras.layers import Concatenate, GlobalAveragePooling2D\n{_PLACES[place]}"
    )
    result = transpile(source)
    assert result.complete, result.diagnostics
    plain = transpile(f"from keras.applications import MobileNet\nbase = {_BASE}\n")
    convert_weights(plain, file, tmp_path / f"{name}.pt", "base")
    monkeypatch.chdir(tmp_path)
    theirs: dict[str, Any] = {}
    ours: dict[str, Any] = {}
    exec(source, theirs)
    exec(result.code, ours)
    images = np.random.default_rng(0).uniform(-2, 2, (2, *theirs["model"].input_shape[1:])).astype("float32")
    with torch.no_grad():
        got = ours["model"].eval()(torch.from_numpy(images).permute(0, 3, 1, 2))
    wanted = theirs["model"].predict(images, verbose=0)
    pairs = [(got, wanted)] if isinstance(got, torch.Tensor) else zip(got, wanted, strict=True)
    for mine, judged in pairs:
        mine = mine.permute(0, 2, 3, 1) if mine.ndim == 4 else mine
        assert np.abs(mine.numpy() - judged).max() <= 1e-4 * np.abs(judged).max()
