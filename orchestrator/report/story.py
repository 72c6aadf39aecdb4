"""How one test went, for people: every try, the reason, what it printed, and how it went alone. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.model import JobResult, SeriesResult, Status, TestResult


class Details:
    """The results of both kernels in the tests of one suite."""

    def __init__(self, series: SeriesResult, suite: str) -> None:
        self.base = _Side(series.base, suite)
        self.patched = _Side(series.patched, suite)


class _Side:
    def __init__(self, job: JobResult, suite: str) -> None:
        runs = [run for run in job.suites if run.suite == suite]
        self.job = job
        self.tests = {test.name: test for run in runs for test in run.tests}
        self.alone = {test.name: alone(job, suite, test.name) for test in self.tests.values()}
        self.earlier = {name: tries for run in runs for name, tries in run.retried}

    def of(self, test: str) -> str:
        """Return how a test went on this kernel."""
        result = self.tests.get(test)
        if not result:
            return f"{self.job.side.value}: did not run"
        return f"{self.job.side.value}: {of(result, self.earlier.get(test, ()))}{self.alone[test]}"


def alone(job: JobResult, suite: str, test: str) -> str:
    """Tell how a red test went alone, and what its guest looked like in the end."""
    lines = [seen.words for seen in job.alone if (seen.suite, seen.test) == (suite, test)]
    lines += [line for end in job.postmortems if end.test == test for line in (*end.lines, str(end.text))]
    return "".join(f"\n{line}" for line in lines)


def of(test: TestResult, earlier: Sequence[Status]) -> str:
    """Tell of a test: every try, the reason, what it printed."""
    tries = " → ".join(status.value for status in (*earlier, test.status))
    return "\n".join([tries + (f" ({test.reason})" if test.reason else ""), *(f"  {d}" for d in test.diagnostics)])
