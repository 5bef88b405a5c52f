"""``--verify``: the original's models under real Keras against those of the translation, in child processes."""

from transpiler.verify.compare import DIFFERENT, EQUAL, NOT_COMPARABLE, Verdict, VerifyError, verify

__all__ = ["DIFFERENT", "EQUAL", "NOT_COMPARABLE", "Verdict", "VerifyError", "verify"]
