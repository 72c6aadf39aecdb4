"""The kernel after each patch of a series booted, and tested where that is asked for, against the one before it."""

from __future__ import annotations

from orchestrator.model import CheckResult, Stage, Verdict
from orchestrator.pipeline import job, repeat
from orchestrator.pipeline.job_record import JobRecord, expected
from orchestrator.pipeline.values import Pair
from orchestrator.validate import bisectable
from orchestrator.validate.state import State

_UNTIL = {"boot": Stage.BOOT, "test": Stage.SUITE}


def base(state: State, pair: Pair) -> JobRecord | None:
    """Bring up the base as far as each patch is to go; None where they are only built, or it does not come so far."""
    until = _UNTIL.get(state.wanted.settings.each_patch)
    if until is None:
        return None
    whole = until is Stage.SUITE and not state.elsewhere.engine  # then it is the job of the run, and runs once
    record = state.record(pair.base) if whole else JobRecord(pair.base, state.inside("compile"))
    done = job.go_on(record, until)
    if not (why := bisectable.lacking(done, until)):
        return record
    log = done.failed_stage.log if done.failed_stage else None
    message = f"no verdict, for the base failed: {why}"
    state.add(CheckResult(bisectable.NAME, f"base, {pair.base.variant}", Verdict.INFRA, message, done.seconds, log=log))
    return None


def prefix(state: State, pair: Pair, record: JobRecord, subject: str, before: JobRecord) -> JobRecord:
    """Bring up the kernel after a patch, which is built; return the last one that came so far, for the next patch.

    What is charged is tried again on the kernel before it as well: what comes and goes there is not the patch's.
    """
    settings = state.wanted.settings
    if record.failed:
        state.skip(bisectable.NAME, subject, "there is no kernel")
        return before
    without, done = before.save(), job.go_on(record, _UNTIL[settings.each_patch])
    promised, column = expected(pair.patched, done.products.kernel), pair.patched.expect
    for _ in range(settings.retries):
        red = bisectable.red(bisectable.changed(without, done, promised, column))
        if not red or done.failed_stage:
            break
        without, done = repeat.tests(before, red, is_base=True), repeat.tests(record, red)
    state.add(bisectable.judge(subject, without, done, promised, column))
    return before if done.failed_stage else record
