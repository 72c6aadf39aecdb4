"""The tests of a KCIDB report: that a kernel boots, that its console is clean, and each test of its suites.

Statuses by their meaning in the schema:

    PASS, FAIL     completed, and found the kernel right, or wrong
    XFAIL          FAIL: the kernel is wrong, though nobody expected else; the comment says that
    TIMEOUT        FAIL: it did not come to its end, and the kernel is charged with that here, too
    CRASHED        FAIL: the kernel died in it
    ERROR          ERROR: the test could not do its part; nothing is known of the kernel
    MISSING        MISS: no line of it came; neither is anything known of the test
    SKIP           SKIP: not offered by this kernel

A suite that has a problem, or in which no test ran, is a test that FAILs. A stage that a fault of the host ended is
MISS, and so is a test that it cut off, and such a suite. Of several tries the worst counts.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from orchestrator.model import (
    JobResult,
    Splat,
    Stage,
    StageResult,
    Status,
    SuiteRun,
    TestResult,
    Transition,
    Verdict,
)
from orchestrator.report.kcidb_object import VERDICTS, Object, Objects, text
from orchestrator.verdict import findings, outcome

STATUSES = {
    Status.PASS: "PASS",
    Status.FAIL: "FAIL",
    Status.XFAIL: "FAIL",
    Status.TIMEOUT: "FAIL",
    Status.CRASHED: "FAIL",
    Status.ERROR: "ERROR",
    Status.MISSING: "MISS",
    Status.SKIP: "SKIP",
}
_SUITES = "_suite"
"""Stands before the name of a suite, for what is wrong with all of it: no suite is called so."""


@dataclass(frozen=True)
class Tests:
    """The tests of the jobs of a run."""

    objects: Objects

    def of(self, job: JobResult) -> Iterator[Object]:
        """Yield what was asked of a kernel, in its order."""
        boot = job.stage(Stage.BOOT)
        if boot:
            yield self._stage_test(job, boot)
        if boot and boot.verdict is Verdict.PASS:
            yield self._console(job)
        changes = self._changes(job)
        for run in job.suites:
            yield from self._suite(job, run)
            for test in run.tests:
                yield self._test(job, run, test, changes.get((run.suite, test.name)))

    def _stage_test(self, job: JobResult, stage: StageResult) -> Object:
        return self._of(
            job,
            "boot",
            "boot",
            status=VERDICTS[stage.verdict],
            duration=stage.seconds,
            comment=text(stage.message),
        )

    def _console(self, job: JobResult) -> Object:
        """Return the complaints on the consoles, as a test: else a report would be greener than the run."""
        bad = [splat for splat in job.splats if splat.fatal or not splat.allowed_by]
        ended = job.stage(Stage.SUITE)
        clean = "PASS" if ended and ended.verdict is Verdict.PASS else "MISS"
        return self._of(
            job,
            "console",
            "console",
            status="FAIL" if bad else clean,
            comment=text("; ".join(dict.fromkeys(splat.title for splat in bad)) or "no splat"),
            log_excerpt=_excerpt(bad) if bad else None,
            log_url=self.objects.url(bad[0].console) if bad and bad[0].console else None,
        )

    def _suite(self, job: JobResult, run: SuiteRun) -> Iterator[Object]:
        """Yield what is wrong with a suite as a whole, as a test: else a report would be greener than the run."""
        idle = findings.idle((run,))
        problems = dict.fromkeys((*run.problems, *((idle[1],) if idle else ())))
        if problems:
            yield self._of(
                job,
                f"{_SUITES}.{run.suite}",
                path(_SUITES, run.suite),
                status="MISS" if findings.stage(job.stages, Verdict.INFRA) else "FAIL",
                comment=text("; ".join(problems)),
            )

    def _test(self, job: JobResult, run: SuiteRun, test: TestResult, change: Transition | None) -> Object:
        tries = outcome.outcome(test.status, dict(run.retried).get(test.name, ()))
        cut_off = test.name in run.cut_off
        about: Object = {"suite": run.suite, "test": test.name, "tries": [status.value for status in tries.tries]}
        if change:
            about |= {"transition": change.words, "charged": change.verdict is Verdict.FAIL}
        xfail = ("expected failure",) if tries.status is Status.XFAIL else ()
        return self._of(
            job,
            f"{run.suite}.{test.name}",
            path(run.suite, test.name),
            status="MISS" if cut_off else STATUSES[tries.status],
            duration=test.seconds,
            comment=text("; ".join((*xfail, *filter(None, (test.reason,))))) or None,
            log_excerpt=text("\n".join(test.diagnostics)) or None,
            misc={"wpci": about},
        )

    def _of(self, job: JobResult, name: str, where: str, **fields: Any) -> Object:
        """Return a test of a job, with the guest that it ran in."""
        return self.objects.make(
            job.name,
            name,
            build_id=self.objects.make(job.name)["id"],
            path=where,
            environment=_environment(job),
            **fields,
        )

    def _changes(self, job: JobResult) -> dict[tuple[str, str], Transition]:
        pairs = (series for series in self.objects.run.series if series.patched.name == job.name)
        return {(change.suite, change.test): change for series in pairs for change in series.transitions}


def path(suite: str, test: str) -> str:
    """Return where a test stands in the tree of all tests: dots part, and only letters, digits, _ and - are taken."""
    parts = (re.sub(r"[^A-Za-z0-9_-]+", "_", part) for part in f"{suite}.{test}".split("."))
    return ".".join(part or "_" for part in parts)


def _environment(job: JobResult) -> Object | None:
    """Return the guest: what a result depends on besides the kernel."""
    if job.identity is None:
        return None
    facts = dataclasses.asdict(job.identity)
    comment = f"QEMU {job.identity.qemu}, {job.identity.accel}, -cpu {job.identity.cpu}, {job.identity.machine}"
    return {"comment": text(comment), "misc": {"wpci": {name: fact for name, fact in facts.items() if fact}}}


def _excerpt(splats: list[Splat]) -> str:
    return text("\n\n".join(splat.text for splat in splats))
