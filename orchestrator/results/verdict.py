"""Results → verdicts. Pure.

One principle: guilty until proven innocent. What did not run did not pass, a retry never hides a failure, and an
expectation that does not hold is red in either direction.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.model import (
    CompilerWarning,
    JobResult,
    SeriesResult,
    Splat,
    Stage,
    StageResult,
    Status,
    SuiteRun,
    TestResult,
    Transition,
    Verdict,
)
from orchestrator.results.expectations import NONE, Expectations

EXIT_USER = 2
EXIT_INTERRUPTED = 130
_EXITS = {Verdict.PASS: 0, Verdict.FAIL: 1, Verdict.INFRA: 3, Verdict.SKIP: 4}

Judgement = tuple[Verdict, str]
_CUT_OFF = (Status.MISSING, Status.CRASHED)
"""What tests look like when our own end of the connection was lost: then they are no finding about the kernel."""

Expected = Mapping[str, Expectations]
"""Suite name → its expectations; a suite without an entry expects nothing."""


@dataclass(frozen=True)
class Outcome:
    """What one test showed on one kernel, over all of its tries. ``status`` is the worst: retries do not launder."""

    status: Status
    tries: tuple[Status, ...]

    @property
    def flaky(self) -> bool:
        """Whether the tries differ in being broken."""
        return len({status.broken for status in self.tries}) > 1

    @property
    def story(self) -> str:
        """The tries in words: ``2 of 3 broken``."""
        return f"{sum(status.broken for status in self.tries)} of {len(self.tries)} tries broken"


def outcome(status: Status, earlier: Sequence[Status] = ()) -> Outcome:
    """Return the outcome of a test whose last try had this status."""
    tries = (*earlier, status)
    return Outcome(next((s for s in tries if s.broken), status), tries)


ABSENT = outcome(Status.MISSING)
"""The outcome of a test that the other kernel has and this one has not."""


def fold(verdicts: Iterable[Verdict]) -> Verdict:
    """Return one verdict for many: FAIL over INFRA over PASS over SKIP. Nothing at all is FAIL."""
    found = set(verdicts)
    return next((v for v in (Verdict.FAIL, Verdict.INFRA, Verdict.PASS, Verdict.SKIP) if v in found), Verdict.FAIL)


def exit_code(verdict: Verdict, *, user_error: bool = False, interrupted: bool = False) -> int:
    """Return the exit code of a run: 0 pass, 1 fail, 2 user's fault, 3 infrastructure, 4 skipped, 130 interrupted."""
    if interrupted:
        return EXIT_INTERRUPTED
    return EXIT_USER if user_error else _EXITS[verdict]


def judge_job(
    stages: Sequence[StageResult],
    suites: Sequence[SuiteRun],
    splats: Sequence[Splat],
    expected: Expected | None = None,
    column: str | None = None,
) -> Judgement:
    """Judge one kernel by itself; the reason is one line.

    The order: fatal splat, KernelError, other splats, tests, InfraError, a suite in which nothing ran, all skipped. An
    oops stands before a lost connection, for the two race. Where the infrastructure failed without an oops, tests that
    are missing or were cut off are its work, and the verdict is INFRA; tests that failed before are still a FAIL.
    """
    infra = _stage(stages, Verdict.INFRA)
    checks = (
        _fatal(splats),
        _stage(stages, Verdict.FAIL),
        _unallowed(splats),
        _tests(suites, expected or {}, column, cut_off=infra is not None),
        infra,
        _idle(suites),
        _skipped(suites),
    )
    return next((found for found in checks if found), (Verdict.PASS, _count(_all_tests(suites))))


def _fatal(splats: Sequence[Splat]) -> Judgement | None:
    return next(((Verdict.FAIL, _splat_text(splat)) for splat in splats if splat.fatal), None)


def _unallowed(splats: Sequence[Splat]) -> Judgement | None:
    found = [splat for splat in splats if splat.allowed_by is None]
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return (Verdict.FAIL, _splat_text(found[0]) + more) if found else None


def _splat_text(splat: Splat) -> str:
    during = f" during {splat.test}" if splat.test else ""
    return f"{splat.title}{during} (console line {splat.first_line})"


def _stage(stages: Sequence[StageResult], verdict: Verdict) -> Judgement | None:
    return next(((verdict, f"{s.stage.value}: {s.message or 'failed'}") for s in stages if s.verdict is verdict), None)


def _tests(suites: Sequence[SuiteRun], expected: Expected, column: str | None, cut_off: bool) -> Judgement | None:
    complaints = [] if cut_off else [f"{run.suite}: {problem}" for run in suites for problem in run.problems]
    for run in suites:
        for test, found in outcomes(run).items():
            complaint = _complaint(test, found, expected.get(run.suite, NONE), column)
            if complaint and not (cut_off and found.status in _CUT_OFF):
                complaints.append(complaint)
    more = f" (and {len(complaints) - 1} more)" if len(complaints) > 1 else ""
    return (Verdict.FAIL, complaints[0] + more) if complaints else None


def _complaint(test: str, found: Outcome, expected: Expectations, column: str | None) -> str | None:
    """Say what is wrong with one test on one kernel, or nothing."""
    if not expected.judged(test, column):
        return None
    if found.flaky:
        return f"{test} is flaky: {found.story}"
    if wanted := expected.of(test, column):
        return None if meets(found.status, wanted) else f"{test}: {found.status.value}, expected {wanted.value}"
    return f"{test}: {found.status.value}" if found.status.broken else None


def _idle(suites: Sequence[SuiteRun]) -> Judgement | None:
    empty = next((f"{run.suite}: no test ran" for run in suites if not run.tests), None)
    return (Verdict.FAIL, empty or "no test ran") if empty or not suites else None


def _skipped(suites: Sequence[SuiteRun]) -> Judgement | None:
    tests = list(_all_tests(suites))
    if all(test.status is Status.SKIP for test in tests):
        return Verdict.SKIP, f"all {len(tests)} tests were skipped"
    return None


def _all_tests(suites: Sequence[SuiteRun]) -> Iterator[TestResult]:
    return (test for run in suites for test in run.tests)


def _count(tests: Iterable[TestResult]) -> str:
    found = [test.status for test in tests]
    return ", ".join(f"{found.count(s)} {s.value}" for s in Status if s in found)


def outcomes(run: SuiteRun) -> dict[str, Outcome]:
    """Return each test's outcome, retries counted in."""
    earlier = dict(run.retried)
    return {test.name: outcome(test.status, earlier.get(test.name, ())) for test in run.tests}


def meets(status: Status, wanted: Status) -> bool:
    """Whether a status is the expected one. XFAIL is a failure that the test itself expected."""
    return status is wanted or {status, wanted} == {Status.FAIL, Status.XFAIL}


def transition(
    test: str,
    base: Outcome,
    patched: Outcome,
    expected: Expectations = NONE,
    base_column: str | None = None,
    patched_column: str | None = None,
    suite: str = "",
) -> Transition:
    """Judge one test from base to patched.

    PASS: it works with the series. FAIL: charged to the series, or an expectation that does not hold. SKIP: said, and
    neither to its credit nor its fault.
    """
    want_base, want_patched = expected.of(test, base_column), expected.of(test, patched_column)
    if expected.judged(test, patched_column):
        verdict, note = (
            _flaky(base, patched) or _against(base, patched, want_base, want_patched) or _words(base, patched)
        )
    else:
        verdict, note = Verdict.SKIP, "recorded, not judged"
    return Transition(test, base.status, patched.status, want_base, want_patched, verdict, note, suite)


def _flaky(base: Outcome, patched: Outcome) -> Judgement | None:
    if patched.flaky and base.flaky:
        return Verdict.SKIP, f"flaky on both: {base.story} on base, {patched.story} on patched"
    if patched.flaky:
        return Verdict.FAIL, f"flaky with the series only: {patched.story}"
    return None


def _against(
    base: Outcome, patched: Outcome, want_base: Status | None, want_patched: Status | None
) -> Judgement | None:
    """Judge by the expectations; None where they say nothing about the patched kernel and hold on the base."""
    if want_patched and not meets(patched.status, want_patched):
        promised = patched.status is Status.SKIP and want_patched is Status.PASS
        what = "a promised feature is refused" if promised else f"expected {want_patched.value} on patched"
        return Verdict.FAIL, f"{what}, got {patched.status.value}"
    if want_base and not base.flaky and not meets(base.status, want_base):
        return Verdict.FAIL, f"expected {want_base.value} on base, got {base.status.value}"
    if want_patched is None:
        return None
    if patched.status is not Status.PASS:
        return Verdict.SKIP, f"{patched.status.value}, as expected"
    return _words(base, patched)


_NOTES: Mapping[tuple[str, str], Judgement] = {
    ("works", "works"): (Verdict.PASS, ""),
    ("refused", "works"): (Verdict.PASS, "new with the series"),
    ("broken", "works"): (Verdict.PASS, "fixed by the series"),
    ("works", "broken"): (Verdict.FAIL, "regression"),
    ("refused", "broken"): (Verdict.FAIL, "offered with the series, and broken"),
    ("works", "refused"): (Verdict.FAIL, "regression: no longer offered"),
    ("broken", "broken"): (Verdict.SKIP, "broken on base too"),
    ("broken", "refused"): (Verdict.SKIP, "broken on base, not offered with the series"),
    ("refused", "refused"): (Verdict.SKIP, ""),
}


def _words(base: Outcome, patched: Outcome) -> Judgement:
    if base.flaky and patched.status is Status.PASS:
        return Verdict.PASS, f"flaky on base: {base.story}"
    if patched.status is Status.XFAIL and base.status is Status.SKIP:
        return Verdict.SKIP, "a failure that the test expects"
    return _NOTES[base.status.word, patched.status.word]


def transitions(
    base: JobResult,
    patched: JobResult,
    expected: Expected | None = None,
    base_column: str | None = None,
    patched_column: str | None = None,
) -> tuple[Transition, ...]:
    """Return one transition for each test of either kernel, sorted by suite and test."""
    before, after = _by_test(base), _by_test(patched)
    return tuple(
        transition(
            test,
            before.get((suite, test), ABSENT),
            after.get((suite, test), ABSENT),
            (expected or {}).get(suite, NONE),
            base_column,
            patched_column,
            suite,
        )
        for suite, test in sorted(before.keys() | after.keys())
    )


def _by_test(job: JobResult) -> dict[tuple[str, str], Outcome]:
    return {(run.suite, test): found for run in job.suites for test, found in outcomes(run).items()}


def judge_series(
    base: JobResult,
    patched: JobResult,
    expected: Expected | None = None,
    base_column: str | None = None,
    patched_column: str | None = None,
) -> SeriesResult:
    """Judge what a series changed. The base only informs: what it shows too is said, and not charged."""
    both_ran = bool(base.suites and patched.suites)  # else there is one reason, and no test to blame
    changes = transitions(base, patched, expected, base_column, patched_column) if both_ran else ()
    known = {splat.title for splat in base.splats}
    new = tuple(s for s in patched.splats if s.title not in known and (s.fatal or s.allowed_by is None))
    verdict, reason = _series(base, patched, changes, new)
    return SeriesResult(
        tree=patched.tree,
        series=patched.series or "",
        variant=patched.variant,
        base=base,
        patched=patched,
        transitions=changes,
        new_splats=new,
        new_warnings=_new_warnings(base, patched),
        verdict=verdict,
        reason=reason,
    )


def _series(base: JobResult, patched: JobResult, changes: Sequence[Transition], new: Sequence[Splat]) -> Judgement:
    infra = _infra(patched)
    checks = (
        _stage([s for s in patched.stages if s.stage is Stage.SERIES], Verdict.FAIL),
        _base(base),
        _fatal(new),
        _stage(patched.stages, Verdict.FAIL),
        _unallowed(new),
        _charged(changes, cut_off=infra is not None),
        infra,
        _problems(base, patched),
        _idle(patched.suites),
    )
    return next((found for found in checks if found), _sum(changes))


def _infra(job: JobResult) -> Judgement | None:
    """Return the failure of the infrastructure; a connection lost after an oops is the oops' work, not its own."""
    died = any(splat.fatal for splat in job.splats)
    return _stage([s for s in job.stages if not (died and s.stage is Stage.SUITE)], Verdict.INFRA)


def _base(base: JobResult) -> Judgement | None:
    """Say why there is nothing to compare with: then nobody knows what the series did."""
    built = [stage for stage in base.stages if stage.stage is not Stage.SUITE]
    found = _stage(built, Verdict.FAIL) or _infra(base)
    if found:
        return Verdict.INFRA, f"no verdict, for the base failed: {found[1]}"
    if not any(_all_tests(base.suites)):
        return Verdict.INFRA, "no verdict, for no test ran on the base"
    return None


def _charged(changes: Sequence[Transition], cut_off: bool) -> Judgement | None:
    red = [c for c in changes if c.verdict is Verdict.FAIL and not (cut_off and c.patched in _CUT_OFF)]
    more = f" (and {len(red) - 1} more)" if len(red) > 1 else ""
    return (Verdict.FAIL, f"{red[0].test}: {red[0].words}, {red[0].note}{more}") if red else None


def _problems(base: JobResult, patched: JobResult) -> Judgement | None:
    known = {(run.suite, problem) for run in base.suites for problem in run.problems}
    new = [f"{r.suite}: {p}" for r in patched.suites for p in r.problems if (r.suite, p) not in known]
    return (Verdict.FAIL, new[0]) if new else None


def _sum(changes: Sequence[Transition]) -> Judgement:
    words = [change.words for change in changes]
    counts = ", ".join(f"{words.count(word)} {word}" for word in sorted(set(words)))
    verdict = fold(change.verdict for change in changes)
    return verdict, counts or "nothing was compared"


def _new_warnings(base: JobResult, patched: JobResult) -> tuple[CompilerWarning, ...]:
    """Return the warnings that only patched has, by file and text: a patch moves lines.

    Where one file has the same text more often than before, the last ones are the new ones.
    """
    known = Counter((w.where.partition(":")[0], w.text) for w in base.warnings)
    new = []
    for warning in patched.warnings:
        known[warning.where.partition(":")[0], warning.text] -= 1
        if known[warning.where.partition(":")[0], warning.text] < 0:
            new.append(warning)
    return tuple(new)
