"""The values that flow from stage to stage. All are frozen; a later fact gets a new type."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.config import Machine


class Status(enum.Enum):
    """The outcome of one test on one kernel."""

    PASS = "pass"
    FAIL = "fail"
    SKIP = "skip"
    XFAIL = "xfail"
    ERROR = "error"
    TIMEOUT = "timeout"
    CRASHED = "crashed"
    MISSING = "missing"

    @property
    def broken(self) -> bool:
        """Whether a reader must look: the kernel, or the test, did not do its part."""
        return self in {Status.FAIL, Status.ERROR, Status.TIMEOUT, Status.CRASHED, Status.MISSING}

    @property
    def word(self) -> str:
        """The word of a transition: ``works``, ``refused`` or ``broken``."""
        if self is Status.PASS:
            return "works"
        return "broken" if self.broken or self is Status.XFAIL else "refused"


class Verdict(enum.Enum):
    """The judgement of a job, a series or a run."""

    PASS = "pass"
    FAIL = "fail"
    SKIP = "skip"
    INFRA = "infra"


class Stage(enum.Enum):
    """The steps of a job, in their order."""

    SOURCE = "source"
    SERIES = "series"
    BUILD = "build"
    ROOTFS = "rootfs"
    BOOT = "boot"
    SUITE = "suite"


class Side(enum.Enum):
    """Which kernel of a pair a job tests: the base alone, or the base with the series."""

    BASE = "base"
    PATCHED = "patched"


class Accel(enum.Enum):
    """What executes the guest's instructions."""

    KVM = "kvm"
    TCG = "tcg"


class SymptomKind(enum.Enum):
    """What sort of thing a bisect chases."""

    TEST = "test"
    SPLAT = "splat"
    BOOT = "boot"
    BUILD = "build"


@dataclass(frozen=True)
class Symptom:
    """What a bisect chases. ``name`` is the id of the test, or the title of the splat (a glob); else empty."""

    kind: SymptomKind
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind.value}:{self.name}" if self.name else self.kind.value


class Term(enum.Enum):
    """What one step of a bisect is, in the words of git bisect."""

    GOOD = "good"
    BAD = "bad"
    SKIP = "skip"


@dataclass(frozen=True)
class Tree:
    """A kernel source commit in a git repository of the cache.

    ``repository`` is the git directory, ``commit`` the commit to build, ``base`` the commit before any
    series, ``content`` the id of the git tree object (equal content, equal id), ``patches`` the subjects applied.
    """

    repository: Path
    commit: str
    base: str
    content: str
    label: str
    patches: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class CompilerWarning:
    """One compiler warning; ``where`` is ``file:line``."""

    where: str
    text: str


@dataclass(frozen=True)
class Kernel:
    """A built kernel. ``image`` is what QEMU loads, ``vmlinux`` what a debugger and the symboliser read."""

    key: str
    image: Path
    vmlinux: Path
    config: Path
    modules: Path | None
    release: str
    build_id: str
    sha256: str
    toolchain: str
    warnings: tuple[CompilerWarning, ...]
    log: Path


@dataclass(frozen=True)
class Programs:
    """Test programs of one suite: ``directory`` is copied into the guest as it is."""

    suite: str
    directory: Path
    sha256: str


@dataclass(frozen=True)
class Rootfs:
    """An initramfs and the key that opens an SSH session in it.

    ``sha256`` covers all but the keys, which are new in each run; ``host_key`` is the guest's public SSH key.
    """

    image: Path
    sha256: str
    identity: Path
    host_key: str = ""


@dataclass(frozen=True)
class AccelFact:
    """The accelerator that was chosen, and why. ``reason`` says what was tried when it is not KVM."""

    accel: Accel
    cpu: str
    qemu: str
    reason: str


@dataclass(frozen=True)
class TestResult:
    """One test. ``seconds`` is None where the format has no times."""

    __test__ = False

    name: str
    status: Status
    reason: str = ""
    diagnostics: tuple[str, ...] = ()
    seconds: float | None = None


@dataclass(frozen=True)
class SuiteRun:
    """What one suite said in one or more guests. ``outputs`` are the raw files the results were read from.

    ``retried`` holds the earlier outcomes of tests that ran more than once, oldest first. ``cut_off`` are the tests
    that did not come to their end because the host failed.
    """

    suite: str
    tests: tuple[TestResult, ...]
    outputs: tuple[Path, ...]
    seconds: float
    problems: tuple[str, ...] = ()
    retried: tuple[tuple[str, tuple[Status, ...]], ...] = ()
    cut_off: tuple[str, ...] = ()


@dataclass(frozen=True)
class Splat:
    """One complaint of the kernel. Lines count from 1 in ``console``.

    ``title`` has addresses, pids and numbers removed: one bug, one title. ``test`` is the test that ran.
    ``allowed_by`` is the reason of the allow-list entry, if any.
    """

    kind: str
    title: str
    first_line: int
    last_line: int
    text: str
    fatal: bool
    test: str | None = None
    allowed_by: str | None = None
    console: Path | None = None


@dataclass(frozen=True)
class StageResult:
    """How one stage of a job went. ``reused`` means that its product was already in the cache."""

    stage: Stage
    verdict: Verdict
    seconds: float
    message: str = ""
    log: Path | None = None
    reused: bool = False


@dataclass(frozen=True)
class Identity:
    """What a result depends on; two results compare only where these agree."""

    tree: str
    series: str | None
    config: str
    toolchain: str
    kernel: str
    accel: str
    cpu: str
    qemu: str
    machine: str
    rootfs: str


@dataclass(frozen=True)
class Products:
    """What the stages of a job made, as far as it came: enough to boot the same guest again."""

    tree: Tree | None = None
    kernel: Kernel | None = None
    rootfs: Rootfs | None = None
    accel: AccelFact | None = None


@dataclass(frozen=True)
class JobResult:
    """One kernel built, booted and tested, and the judgement of it alone."""

    job: str
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
    products: Products = Products()
    machine: Machine | None = None


@dataclass(frozen=True)
class CheckResult:
    """What a check said that needs no guest: checkpatch, sparse, a compile of each patch.

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
class Transition:
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
class SeriesResult:
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
class RunResult:
    """One invocation. ``jobs`` without a series stand alone; pairs are in ``series``.

    ``missing`` names the jobs that were planned and have not run: with any, the run is incomplete.
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
