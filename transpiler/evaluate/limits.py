"""Bounds on what the evaluator does for a program, so that no input makes it hang or grow."""

from __future__ import annotations

from transpiler.diagnostics import Refusal

MAX_STEPS = 200_000  # expressions and statements interpreted in all
MAX_LOOP_STEPS = 8_000  # within one loop that builds nothing
MAX_OPEN_STEPS = 10_000  # in code that may or may not run, before calls in it are no longer followed again
MAX_BUILDING_TURNS = 10_000  # of one loop that builds, where its length is known
MAX_OPEN_TURNS = 1_000  # of a `while` that builds
MAX_DEPTH = 60  # nested calls of the program's functions
MAX_ITEMS = 200_000  # elements of one container
MAX_TEXT = 1_000_000  # characters of one string
MAX_INTEGER = 2**63
MAX_NODES = 20_000  # calls in all graphs


class LimitReached(Refusal):
    """A bound was hit; the message says which."""

    def __init__(self, what: str) -> None:
        super().__init__("KT202", f"{what}: the evaluator gives up here")


class LoopBudgetSpent(Exception):
    """A loop that builds nothing ran for long enough; what it computes becomes unknown."""
