"""What a person sees at the end of a run: tables, and the verdict last."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

from orchestrator.cli import evidence
from orchestrator.cli.screen import Column, Part, Screen, Styled
from orchestrator.model import CheckResult, JobResult, RunResult, SeriesResult, Status, Transition, Verdict, rundir
from orchestrator.report import groups, tested
from orchestrator.verdict import outcome

_COLOURS = {Verdict.PASS: "green", Verdict.FAIL: "red", Verdict.SKIP: "yellow", Verdict.INFRA: "magenta"}


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
    screen.line(f"junit     {run.directory / rundir.JUNIT}")
    screen.line(f"summary   {run.directory / rundir.SUMMARY}")
    screen.line(f"page      {run.directory / rundir.PAGE}")
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
    title = item.test if len(alike) == 1 else f"{groups.stem(item)} ×{len(alike)}"
    return title, item.base.value, item.patched.value, item.words, _coloured(item.verdict), item.note


def _alike(items: Iterable[Transition]) -> Iterator[list[Transition]]:
    """Gather what one test shows alike on several backings: ``Z07_x.memfd``, ``Z07_x.tmpfs``."""
    for _, group in itertools.groupby(items, lambda t: (groups.stem(t), t.base, t.patched, t.verdict, t.note)):
        yield list(group)


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
