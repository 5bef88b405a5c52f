"""Loss curves of translated training against real Keras, from the same weights and data."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("keras")
pytest.importorskip("torch")

from tests.training.curves import HEAD, compare, data, program
from transpiler import transpile

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


@pytest.mark.parametrize(
    ("metric", "refused"),
    [
        ("keras.metrics.CosineSimilarity(axis=1)", True), ("keras.metrics.CosineSimilarity(axis=2)", False),
        ("keras.metrics.CategoricalCrossentropy(axis=1)", True),
        ("keras.metrics.SparseTopKCategoricalAccuracy(from_sorted_ids=True)", True),
    ],
)  # fmt: skip
def test_metrics_over_other_axes_are_refused(metric: str, refused: bool) -> None:
    source = (
        "import keras\nimport numpy as np\n"
        "model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(12), keras.layers.Reshape((3, 4))])\n"
        f"model.compile('sgd', 'mse', metrics=[{metric}])\nmodel.fit(np.zeros((8, 3)), np.zeros((8, 3, 4)))\n"
    )
    assert bool([d for d in transpile(source).diagnostics if d.code == "KT301"]) is refused
