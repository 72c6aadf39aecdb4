"""Output of a program with its own words for its cases → a report, as ``config.LineFormat`` says.

Pure but for reading files.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from orchestrator.config.suites import LineFormat
from orchestrator.model import Status, TestResult
from orchestrator.parse.ktap import Report
from orchestrator.parse.ktap_nesting import MOST_NAME
from orchestrator.parse.reasons import LONGEST, Finder
from orchestrator.text import plain

_BLANK = re.compile(r"[\s/]+")


def parse(text: str, form: LineFormat) -> Report:
    """Read the output of one program; blanks in names become ``-``, so that a name fits a glob and a file.

    A case that did not say how it ended is an ERROR, and so is a word that ``outcomes`` lacks. The count at the end
    must be there, and be right. The reason of a case that failed is in what was printed before it, of one that has no
    end in what came after.
    """
    return _report(plain.lines([text]), form)


def parse_file(path: Path, form: LineFormat) -> Report:
    """Read the output of one program from a file, as ``parse`` does, without holding all of it in memory."""
    return _report(plain.lines(plain.pieces(path)), form)


def _report(lines: Iterable[tuple[str, bool]], form: LineFormat) -> Report:
    results: list[TestResult] = []
    totals: list[int] = []
    before = Finder()
    open_ = 0
    for line, ended in lines:
        if match := re.search(form.case, line):
            _explain(results, before)
            results.append(_result(match, form, before))
            open_ = int(not (ended and match["outcome"]))
            before = Finder()
            before.take(line[match.end() :], comment=False)
        else:
            before.take(line, comment=False)
        totals += [_number(match["total"])] if (match := re.search(form.total, line)) else []
    _explain(results, before)
    problems = tuple(_problems(results, totals))
    return Report(tuple(results), problems, not problems, tuple(results[: len(results) - open_]), problems)


def _number(text: str) -> int:
    """Return a count; -1, which no count of cases is, where it is none."""
    return int(text) if text.isdecimal() and len(text) < 10 else -1


def _explain(results: list[TestResult], after: Finder) -> None:
    """Put what came after a case that did not say how it ended to its reason."""
    if results and results[-1].status is Status.ERROR and after.text:
        results[-1] = replace(results[-1], reason=f"{results[-1].reason}: {after.text}")


def _result(match: re.Match[str], form: LineFormat, before: Finder) -> TestResult:
    groups = match.groupdict()
    name, word = _BLANK.sub("-", groups["name"].strip())[:MOST_NAME], groups["outcome"]
    if word not in form.outcomes:
        reason = f"says {word[:80]!r}, which is no known outcome" if word else "did not say how it ended"
        return TestResult(name, Status.ERROR, reason)
    status = Status(form.outcomes[word])
    reason = groups.get("reason") or (before.text if status.broken else "")
    return TestResult(name, status, reason[:LONGEST])


def _problems(tests: Sequence[TestResult], totals: list[int]) -> list[str]:
    problems = []
    if not tests:
        problems.append("no line of a case")
    if len(totals) != 1:
        problems.append(f"{len(totals)} closing lines with a count" if totals else "no closing line: it did not end")
    elif totals[0] != len(tests):
        problems.append(f"{len(tests)} cases, and {totals[0]} by its own count")
    names = Counter(test.name for test in tests)
    return problems + [f"{name}: {count} cases of that name" for name, count in names.most_common(20) if count > 1]
