"""A night: a whole matrix, longest jobs first, several guests at a time, each test against the nights before.

Every job is a thread that waits for its turn in the slots: first for the build, then for a guest. The main thread only
collects, judges and writes; a signal comes to it, and ends the others.
"""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass, field, replace

from orchestrator.errors import PipelineError
from orchestrator.history import night, read, rows, store
from orchestrator.history.classify import Change
from orchestrator.history.database import Database
from orchestrator.history.night import Comparison
from orchestrator.host import cache, crash, process
from orchestrator.model import JobResult, RunResult, Stage, Verdict, rundir
from orchestrator.model.plan import Job, Plan
from orchestrator.nightly import culprits, summary
from orchestrator.nightly.slots import Capacity, Need, Slots
from orchestrator.pipeline import job
from orchestrator.pipeline.context import Workspace
from orchestrator.pipeline.job_record import JobRecord
from orchestrator.pipeline.run_record import RunRecord
from orchestrator.progress import JobDetail, Progress

LOCK = "nightly"
"""The lock of the cache that a night holds: there is one at a time for each user of a machine."""
_END_PATIENCE = 30.0
"""Seconds that the threads of a night that is over have to end their guests and builds."""


@dataclass(frozen=True)
class Night:
    """What a night came to."""

    result: RunResult
    comparison: Comparison


def run(plan: Plan, workspace: Workspace, database: Database, room: Capacity, *, bisect: bool = False) -> Night:
    """Run every job of a plan; what has ended is on disk and in the history, however this ends.

    With ``bisect``, regressions are bisected after all is judged and written.

    A night that is cut short (SystemExit by a signal) leaves no guest behind, and is marked: its exit code is 130, and
    it names the jobs that are missing. A job that asks for what is not there, or ends as nobody foresaw, is missing,
    too, with a note: the others go on.
    """
    at_work = _Night(workspace, database, Slots(room), RunRecord(plan, workspace))
    night_of_today = at_work.run(plan)
    return at_work.chased(night_of_today) if bisect else night_of_today


@dataclass
class _Night:
    workspace: Workspace
    database: Database
    slots: Slots
    run_record: RunRecord
    group: process.ChildGroup = field(default_factory=process.ChildGroup)
    over: threading.Event = field(default_factory=threading.Event)
    ended: queue.SimpleQueue[tuple[Job, JobResult | BaseException]] = field(default_factory=queue.SimpleQueue)

    def run(self, plan: Plan) -> Night:
        self._look_back(plan.label)
        store.add(self.database, self.run_record.write())
        ordered = self._longest_first(plan.jobs)
        self.workspace.progress.note(self.slots.room.words([Need.of(j.variant_config.machine) for j in ordered]))
        threads = [threading.Thread(target=self._work, args=(k, j), daemon=True) for k, j in enumerate(ordered)]
        try:
            for thread in threads:
                thread.start()
            for _ in threads:
                self._collect(*self.ended.get())
        except BaseException as error:
            self._end_all(threads)
            if isinstance(error, SystemExit):
                self.run_record.interrupted = True
                store.add(self.database, self.run_record.write())
            raise
        return self._judged()

    def _look_back(self, mode: str) -> None:
        last = next(iter(read.runs(self.database, mode=mode, limit=1)), None)
        if last and not last.complete:
            missing = f"{len(last.missing)} of its jobs did not run: {', '.join(last.missing)}"
            self._say(f"the last night, {last.id}, is incomplete: {missing}")

    def _say(self, text: str) -> None:
        self.workspace.progress.note(text)
        self.run_record.notes.append(text)

    def _longest_first(self, jobs: tuple[Job, ...]) -> list[Job]:
        """Return the jobs in the order of beginning; of one that nobody has seen, the longest is to be feared."""
        known = {planned.name: read.seconds(self.database, planned.name) for planned in jobs}
        return sorted(jobs, key=lambda planned: -(known[planned.name] or float("inf")))

    def _work(self, turn: int, planned: Job) -> None:
        """Run one job in a thread of its own, and hand in what came of it."""
        process.use_group(self.group)
        progress = _JobProgress(planned.name, self.workspace.progress, self.over)
        record = JobRecord(planned, replace(self.workspace, progress=progress))
        try:
            with crash.contained(self.workspace.directory):
                self.ended.put((planned, self._job(turn, record)))
        except BaseException as error:  # whatever it is, the main thread must not wait for ever
            self.ended.put((planned, error))

    def _job(self, turn: int, record: JobRecord) -> JobResult:
        with self.slots.build(turn):
            result = job.go_on(record, Stage.ROOTFS)
        if not record.failed:
            with self.slots.guest(Need.of(record.job.variant_config.machine), turn):
                result = self._tested(record)
        return result

    def _tested(self, record: JobRecord) -> JobResult:
        """Run the tests of a job, and once more those that differ from the last night."""
        result = job.go_on(record)
        if result.stages[-1].verdict is not Verdict.PASS:
            return result
        now = rows.of_result(result, self.workspace.directory.name)
        before = read.before(self.database, now.job, limit=night.WINDOW)
        if not (tests := night.differing(now, before)):
            return result
        count = sum(len(names) for names in tests.values())
        record.workspace.progress.note(f"{count} tests differ from the last night: once more")
        return job.again(record, tests)

    def _collect(self, planned: Job, outcome: JobResult | BaseException) -> None:
        if isinstance(outcome, PipelineError):
            self.workspace.progress.note(f"{planned.name}: {outcome}")
            self.run_record.lose(planned, outcome)
        elif isinstance(outcome, BaseException):
            raise outcome
        else:
            store.add(self.database, self.run_record.add(outcome))

    def _end_all(self, threads: list[threading.Thread]) -> None:
        """End what still runs, and wait until it is gone."""
        self.over.set()
        self.slots.close()
        self.group.cut()
        deadline = process.Deadline.after(_END_PATIENCE)
        for thread in threads:
            if thread.ident is not None:
                thread.join(deadline.remaining)

    def _judged(self) -> Night:
        """Compare with the nights before: what is worse than it was makes the night red, whatever was expected."""
        store.add(self.database, self.run_record.write())
        comparison = night.compare(self.database, self.workspace.directory.name)
        if worse := comparison.of(Change.REGRESSED):
            self.run_record.notes.append(f"{len(worse)} tests regressed since the last night: see night.txt")
            self.run_record.verdicts.append(Verdict.FAIL)
        return self._written(comparison)

    def _written(self, comparison: Comparison) -> Night:
        result = self.run_record.write()
        store.add(self.database, result)
        comparison = replace(comparison, run=read.run(self.database, result.run))
        cache.write_atomic(self.workspace.directory / rundir.NIGHT, "\n".join(summary.lines(comparison)) + "\n")
        return Night(result, comparison)

    def chased(self, tonight: Night) -> Night:
        """Bisect what regressed, and write down what came of it."""
        mode, place = self.run_record.plan.mode, self.workspace
        for line in culprits.chase(mode, tonight.result, tonight.comparison, self.database, place):
            self._say(line)
            tonight = self._written(replace(tonight.comparison, notes=(*tonight.comparison.notes, line)))
        return tonight


@dataclass(frozen=True)
class _JobProgress:
    """Progress of one job among many; when the night is over it says nothing more."""

    job: str
    progress: Progress
    over: threading.Event

    def note(self, text: str) -> None:
        if self.over.is_set():
            return
        self.progress.note(text if isinstance(text, JobDetail) else type(text)(f"{self.job}: {text}"))

    def advance(self, what: str, done: float, total: float | None) -> None:
        if not self.over.is_set():
            self.progress.advance(f"{self.job}: {what}", done, total)
