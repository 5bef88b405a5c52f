"""State dicts to files: the whole file or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from transpiler.source.write import replacing

if TYPE_CHECKING:
    import torch

ENDINGS = (".pt", ".pth", ".safetensors")


def write_state_dict(state: Mapping[str, torch.Tensor], path: str | Path) -> None:
    """Write a plain state dict as ``.pt`` (``torch.save``) or ``.safetensors``, by the name's ending."""
    path = Path(path)
    if path.suffix not in ENDINGS:
        raise ValueError(f"{path.name}: the name must end in .pt, .pth or .safetensors")
    with replacing(path) as temporary:
        _save(state, temporary, path.suffix)


def _save(state: Mapping[str, torch.Tensor], path: Path, ending: str) -> None:
    if ending == ".safetensors":
        from safetensors.torch import save_file

        save_file({key: tensor.contiguous() for key, tensor in state.items()}, path)
        return
    import torch

    torch.save(dict(state), path)
