"""Comments of the source: each stands once in the output, with what took the place of its code."""

from __future__ import annotations

import io
import tokenize
from collections import Counter

import pytest

from tests.fixtures import harness
from tests.fixtures.harness import Fixture
from transpiler import transpile


def comments(code: str) -> Counter[str]:
    tokens = tokenize.generate_tokens(io.StringIO(code).readline)
    texts = (token.string.lstrip("#! ").rstrip() for token in tokens if token.type == tokenize.COMMENT)
    return Counter(text for text in texts if text.strip("-"))


@pytest.mark.parametrize("fixture", harness.fixtures(), ids=lambda f: f.name)
def test_no_comment_of_a_fixture_is_lost_or_doubled(fixture: Fixture) -> None:
    before, after = comments(fixture.source.read_text()), comments(harness.translate(fixture).code)
    assert {text: after[text] for text in before} == before


def after(source: str, comment: str) -> str:
    """The line of code below a comment in the output; the comment must be there once, as those of the source are."""
    code = transpile(source, "program.py").code
    found = comments(code)
    assert {text: found[text] for text in comments(source)} == comments(source), code
    lines = [line.strip() for line in code.splitlines()]
    at = next(i for i, line in enumerate(lines) if line.endswith(f"# {comment}"))
    if lines[at] != f"# {comment}":
        return lines[at]
    return next(line for line in lines[at + 1 :] if line and not line.startswith("#"))


HEAD = "from keras import Input, Model, Sequential, layers\n"


def test_inside_a_list_of_layers() -> None:
    source = f"""{HEAD}
model = Sequential([
    layers.Input((8,)),
    # the wide one
    layers.Dense(64, activation="relu"),
    layers.Dense(3),  # one a class
])
"""
    assert after(source, "the wide one") == "nn.Linear(8, 64),"
    assert after(source, "one a class") == "nn.Linear(64, 3),"


def test_above_a_step_without_a_module() -> None:
    source = f"""{HEAD}
model = Sequential()
model.add(layers.Input((5, 8)))
model.add(layers.LSTM(6))
# the same at every step
model.add(layers.RepeatVector(4))
model.add(layers.LSTM(3))
"""
    assert after(source, "the same at every step").startswith("x = h_n[-1].unsqueeze(1)")


def test_above_a_condition_and_behind_a_loop() -> None:
    source = f"""{HEAD}
def build(depth=2, narrow=True):
    model = Sequential()
    model.add(layers.Input((8,)))
    for _ in range(depth):  # as many as you like
        model.add(layers.Dense(16))
    # a bottleneck
    if narrow:
        model.add(layers.Dense(2))
    else:
        # never seen
        model.add(layers.Dense(99))
    return model


model = build()
"""
    code = transpile(source, "program.py").code
    assert "never seen" not in code
    source = source.replace("        # never seen\n", "")
    assert after(source, "as many as you like") == "nn.Linear(8, 16),"
    assert after(source, "a bottleneck") == "nn.Linear(16, 2),"


def test_behind_an_input() -> None:
    source = f"""{HEAD}
left = Input((4,))  # what was
right = Input((4,))  # what is
model = Model([left, right], layers.Dense(1)(layers.add([left, right])))
"""
    assert after(source, "what was") == "left: Tensor,  # what was"
    assert after(source, "what is") == "right: Tensor,  # what is"


def test_among_arguments_of_a_call_that_is_rewritten() -> None:
    source = f"""{HEAD}
import numpy as np

model = Sequential([layers.Input((4,)), layers.Dense(1)])
model.compile("sgd", "mse")  # the simplest
model.fit(
    np.zeros((8, 4)),
    np.zeros((8, 1)),  # nothing to learn
    epochs=2,
    validation_split=0.25,
    batch_size=2,
)
"""
    assert after(source, "the simplest") == "criterion = nn.MSELoss()"
    assert after(source, "nothing to learn") == "fit("


def test_two_models_of_one_builder_share_the_class_with_its_comments() -> None:
    source = f"""{HEAD}
def build():
    inputs = Input((4,))
    # the only layer
    return Model(inputs, layers.Dense(2)(inputs))


first = build()
second = build()
"""
    assert after(source, "the only layer") == "return self.fc(inputs)"
    assert transpile(source, "program.py").code.count("(nn.Module)") == 1


def test_two_models_on_the_same_layers() -> None:
    source = f"""{HEAD}
inputs = Input((4,))
# small
code = layers.Dense(2)(inputs)
# large again
outputs = layers.Dense(4)(code)

encoder = Model(inputs, code)
autoencoder = Model(inputs, outputs)
"""
    assert "encoder" in transpile(source, "program.py").code
    assert after(source, "small") == "return self.code(inputs)"
    assert after(source, "large again") == "return self.fc(code)"


def test_in_a_loss_function() -> None:
    source = f"""{HEAD}
from keras import ops


def loss(y_true, y_pred):
    # how far off
    error = y_true - y_pred
    return ops.mean(ops.square(error))


model = Sequential([layers.Input((4,)), layers.Dense(1)])
model.compile("sgd", loss)
"""
    assert after(source, "how far off") == "error = y_true - y_pred"


def test_at_the_end_of_the_file_and_of_a_function() -> None:
    source = f"""{HEAD}
def build():
    model = Sequential([layers.Input((4,)), layers.Dense(1)])
    return model
    # no more


model = build()
# the end
"""
    assert after(source, "no more")
    assert transpile(source, "program.py").code.endswith("# the end\n")


def test_behind_statements_that_make_nothing() -> None:
    source = f"""{HEAD}
def build():
    inputs = Input((4,))
    kept = inputs  # set aside
    x = layers.Dense(4, activation="relu")(inputs)
    x = layers.add([x, kept])
    kept = x  # for nothing
    # the model
    model = Model(inputs, x)
    return model


model = build()
"""
    assert after(source, "set aside").startswith("x = F.relu(")
    assert after(source, "for nothing").startswith("return ")
    assert after(source, "the model") == "class Program(nn.Module):"


def test_what_waits_stands_above_a_compound_statement() -> None:
    source = f"""{HEAD}
import os


def train(flag):
    inputs = Input((4,))
    # wherever it ends

    if flag:
        print(os.name)
    model = Model(inputs, layers.Dense(1)(inputs))
    return model, flag


train(True)
"""
    assert after(source, "wherever it ends") == "if flag:"
