"""What a run tested, in a few lines for its head: patches, tree and commit, configuration, machine, programs. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from orchestrator.model import Identity, JobResult, RunResult
from orchestrator.text import wording

_HEX = 12
_MOST_SUITES = 6
_MOST_GLOBS = 8


@dataclass(frozen=True)
class Fact:
    """A thing that was tested: a word, and what it is. ``more`` are lines of it that may be folded."""

    what: str
    text: str
    more: tuple[str, ...] = ()


def facts(run: RunResult) -> tuple[Fact, ...]:
    """Return what is known of that; what several jobs have alike is said once."""
    return tuple(dict.fromkeys(_facts(run.jobs)))


def _facts(jobs: Sequence[JobResult]) -> Iterator[Fact]:
    trees = [(job, job.products.tree) for job in jobs if job.products.tree]
    for job, tree in trees:
        if job.series and tree.patches:
            count = f"{len(tree.patches)} patch{'es' * (len(tree.patches) != 1)} of {job.series}"
            yield Fact("patches", f"{count}, tip {tree.commit[:_HEX]}", tree.patches)
    for _, tree in trees:
        yield Fact("tree", f"{tree.label}, commit {tree.source_commit[:_HEX]}")
    for job in jobs:
        if kernel := job.products.kernel:
            config = f", .config {job.identity.config[:_HEX]}" if job.identity else ""
            yield Fact("kernel", f"variant {job.variant}{config}, {kernel.toolchain}")
    yield from (Fact("machine", machine(job.identity)) for job in jobs if job.identity)
    yield from (Fact("programs", _programs(job)) for job in jobs if job.suites)


def machine(identity: Identity) -> str:
    """Return where a kernel ran, in a line."""
    return f"{identity.machine}, {identity.accel}, -cpu {identity.cpu}, QEMU {identity.qemu}"


def _programs(job: JobResult) -> str:
    """Return the suites, with what was asked for of them where that is not all."""
    globs_of = {
        suite.suite: [r.removeprefix(f"{suite.suite}/") for r in job.requested if r.startswith(f"{suite.suite}/")]
        for suite in job.suites
    }
    named = [
        f"{name}: {wording.some(globs, _MOST_GLOBS)}" if globs and "*" not in globs else name
        for name, globs in globs_of.items()
    ]
    return "; ".join(named[:_MOST_SUITES]) + ("; …" if len(named) > _MOST_SUITES else "")
