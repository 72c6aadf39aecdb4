"""What pipeline.yaml may say, as frozen, strict models. ``loader`` reads the file into them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, Tag

from orchestrator.config.scalars import A_NUMBER, Address, Date, Integer, Kept, Memory, Name, Number, Seconds
from orchestrator.config.sources import Source
from orchestrator.config.strict import KEYS, WORD, WORD_OR_KEYS, Strict
from orchestrator.config.suites import Suite
from orchestrator.config.validation import Validation


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

    cpus: Annotated[Integer, Field(ge=1, le=64)] = 2
    memory: Memory = 2**30
    numa_nodes: Annotated[Integer, Field(ge=1, le=8)] = 1
    swap: Memory | None = None
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

    days: Annotated[Integer, Field(ge=1)] = 30
    size: Kept = 20 * 2**30


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
    tcg_scale: Annotated[Number, Field(ge=1, allow_inf_nan=False)] = 5.0
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
    guests: Annotated[Integer, Field(ge=1)] | None = None
    bisect: bool = False
    report: bool = True
    keep: Keep = Keep()


class Workers(Strict):
    """Workers on this machine, as processes: each has its part of the cores and of the memory."""

    workers: Annotated[Integer, Field(ge=1, le=64)]


class Dask(Strict):
    """Jobs run on the workers of a dask scheduler (``tls://HOST:PORT``), or of one that is started here.

    ``certificates`` is a folder as `wpci certificates` makes it (default: ``certificates`` in your configuration folder
    for wpci). ``store`` is the fsspec URL of what the machines share (``file:///nfs/wpci``, ``s3://bucket/wpci``;
    default: a folder of the cache, which only workers on this machine see). A worker that is silent for ``silence``
    is given up, and so is what comes to no end in the store within ``patience``.
    """

    dask: Annotated[
        Annotated[str, Field(pattern=r"^tls://[^\s/]+:\d+$"), Tag(WORD)] | Annotated[Workers, Tag(KEYS)], WORD_OR_KEYS
    ]
    certificates: Path | None = None
    store: Address | None = None
    silence: Seconds = 60.0
    patience: Seconds = 1800.0


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

    version: Annotated[Literal[1], A_NUMBER] = 1
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
    engine: Annotated[Annotated[Literal["local"], Tag(WORD)] | Annotated[Dask, Tag(KEYS)], WORD_OR_KEYS] = "local"
    kcidb: Kcidb = Kcidb()
