"""Take a series apart: one mutant after the other is left out, and the tests must notice. Progress is in the report.

Faults that are seeded in the series are tried as its mutants are.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.config import yaml_text
from orchestrator.config.schema import SeriesConfig
from orchestrator.engine.task import Done, Engine, Task
from orchestrator.errors import InfraError, UserError
from orchestrator.host import disk
from orchestrator.host.cache import digest
from orchestrator.host.process import FOREVER, Deadline
from orchestrator.mutation import faults, hunks, mutants, page
from orchestrator.mutation import report as mutation_report
from orchestrator.mutation.campaign import Campaign, Preparation, Round
from orchestrator.mutation.hunks import Hunk
from orchestrator.mutation.mutants import Mutant
from orchestrator.mutation.reach import Reached
from orchestrator.mutation.report import Entry, Outcome, Report
from orchestrator.mutation.trial import Attempt, NotBegun
from orchestrator.pipeline import discover, job, suite_requests
from orchestrator.pipeline.context import Workspace
from orchestrator.pipeline.job_record import JobRecord
from orchestrator.pipeline.values import Job
from orchestrator.text import textfile

MOST_SPECIFIC = 8
"""Tests of a mutant's lines that are tried before the others that run them."""
_OPEN = {Outcome.SURVIVED, Outcome.NOT_RUN}
"""What other tests may change."""
HOST_FAULTS = 3
"""Parts in a row on which the host may fail before the run ends: nothing is known of them."""


@dataclass(frozen=True)
class Request:
    """What to take out, and where it is written: ``report`` is a path without suffix.

    ``first`` are globs of quick tests that go first, ``late`` of slow ones that go last, ``budget`` the seconds of
    those that work for a time; ``only`` are globs over the names of mutants. With ``every_test`` each mutant meets
    all tests, and not only those up to the first that kills it. Behind ``deadline`` none is built and none is booted.
    """

    job: Job
    report: Path
    first: tuple[tuple[str, ...], ...]
    late: tuple[str, ...] = ("R*",)
    only: tuple[str, ...] = ()
    budget: float = 3.0
    every_test: bool = False
    deadline: Deadline = FOREVER


@dataclass(frozen=True)
class Result:
    """The report, and the mutants that were tried and are not judged: the next run tries them again."""

    report: Report
    not_judged: tuple[str, ...]


def run(request: Request, workspace: Workspace, engine: Engine) -> Result:
    """Take out every mutant that the report does not know yet; the report is on disk after each.

    Raises KernelError where the series itself is broken, InfraError where the host fails again and again, UserError
    where another run is at work on the report.
    """
    path = _json(request.report)
    refusal = UserError(f"{path}: another wpci mutate is at work on this report; wait for it, or name another --report")
    # it is read once, and written whole after each mutant: what another one writes meanwhile would be lost
    with workspace.cache.alone(f"mutation-{digest(str(path.resolve()))[:16]}", refusal):
        return _Run(request, workspace, engine).run()


def reasons(report: Path) -> dict[str, str]:
    """Read why no test can see a mutant, by identity: a YAML file beside the report. Raises UserError."""
    path = report.with_name(f"{report.name}-why.yaml")
    if not path.exists():
        return {}
    raw = yaml_text.read(path, literal_keys=True)
    if not isinstance(raw, dict) or not all(isinstance(v, str) for v in raw.values()):
        raise UserError(f"{path}: a mapping from a mutant's id to a text is needed")
    return dict(raw)


class _Run:
    """One run of the mode: the report so far, the baseline it compares with, and why no test can see a mutant.

    ``refusal`` is why the reasons cannot be read by now, though they were at the beginning.
    """

    def __init__(self, request: Request, workspace: Workspace, engine: Engine) -> None:
        self.request = request
        self.engine = engine
        self.workspace = workspace
        self.report = _loaded(request, _series_config(request, workspace).path.name)
        self.section = self.report.section(request.job.variant)
        self.reasons = reasons(request.report)
        self.refusal = ""

    def run(self) -> Result:
        """Take out what is still to be taken out."""
        ws, request = self.workspace, self.request
        series_alone = replace(request.job, extra_series=())  # what is on top of it, for tests only, is no part of it
        tree = job.make(JobRecord(series_alone, ws), job.patched)
        every, fingerprint, variant = hunks.listed(tree), hunks.fingerprint(tree), request.job.variant
        known = faults.load(_series_config(request, ws).faults)
        planned = mutants.planned(every, known, fingerprint, variant)
        mutants.check(planned, request.only, known, variant)
        self._renew(every, planned)
        _check_tests(planned, request.job, ws)
        campaign = self._prepared()
        self.section = self.section.measured(campaign.baseline)
        self._save()
        todo = [mutant for mutant in mutants.chosen(planned, request.only) if self._is_open(mutant, campaign)]
        known_keys = {entry.key for entry in self.section.entries}
        # what was never tried comes first, and last what survived other tests
        todo.sort(key=lambda m: (m.key in known_keys, self.section.killed_before(m.identity) is not None))
        not_judged = self._try_all(todo, campaign)
        return Result(self.report, not_judged)

    def _prepared(self) -> Campaign:
        """Return how the mutants are tried, measured where they will be."""
        request = self.request
        work = Preparation(request.job, request.budget, request.late, self.section.baseline)
        task = Task(f"{request.job.name}.whole", request.job, work)
        with contextlib.closing(self.engine.run([task], self.workspace)) as ended:
            for done in ended:
                if isinstance(done.outcome, BaseException):
                    raise done.outcome
                return replace(done.outcome, job=request.job)
        raise InfraError("the engine ended without a result")

    def _try_all(self, todo: Sequence[Mutant], campaign: Campaign) -> tuple[str, ...]:
        """Try mutants while there is time; return the names of those that are not judged then."""
        tasks = self._tasks(todo, campaign)
        failures, left = 0, len(todo)
        not_judged: list[str] = []
        with contextlib.closing(self.engine.run(tasks, self.workspace)) as ended:
            for number, done in enumerate(ended):
                self.workspace.progress.advance("mutants taken out", number, len(todo))
                entry = self._entry(done)
                if isinstance(entry, NotBegun):
                    continue
                left -= 1
                failures = 0 if entry else failures + 1
                if failures >= HOST_FAULTS:
                    raise InfraError(f"the host failed on {failures} mutants in a row; the last is {done.task.name}")
                if entry:
                    self._add(entry)
                else:
                    not_judged.append(done.task.name)
        if left:
            self.workspace.progress.note(f"the time is up: {left} mutants are left for the next run")
        return tuple(not_judged)

    def _tasks(self, todo: Sequence[Mutant], campaign: Campaign) -> Iterator[Task[Entry | NotBegun | None]]:
        """Yield the trials while there is time: each is asked for what killed those before it."""
        sent = replace(campaign, known=None)  # it is large, and what it says of a mutant goes with that
        for mutant in todo:
            if self.request.deadline.expired:
                return
            reached = campaign.reached(mutant)
            trying = sent.asking(*self._rounds(mutant, reached), every_test=self.request.every_test)
            yield Task(mutant.name, self.request.job, Attempt(mutant, trying, reached, self.request.deadline))

    def _entry(self, done: Done[Entry | NotBegun | None]) -> Entry | NotBegun | None:
        """Return what came of a mutant; None where the host failed on it."""
        if isinstance(done.outcome, InfraError):
            self.workspace.progress.note(f"{done.task.name}: the host failed, and nothing is known: {done.outcome}")
            return None
        if isinstance(done.outcome, BaseException):
            raise done.outcome
        return done.outcome

    def _add(self, entry: Entry) -> None:
        self.workspace.progress.note(": ".join(filter(None, (entry.name, entry.outcome.value, page.noticed(entry)))))
        self.section = self.section.adding(entry)
        self._save()

    def _renew(self, every: Sequence[Hunk], planned: Sequence[Mutant]) -> None:
        """Drop what the series no longer holds, and count what is left out."""
        kinds = [hunk.kind for hunk in every if not hunk.kind.makes_a_kernel]
        counted = tuple((kind.value, kinds.count(kind)) for kind in dict.fromkeys(kinds))
        renewed = self.section.renewed({mutant.key: (mutant.name, mutant.identity) for mutant in planned})
        self.section = replace(renewed, left_out=counted)

    def _save(self) -> None:
        self.report = self.report.updating(self.section)
        path = self.request.report
        disk.write_atomic(_json(path), mutation_report.dump(self.report))
        text = page.render(self.report, self._reasons())
        disk.write_atomic(path.with_name(f"{path.name}.md"), text)

    def _reasons(self) -> dict[str, str]:
        """Return the reasons as they are by now; those of before where they cannot be read, and say so once."""
        try:
            self.reasons, self.refusal = reasons(self.request.report), ""
        except UserError as error:
            if str(error) != self.refusal:
                self.refusal = str(error)
                self.workspace.progress.note(self.refusal)
        return self.reasons

    def _is_open(self, mutant: Mutant, campaign: Campaign) -> bool:
        """Whether a mutant is still to be judged: a survivor is, once the tests are others, or more or longer ones.

        So is any of whose tests something else is expected by now. What an older report does not say is as it is now.
        """
        known = next((e for e in self.section.entries if e.key == mutant.key), None)
        if known is None:
            return True
        again = self.request.every_test and not known.every_test
        again |= known.expected not in {"", campaign.expectation(known.by)}
        if known.outcome is Outcome.KILLED:
            return again
        base = campaign.baseline
        again |= known.suite != base.suite or known.budget not in {0.0, base.budget}
        return known.outcome in _OPEN and again

    def _rounds(self, mutant: Mutant, reached: Reached) -> Iterator[Round]:
        """Yield the tests in the order of trying: those that must notice, or else what is likely to, and then all.

        Most likely is what killed it in an earlier version of the series.
        Of those that run the lines of a mutant the ones that run least besides come first. Where no others can, the
        others are those that work by chance.
        """
        if mutant.tests:
            yield Round("named", mutant.tests)
            return
        tests = reached.tests
        before = self.section.killed_before(mutant.identity)
        if before and (killers := [test for test in before.by[:1] if not test.startswith(mutation_report.NO_TEST)]):
            yield Round("before", tuple(map(suite_requests.only, killers)))
        near = mutation_report.likely((*self.section.entries, *self.section.earlier), mutant.name)
        if first := [test for test in near if test in tests or not tests]:
            yield Round("neighbours", tuple(map(suite_requests.only, first)))
        if tests:
            names = tuple(map(suite_requests.only, tests))
            yield from (Round("its lines, first", names[:MOST_SPECIFIC]), Round("its lines", names))
            if reached.only and not self.request.every_test:
                yield Round("by chance", self.request.late)
                return
        yield from (Round("quick", globs) for globs in self.request.first if globs)
        yield Round("all", self.request.job.tests)


def _check_tests(planned: Sequence[Mutant], whole: Job, workspace: Workspace) -> None:
    """Refuse a glob that names no test: a fault that nothing looks for would look as if none noticed it."""
    for mutant in planned:
        try:
            discover.check([replace(whole, tests=mutant.tests)], workspace)
        except UserError as error:
            raise UserError(f"{mutant.name}: {error}") from error


def _series_config(request: Request, workspace: Workspace) -> SeriesConfig:
    assert request.job.series
    return workspace.pipeline.series[request.job.series]


def _json(report: Path) -> Path:
    return report.with_name(f"{report.name}.json")


def _loaded(request: Request, series: str) -> Report:
    """Return the report so far. A series goes by its folder, so that one with something on top of it is the same."""
    path = _json(request.report)
    known = mutation_report.load(textfile.read(path), str(path)) if path.exists() else Report(series)
    if known.series != series:
        raise UserError(f"{path} is the report of {known.series}: give {series} one of its own (--report)")
    return known
