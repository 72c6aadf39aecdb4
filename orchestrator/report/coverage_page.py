"""The diff of a series as a page: each changed line marked, whether it ran, and by which tests."""

from __future__ import annotations

from collections import Counter

from orchestrator.model.coverage import DiffFile, DiffLine, LineCoverage, Reach
from orchestrator.report import html
from orchestrator.text import plain, wording

MOST = 12
"""Tests that are named at one line; result files have all."""


def render(known: LineCoverage, job: str) -> str:
    """Return the page of a job."""
    template = html.templates().get_template("coverage.html.j2")
    rows = [(file, Counter(line.reach for line in file.changed)) for file in known.files]
    total = Counter(line.reach for _, line in known.changed)
    text = template.render(
        job=job, files=rows, total=total, known=known, Reach=Reach, tests=lambda line: tests(known, line), spans=_spans
    )
    return plain.printable(text)


def tests(known: LineCoverage, line: DiffLine) -> str:
    """Return by which tests a line ran, in words."""
    if line.reach is not Reach.RAN:
        return ""
    if known.by_guest:
        return "in a guest"
    return wording.some([known.tests[number] for number in line.tests], MOST) or "outside of any test"


def _spans(file: DiffFile) -> str:
    """Return the lines of a file that did not run, as ranges: ``12-14, 20``."""
    missed = [line.number for line in file.changed if line.reach is Reach.MISSED]
    ranges: list[list[int]] = []
    for number in missed:
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ", ".join(f"{first}" if first == last else f"{first}-{last}" for first, last in ranges)
