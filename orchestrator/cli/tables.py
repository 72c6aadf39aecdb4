"""What a person sees: progress while a run works, and the table at its end."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Table

from orchestrator.model import CheckResult, JobResult, RunResult, SeriesResult, Status, Transition, Verdict
from orchestrator.verdict import outcome

_COLOURS = {Verdict.PASS: "green", Verdict.FAIL: "red", Verdict.SKIP: "yellow", Verdict.INFRA: "magenta"}
_QUIET_STEP = 30.0
"""Seconds between two lines of one figure where the output is not a terminal."""


WIDTH = 120
"""Columns of what is printed where nobody tells the width: in a log file."""


def console(*, stderr: bool = False) -> Console:
    """Return a console as wide as the terminal, and of a fixed width elsewhere."""
    plain = Console(stderr=stderr)
    return plain if plain.is_terminal else Console(stderr=stderr, width=WIDTH)


_COUNTED = 100_000
"""From here on a figure is one of bytes, which nobody counts."""


def figure(done: float, total: float | None) -> str:
    """Return how far something is, in words: ``12 of 147``, ``45 %``, ``310 MB``."""
    if total is None:
        return f"{done:.0f}" if done < _COUNTED else f"{done / 1e6:.0f} MB"
    if total == 100 or total >= _COUNTED:
        return f"{100 * done / total:.0f} %"
    return f"{done:.0f} of {total:.0f}"


class Terminal:
    """Progress on a terminal as bars; elsewhere as lines, at most one each half minute for one figure."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._bars = Bars(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[figure]}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}
        self._said: dict[str, float] = {}

    def __enter__(self) -> Terminal:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def note(self, text: str) -> None:
        """Print one line that stays, with the time of day."""
        self.console.print(f"[dim]{time.strftime('%H:%M:%S')}[/dim]", text, highlight=False, soft_wrap=True)

    def advance(self, what: str, done: float, total: float | None) -> None:
        """Move the bar of ``what``; its end removes it."""
        if not self.console.is_terminal:
            self._say(what, done, total)
            return
        if what not in self._tasks:
            self._tasks[what] = self._bars.add_task(what, total=total, figure="")
        self._bars.update(self._tasks[what], completed=done, total=total, figure=figure(done, total))
        if total is not None and done >= total:
            self._bars.remove_task(self._tasks.pop(what))

    def _say(self, what: str, done: float, total: float | None) -> None:
        now = time.monotonic()
        if now - self._said.get(what, now - _QUIET_STEP / 2) >= _QUIET_STEP:
            self.note(f"{what}: {figure(done, total)}")
            self._said[what] = now
        self._said.setdefault(what, now)


def show(run: RunResult, console: Console, *, every_test: bool) -> None:
    """Print the outcome of a run: one table a series, a line a job, the verdict last.

    Without ``every_test``, transitions that are as expected and unchanged are counted, not listed.
    """
    _show_checks(run.checks, console)
    for series in run.series:
        _show_series(series, console, every_test)
    for job in run.single_jobs:
        _show_job(job, console)
    console.print()
    for note in run.notes:
        console.print(f"note: {note}", markup=False, highlight=False, soft_wrap=True)
    console.print(f"results   {run.directory}", highlight=False, soft_wrap=True)
    console.print(f"junit     {run.directory / 'junit.xml'}", highlight=False, soft_wrap=True)
    console.print(f"summary   {run.directory / 'summary.md'}", highlight=False, soft_wrap=True)
    console.print(f"page      {run.directory / 'report.html'}", highlight=False, soft_wrap=True)
    console.print(
        f"verdict   {_coloured(run.verdict)}   (exit code {run.exit_code}, {run.seconds:.0f} s)", highlight=False
    )


def _coloured(verdict: Verdict) -> str:
    return f"[bold {_COLOURS[verdict]}]{verdict.name}[/]"


def _show_checks(checks: Sequence[CheckResult], console: Console) -> None:
    """Print a line for each check that is not green, and one for all that are alike and green."""
    for name in dict.fromkeys(check.name for check in checks):
        alike = [check for check in checks if check.name == name]
        green = [check for check in alike if check.verdict is Verdict.PASS]
        if len(green) == len(alike) and len(alike) > 1:
            console.print(f"{name:10} {_coloured(Verdict.PASS)}   {len(green)} of {len(alike)}", highlight=False)
            continue
        for check in alike if len(alike) == 1 else [c for c in alike if c not in green]:
            line = f"{name:10} {_coloured(check.verdict)}   {escape(check.subject)}: {escape(check.message)}"
            console.print(line, highlight=False, soft_wrap=True)
            for detail in check.details if check.verdict is Verdict.FAIL else ():
                console.print(f"{'':17} {detail}", markup=False, highlight=False, soft_wrap=True)


def _show_series(series: SeriesResult, console: Console, every_test: bool) -> None:
    shown = [t for t in series.transitions if every_test or _worth_a_row(t)]
    table = Table(
        title=f"{series.series} on {series.tree}, variant {series.variant}", title_justify="left", header_style="bold"
    )
    for name in ("test", "base", "patched", "transition", "verdict"):
        table.add_column(name, no_wrap=True)
    table.add_column("note", overflow="fold")
    for items in _alike(sorted(shown, key=lambda t: (t.verdict is Verdict.PASS, t.test))):
        item = items[0]
        title = item.test if len(items) == 1 else f"{_row(item)} ×{len(items)}"
        verdict = _coloured(item.verdict)
        table.add_row(title, item.base.value, item.patched.value, item.words, verdict, escape(item.note))
    if shown:
        console.print(table)
    hidden = len(series.transitions) - len(shown)
    if hidden:
        console.print(f"{hidden} tests unchanged and as expected", highlight=False)
    for side in (series.base, series.patched):
        _show_job(side, console)
    for splat in series.new_splats:
        console.print(f"[red]new splat[/red] {escape(splat.title)} (during {splat.test or 'no test'})", highlight=False)
    for warning in series.new_warnings:
        console.print(f"new warning {warning.where}: {warning.text}", markup=False, highlight=False, soft_wrap=True)
    console.print(f"series    {_coloured(series.verdict)}   {escape(series.reason)}", highlight=False, soft_wrap=True)


def _alike(items: Iterable[Transition]) -> Iterator[list[Transition]]:
    """Gather what one row of the catalogue shows alike on several backings: ``Z07_x.memfd``, ``Z07_x.tmpfs``, …"""
    for _, group in itertools.groupby(items, lambda t: (_row(t), t.base, t.patched, t.verdict, t.note)):
        yield list(group)


def _row(item: Transition) -> str:
    return item.test.partition(".")[0]


def _worth_a_row(item: Transition) -> bool:
    return item.verdict is not Verdict.PASS or item.base.word != item.patched.word or item.patched is not Status.PASS


def _show_job(job: JobResult, console: Console) -> None:
    accel = job.identity.accel if job.identity else "no accelerator"
    counts = outcome.counts(test.status for suite in job.suites for test in suite.tests)
    why = "" if job.verdict is Verdict.PASS else f": {escape(job.reason)}"
    line = f"{job.side.value:8}  {_coloured(job.verdict)}   {counts or 'no test ran'}, under {accel}{why}"
    console.print(line, highlight=False, soft_wrap=True)
    for stage in job.stages:
        if stage.verdict is not Verdict.PASS:
            console.print(
                f"          {stage.stage.value}: {stage.message}", markup=False, highlight=False, soft_wrap=True
            )
            if stage.log:
                console.print(f"          log: {stage.log}", markup=False, highlight=False, soft_wrap=True)
