"""Results → verdicts. Pure.

One principle: guilty until proven innocent. What did not run did not pass, a retry never hides a failure, and an
expectation that does not hold is red in either direction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from orchestrator.model import Splat, StageResult, Status, SuiteRun, TestResult, Tree, Verdict
from orchestrator.model.expectations import NONE, Expectations
from orchestrator.verdict import findings
from orchestrator.verdict.findings import Judgement
from orchestrator.verdict.outcome import Outcome, counts, outcome, outcomes

Expected = Mapping[str, Expectations]
"""Suite name → its expectations; a suite without an entry expects nothing."""


def fold(verdicts: Iterable[Verdict]) -> Verdict:
    """Return one verdict for many: FAIL over INFRA over PASS over SKIP. Nothing at all is FAIL."""
    distinct = set(verdicts)
    return next((v for v in (Verdict.FAIL, Verdict.INFRA, Verdict.PASS, Verdict.SKIP) if v in distinct), Verdict.FAIL)


def judge_job(
    stages: Sequence[StageResult],
    suites: Sequence[SuiteRun],
    splats: Sequence[Splat],
    expected: Expected | None = None,
    column: str | None = None,
    tree: Tree | None = None,
) -> Judgement:
    """Judge one kernel by itself; the reason is one line.

    The order: fatal splat, KernelError, other splats, tests, InfraError, a suite in which nothing ran, all skipped. An
    oops stands before a lost connection, for the two race. Where the infrastructure failed without an oops, the tests
    that it cut off are its work, and the verdict is INFRA; what the others did is still a FAIL.
    Before them all stands that no kernel came up of a ``tree`` that lacks what its series is made for.
    """
    infra = findings.stage(stages, Verdict.INFRA)
    checks = (
        findings.not_up(stages, tree),
        findings.fatal(splats),
        findings.stage(stages, Verdict.FAIL),
        findings.unallowed(splats),
        _tests(suites, expected or {}, column, with_problems=infra is None),
        infra,
        findings.idle(suites),
        _skipped(suites),
    )
    return next(
        (finding for finding in checks if finding),
        (Verdict.PASS, counts(test.status for test in findings.all_tests(suites))),
    )


def _tests(suites: Sequence[SuiteRun], expected: Expected, column: str | None, with_problems: bool) -> Judgement | None:
    complaints = [f"{run.suite}: {problem}" for run in suites for problem in run.problems if with_problems]
    for run in suites:
        for test, shown in outcomes(run).items():
            complaint = _complaint(test, shown, expected.get(run.suite, NONE), column)
            if complaint and not (test in run.cut_off and shown.status in findings.CUT_OFF):
                complaints.append(complaint)
    more = f" (and {len(complaints) - 1} more)" if len(complaints) > 1 else ""
    return (Verdict.FAIL, complaints[0] + more) if complaints else None


def unexpected_tests(suites: Sequence[SuiteRun], expected: Expected, column: str | None) -> list[tuple[str, str]]:
    """Return the tests, each behind its suite, that do not show what is expected of them."""
    return [
        (run.suite, test)
        for run in suites
        for test, shown in outcomes(run).items()
        if _complaint(test, shown, expected.get(run.suite, NONE), column)
    ]


def _complaint(test: str, shown: Outcome, expected: Expectations, column: str | None) -> str | None:
    """Say what is wrong with one test on one kernel, or nothing."""
    if not expected.judged(test, column):
        return None
    if shown.flaky and shown.status.broken:
        return f"{test} is flaky: {shown.story}"
    if wanted := expected.of(test, column):
        unlike, story = shown.unlike(wanted), f": {shown.story}" if shown.flaky else ""
        return f"{test}: {unlike.value}, expected {wanted.value}{story}" if unlike else None
    return f"{test}: {shown.status.value}" if shown.status.broken else None


def unexpected(test: TestResult, expected: Expectations, column: str | None) -> str | None:
    """Say in what one result differs from what is expected of it, or nothing."""
    return _complaint(test.name, outcome(test.status), expected, column)


def _skipped(suites: Sequence[SuiteRun]) -> Judgement | None:
    tests = list(findings.all_tests(suites))
    if all(test.status is Status.SKIP for test in tests):
        why = next((f", {test.name}: {test.reason}" for test in tests if test.reason), "")
        return Verdict.SKIP, f"all {len(tests)} tests were skipped{why}"
    return None
