"""What can be held against one kernel: each function returns a judgement, or None where there is nothing. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from orchestrator.model import Splat, Stage, StageResult, Status, SuiteRun, TestResult, Tree, Verdict

Judgement = tuple[Verdict, str]
"""A verdict, and the reason in one line."""

CUT_OFF = (Status.MISSING, Status.CRASHED, Status.ERROR)
"""What tests look like when the host failed while they ran: then they are no finding about the kernel."""


def fatal(splats: Sequence[Splat]) -> Judgement | None:
    """Return the first splat that ended a guest."""
    return next(((Verdict.FAIL, _splat_text(splat)) for splat in splats if splat.fatal), None)


def unallowed(splats: Sequence[Splat]) -> Judgement | None:
    """Return the first splat that no allow-list entry covers."""
    unexplained = [splat for splat in splats if splat.allowed_by is None]
    more = f" (and {len(unexplained) - 1} more)" if len(unexplained) > 1 else ""
    return (Verdict.FAIL, _splat_text(unexplained[0]) + more) if unexplained else None


def _splat_text(splat: Splat) -> str:
    during = f" during {splat.test}" if splat.test else ""
    return f"{splat.title}{during} (console line {splat.first_line})"


def stage(stages: Sequence[StageResult], verdict: Verdict) -> Judgement | None:
    """Return the first stage that ended with this verdict."""
    return next(((verdict, f"{s.stage.value}: {s.message or 'failed'}") for s in stages if s.verdict is verdict), None)


def not_up(stages: Sequence[StageResult], tree: Tree | None) -> Judgement | None:
    """Return why a kernel did not come up whose tree lacks what its series is made for.

    It goes before what that kernel complained of: nothing is known of the series.
    """
    lacking = tree is not None and tree.lacking
    return stage([s for s in stages if s.stage is not Stage.SUITE], Verdict.INFRA) if lacking else None


def idle(suites: Sequence[SuiteRun]) -> Judgement | None:
    """Return a suite in which no test ran: that is never green."""
    empty = next((f"{run.suite}: no test ran" for run in suites if not run.tests), None)
    return (Verdict.FAIL, empty or "no test ran") if empty or not suites else None


def all_tests(suites: Sequence[SuiteRun]) -> Iterator[TestResult]:
    """Return the tests of all suites."""
    return (test for run in suites for test in run.tests)
