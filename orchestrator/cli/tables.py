"""What a person sees: progress while a run works, and the table at its end."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType

from orchestrator.cli import evidence
from orchestrator.cli.screen import Column, Part, Screen, Styled
from orchestrator.errors import InfraError
from orchestrator.model import CheckResult, JobResult, RunResult, SeriesResult, Status, Transition, Verdict, rundir
from orchestrator.progress import Minor
from orchestrator.report import tested
from orchestrator.verdict import outcome

_COLOURS = {Verdict.PASS: "green", Verdict.FAIL: "red", Verdict.SKIP: "yellow", Verdict.INFRA: "magenta"}
_QUIET_STEP = 30.0
"""Seconds between two lines of one figure where the output is not a terminal."""

_COUNTED = 100_000
"""From here on a figure is one of bytes, which nobody counts."""
_MINUTES = 100.0
"""Seconds from which on a time is told in minutes."""


def figure(done: float, total: float | None, left: float | None = None) -> str:
    """Return how far something is, in words: ``12 of 147``, ``45 %``, ``310 MB``, with the seconds that are left."""
    return _so_far(done, total) + (f", about {_time(left)} left" if left else "")


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < _MINUTES else f"{seconds / 60:.0f} min"


def _so_far(done: float, total: float | None) -> str:
    if total is None:
        return f"{done:.0f}" if done < _COUNTED else f"{done / 1e6:.0f} MB"
    if total == 100 or total >= _COUNTED:
        return f"{100 * done / total:.0f} %"
    return f"{done:.0f} of {total:.0f}"


class Terminal:
    """Progress on a terminal as bars; elsewhere as lines, at most one each half minute for one figure.

    What was said before is not said again, and details are not said at all, but where that is ``verbose``.
    """

    def __init__(self, screen: Screen, *, verbose: bool = False, quiet: bool = False) -> None:
        self.screen = screen
        self.verbose, self.quiet = verbose, quiet
        self._began = time.monotonic()
        self._lines: set[str] = set()
        self._bars = screen.bars()
        self._noted: dict[str, float] = {}

    def __enter__(self) -> Terminal:
        if not self.quiet:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def note(self, text: str) -> None:
        """Print one line that stays, with the time. Where it cannot be written, the work goes on without."""
        is_old = isinstance(text, Minor) or text in self._lines
        if self.quiet or (is_old and not self.verbose):
            return
        self._lines.add(text)
        with contextlib.suppress(InfraError):
            self.screen.line(Styled(self._time(), "dim"), " ", text)

    def _time(self) -> str:
        """Return the time of day for who looks on, and for a file the time since the beginning."""
        if self.screen.is_terminal:
            return time.strftime("%H:%M:%S")
        return f"{time.monotonic() - self._began:7.1f}s"

    def advance(self, what: str, done: float, total: float | None, left: float | None = None) -> None:
        """Move the bar of ``what``; its end removes it."""
        if self.quiet:
            return
        if self.screen.is_terminal:
            self._bars.move(what, done, total, figure(done, total, left))
        else:
            self._say(what, figure(done, total, left))

    def _say(self, what: str, words: str) -> None:
        now = time.monotonic()
        if now - self._noted.get(what, now - _QUIET_STEP / 2) >= _QUIET_STEP:
            self.note(f"{what}: {words}")
            self._noted[what] = now
        self._noted.setdefault(what, now)


def show_verdict(run: RunResult, screen: Screen) -> None:
    """Print the verdict of a run, and nothing else."""
    screen.line("verdict   ", _coloured(run.verdict), f"   (exit code {run.exit_code}, {run.seconds:.0f} s)")


def show(run: RunResult, screen: Screen, *, every_test: bool) -> None:
    """Print the outcome of a run: one table a series, a line a job, the verdict last.

    Without ``every_test``, transitions that are as expected and unchanged are counted, not listed.
    """
    _show_checks(run.checks, screen)
    for series in run.series:
        _show_series(series, screen, every_test)
    for job in run.single_jobs:
        _show_job(job, screen)
    for line in evidence.lines(run):
        screen.line(line)
    screen.line()
    for fact in tested.facts(run):
        screen.line(f"{fact.what:9} {fact.text}")
    for note in run.notes:
        screen.line(f"note: {note}")
    screen.line(f"results   {run.directory}")
    screen.line(f"junit     {run.directory / 'junit.xml'}")
    screen.line(f"summary   {run.directory / 'summary.md'}")
    screen.line(f"page      {run.directory / 'report.html'}")
    show_verdict(run, screen)


def _coloured(verdict: Verdict) -> Styled:
    return Styled(verdict.name, f"bold {_COLOURS[verdict]}")


def _show_checks(checks: Sequence[CheckResult], screen: Screen) -> None:
    """Print a line for each check that is not green, and one for all that are alike and green."""
    for name in dict.fromkeys(check.name for check in checks):
        alike = [check for check in checks if check.name == name]
        green = [check for check in alike if check.verdict is Verdict.PASS]
        if len(green) == len(alike) and len(alike) > 1:
            screen.line(f"{name:10} ", _coloured(Verdict.PASS), f"   {len(green)} of {len(alike)}")
            continue
        for check in alike if len(alike) == 1 else [c for c in alike if c not in green]:
            screen.line(f"{name:10} ", _coloured(check.verdict), f"   {check.subject}: {check.message}")
            for detail in check.details if check.verdict is Verdict.FAIL else ():
                screen.line(f"{'':17} {detail}")


_COLUMNS = (
    *(Column(name) for name in ("test", "base", "patched", "transition", "verdict")),
    Column("note", folded=True),
)


def _show_series(series: SeriesResult, screen: Screen, every_test: bool) -> None:
    shown = sorted(
        (t for t in series.transitions if every_test or _worth_a_row(t)),
        key=lambda t: (t.verdict is Verdict.PASS, t.test),
    )
    if shown:
        title = f"{series.series} on {series.tree}, variant {series.variant}"
        screen.table(title, _COLUMNS, [_cells(items) for items in _alike(shown)])
    if hidden := len(series.transitions) - len(shown):
        screen.line(f"{hidden} tests unchanged and as expected")
    for side in (series.base, series.patched):
        _show_job(side, screen)
    for splat in series.new_splats:
        screen.line(Styled("new splat", "red"), f" {splat.title} (during {splat.test or 'no test'})")
    for warning in series.new_warnings:
        screen.line(f"new warning {warning.where}: {warning.text}")
    if words := series.patched.coverage_words:
        page = f" ({series.patched.directory / rundir.COVERAGE_PAGE})" if series.patched.coverage else ""
        screen.line(f"coverage  {words}{page}")
    screen.line("series    ", _coloured(series.verdict), f"   {series.reason}")


def _cells(alike: Sequence[Transition]) -> tuple[Part, ...]:
    item = alike[0]
    title = item.test if len(alike) == 1 else f"{_row(item)} ×{len(alike)}"
    return title, item.base.value, item.patched.value, item.words, _coloured(item.verdict), item.note


def _alike(items: Iterable[Transition]) -> Iterator[list[Transition]]:
    """Gather what one row of the catalogue shows alike on several backings: ``Z07_x.memfd``, ``Z07_x.tmpfs``."""
    for _, group in itertools.groupby(items, lambda t: (_row(t), t.base, t.patched, t.verdict, t.note)):
        yield list(group)


def _row(item: Transition) -> str:
    return item.test.partition(".")[0]


def _worth_a_row(item: Transition) -> bool:
    return item.verdict is not Verdict.PASS or item.base.word != item.patched.word or item.patched is not Status.PASS


def _show_job(job: JobResult, screen: Screen) -> None:
    accel = job.identity.accel if job.identity else "no accelerator"
    counts = outcome.counts(test.status for suite in job.suites for test in suite.tests)
    why = "" if job.verdict is Verdict.PASS else f": {job.reason}"
    screen.line(f"{job.side.value:8}  ", _coloured(job.verdict), f"   {counts or 'no test ran'}, under {accel}{why}")
    for stage in job.stages:
        if stage.verdict is not Verdict.PASS:
            screen.line(f"          {stage.stage.value}: {stage.message}")
            if stage.log:
                screen.line(f"          log: {stage.log}")
