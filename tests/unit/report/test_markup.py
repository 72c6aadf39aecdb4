"""Text of others in Markdown: shown as it is, whoever writes the document, and none of it is markup."""

from __future__ import annotations

import ast
import dataclasses
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

import orchestrator
from orchestrator.bisect import report as bisect
from orchestrator.bisect.gitbisect import Commit
from orchestrator.bisect.values import Outcome, Request, Role, State, Step
from orchestrator.model import Symptom, SymptomKind, Verdict
from orchestrator.mutation import page
from orchestrator.mutation.report import Baseline, Entry, Report, Section
from orchestrator.mutation.report import Outcome as Fate
from orchestrator.report import markdown, markup
from tests.fakes import results as fixture

PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
ROOT = Path(orchestrator.__file__).parent


def mutants(text: str) -> str:
    entry = Entry("k", text, "id", text, Fate.SURVIVED, (text, text), text, kept=(text,), every_test=True)
    baseline = Baseline("k", "s", {"T01": ()}, 1.0, (text,))
    return page.render(Report(text, (Section(text, baseline, (), 1, (entry,)),)), {"T01": text, "id": text})


def bisected(text: str) -> str:
    request = Request(text, text, Symptom(SymptomKind.TEST, text))
    state = State(request, "", (Step(1, Role.SEARCH, text, text, reason=text),))
    commit = Commit(text, text, text)
    return bisect.summary(Outcome(Verdict.FAIL, text, 1, state, Path(), commit, (commit,), 1.0, (text,)))


def spoken(value: Any, text: str) -> Any:
    """Return a result in which every reason, message, note and warning is one text."""
    if isinstance(value, tuple):
        return tuple(spoken(item, text) for item in value)
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return value
    names = {"reason", "message", "note", "notes", "text", "title", "run", "started", "mode"}
    changed = {}
    for field in dataclasses.fields(value):
        old = getattr(value, field.name)
        changed[field.name] = text if field.name in names and isinstance(old, str) else spoken(old, text)
    return dataclasses.replace(value, **changed)


def summary(text: str) -> str:
    run = fixture.run(fixture.series(*fixture.pair()))
    return markdown.render(spoken(dataclasses.replace(run, notes=("x",)), text))


def shape(document: str) -> Counter[str]:
    """Count what a document is made of: its headings, rows, links, code, and so on."""
    tokens = PARSER.parse(document)
    return Counter(t.type for token in tokens for t in (token, *(token.children or ())) if t.type != "text")


HOSTILE = (
    "<b>x</b>", "[x](http://y)", "![x](y)", "`x", "x|y", "*x*", "**x", "_x_", "~~x~~", "# x", "- x", "1. x", "> x",
    "---", "===", "```", "a\n# b\n\n    c", "| a |\n|---|", "&lt;x&gt; &#60;", "\\", "x\\", "<!-- x", "+ x", "1) x",
    "\x1b[31mx", "x\u202ey", "    x", "x  ", "http://x_y_z", "$x$", "{}", "{0}", "{x.y}", "[x]: http://y", "\\`",
)  # fmt: skip


@pytest.mark.parametrize("write", [mutants, bisected, summary])
@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_is_markup_in_any_document(write: Callable[[str], str], text: str) -> None:
    document = write(text)
    assert shape(document) == shape(write("x")), document
    assert "\x1b" not in document and "\u202e" not in document


@given(st.text("ax_*`#|\\<>[]()~-+=1. \n&;!{}", max_size=12).filter(lambda text: text.strip()))
@example("1.")
@settings(max_examples=400, deadline=None)
def test_a_text_is_one_text_wherever_a_line_has_it(text: str) -> None:
    for template in ("{}", "- {}", "## {}", "**a {}**"):
        found = PARSER.parse(markup.line(template, text).source)
        assert shape(markup.line(template, text).source) == shape(markup.line(template, "x").source), template
        inline = next(token for token in found if token.type == "inline")
        said = "".join(t.content for t in inline.children or () if t.type in {"text", "text_special"})
        assert said.removeprefix("a ") == " ".join(text.split()), template


def test_every_template_is_a_text_of_our_own() -> None:
    calls = [
        (path.name, call)
        for path in ROOT.rglob("*.py")
        if "import markup as md" in path.read_text()
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and ast.unparse(call.func) in {"md.line", "Markdown", "md.Markdown"}
    ]
    assert len(calls) > 50
    strange = [(name, ast.unparse(call)) for name, call in calls if not isinstance(call.args[0], ast.Constant)]
    assert [(name, text) for name, text in strange if text not in CONSTANTS] == []


CONSTANTS = {"md.line(_SEEDED)", "md.line(seen, tests - count, tests)"}
"""Templates that stand in a constant, for their length."""
