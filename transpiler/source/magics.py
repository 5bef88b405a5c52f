"""IPython's own syntax in a code cell: masked by names while the cell is Python, put back afterwards.

``%magic`` and ``!shell`` lines become a name of the same indentation, ``x = !ls`` becomes ``x = name()``. The code
behind ``%time`` and its like is the program's own: it stands between two such names, so that it is translated.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field

_TIMED = "time|timeit|prun|memit|mprun|lprun"
TIMED = re.compile(rf"%(?:{_TIMED})\b")  # a line magic with Python behind it
CELL_MAGICS = frozenset(f"capture|{_TIMED}".split("|"))  # those that run their cell as Python, in the notebook's names
_CELL_MAGIC = re.compile(r"%%(\w*)")
_DIRECTIVE = re.compile(r"#[ \t]?@|#\|")  # `#@title` of Colab, `#| export` of nbdev: they count at the top only
_ESCAPED = re.compile(r"[ \t]*[%!?/,;]")
_ASSIGNED = re.compile(r"(?P<head>[ \t]*[\w.,\s\[\]*]+=[ \t]*)(?P<magic>[%!].*)", re.DOTALL)
_HELP = re.compile(r"[ \t]*[\w.%*]*[\w*]\?\??[ \t]*;?$")
_NAMES = re.compile(r"magic_[0-9a-f]{16}_\d+_\d+_(?:\(\))?")
_BARE = re.compile(
    r"(pip|conda|mamba|cd|ls|ll|cat|cp|mv|rm|mkdir|rmdir|run|env|load_ext|reload_ext|matplotlib|autoreload|time|timeit)"
    r"[ \t]+[\w./~$\"'-]"
)
_TIMED_LINE = re.compile(rf"{TIMED.pattern}(?:[ \t]+--?[A-Za-z][\w-]*(?:[ \t]*\d+)?(?=[ \t]))*[ \t]+")
_TOKENS = re.compile(
    r"""(?P<string>\"\"\"(?:\\.|(?!\"\"\").)*\"\"\"|'''(?:\\.|(?!''').)*'''|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')"""
    r"|(?P<comment>\#[^\n]*)|(?P<joined>\\\n)|(?P<end>\n)|(?P<open>[(\[{])|(?P<close>[)\]}])|[^\"'\#\\\n(\[{)\]}]+|.",
    re.DOTALL,
)


def cell_magics(source: str) -> tuple[list[str], str]:
    """The names of the ``%%`` lines that a cell starts with, and these lines (with those that must stay at the top)."""
    names: list[str] = []
    head: list[str] = []
    for line in source.split("\n"):
        found = _CELL_MAGIC.match(line)
        if found is None and (names or line.strip()) and _DIRECTIVE.match(line) is None:
            break
        head.append(f"{line}\n")
        if found is not None:
            names.append(found[1])
            if found[1] not in CELL_MAGICS:
                break
    return names, "".join(head) if "".join(head).strip() else ""


@dataclass
class Mask:
    """Takes IPython's syntax out of the text of one cell. ``prefix`` starts the names that stand for it."""

    prefix: str
    lines: list[str] = field(default_factory=list)
    origins: list[tuple[int, int]] = field(default_factory=list)  # by line: the cell's line from 1, columns cut off
    masked: dict[str, str] = field(default_factory=dict)  # what each name stands for
    timed: dict[str, str] = field(default_factory=dict)  # by the name before code of the program's: its magic

    @property
    def text(self) -> str:
        """The cell as Python."""
        return "".join(f"{line}\n" for line in self.lines)

    def add(self, source: str, first: int) -> None:
        """Mask the text of a cell, whose first line has the number ``first``."""
        for number, logical in _logical_lines(source):
            self._line(logical, first + number)

    def add_plain(self, source: str, first: int) -> None:
        """Take text that is Python as it is."""
        lines = source.split("\n")
        self.lines += lines
        self.origins += [(first + at, 0) for at in range(len(lines))]

    def names(self, line: str) -> list[str]:
        """The names in a line that stand for something."""
        return re.findall(rf"{self.prefix}\d+_", line)

    def _line(self, logical: str, number: int) -> None:
        body = logical.lstrip(" \t")
        indent = logical[: len(logical) - len(body)]
        assigned = _ASSIGNED.fullmatch(logical)
        if (timed := _TIMED_LINE.match(body)) is not None and _is_python(code := body[timed.end() :].rstrip(" ;")):
            name = self._name(body)
            self.timed[name] = timed[0]
            self._put([f"{indent}{name}begin", indent + code, f"{indent}{name}end"], number, timed.end())
        elif _is_escaped(body):
            self._put([indent + self._name(body)], number)
        elif assigned is not None:
            self._put([f"{assigned['head']}{self._name(assigned['magic'])}()"], number)
        else:
            self.add_plain(logical, number)

    def _put(self, lines: list[str], number: int, cut: int = 0) -> None:
        self.lines += lines
        self.origins += [(number, cut)] * len(lines)

    def _name(self, text: str) -> str:
        name = f"{self.prefix}{len(self.masked)}_"
        self.masked[name] = text
        return name

    def collapsed(self, code: str) -> str:
        """``code``, made of this cell's, with each ``%time`` and its code as one name again."""
        pattern = rf"^([ \t]*)({self.prefix}\d+_)begin\n(.*?)^[ \t]*\2end$"
        return re.sub(pattern, self._collapsed, code, flags=re.DOTALL | re.MULTILINE) if self.timed else code

    def _collapsed(self, found: re.Match[str]) -> str:
        """What stands for the magic: where its code has become a block, the magic is only told of."""
        indent, name, inner = found.groups()
        one_line = _on_one_line(inner)
        if one_line is None:
            self.masked[name] = f"# {self.timed[name].strip()}"
            return f"{indent}{name}\n{inner.rstrip()}"
        self.masked[name] = f"{self.timed[name]}{one_line}" if one_line else "pass"
        return f"{indent}{name}" if one_line or indent else ""

    def explained(self, message: str) -> str:
        """A message about this cell with what its names stand for."""
        if self.prefix not in message:
            return message
        return re.sub(rf"({self.prefix}\d+_)(?:\(\))?", lambda found: self.masked[found[1]], message)

    def restored(self, code: str) -> str:
        """``code``, made of this cell's, with IPython's syntax in it again; messages in it only speak of a magic."""
        pattern = rf"(^[ \t]*|= ?)({self.prefix}\d+_)(?:\(\))?(?=;|[ \t]*(?:#.*)?$)"
        whole, count = re.subn(pattern, lambda found: found[1] + self.masked[found[2]], code, flags=re.MULTILINE)
        if self.masked and count != sum(_stands_for(node, self.prefix) for node in ast.walk(ast.parse(code))):
            raise ValueError("a magic got into an expression")
        return _NAMES.sub("a magic", whole)


def _stands_for(node: ast.AST, prefix: str) -> bool:
    return isinstance(node, ast.Name) and node.id.startswith(prefix)


def _on_one_line(code: str) -> str | None:
    """Statements on one line, if none of them is a block."""
    plain = textwrap.dedent(code).strip()
    if "\n" not in plain:
        return plain
    statements = ast.parse(plain).body
    if any(hasattr(statement, "body") for statement in statements):
        return None
    segments = [ast.get_source_segment(plain, statement) or "" for statement in statements]
    return "; ".join(
        ast.unparse(statement) if "\n" in segment else segment
        for statement, segment in zip(statements, segments, strict=True)
    )


def _is_escaped(body: str) -> bool:
    return any(pattern.match(body) for pattern in (_ESCAPED, _HELP, _BARE))


def _is_python(code: str) -> bool:
    try:
        ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return bool(code)


def _logical_lines(source: str) -> Iterator[tuple[int, str]]:
    """The lines of a cell, those joined by brackets, strings and backslashes as one, each with its number from 0."""
    at = number = 0
    while at < len(source):
        end = _end_of_line(source, at)
        yield number, source[at:end]
        number += source.count("\n", at, end + 1)
        at = end + 1


def _end_of_line(source: str, at: int) -> int:
    """Where the logical line that starts at ``at`` ends."""
    if _ESCAPED.match(source, at):
        return _end_of_escaped(source, at)
    depth = 0
    for found in _TOKENS.finditer(source, at):
        kind = found.lastgroup
        if kind == "open":
            depth += 1
        elif kind == "close":
            depth -= 1
        elif kind == "end" and depth <= 0:
            return found.start()
    return len(source)


def _end_of_escaped(source: str, at: int) -> int:
    """A line of IPython's ends where it ends, unless with a backslash; quotes mean nothing in it."""
    while True:
        end = source.find("\n", at)
        if end < 0:
            return len(source)
        if source[end - 1 : end] != "\\":
            return end
        at = end + 1
