"""``--verify``: the original's models under real Keras against those of the translation, in child processes."""

from transpiler.verify.compare import Verdict, VerifyError, verify

__all__ = ["Verdict", "VerifyError", "verify"]
