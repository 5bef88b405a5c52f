"""The grid of layer calls that are compared with real Keras: (body, input shapes, judge)."""

# ruff: noqa: E501 - a table
from __future__ import annotations

from dataclasses import dataclass
from itertools import product

HEAD = "import keras\nfrom keras import layers\n"


@dataclass(frozen=True)
class Case:
    """Layers applied in turn to one input, or a body over ``a``, ``b``… that assigns ``y``.

    ``judge`` names the Keras backend: torch, but for what its torch backend gets wrong (see ``TENSORFLOW``).
    """

    body: str
    shapes: tuple[tuple[int, ...], ...]
    judge: str = "torch"
    unknown: bool = False  # the spatial sizes are None in the program

    @property
    def source(self) -> str:
        names = "abcd"[: len(self.shapes)]
        lines = [
            f"{n} = keras.Input({(None,) * (len(s) - 1) + s[-1:] if self.unknown else s})"
            for n, s in zip(names, self.shapes, strict=True)
        ]
        inputs = names[0] if len(names) == 1 else f"[{', '.join(names)}]"
        body = self.body if "y = " in self.body else chain(self.body)
        return HEAD + "\n".join([*lines, body, f"model = keras.Model({inputs}, y)"]) + "\n"

    def __str__(self) -> str:
        return f"{self.body} on {self.shapes}{' unknown' if self.unknown else ''}"


def chain(body: str) -> str:
    """``Conv2D(…) | Flatten()`` as statements."""
    lines = ["y = a"]
    lines += [f"y = layers.{part.strip()}(y)" for part in body.split("|")]
    return "\n".join(lines)


# The torch backend of Keras pads average pooling and transposed convolutions wrongly where the padding is uneven, and
# fails on layer normalisation over other axes than the last; TensorFlow's numbers are the documented ones.
TENSORFLOW = "tensorflow"


def convolutions() -> list[Case]:
    cases = []
    for n, k, s, p in product((8, 9), (1, 2, 3, 4), (1, 2, 3), ("valid", "same")):
        cases.append(Case(f"Conv2D(4, {k}, strides={s}, padding='{p}')", ((n, n + 1, 3),)))
        cases.append(Case(f"Conv1D(4, {k}, strides={s}, padding='{p}')", ((n, 3),)))
    for k, d, p in product((2, 3), (2, 3), ("valid", "same", "causal")):
        cases.append(Case(f"Conv1D(4, {k}, dilation_rate={d}, padding='{p}')", ((10, 3),)))
    for p, s in product(("valid", "same"), (1, 2)):
        cases.append(Case(f"Conv2D(4, (3, 2), strides=({s}, 1), padding='{p}', activation='relu')", ((7, 6, 2),)))
        cases.append(Case(f"Conv3D(4, (3, 2, 1), strides={s}, padding='{p}')", ((5, 6, 4, 2),)))
        cases.append(Case(f"Conv2D(4, 3, strides={s}, padding='{p}')", ((7, 8, 2),), unknown=True))
        cases.append(Case(f"SeparableConv2D(4, 3, strides={s}, padding='{p}', depth_multiplier=2)", ((7, 8, 3),)))
        cases.append(Case(f"SeparableConv1D(4, 3, strides={s}, padding='{p}', activation='tanh')", ((7, 3),)))
        cases.append(Case(f"DepthwiseConv2D(3, strides={s}, padding='{p}', depth_multiplier=2)", ((7, 8, 3),)))
        cases.append(Case(f"DepthwiseConv1D(3, strides={s}, padding='{p}', depth_multiplier=2)", ((7, 3),)))
    cases += [
        Case("Conv2D(6, 3, groups=3)", ((7, 6, 3),)),
        Case("Conv2D(4, 3, dilation_rate=(2, 3), padding='same')", ((9, 10, 2),)),
        Case("Conv2D(4, 3, use_bias=False, activation='softmax')", ((5, 6, 2),)),
        Case("Conv1D(4, 2, strides=2, padding='causal')", ((9, 3),)),
        Case("Conv1D(4, 3, groups=2) | Conv1D(2, 3)", ((9, 4),)),
        Case("DepthwiseConv2D((2, 3), dilation_rate=2, padding='same')", ((7, 8, 3),)),
    ]
    return cases


def transposed() -> list[Case]:
    cases = []
    for k, s, p in product((1, 2, 3, 4, 5), (1, 2, 3), ("valid", "same")):
        cases.append(Case(f"Conv2DTranspose(4, {k}, strides={s}, padding='{p}')", ((4, 5, 3),), TENSORFLOW))
        cases.append(Case(f"Conv1DTranspose(4, {k}, strides={s}, padding='{p}')", ((5, 3),), TENSORFLOW))
    cases += [
        Case("Conv2DTranspose(4, (3, 2), strides=(2, 1), padding='same', activation='relu')", ((4, 5, 3),), TENSORFLOW),
        Case("Conv2DTranspose(4, 3, strides=2, padding='same', output_padding=1)", ((4, 5, 3),), TENSORFLOW),
        Case("Conv2DTranspose(4, 3, strides=2, padding='same', output_padding=0)", ((4, 5, 3),), TENSORFLOW),
        Case("Conv2DTranspose(4, 3, strides=2, output_padding=1, use_bias=False)", ((4, 5, 3),), TENSORFLOW),
        Case("Conv3DTranspose(4, 2, strides=2, padding='same')", ((3, 4, 2, 3),), TENSORFLOW),
        Case("Conv3DTranspose(4, 3, strides=2, padding='same')", ((3, 4, 2, 3),), TENSORFLOW),
        Case("Conv2DTranspose(4, 3, dilation_rate=2)", ((4, 5, 3),)),
        Case("Conv2DTranspose(4, 4, strides=2, padding='same')", ((4, 5, 3),), TENSORFLOW, unknown=True),
    ]
    return cases


def pooling() -> list[Case]:
    cases = []
    for n, k, s, p in product((8, 9), (2, 3, 4), (None, 1, 2, 3), ("valid", "same")):
        for kind in ("Max", "Average"):
            body = f"{kind}Pooling2D({k}, strides={s}, padding='{p}')"
            cases.append(Case(body, ((n, n + 1, 3),), TENSORFLOW if p == "same" else "torch"))
    for kind, p in product(("Max", "Average"), ("valid", "same")):
        cases.append(Case(f"{kind}Pooling1D(3, 2, padding='{p}')", ((8, 3),), TENSORFLOW))
        cases.append(Case(f"{kind}Pooling3D((2, 3, 1), padding='{p}')", ((4, 6, 5, 3),)))
        cases.append(Case(f"{kind}Pooling2D((3, 2), (2, 3), padding='{p}')", ((8, 9, 3),), TENSORFLOW))
        for k, s in ((2, 2), (3, 2), (3, 1)):
            cases.append(Case(f"{kind}Pooling2D({k}, {s}, padding='{p}')", ((8, 9, 3),), TENSORFLOW, unknown=True))
    shapes = {1: (6, 3), 2: (6, 5, 3), 3: (4, 3, 5, 3)}
    for kind, rank, keep in product(("Max", "Average"), (1, 2, 3), (False, True)):
        cases.append(Case(f"Global{kind}Pooling{rank}D(keepdims={keep})", (shapes[rank],)))
    cases.append(Case("Conv2D(4, 3) | GlobalAveragePooling2D() | Dense(3)", ((6, 5, 3),)))
    cases.append(Case("Conv1D(4, 3) | GlobalMaxPooling1D() | Dense(3)", ((6, 3),)))
    return cases


def shapes() -> list[Case]:
    image, sequence, volume = (5, 6, 3), (6, 3), (4, 5, 3, 2)
    return [
        Case("ZeroPadding1D(2)", (sequence,)), Case("ZeroPadding1D((1, 2))", (sequence,)),
        Case("ZeroPadding2D()", (image,)), Case("ZeroPadding2D((1, 2))", (image,)),
        Case("ZeroPadding2D(((1, 2), (3, 0)))", (image,)), Case("ZeroPadding3D(((1, 0), (2, 1), (0, 3)))", (volume,)),
        Case("Cropping1D((1, 2))", (sequence,)), Case("Cropping2D(((1, 2), (0, 3)))", (image,)),
        Case("Cropping2D((1, 2))", (image,)), Case("Cropping2D(1)", (image,)), Case("Cropping3D(1)", ((4, 5, 3, 2),)),
        Case("Cropping3D(((0, 1), (1, 1), (1, 0)))", (volume,)),
        Case("UpSampling1D(3)", (sequence,)), Case("UpSampling2D()", (image,)), Case("UpSampling2D((2, 3))", (image,)),
        Case("UpSampling2D(2, interpolation='bilinear')", (image,)), Case("UpSampling3D((1, 2, 3))", (volume,)),
        Case("UpSampling2D(3, interpolation='bilinear')", (image,)),
        Case("Conv2D(2, 3) | ZeroPadding2D(((0, 1), (0, 1))) | Conv2D(3, 3, strides=2)", ((8, 7, 3),)),
        Case("Flatten()", (image,)), Case("Flatten()", (sequence,)), Case("Flatten()", ((4,),)),
        Case("Conv2D(4, 3) | Flatten()", (image,)), Case("Conv2D(4, 3) | Flatten() | Dense(5)", (image,)),
        Case("Conv2D(4, 3) | Flatten() | Dropout(0.5) | BatchNormalization() | ReLU() | Dense(5)", (image,)),
        Case("Conv3D(4, 2) | Flatten() | Dense(5)", (volume,)), Case("Conv1D(4, 3) | Flatten() | Dense(5)", (sequence,)),
        Case("Conv2D(4, 3) | MaxPooling2D(2) | Flatten() | Dense(5, activation='relu') | Dense(2)", ((8, 9, 3),)),
        Case("Conv2D(4, 3) | Flatten() | PReLU() | Dense(5)", (image,)),
        Case("Conv2D(4, 3) | Flatten() | LayerNormalization() | Dense(5)", (image,)),
        Case("Conv2D(4, 3) | Flatten() | Reshape((-1, 4)) | Dense(5)", (image,)),
        Case("Conv2D(4, 3) | Reshape((-1, 4))", (image,)), Case("Reshape((3, 6, 5))", (image,)),
        Case("Reshape((30, 3)) | Conv1D(2, 3)", (image,)), Case("Reshape((1, 1, 4)) | Conv2D(3, 1)", ((4,),)),
        Case("Dense(24) | Reshape((2, 3, 4)) | Conv2DTranspose(3, 2, strides=2) | Conv2D(2, 3)", ((5,),)),
        Case("Dense(24) | BatchNormalization() | LeakyReLU() | Reshape((2, 3, 4)) | UpSampling2D() | Conv2D(2, 3)", ((5,),)),
        Case("Dense(24, activation='relu', use_bias=False) | Reshape((2, 3, 4))", ((5,),)),
        Case("Dense(24) | Reshape((2, 3, 2, 2)) | Conv3D(2, 2)", ((5,),)), Case("Flatten() | Reshape((5, 6, 3)) | Conv2D(2, 2)", (image,)),
        Case("Conv2D(4, 3) | Flatten() | Dense(24) | Dropout(0.2) | Reshape((3, 2, 4)) | Conv2D(2, 2)", (image,)),
        Case("d = layers.Dense(24)\ny = layers.Conv2D(2, 2)(layers.Reshape((2, 3, 4))(d(layers.Dense(24)(d(a)))))", ((24,),)),
        Case("x = layers.Dense(24)(a)\ny = layers.Conv2D(24, 2)(layers.Reshape((2, 3, 4))(x))\ny = layers.Multiply()([layers.GlobalMaxPooling2D()(y), x])", ((5,),)),
        Case("Dense(24) | LayerNormalization() | Reshape((2, 3, 4)) | Conv2D(2, 2)", ((5,),)),
        Case("Reshape((-1,))", (image,)), Case("Conv2D(4, 3) | Reshape((48,)) | Dense(2)", (image,)),
        Case("Permute((2, 1))", (sequence,)), Case("Permute((3, 1, 2))", (image,)), Case("Permute((2, 1, 3)) | Conv2D(2, 3)", (image,)),
        Case("Conv2D(4, 3) | Permute((3, 1, 2))", (image,)), Case("RepeatVector(3)", ((4,),)),
        Case("Rescaling([0.5, 2.0, 1.0], offset=[0.1, 0.0, -3.0])", (image,)), Case("Rescaling([0.5])", (image,)),
        Case("Conv2D(3, 2) | Rescaling(2.0, offset=(0.1, 0.0, -3.0)) | Conv2D(2, 1)", (image,)),
        Case("Rescaling([0.5, 2.0, 1.0])", (sequence,)), Case("Conv2D(1, 3) | Flatten() | Rescaling(list(range(12))) | Dense(2)", (image,)),
        Case("Conv2D(2, 3) | Flatten() | Rescaling(list(range(24))) | Dense(2)", (image,)),
        Case("Rescaling(0.5, offset=-1)", (image,)), Case("Rescaling(1 / 255) | Conv2D(2, 3)", (image,)),
        Case("Dense(4)", (image,)), Case("Conv2D(4, 3) | Dense(5, activation='softmax')", (image,)),
        Case("Conv1D(4, 3) | Dense(5) | Conv1D(2, 2)", (sequence,)), Case("Dense(4, use_bias=False)", (sequence,)),
    ]  # fmt: skip


ACTIVATIONS = (
    "celu", "elu", "exponential", "gelu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_swish", "hard_tanh",
    "leaky_relu", "linear", "log_sigmoid", "log_softmax", "mish", "relu", "relu6", "selu", "sigmoid", "silu",
    "soft_shrink", "softmax", "softplus", "softsign", "sparse_plus", "sparse_sigmoid", "squareplus", "swish",
    "tanh", "tanh_shrink",
)  # fmt: skip


def activations() -> list[Case]:
    # Keras' own shape inference of glu is wrong; its sparsemax is not the function of that name
    cases = [Case(f"Activation('{name}')", ((4, 3),)) for name in ACTIVATIONS]
    cases += [Case(f"Conv2D(4, 2, activation='{name}')", ((4, 5, 3),)) for name in ACTIVATIONS]
    layers = (
        "ReLU()", "ReLU(6.0)", "ReLU(0.5)", "ReLU(negative_slope=0.1)", "ReLU(0.5, 0.1)", "ReLU(threshold=0.3)",
        "ReLU(0.8, 0.1, 0.3)", "LeakyReLU()", "LeakyReLU(negative_slope=0.05)", "ELU()", "ELU(0.5)", "Softmax()",
        "Softmax(axis=1)", "PReLU()", "PReLU(shared_axes=[1])", "Softmax(axis=(1, 2))",
    )  # fmt: skip
    cases += [Case(layer, ((4, 3),)) for layer in layers]
    cases += [Case(f"Conv2D(4, 2) | {layer} | Conv2D(2, 1)", ((4, 5, 3),)) for layer in layers]
    cases += [Case("Conv2D(4, 2) | PReLU(shared_axes=[1, 2]) | Conv2D(2, 1)", ((4, 5, 3),)), Case("PReLU()", ((4,),))]
    return cases


def normalizations() -> list[Case]:
    cases = []
    for shape, extra in product(
        ((4,), (6, 4), (5, 6, 4), (3, 4, 2, 4)), ("", "scale=False", "center=False", "center=False, scale=False")
    ):
        cases.append(Case(f"BatchNormalization({extra})", (shape,)))
        cases.append(Case(f"LayerNormalization({extra})", (shape,)))
        cases.append(Case(f"GroupNormalization(2{', ' + extra if extra else ''})", (shape,)))
    cases += [
        Case("BatchNormalization(axis=1)", ((5, 6, 4),)), Case("BatchNormalization(epsilon=0.1, trainable=False)", ((5, 6, 4),)),
        Case("Conv2D(4, 3) | BatchNormalization() | ReLU()", ((5, 6, 3),)),
        Case("Conv1D(4, 3) | BatchNormalization() | MaxPooling1D()", ((7, 3),)),
        Case("LayerNormalization(axis=(1, 2))", ((5, 4),), TENSORFLOW), Case("LayerNormalization(axis=1)", ((5, 4),), TENSORFLOW),
        Case("LayerNormalization(axis=(1, 2, 3))", ((5, 6, 4),), TENSORFLOW), Case("LayerNormalization(epsilon=0.1)", ((5, 4),)),
        Case("Conv2D(4, 3) | LayerNormalization() | Conv2D(2, 1)", ((5, 6, 3),)),
        Case("LayerNormalization(axis=(2, 3))", ((5, 6, 4),), TENSORFLOW), Case("GroupNormalization(-1)", ((5, 6, 4),)),
        Case("GroupNormalization(4)", ((5, 6, 4),)), Case("Conv2D(4, 3) | GroupNormalization(2) | Conv2D(2, 1)", ((5, 6, 3),)),
    ]  # fmt: skip
    return cases


def merges() -> list[Case]:
    v, s, i = (4,), (5, 4), (5, 6, 4)
    cases = []
    for kind in ("Add", "Multiply", "Average", "Maximum", "Minimum"):
        cases += [Case(f"y = layers.{kind}()([a, b, c])", (shape,) * 3) for shape in (v, s, i)]
        cases += [
            Case(f"y = layers.{kind}()([a, b])", pair)
            for pair in ((i, (1, 1, 4)), (i, v), (s, v), ((1, 6, 4), (5, 1, 4)))
        ]
        cases.append(
            Case(
                f"x = layers.Conv2D(4, 3, padding='same')(a)\ny = layers.{kind}()([x, a])\ny = layers.Conv2D(2, 3)(y)",
                (i,),
            )
        )
    cases += [
        Case("y = layers.Subtract()([a, b])", (v, v)), Case("y = layers.Subtract()([a, b])", (i, i)),
        Case("y = layers.add([a, b])", (v, v)), Case("y = layers.concatenate([a, b], axis=1)", (s, (3, 4))),
        Case("y = layers.Concatenate()([a, b, c])", (v, (3,), (2,))), Case("y = layers.Concatenate()([a, b])", (i, (5, 6, 2))),
        Case("y = layers.Concatenate(axis=1)([a, b])", (i, (2, 6, 4))), Case("y = layers.Concatenate(axis=2)([a, b])", (i, (5, 2, 4))),
        Case("x = layers.Conv2D(3, 3, padding='same')(a)\ny = layers.Conv2D(2, 1)(layers.Concatenate()([x, a]))", (i,)),
        Case("x = layers.Conv1D(3, 3, padding='same')(a)\ny = layers.Concatenate(axis=-1)([x, a])", (s,)),
        Case("x = layers.Flatten()(layers.Conv2D(3, 3)(a))\nz = layers.Flatten()(layers.Conv2D(2, 2)(a))\n"
             "y = layers.Dense(3)(layers.Concatenate()([x, b, z]))", (i, v)),
        Case("x = layers.Flatten()(layers.Conv2D(3, 3)(a))\ny = layers.Concatenate()([x, b])", (i, v)),
        Case("x = layers.Flatten()(layers.Conv2D(3, 3)(a))\ny = layers.Dense(3)(x)\nz = layers.Dense(2)(x)\ny = layers.Concatenate()([y, z])", (i,)),
        Case("d = layers.Dense(36)\nx = layers.Flatten()(layers.Conv2D(3, 3)(a))\ny = layers.Add()([d(d(x)), x])", (i,)),
        Case("x = layers.Conv2D(4, 3, padding='same')(a)\nw = layers.GlobalAveragePooling2D()(x)\nw = layers.Reshape((1, 1, 4))(w)\n"
             "w = layers.Dense(4, activation='sigmoid')(w)\ny = layers.Multiply()([x, w])\ny = layers.Conv2D(2, 1)(y)", (i,)),
        Case("y = layers.Dot(axes=1)([a, b])", (v, v)), Case("y = layers.Dot(axes=-1, normalize=True)([a, b])", (v, v)),
        Case("y = layers.Dot(axes=2)([a, b])", (s, (3, 4))), Case("y = layers.Dot(axes=(2, 1))([a, b])", (s, (4, 3))),
        Case("y = layers.Dot(axes=(1, 1))([a, b])", (s, (5, 3))), Case("y = layers.Dot(axes=(2, 1))([a, b])", (s, v)),
        Case("y = layers.Dot(axes=(1, 2))([a, b])", (v, s)), Case("y = layers.Dot(axes=(3, 1))([a, b])", (i, (4, 3))),
        Case("y = layers.Dot(axes=(2, 2), normalize=True)([a, b])", (s, (3, 4))),
    ]  # fmt: skip
    return cases


def all_cases() -> list[Case]:
    """Every case once."""
    found = [*convolutions(), *transposed(), *pooling(), *shapes(), *activations(), *normalizations(), *merges()]
    return list(dict.fromkeys(found))
