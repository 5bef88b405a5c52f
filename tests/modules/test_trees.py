"""Trees and single files: what is imported, written and copied, and what is told."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.modules.projects import write
from tests.modules.running import transpile

NET = """
import keras
from keras import layers

SHAPE = (4,)


def build(classes):
    inputs = keras.Input(SHAPE)
    x = layers.Dense(8, activation="relu")(inputs)
    return keras.Model(inputs, layers.Dense(classes, activation="softmax")(x))
"""
TRAIN = """
import numpy as np
from net import build

model = build(3)
model.compile("sgd", "sparse_categorical_crossentropy")
model.fit(np.zeros((8, 4)), np.zeros((8,), "int32"))
"""
PREDICT = """
import numpy as np
from net import build

CLASSES = 3
network = build(CLASSES)
print(network.predict(np.zeros((8, 4))))
"""


def tree(folder: Path, files: Mapping[str, str], *args: str) -> tuple[int, str, dict[str, str]]:
    """Translate a project into ``out``: the status, what was said, and the outputs by name."""
    write(folder, files)
    status, said = transpile(folder, *(args or (".",)), "-o", "out/")
    out = folder / "out"
    texts = {path.relative_to(out).as_posix(): path.read_text() for path in sorted(out.rglob("*.py"))}
    for text in texts.values():
        ast.parse(text)
        assert "import keras" not in text
        assert "tensorflow" not in text
    return status, said, texts


def test_two_users_share_a_class_and_its_logits(tmp_path: Path) -> None:
    status, said, out = tree(tmp_path, {"net.py": NET, "train.py": TRAIN, "predict.py": PREDICT})
    assert status == 0, said
    assert out["net_torch.py"].count("class ") == 1
    assert "Softmax" not in out["net_torch.py"]
    assert "from net_torch import MLP\n" in out["train_torch.py"]
    assert "from net_torch import MLP\n" in out["predict_torch.py"]
    assert "network = MLP(classes=CLASSES)" in out["predict_torch.py"]
    assert "nn.Softmax(dim=1)" in out["predict_torch.py"]


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    tree(tmp_path, {"net.py": NET, "train.py": TRAIN})
    assert transpile(tmp_path, ".", "-o", "out", "--check") == (0, "")


def test_a_function_that_compiles_stays_a_function(tmp_path: Path) -> None:
    net = (
        NET.replace("    return keras.Model(", "    model = keras.Model(")
        + '    model.compile("sgd", "mse")\n    return model\n'
    )
    train = TRAIN.replace('model.compile("sgd", "sparse_categorical_crossentropy")\n', "")
    status, said, out = tree(tmp_path, {"net.py": net, "train.py": train})
    assert status == 0, said
    assert "def build(classes)" in out["net_torch.py"]
    assert "from net_torch import build\n" in out["train_torch.py"]
    assert "model.criterion" in out["train_torch.py"]
    assert "device = " in out["train_torch.py"]

    status, said = transpile(tmp_path, "train.py", "-o", "single.py")
    assert status == 1
    assert "KT105 `build` is used here, but has no twin: it comes from net.py" in said


def test_a_file_without_keras_that_trains(tmp_path: Path) -> None:
    trainer = 'def train(model, x, y):\n    model.compile("sgd", "mse")\n    return model.fit(x, y)\n'
    main = TRAIN.split("model.compile", maxsplit=1)[0].replace("from net", "from trainer import train\nfrom net")
    main += "history = train(model, np.zeros((8, 4)), np.zeros((8, 3)))\n"
    status, said, out = tree(tmp_path, {"net.py": NET, "trainer.py": trainer, "main.py": main})
    assert status == 0, said
    assert "from trainer_torch import train\n" in out["main_torch.py"]
    assert "optimizer = torch.optim.SGD" in out["trainer_torch.py"]

    status, said = transpile(tmp_path, "main.py", "-o", "single.py")
    assert status == 1
    assert "trainer.py, which works with Keras" in said


def test_what_a_translated_file_imports_is_copied_and_nothing_else(tmp_path: Path) -> None:
    files = {
        "net.py": NET.replace("SHAPE = (4,)", "from sizes import SHAPE"),
        "sizes.py": "from more.numbers import FOUR\n\nSHAPE = (FOUR,)\n",
        "more/__init__.py": "",
        "more/numbers.py": "FOUR = 4\n",
        "unrelated.py": "print(1)\n",
        "train.py": TRAIN,
    }
    status, said, out = tree(tmp_path, files)
    assert status == 0, said
    assert set(out) == {"net_torch.py", "train_torch.py", "sizes.py", "more/__init__.py", "more/numbers.py"}
    assert out["sizes.py"] == files["sizes.py"]


def test_a_loss_of_another_file(tmp_path: Path) -> None:
    losses = "from keras import ops\n\n\ndef error(y_true, y_pred):\n"
    losses += "    return ops.mean(ops.square(y_true - y_pred), axis=-1)\n"
    train = TRAIN.replace("from net import build", "from losses import error\nfrom net import build")
    train = train.replace('"sparse_categorical_crossentropy"', "error").replace(
        'np.zeros((8,), "int32")', "np.zeros((8, 3))"
    )
    status, said, out = tree(tmp_path, {"net.py": NET, "losses.py": losses, "train.py": train})
    assert status == 0, said
    assert "from losses_torch import error\n" in out["train_torch.py"]
    assert transpile(tmp_path, "train.py", "-o", "single.py") == (0, "wrote single.py\n")
    assert "def error(y_true: Tensor, y_pred: Tensor) -> Tensor:" in (tmp_path / "single.py").read_text()


def test_a_model_of_another_file(tmp_path: Path) -> None:
    net = NET + "\n\nmodel = build(3)\n"
    train = TRAIN.replace("import build", "import model").replace("model = build(3)\n", "")
    status, said, out = tree(tmp_path, {"net.py": net, "train.py": train})
    assert status == 0, said
    assert "from net_torch import model\n" in out["train_torch.py"]
    assert transpile(tmp_path, "train.py", "-o", "single.py")[0] == 0
    assert "model = MLP(classes=3).to(device)\n" in (tmp_path / "single.py").read_text()


def test_constants_of_a_file_with_keras(tmp_path: Path) -> None:
    train = TRAIN.replace("import build", "import SHAPE, build").replace("np.zeros((8, 4))", "np.zeros((8, *SHAPE))")
    status, said, out = tree(tmp_path, {"net.py": NET, "train.py": train})
    assert status == 0, said
    assert "from net_torch import MLP, SHAPE\n" in out["train_torch.py"] or "import SHAPE" in out["train_torch.py"]
    assert transpile(tmp_path, "train.py", "-o", "single.py")[0] == 0
    assert "SHAPE = (4,)\n" in (tmp_path / "single.py").read_text()


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("import models.unet", "KT206 the project has no module `models.unet`: looked for models/unet.py"),
        ("from models.net import gone", "KT206 models/net.py has no `gone`"),
        ("from models import nets", "KT206 models/__init__.py has no `nets`"),
        ("from .models import net", "KT206 the project has no module `.absent`"),
        ("from models.broken import x", "KT206 models/broken.py, line 1"),
    ],
)
def test_what_is_missing_is_told_at_the_import(tmp_path: Path, line: str, says: str) -> None:
    line = line.replace("from .models import net", "from .absent import net")
    write(
        tmp_path,
        {
            "models/__init__.py": "",
            "models/net.py": "x = 1\n",
            "models/broken.py": "def\n",
            "train.py": f"{line}\n{NET}",
        },
    )
    status, said = transpile(tmp_path, "train.py")
    assert status == 1
    assert f"train.py:1:1: {says}" in said
    assert "raise NotImplementedError" in (tmp_path / "train_torch.py").read_text()


@pytest.mark.parametrize("line", ["from datasets import load_dataset", "import torchvision.models", "import data"])
def test_other_libraries_stay_unknown(tmp_path: Path, line: str) -> None:
    write(tmp_path, {"datasets/one.csv": "1", "data/readme.txt": "", "train.py": f"{line}\n{NET}"})
    assert transpile(tmp_path, "train.py")[0] == 0
    assert line in (tmp_path / "train_torch.py").read_text()


def test_a_program_may_be_ready_for_a_missing_module(tmp_path: Path) -> None:
    lines = "try:\n    from .fast import width\nexcept ImportError:\n    from slow import width\n"
    write(tmp_path, {"slow.py": "width = 5\n", "train.py": f"{lines}{NET.replace('Dense(8', 'Dense(width')}"})
    status, said = transpile(tmp_path, "train.py")
    assert status == 0, said


def test_a_circle(tmp_path: Path) -> None:
    files = {
        "one.py": f"from two import make\nWIDTH = 3\n{NET}",
        "two.py": "import keras\nfrom one import WIDTH\nmake = WIDTH\n",
    }
    write(tmp_path, files)
    status, said = transpile(tmp_path, "one.py")
    assert status == 1
    assert "one.py has no `WIDTH` yet: the modules import each other in a circle (in two.py, line 2)" in said
    status, said, _ = tree(tmp_path, files)
    assert status == 1
    assert "circle" in said


def test_a_circle_that_python_can_run(tmp_path: Path) -> None:
    files = {
        "net.py": NET + "\n\nimport other\n",
        "other.py": "import net\n\n\ndef shape():\n    return net.SHAPE\n",
        "train.py": TRAIN,
    }
    status, said, out = tree(tmp_path, files)
    assert status == 0, said
    assert "from net_torch import MLP" in out["train_torch.py"]


BLOCKS = """
from keras import layers


class Scale(layers.Dense):
    pass


def dense(x):
    return layers.Dense(3)(x)


def scaled(x):
    return Scale()(x)


def absent(x):
    return layers.Nonsense(3)(x)
"""


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("dense", None),
        ("scaled", "use.py:2:1: KT105 a subclass of `keras.layers.Dense` is not translated yet (in blocks.py, line 4)"),
        ("absent", "use.py:4:29: KT101 `keras.layers.Nonsense` is not supported (in blocks.py, line 17)"),
    ],
)
def test_failures_of_another_file_are_told_where_they_matter(tmp_path: Path, name: str, says: str | None) -> None:
    use = f"import keras\nfrom blocks import {name}\ninputs = keras.Input((4,))\n"
    use += f"model = keras.Model(inputs, {name}(inputs))\n"
    write(tmp_path, {"blocks.py": BLOCKS, "use.py": use})
    status, said = transpile(tmp_path, "use.py")
    assert status == (0 if says is None else 1)
    assert (says or "") in said
    assert said.count("KT") == (0 if says is None else 1)
    if says is not None:
        status, said = transpile(tmp_path, ".", "-o", "out")
        assert status == 1
        assert "blocks.py:" in said
        assert "use.py:" not in said


def test_a_size_that_only_the_other_file_knows(tmp_path: Path) -> None:
    net = "import keras\n\nn = len(open('words').read())\n\n\ndef build():\n"
    net += "    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(n)])\n"
    use = "from net import build\n\nn = 5\nmodel = build()\nprint(model.predict([[1.0]]))\n"
    write(tmp_path, {"net.py": net, "use.py": use})
    for args in (("use.py",), (".", "-o", "out")):
        status, said = transpile(tmp_path, *args)
        assert status == 1
        assert "use.py:4:1: KT201 `n`, which a size of this model depends on, is known only in another file" in said


def test_a_size_of_this_file_goes_to_the_other_file(tmp_path: Path) -> None:
    net = "import keras\n\n\ndef build(shape, n):\n"
    net += "    return keras.Sequential([keras.Input(shape), keras.layers.Dense(n)])\n"
    use = "import sys\nfrom net import build\n\nwidth = len(sys.argv)\n"
    use += "model = build((width,), width * 2)\nprint(model.predict([[1.0]]))\n"
    status, said, out = tree(tmp_path, {"net.py": net, "use.py": use})
    assert status == 0, said
    assert "width" in out["use_torch.py"].split("model = ")[1].splitlines()[0]


def test_public_names(tmp_path: Path) -> None:
    files = {
        "pkg/__init__.py": 'from .net import SHAPE, build\n\n__all__ = ["SHAPE", "build"]\n',
        "pkg/net.py": NET,
        "train.py": TRAIN.replace("from net", "from pkg"),
    }
    status, said, out = tree(tmp_path, files)
    assert status == 0, said
    assert "from .net_torch import SHAPE, MLP\n" in out["pkg/__init__.py"] or "MLP, SHAPE" in out["pkg/__init__.py"]
    assert '__all__ = ["SHAPE", "MLP"]' in out["pkg/__init__.py"]
    assert "from pkg.net_torch import MLP\n" in out["train_torch.py"]


def test_a_package_keeps_its_name(tmp_path: Path) -> None:
    files = {"pkg/__init__.py": "", "pkg/net.py": NET, "pkg/train.py": TRAIN.replace("from net", "from pkg.net")}
    status, said, out = tree(tmp_path, files, "pkg")
    assert status == 0, said
    assert set(out) == {"pkg/__init__.py", "pkg/net_torch.py", "pkg/train_torch.py"}
    assert "from pkg.net_torch import MLP\n" in out["pkg/train_torch.py"]


def test_a_setting_that_is_changed_in_another_module(tmp_path: Path) -> None:
    net = "import keras\nimport config\n\n\ndef build():\n"
    net += "    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(config.WIDTH)])\n"
    use = "import config\nfrom net import build\n\nconfig.WIDTH = 7\nmodel = build()\n"
    write(tmp_path, {"net.py": net, "use.py": use, "config.py": "WIDTH = 3\n"})
    status, said = transpile(tmp_path, "use.py")
    assert status == 0, said
    assert "nn.Linear(4, 7)" in (tmp_path / "use_torch.py").read_text()
