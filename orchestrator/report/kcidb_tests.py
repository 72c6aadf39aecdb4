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
MISS, and so is a test that it cut off, and such a suite. Of several tries the worst counts. A check that is red is a
test, and so is a red verdict: a kernel is red, too, in which a test passes that must not.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.model import (
    CheckResult,
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
from orchestrator.verdict import findings, outcome, verdict
from orchestrator.verdict.findings import Judgement

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
_CHECKS = "_check"
_VERDICT = "_verdict"


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
        yield from self._verdict(job)

    def checks(self, built: Sequence[JobResult]) -> Iterator[Object]:
        """Yield the checks that are red, those of one name as one test of the first kernel that has a series."""
        job = next((job for job in built if job.series), next(iter(built), None))
        if job is None:
            return
        red = [check for check in self.objects.run.checks if check.verdict.is_red]
        for name in dict.fromkeys(check.name for check in red):
            yield self._check(job, name, [check for check in red if check.name == name])

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

    def _verdict(self, job: JobResult) -> Iterator[Object]:
        """Yield why a kernel is red, as a test: else a report would be greener than the run."""
        judged, built = self._judged(job), job.stage(Stage.BUILD)
        if judged and judged[0].is_red and built and built.verdict is Verdict.PASS:
            yield self._of(job, _VERDICT, _VERDICT, status=VERDICTS[judged[0]], comment=text(judged[1]))

    def _judged(self, job: JobResult) -> Judgement | None:
        """Return the verdict on a kernel, in a pair that on the series; None for one that is judged by others.

        A base only informs, and a kernel with a part of a series is judged by the check that it belongs to.
        """
        for pair in self.objects.run.series:
            if job.name == pair.patched.name:
                return pair.verdict, pair.reason
            if job.name == pair.base.name:
                return None
        return None if job.series else (job.verdict, job.reason)

    def _check(self, job: JobResult, name: str, red: Sequence[CheckResult]) -> Object:
        details = [line for check in red for line in check.details]
        logs = [url for check in red if check.log and (url := self.objects.url(check.log))]
        return self._of(
            job,
            f"{_CHECKS}.{name}",
            path(_CHECKS, name),
            status=VERDICTS[verdict.fold(check.verdict for check in red)],
            comment=text("; ".join(f"{check.subject}: {check.message}" for check in red)),
            log_excerpt=text("\n".join(details)) or None,
            log_url=next(iter(logs), None),
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
