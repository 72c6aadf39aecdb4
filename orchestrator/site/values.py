"""What the pages show: frozen, and free of the database and the disk."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.history.classify import Change, Rate
from orchestrator.history.night import Comparison, Finding
from orchestrator.history.values import Job, Occurrence, Run, Series, Test, Title, Whole
from orchestrator.model import Status, Transition
from orchestrator.verdict.gone import Key


@dataclass(frozen=True)
class Cell:
    """What one test showed in one run. ``job`` is None where that did not run, ``test`` where the test did not."""

    run: Run
    job: Job | None = None
    test: Test | None = None


@dataclass(frozen=True)
class Track:
    """One test in one job of one mode, run by run, newest first. ``finding`` is what the last run says of it."""

    mode: str
    job: Job
    cells: tuple[Cell, ...]
    finding: Finding | None = None

    @functools.cached_property
    def seen(self) -> tuple[Cell, ...]:
        """The cells back to the first run that had the test."""
        last = max((number for number, cell in enumerate(self.cells) if cell.test), default=0)
        return self.cells[: last + 1]


@dataclass(frozen=True)
class TestHistory:
    """One test in all of its jobs."""

    __test__ = False

    suite: str
    name: str
    tracks: tuple[Track, ...]

    @property
    def key(self) -> Key:
        """Suite and name."""
        return self.suite, self.name


@dataclass(frozen=True)
class StatusChange:
    """A test that went from ``before`` to ``now`` in some jobs, by their short names; the rate is of each of them."""

    before: Status | None
    now: Status | None
    jobs: tuple[str, ...]
    rates: tuple[Rate, ...]


@dataclass(frozen=True)
class TestChange:
    """What one test did in the last run, in all jobs in which it did it."""

    __test__ = False

    change: Change
    key: Key
    statuses: tuple[StatusChange, ...]


@dataclass(frozen=True)
class Column:
    """One job in the matrix. ``charged`` are the tests whose failure counts against it."""

    job: Job
    tests: Mapping[Key, Test]
    findings: Mapping[Key, Finding]
    charged: frozenset[Key]


@dataclass(frozen=True)
class Matrix:
    """Tests × jobs of one tree in one run. ``loud`` are the tests to look at, the worst first; ``quiet`` all others."""

    tree: str
    columns: tuple[Column, ...]
    loud: tuple[Key, ...]
    quiet: tuple[Key, ...]


@dataclass(frozen=True)
class Part:
    """One mode: its last runs, newest first, and what the last of them says.

    ``transitions`` is None where the run's own result.json is gone. ``unexpected`` are the tests that did not show what
    was expected of them, by the name of their job; a job of an older version is not in it.
    """

    mode: str
    runs: tuple[Whole, ...]
    comparison: Comparison
    series: tuple[Series, ...]
    transitions: Mapping[tuple[str, str, str], Transition] | None
    unexpected: Mapping[str, frozenset[Key]] = field(default_factory=dict)

    @functools.cached_property
    def _with_series(self) -> frozenset[tuple[str, str]]:
        jobs = (seen.job for seen in self.runs[0].jobs)
        return frozenset((job.tree, job.variant) for job in jobs if job.series)

    def has_series_beside(self, job: Job) -> bool:
        """Whether the last run has a job with a series that has this one for its base."""
        return (job.tree, job.variant) in self._with_series


@dataclass(frozen=True)
class SplatHistory:
    """One title of a splat, and where it was seen, newest first: in the runs of the site, or at least the last time."""

    title: Title
    occurrences: tuple[Occurrence, ...]


@dataclass(frozen=True)
class Site:
    """All of it. ``parts`` are the modes, the one that the front page shows first."""

    parts: tuple[Part, ...]
    tests: tuple[TestHistory, ...]
    splats: tuple[SplatHistory, ...]
