"""What came of it: a test, a suite, a stage, a job, a check, a series, a run."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.arch import DEFAULT
from orchestrator.model.alone import Alone
from orchestrator.model.bounds import LONG, WHOLE, Bounded
from orchestrator.model.coverage import Coverage
from orchestrator.model.evidence import Evidence
from orchestrator.model.postmortem import Postmortem
from orchestrator.model.products import CompilerWarning, Identity, Products
from orchestrator.model.words import Side, Stage, Status, Verdict

if TYPE_CHECKING:  # the help of the command line loads values, and no schema
    from orchestrator.config.schema import Machine

BUILDS = "builds"
"""The one case, and a failure, of a program of the tree that does not build there: it never ran."""


@dataclass(frozen=True)
class TestResult(Bounded):
    """One test. ``seconds`` is None where the format has no times.

    ``number`` is that of the result line in its program, of programs whose names are no more than texts and that kept
    their plan; else 0.
    """

    __test__ = False

    name: str
    status: Status
    reason: str = ""
    diagnostics: tuple[str, ...] = ()
    seconds: float | None = None
    number: int = 0


@dataclass(frozen=True)
class SuiteRun(Bounded):
    """The results of one suite in one or more guests. ``outputs`` are the raw files the results were read from.

    ``retried`` holds the earlier outcomes of tests that ran more than once, oldest first. ``cut_off`` are the tests
    that did not come to their end because the host failed. ``stopped_at`` is the test that ended the suite, where the
    first red was to: what had not run by then is not in it. ``programs`` are those that the suite names, each of which
    is a test or has cases; empty where the tests are those of our own programs, and in results of older versions.
    """

    suite: str
    tests: tuple[TestResult, ...]
    outputs: tuple[Path, ...]
    seconds: float
    problems: tuple[str, ...] = ()
    retried: tuple[tuple[str, tuple[Status, ...]], ...] = ()
    cut_off: tuple[str, ...] = field(default=(), metadata=WHOLE)
    stopped_at: str = ""
    programs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Splat(Bounded):
    """One complaint of the kernel. Lines count from 1 in ``console``.

    ``title`` has addresses, pids and numbers removed: one bug, one title. ``other_titles`` are those that it has in the
    wording of other kernels, and had by the top of its stack. ``test`` is the test that ran.
    ``allowed_by`` is the reason of the allow-list entry, if any.
    """

    kind: str
    title: str
    first_line: int
    last_line: int
    text: str = field(metadata=LONG)
    fatal: bool
    test: str | None = None
    allowed_by: str | None = None
    console: Path | None = None
    other_titles: tuple[str, ...] = ()


@dataclass(frozen=True)
class StageResult(Bounded):
    """How one stage of a job went. ``reused`` means that its product was already in the cache."""

    stage: Stage
    verdict: Verdict
    seconds: float
    message: str = ""
    log: Path | None = None
    reused: bool = False


@dataclass(frozen=True)
class JobResult(Bounded):
    """One kernel built, booted and tested, and the judgement of it alone.

    ``requested`` are globs over ``SUITE/TEST``, of all that was to run; empty in results of older versions. ``arch``
    is a name of ``orchestrator.arch``.
    ``unexpected`` are the tests, as ``(suite, test)``, that did not show what was expected of them by themselves; None
    in results of older versions. ``no_coverage`` says why it is not known which changed lines ran, where that was to
    be known. ``alone`` says how red tests went without those before them, ``postmortems`` what
    guests looked like when they died or hung. ``host`` is the machine that ran it, where that was not the one that
    wrote the run.
    """

    name: str
    tree: str
    series: str | None
    variant: str
    side: Side
    verdict: Verdict
    reason: str
    stages: tuple[StageResult, ...]
    suites: tuple[SuiteRun, ...]
    splats: tuple[Splat, ...]
    directory: Path
    identity: Identity | None = None
    notes: tuple[str, ...] = ()
    warnings: tuple[CompilerWarning, ...] = ()
    products: Products = field(default_factory=Products)
    machine: Machine | None = None
    requested: tuple[str, ...] = field(default=(), metadata=WHOLE)
    arch: str = DEFAULT.name
    coverage: Coverage | None = None
    no_coverage: str = ""
    alone: tuple[Alone, ...] = ()
    postmortems: tuple[Postmortem, ...] = ()
    host: str = ""
    unexpected: tuple[tuple[str, str], ...] | None = None

    @property
    def coverage_words(self) -> str:
        """Which changed lines ran, in words, or why that is not known; empty where nobody wanted to know."""
        why = f"no coverage: {self.no_coverage}" if self.no_coverage else ""
        part = "" if self.is_whole else "; not all tests ran to their end"
        return f"{self.coverage.words}{part}" if self.coverage else why

    @property
    def is_whole(self) -> bool:
        """Whether all tests ran to their end that were to run."""
        cut = any(run.stopped_at or run.cut_off for run in self.suites)
        missing = any(test.status is Status.MISSING for run in self.suites for test in run.tests)
        return not (cut or missing or self.failed_stage)

    @property
    def failed_stage(self) -> StageResult | None:
        """The first stage that did not pass, if any."""
        return next((stage for stage in self.stages if stage.verdict is not Verdict.PASS), None)

    def stage(self, stage: Stage) -> StageResult | None:
        """Return how a stage went; None where the job did not come to it."""
        return next((result for result in self.stages if result.stage is stage), None)

    def outside_of_tests(self, stage: StageResult) -> tuple[Postmortem, ...]:
        """Return what guests looked like that died or hung in no test, with the stage that failed, else the last."""
        last = self.failed_stage or self.stages[-1]
        return tuple(seen for seen in self.postmortems if seen.test is None and stage is last)

    def as_expected(self, suite: str, test: str) -> bool | None:
        """Return whether a test showed by itself what was expected of it; None in results of older versions."""
        return None if self.unexpected is None else (suite, test) not in self.unexpected

    @property
    def seconds(self) -> float:
        """What all stages took."""
        return sum(stage.seconds for stage in self.stages)


@dataclass(frozen=True)
class CheckResult(Bounded):
    """The result of a check that needs no guest: checkpatch, sparse, a compile of each patch.

    ``subject`` is what was looked at: a patch, a variant. ``details`` are the lines a reader acts on, a finding each;
    the rest is in ``log``. A check that did not run is SKIP and says in ``message`` why.
    """

    name: str
    subject: str
    verdict: Verdict
    message: str
    seconds: float
    details: tuple[str, ...] = ()
    log: Path | None = None


@dataclass(frozen=True)
class Transition(Bounded):
    """One test from base to patched. ``verdict`` charges it to the series or not; ``note`` says why.

    ``expected_base`` and ``expected_patched`` come from the suite's expectations; None where there are none.
    """

    test: str
    base: Status
    patched: Status
    expected_base: Status | None
    expected_patched: Status | None
    verdict: Verdict
    note: str = ""
    suite: str = ""

    @property
    def words(self) -> str:
        """The transition in words: ``refused→works``."""
        return f"{self.base.word}→{self.patched.word}"


@dataclass(frozen=True)
class SeriesResult(Bounded):
    """What a series changed on one tree and variant."""

    tree: str
    series: str
    variant: str
    base: JobResult
    patched: JobResult
    transitions: tuple[Transition, ...]
    new_splats: tuple[Splat, ...]
    new_warnings: tuple[CompilerWarning, ...]
    verdict: Verdict
    reason: str


@dataclass(frozen=True)
class RunResult(Bounded):
    """One invocation. ``jobs`` without a series stand alone; pairs are in ``series``.

    ``missing`` names the jobs that were planned and have not run: with any, the run is incomplete. ``evidence`` is for
    the tests that made it red, the first ones where there are many. ``remarks`` are those of the ``notes`` that hold
    whatever else comes of the run: who goes on with it takes them over.
    """

    run: str
    mode: str
    directory: Path
    started: str
    seconds: float
    jobs: tuple[JobResult, ...]
    series: tuple[SeriesResult, ...]
    verdict: Verdict
    exit_code: int
    notes: tuple[str, ...] = field(default=())
    checks: tuple[CheckResult, ...] = ()
    missing: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def finished(self) -> datetime.datetime:
        """When it came to its end. Raises ValueError or OverflowError where its times are none."""
        return datetime.datetime.fromisoformat(self.started) + datetime.timedelta(seconds=self.seconds)

    @property
    def single_jobs(self) -> tuple[JobResult, ...]:
        """The jobs that belong to no pair of base and patched."""
        paired = {job.name for series in self.series for job in (series.base, series.patched)}
        return tuple(job for job in self.jobs if job.name not in paired)
