"""Loss curves of translated training against real Keras, from the same weights and data."""

from __future__ import annotations

import os
import re
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")
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
    compile_model = keras.Model.compile

    def noting(self: Any, *args: Any, **kwargs: Any) -> None:
        taken.extend(self.get_weights())
        compile_model(self, *args, **kwargs)

    names = dict(scope)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.Model, "compile", noting)
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


OPTIMIZERS = [
    "'sgd'", "keras.optimizers.SGD(0.05, momentum=0.9)", "keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True)",
    "keras.optimizers.SGD(0.05, clipnorm=0.1)", "keras.optimizers.SGD(0.05, clipvalue=0.01)",
    "keras.optimizers.SGD(0.05, global_clipnorm=0.1)", "'adam'", "keras.optimizers.Adam(0.01, beta_1=0.5)",
    "keras.optimizers.Adam(0.01, amsgrad=True)", "keras.optimizers.Adam(0.01, epsilon=0.1)",
    "keras.optimizers.AdamW(0.01, weight_decay=0.1)", "'rmsprop'", "keras.optimizers.RMSprop(0.01, rho=0.8)",
    "keras.optimizers.RMSprop(0.01, momentum=0.5, centered=True)", "keras.optimizers.Adagrad(0.1)",
    "keras.optimizers.Adadelta(1.0)", "keras.optimizers.Adamax(0.02)", "keras.optimizers.Nadam(0.02)",
    "keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5), momentum=0.9)",
    "keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.02, 20, alpha=0.1))",
    "keras.optimizers.SGD(keras.optimizers.schedules.InverseTimeDecay(0.1, 5, 0.5, staircase=True))",
    "keras.optimizers.SGD(keras.optimizers.schedules.PolynomialDecay(0.1, 15, 0.01, power=2.0))",
]  # fmt: skip
TASKS = {
    "mse": (2, None, "real", "'mse'"),
    "binary": (1, "sigmoid", "binary", "'binary_crossentropy'"),
    "categorical": (4, "softmax", "one_hot", "'categorical_crossentropy'"),
    "sparse": (4, "softmax", "index", "'sparse_categorical_crossentropy'"),
}
FIT = """
history = model.fit(x, y, epochs=6, batch_size=16, shuffle=False, validation_split=0.2, verbose=0).history
score = model.evaluate(x, y, verbose=0)
predicted = model.predict(x, verbose=0)
"""


def program(units: int, activation: str | None, compile_args: str, fit: str = FIT, layer: str = "") -> str:
    model = MODEL.format(units=units, activation=activation, layer=layer)
    return f"{HEAD}{model}model.compile({compile_args})\n{fit}"


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_optimizer(optimizer: str) -> None:
    units, activation, targets, loss = TASKS["categorical"]
    args = f"optimizer={optimizer}, loss={loss}, metrics=['accuracy']"
    compare(program(units, activation, args), data(units, targets))


@pytest.mark.parametrize("optimizer", ["'sgd'", "'adam'", "'rmsprop'"])
@pytest.mark.parametrize("task", TASKS)
def test_task(task: str, optimizer: str) -> None:
    units, activation, targets, loss = TASKS[task]
    compare(program(units, activation, f"optimizer={optimizer}, loss={loss}, metrics=['acc']"), data(units, targets))


LOSSES = [
    (2, None, "real", "'mae'"), (1, None, "flat", "'mse'"), (2, None, "positive", "'mape'"),
    (2, "softplus", "positive", "'msle'"), (2, None, "real", "keras.losses.Huber(delta=0.5)"),
    (2, None, "real", "keras.losses.LogCosh()"),
    (2, "tanh", "sign", "'hinge'"), (2, "tanh", "multi", "'squared_hinge'"),
    (3, "tanh", "one_hot", "'categorical_hinge'"), (3, "softmax", "proba", "'kl_divergence'"),
    (2, "softplus", "positive", "'poisson'"), (3, None, "real", "keras.losses.CosineSimilarity()"),
    (3, "sigmoid", "multi", "'binary_crossentropy'"),
    (1, None, "binary", "keras.losses.BinaryCrossentropy(from_logits=True)"),
    (1, "sigmoid", "binary", "keras.losses.BinaryCrossentropy(label_smoothing=0.1)"),
    (4, "softmax", "one_hot", "keras.losses.CategoricalCrossentropy(label_smoothing=0.1)"),
    (4, None, "column", "keras.losses.SparseCategoricalCrossentropy(from_logits=True)"),
    (4, "softmax", "column", "keras.losses.SparseCategoricalCrossentropy()"),
    (4, "sigmoid", "one_hot", "'categorical_crossentropy'"), (4, "softmax", "one_hot", "'binary_crossentropy'"),
    (4, "sigmoid", "index", "'sparse_categorical_crossentropy'"),
]  # fmt: skip


@pytest.mark.parametrize(("units", "activation", "targets", "loss"), LOSSES)
def test_loss(units: int, activation: str | None, targets: str, loss: str) -> None:
    compare(
        program(
            units,
            activation,
            f"optimizer='adam', loss={loss}, metrics=['mse']"
            if targets not in ("index", "column")
            else f"optimizer='adam', loss={loss}, metrics=['accuracy']",
        ),
        data(units, targets),
    )


TAIL = "shuffle=False, verbose=0).history"
BATCHES = """
history = {}
steps = [model.train_on_batch(x[i:i + 20], y[i:i + 20]) for i in range(0, 60, 20)]
score = model.evaluate(x, y, verbose=0)
steps += [model.train_on_batch(x[i:i + 20], y[i:i + 20]) for i in range(0, 60, 20)]
steps.append(model.test_on_batch(x, y))
steps.append(model.train_on_batch(x, y, class_weight={0: 0.5, 1: 3.0}))
"""
FITS = {
    "class_weight": f"history = model.fit(x, y, batch_size=16, epochs=3, class_weight={{0: 0.5, 1: 2.0}},"
    f" validation_split=0.25, {TAIL}",
    "sample_weight": f"history = model.fit(x, y, sample_weight=np.linspace(0, 2, 70), epochs=3, validation_split=0.2,"
    f" {TAIL}",
    "validation_weight": "history = model.fit(x[:50], y[:50], epochs=3,"
    f" validation_data=(x[50:], y[50:], np.linspace(0, 3, 20)), {TAIL}",
    "initial_epoch": f"history = model.fit(x, y, epochs=5, initial_epoch=2, {TAIL}",
    "batches": BATCHES,
}


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("task", ["binary", "sparse"])
def test_fit_options(fit: str, task: str) -> None:
    units, activation, targets, loss = TASKS[task]
    args = f"optimizer='adam', loss={loss}, metrics=['accuracy']"
    compare(program(units, activation, args, FITS[fit] + "\n"), data(units, targets))


def test_regularised_loss_is_reported() -> None:
    layer = ", kernel_regularizer=keras.regularizers.l2(0.01)"
    found = compare(program(2, None, "optimizer='sgd', loss='mse'", layer=layer), data(2, "real"))
    assert found["score"] > 0


def test_own_loss_and_metric() -> None:
    source = HEAD + (
        "def own(y_true, y_pred):\n    return abs(y_true - y_pred) ** 1.5\n"
        "def worst(y_true, y_pred):\n    return abs(y_true - y_pred)\n"
    )
    rest = program(2, None, "optimizer='adam', loss=own, metrics=[worst]").replace(HEAD, "")
    compare(source + rest, data(2, "real"))


def test_several_outputs() -> None:
    source = (
        HEAD
        + """
a = keras.Input((5,), name="a")
b = keras.Input((5,), name="b")
h = layers.Dense(6, activation="tanh")(layers.concatenate([a, b]))
first = layers.Dense(1, name="first")(h)
second = layers.Dense(3, activation="softmax", name="second")(h)
model = keras.Model([a, b], [first, second])
model.compile(optimizer="adam", loss={"first": "mse", "second": "sparse_categorical_crossentropy"},
              loss_weights={"first": 0.5, "second": 2.0}, metrics={"first": ["mae"], "second": ["accuracy"]})
history = model.fit({"a": x, "b": x}, {"first": y, "second": z}, epochs=3, shuffle=False, verbose=0,
                    validation_split=0.2).history
score = model.evaluate([x, x], [y, z], verbose=0)
"""
    )
    scope = data(1, "flat")
    scope["z"] = np.arange(70) % 3
    compare(source, scope)


def test_outputs_in_a_dict() -> None:
    source = (
        HEAD
        + """
a = keras.Input((5,), name="a")
h = layers.Dense(6, activation="tanh")(a)
model = keras.Model(a, {"second": layers.Dense(3, activation="softmax")(h), "first": layers.Dense(1)(h)})
model.compile(optimizer="adam", loss={"first": "mse", "second": "categorical_crossentropy"},
              loss_weights={"first": 0.5, "second": 2.0})
history = model.fit(x, {"first": y, "second": z}, epochs=3, shuffle=False, verbose=0).history
answers = model.predict(x, verbose=0)
predicted = np.concatenate([answers["first"], answers["second"]], axis=1)
"""
    )
    scope = data(1, "flat")
    scope["z"] = np.eye(3)[np.arange(70) % 3]
    compare(source, scope)
