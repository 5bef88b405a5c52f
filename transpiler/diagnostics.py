"""What the tool tells its users: the diagnostic type and the table of codes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """One kind of diagnostic: its severity, a one-line title, and what to do in general."""

    severity: str  # "error", "warning" or "note"
    title: str
    hint: str


CODES: dict[str, Rule] = {
    "KT001": Rule("error", "cannot read the file", "give a readable Python file or notebook"),
    "KT002": Rule("error", "cannot parse the file", "fix the syntax; Python 2 sources need `2to3` first"),
    "KT003": Rule("error", "cannot translate a cell", "correct the cell, or write its PyTorch twin by hand"),
    "KT101": Rule("error", "Keras symbol not supported", "replace it, or write its PyTorch twin by hand"),
    "KT102": Rule("error", "argument not supported", "remove the argument or write this layer by hand"),
    "KT103": Rule("error", "wrong arguments for a Keras call", "check the call against Keras' documentation"),
    "KT104": Rule("error", "shapes do not fit", "check the input shapes; Keras would refuse this too"),
    "KT105": Rule("error", "not supported by this tool yet", "rewrite this part by hand"),
    "KT201": Rule("error", "a value must be known to build the model", "use a constant, or trace a call with --entry"),
    "KT202": Rule(
        "error", "a limit of the evaluator was reached", "simplify the program, or trace a call with --entry"
    ),
    "KT203": Rule("error", "a branch depends on a value known only at run time", "fix the condition, or use --entry"),
    "KT204": Rule("error", "Python construct not supported where a model is built", "rewrite it with plainer Python"),
    "KT205": Rule("error", "the program would fail here", "fix the program"),
    "KT206": Rule(
        "error",
        "a module of the project cannot be had",
        "check the import, or translate the files together: `transpile DIR`",
    ),
    "KT301": Rule("error", "training option not supported", "write this part of the training by hand"),
    "KT302": Rule("error", "method not supported", "write this step by hand"),
    "KT303": Rule("error", "one statement builds different models", "give each model its own statement"),
    "KT401": Rule("note", "input size unknown: a lazy module is used", "give the input shape to fix the size"),
    "KT402": Rule("note", "initialiser differs", "pass --init keras"),
    "KT403": Rule("note", "a class of another file is written here", "nothing need be done"),
    "KT404": Rule("note", "left out: nothing that the program computes depends on it", "draw or log it by hand"),
    "KT405": Rule("note", "pretrained weights come from a file", "make the file once with --weights"),
    "KT501": Rule("error", "weight file does not fit", "check that file and program belong together"),
    "KT502": Rule("error", "the numbers are not Keras'", "do not use this model; please report it with the input"),
    "KT999": Rule("error", "internal error", "please report it with the input; TRANSPILER_DEBUG=1 shows the details"),
}


@dataclass(frozen=True)
class Diagnostic:
    """One finding. ``line`` from 1, ``column`` from 1; ``cell`` is set for notebooks (from 1)."""

    code: str
    message: str
    line: int = 1
    column: int = 1
    hint: str = ""
    severity: str = "error"
    end_line: int | None = None
    end_column: int | None = None
    cell: int | None = None


def diagnostic(
    code: str, message: str, line: int = 1, column: int = 1, *, hint: str | None = None, severity: str | None = None
) -> Diagnostic:
    """Make a :class:`Diagnostic` with the table's hint and severity where none are given."""
    rule = CODES[code]
    return Diagnostic(code, message, line, column, hint or rule.hint, severity or rule.severity)


class Refusal(Exception):
    """Raised by rules and the evaluator where something cannot be translated; becomes a :class:`Diagnostic`.

    The evaluator adds the position of the call that it was working on.
    """

    def __init__(self, code: str, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
