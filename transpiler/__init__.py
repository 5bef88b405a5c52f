"""Translate Keras programs into PyTorch programs that compute the same numbers.

from transpiler import Options, transpile

result = transpile(source, filename="keras_script.py", options=Options(drop_in=True))
"""

from __future__ import annotations

from transpiler.diagnostics import Diagnostic
from transpiler.options import Options
from transpiler.result import ModelSummary, Result

__version__ = "0.1.0"
__all__ = ["Diagnostic", "ModelSummary", "Options", "Result", "transpile"]


def transpile(source: str, filename: str = "<string>", options: Options | None = None) -> Result:
    """Translate the text of a Keras program. Never runs it, and needs neither Keras nor TensorFlow.

    A source that Python cannot parse comes back as it is, with a diagnostic (KT002).
    """
    from transpiler.pipeline import run
    from transpiler.source.read import ReadError

    try:
        return run(source, filename, options or Options())
    except ReadError as error:
        return Result(source, (error.diagnostic,))
