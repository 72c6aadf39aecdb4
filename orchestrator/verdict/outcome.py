"""What one test showed on one kernel: its tries, and whether that is what was wanted. Pure."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from orchestrator.model import Status, SuiteRun, TestResult
from orchestrator.model.outcomes import BUILDS
from orchestrator.parse import runs


@dataclass(frozen=True)
class Outcome:
    """What one test showed on one kernel, over all of its tries. ``status`` is the worst: retries do not launder.

    It is not ``reached`` where its program was cut off before it, as on the other kernel: it says nothing of either.
    ``runs`` are those that one guest made of a test with one try, where there were several.
    """

    status: Status
    tries: tuple[Status, ...]
    reached: bool = True
    runs: tuple[Status, ...] = ()

    @property
    def counted(self) -> Outcome:
        """The outcome with each run as a try."""
        return replace(self, tries=self.runs or self.tries)

    @property
    def known(self) -> Outcome:
        """The outcome by those of its tries that have a result; itself where none has."""
        tries = tuple(status for status in self.tries if status is not Status.MISSING)
        return replace(self, status=worst(tries), tries=tries) if tries else self

    @property
    def ended(self) -> bool:
        """Whether it came to its end, whatever that was."""
        return self.status not in _UNFINISHED

    @property
    def unknown(self) -> bool:
        """Whether it has no result of any try."""
        return set(self.tries) == {Status.MISSING}

    @property
    def flaky(self) -> bool:
        """Whether the tries differ."""
        return differ(self.tries)

    @property
    def story(self) -> str:
        """The tries in words: ``2 of 3 tries broken``."""
        if how := _GENTLY.get(self.status):
            return f"{self.tries.count(self.status)} of {len(self.tries)} tries {how}"
        return f"{sum(status.broken for status in self.tries)} of {len(self.tries)} tries broken"

    def unlike(self, wanted: Status) -> Status | None:
        """Return the worst of the tries that are not as expected; None where each of them is."""
        return next((status for status in (self.status, *self.tries) if not meets(status, wanted)), None)


_GENTLY = {Status.XFAIL: "failed as expected", Status.SKIP: "skipped"}
"""What is no pass and not broken either, the worse first; how the tries of it are told."""


def outcome(status: Status, earlier: Sequence[Status] = ()) -> Outcome:
    """Return the outcome of a test whose last try had this status."""
    tries = (*earlier, status)
    return Outcome(worst(tries), tries)


def worst(tries: Collection[Status]) -> Status:
    """Return what several tries come to: the first that is broken, else a failure that was expected, else a skip."""
    broken = next((status for status in tries if status.broken), None)
    return broken or next((status for status in _GENTLY if status in tries), Status.PASS)


def differ(tries: Iterable[Status]) -> bool:
    """Whether tries contradict one another: of what worked, was refused and was broken there is more than one."""
    return len({status.word for status in tries}) > 1


ABSENT = outcome(Status.MISSING)
"""The outcome of a test that the other kernel has and this one should have had."""
UNREACHED = replace(ABSENT, reached=False)
"""The outcome of a case that the other kernel has, of a program which came to its end on neither."""
_NOT_OFFERED = outcome(Status.SKIP)
_UNFINISHED = {Status.ERROR, Status.TIMEOUT, Status.CRASHED, Status.MISSING}


def program_of(test: str, programs: tuple[str, ...] = ()) -> str:
    """Return the program of a test: a result of several has its name before a dot, and the name may have dots too."""
    return named_program(test, programs) or test.partition(".")[0]


@functools.lru_cache(maxsize=2**16)  # each case that the base does not name is held against all that it does
def named_program(test: str, programs: tuple[str, ...]) -> str | None:
    """Return which of these programs a test is, or is a case of (``program.case``; of several the longest)."""
    return max((name for name in programs if test == name or test.startswith(f"{name}.")), key=len, default=None)


def unnamed(run: SuiteRun | None, test: str) -> Outcome:
    """Return the outcome of a test that a kernel does not name: on the base, it may be new with the series.

    It is refused where its suite and its program came to their end without it; else nobody knows, and it is missing.
    What is wrong with another program says nothing of it.
    """
    if run is None or not run.tests or run.cut_off or run.stopped_at:
        return ABSENT
    program = program_of(test, run.programs)
    others = {*run.programs} - {program}
    if any(problem.partition(": ")[0] not in others for problem in run.problems):
        return ABSENT
    theirs = _of_program(run, program)
    return ABSENT if any(_is_cut_off(other, program) for other in theirs) else _NOT_OFFERED


def unbuilt(run: SuiteRun, test: str) -> TestResult | None:
    """Return what stands in a run for the program of a test, where it did not build there; None where it did."""
    program = program_of(test, run.programs)
    theirs = _of_program(run, program)
    is_so = [(one.name, one.status) for one in theirs] == [(f"{program}.{BUILDS}", Status.FAIL)]
    return theirs[0] if is_so else None


def _of_program(run: SuiteRun, program: str) -> list[TestResult]:
    return [test for test in run.tests if program_of(test.name, run.programs) == program]


def _is_cut_off(test: TestResult, program: str) -> bool:
    """Whether a result says that its program was cut off; a case that is late or in error is one that has ended."""
    return test.status in (_UNFINISHED if test.name == program else {Status.CRASHED, Status.MISSING})


def outcomes(run: SuiteRun) -> dict[str, Outcome]:
    """Return each test's outcome, retries counted in."""
    earlier = dict(run.retried)
    return {
        test.name: outcome(test.status, earlier[test.name])
        if test.name in earlier
        else replace(outcome(test.status), runs=runs_of(test))
        for test in run.tests
    }


def runs_of(test: TestResult) -> tuple[Status, ...]:
    """Return the runs that a test says it had, if that is what its status came from: it may print what it likes."""
    statuses = runs.statuses(test)
    return statuses if statuses and outcome(statuses[-1], statuses[:-1]).status.word == test.status.word else ()


def meets(status: Status, wanted: Status) -> bool:
    """Whether a status is the expected one. XFAIL is a failure that the test itself expected."""
    return status is wanted or {status, wanted} == {Status.FAIL, Status.XFAIL}


def merged(first: SuiteRun, again: SuiteRun) -> SuiteRun:
    """Return a suite of which some tests ran once more: each has its last status, and all earlier ones are kept.

    What the host cut off the second time is no outcome.
    """
    known = {test.name: test for test in first.tests}
    repeated = {test.name: test for test in again.tests if test.name not in again.cut_off}
    repeated |= skipped(again, known)
    known_skips = skipped(first, repeated)
    earlier, newer = dict(first.retried), dict(again.retried)
    earlier |= {name: (Status.SKIP, *newer.get(name, ())) for name in known_skips}
    for name in repeated.keys() & known.keys():
        earlier[name] = (*earlier.get(name, ()), known[name].status, *newer.get(name, ()))
    return SuiteRun(
        suite=first.suite,
        tests=tuple(_later(test, repeated.get(test.name)) for test in first.tests)
        + tuple(test for name, test in repeated.items() if name not in known),
        outputs=(*first.outputs, *again.outputs),
        seconds=first.seconds + again.seconds,
        problems=(*first.problems, *again.problems),
        retried=tuple(sorted(earlier.items())),
        cut_off=first.cut_off,
        stopped_at=first.stopped_at,
        programs=first.programs,
    )


def skipped(run: SuiteRun, cases: Iterable[str]) -> dict[str, TestResult]:
    """Return a skip for each of these cases that a run does not name, and whose program it skipped as a whole."""
    by_program: dict[str, list[TestResult]] = {}
    for test in run.tests if run.programs else ():
        by_program.setdefault(program_of(test.name, run.programs), []).append(test)
    whole = {p: tests[0] for p, tests in by_program.items() if all(t.status is Status.SKIP for t in tests)}
    named = {test.name for test in run.tests}
    programs = {case: program_of(case, run.programs) for case in cases if case not in named}
    return {case: replace(whole[program], name=case) for case, program in programs.items() if program in whole}


def _later(first: TestResult, again: TestResult | None) -> TestResult:
    """Return the later result of a test; the diagnostics of a broken one before it are kept."""
    if again is None:
        return first
    if not first.status.broken:
        return again
    reason = f"{again.reason or again.status.value}; before, {first.reason or first.status.value}"
    return replace(again, reason=reason, diagnostics=(*first.diagnostics, *again.diagnostics))


def counts(statuses: Iterable[Status]) -> str:
    """Return how many there are of each status, in words: ``52 pass, 8 fail``; empty where there is none."""
    numbers = Counter(statuses)
    return ", ".join(f"{numbers[status]} {status.value}" for status in Status if numbers[status])
