"""Output of a program with its own words for its cases → a report, as ``config.LineFormat`` says. Pure."""

from __future__ import annotations

import re
from collections import Counter

from orchestrator import plain
from orchestrator.config.schema import LineFormat
from orchestrator.model import Status, TestResult
from orchestrator.parse.ktap import Report

_BLANK = re.compile(r"[\s/]+")


def parse(text: str, form: LineFormat) -> Report:
    """Read what one program said; blanks in names become ``-``, so that a name fits a glob and a file.

    A case that did not say how it ended is an ERROR, and so is a word that ``outcomes`` lacks. The count at the end
    must be there, and be right.
    """
    whole, rest = plain.split(text)
    lines = [*whole, rest]
    tests = tuple(_result(found, form) for line in lines if (found := re.search(form.case, line)))
    totals = [int(found["total"]) for line in lines if (found := re.search(form.total, line))]
    problems = tuple(_problems(tests, totals))
    return Report(tests, problems, complete=not problems)


def _result(found: re.Match[str], form: LineFormat) -> TestResult:
    groups = found.groupdict()
    name, word = _BLANK.sub("-", groups["name"].strip()), groups["outcome"]
    if word not in form.outcomes:
        reason = f"says {word!r}, which is no known outcome" if word else "did not say how it ended"
        return TestResult(name, Status.ERROR, reason)
    return TestResult(name, Status(form.outcomes[word]), groups.get("reason") or "")


def _problems(tests: tuple[TestResult, ...], totals: list[int]) -> list[str]:
    problems = []
    if not tests:
        problems.append("no line of a case")
    if len(totals) != 1:
        problems.append(f"{len(totals)} closing lines with a count" if totals else "no closing line: it did not end")
    elif totals[0] != len(tests):
        problems.append(f"{len(tests)} cases, and {totals[0]} by its own count")
    names = Counter(test.name for test in tests)
    return problems + [f"{name}: {count} cases of that name" for name, count in names.items() if count > 1]
