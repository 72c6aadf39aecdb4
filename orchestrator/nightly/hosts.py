"""Which host ran what in a night, and which test is red on one of them alone. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from orchestrator.model import JobResult
from orchestrator.text import wording
from orchestrator.verdict.outcome import outcomes

_ENOUGH = 2
"""Jobs with a test on a host, and elsewhere, from which on it is no chance that only that host has it red."""

Results = Mapping[str, Sequence[bool]]
"""Of one test, by host: whether it was broken, job by job."""


def lines(jobs: Sequence[JobResult]) -> list[str]:
    """Say which host ran which jobs, and which tests are red on one host only; nothing where no host is known."""
    known = [job for job in jobs if job.host]
    ran = {host: [job.name for job in known if job.host == host] for host in sorted({job.host for job in known})}
    return [f"{host} ran {wording.some(names)}" for host, names in ran.items()] + [*_on_one_only(known)]


def _on_one_only(jobs: Iterable[JobResult]) -> Iterator[str]:
    by_test: dict[str, dict[str, list[bool]]] = {}
    for job in jobs:
        for run in job.suites:
            for test, outcome in outcomes(run).items():
                by_test.setdefault(f"{run.suite}/{test}", {}).setdefault(job.host, []).append(outcome.status.broken)
    for name, results in sorted(by_test.items()):
        if host := _only(results):
            yield f"{name} is red on {host} only: in all {len(results[host])} jobs there, and in none elsewhere"


def _only(results: Results) -> str:
    """Return the host on which a test is always broken while it never is elsewhere; empty where there is none."""
    red = [host for host, broken in results.items() if any(broken)]
    if len(red) != 1 or not all(results[red[0]]) or len(results[red[0]]) < _ENOUGH:
        return ""
    return red[0] if sum(len(broken) for host, broken in results.items() if host != red[0]) >= _ENOUGH else ""
