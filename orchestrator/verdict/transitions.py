"""Two kernels, test by test: what it did on base and on patched, and whether that is charged to the series. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from orchestrator.model import JobResult, Status, Transition, Verdict
from orchestrator.model.expectations import NONE, Expectations
from orchestrator.verdict import cases, gone
from orchestrator.verdict.findings import Judgement
from orchestrator.verdict.gone import Key, Program
from orchestrator.verdict.outcome import (
    ABSENT,
    UNREACHED,
    Outcome,
    meets,
    outcome,
    outcomes,
    program_of,
    unbuilt,
    unnamed,
)
from orchestrator.verdict.verdict import Expected

_Outcomes = Mapping[Key, Outcome]


def judge(
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
    want_base, want_patched, base = expected.of(test, base_column), expected.of(test, patched_column), base.known
    if not (want_base or want_patched):  # an expectation is of the worst of the runs in one guest
        base, patched = base.counted, patched.counted
    if expected.judged(test, patched_column):
        verdict, note = (
            _flaky(base, patched)
            or _against(base, patched, want_base, want_patched, expected.why(test))
            or _words(base, patched)
        )
    else:
        verdict, note = Verdict.SKIP, NOT_JUDGED
    return Transition(test, base.status, patched.status, want_base, want_patched, verdict, note, suite)


def _flaky(base: Outcome, patched: Outcome) -> Judgement | None:
    """Judge tries that differ; None where they do not, and where the base shows their worst each time, or nothing.

    A base that skips at times is no excuse for a test that breaks at times.
    """
    if not patched.flaky or base.unknown:
        return None
    if base.status.word == "broken" and not base.flaky:
        return None
    if base.flaky and (base.status.word == "broken" or not patched.status.broken):
        return Verdict.SKIP, f"flaky on both: {base.story} on base, {patched.story} on patched"
    if patched.status.broken or base.status is Status.PASS:
        return Verdict.FAIL, f"flaky with the series only: {patched.story}"
    return None


def _against(
    base: Outcome, patched: Outcome, want_base: Status | None, want_patched: Status | None, why: str
) -> Judgement | None:
    """Judge by the expectations; None where they say nothing about the patched kernel and hold on the base.

    ``why`` is the reason that they give for what they expect.
    """
    if want_patched and (unlike := patched.unlike(want_patched)):
        promised = unlike is Status.SKIP and want_patched is Status.PASS
        what = "a promised feature is refused" if promised else f"expected {want_patched.value} on patched"
        story = f": {patched.story}" if patched.flaky else ""
        return Verdict.FAIL, f"{what}, got {unlike.value}{story}"
    if want_base and not base.flaky and not meets(base.status, want_base):
        if base.unknown:
            return (Verdict.INFRA, NOT_KNOWN) if base.reached else (Verdict.SKIP, NOT_REACHED)
        return Verdict.FAIL, f"expected {want_base.value} on base, got {base.status.value}"
    if want_patched is None:
        return None
    if patched.status is not Status.PASS:
        return Verdict.SKIP, f"{patched.status.value}, as expected" + (f": {why}" if why else "")
    return _words(base, patched)


NOT_JUDGED = "recorded, not judged"
"""What is said of a test that is expected to do anything."""
NOT_REACHED = "not reached: its program came to its end on neither kernel"
"""What is said of a case that only one kernel reached."""
NOT_KNOWN = "not known on the base, which has no result of it"
"""What is said of a test that did not run on the base, or may not have."""

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
    if not patched.reached or (not base.reached and patched.status is not Status.PASS):
        return Verdict.SKIP, NOT_REACHED
    if base.flaky:
        return _on_flaky_base(base, patched)
    if base.unknown and patched.status is not Status.PASS:
        verdict, note = _unknown(patched)
    elif patched.status is Status.XFAIL and base.status is Status.SKIP:
        verdict, note = Verdict.SKIP, "a failure that the test expects"
    else:
        verdict, note = _NOTES[base.status.word, patched.status.word]
    if patched.flaky:
        note = "; ".join(filter(None, (note, f"flaky with the series: {patched.story}")))
    return verdict, note


def _unknown(patched: Outcome) -> Judgement:
    """Judge a test that does not work with the series, and of which the base has no result: it may be no better."""
    if patched.unknown:
        return Verdict.SKIP, "missing on base too"
    return (Verdict.INFRA if patched.status.broken else Verdict.SKIP), NOT_KNOWN


_ENOUGH_TRIES = 3
"""So many tries with one outcome, of a test that has the same at times on the base, are more than its chance."""


def _on_flaky_base(base: Outcome, patched: Outcome) -> Judgement:
    """Judge a test whose tries differ on the base and not with the series.

    What the base shows at times is no excuse for showing it each time, where the base works more often than not: each
    time that a regression runs again is one more for the base to fail by chance.
    """
    if patched.status is Status.PASS:
        return Verdict.PASS, f"flaky on base: {base.story}"
    words, word = {status.word for status in base.tries}, patched.status.word
    how = "at times" if word in words else "never" if word == "broken" else "flaky"
    note = f"{word} each time with the series, {how} on base: {patched.story}, {base.story} on base"
    works = 2 * base.tries.count(Status.PASS) > len(base.tries)
    worse = (works and len(patched.tries) >= _ENOUGH_TRIES) or (how == "never" and patched.status.broken)
    return (Verdict.FAIL if worse else Verdict.SKIP), note


def between(
    base: JobResult,
    patched: JobResult,
    expected: Expected | None = None,
    base_column: str | None = None,
    patched_column: str | None = None,
) -> tuple[Transition, ...]:
    """Return one transition for each test of either kernel, sorted by suite and test.

    Of a job that ended at its first red, only what ran by then: of the others nothing is known.
    """
    base = cases.job_named_as(base, patched)
    before, after, shown = _by_test(base), _by_test(patched), shown_on(base)
    if any(run.stopped_at for run in patched.suites):
        before = {key: outcome for key, outcome in before.items() if key in after}
    named = before.keys()
    program = _programs(base, patched)
    missed = gone.tests(_statuses(before), _statuses(after), program)
    before = {key: outcome for key, outcome in before.items() if key in after or key in missed}
    cut, runs = _cut_on_both(before, after, program), {run.suite: run for run in patched.suites}

    def absent(suite: str, test: str) -> Outcome:
        """Return the outcome of a test that the patched kernel does not name: one that the base refuses may be gone."""
        if status := missed[suite, test]:
            return outcome(status)
        is_refused = before[suite, test].status is Status.SKIP
        return unnamed(runs.get(suite), test) if is_refused else ABSENT

    return tuple(
        judge(
            test,
            shown(suite, test) if (suite, test) in named or not cut(suite, test) else UNREACHED,
            after.get((suite, test)) or (UNREACHED if cut(suite, test) else absent(suite, test)),
            (expected or {}).get(suite, NONE),
            base_column,
            patched_column,
            suite,
        )
        for suite, test in sorted(before.keys() | after.keys())
    )


def undecided(base: JobResult, patched: JobResult) -> frozenset[Key]:
    """Return the tests that are as red with the series as the base is at times, and have had too few tries to tell."""
    before, after = _by_test(base), _by_test(patched)
    return frozenset(
        key
        for key in before.keys() & after.keys()
        if before[key].flaky
        and not after[key].flaky
        and after[key].status is not Status.PASS
        and len(after[key].tries) < _ENOUGH_TRIES
    )


def shown_on(base: JobResult) -> Callable[[str, str], Outcome]:
    """Return what says how a test of a suite went on the base, also of one that the base does not name.

    One of a program that does not build there is not known: that is no refusal.
    """
    known, runs = _by_test(base), {run.suite: run for run in base.suites}

    def shown(suite: str, test: str) -> Outcome:
        run = runs.get(suite)
        return known.get((suite, test)) or (ABSENT if run and unbuilt(run, test) else unnamed(run, test))

    return shown


def _cut_on_both(before: _Outcomes, after: _Outcomes, program: Program) -> Callable[[str, str], bool]:
    """Return what says of a case of a suite whether its program came to its end on neither kernel.

    Where a program is cut off is chance, be it by time or by a crash: a case that only one kernel reached before that
    is no regression.
    """
    cut = {key for key in before.keys() & after.keys() if not (before[key].ended or after[key].ended)}
    return lambda suite, test: program((suite, test)) in cut - {(suite, test)}


def _programs(*jobs: JobResult) -> Program:
    """Return what says which program of its suite a test belongs to."""
    names: dict[str, tuple[str, ...]] = {}
    for run in (run for job in jobs for run in job.suites):
        names[run.suite] = tuple(dict.fromkeys((*names.get(run.suite, ()), *run.programs)))
    return lambda key: (key[0], program_of(key[1], names.get(key[0], ())))


def counts(changes: Iterable[Transition]) -> str:
    """Return how many there are of each kind, in words; empty where there is none."""
    numbers = Counter("not reached" if change.note == NOT_REACHED else change.words for change in changes)
    return ", ".join(f"{number} {word}" for word, number in sorted(numbers.items()))


def _statuses(outcomes: _Outcomes) -> dict[Key, Status]:
    return {key: outcome.status for key, outcome in outcomes.items()}


def by_suite(changes: Iterable[Transition]) -> Mapping[str, tuple[str, ...]]:
    """Return the tests of transitions, by suite."""
    tests: dict[str, tuple[str, ...]] = {}
    for change in changes:
        tests[change.suite] = (*tests.get(change.suite, ()), change.test)
    return tests


def _by_test(job: JobResult) -> dict[Key, Outcome]:
    return {(run.suite, test): outcome for run in job.suites for test, outcome in outcomes(run).items()}
