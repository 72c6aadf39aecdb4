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
from orchestrator.host.process import Deadline
from orchestrator.model import Bootable, JobResult, Status, SuiteRun, TestResult, rundir
from orchestrator.model.alone import Alone
from orchestrator.pipeline import booting, job, suite_requests
from orchestrator.pipeline.job_record import JobRecord
from orchestrator.pipeline.values import Job
from orchestrator.progress import SILENT, JobDetail
from orchestrator.suite import pollution

TRIES = 3
MOST = 10
"""Red tests of one job that run alone: where more are red, the first ones say what there is to say."""
FOLDER = "alone"
"""The folder of a job in which its clones for this are: their consoles are not those by which it is judged."""

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
    return run(record, cases(record.job, red, record.directory), at_once)


def run(record: JobRecord, queue: Sequence[Case], at_once: int | None = None) -> JobResult:
    """Run red tests of a job again, alone, as long as ``limits: alone`` lasts; what came of it is in its result.

    As many clones run ``at_once``, None: as cores and memory allow. A fault of the host changes nothing: it is a note.
    """
    limit = record.workspace.pipeline.limits.alone
    bootable = record.products.bootable
    if not limit or not queue or bootable is None:
        return record.save()
    deadline = Deadline.after(limit * booting.scale(bootable.accel, record.workspace))
    try:
        with job.running(record):
            at_once = at_once or cores.clones(record.job.variant_config.machine.memory)
            _examine(_Bench(record, bootable, booting.Clones(record, bootable), deadline, at_once), queue)
    except PipelineError as error:
        process.check_wanted()
        record.notes.append(f"red tests were not run alone: {error}")
    return record.save()


def _examine(bench: _Bench, queue: Sequence[Case]) -> None:
    record, configs = bench.record, dict(bench.record.job.suites)
    for number, case in enumerate(queue):
        if bench.deadline.expired or number == MOST:
            why = "the time for that was up" if bench.deadline.expired else f"{MOST} did"
            record.notes.append(f"{len(queue) - number} red tests were not run alone: {why}")
            return
        seen = bench.alone(case, configs[case.suite])
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

    def alone(self, case: Case, config: Suite) -> Alone:
        """Run one red test alone; where it is green, look for what made it red."""
        name, red = case.suite, case.red
        tries = pool.each(lambda _: self._status(name, config, (red.name,)), range(TRIES), self.at_once)
        seen = Alone(name, red.name, red.status, tuple(tries))
        return seen if seen.failures else self._searched(seen, case.before, config)

    def _searched(self, seen: Alone, before: pollution.Tests, config: Suite) -> Alone:
        def is_red(tests: pollution.Tests) -> bool:
            return seen.is_red(self._status(seen.suite, config, (*tests, seen.test)))

        over = self.deadline.expired
        if not before or over or not is_red(before):
            return Alone(seen.suite, seen.test, seen.red, seen.tries, len(before), (), shortest=not over)
        after, known = pollution.shortest(before, is_red, lambda: self.deadline.expired)
        return Alone(seen.suite, seen.test, seen.red, seen.tries, len(before), after, known)

    def _status(self, name: str, config: Suite, tests: Sequence[str]) -> Status:
        """Run tests in a clone, and return the outcome of the last of them."""
        place = Place(self.record, self.bootable, self.clones, f"{FOLDER}/{next(self._numbers)}")
        last = once(place, name, config, tests)
        return last.status if last else Status.MISSING


@dataclass(frozen=True)
class Place:
    """Where tests run again: in clones of this guest, with their output in a folder of the job."""

    record: JobRecord
    bootable: Bootable
    clones: booting.Clones
    folder: str


def once(place: Place, name: str, config: Suite, tests: Sequence[str]) -> TestResult | None:
    """Run tests of a suite in a clone, and return the result of the last of them; None where it has none."""
    runs: list[SuiteRun] = []
    globs = suite_requests.globs(config, tests)
    request = suite_requests.request(place.record, place.bootable, name, config, f"{place.folder}/output", globs)
    if request.trial:
        request = replace(request, trial=request.trial.only(globs), enough=lambda test: False)
    guests = (place.clones.guest(f"{place.folder}/{rundir.boot(number)}") for number in itertools.count(1))
    suite.run(request, lambda: next(guests), SILENT, runs.append)
    last = [test for run in runs for test in run.tests if test.name == tests[-1]]
    return last[-1] if last else None
