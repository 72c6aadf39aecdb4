"""What is read from the history: frozen, and free of the database it came from."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path

from orchestrator.model import Identity, Side, Stage, Status, Verdict


@dataclass(frozen=True)
class Run:
    """One run. ``missing`` names the jobs that were planned and did not run: then the run is incomplete."""

    id: str
    mode: str
    started: datetime.datetime
    seconds: float
    verdict: Verdict
    exit_code: int
    directory: Path
    missing: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether every job that was planned ran to its end."""
        return not self.missing


@dataclass(frozen=True)
class Series:
    """The judgement of a series on one tree and variant."""

    tree: str
    series: str
    variant: str
    verdict: Verdict
    reason: str


@dataclass(frozen=True)
class Check:
    """A check that needs no guest. ``details`` are its findings, a line each; ``log`` may have been pruned since."""

    name: str
    subject: str
    verdict: Verdict
    message: str
    seconds: float
    details: tuple[str, ...]
    log: Path | None


@dataclass(frozen=True)
class Job:
    """One kernel of a run. ``id`` is its number in the database; paths may name what has been pruned since.

    ``commit`` is what was built, ``base`` the commit of the source before any series. ``requested`` are globs over
    ``SUITE/TEST`` of what was to run; empty where nobody knows.
    """

    id: int
    run: str
    name: str
    tree: str
    series: str | None
    variant: str
    side: Side
    verdict: Verdict
    reason: str
    directory: Path
    identity: Identity | None
    release: str | None
    config: Path | None
    commit: str | None = None
    base: str | None = None
    requested: tuple[str, ...] = ()


@dataclass(frozen=True)
class StageTime:
    """How a stage of a job went."""

    stage: Stage
    verdict: Verdict
    seconds: float
    message: str
    log: Path | None
    reused: bool


@dataclass(frozen=True)
class Test:
    """One test of a job. ``tries`` holds the outcome of every try, oldest first; ``status`` the worst of them.

    ``program`` is the one of its suite that it belongs to, empty where the tests are those of our own programs;
    ``number`` that of the line of a case whose name is a text, else 0.
    """

    __test__ = False

    suite: str
    name: str
    status: Status
    tries: tuple[Status, ...]
    reason: str
    seconds: float | None
    program: str = ""
    number: int = 0


@dataclass(frozen=True)
class Point:
    """One test in one job of one run: a point of its history."""

    run: Run
    job: Job
    test: Test


@dataclass(frozen=True)
class Complaint:
    """One splat of a job. ``console`` is the file, ``first_line`` to ``last_line`` its lines there, from 1."""

    kind: str
    title: str
    fatal: bool
    test: str | None
    allowed_by: str | None
    first_line: int
    last_line: int
    text: str
    console: Path | None
    other_titles: tuple[str, ...] = ()


@dataclass(frozen=True)
class Seen:
    """All that one job showed."""

    job: Job
    stages: tuple[StageTime, ...]
    tests: tuple[Test, ...]
    splats: tuple[Complaint, ...]


@dataclass(frozen=True)
class Whole:
    """A run, and all that its jobs showed, in its order."""

    run: Run
    jobs: tuple[Seen, ...]


@dataclass(frozen=True)
class Occurrence:
    """One splat where it was seen."""

    run: Run
    job: Job
    splat: Complaint


@dataclass(frozen=True)
class Title:
    """All splats of one title: how often, in how many runs, and when first and last."""

    title: str
    kind: str
    fatal: bool
    count: int
    runs: int
    first: datetime.datetime
    last: datetime.datetime
