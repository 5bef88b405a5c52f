"""The short table of pure builtins, functions and methods that the evaluator computes itself."""

from __future__ import annotations

import itertools
import math
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from transpiler.evaluate import limits

BUILTINS = frozenset(
    "abs all any bool dict divmod enumerate filter float frozenset getattr hasattr int isinstance issubclass iter len "
    "list map max min next object open pow print range repr reversed round set setattr slice sorted str sum super "
    "tuple type zip input id hash vars dir callable ord chr bin hex format ValueError TypeError KeyError Exception "
    "AssertionError NotImplementedError RuntimeError ImportError ModuleNotFoundError AttributeError IndexError "
    "StopIteration globals locals eval exec staticmethod classmethod property bytes bytearray complex OSError IOError "
    "FileNotFoundError NotImplemented __file__ __doc__ exit quit".split()
)


def _range(*args: int) -> range:
    return range(*args)


def _sized(values: Any) -> list[Any]:
    result = list(itertools.islice(values, limits.MAX_ITEMS + 1))
    if len(result) > limits.MAX_ITEMS:
        raise limits.LimitReached("a sequence with too many items")
    return result


NAMESPACE = "builtins.namespace"  # what globals() and locals() give


def _comb(n: int, k: int) -> int:
    if n > 1000:
        raise ValueError("too large")
    return math.comb(n, k)


# Functions over fully known arguments.
PURE: dict[str, Callable[..., Any]] = {
    "builtins.abs": abs, "builtins.bool": bool, "builtins.float": float, "builtins.int": int, "builtins.round": round,
    "builtins.str": str, "builtins.repr": repr, "builtins.max": max, "builtins.min": min, "builtins.divmod": divmod,
    "builtins.all": all, "builtins.any": any, "builtins.range": _range, "builtins.ord": ord, "builtins.chr": chr,
    "builtins.slice": slice, "builtins.frozenset": frozenset, "builtins.hex": hex, "builtins.bin": bin,
    "math.sqrt": math.sqrt, "math.log2": math.log2, "math.log": math.log, "math.ceil": math.ceil,
    "math.log10": math.log10, "math.floor": math.floor, "math.exp": math.exp, "math.prod": math.prod,
    "math.gcd": math.gcd, "math.sin": math.sin,
    "math.pow": math.pow, "math.log1p": math.log1p, "math.isqrt": math.isqrt, "math.hypot": math.hypot,
    "math.fmod": math.fmod, "math.radians": math.radians, "math.degrees": math.degrees, "math.tan": math.tan,
    "math.atan": math.atan, "math.atan2": math.atan2, "math.fsum": math.fsum, "math.comb": _comb,
    "math.cos": math.cos, "math.fabs": math.fabs, "math.trunc": math.trunc, "math.tanh": math.tanh,
    "numpy.prod": lambda v, axis=None, dtype=None: math.prod(v) if isinstance(v, (list, tuple)) else v,
    "numpy.sqrt": math.sqrt, "numpy.log2": math.log2, "numpy.log": math.log, "numpy.ceil": math.ceil,
    "numpy.floor": math.floor, "numpy.exp": math.exp, "numpy.log10": math.log10,
    "numpy.int32": int, "numpy.int64": int, "numpy.float32": float, "numpy.float64": float,
}  # fmt: skip

CONSTANTS: dict[str, Any] = {
    "math.pi": math.pi, "math.e": math.e, "math.inf": math.inf, "numpy.pi": math.pi, "numpy.e": math.e,
    "numpy.inf": math.inf, "numpy.newaxis": None,
}  # fmt: skip

# Functions over containers whose items may be unknown: tensors and layers pass through untouched.
STRUCTURAL: dict[str, Callable[..., Any]] = {
    "builtins.len": len, "builtins.list": lambda v=(): _sized(v), "builtins.tuple": lambda v=(): tuple(_sized(v)),
    "builtins.enumerate": lambda v, start=0: list(enumerate(v, start)), "builtins.zip": lambda *v: list(zip(*v)),  # noqa: B905
    "builtins.reversed": lambda v: list(v)[::-1], "builtins.dict": lambda v=(), **k: dict(v, **k),
    "builtins.iter": iter, "itertools.chain": lambda *v: _sized(itertools.chain(*v)),
    "itertools.product": lambda *v, repeat=1: _product(v, repeat),
    "itertools.repeat": lambda v, n: [v] * min(n, limits.MAX_ITEMS),
    "collections.OrderedDict": lambda v=(), **k: OrderedDict(v, **k),
    "copy.copy": lambda v: v.copy() if hasattr(v, "copy") else v, "builtins.set": lambda v=(): set(v),
}  # fmt: skip


def _product(values: tuple[Any, ...], repeat: int) -> list[Any]:
    sizes = math.prod(len(list(v)) for v in values) ** max(repeat, 1)
    if sizes > limits.MAX_ITEMS:
        raise limits.LimitReached("a product with too many items")
    return list(itertools.product(*values, repeat=repeat))


METHODS: dict[type, frozenset[str]] = {
    str: frozenset(
        "lower upper strip lstrip rstrip split rsplit join replace startswith endswith format title capitalize count "
        "find index isdigit isalpha isnumeric isupper islower encode ljust rjust center zfill partition rpartition "
        "splitlines swapcase removeprefix removesuffix".split()
    ),
    list: frozenset("append extend insert pop remove clear index count reverse copy sort".split()),
    dict: frozenset("get items keys values update pop setdefault copy clear popitem".split()),
    tuple: frozenset(["index", "count"]),
    set: frozenset(
        "add union intersection difference symmetric_difference isdisjoint discard remove update copy issubset "
        "issuperset".split()
    ),
    int: frozenset(["bit_length"]),
    float: frozenset(["is_integer"]),
}
MUTATING = frozenset("append extend insert pop remove clear reverse sort update setdefault add discard popitem".split())

# Libraries that leave the lists and dicts they are given alone, but for the functions after them.
_READERS = frozenset(
    "builtins numpy math json pickle csv os sys time datetime logging pprint re random string textwrap warnings "
    "typing matplotlib pandas scipy sklearn seaborn plotly PIL cv2 skimage imageio h5py yaml tqdm glob pathlib shutil "
    "argparse keras tensorflow torch torchvision collections itertools functools operator copy statistics zipfile "
    "tarfile".split()
)
_WRITERS = frozenset(
    "random.shuffle numpy.random.shuffle builtins.setattr builtins.delattr builtins.exec builtins.eval builtins.vars "
    "builtins.globals builtins.locals builtins.next functools.reduce operator.setitem operator.iadd operator.delitem "
    "sys.setrecursionlimit itertools.starmap".split()
)


def only_reads(symbol: str) -> bool:
    """Whether a function of a library leaves the containers that it is given as they are."""
    return symbol.partition(".")[0] in _READERS and symbol not in _WRITERS
