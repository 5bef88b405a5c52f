"""What is known of the Keras API, one file a family. Importing this package registers every rule."""

from __future__ import annotations

import pkgutil
from importlib import import_module


def _discover() -> None:
    for found in pkgutil.iter_modules(__path__):
        import_module(f"{__name__}.{found.name}")


_discover()
