"""Two runs side by side: what they depended on, and what came of it. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from orchestrator.model import Identity, JobResult, RunResult, Status
from orchestrator.verdict import cases
from orchestrator.verdict.outcome import outcomes

SETTING = {
    "toolchain": "toolchain",
    "accel": "accelerator",
    "cpu": "CPU model",
    "qemu": "QEMU",
    "machine": "machine",
    "host": "processor or kernel of the host",
}
"""What of an identity must agree for two results to compare, and how it is called; the host is known under KVM only."""


@dataclasses.dataclass(frozen=True)
class Difference:
    """One thing that is not alike; ``kind`` is ``run``, ``input`` or ``outcome``, ``what`` names it within a job."""

    kind: str
    job: str
    what: str
    first: str
    second: str


def between(first: RunResult, second: RunResult) -> tuple[Difference, ...]:
    """Return what differs between two runs: inputs before outcomes, job by job."""
    whole = (("mode", first.mode, second.mode), ("verdict", first.verdict.value, second.verdict.value))
    differences = [Difference("run", "", what, one, other) for what, one, other in whole if one != other]
    for one, other in _pairs(first, second):
        differences += [*_inputs(one, other), *_outcomes(one, other)]
    known = {job.name for pair in _pairs(first, second) for job in pair}
    for run, there in ((first, ("ran", "did not run")), (second, ("did not run", "ran"))):
        differences += [Difference("run", job.name, "job", *there) for job in run.jobs if job.name not in known]
    return tuple(differences)


def unlike(one: Identity, other: Identity) -> tuple[str, ...]:
    """Return in what two results differ that must agree for them to compare, whatever was tested."""
    return tuple(words for name, words in SETTING.items() if getattr(one, name) != getattr(other, name))


def _pairs(first: RunResult, second: RunResult) -> list[tuple[JobResult, JobResult]]:
    """Return the jobs that are held against each other: those of one name, else those of one side and variant."""
    left = list(second.jobs)
    pairs: list[tuple[JobResult, JobResult]] = []
    for same in (lambda one, other: one.name == other.name, _is_like):
        for job in first.jobs:
            twin = next((other for other in left if same(job, other)), None)
            if twin and not any(job is known for known, _ in pairs):
                pairs.append((job, twin))
                left.remove(twin)
    return pairs


def _is_like(one: JobResult, other: JobResult) -> bool:
    return (one.side, one.variant) == (other.side, other.variant)


def _inputs(one: JobResult, other: JobResult) -> Iterator[Difference]:
    if one.name != other.name:
        yield Difference("input", one.name, "job", one.name, other.name)
    for field in dataclasses.fields(Identity):
        before, after = (str(getattr(job.identity, field.name, None) or "none") for job in (one, other))
        if before != after:
            yield Difference("input", one.name, field.name, before, after)


def _outcomes(one: JobResult, other: JobResult) -> Iterator[Difference]:
    if one.verdict is not other.verdict:
        verdicts = (f"{job.verdict.value}: {job.reason}" for job in (one, other))
        yield Difference("outcome", one.name, "verdict", *verdicts)
    before, after = _tests(cases.job_named_as(one, other)), _tests(other)
    for test in sorted(before.keys() | after.keys()):
        statuses = [there[test].value if test in there else "did not run" for there in (before, after)]
        if statuses[0] != statuses[1]:
            yield Difference("outcome", one.name, test, *statuses)


def _tests(job: JobResult) -> dict[str, Status]:
    return {f"{run.suite}/{test}": outcome.status for run in job.suites for test, outcome in outcomes(run).items()}
