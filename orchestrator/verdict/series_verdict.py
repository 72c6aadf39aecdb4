"""Base and patched → the verdict on the series. Pure.

The base only informs: what it shows too is reported, and not charged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from orchestrator.model import JobResult, SeriesResult, Splat, Stage, Status, Transition, Verdict
from orchestrator.parse import printk
from orchestrator.text import wording
from orchestrator.verdict import cases, complaints, findings, transitions, verdict
from orchestrator.verdict.findings import Judgement
from orchestrator.verdict.verdict import Expected


def judge(
    base: JobResult,
    patched: JobResult,
    expected: Expected | None = None,
    base_column: str | None = None,
    patched_column: str | None = None,
) -> SeriesResult:
    """Judge what a series changed. The base only informs: what it shows too is reported, and not charged.

    A case that has another name on the base has that of the patched kernel in the result.
    """
    base = cases.job_named_as(base, patched)
    both_ran = bool(base.suites and patched.suites)  # else there is one reason, and no test to blame
    changed = transitions.between(base, patched, expected, base_column, patched_column) if both_ran else ()
    changes = _spared(changed, base, patched)
    new = complaints.new_splats(base.splats, patched.splats)
    judged, reason = _series(base, patched, changes, new)
    return SeriesResult(
        tree=patched.tree,
        series=patched.series or "",
        variant=patched.variant,
        base=base,
        patched=patched,
        transitions=changes,
        new_splats=new,
        new_warnings=complaints.new(base.warnings, patched.warnings),
        verdict=judged,
        reason=reason,
    )


def _series(base: JobResult, patched: JobResult, changes: Sequence[Transition], new: Sequence[Splat]) -> Judgement:
    checks = (
        findings.stage([s for s in patched.stages if s.stage is Stage.SERIES], Verdict.FAIL),
        _base(base),
        findings.not_up(patched.stages, patched.products.tree),
        findings.fatal(new),
        findings.stage(patched.stages, Verdict.FAIL),
        findings.unallowed(new),
        charged(changes),
        _infra(patched),
        problems(base, patched),
        findings.idle(patched.suites),
        unknown(changes),
    )
    return next((finding for finding in checks if finding), _sum(changes))


def _infra(job: JobResult) -> Judgement | None:
    """Return the failure of the infrastructure; a connection lost after an oops is the oops' work, not its own.

    Where a test was cut off, or a suite did not begin, the host did that, whatever oops there was in another test.
    """
    died = any(splat.fatal for splat in job.splats)
    excused = died and all(run.tests and not run.cut_off for run in job.suites)
    return findings.stage([s for s in job.stages if not (excused and s.stage is Stage.SUITE)], Verdict.INFRA)


def _base(base: JobResult) -> Judgement | None:
    """Say why there is nothing to compare with: then nobody knows what the series did."""
    built = [stage for stage in base.stages if stage.stage is not Stage.SUITE]
    finding = findings.stage(built, Verdict.FAIL) or _infra(base)
    if finding:
        return Verdict.INFRA, f"no verdict, for the base failed: {finding[1]}"
    if not any(findings.all_tests(base.suites)):
        return Verdict.INFRA, "no verdict, for no test ran on the base"
    return None


def _spared(changes: Sequence[Transition], base: JobResult, patched: JobResult) -> tuple[Transition, ...]:
    """Return transitions of which those charge nobody that the host cut off on either kernel."""
    on_base, on_patched = _cut_off(base), _cut_off(patched)
    return tuple(
        replace(change, verdict=Verdict.INFRA, note="cut off: the host failed")
        if on_base(change, change.base) or on_patched(change, change.patched)
        else change
        for change in changes
    )


def _cut_off(job: JobResult) -> Callable[[Transition, Status], bool]:
    """Return what says whether the host cut a test of a job off, or kept its suite from naming it."""
    failed = findings.stage(job.stages, Verdict.INFRA) is not None
    cut = {(run.suite, test) for run in job.suites for test in run.cut_off}
    named = {(run.suite, test.name) for run in job.suites for test in run.tests}

    def is_cut_off(change: Transition, status: Status) -> bool:
        key = change.suite, change.test
        if key in named:
            return key in cut and status in findings.CUT_OFF
        return failed and status is Status.MISSING

    return is_cut_off


def charged(changes: Sequence[Transition]) -> Judgement | None:
    """Return the first test that is charged, and how many more there are."""
    red = [c for c in changes if c.verdict is Verdict.FAIL]
    more = f" (and {len(red) - 1} more)" if len(red) > 1 else ""
    return (Verdict.FAIL, f"{red[0].test}: {red[0].words}, {red[0].note}{more}") if red else None


def unknown(changes: Sequence[Transition]) -> Judgement | None:
    """Return the first test of which nobody knows whether it is to be charged."""
    return next(((Verdict.INFRA, f"{c.test}: {c.note}") for c in changes if c.verdict is Verdict.INFRA), None)


def problems(base: JobResult, patched: JobResult) -> Judgement | None:
    """Return the first problem of a suite that the base has not: a number in it may be another each time.

    A guest that a splat ended is judged by that: the same may end it in a test of the base, and here between two.
    """
    known = {(run.suite, wording.numberless(problem)) for run in base.suites for problem in run.problems}
    judged = _words_of_fatal(patched.splats)
    new = (
        f"{run.suite}: {problem}"
        for run in patched.suites
        for problem in run.problems
        if (run.suite, wording.numberless(problem)) not in known and not any(words in problem for words in judged)
    )
    return next(((Verdict.FAIL, problem) for problem in new), None)


def _words_of_fatal(splats: Sequence[Splat]) -> set[str]:
    """Return the lines of splats that ended a guest: they are judged as splats, also where a problem quotes one."""
    lines = (line for splat in splats if splat.fatal for line in splat.text.splitlines())
    return {words for line in lines if (words := printk.message(line).strip())}


def _sum(changes: Sequence[Transition]) -> Judgement:
    return verdict.fold(change.verdict for change in changes), transitions.counts(changes) or "nothing was compared"
