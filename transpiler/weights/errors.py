"""The one error of this part."""

from __future__ import annotations

from transpiler.diagnostics import Refusal


class WeightsError(Refusal):
    """A weight file that cannot be read, or does not fit the model (KT501)."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__("KT501", message, hint)
