"""Generated ``forward`` methods compute what the graph says, however names are reused."""

from __future__ import annotations

import ast
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.emit.graphs import Builder, interpret, load, render, source_file
from transpiler import transpile
from transpiler.graph.torch import TorchModel, Value

torch = pytest.importorskip("torch")
HINTS = [*[None] * 3, "x", "x", "y", "inputs", "conv1", "skip", "residual", "input", "torch", "self", "h", "lambda"]


def random_model(seed: int) -> TorchModel:
    """A random graph over (N, 4) tensors: modules, shared modules, operators, several results, dead steps."""
    rng = random.Random(seed)
    b = Builder()
    values: list[Value] = [b.input(4, hint=rng.choice(HINTS)) for _ in range(rng.randint(1, 3))]
    modules = [b.linear(4, 4) for _ in range(3)]
    for _ in range(rng.randint(1, 14)):
        x, y = rng.choice(values[-4:]), rng.choice(values)
        hint = rng.choice(HINTS)
        kind = rng.randrange(9)
        if kind == 0:
            values.append(b.call(rng.choice(modules), x, hint=hint))
        elif kind in (1, 2):
            values.append(b.call(b.linear(4, 4), x, hint=hint))
        elif kind == 3:
            values.append(b.relu(x, hint))
        elif kind == 4:
            operator = rng.choice(("{0} + {1}", "{0} - {1}", "{0} * {1}"))
            values.append(b.op(operator, x, y, hint=hint, operator=True))
        elif kind == 5:
            values.append(b.op("torch.tanh({0})", x, hint=hint, module_form="nn.Tanh()"))
        elif kind == 6:
            values.append(b.op("{0}.transpose(0, 1).transpose(0, 1)", x, hint=hint))
        elif kind == 7:
            values.append(b.op("{0}", x, hint=hint))
        else:
            values.append(b.op("torch.cat([{0}, {1}], dim=1)[:, ::2]", x, y, hint=hint))
    picked = [rng.choice(values) for _ in range(rng.randint(1, 3))]
    outputs = {f"out{i}": v for i, v in enumerate(picked)} if rng.random() < 0.2 else picked
    return b.build(picked[0] if len(picked) == 1 else outputs)


@settings(max_examples=120, deadline=None)
@given(st.integers(0, 10**9))
def test_rebinding_names_never_changes_results(seed: int) -> None:
    tm = random_model(seed)
    rendered = render(tm)
    with torch.inference_mode():
        instance = load(rendered).Net()
        inputs = [torch.randn(4, 4) for _ in tm.inputs]
        made = instance(*inputs)
        values = interpret(tm, instance, rendered.paths, inputs)
    wanted = tm.outputs if not isinstance(tm.outputs, (list, dict)) else list(
        tm.outputs.values() if isinstance(tm.outputs, dict) else tm.outputs
    )  # fmt: skip
    given_values = list(made.values()) if isinstance(made, dict) else list(made) if isinstance(made, tuple) else [made]
    expected = [values[id(v)] for v in (wanted if isinstance(wanted, list) else [wanted])]
    for left, right in zip(given_values, expected, strict=True):
        torch.testing.assert_close(left, right)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**9))
def test_output_is_valid_and_uses_every_module(seed: int) -> None:
    rendered = render(random_model(seed))
    ast.parse(source_file(rendered))
    body = rendered.code.partition("def forward")[2]
    for path in rendered.paths.values():
        assert f"self.{path.split('.')[0]}(" in body


def body_of(tm: TorchModel) -> list[str]:
    code = render(tm).code.partition("def forward")[2]
    return [line.strip() for line in code.splitlines()[1:] if line.strip()]


def test_residual_keeps_its_own_name() -> None:
    b = Builder()
    x = b.input(4, hint="inputs")
    first = b.call(b.linear(4, 4), x, hint="x")
    second = b.relu(b.call(b.linear(4, 4), first, hint="x"), "x")
    third = b.call(b.module("nn.Dropout", 0.5, role="dropout", weights=False), second, hint="x")
    out = b.op("{0} + {1}", third, first, operator=True, hint="x")
    assert body_of(b.build(out)) == [
        "residual = self.fc1(inputs)",
        "x = F.relu(self.fc2(residual))",
        "return self.dropout(x) + residual",
    ]


def test_lstm_result_is_unpacked() -> None:
    b = Builder()
    x = b.input(7, 4, hint="tokens")
    lstm = b.module("nn.LSTM", 4, 8, batch_first=True, role="lstm")
    _, h, _ = b.call(lstm, x, outputs=3, unpack="{0}, ({1}, {2})")
    last = b.op("{0}[-1]", h)
    tm = b.build(b.call(b.linear(8, 1), last))
    assert body_of(tm) == ["_, (h_n, _) = self.lstm(tokens)", "return self.fc(h_n[-1])"]


def test_call_arguments_are_used() -> None:
    b = Builder()
    x = b.input(7, 4)
    attention = b.module("nn.MultiheadAttention", 4, 2, batch_first=True, role="attn")
    out, _ = b.call(attention, x, outputs=2, arguments="{0}, {0}, {0}, need_weights=False", unpack="{0}, {1}")
    assert body_of(b.build(b.op("{0} + {1}", out, x, operator=True))) == [
        "x, _ = self.attn(inputs, inputs, inputs, need_weights=False)",
        "return x + inputs",
    ]


def test_several_outputs() -> None:
    b = Builder()
    x = b.input(4, hint="x")
    mean = b.call(b.linear(4, 2), x, hint="z_mean")
    scale = b.call(b.linear(4, 2), x, hint="z_log_var")
    rendered = render(b.build([mean, scale]))
    assert "def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:" in rendered.code
    assert "return z_mean, z_log_var" in rendered.code
    assert list(rendered.paths.values()) == ["z_mean", "z_log_var"]


def test_brackets_stand_where_they_are_needed() -> None:
    b = Builder()
    x, y = b.input(4, hint="a"), b.input(4, hint="b")
    total = b.op("{0} + {1}", x, y, operator=True)
    half = b.op("{0} * 0.5", total, operator=True)
    tm = b.build(b.relu(half))
    with torch.inference_mode():
        one, two = torch.randn(2, 4), torch.randn(2, 4)
        assert torch.equal(load(render(tm)).Net()(one, two), torch.relu((one + two) * 0.5))


RESIDUAL = """
from keras import Input, Model, layers

inputs = Input((8, 8, 4))
x = layers.Conv2D(4, 3, padding="same")(inputs)
residual = x
x = layers.Conv2D(6, 3, padding="same", activation="relu")(x)
x = layers.Conv2D(6, 3, padding="same", activation="relu")(x)
residual = layers.Conv2D(6, 1)(residual)
x = layers.add([x, residual])
model = Model(inputs, layers.Flatten()(x))
"""


def test_a_shortcut_is_computed_before_the_block_that_it_goes_round() -> None:
    lines = [line.strip() for line in transpile(RESIDUAL, "r.py").code.splitlines()]
    start = next(at for at, line in enumerate(lines) if line.startswith("residual = "))
    assert lines[start : start + 2] == ["residual = self.residual(x)", "x = self.block(x)"]


def test_a_module_that_is_called_twice_keeps_the_order_of_its_calls() -> None:
    shared = RESIDUAL.replace("residual = layers.Conv2D(6, 1)(residual)", "residual = shared(residual)")
    shared = shared.replace('x = layers.Conv2D(6, 3, padding="same", activation="relu")(x)\nx', "x = shared(x)\nx", 1)
    shared = shared.replace("inputs =", "shared = layers.Conv2D(6, 1)\ninputs =")
    lines = [line.strip() for line in transpile(shared, "r.py").code.splitlines() if "self.shared(" in line]
    assert len(lines) == 2
    assert not lines[0].startswith("residual")
