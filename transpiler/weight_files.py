"""``--weights``: a Keras weight file in, a plain state dict in a file out. Needs the extra ``weights``."""

from __future__ import annotations

from pathlib import Path

from transpiler.diagnostics import Refusal
from transpiler.result import ModelChoiceError, Result
from transpiler.weights.write import ENDINGS, write_state_dict

_KERAS_ENDINGS = (".weights.h5", ".h5", ".hdf5", ".keras")


class ConversionError(Exception):
    """The weights cannot be converted; ``status`` is the exit status that says so."""

    def __init__(self, message: str, status: int = 1, hint: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.hint = hint


def convert_weights(result: Result, path: Path, out: Path | None, model: str | None) -> Path:
    """Convert a weight file for a model of the result; return what was written."""
    target = out or default_target(path)
    if target.resolve() == path.resolve():
        raise ConversionError(f"the output {target} is the weight file itself; it would be overwritten", 2)
    if target.suffix not in ENDINGS:
        raise ConversionError(f"cannot write {target}: its name must end in .pt or .safetensors", 2)
    if not path.is_file():
        raise ConversionError("there is no such file", 2)
    try:
        write_state_dict(result.state_dict(path, model), target)
    except ImportError as error:
        message = f"the package `{error.name}` is needed: pip install 'transpiler[weights]'"
        raise ConversionError(message, 2) from error
    except ModelChoiceError as error:
        raise ConversionError(str(error), hint="name the model as the source calls it: --model NAME") from error
    except Refusal as error:
        raise ConversionError(error.message, hint=error.hint) from error
    except OSError as error:
        raise ConversionError(error.strerror or str(error), 2) from error
    return target


def default_target(path: Path) -> Path:
    """Return ``x.pt`` for ``x.weights.h5``, ``x.h5`` and ``x.keras``, as translated programs load it."""
    for ending in _KERAS_ENDINGS:
        if path.name.endswith(ending):
            return path.with_name(path.name[: -len(ending)] + ".pt")
    return path.with_suffix(".pt")
