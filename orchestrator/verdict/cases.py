"""Which case of one run of a program is which of another, where names are texts that tell what came of it. Pure.

``kselftest.h`` leaves it to a program what it prints: many have one text for a pass, and others for each way to fail or
to be skipped. Where both runs have as many result lines, the number of the line says which case it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from orchestrator.model import JobResult, Status, SuiteRun, TestResult
from orchestrator.text import wording
from orchestrator.verdict.outcome import program_of


class Case(Protocol):
    """What is known of a result: its name, its status, the number of its line (0: its name says which it is)."""

    @property
    def name(self) -> str:
        """Its name: that of the program, a dot, and the text."""

    @property
    def status(self) -> Status:
        """What came of it."""

    @property
    def number(self) -> int:
        """The number of its line."""


def line(run: SuiteRun, test: TestResult) -> tuple[str, int]:
    """Return the program of a test and the number of its line; an empty name and 0 of one of our own programs.

    The number is 0, too, where the name is more than a text, or it is not known which line is its.
    """
    return (program_of(test.name, run.programs), test.number) if run.programs else ("", 0)


def job_named_as(job: JobResult, like: JobResult) -> JobResult:
    """Return a job whose cases have the names that they have in another job."""
    others = {run.suite: run for run in like.suites}
    suites = tuple(run_named_as(run, others[run.suite]) if run.suite in others else run for run in job.suites)
    return replace(job, suites=suites)


def run_named_as(run: SuiteRun, like: SuiteRun) -> SuiteRun:
    """Return a suite whose cases have the names that they have in another run of it."""
    there, new = _by_program(like), dict[str, str]()
    for program, tests in _by_program(run).items():
        new |= names(tests, there.get(program, ()))
    if not new:
        return run
    return replace(
        run,
        tests=_renamed(run.tests, new),
        retried=tuple((new.get(name, name), tries) for name, tries in run.retried),
        cut_off=tuple(new.get(name, name) for name in run.cut_off),
    )


def named_as(tests: Sequence[TestResult], like: Sequence[TestResult]) -> Sequence[TestResult]:
    """Return the results of one program with the names that its cases have in another run."""
    return _renamed(tests, names(tests, like))


def name_in(run: SuiteRun, test: TestResult) -> str:
    """Return the name that one case has in another run, as far as that is known before all others have ended."""
    if not (test.number and run.programs) or any(test.name == other.name for other in run.tests):
        return test.name
    program = program_of(test.name, run.programs)
    theirs = (t for t in run.tests if t.number == test.number and program_of(t.name, run.programs) == program)
    return next((other.name for other in theirs), test.name)


def case_in(runs: Iterable[SuiteRun], test: TestResult) -> TestResult | None:
    """Return the last result of a test in runs of the same programs: of a case with a number, that of its line."""
    last: TestResult | None = None
    for run in runs:
        program = program_of(test.name, run.programs)
        for other in run.tests:
            if test.number and other.number:
                is_same = other.number == test.number and program_of(other.name, run.programs) == program
            else:
                is_same = other.name == test.name
            last = other if is_same else last
    return last


def _renamed(tests: Iterable[TestResult], new: Mapping[str, str]) -> tuple[TestResult, ...]:
    return tuple(replace(test, name=new[test.name]) if test.name in new else test for test in tests)


def _by_program(run: SuiteRun) -> dict[str, list[TestResult]]:
    """Return the tests of a suite by program; of our own programs, whose names name tests, there are none."""
    programs: dict[str, list[TestResult]] = {}
    for test in run.tests if run.programs else ():
        programs.setdefault(program_of(test.name, run.programs), []).append(test)
    return programs


def names(tests: Sequence[Case], like: Sequence[Case]) -> dict[str, str]:
    """Return the other names that the cases of a program have in another run, by number; none where that is in doubt.

    Where a text that passes stands on another line, the order of the cases is another, and names are all there is.
    """
    here, there = ({test.number: test for test in each if test.number} for each in (tests, like))
    stems, others = _stems(tests), _stems(like)
    if here.keys() != there.keys() or _is_reordered(here, there, {*stems, *others}):
        return {}
    pairs = [(test, there[number]) for number, test in here.items()]
    new = {
        one.name: other.name
        for one, other in pairs
        if one.name != other.name
        and not (
            one.status is other.status is Status.PASS
            and _text(stems, one) != _text(others, other)  # one has gone, the other is new
        )
    }
    kept = {test.name for test in tests} - new.keys()
    return {} if kept & set(new.values()) else new


_AGAIN = re.compile(r"#\d+$")


def _stems(tests: Iterable[Case]) -> dict[str, str]:
    """Return the text of each name of which there are several: ``NAME`` of ``NAME`` and of ``NAME#2``."""
    every = {test.name for test in tests}
    later = {name: stem for name in every if (stem := _AGAIN.sub("", name)) != name and stem in every}
    return later | {stem: stem for stem in later.values()}


def _text(stems: Mapping[str, str], case: Case) -> str:
    """Return what a case says, but for its numbers: one that passes may say its process, or how long it took."""
    return wording.numberless(stems.get(case.name, case.name))


def _is_reordered(here: Mapping[int, Case], there: Mapping[int, Case], several: set[str]) -> bool:
    known = {test.name: (number, test) for number, test in there.items() if test.name not in several}
    moved = [(test, known[test.name]) for test in here.values() if test.name in known and test.name not in several]
    return any(test.number != number and Status.PASS in (test.status, other.status) for test, (number, other) in moved)
