"""``python -m transpiler``."""

from __future__ import annotations

from transpiler.cli import main

if __name__ == "__main__":
    main()
