"""Python's garbage collector, which finds nothing to do during a translation but looks again and again."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_paused() -> Iterator[None]:
    """Within: no garbage collection, which saves a quarter of the time; afterwards it is on again if it was before.

    Syntax trees are many small objects that all stay in use to the end, so that looking for cycles is in vain.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
