"""Where the nodes of a module stand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider


def positions_of(module: cst.Module) -> Mapping[cst.CSTNode, Any]:
    """Line and column ranges by node; the module itself is not copied, so identities hold."""
    wrapper = MetadataWrapper(module, unsafe_skip_copy=True)
    positions: Mapping[cst.CSTNode, Any] = wrapper.resolve(PositionProvider)
    return positions
