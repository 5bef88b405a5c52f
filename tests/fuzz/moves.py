# ruff: noqa: E501 - one form of code on one line
"""Several lines at once, as people write them: what random single calls would seldom give."""

from __future__ import annotations

from tests.fuzz import catalogue
from tests.fuzz.drawing import Drawing


def states(d: Drawing) -> None:
    """A recurrent layer's states, handed to another one."""
    rng, units, kind = d.rng, d.rng.randint(1, 4), d.rng.choice(["LSTM", "GRU", "SimpleRNN"])
    sequences = [t for t in d.tensors if len(d.shape(t)) == 2]
    if not sequences:
        return
    x, y, first, second = rng.choice(sequences), d.name(), d.name("state"), d.name("state")
    names = (y, first, second) if kind == "LSTM" else (y, first)
    more = catalogue.maybe(rng, "return_sequences=True")
    if not d.add(f"{', '.join(names)} = layers.{kind}({units}, return_state=True{more})({x})", *names, of=(x,)):
        return
    given = f"[{first}, {second}]" if kind == "LSTM" else rng.choice([first, f"[{first}]"])
    source, made = rng.choice(sequences), d.name()
    more = catalogue.maybe(rng, "return_sequences=True")
    d.add(f"{made} = layers.{kind}({units}{more})({source}, initial_state={given})", made, of=(source, *names[1:]))


def gate(d: Drawing) -> None:
    """Squeeze and excite."""
    images = [t for t in d.tensors if len(d.shape(t)) == 3]
    if not images:
        return
    rng, x = d.rng, d.rng.choice(images)
    channels = d.shape(x)[-1]
    s, made = d.name("s"), d.name()
    steps = (
        f"{s} = layers.GlobalAveragePooling2D()({x})\n{s} = layers.Reshape((1, 1, {channels}))({s})",
        f"{s} = layers.GlobalAveragePooling2D(keepdims=True)({x})",
        f"{s} = layers.GlobalMaxPooling2D()({x})",
        f"{s} = ops.mean({x}, axis=[1, 2], keepdims=True)",
        f"{s} = ops.max({x}, axis=-1, keepdims=True)",
        f"{s} = ops.expand_dims(ops.expand_dims(ops.mean({x}, axis=(1, 2)), 1), 1)",
    )
    inner = f'layers.Dense({channels}, activation="sigmoid")({s})'
    if rng.random() < 0.3:
        inner = f'layers.Conv2D({channels}, 1, activation="sigmoid")({s})'
    product = rng.choice(
        [f"layers.Multiply()([{x}, {s}])", f"layers.multiply([{s}, {x}])", f"{x} * {s}", f"{s} * {x} + {x}"]
    )
    d.add(f"{rng.choice(steps)}\n{s} = {inner}\n{made} = {product}", made, of=(x,))


def features(d: Drawing) -> None:
    """Flattened, worked on, and used by a layer that cares for the order of the features."""
    many = [t for t in d.tensors if len(d.shape(t)) > 1]
    if not many:
        return
    rng, x, f, made = d.rng, d.rng.choice(many), d.name("f"), d.name()
    lines = [f"{f} = layers.Flatten()({x})"]
    for _ in range(rng.randint(0, 3)):
        other = rng.choice(d.tensors)
        lines.append(f"{f} = " + rng.choice([
            f"layers.BatchNormalization()({f})", f"layers.LayerNormalization()({f})", f"layers.Dropout(0.5)({f})", f"ops.relu({f})",
            f'layers.Activation("{rng.choice(catalogue.ACTIVATIONS)}")({f})', f"layers.PReLU()({f})", f"{f} * 2 - 1",
            f"layers.Concatenate()([{f}, layers.Flatten()({other})])", f"layers.concatenate([layers.Flatten()({other}), {f}])",
            f"layers.Add()([{f}, layers.Dense({f}.shape[-1])({f})])", f"layers.Multiply()([{f}, ops.tanh({f})])",
            f"layers.Concatenate()([{f}, layers.Dense(3)({f})])", f"layers.Add()([{f}, {f}])", f"layers.RMSNormalization()({f})",
            f"layers.Softmax()({f})", f"layers.Lambda(lambda t: t[:, 1:])({f})", f"{f}[:, ::2]",
            f"layers.Average()([{f}, layers.Reshape(({f}.shape[-1],))({x})])",
        ]))  # fmt: skip
    last = rng.choice(["layers.Dense({n})({f})", "layers.Dense({n})({f})", "layers.Reshape((-1, 1))({f})", "layers.RepeatVector(2)({f})",
                       "layers.Reshape({shape})({f})", "{f}", "ops.sum({f}, axis=-1, keepdims=True)", "layers.Dense({n})({f}) + 0 * {f}[:, :1]"])  # fmt: skip
    lines.append(f"{made} = " + last.format(n=rng.randint(1, 6), f=f, shape=d.shape(x)))
    d.add("\n".join(lines), made, of=(x,))


def stack(d: Drawing) -> None:
    """A Sequential filled in a loop, then called as a layer."""
    rng, x, name, made = d.rng, d.pick(), d.name("stack"), d.name()
    shape = d.shape(x)
    lines = (
        [f"{name} = keras.Sequential()", f"{name}.add(keras.Input({shape!r}))"]
        if rng.random() < 0.5
        else [f"{name} = keras.Sequential()"]
    )
    lines.append(f"for at in range({rng.randint(1, 3)}):\n    {name}.add({catalogue.keeping(rng, shape)})")
    if rng.random() < 0.5:
        lines[-1] += f"\n    if at % 2:\n        {name}.add({catalogue.keeping(rng, shape)})"
    lines.append(f"{name}.add({catalogue.layer(rng, shape)})")
    lines.append(f"{made} = {name}({x})")
    if d.add("\n".join(lines), made, of=(x,)) and rng.random() < 0.4:
        again = d.name()
        d.add(f"{again} = {name}({catalogue.keeping(rng, shape)}({x}))", again, of=(x,))


def skips(d: Drawing) -> None:
    """An encoder and a decoder with a list of skips."""
    images = [t for t in d.tensors if len(d.shape(t)) == 3]
    if not images:
        return
    rng, x, y, kept = d.rng, d.rng.choice(images), d.name(), d.name("skips")
    text = f"""{y} = {x}
{kept} = []
for filters in ({rng.randint(1, 4)}, {rng.randint(1, 4)}):
    {y} = layers.Conv2D(filters, 3, padding="same"{catalogue.activation(rng)})({y})
    {kept}.append({y})
    {y} = layers.MaxPooling2D(2, padding="same")({y})
for skip in reversed({kept}):
    {y} = layers.{rng.choice(["UpSampling2D(2)", "Conv2DTranspose(2, 2, strides=2)"])}({y})
    {y} = ops.concatenate([{y}[:, :skip.shape[1], :skip.shape[2]], skip], axis=-1)
    {y} = {catalogue.batch_norm(rng, (1, 1, 1))}({y})"""
    d.add(text, y, of=(x,))


def encoder(d: Drawing) -> None:
    """A functional model with several outputs, or inputs, called on tensors."""
    rng, x, name = d.rng, d.pick(), d.name("net")
    shape = d.shape(x)
    first, second = d.name(), d.name()
    body = f"a = keras.Input({shape!r})\n    b = {catalogue.keeping(rng, shape)}(a)\n    "
    if rng.random() < 0.5:
        text = body + f"return keras.Model(a, [{catalogue.layer(rng, shape)}(b), {catalogue.layer(rng, shape)}(b)])"
        d.add(
            f"def make_{name}():\n    {text}\n{name} = make_{name}()\n{first}, {second} = {name}({x})",
            first,
            second,
            of=(x,),
        )
        return
    alike = [t for t in d.tensors if d.shape(t) == shape]
    text = (
        body
        + f"c = keras.Input({shape!r})\n    return keras.Model([a, c], {catalogue.layer(rng, shape)}(layers.Add()([b, c])))"
    )
    other = rng.choice(alike)
    d.add(
        f"def make_{name}():\n    {text}\n{name} = make_{name}()\n{first} = {name}([{x}, {other}])",
        first,
        of=(x, other),
    )
