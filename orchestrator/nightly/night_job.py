"""What a night does with one job: build, boot, test, and once more what differs from the nights before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator.engine import whole_run
from orchestrator.engine.task import Place
from orchestrator.history import night, rows
from orchestrator.history.values import Seen
from orchestrator.model import JobResult, TestResult, Verdict
from orchestrator.pipeline import alone, job, repeat
from orchestrator.pipeline.job_record import JobRecord
from orchestrator.pipeline.values import Job


@dataclass(frozen=True)
class NightJob:
    """A job of the night ``run``; ``before`` is what it showed on the nights before, newest first."""

    job: Job
    run: str
    before: tuple[Seen, ...]

    def __call__(self, place: Place) -> JobResult:
        """Return what came of it. Raises UserError, and Cancelled."""
        return whole_run.in_turn(self.job, place, self._tested)

    def _tested(self, record: JobRecord) -> JobResult:
        """Run the tests of a job, and once more those that differ from the last night."""
        result = job.go_on(record)
        if result.stages[-1].verdict is not Verdict.PASS:
            return result
        if not (tests := night.differing(rows.of_result(result, self.run), self.before)):
            return result
        count = sum(len(names) for names in tests.values())
        record.workspace.progress.note(f"{count} tests differ from the last night: once more")
        result = repeat.tests(record, tests)
        return alone.examine(record, _red(result, tests), at_once=1)  # a night has counted one guest of it


def _red(result: JobResult, tests: Mapping[str, Sequence[str]]) -> dict[str, list[TestResult]]:
    """Return those of these tests that are red, by suite."""
    named = {run.suite: set(tests.get(run.suite, ())) for run in result.suites}
    red = {run.suite: [t for t in run.tests if t.name in named[run.suite] and t.status.broken] for run in result.suites}
    return {suite: broken for suite, broken in red.items() if broken}
