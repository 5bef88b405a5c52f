"""Callbacks of training: what each takes, and at which points of training it acts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transpiler.rules.base import Param, params

_CALLBACKS = "keras.callbacks."
BASE = f"{_CALLBACKS}Callback"
_POINTS = ("epoch_begin", "epoch_end", "train_begin", "train_end", "train_batch_begin", "train_batch_end")
_LAMBDA = ", ".join(f"on_{point}=None" for point in (*_POINTS, "batch_begin", "batch_end"))

CALLBACKS: dict[str, tuple[Param, ...]] = {
    f"{_CALLBACKS}EarlyStopping": params(
        "monitor='val_loss', min_delta=0, patience=0, verbose=0, mode='auto', baseline=None, "
        "restore_best_weights=False, start_from_epoch=0"
    ),
    f"{_CALLBACKS}ModelCheckpoint": params(
        "filepath, monitor='val_loss', verbose=0, save_best_only=False, save_weights_only=False, mode='auto', "
        "save_freq='epoch', initial_value_threshold=None, period=1, options=None"
    ),
    f"{_CALLBACKS}ReduceLROnPlateau": params(
        "monitor='val_loss', factor=0.1, patience=10, verbose=0, mode='auto', min_delta=0.0001, cooldown=0, min_lr=0.0",
        min_delta="epsilon",
    ),
    f"{_CALLBACKS}LearningRateScheduler": params("schedule, verbose=0"),
    f"{_CALLBACKS}TensorBoard": params(
        "log_dir='logs', histogram_freq=0, write_graph=True, write_images=False, write_steps_per_second=False, "
        "update_freq='epoch', profile_batch=0, embeddings_freq=0, embeddings_metadata=None, batch_size=None, "
        "write_grads=False, embeddings_layer_names=None, embeddings_data=None"
    ),
    f"{_CALLBACKS}CSVLogger": params("filename, separator=',', append=False"),
    f"{_CALLBACKS}TerminateOnNaN": params("raise_error=False"),
    f"{_CALLBACKS}LambdaCallback": params(_LAMBDA),
    f"{_CALLBACKS}History": (),
}

HOOKS = tuple(f"on_{point}" for point in ("train_begin", "epoch_begin", "train_batch_begin",
                                          "train_batch_end", "epoch_end", "train_end"))  # fmt: skip
ALIASES = {"on_batch_begin": "on_train_batch_begin", "on_batch_end": "on_train_batch_end"}
TEST_HOOKS = frozenset(f"on_test_{point}" for point in ("begin", "end", "batch_begin", "batch_end"))
OTHER_HOOKS = frozenset(["set_model", "set_params"])
READABLE = frozenset(["stopped_epoch", "best", "best_epoch", "wait", "history", "epoch", "patience", "monitor"])

_ACTS: dict[str, tuple[str, ...]] = {
    "EarlyStopping": ("on_train_begin", "on_epoch_end"),
    "ModelCheckpoint": ("on_epoch_end",),
    "ReduceLROnPlateau": ("on_train_begin", "on_epoch_end"),
    "LearningRateScheduler": ("on_epoch_begin", "on_epoch_end"),
    "TensorBoard": ("on_train_begin", "on_epoch_end", "on_train_end"),
    "CSVLogger": ("on_train_begin", "on_epoch_end", "on_train_end"),
    "TerminateOnNaN": ("on_train_batch_end",),
    "History": ("on_train_begin", "on_epoch_end"),
}


def kind_of(symbol: str) -> str:
    """``EarlyStopping`` for ``keras.callbacks.EarlyStopping``."""
    return symbol.removeprefix(_CALLBACKS)


def hooks_of(symbol: str, config: Mapping[str, Any]) -> frozenset[str]:
    """The points of training at which a callback of Keras acts."""
    kind = kind_of(symbol)
    if kind == "LambdaCallback":
        return frozenset(ALIASES.get(name, name) for name, value in config.items() if value is not None)
    hooks = set(_ACTS[kind])
    if kind == "EarlyStopping" and (config["restore_best_weights"] is not False or config["verbose"] != 0):
        hooks.add("on_train_end")
    return frozenset(hooks)
