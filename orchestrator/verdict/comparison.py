"""Two runs side by side: what they depended on, and what came of it. Pure."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping

from orchestrator.model import Identity, JobResult, RunResult, SeriesResult, Status
from orchestrator.verdict import cases, complaints
from orchestrator.verdict.findings import Judgement
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

_NOT_RUN = "did not run"
_NUMBERS = re.compile(r"\b(?:0x)?[0-9a-f]*[0-9][0-9a-f]*\b")
"""Lines, times, addresses and the names of runs: in two reasons for the same they differ."""


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
    whole = (
        ("run", "mode", first.mode, second.mode),
        ("outcome", "verdict", first.verdict.value, second.verdict.value),
    )
    differences = [Difference(kind, "", what, one, other) for kind, what, one, other in whole if one != other]
    pairs = _pairs(first, second)
    before, after = ({series.patched.name: series for series in run.series} for run in (first, second))
    for one, other in pairs:
        differences += [*_inputs(one, other), *_outcomes(one, other)]
        if one.name in before and other.name in after:
            differences += _series(before[one.name], after[other.name])
    known = {job.name for pair in pairs for job in pair}
    for run, there in ((first, ("ran", _NOT_RUN)), (second, (_NOT_RUN, "ran"))):
        differences += [Difference("outcome", job.name, "job", *there) for job in run.jobs if job.name not in known]
    return (*differences, *_checks(first, second))


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
    yield from _judged(one.name, "verdict", *((job.verdict, job.reason) for job in (one, other)))
    before, after = _tests(cases.job_named_as(one, other)), _tests(other)
    for test in sorted(before.keys() | after.keys()):
        statuses = [there[test].value if test in there else _NOT_RUN for there in (before, after)]
        if statuses[0] != statuses[1]:
            yield Difference("outcome", one.name, test, *statuses)
    gone, come = complaints.new_splats(other.splats, one.splats), complaints.new_splats(one.splats, other.splats)
    yield from _seen(one.name, *([splat.title for splat in splats] for splats in (gone, come)))
    first, second = ({_shape(text): text for text in _problems(job)} for job in (one, other))
    yield from _seen(one.name, _without(first, second), _without(second, first))


def _series(one: SeriesResult, other: SeriesResult) -> Iterator[Difference]:
    yield from _judged(one.patched.name, "series", *((pair.verdict, pair.reason) for pair in (one, other)))
    gone = complaints.new(other.new_warnings, one.new_warnings)
    come = complaints.new(one.new_warnings, other.new_warnings)
    yield from _seen(one.patched.name, complaints.lines(gone), complaints.lines(come))


def _checks(first: RunResult, second: RunResult) -> Iterator[Difference]:
    before, after = ({(c.name, c.subject): (c.verdict, c.message) for c in run.checks} for run in (first, second))
    for check in dict.fromkeys((*before, *after)):
        what = " ".join(filter(None, check))
        if check in before and check in after:
            yield from _judged("", what, before[check], after[check])
        else:
            yield Difference("outcome", "", what, *(_verdict(there.get(check)) for there in (before, after)))


def _judged(job: str, what: str, one: Judgement, other: Judgement) -> Iterator[Difference]:
    """Yield the difference of two judgements; why one is green does not count."""
    if one[0] is not other[0] or (one[0].is_red and _shape(one[1]) != _shape(other[1])):
        yield Difference("outcome", job, what, _verdict(one), _verdict(other))


def _verdict(judgement: Judgement | None) -> str:
    return f"{judgement[0].value}: {judgement[1]}" if judgement else _NOT_RUN


def _seen(job: str, gone: Iterable[str], come: Iterable[str]) -> Iterator[Difference]:
    for texts, there in ((gone, ("seen", "not seen")), (come, ("not seen", "seen"))):
        yield from (Difference("outcome", job, text, *there) for text in dict.fromkeys(texts))


def _without(here: Mapping[str, str], there: Mapping[str, str]) -> list[str]:
    return [text for shape, text in here.items() if shape not in there]


def _problems(job: JobResult) -> Iterator[str]:
    return (f"{run.suite}: {problem}" for run in job.suites for problem in run.problems)


def _shape(text: str) -> str:
    """Return a text without its numbers."""
    return _NUMBERS.sub("#", text)


def _tests(job: JobResult) -> dict[str, Status]:
    return {f"{run.suite}/{test}": outcome.status for run in job.suites for test, outcome in outcomes(run).items()}
