"""State dicts to files: the whole file or nothing."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

ENDINGS = (".pt", ".pth", ".safetensors")


def write_state_dict(state: Mapping[str, torch.Tensor], path: str | Path) -> None:
    """Write a plain state dict as ``.pt`` (``torch.save``) or ``.safetensors``, by the name's ending."""
    path = Path(path).resolve()
    if path.suffix not in ENDINGS:
        raise ValueError(f"{path.name}: the name must end in .pt, .pth or .safetensors")
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        _save(state, temporary, path.suffix)
        temporary.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _save(state: Mapping[str, torch.Tensor], path: Path, ending: str) -> None:
    if ending == ".safetensors":
        from safetensors.torch import save_file

        save_file({key: tensor.contiguous() for key, tensor in state.items()}, path)
        return
    import torch

    torch.save(dict(state), path)


def _umask() -> int:
    """The process' umask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
