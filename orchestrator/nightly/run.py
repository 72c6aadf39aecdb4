"""A night: a whole matrix, longest jobs first, several guests at a time, each test against the nights before.

The jobs run in an engine. The main thread only collects, judges and writes; a signal comes to it, and ends the others.
"""

from __future__ import annotations

import contextlib
import datetime
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.engine.task import Engine, Task
from orchestrator.errors import InfraError, PipelineError, UserError
from orchestrator.history import night, read, store
from orchestrator.history.classify import Change
from orchestrator.history.database import Database
from orchestrator.history.night import Comparison
from orchestrator.history.values import Run, Seen
from orchestrator.host import disk
from orchestrator.model import JobResult, RunResult, Verdict, rundir
from orchestrator.nightly import culprits, expected, hosts, summary
from orchestrator.nightly.night_job import NightJob
from orchestrator.nightly.rest import Rest
from orchestrator.pipeline.context import Workspace
from orchestrator.pipeline.run_record import RunRecord
from orchestrator.pipeline.values import Job, Plan
from orchestrator.report import result_json

LOCK = "nightly"
"""The lock of the cache that a night holds: there is one at a time for each user of a machine."""

_PAGES = 60.0
"""Seconds between two drawings of all jobs of a night while it goes on."""
_COMPARISON = "the comparison with the nights before"


@dataclass(frozen=True)
class Night:
    """What a night came to."""

    result: RunResult
    comparison: Comparison


def run(
    plan: Plan, workspace: Workspace, database: Database, engine: Engine, *, bisect: bool = False, goes_on: bool = False
) -> Night:
    """Run every job of a plan; what has ended is on disk and in the history, however this ends.

    Where it ``goes_on``, what an earlier call came to in the folder of the workspace stands, and the rest is run.
    With ``bisect``, regressions are bisected after all is judged and written.

    A night that is cut short (SystemExit by a signal) leaves no guest behind, and is marked: its exit code is 130, and
    it names the jobs that are missing. A job that asks for what is not there, or ends as nobody foresaw, is missing,
    too, with a note: the others go on.
    """
    at_work = _Night(workspace, database, engine, RunRecord(plan, workspace, pending=[_COMPARISON], pages_every=_PAGES))
    night_of_today = at_work.run(plan, at_work.taken_over() if goes_on else None)
    return at_work.chased(night_of_today) if bisect else night_of_today


def incomplete(database: Database, mode: str) -> Path:
    """Return the folder of the last night of a mode, which is to be incomplete. Raises UserError."""
    last = read.last_run(database, mode, datetime.datetime.now(datetime.UTC))
    if last is None:
        raise UserError(f"--continue: there was no night of {mode} before")
    if last.complete and not _uncompared(last):
        raise UserError(f"--continue: the last night of {mode}, {last.id}, is complete")
    if not (last.directory / rundir.RESULT).is_file():
        raise UserError(f"--continue: {last.directory} is gone")
    return last.directory


def _uncompared(last: Run) -> bool:
    """Whether a night ended between its last job and the comparison, which is written behind all else."""
    return (last.directory / rundir.RESULT).is_file() and not (last.directory / rundir.NIGHT).exists()


@dataclass
class _Night:
    workspace: Workspace
    database: Database
    engine: Engine
    run_record: RunRecord
    _has_gap: bool = False

    def taken_over(self) -> tuple[str, ...]:
        """Take over what the night came to before it broke off; return the names of its jobs."""
        earlier = result_json.read_run(self.workspace.directory / rundir.RESULT)
        self.run_record.go_on(earlier)
        self.workspace.progress.note(
            f"the night goes on with run {earlier.run}: {', '.join(earlier.missing) or _COMPARISON}"
        )
        return tuple(job.name for job in earlier.jobs)

    def run(self, plan: Plan, ended_before: Collection[str] | None = None) -> Night:
        """Run the jobs of a plan but those that ended before, in a night that goes on."""
        if ended_before is None:
            self._look_back(plan.label)
        store.add(self.database, self.run_record.write())
        jobs = [planned for planned in plan.jobs if planned.name not in (ended_before or ())]
        for planned in jobs:  # an attempt that did not come to its end left consoles that are of no guest of this one
            disk.remove_tree(self.workspace.directory / rundir.JOBS / planned.name)
        try:
            if jobs:
                self._run_jobs(jobs)
            return self._judged()
        except BaseException as error:
            self.run_record.interrupted = isinstance(error, SystemExit)
            with contextlib.suppress(InfraError):  # a disk or history that fails now is not what ended the night
                store.add(self.database, self.run_record.write())
            raise

    def _run_jobs(self, jobs: Sequence[Job]) -> None:
        rest, started = Rest({job.name: read.seconds(self.database, job.name) for job in jobs}), time.monotonic()
        ordered = _longest_first(jobs, rest)
        self.workspace.progress.note(self.engine.words(ordered))
        self._show(rest, None)
        with contextlib.closing(self.engine.run(map(self._task, ordered), self.workspace)) as ended:
            for done in ended:
                self._collect(done.task.job, done.outcome)
                rest = rest.without(done.task.name)
                self._show(rest, rest.left(time.monotonic() - started))

    def _show(self, rest: Rest, left: float | None) -> None:
        self.workspace.progress.advance("jobs of the night", len(rest.ended), len(rest.known), left)

    def _task(self, planned: Job) -> Task[JobResult]:
        run = self.workspace.directory.name
        before: Sequence[Seen] = ()
        with self._if_it_answers():
            before = night.latest(read.before(self.database, run, planned.name, limit=night.WINDOW))
        return Task(planned.name, planned, NightJob(planned, run, tuple(before)))

    @contextlib.contextmanager
    def _if_it_answers(self) -> Iterator[None]:
        """Do without the history for the moment where it cannot be reached, and say so once: its end writes it down."""
        try:
            yield
        except InfraError as error:
            if not self._has_gap:
                self._has_gap = True
                self._say(f"{error}; the night goes on, and is written down at its end")

    def _look_back(self, mode: str) -> None:
        last = read.last_run(self.database, mode, datetime.datetime.now(datetime.UTC))
        if last and not last.complete:
            missing = f"{len(last.missing)} of its jobs did not run: {', '.join(last.missing)}"
            self._say(f"the last night, {last.id}, is incomplete: {missing}")
        elif last and _uncompared(last):
            self._say(f"the last night, {last.id}, is incomplete: it was not compared with the nights before")

    def _say(self, text: str) -> None:
        self.workspace.progress.note(text)
        if text not in self.run_record.notes:  # a night that goes on may come to the same as before
            self.run_record.notes.append(text)

    def _collect(self, planned: Job, outcome: JobResult | BaseException) -> None:
        if isinstance(outcome, PipelineError):
            self.workspace.progress.note(f"{planned.name}: {outcome}")
            self.run_record.lose(planned, outcome)
        elif isinstance(outcome, BaseException):
            raise outcome
        else:
            result = self.run_record.add(outcome)
            with self._if_it_answers():
                store.add_job(self.database, result, outcome)

    def _say_trees(self) -> None:
        """Say where a tree has moved on while the night stood still: its jobs are of two commits then."""
        for name in dict.fromkeys(planned.tree for planned in self.run_record.plan.jobs):
            trees = [job.products.tree for job in self.run_record.result().jobs if job.tree == name]
            if len(bases := dict.fromkeys(tree.source_commit[:12] for tree in trees if tree)) > 1:
                self._say(f"the tree {name} moved on during the night: {', '.join(bases)}")

    def _judged(self) -> Night:
        """Compare with the nights before: what is worse than it was makes the night red, if that was not expected."""
        self._say_trees()
        for line in hosts.lines(self.run_record.result().jobs):
            self._say(line)
        store.add(self.database, self.run_record.write())
        compared = night.compare(self.database, self.workspace.directory.name)
        comparison = expected.without(compared, self.run_record.plan, self.run_record.result().jobs)
        if worse := comparison.of(Change.REGRESSED):
            self.run_record.notes.append(f"{len(worse)} tests regressed since the last night: see night.txt")
            self.run_record.verdicts.append(Verdict.FAIL)
        return self._written(comparison)

    def _written(self, comparison: Comparison) -> Night:
        self.run_record.pending.clear()
        result = self.run_record.write()
        store.add(self.database, result)
        comparison = replace(comparison, run=read.run(self.database, result.run))
        disk.write_atomic(self.workspace.directory / rundir.NIGHT, "\n".join(summary.lines(comparison)) + "\n")
        return Night(result, comparison)

    def chased(self, tonight: Night) -> Night:
        """Bisect what regressed, and write down what came of it."""
        mode, place = self.run_record.plan.mode, self.workspace
        for line in culprits.chase(mode, tonight.result, tonight.comparison, self.database, place):
            self._say(line)
            tonight = self._written(replace(tonight.comparison, notes=(*tonight.comparison.notes, line)))
        return tonight


def _longest_first(jobs: Sequence[Job], rest: Rest) -> list[Job]:
    """Return the jobs in the order of beginning; of one that nobody has seen, the longest is to be feared."""
    return sorted(jobs, key=lambda job: -(rest.known[job.name] or float("inf")))
