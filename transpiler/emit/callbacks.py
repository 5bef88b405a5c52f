"""Callbacks in the output: which classes a program needs, with which options, and how its own calls name them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from transpiler.diagnostics import Refusal
from transpiler.emit.arguments import plain_number
from transpiler.graph.program import Action, Callback, Program
from transpiler.graph.symbolic import Expr
from transpiler.rules.base import MISSING
from transpiler.rules.callbacks import ALIASES, BASE, CALLBACKS, HOOKS, kind_of

MONITORS = ("EarlyStopping", "ModelCheckpoint", "ReduceLROnPlateau")
CHANGES_RATE = ("ReduceLROnPlateau", "LearningRateScheduler")
_BATCH = ("on_train_batch_begin", "on_train_batch_end")
# What changes nothing in the output: how Keras writes its files, and pictures beside the curves.
_LEFT_OUT = {
    "ModelCheckpoint": {"save_weights_only", "save_freq", "options"},
    "TensorBoard": {"write_graph", "write_images", "write_grads", "write_steps_per_second", "update_freq", "batch_size",
                    "profile_batch", "embeddings_freq", "embeddings_layer_names", "embeddings_metadata",
                    "embeddings_data"},
}  # fmt: skip
_ALWAYS = {
    "EarlyStopping": {"monitor", "patience"}, "ModelCheckpoint": {"filepath"},
    "ReduceLROnPlateau": {"monitor", "factor", "patience", "min_delta", "min_lr"},
    "LearningRateScheduler": {"schedule"}, "TensorBoard": {"log_dir"}, "CSVLogger": {"filename"},
}  # fmt: skip
_FIXED = {
    ("ModelCheckpoint", "save_freq"): "epoch", ("ModelCheckpoint", "options"): None,
    ("TensorBoard", "update_freq"): "epoch", ("TerminateOnNaN", "raise_error"): False,
}  # fmt: skip

_PLAIN = ("filepath", "schedule", "log_dir", "filename")  # arguments by position
Keys = Callable[[Action, str], "tuple[str, str] | None"]


@dataclass(eq=False)
class CallbackNeeds:
    """What the templates of callbacks and of ``fit`` ask for."""

    hooks: tuple[str, ...] = ()
    logs: frozenset[str] = frozenset()  # hooks that get `logs` although Keras gives nothing in them
    forwarded: Mapping[str, str] = field(default_factory=dict)  # hooks that call their older name
    options: Mapping[str, frozenset[str]] = field(default_factory=lambda: defaultdict(frozenset))  # by kind
    missing: frozenset[str] = frozenset()  # kinds whose monitored value may not be there
    stops: bool = False
    params: bool = False
    own_steps: bool = False  # the program's own code runs between steps
    validation: bool = False

    @property
    def used(self) -> bool:
        """Whether there are callbacks at all."""
        return bool(self.hooks)

    @property
    def batch(self) -> bool:
        """Whether anything happens between steps."""
        return any(hook in self.hooks for hook in _BATCH)

    @property
    def maximized(self) -> bool:
        """Whether any monitored value is to grow."""
        return any("mode" in options for options in self.options.values())

    @property
    def min_delta(self) -> bool:
        """Whether improvements below a certain size count for nothing."""
        return any("min_delta" in options for options in self.options.values())

    def signature(self, hook: str) -> str:
        """The parameters of a hook after ``self``."""
        number = "" if hook.startswith("on_train_") and hook not in _BATCH else "epoch" if "epoch" in hook else "batch"
        logs = hook in self.logs or hook in ("on_epoch_end", "on_train_batch_end")
        return (f", {number}: int" if number else "") + (", logs: dict[str, float]" if logs else "")


class Callbacks:
    """Looks over the callbacks of a program; ``keys`` gives name and direction of a reported value of a ``fit``."""

    def __init__(self, program: Program, keys: Keys) -> None:
        self.keys = keys
        self.made = [a.callback for a in program.actions if a.callback is not None]
        self.own = [c for a in program.actions for c in given(a) if isinstance(c, Callback) and not c.symbol]
        fits = [a for a in program.actions if a.symbol == "keras.Model.fit"]
        self.declared = any(a.symbol == BASE for a in program.actions)
        self.validation = any(validates(a) for a in fits)

    def needs(self) -> CallbackNeeds:
        """What the templates ask for."""
        every = [*self.made, *self.own]
        hooks = {ALIASES.get(hook, hook) for callback in every for hook in callback.hooks}
        return CallbackNeeds(
            tuple(hook for hook in HOOKS if hook in hooks),
            frozenset(ALIASES.get(hook, hook) for callback in every for hook in callback.logs),
            {ALIASES[hook]: hook for callback in self.own for hook in callback.hooks if hook in ALIASES},
            self._options(),
            frozenset(kind_of(c.symbol) for c in self.made if not self._is_there(c)),
            any(kind_of(c.symbol) in ("EarlyStopping", "TerminateOnNaN") for c in self.made)
            or any("stop_training" in c.names for c in self.own),
            any("params" in c.names for c in self.own),
            any(ALIASES.get(hook, hook) in _BATCH for c in self._of_program() for hook in c.hooks),
            self.validation,
        )

    def changes_rate(self) -> bool:
        """Whether any callback sets the learning rate."""
        return any(kind_of(c.symbol) in CHANGES_RATE for c in self.made)

    def _of_program(self) -> list[Callback]:
        """The callbacks that run the program's own code."""
        return [*self.own, *self._kind("LambdaCallback")]

    def _kind(self, kind: str) -> list[Callback]:
        return [c for c in self.made if kind_of(c.symbol) == kind]

    # -- options ----------------------------------------------------------------------------------------------------
    def _options(self) -> dict[str, frozenset[str]]:
        kinds = {kind_of(callback.symbol) for callback in self.made}
        return {kind: frozenset(self._options_of(kind)) for kind in kinds}

    def _options_of(self, kind: str) -> set[str]:
        """The options that some callback of this kind sets to something else than the default."""
        made = self._kind(kind)
        found = set(_ALWAYS.get(kind, ()))
        for callback in made:
            found |= {name for name, value in callback.config.items() if _differs(callback.symbol, name, value)}
            found |= {name for name in callback.reads if name in ("stopped_epoch", "best_epoch")}
        found -= _LEFT_OUT.get(kind, set())
        if kind in MONITORS:
            found.discard("mode")
            if any(self._grows(c) for c in made if _judges(c)):
                found.add("mode")
        if kind == "EarlyStopping" and "verbose" in found:
            found |= {"stopped_epoch", *(["best_epoch"] if "restore_best_weights" in found else [])}
        if kind == "ModelCheckpoint":
            found |= self._checkpoint_options(made)
            if all(map(_judges, made)):
                found.discard("save_best_only")
        if kind == "LearningRateScheduler" and any(_takes_rate(c) for c in made):
            found.add("rate")
        return found

    @staticmethod
    def _checkpoint_options(made: Iterable[Callback]) -> set[str]:
        found = {"monitor"} if any(map(_judges, made)) else set()
        paths = [callback.config["filepath"] for callback in made]
        if any(not isinstance(path, str) or "{" in path for path in paths):
            found.add("pattern")
        return found

    # -- monitored values -------------------------------------------------------------------------------------------
    def monitored(self, callback: Callback) -> tuple[str, str]:
        """The name of the monitored value in the output, and ``min`` or ``max``."""
        monitor, mode = callback.config["monitor"], callback.config["mode"]
        if not isinstance(monitor, str) or not isinstance(mode, str):
            raise Refusal("KT301", "what this callback monitors is known only when the program runs")
        found = [self.keys(fit, monitor) for fit in callback.fits]
        named = {pair for pair in found if pair is not None}
        if len({name for name, _ in named}) > 1:
            raise Refusal("KT301", f"`{monitor}` is called differently in the trainings that this callback is given to")
        name = next((name for name, _ in named), monitor)
        if mode in ("min", "max"):
            return name, mode
        directions = {direction for _, direction in named}
        if not callback.fits:
            return name, "max" if "acc" in monitor else "min"
        if len(directions) != 1 or "" in directions:
            raise Refusal("KT301", f"whether `{monitor}` should grow or shrink is not known", "give `mode=`")
        return name, directions.pop()

    def _grows(self, callback: Callback) -> bool:
        """Whether the monitored value should grow; one that is refused does not count."""
        try:
            return self.monitored(callback)[1] == "max"
        except Refusal:
            return False

    def _is_there(self, callback: Callback) -> bool:
        """Whether the monitored value is reported after each epoch."""
        if kind_of(callback.symbol) not in MONITORS or not _judges(callback):
            return True
        monitor = callback.config["monitor"]
        return isinstance(monitor, str) and all(
            self.keys(fit, monitor) is not None
            and (not monitor.startswith("val_") or validates(fit) and fit.args.get("validation_freq", 1) == 1)
            for fit in callback.fits
        )

    # -- what stands in the program ---------------------------------------------------------------------------------
    def render(self, action: Action, texts: Mapping[str, str], options: frozenset[str]) -> str:
        """The call that makes a callback."""
        callback = action.callback
        if callback is None:
            return "<Callback>"
        kind = kind_of(callback.symbol)
        _refuse(kind, callback)
        if kind == "LambdaCallback":
            pairs = [f"{ALIASES.get(k, k)}={text}" for k, text in texts.items() if callback.config[k] is not None]
            return f"<{kind}>({', '.join(pairs)})"
        shown = dict(texts)
        if kind in MONITORS:
            self._show_monitor(kind, callback, shown)
        if kind == "LearningRateScheduler" and "rate" in options and not _takes_rate(callback):
            shown["schedule"] = f"lambda epoch, lr: ({shown['schedule']})(epoch)"
        first = next((p.name for p in CALLBACKS[callback.symbol] if p.name in _PLAIN), "")
        parts = [
            shown[name] if name == first else f"{name}={shown[name]}"
            for name in (p.name for p in CALLBACKS[callback.symbol])
            if name in shown and name in options
        ]
        return f"<{kind}>({', '.join(parts)})"

    def _show_monitor(self, kind: str, callback: Callback, shown: dict[str, str]) -> None:
        """Name, direction and file of a callback that monitors something, as the output has them."""
        if kind == "ModelCheckpoint" and not _judges(callback):
            shown.pop("monitor", None)
            shown.pop("mode", None)
            return
        name, direction = self.monitored(callback)
        if name != callback.config["monitor"]:
            shown["monitor"] = repr(name)
        if direction == "max":
            shown["mode"] = repr(direction)
        elif callback.config["mode"] != "min":
            shown.pop("mode", None)


def given(action: Action) -> list[Any]:
    """The callbacks that an action is given."""
    found: list[Any] = []
    stack = [action.args.get("callbacks")]
    while stack:
        value = stack.pop()
        if isinstance(value, (list, tuple)):
            stack.extend(reversed(value))
        elif value is not None:
            found.append(value)
    return found


def validates(fit: Action) -> bool:
    """Whether a ``fit`` looks at held-out data."""
    return fit.args.get("validation_data") is not None or bool(plain_number(fit.args.get("validation_split")))


def _differs(symbol: str, name: str, value: Any) -> bool:
    """Whether an argument is not, or may not be, the default."""
    default = next((p.default for p in CALLBACKS[symbol] if p.name == name), MISSING)
    known = plain_number(value)
    return isinstance(value, Expr) or bool(known != default)


def _judges(callback: Callback) -> bool:
    """Whether the monitored value matters."""
    return callback.config.get("save_best_only", True) is not False


def _takes_rate(callback: Callback) -> bool:
    function = callback.functions.get("schedule")
    if function is None:
        return False
    bound = hasattr(function, "receiver")
    node = function.function.node if bound else function.node
    return len(node.params.params) - bound > 1


def _refuse(kind: str, callback: Callback) -> None:
    """Refuse what this kind of callback does not do in the output."""
    for (owner, name), value in _FIXED.items():
        if owner == kind and callback.config[name] != value:
            raise Refusal("KT301", f"`{name}` of `{kind}` is not translated")
    if kind == "LearningRateScheduler" and "schedule" not in callback.functions:
        raise Refusal("KT301", "the function of this `LearningRateScheduler` is known only when the program runs")
    if kind == "TensorBoard" and callback.config["embeddings_freq"]:
        raise Refusal("KT301", "`embeddings_freq` of `TensorBoard` is not translated")
