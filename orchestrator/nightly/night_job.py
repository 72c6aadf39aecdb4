"""What a night does with one job: build, boot, test, and once more what differs from the nights before."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.engine.task import Place
from orchestrator.history import night, rows
from orchestrator.history.values import Seen
from orchestrator.model import JobResult, Stage, Verdict
from orchestrator.model.plan import Job
from orchestrator.pipeline import job
from orchestrator.pipeline.job_record import JobRecord


@dataclass(frozen=True)
class NightJob:
    """A job of the night ``run``; ``before`` is what it showed on the nights before, newest first."""

    job: Job
    run: str
    before: tuple[Seen, ...]

    def __call__(self, place: Place) -> JobResult:
        """Return what came of it. Raises UserError, and Cancelled."""
        record = JobRecord(self.job, place.workspace)
        with place.build():
            result = job.go_on(record, Stage.ROOTFS)
        if not record.failed:
            with place.guest(self.job):
                result = self._tested(record)
        return result

    def _tested(self, record: JobRecord) -> JobResult:
        """Run the tests of a job, and once more those that differ from the last night."""
        result = job.go_on(record)
        if result.stages[-1].verdict is not Verdict.PASS:
            return result
        if not (tests := night.differing(rows.of_result(result, self.run), self.before)):
            return result
        count = sum(len(names) for names in tests.values())
        record.workspace.progress.note(f"{count} tests differ from the last night: once more")
        return job.again(record, tests)
