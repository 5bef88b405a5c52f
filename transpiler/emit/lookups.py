"""Layers that turn words into numbers, as objects of the program: torch has no tensors of strings."""

from __future__ import annotations

from collections.abc import Mapping

from transpiler.diagnostics import Refusal
from transpiler.graph.program import Action
from transpiler.graph.symbolic import Expr

LOOKUPS = {
    "keras.layers.TextVectorization": "TextVectorization",
    "keras.layers.StringLookup": "StringLookup",
}
_MODES = {
    "keras.layers.TextVectorization": ("int", "multi_hot", "count", "tf_idf"),
    "keras.layers.StringLookup": ("int", "one_hot", "multi_hot", "count", "tf_idf"),
}
_OLD_MODES = {"binary": "multi_hot", "tf-idf": "tf_idf"}
_WORDS = {
    "standardize": ("lower_and_strip_punctuation", "lower", "strip_punctuation", None),
    "split": ("whitespace", "character"),
}
_REFUSED = ("idf_weights", "sparse", "ragged", "salt")


def render_lookup(action: Action, texts: Mapping[str, str]) -> str:
    """The constructor call of the helper class."""
    kind, args = LOOKUPS[action.symbol], action.args
    for name in _REFUSED:
        if args.get(name) not in (None, False):
            raise Refusal("KT102", f"`{name}` of `{kind}` is not supported")
    for name, allowed in _WORDS.items():
        if name in args and args[name] not in allowed:
            raise Refusal("KT102", f"`{name}` of `{kind}` must be one of {', '.join(map(repr, allowed))} here")
    if args.get("encoding", "utf-8") != "utf-8":
        raise Refusal("KT102", f"`{kind}` is supported with the encoding 'utf-8'")
    if isinstance(args.get("vocabulary"), str):
        raise Refusal("KT102", f"a vocabulary file of `{kind}` is not supported", "read it into a list")
    _check_unknown_words(args.get("num_oov_indices", 1))
    given = dict(texts)
    mode = args.get("output_mode", "int")
    mode = _OLD_MODES.get(mode, mode) if isinstance(mode, str) else mode
    if mode not in _MODES[action.symbol]:
        raise Refusal("KT102", f"`output_mode={mode!r}` of `{kind}` is not supported")
    if "output_mode" in given:
        given["output_mode"] = repr(mode)
    shown = ", ".join(f"{key}={text}" for key, text in given.items() if key not in (*_REFUSED, "name", "encoding"))
    return f"<{kind}>({shown})"


def _check_unknown_words(count: object) -> None:
    if isinstance(count, Expr):
        count = count.value
    if count not in (0, 1):
        raise Refusal("KT102", "more than one number for unknown words needs FarmHash, which PyTorch lacks")
