# ruff: noqa: E501 - one form of code on one line
"""Random Keras programs: several inputs, moves drawn one after another, one model."""

from __future__ import annotations

from typing import Any

from tests.fuzz import catalogue, moves
from tests.fuzz.drawing import HEAD, Drawing


def draw_input(d: Drawing) -> None:
    rng, name = d.rng, d.name("inp")
    kind = rng.choice(["image", "image", "sequence", "vector", "tokens", "volume"])
    size = rng.randint
    if kind == "tokens":
        d.add(f'{name} = keras.Input(({size(3, 6)},), dtype="int32")')
        masked = catalogue.maybe(rng, "mask_zero=True", 0.6)
        made = d.name()
        d.add(f"{made} = layers.Embedding(10, {size(1, 5)}{masked})({name})", made)
    else:
        shapes = {
            "image": (size(3, 9), size(3, 9), size(1, 4)),
            "sequence": (size(3, 8), size(1, 5)),
            "vector": (size(1, 8),),
            "volume": (size(3, 5), size(3, 5), size(3, 5), size(1, 3)),
        }
        shape: tuple[int | None, ...] = shapes[kind]
        if rng.random() < 0.12:
            shape = (*(None for _ in shape[:-1]), shape[-1])
        d.add(f"{name} = keras.Input({shape!r})", name)
    d.inputs.append(name)


def unary(d: Drawing) -> None:
    x, made = d.pick(), d.name()
    d.add(f"{made} = {catalogue.layer(d.rng, d.shape(x))}({x})", made, of=(x,))


def operator(d: Drawing) -> None:
    """Ops and operators called on the tensor itself."""
    x, made = d.pick(), d.name()
    axis = d.rng.randint(1, len(d.shape(x)))
    forms = (
        "{x} * 2", "1 - {x}", "ops.relu({x})", "ops.tanh({x}) + 1", f"ops.mean({{x}}, axis={axis})", f"ops.max({{x}}, axis={axis})",
        f"ops.expand_dims({{x}}, {axis})", f"ops.transpose({{x}}, {_transposition(d, x)})", "ops.flip({x}, axis=1)",
        f"ops.concatenate([{{x}}, {{x}} * 2], axis={axis})", f"ops.stack([{{x}}, -{{x}}], axis={axis})", "{x}[:, 1:]", "{x}[..., -1]",
        "{x}[..., 1:]", "{x}[:, 0]", "ops.reshape({x}, (-1, {size}))", "ops.reshape({x}, (-1, {x}.shape[-1], {rest}))",
        "ops.sum({x}, axis=-1, keepdims=True) * {x}", "ops.moveaxis({x}, -1, 1)", f"ops.squeeze(ops.mean({{x}}, axis={axis}, keepdims=True), {axis})",
        "{x}[:, ::2]", "ops.swapaxes({x}, 1, -1)", f"ops.split({{x}}, 2, axis={axis})[1]", f"ops.take({{x}}, 0, axis={axis})",
    )  # fmt: skip
    size = 1
    for n in d.shape(x):
        size *= n
    text = d.rng.choice(forms).format(x=x, size=size, rest=size // d.shape(x)[-1])
    d.add(f"{made} = {text}", made, of=(x,))


def _transposition(d: Drawing, x: str) -> tuple[int, ...]:
    order = list(range(1, len(d.shape(x)) + 1))
    d.rng.shuffle(order)
    return (0, *order)


def merge(d: Drawing) -> None:
    rng, x, made = d.rng, d.pick(), d.name()
    others = [t for t in d.tensors if t != x and len(d.shape(t)) == len(d.shape(x))]
    equal = [t for t in others if d.shape(t) == d.shape(x)]
    if not equal:
        other = d.name()
        if not d.add(f"{other} = {catalogue.keeping(rng, d.shape(x))}({x})", other, of=(x,)):
            return
        equal = [other]
    other = rng.choice(equal)
    axis = rng.choice([-1, 1, len(d.shape(x))])
    forms = [
        f"layers.{kind}()([{x}, {other}])" for kind in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")
    ]
    forms += [f"layers.Concatenate(axis={axis})([{x}, {other}])"] * 4 + [
        f"{x} + {other}",
        f"{x} * {other}",
        f"{x} - {other}",
    ]
    forms += [
        f"layers.add([{x}, {other}, {x}])",
        f"layers.concatenate([{other}, {x}, {x}])",
        f"ops.maximum({x}, {other})",
    ]
    if len(d.shape(x)) == 2:
        forms += [f"layers.MultiHeadAttention({rng.randint(1, 3)}, {rng.randint(1, 4)})({x}, {other})"] * 3
        forms += [f"layers.Attention()([{x}, {other}])", f"layers.Dot(axes={rng.choice([1, 2])})([{x}, {other}])"] * 2
        forms += [f"layers.AdditiveAttention()([{x}, {other}])"]
    if len(d.shape(x)) == 1:
        forms += [f"layers.Dot(axes=1{catalogue.maybe(rng, 'normalize=True')})([{x}, {other}])"]
    if others and rng.random() < 0.3:  # may or may not fit: Keras says
        wild = rng.choice(others)
        forms = [
            f"layers.Multiply()([{x}, {wild}])",
            f"{wild} + {x}",
            f"layers.Concatenate(axis={axis})([{wild}, {x}])",
        ]
        other = wild
    d.add(f"{made} = {rng.choice(forms)}", made, of=(x, other))


def shared(d: Drawing) -> None:
    """One layer, called twice."""
    x, name = d.pick(), d.name("shared")
    if not d.add(f"{name} = {catalogue.layer(d.rng, d.shape(x))}"):
        return
    other = d.rng.choice([t for t in d.tensors if len(d.shape(t)) == len(d.shape(x))])
    first, second = d.name(), d.name()
    if d.add(f"{first} = {name}({x})", first, of=(x,)):
        again = first if d.rng.random() < 0.3 else other
        d.add(f"{second} = {name}({again})", second, of=(again,))
    else:
        d.lines.pop()


def nested(d: Drawing) -> None:
    """A model in the model, called once or twice."""
    rng, x, name = d.rng, d.pick(), d.name("inner")
    shape = d.shape(x)
    if rng.random() < 0.5:
        chain = [catalogue.keeping(rng, shape) for _ in range(rng.randint(1, 3))] + [catalogue.layer(rng, shape)]
        ok = d.add(f"{name} = keras.Sequential([keras.Input({shape!r}), {', '.join(chain)}])")
    else:
        first, second = catalogue.keeping(rng, shape), catalogue.keeping(rng, shape)
        last = catalogue.layer(rng, shape)
        body = f"    a = keras.Input({shape!r})\n    b = {first}(a)\n    c = layers.Add()([b, {second}(a)])\n"
        ok = d.add(f"def make_{name}():\n{body}    return keras.Model(a, {last}(c))\n{name} = make_{name}()")
    if not ok:
        return
    made = d.name()
    if not d.add(f"{made} = {name}({x})", made, of=(x,)):
        d.lines.pop()
        return
    alike = [t for t in d.tensors if d.shape(t) == shape and t != x]
    if alike and rng.random() < 0.6:
        again, other = d.name(), rng.choice(alike)
        d.add(f"{again} = {name}({other})", again, of=(other,))


def helper(d: Drawing) -> None:
    """A function that builds a block, called in a loop or from several places."""
    rng, x, name = d.rng, d.pick(), d.name("block")
    shape = d.shape(x)
    body = [f"    y = {catalogue.keeping(rng, shape)}({'x' if at == 0 else 'y'})" for at in range(rng.randint(1, 3))]
    if rng.random() < 0.5:
        body.append(f"    y = layers.{rng.choice(['Add', 'Multiply', 'Average'])}()([x, y])")
    if len(shape) in (2, 3) and rng.random() < 0.6:
        body.insert(0, f"    x = layers.Conv{len(shape) - 1}D({shape[-1]}, size, padding='same')(x)")
    else:
        body.insert(0, f"    x = layers.Dense({shape[-1]}, use_bias=size > 1)(x)")
    if not d.add(f"def {name}(x, size=3):\n" + "\n".join(body) + "\n    return y"):
        return
    made = d.name()
    if rng.random() < 0.5:
        text = f"{made} = {x}\nfor size in ({rng.randint(1, 3)}, {rng.randint(1, 3)}, 2):\n    {made} = {name}({made}, size)"
        ok = d.add(text, made, of=(x,))
    else:
        ok = d.add(f"{made} = {name}({name}({x}), size={rng.randint(1, 4)})", made, of=(x,))
    if not ok:
        d.lines.pop()


MOVES = (
    unary, unary, unary, unary, unary, operator, operator, merge, merge, shared, nested, helper,
    moves.states, moves.gate, moves.features, moves.features, moves.stack, moves.skips, moves.encoder,
)  # fmt: skip


def draw(seed: int) -> tuple[str, Any]:
    """The text of a program, and its variable ``model`` as Keras made it."""
    d = Drawing(seed)
    for _ in range(d.rng.choice([1, 1, 2, 3])):
        draw_input(d)
    for _ in range(d.rng.randint(2, 12)):
        d.rng.choice(MOVES)(d)
    loose = [t for t in d.tensors if t not in d.used]
    outputs = [d.tensors[-1]] if d.rng.random() < 0.6 else loose[-3:]
    if d.rng.random() < 0.5 and len(outputs) == 1:
        outputs = [d.name()]
        if not d.add(f"{outputs[0]} = {catalogue.layer(d.rng, d.shape(d.tensors[-1]))}({d.tensors[-1]})", outputs[0]):
            outputs = [d.tensors[-1]]
    outs = outputs[0] if len(outputs) == 1 else f"[{', '.join(outputs)}]"
    if not d.add(f"model = keras.Model([{', '.join(d.inputs)}], {outs})") or outputs[0] in d.inputs:
        return "", None
    return HEAD + "\n".join(d.lines) + "\n", d.scope["model"]
