"""The formats of diagnostics, and the report."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from transpiler.diagnostics import CODES, Diagnostic, diagnostic
from transpiler.result import ModelSummary
from transpiler.writers import MAX_WIDTH, FileResult, render, report

SOURCE = "import keras\n\nx = keras.layers.Strange(3)\n"
FOUND = Diagnostic("KT101", "`Strange` is not supported", 3, 5, "write it by hand", "error", 3, 25)
NOTE = diagnostic("KT401", "the input size is unknown", 1, 1)


def one(*found: Diagnostic, file: str = "net.py", text: str = SOURCE) -> list[FileResult]:
    return [FileResult(file, text, found)]


def test_text_looks_like_ruffs() -> None:
    assert render(one(FOUND), "text") == (
        "net.py:3:5: KT101 `Strange` is not supported\n"
        "  |\n"
        "2 |\n"
        "3 | x = keras.layers.Strange(3)\n"
        "  |     ^^^^^^^^^^^^^^^^^^^^\n"
        "  |\n"
        "   = help: write it by hand\n"
        "\n"
    )


def test_text_is_in_the_order_of_lines_and_marks_notes() -> None:
    heads = [line for line in render(one(FOUND, NOTE), "text").splitlines() if line.startswith("net.py")]
    assert heads == [
        "net.py:1:1: KT401 [note] the input size is unknown",
        "net.py:3:5: KT101 `Strange` is not supported",
    ]


@pytest.mark.parametrize("line", [0, 2, 4, 99])
def test_a_line_that_is_not_there_or_empty_has_no_excerpt(line: int) -> None:
    text = render(one(Diagnostic("KT101", "m", line, 1)), "text")
    assert text == f"net.py:{line}:1: KT101 m\n\n"


def test_tabs_and_long_lines_keep_the_carets_below_what_is_meant() -> None:
    source = "\t" + "a" * 500 + "Bad()" + "b" * 500
    shown = render(one(Diagnostic("KT101", "m", 1, 502, end_line=1, end_column=505), text=source), "text").splitlines()
    line, carets = shown[2], shown[3]
    assert line[carets.index("^") : carets.rindex("^") + 1] == "Bad"
    assert len(line) <= MAX_WIDTH + 6


def test_nothing_from_a_program_reaches_the_terminal_as_control_characters() -> None:
    source = 'x = "\x1b[31mred\x07"\n'
    hostile = Diagnostic("KT101", "bad\x1b[2J\nname", 1, 1, "h\x1b")
    text = render([FileResult("a\x1bb.py", source, (hostile,))], "text")
    assert text.replace("\n", "").isprintable()
    assert text.startswith("a\ufffdb.py:1:1: KT101 bad\ufffd[2J name\n")


def test_json_has_every_field() -> None:
    (found,) = json.loads(render(one(FOUND), "json"))
    assert found == {
        "file": "net.py",
        "code": "KT101",
        "severity": "error",
        "message": "`Strange` is not supported",
        "hint": "write it by hand",
        "line": 3,
        "column": 5,
        "end_line": 3,
        "end_column": 25,
        "cell": None,
    }


def test_github_annotations_are_escaped() -> None:
    text = render(one(Diagnostic("KT101", "50% of\nit", 3, 5, "h"), NOTE, file="a,b:c.py"), "github")
    note, error = text.splitlines()
    assert note == (
        "::notice file=a%2Cb%3Ac.py,line=1,col=1,title=KT401 input size unknown%3A a lazy module is used"
        f"::a,b:c.py:1:1: KT401 the input size is unknown%0Ahelp: {CODES['KT401'].hint}"
    )
    assert error == (
        "::error file=a%2Cb%3Ac.py,line=3,col=5,title=KT101 Keras symbol not supported"
        "::a,b:c.py:3:5: KT101 50%25 of%0Ait%0Ahelp: h"
    )


def test_the_report_has_diagnostics_and_models() -> None:
    model = ModelSummary(
        "model", "Net", "Net(num_classes)", ({"name": "x", "shape": [None, 3]},), layers=({"name": "fc"},)
    )
    content = json.loads(report([FileResult("net.py", SOURCE, (FOUND,), (model,))]))
    assert [found["code"] for found in content["diagnostics"]] == ["KT101"]
    assert content["models"] == [
        {
            "file": "net.py",
            "name": "model",
            "class_name": "Net",
            "constructor": "Net(num_classes)",
            "inputs": [{"name": "x", "shape": [None, 3]}],
            "outputs": [],
            "layers": [{"name": "fc"}],
        }
    ]


# -- SARIF ----------------------------------------------------------------------------------------------------
# The part of the 2.1.0 schema that our logs use, closed with additionalProperties as the standard's own is. Written
# from the specification (sections 3.13 to 3.58), as the OASIS file itself is in no package that tests could install.
def closed(required: str, **properties: Any) -> dict[str, Any]:
    names = required.split()
    return {"type": "object", "required": names, "properties": properties, "additionalProperties": False}


TEXT = {"type": "string"}
MESSAGE = closed("text", text=TEXT)
LEVEL = {"enum": ["none", "note", "warning", "error"]}
POSITIVE = {"type": "integer", "minimum": 1}
REGION = closed("startLine", startLine=POSITIVE, startColumn=POSITIVE, endLine=POSITIVE, endColumn=POSITIVE)
ARTIFACT = closed("uri", uri={"type": "string", "format": "uri-reference", "pattern": r"^[^\s\\]*$"})
PHYSICAL = closed("artifactLocation", artifactLocation=ARTIFACT, region=REGION)
RULE = closed("id", id=TEXT, shortDescription=MESSAGE, help=MESSAGE, defaultConfiguration=closed("level", level=LEVEL))
DRIVER = closed("name", name=TEXT, version=TEXT, rules={"type": "array", "items": RULE, "uniqueItems": True})
LOGICAL = closed("name", name=TEXT)
LOCATION = closed("physicalLocation", physicalLocation=PHYSICAL, logicalLocations={"type": "array", "items": LOGICAL})
RESULT = closed(
    "message",
    ruleId=TEXT,
    ruleIndex={"type": "integer", "minimum": -1},
    level=LEVEL,
    message=MESSAGE,
    locations={"type": "array", "items": LOCATION},
    properties={"type": "object"},
)
RUN = closed(
    "tool",
    tool=closed("driver", driver=DRIVER),
    columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
    results={"type": "array", "items": RESULT},
)
SARIF = closed(
    "version runs",
    **{"$schema": {"type": "string", "format": "uri"}},
    version={"const": "2.1.0"},
    runs={"type": "array", "items": RUN},
)


def test_sarif_is_valid() -> None:
    in_cell = Diagnostic("KT201", "unknown", 1, 1, cell=3)
    log = json.loads(
        render([*one(FOUND, NOTE), FileResult("/tmp/ä b.py", "", (in_cell,)), FileResult("ok.py")], "sarif")
    )
    jsonschema.validate(log, SARIF, format_checker=jsonschema.FormatChecker())
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert all(rules[result["ruleIndex"]]["id"] == result["ruleId"] for result in run["results"])
    uris = [result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for result in run["results"]]
    assert uris == ["net.py", "net.py", "file:///tmp/%C3%A4%20b.py"]
    assert run["results"][1]["locations"][0]["physicalLocation"]["region"] == {
        "startLine": 3,
        "startColumn": 5,
        "endLine": 3,
        "endColumn": 25,
    }


def test_a_place_in_a_notebook_is_a_cell_in_every_format() -> None:
    found = Diagnostic("KT101", "`Strange` is not supported", 2, 5, "h", end_line=2, end_column=9, cell=3)
    result = FileResult("a.ipynb", "{}", (found,), cells={3: "import keras\nx = Strange()\n"})
    assert render([result], "text").startswith(
        "a.ipynb:cell 3:2:5: KT101 `Strange` is not supported\n  |\n1 | import keras\n2 | x = Strange()\n  |     ^^^^\n"
    )
    assert render([result], "github").startswith(
        "::error file=a.ipynb,line=1,col=1,title=KT101 Keras symbol not supported"
        "::a.ipynb:cell 3:2:5: KT101 `Strange` is not supported"
    )
    (plain,) = json.loads(render([result], "json"))
    assert (plain["cell"], plain["line"], plain["column"]) == (3, 2, 5)
    (shown,) = json.loads(render([result], "sarif"))["runs"][0]["results"]
    assert shown["locations"][0]["logicalLocations"] == [{"name": "cell 3"}]
    assert shown["locations"][0]["physicalLocation"]["region"] == {"startLine": 1, "startColumn": 1}
    assert "at: cell 3, line 2" in shown["message"]["text"]


def test_sarif_of_every_code_is_valid() -> None:
    log = json.loads(render(one(*(diagnostic(code, "m") for code in CODES)), "sarif"))
    jsonschema.validate(log, SARIF)


@pytest.mark.parametrize("form", ["text", "github"])
def test_nothing_found_prints_nothing(form: str) -> None:
    assert render([FileResult("net.py", SOURCE)], form) == ""


def test_every_code_has_a_known_severity_and_a_hint() -> None:
    for code, rule in CODES.items():
        assert rule.severity in ("error", "warning", "note"), code
        assert rule.title, code
        assert rule.hint, code
