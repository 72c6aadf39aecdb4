"""A row of cells, one a run, the newest at the right: by letter as well as by colour. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from markupsafe import Markup, escape

from orchestrator.history import classify
from orchestrator.history.values import Run, Test
from orchestrator.model import Status, Verdict
from orchestrator.site.values import Cell, Track
from orchestrator.text import plain, wording
from orchestrator.verdict import outcome

LETTERS = {
    Status.PASS: "✓",
    Status.FAIL: "F",
    Status.SKIP: "–",
    Status.XFAIL: "x",
    Status.ERROR: "E",
    Status.TIMEOUT: "T",
    Status.CRASHED: "C",
    Status.MISSING: "?",
}
CLASSES = {Status.PASS: "p", Status.SKIP: "s", Status.XFAIL: "x"}
"""Of a cell; every other status is ``f``."""
_VERDICTS = {Verdict.PASS: ("p", "✓"), Verdict.FAIL: ("f", "F"), Verdict.SKIP: ("s", "–"), Verdict.INFRA: ("i", "I")}
_MOST_REASON = 160


def letter(test: Test) -> str:
    """Return the letter of a test; one whose tries contradict one another has a wave."""
    return "~" if outcome.differ(test.tries) else LETTERS[test.status]


def describe(test: Test) -> str:
    """Return what a test showed, in words: every try, how long the last one took, why."""
    tries = " → ".join(status.value for status in test.tries)
    seconds = "" if test.seconds is None else f", {test.seconds:.2f} s"
    reason = f": {wording.cut(plain.visible(test.reason), _MOST_REASON)}" if test.reason else ""
    return f"{tries}{seconds}{reason}"


def when(run: Run) -> str:
    """Return when a run began, in UTC, to the minute."""
    return f"{run.started:%Y-%m-%d %H:%M}"


def of_track(track: Track, page: Callable[[Run], str | None]) -> Markup:
    """Return the strip of a test in a job. Cells of another setting than the newest one are pale."""
    newest = next((cell.job for cell in track.cells if cell.test and cell.job and cell.job.identity), None)
    setting = classify.setting(newest.identity) if newest and newest.identity else None
    return _strip([_cell(cell, setting, page) for cell in track.seen])


def of_runs(runs: Sequence[Run], page: Callable[[Run], str | None]) -> Markup:
    """Return the strip of the verdicts of runs, newest first; one that is incomplete has a dashed border."""
    cells = []
    for run in runs:
        kind, sign = _VERDICTS[run.verdict]
        left = "" if run.complete else f", incomplete: {len(run.missing)} jobs did not run"
        words = f"{when(run)} {run.verdict.name}{left}"
        cells.append(_tile(kind if run.complete else f"{kind} cut", sign, words, page(run)))
    return _strip(cells)


def counts(track: Track) -> str:
    """Return the sum of a strip: ``52 pass, 8 fail in 60 runs``."""
    tests = [cell.test for cell in track.cells if cell.test]
    sums = outcome.counts(test.status for test in tests)
    return f"{sums} in {len(tests)} runs" if len(tests) > 1 else f"{sums} in 1 run"


def _cell(cell: Cell, setting: tuple[str, ...] | None, page: Callable[[Run], str | None]) -> str:
    if cell.test is None:
        words = "not in this run" if cell.job else "the job did not run"
        return _tile("o", "\N{MIDDLE DOT}", f"{when(cell.run)} {words}", None)
    kind, under = CLASSES.get(cell.test.status, "f"), ""
    if cell.job and cell.job.identity:
        under = f", under {cell.job.identity.accel}"
        if setting and classify.setting(cell.job.identity) != setting:
            kind, under = f"{kind} pale", f"{under}, another setting"
    return _tile(kind, letter(cell.test), f"{when(cell.run)} {describe(cell.test)}{under}", page(cell.run))


def _tile(kind: str, sign: str, words: str, href: str | None) -> str:
    title = escape(words)
    if href is None:
        return f'<b class="{kind}" title="{title}">{sign}</b>'
    return f'<a class="{kind}" title="{title}" href="{escape(href)}">{sign}</a>'


def _strip(tiles: Sequence[str]) -> Markup:
    """Return the strip. It is laid out from the right, so that the newest is seen where it is too wide."""
    return Markup(f'<div class="strip">{"".join(tiles)}</div>')
