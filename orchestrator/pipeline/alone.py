"""Red tests once more, each alone in fresh clones of a booted guest: is it the test, or what ran before it?

What comes of it is evidence: no verdict changes by it.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from orchestrator import suite
from orchestrator.config.suites import Suite
from orchestrator.errors import PipelineError
from orchestrator.host import cores, pool, process
from orchestrator.host.process import FOREVER, Deadline
from orchestrator.model import Bootable, JobResult, Status, SuiteRun, TestResult, rundir
from orchestrator.model.alone import Alone
from orchestrator.pipeline import booting, job, suite_requests
from orchestrator.pipeline.job_record import JobRecord
from orchestrator.pipeline.values import Job
from orchestrator.progress import SILENT, JobDetail
from orchestrator.suite import pollution
from orchestrator.verdict.cases import case_in

TRIES = 3
MOST = 10
"""Red tests of one job that run alone: where more are red, the first ones say what there is to say."""
FOLDER = "alone"
"""The folder of a job in which its clones for this are: their consoles are not those by which it is judged."""
NOT_RUN = "red tests were not run alone"
"""With what the note begins that says why."""

Red = Mapping[str, Sequence[TestResult]]
"""The red tests of a job, by suite."""


@dataclass(frozen=True)
class Case:
    """A red test that is to run alone: its suite, what it showed, and which tests ran before it in its guest."""

    suite: str
    red: TestResult
    before: pollution.Tests


def cases(job: Job, red: Red, directory: Path) -> tuple[Case, ...]:
    """Return what is to run alone of a job, whose consoles are in a directory."""
    configs, consoles = dict(job.suites), rundir.consoles(directory)

    def case(suite: str, test: TestResult) -> Case:
        (window,) = suite_requests.windows(configs[suite], [test.name])
        return Case(suite, test, pollution.before(window, consoles))

    return tuple(case(suite, test) for suite, tests in red.items() for test in tests)


def examine(record: JobRecord, red: Red, at_once: int | None = None) -> JobResult:
    """Run red tests of a job again; see ``run``."""
    queue: tuple[Case, ...] = ()
    with record.noting(NOT_RUN):
        queue = cases(record.job, red, record.directory)
    return run(record, queue, at_once)


def run(record: JobRecord, queue: Sequence[Case], at_once: int | None = None) -> JobResult:
    """Run red tests of a job again, alone, as long as ``limits: alone`` lasts; what came of it is in its result.

    As many clones run ``at_once``, None: as cores and memory allow. A fault changes nothing, whatever it is: it is a
    note.
    """
    limit = record.workspace.pipeline.limits.alone
    bootable = record.products.bootable
    if not limit or not queue or bootable is None:
        return record.save()
    deadline = Deadline.after(limit * booting.scale(bootable.accel, record.workspace))
    with record.noting(NOT_RUN), job.running(record):
        at_once = at_once or cores.clones(record.job.variant_config.machine.memory)
        _examine(_Bench(record, bootable, booting.Clones(record, bootable), deadline, at_once), queue)
    return record.save()


def _examine(bench: _Bench, queue: Sequence[Case]) -> None:
    record, configs = bench.record, dict(bench.record.job.suites)
    for number, case in enumerate(queue):
        seen = bench.alone(case, configs[case.suite]) if number < MOST else None
        if seen is None:
            why = f"{MOST} did" if number == MOST else "the time for that was up"
            record.notes.append(f"{len(queue) - number} red tests were not run alone: {why}")
            return
        record.alone.append(seen)
        record.workspace.progress.note(JobDetail(f"{record.job.name}: {case.red.name}: {seen.words}"))


@dataclass
class _Bench:
    """Runs tests of a job in clones, each in one of its own."""

    record: JobRecord
    bootable: Bootable
    clones: booting.Clones
    deadline: Deadline
    at_once: int
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def alone(self, case: Case, config: Suite) -> Alone | None:
        """Run one red test alone; where it is green, look for what made it red. None where there was no time for it."""
        red, at_once = case.red, self.at_once
        if suite.pick(suite_requests.windows(config, [red.name]), config.exclusive):
            at_once = min(at_once, suite_requests.exclusive_at_once(self.record))
        tries = self._tries(replace(case, before=()), config, at_once)
        if not tries and self.deadline.expired:
            return None
        seen = Alone(case.suite, red.name, red.status, tries)
        return seen if seen.failures or not tries else self._searched(seen, case, config, at_once)

    def _searched(self, seen: Alone, case: Case, config: Suite, at_once: int) -> Alone:
        """Look for what makes a test red that was green alone; it must be so each time: a flaky one accuses nobody."""
        if not case.before:
            return seen
        behind = self._tries(case, config, at_once)
        seen = replace(seen, before=len(case.before), behind=behind, shortest=len(behind) == TRIES)
        if not seen.shortest or not all(map(seen.is_red, behind)):
            return seen
        seen = replace(seen, tries=(*seen.tries, *self._tries(replace(case, before=()), config, at_once)))
        if seen.failures:
            return seen

        def is_red(tests: pollution.Tests) -> bool | None:
            shown = self._status(replace(case, before=tests), config)
            return None if shown is None else seen.is_red(shown)

        after, known = pollution.shortest(case.before, is_red, lambda: self.deadline.expired)
        return replace(seen, after=after, shortest=known)

    def _tries(self, case: Case, config: Suite, at_once: int) -> tuple[Status, ...]:
        """Run a test several times; return its outcomes, of those that say something of it."""
        tries = pool.each(lambda _: self._status(case, config), range(TRIES), at_once)
        return tuple(status for status in tries if status)

    def _status(self, case: Case, config: Suite) -> Status | None:
        """Run a test in a clone, and return its outcome; None where that says nothing of it."""
        if self.deadline.expired:
            return None
        place = Place(self.record, self.bootable, self.clones, f"{FOLDER}/{next(self._numbers)}")
        last = once(place, case, config, self.deadline)
        return last.status if last else None


@dataclass(frozen=True)
class Place:
    """Where tests run again: in clones of this guest, with their output in a folder of the job."""

    record: JobRecord
    bootable: Bootable
    clones: booting.Clones
    folder: str


def once(place: Place, case: Case, config: Suite, within: Deadline = FOREVER) -> TestResult | None:
    """Run a test in a clone behind those before it, and return its result.

    What it says may be another text than before: it has the number that it had. None where it did not come to run
    behind the others, in the same guest, or where the time ``within`` which it was to end cut it off: then it is
    neither red nor green.
    """
    runs: list[SuiteRun] = []
    globs = suite_requests.globs(config, (*case.before, case.red.name))
    request = suite_requests.request(place.record, place.bootable, case.suite, config, f"{place.folder}/output", globs)
    request = replace(request, at_once=0)
    if request.trial:
        request = replace(request, trial=request.trial.only(globs), enough=lambda test: False)
    booted = itertools.count(1)
    guests = (place.clones.guest(f"{place.folder}/{rundir.boot(number)}") for number in booted)
    try:
        suite.run(request, lambda: next(guests), SILENT, runs.append, within)
    except PipelineError:
        process.check_wanted()
        if not within.expired:
            raise
        return None
    last = case_in(runs, case.red)
    if last is None or last.status is Status.MISSING or next(booted) > 2:
        return None
    return None if within.expired and last.status.broken else last
