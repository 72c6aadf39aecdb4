"""What each prefix of a series must be for whoever bisects later: a kernel that boots and breaks nothing. Pure.

It is compared with the prefix before it, so that each fault is charged to one patch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from orchestrator.model import CheckResult, JobResult, Splat, Stage, SuiteRun, Transition, Verdict
from orchestrator.model.expectations import NONE, Entry, Expectations
from orchestrator.text import wording
from orchestrator.verdict import complaints, findings, outcome, series_verdict, transitions
from orchestrator.verdict.verdict import Expected

NAME = "bisectable"
_COLUMN = "prefix"
_MOST_NAMES = 3


def judge(subject: str, before: JobResult, done: JobResult, promised: Expected, column: str | None) -> CheckResult:
    """Judge the kernel after one patch against the one before it.

    ``promised`` is what the suites must show with the whole series, in ``column``: what shows that already is right.
    Tests are compared where both kernels ran any.
    """
    changes = changed(before, done, promised, column)
    new = complaints.new_splats(before.splats, done.splats)
    checks = (
        findings.not_up(done.stages, done.products.tree),
        findings.fatal(new),
        findings.stage(done.stages, Verdict.FAIL),
        findings.unallowed(new),
        findings.stage(done.stages, Verdict.INFRA),
        findings.idle(done.suites) if before.suites else None,
        series_verdict.charged(changes),
        series_verdict.problems(before, done) if before.suites else None,
        series_verdict.unknown(changes),
    )
    verdict, message = next((finding for finding in checks if finding), (Verdict.PASS, _summary(done, changes)))
    charged = [change for change in changes if change.verdict is Verdict.FAIL]
    details = tuple(f"{c.test}: {c.words}, {c.note}" for c in charged) if len(charged) > 1 else ()
    return CheckResult(NAME, subject, verdict, message, done.seconds, details, _log(done, new))


def lacking(base: JobResult, until: Stage) -> str:
    """Say why a base is nothing to compare with that was to come so far; empty where it is."""
    if failed := base.failed_stage:
        return f"{failed.stage.value}: {failed.message}"
    return "no test ran" if until is Stage.SUITE and not any(findings.all_tests(base.suites)) else ""


def changed(before: JobResult, done: JobResult, promised: Expected, column: str | None) -> Sequence[Transition]:
    """Return what a patch did to each test; what the whole series promises, or does not judge, is charged to nobody."""
    if not (before.suites and done.suites):
        return ()
    kept = {run.suite: _kept(run, promised.get(run.suite, NONE), column) for run in done.suites}
    return transitions.between(before, done, kept, None, _COLUMN)


def red(changes: Sequence[Transition]) -> Mapping[str, Sequence[str]]:
    """Return the tests that are charged, by suite."""
    return transitions.by_suite(change for change in changes if change.verdict is Verdict.FAIL)


def _log(done: JobResult, new: Sequence[Splat]) -> Path | None:
    """Return where a reader looks: at what failed a stage, else the console of a new splat, else the tests' output."""
    if done.failed_stage:
        return done.failed_stage.log
    outputs = [output for run in done.suites for output in run.outputs]
    return next((splat.console for splat in new), outputs[-1] if outputs else None)


def _kept(run: SuiteRun, promised: Expectations, column: str | None) -> Expectations:
    """Return as much of what is promised as this kernel keeps already, and what is not judged."""
    entries = []
    for test in run.tests:
        wanted, is_judged = promised.of(test.name, column), promised.judged(test.name, column)
        if not is_judged or (wanted and outcome.meets(test.status, wanted)):
            entries.append(Entry(test.name, ((_COLUMN, (wanted, is_judged)),), promised.why(test.name)))
    return Expectations((_COLUMN,), tests=tuple(entries))


def _summary(done: JobResult, changes: Sequence[Transition]) -> str:
    """Return how the tests went, and which turned to passing; of a kernel that was only booted, that it was."""
    if not done.suites:
        return "boots"
    better = [c.test for c in changes if c.verdict is Verdict.PASS and c.base.word != c.patched.word]
    turned = f"; {len(better)} turned to passing: {wording.some(better, _MOST_NAMES)}" if better else ""
    return outcome.counts(test.status for test in findings.all_tests(done.suites)) + turned
