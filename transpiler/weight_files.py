"""``--weights``: a Keras weight file in, a plain state dict in a file out. Needs the extra ``weights``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from transpiler.diagnostics import Refusal
from transpiler.result import ModelChoiceError, Result
from transpiler.source.write import replacing

if TYPE_CHECKING:
    import torch

_KERAS_ENDINGS = (".weights.h5", ".h5", ".hdf5", ".keras")
_TORCH_ENDINGS = (".pt", ".pth")


class WeightsError(Exception):
    """The weights cannot be converted; ``status`` is the exit status that says so."""

    def __init__(self, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.status = status


def convert_weights(result: Result, path: Path, out: Path | None, model: str | None) -> Path:
    """Convert a weight file for a model of the result; return what was written."""
    target = out or default_target(path)
    if target.resolve() == path.resolve():
        raise WeightsError(f"the output {target} is the weight file itself; it would be overwritten", 2)
    if target.suffix not in (*_TORCH_ENDINGS, ".safetensors"):
        raise WeightsError(f"cannot write {target}: its name must end in .pt or .safetensors", 2)
    if not path.is_file():
        raise WeightsError("there is no such file", 2)
    try:
        _save(result.state_dict(path, model), target)
    except ImportError as error:
        message = f"needs the package `{error.name}`: pip install 'transpiler[weights]'"
        raise WeightsError(message, 2) from error
    except (ModelChoiceError, Refusal) as error:
        raise WeightsError(str(error)) from error
    except OSError as error:
        raise WeightsError(f"{error.strerror or error}", 2) from error
    return target


def default_target(path: Path) -> Path:
    """Return ``x.pt`` for ``x.weights.h5``, ``x.h5`` and ``x.keras``, as translated programs load it."""
    for ending in _KERAS_ENDINGS:
        if path.name.endswith(ending):
            return path.with_name(path.name[: -len(ending)] + ".pt")
    return path.with_suffix(".pt")


def _save(state: dict[str, torch.Tensor], target: Path) -> None:
    with replacing(target) as temporary:
        if target.suffix == ".safetensors":
            from safetensors.torch import save_file

            save_file({key: tensor.contiguous() for key, tensor in state.items()}, temporary)
        else:
            import torch

            torch.save(state, temporary)
