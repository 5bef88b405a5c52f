"""Writing files whole or not at all."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary file that takes the place of ``path`` when the block ends well, and is gone when it does not.

    An existing file keeps its mode, a link stays a link, and a device or pipe is written as it is.
    """
    if path.exists() and not path.is_file():
        yield path
        return
    target = path.resolve()
    handle, name = tempfile.mkstemp(prefix=f".{target.name[:100]}.", suffix=".tmp", dir=target.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(_mode_for(target))
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_atomic(path: Path, text: str, *, encoding: str = "utf-8", newline: str = "\n") -> None:
    """Write a text file so that nobody ever sees half of it."""
    data = (text if newline == "\n" else text.replace("\n", newline)).encode(encoding)
    with replacing(path) as temporary, temporary.open("wb") as stream:
        stream.write(data)
        stream.flush()


def _mode_for(target: Path) -> int:
    if target.exists():
        return stat.S_IMODE(target.stat().st_mode)
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask
