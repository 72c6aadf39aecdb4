"""What pipeline.yaml may say, as frozen, strict models. ``loader`` reads the file into them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, ValidationInfo, field_validator

from orchestrator.config.scalars import Address, Bytes, Date, Name, Seconds
from orchestrator.config.strict import Strict
from orchestrator.config.validation import Validation


class DebianSource(Strict):
    """A ``linux-source-*`` package, fetched with apt and private state from the host's own mirror."""

    provider: Literal["debian"]
    package: Name
    suite: Name
    version: str | None = None


class TarballSource(Strict):
    """A source tarball: a URL or a file, and its sha256."""

    provider: Literal["tarball"]
    url: Address
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class GitSource(Strict):
    """A git repository, by URL or path, and what to check out."""

    provider: Literal["git"]
    url: Address
    ref: str


class PathSource(Strict):
    """A directory with a kernel tree. It is read, never written; ``dirty`` takes uncommitted changes along.

    ``ref`` takes that commit instead of what is checked out.
    """

    provider: Literal["path"]
    path: Path
    ref: str | None = None
    dirty: bool = False


class BundleSource(Strict):
    """One commit without its history, as a git pack in a file: how a tree comes to another machine.

    ``label`` and ``notes`` are what the machine that packed it said of it.
    """

    provider: Literal["bundle"]
    path: Path
    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
    label: str = ""
    notes: tuple[str, ...] = ()


Source = Annotated[
    DebianSource | TarballSource | GitSource | PathSource | BundleSource, Field(discriminator="provider")
]


class TreeConfig(Strict):
    """A kernel tree; ``expect`` names the column of the expectations that holds for it without a series.

    ``prerequisites`` are series that are part of it: they are applied before anything is built.
    """

    source: Source
    expect: Name | None = None
    prerequisites: tuple[Path, ...] = ()


class SeriesConfig(Strict):
    """A patch series: a directory of format-patch files or one mbox, for the named tree.

    ``expect`` names the column of the expectations that holds with it. ``on_top`` is a second series, for tests only
    (it counts, it checks), that is applied where all of the first one is. ``faults`` is a folder of diffs, each of
    which `wpci mutate` seeds in the whole series, for its tests to notice. ``trusted`` says that you know whose code it
    is: its objects go where every other build reads them, and it shares its output folders with what else is trusted.
    Trees are trusted always, for they are what a series is measured by; a series from the command line never is.
    """

    path: Path
    tree: Name
    on_top: Path | None = None
    faults: Path | None = None
    expect: Name | None = None
    three_way: bool = False
    trusted: bool = False


class Machine(Strict):
    """The virtual hardware of a guest."""

    cpus: Annotated[int, Field(ge=1, le=64)] = 2
    memory: Bytes = 2**30
    numa_nodes: Annotated[int, Field(ge=1, le=8)] = 1
    swap: Bytes | None = None
    cmdline: tuple[str, ...] = ()
    cpu_kvm: str = "host"
    cpu_tcg: str = "max"


class Variant(Strict):
    """How a kernel is configured and on what machine it runs.

    ``base`` is ``tinyconfig``, ``defconfig`` or a file; ``fragments``, files and names of
    sets, are merged over it in their order.
    """

    arch: Literal["x86_64"] = "x86_64"
    base: str = "tinyconfig"
    fragments: tuple[Path, ...] = ()
    machine: Machine = Machine()
    accel: Literal["auto", "kvm", "tcg"] = "auto"
    image: Literal["vmlinux", "bzImage"] = "vmlinux"


class LineFormat(Strict):
    """How a program that speaks no KTAP says what its cases did: one line each, and a count at its end.

    ``case`` is a regular expression with the groups ``name`` and ``outcome``, and ``reason`` where there is one; a
    line that it matches without an outcome is a case that did not end. ``outcomes`` says what the words mean. ``total``
    has a group of that name: a program that did not print it did not come to its end.
    """

    case: str
    outcomes: dict[str, Literal["pass", "skip", "fail"]]
    total: str

    @field_validator("case", "total")
    @classmethod
    def _groups(cls, value: str, info: ValidationInfo) -> str:
        needed = {"case": {"name", "outcome"}, "total": {"total"}}[str(info.field_name)]
        try:
            missing = needed - set(re.compile(value).groupindex)
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error
        if missing:
            raise ValueError(f"the group {', '.join(sorted(missing))} is missing")
        return value


class ProgramConfig(Strict):
    """One program of a suite: how it is run in the guest, and how its output is read.

    In a suite of a tree ``run`` is the command line. In one of ``kind: program`` it is ``file``, with ``args``: a C
    file (compiled static, with pthread, the uapi headers of the tree under test first), an executable, a script, or a
    folder with a Makefile. ``expect_splat`` is a glob over titles: it passes where the kernel complains so, and only
    there. One that is ``endless`` is not done before its time is up.
    ``format`` is ``ktap`` (case lines are the truth), ``exit`` (one test, the exit code; 4 is a skip), ``auto`` (the
    first where the program prints a version or a plan, else the second), or how to read the lines that it prints where
    those are no KTAP. Of ``kind: program`` the exit code 77 is a skip, too, and 125 says that it cannot judge.
    """

    name: Name
    run: str = ""
    file: Path | None = None
    args: str = ""
    expect_splat: str | None = None
    endless: bool = False
    format: Literal["auto", "ktap", "exit"] | LineFormat = "auto"

    @field_validator("run")
    @classmethod
    def _words(cls, value: str) -> str:
        try:
            shlex.split(value)
        except ValueError as error:
            raise ValueError(f"not a command line: {error}") from error
        return value

    @property
    def called(self) -> str:
        """The name of the program's file in a suite of a tree; empty where nothing is run."""
        words = shlex.split(self.run)
        return Path(words[0]).name if words else ""


class Suite(Strict):
    """A set of test programs.

    ``kind: own`` is a directory with a Makefile whose programs speak the protocol of ``ktap.h`` (``-l`` lists,
    ``-r`` picks); ``kind: tree`` builds ``directory`` of a kernel tree with ``make``, and runs ``programs``. That
    tree is the one under test, or the one that ``tree`` names; where it has no ``directory``, the first of
    ``or_directories`` that it has counts, and with ``absent: skip`` a program that it does not have is a skipped test.
    ``kind: program`` runs ``programs`` that lie here.
    ``test_timeout`` and ``timeout`` are for KVM and are multiplied by ``limits.tcg_scale`` under TCG.
    """

    kind: Literal["own", "tree", "program"] = "own"
    directory: Path = Path()
    or_directories: tuple[Path, ...] = ()
    absent: Literal["refuse", "skip"] = "refuse"
    tree: Name | None = None
    make: tuple[str, ...] = ()
    setup: tuple[str, ...] = ()
    programs: tuple[ProgramConfig, ...] = ()
    expected: Path | None = None
    test_timeout: Seconds = 20.0
    timeout: Seconds = 600.0
    output_cap: Bytes = 4 * 2**20


class AllowedSplat(Strict):
    """A splat that does not fail a job: which, why, where that is discussed, and until when (ISO date)."""

    title: str
    reason: str
    link: str
    expires: Date
    tests: tuple[str, ...] = ("*",)


class Product(Strict):
    """What is multiplied: each series and each tree with each variant. ``tests`` are globs over test ids."""

    series: tuple[Name, ...] = ()
    trees: tuple[Name, ...] = ()
    variants: Annotated[tuple[Name, ...], Field(min_length=1)]
    suites: Annotated[tuple[Name, ...], Field(min_length=1)]
    tests: tuple[str, ...] = ("*",)


class Mode(Product):
    """What a run does: the product of its lists, and ``also`` others, for what does not fit each variant."""

    also: tuple[Product, ...] = ()

    @property
    def parts(self) -> tuple[Product, ...]:
        """All of its products."""
        return self, *self.also


class Keep(Strict):
    """What stays, so many days and so many bytes of it."""

    days: Annotated[int, Field(ge=1)] = 30
    size: Bytes = 20 * 2**30


class Limits(Strict):
    """Deadlines, for KVM; those in a guest are multiplied by ``tcg_scale`` under TCG.

    ``probe`` is the time in which a guest must come up under KVM to prove it. ``alone`` is the time
    in which the red tests of a job run again, alone in clones of its guest (null: they do not). ``kernels`` says which
    of those that were built stay in the cache: of those used in so many days, the ones used last.
    """

    fetch: Seconds = 1800.0
    build: Seconds = 7200.0
    boot: Seconds = 60.0
    shutdown: Seconds = 10.0
    silence: Seconds = 120.0
    tcg_scale: Annotated[float, Field(ge=1)] = 5.0
    probe: Seconds = 60.0
    alone: Seconds | None = 60.0
    kernels: Keep = Keep()


class Nightly(Strict):
    """A night: the mode to run, ``guests`` at a time (None: as cores and memory allow), and what is kept after it.

    That are consoles, raw output, logs and rootfs of earlier runs; what a run came to (result.json, JUnit, summaries,
    scripts) stays always. With ``bisect``, a test that regressed is bisected where its tree has a history. With
    ``report``, the pages of `wpci report` are brought up to date at the end.
    """

    mode: Name = "full"
    guests: Annotated[int, Field(ge=1)] | None = None
    bisect: bool = False
    report: bool = True
    keep: Keep = Keep()


class Workers(Strict):
    """Workers on this machine, as processes: each has its part of the cores and of the memory."""

    workers: Annotated[int, Field(ge=1, le=64)]


class Dask(Strict):
    """Jobs run on the workers of a dask scheduler (``tls://HOST:PORT``), or of one that is started here.

    ``certificates`` is a folder as `wpci certificates` makes it (default: ``certificates`` in your configuration folder
    for wpci). ``store`` is the fsspec URL of what the machines share (``file:///nfs/wpci``, ``s3://bucket/wpci``;
    default: a folder of the cache, which only workers on this machine see). A worker that is silent for ``silence``
    is given up.
    """

    dask: Annotated[str, Field(pattern=r"^tls://[^\s/]+:\d+$")] | Workers
    certificates: Path | None = None
    store: Address | None = None
    silence: Seconds = 60.0


class Kcidb(Strict):
    """How a run is reported to KCIDB. ``artifacts`` is the address under which the folder of results is published."""

    origin: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")] = "wpci"
    artifacts: Annotated[str, Field(pattern=r"^https?://")] | None = None


class Pipeline(Strict):
    """The whole of pipeline.yaml.

    ``sandbox`` says what happens where this host allows no cage for the programs of the tree under test: nothing runs
    (``required``), or they run with the rights of this user, and it is said so (``auto``).
    ``history`` is the URL of the database of runs; None is the file ``history.db`` in the folder of results. One with a
    password is refused: libpq reads ``~/.pgpass``. ``lore`` is the archive in which a message-id is looked up.
    ``engine`` is where jobs run: in the slots of this machine, or on other machines.
    ``fragments`` are named sets of Kconfig fragments; a set may hold others. With ``debug_info`` (the default) every
    variant has ``config/debug_info.config`` before its own: the same code, and what stacks, coverage and drgn need.
    ``coverage``: where a series is tested under TCG, it is noted which of its lines run, and by which tests.
    With ``extends: default`` the file adds to the one that came along, and what it names replaces what has that name.
    """

    model_config = ConfigDict(serialize_by_alias=True)

    version: Literal[1] = 1
    extends: Literal["default"] | None = None
    default_mode: Name = "smoke"
    trees: dict[Name, TreeConfig]
    series: dict[Name, SeriesConfig] = Field(default_factory=dict)
    fragments: dict[Name, tuple[Path, ...]] = Field(default_factory=dict)
    debug_info: bool = True
    coverage: bool = True
    variants: dict[Name, Variant]
    suites: dict[Name, Suite]
    modes: dict[Name, Mode]
    validation: Validation = Field(default=Validation(), alias="validate")
    splat_rules: Path | None = None
    allow: tuple[AllowedSplat, ...] = ()
    limits: Limits = Limits()
    sandbox: Literal["auto", "required"] = "auto"
    history: Address | None = None
    lore: Annotated[Address, Field(pattern=r"^https?://\S+$")] = "https://lore.kernel.org/all"
    nightly: Nightly = Nightly()
    engine: Literal["local"] | Dask = "local"
    kcidb: Kcidb = Kcidb()
