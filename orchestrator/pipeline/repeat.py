"""Tests of a job once more, in a new guest: every outcome is kept, so that one which comes and goes is seen."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence

from orchestrator import suite
from orchestrator.errors import KernelError
from orchestrator.host import process
from orchestrator.model import JobResult, Stage, SuiteRun, rundir
from orchestrator.pipeline import job, tracing
from orchestrator.pipeline import suite_requests as suites
from orchestrator.pipeline.job_record import JobRecord, Stopped
from orchestrator.suite.guests import Guests
from orchestrator.verdict import cases, outcome


def tests(record: JobRecord, chosen: Mapping[str, Sequence[str]], *, is_base: bool = False) -> JobResult:
    """Run tests of a job once more, by suite, in a new guest; every outcome is kept, and the job judged by all.

    A kernel that does not come up again, or fails in the middle of a suite, fails that stage. Any other fault changes
    nothing: it is a note, and the first outcomes stand. So it is with any fault of a kernel that is the base of another
    one: what it showed before is still there to compare with.
    """
    first = rundir.boots(record.directory) + 1
    at = Stage.BOOT
    with record.noting("tests were not run again"), contextlib.suppress(Stopped), job.running(record):
        try:
            bootable = job.booted(record).bootable
            with job.new_guests(record, bootable, first) as guests:
                at = Stage.SUITE
                for name, config in record.job.suites:
                    if name in chosen:
                        globs = suites.globs(config, chosen[name])
                        request = suites.request(record, bootable, name, config, f"{name}-{first}", globs)
                        _repeat(record, request, guests)
        except KernelError as error:
            process.check_wanted()  # what was ended by us is nobody's fault
            if is_base or not record.fail_again(at, error):
                raise
    tracing.measure(record)
    return record.save()


def _repeat(record: JobRecord, request: suite.Request, guests: Guests) -> None:
    """Run one suite once more, and put its outcomes beside those it had."""

    def done(repeated: SuiteRun) -> None:
        number = next(k for k, run in enumerate(record.suites) if run.suite == request.name)
        first = record.suites[number]
        record.suites[number] = outcome.merged(first, cases.run_named_as(repeated, first))

    suite.run(request, guests.following, record.workspace.progress, done)
