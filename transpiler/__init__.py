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

    A source that Python cannot parse comes back as it is, with a diagnostic (KT002). With a ``filename`` that ends in
    ``.ipynb`` the source is the JSON text of a notebook, and so is the result's code; diagnostics then have the number
    of their ``cell`` (all cells counted, from 1), and their ``line`` is a line of that cell.
    """
    from transpiler.pipeline import run, run_notebook
    from transpiler.source.read import ReadError

    try:
        translate = run_notebook if filename.endswith(".ipynb") else run
        return translate(source, filename, options or Options())
    except ReadError as error:
        return Result(source, (error.diagnostic,))
