"""How many conformance tests name a symbol: tests whose numbers are compared with real Keras."""

from __future__ import annotations

import contextlib
import inspect
import io
import re
from collections import Counter
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tools.supported.symbols import MODULES
from transpiler.emit.losses import standard_name
from transpiler.rules.names import canonical

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("tests/conformance", "tests/training")
_NOT_NUMBERS = re.compile(r"refus|told|api_coverage|test_opnames")
_DOTTED = re.compile(rf"\b({'|'.join(MODULES)}|schedules)((?:\.\w+)+)")
_CALLED = re.compile(r"(?<![\w.])([A-Z]\w+)\(")
_QUOTED = re.compile(r"""['"](\w+)['"]""")
_SPELLED = re.compile(r"\b(K|tf)((?:\.\w+)+)")
_METRICS = re.compile(r"metrics=\[([^\]]*)\]")
# Modules whose objects programs also name as strings: `activation="relu"`, `optimizer="adam"`.
_BY_STRING = frozenset(
    ["activations", "initializers", "regularizers", "constraints", "losses", "metrics", "optimizers"]
)
_BY_CLASS = ("layers", "callbacks", "initializers", "regularizers", "constraints", "optimizers")


class _Collected:
    """A plugin of pytest that keeps what was collected."""

    items: list[pytest.Item]

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.items = list(session.items)


@cache
def _texts() -> tuple[str, ...]:
    """What each conformance test says: its source with its arguments put in, and the arguments themselves."""
    plugin = _Collected()
    with contextlib.redirect_stdout(io.StringIO()) as output:
        folders = [str(ROOT / folder) for folder in FOLDERS]
        status = pytest.main(["--collect-only", "-q", "-p", "no:cacheprovider", *folders], [plugin])
    if status != pytest.ExitCode.OK:
        raise RuntimeError(output.getvalue())
    return tuple(_text(item) for item in plugin.items if not _NOT_NUMBERS.search(item.nodeid))


def _text(item: pytest.Item) -> str:
    function, values = getattr(item, "function"), getattr(item, "callspec", None)  # noqa: B009 - only functions have it
    text = inspect.getsource(function).partition("def ")[2]  # without the decorators' lists of other cases
    arguments: dict[str, Any] = values.params if values is not None else {}
    for name, value in arguments.items():
        text = text.replace(f"{{{name}}}", _shown(value))
    return "\n".join([text, *(_shown(value) for value in arguments.values())])


def _shown(value: Any) -> str:
    return value.read_text() if isinstance(value, Path) else str(value)


@cache
def _named() -> tuple[frozenset[str], ...]:
    return tuple(frozenset(_names_in(text)) for text in _texts())


def unified(symbol: str) -> str:
    """One name for the spellings of an object: ``HeNormal`` and ``he_normal``, ``mse`` and ``MeanSquaredError``."""
    module, _, name = symbol.rpartition(".")
    if module in ("keras.losses", "keras.metrics"):
        name = standard_name(name)
    if module in ("keras.losses", "keras.metrics", "keras.optimizers", "keras.initializers", "keras.constraints"):
        name = name.replace("_", "").lower()
    return f"{module}.{name}"


def _names_in(text: str) -> Iterable[str]:
    """The symbols that a test names: canonical where they are Keras' own, else as ``tf.`` and ``K.`` spell them."""
    for module, rest in _DOTTED.findall(text):
        name = f"keras.{'optimizers' if module == 'schedules' else module}{rest}"
        yield unified(canonical(name.replace("optimizers.schedules", "optimizers")))
    for name in _CALLED.findall(text):
        yield from (unified(canonical(f"keras.{module}.{name}")) for module in _BY_CLASS)
    for name in _QUOTED.findall(text):
        yield from (unified(f"keras.{module}.{name}") for module in _BY_STRING)
    for name in _QUOTED.findall(" ".join(_METRICS.findall(text))):
        yield unified(f"keras.metrics.{name}")
    for root, rest in _SPELLED.findall(text):
        yield f"keras.backend{rest}" if root == "K" else f"tensorflow{rest}"


@cache
def _counts() -> Counter[str]:
    return Counter(name for names in _named() for name in names)


def total() -> int:
    """The number of conformance tests."""
    return len(_texts())


def cases(*symbols: str) -> int:
    """The number of conformance tests that name one of these symbols."""
    if len(symbols) == 1:
        return _counts()[symbols[0]]
    wanted = frozenset(symbols)
    return sum(1 for names in _named() if names & wanted)
