"""What the tests of training share: a program under real Keras and its translation, from the same weights."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras")
pytest.importorskip("torch")

from transpiler import transpile  # noqa: E402

HEAD = "import numpy as np\nimport keras\nfrom keras import layers\n"
MODEL = """
model = keras.Sequential([
    keras.Input((5,)),
    layers.Dense(8, activation="tanh"{layer}),
    layers.Dense({units}, activation={activation!r}),
])
"""


def run_keras(source: str, scope: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """Run the original; its weights at the start are taken as they are when `compile` is called."""
    taken: list[Any] = []
    trainer = next(cls for cls in keras.Model.__mro__ if "compile" in vars(cls))
    compile_model = trainer.compile

    def noting(self: Any, *args: Any, **kwargs: Any) -> None:
        taken[:] = taken or self.get_weights()
        compile_model(self, *args, **kwargs)

    names = dict(scope)
    keras.utils.set_random_seed(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer, "compile", noting)
        exec(compile(source, "original.py", "exec"), names)
    return taken, names


def run_torch(source: str, scope: dict[str, Any], weights: list[Any]) -> dict[str, Any]:
    """Translate, put the weights into the model where it is made, and run."""
    import torch

    result = transpile(source, "original.py")
    assert not result.diagnostics, result.diagnostics
    assert "keras." not in re.sub(r"\.keras\b|keras\.(io|json)", "", result.code), result.code

    def put(model: torch.nn.Module) -> torch.nn.Module:
        with torch.no_grad():
            left = [torch.tensor(np.asarray(weight).T) for weight in weights]
            for parameter in model.parameters():  # by shape: models differ in the order of parallel layers
                at = next(i for i, weight in enumerate(left) if weight.shape == parameter.shape)
                parameter.copy_(left.pop(at))
            assert not left
        return model

    made = re.compile(r"^model = (\w+\(.*\)\.to\(\w+\))$", flags=re.MULTILINE)
    code, count = made.subn(r"model = put_weights(\1)", result.code)
    assert count == 1, result.code
    names = {**scope, "put_weights": put, "__name__": "translated"}
    exec(compile(code, "translated.py", "exec"), names)
    return names


def data(units: int, targets: str) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(70, 5)).astype("float32")
    score = x @ rng.normal(size=(5, max(units, 2)))
    classes = score.argmax(1)
    y = {
        "real": score[:, :units],
        "flat": score[:, 0],
        "binary": classes % 2,
        "positive": np.abs(score[:, :units]),
        "sign": np.where(score[:, :units] > 0, 1.0, -1.0),
        "multi": (score[:, :units] > 0).astype("float32"),
        "one_hot": np.eye(units)[classes % units],
        "index": classes % units,
        "column": (classes % units)[:, None],
        "proba": np.exp(score[:, :units]) / np.exp(score[:, :units]).sum(1, keepdims=True),
    }[targets]
    return {"x": x, "y": y}


def compare(source: str, scope: dict[str, Any], rel: float = 2e-5) -> dict[str, Any]:
    weights, expected = run_keras(source, scope)
    found = run_torch(source, scope, weights)
    for name, values in expected["history"].items():
        # float32 over 24 steps: a mean near zero (cosine similarity) keeps an absolute error of a few 1e-6
        assert found["history"][name] == pytest.approx(values, rel=rel, abs=5e-6), name
    assert list(found["history"]) == list(expected["history"])
    for name in ("score", "predicted", "steps"):
        if name in expected:
            np.testing.assert_allclose(np.array(found[name]), np.array(expected[name]), rtol=1e-3, atol=1e-5)
    return found


FIT = """
history = model.fit(x, y, epochs=6, batch_size=16, shuffle=False, validation_split=0.2, verbose=0).history
score = model.evaluate(x, y, verbose=0)
predicted = model.predict(x, verbose=0)
"""


def program(units: int, activation: str | None, compile_args: str, fit: str = FIT, layer: str = "") -> str:
    model = MODEL.format(units=units, activation=activation, layer=layer)
    return f"{HEAD}{model}model.compile({compile_args})\n{fit}"
