"""Both sides of a pair as a validation tests them: again what differs, and alone what is charged, here or elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from orchestrator.engine.task import Place
from orchestrator.model import JobResult, SeriesResult, Stage
from orchestrator.pipeline import alone, first_red, job, repeat, run_record
from orchestrator.pipeline.job_record import JobRecord
from orchestrator.pipeline.values import Pair
from orchestrator.validate import retries as retried
from orchestrator.verdict import charged


@dataclass(frozen=True)
class Tries:
    """How often every test runs at least, how often more what differs, and whether the first red ends the suites."""

    runs: int
    retries: int
    stops_at_first: bool = False


@dataclass(frozen=True)
class PairOf:
    """A pair from its sources to its last test, on one machine."""

    pair: Pair
    tries: Tries

    def __call__(self, place: Place) -> tuple[JobResult, ...]:
        """Return what came of base and patched. Raises UserError, and Cancelled."""
        records = [JobRecord(planned, place.workspace) for planned in (self.pair.base, self.pair.patched)]
        for record in records:
            with place.build():
                job.go_on(record, Stage.ROOTFS)
        results: dict[str, JobResult] = {}
        with place.guest(self.pair.patched):
            test(self.pair, records, self.tries, lambda done: results.update({done.name: done}), at_once=1)
        return tuple(results.values())


def test(
    pair: Pair,
    records: Sequence[JobRecord],
    tries: Tries,
    done: Callable[[JobResult], object],
    at_once: int | None = None,
) -> None:
    """Boot and test both sides, and hand each result to ``done``, the last one last. Raises UserError.

    So many clones run ``at_once``; None: as there is room for.
    """
    testing = _Testing(pair, records, done)
    base, patched = records
    without = job.go_on(base)
    testing.take(without)
    with patched.ending_at(first_red.of_series(pair, without) if tries.stops_at_first else None):
        testing.take(job.go_on(patched))
    testing.repeat(tries)
    if red := charged.of_series(testing.judged):
        testing.take(alone.examine(records[-1], red, at_once))


@dataclass
class _Testing:
    pair: Pair
    records: Sequence[JobRecord]
    done: Callable[[JobResult], object]
    results: dict[str, JobResult] = field(default_factory=dict)

    @property
    def judged(self) -> SeriesResult:
        pair = self.pair
        return run_record.of_pair(self.results[pair.base.name], self.results[pair.patched.name], pair)

    def take(self, result: JobResult) -> None:
        self.results[result.name] = result
        self.done(result)

    def repeat(self, tries: Tries) -> None:
        """Run all tests as often as is wanted, then those that differ, as long as any does."""
        for number in range(1, tries.runs + tries.retries):
            every = {run.suite: [test.name for test in run.tests] for run in self.records[-1].suites}
            tests = every if number < tries.runs else retried.differing(self.judged)
            if not tests or not all(record.suites for record in self.records):
                return
            note = f"try {number + 1} of {sum(map(len, tests.values()))} tests, on both kernels"
            self.records[0].workspace.progress.note(note)
            base, patched = self.records
            self.take(repeat.tests(base, tests, is_base=True))
            self.take(repeat.tests(patched, tests))
