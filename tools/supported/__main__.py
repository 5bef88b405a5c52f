"""Write docs/supported.md, or with ``--check`` say whether it is up to date."""

from __future__ import annotations

import os
import sys

os.environ.setdefault("KERAS_BACKEND", "torch")  # before anything imports Keras

from tools.supported.cases import ROOT
from tools.supported.page import page

PAGE = ROOT / "docs" / "supported.md"


def main(arguments: list[str]) -> int:
    """Run the command; 1 if the page is out of date."""
    text = page()
    if "--check" not in arguments:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(text, encoding="utf-8")
        return 0
    if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == text:
        return 0
    print(f"{PAGE.name} is out of date: run `python -m tools.supported`", file=sys.stderr)
    return 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
