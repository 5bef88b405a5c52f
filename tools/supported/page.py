"""The page's text: a table a module of Keras, then the names of older generations and of TensorFlow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import keras  # type: ignore[import-untyped]

from tools.supported.cases import cases, total, unified
from tools.supported.standing import Standing, method_standing, spelling_standing, standing, told
from tools.supported.symbols import MODULES, old_layers, public
from transpiler.rules import opnames
from transpiler.rules.names import canonical
from transpiler.rules.sources import FASTER_ONLY, STEPS
from transpiler.rules.training import METHODS

_INTRODUCTION = """# What is translated

Made from the rules and checked in CI; do not edit, run `python -m tools.supported`. Names are those of Keras {version}.

- **supported**: its arguments are translated, or change nothing of what is computed.
- **partly**: what the remark names is refused with a diagnostic.
- **refused**: named with a diagnostic, for the reason given.

Nothing is dropped in silence: a value of an argument that has no counterpart is refused too, where it is given. *Cases*
counts the tests, of {total} that compare numbers with real Keras, that name the symbol by any of its spellings.
"""
_ABOUT = {
    "layers": "Of every layer, `weights=` and a `dtype` other than float32 are refused.",
    "losses": "As arguments of `compile`, by name, function or class.",
    "metrics": "As arguments of `compile`, by name, function or class.",
    "optimizers": "With their schedules.",
}
_TRAINED = (
    "m = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, {})])\nm.compile('sgd', 'mse')\nm.fit(x, y)\n"
)
_ASKED = {"constraints": _TRAINED.format("kernel_constraint='non_neg'")}
_METHOD_ARGUMENTS = {
    "fit": "x, y", "evaluate": "x, y", "predict": "x", "predict_proba": "x", "predict_classes": "x",
    "train_on_batch": "x, y", "test_on_batch": "x, y", "predict_on_batch": "x", "set_weights": "[]",
    "save_weights": "'m.weights.h5'", "load_weights": "'m.weights.h5'", "save": "'m.keras'", "compile": "'sgd', 'mse'",
}  # fmt: skip
_NO_PROGRAM = frozenset(["__call__", "fit_generator", "evaluate_generator", "predict_generator"])

Row = tuple[str, Standing, int]


def page() -> str:
    """The whole page."""
    sections = [(f"keras.{module}", _ABOUT.get(module, ""), list(_module(module))) for module in MODULES]
    sections += [
        ("Methods of a model", "", list(_methods())),
        ("Layers of Keras 1 and 2", "Names that Keras 3 does not have.", list(_old())),
        ("keras.backend", "On tensors in a model, as `K.name`.", list(_spellings("keras.backend.", opnames._BACKEND))),
        ("TensorFlow", "On tensors in a model; also as `tf.math`, `tf.nn`, `tf.linalg` and `tf.image` have them.",
         list(_spellings("tensorflow.", opnames._TENSORFLOW))),
        ("tf.data.Dataset", "Of arrays in memory.", list(_steps())),
    ]  # fmt: skip
    parts = [_INTRODUCTION.format(version=keras.__version__, total=total()), _summary(sections)]
    for title, about, rows in sections:
        asked = [
            f"{message[:1].upper()}{message[1:]}." for _, message in told(_ASKED.get(title.removeprefix("keras."), ""))
        ]
        parts.append("\n".join([f"## {title}", "", *_paragraph([about, *asked]), *_table(rows)]))
    return "\n".join(parts)


def _paragraph(sentences: list[str]) -> list[str]:
    text = " ".join(s for s in sentences if s)
    return [text, ""] if text else []


def _summary(sections: list[tuple[str, str, list[Row]]]) -> str:
    lines = ["| part | supported | partly | refused |", "| --- | --: | --: | --: |"]
    for title, _, rows in sections:
        counts = Counter(standing.status for _, standing, _ in rows)
        link = "".join(c for c in title.lower().replace(" ", "-") if c.isalnum() or c in "-_")
        lines.append(f"| [{title}](#{link}) | {counts['supported']} | {counts['partly']} | {counts['refused']} |")
    return "\n".join(lines) + "\n"


def _table(rows: list[Row]) -> Iterator[str]:
    yield "| symbol | | what not, or why | cases |"
    yield "| --- | --- | --- | --: |"
    for name, found, count in rows:
        yield f"| {name} | {found.status} | {found.remark.replace('|', chr(92) + '|')} | {count or ''} |"
    yield ""


def _module(module: str) -> Iterator[Row]:
    for name, value in public(module).items():
        symbol = canonical(f"keras.{module}.{name}")
        alias = symbol.removeprefix(f"keras.{module}.")
        shown = f"`{name}`" if alias in (name, symbol) else f"`{name}` (`{alias}`)"
        yield shown, standing(module, name, value), cases(*{unified(symbol), unified(f"keras.{module}.{name}")})


def _methods() -> Iterator[Row]:
    for name in sorted(METHODS.keys() - _NO_PROGRAM):
        yield f"`{name}`", method_standing(f"{name}({_METHOD_ARGUMENTS.get(name, '')})"), 0


def _old() -> Iterator[Row]:
    for name in old_layers():
        symbol = canonical(f"keras.layers.{name}")
        leaf = symbol.rpartition(".")[2]
        shown = f"`{name}`" if leaf == name else f"`{name}` (`{leaf}`)"
        yield shown, standing("layers", name), cases(*{symbol, f"keras.layers.{name}"})


def _spellings(prefix: str, table: dict[str, tuple[str, str]]) -> Iterator[Row]:
    short = "K." if prefix == "keras.backend." else "tf."
    modules = (
        [prefix] if short == "K." else [prefix + module for module in opnames._TF_MODULES if module != "keras.backend."]
    )
    for name in sorted(table):
        op, found = spelling_standing(prefix, name)
        count = cases(*{module + name for module in modules})
        yield f"`{short}{name}` (`{op.removeprefix('keras.')}`)", found, count


def _steps() -> Iterator[Row]:
    for name in ["from_tensor_slices", "zip", *sorted(STEPS)]:
        remark = "left out: it only makes things faster" if name in FASTER_ONLY else ""
        yield f"`{name}`", Standing("supported", remark), 0
