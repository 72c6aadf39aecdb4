"""What a run does, as values: its jobs with the patches they apply, pairs of them, and what a person chose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.config import schema, sources, suites
from orchestrator.config.suites import Suite
from orchestrator.model import Side
from orchestrator.model.expectations import Expectations
from orchestrator.model.trial import Trial
from orchestrator.series.series import Series
from orchestrator.text import wording


@dataclass(frozen=True)
class Patches:
    """A series as it was read, and how it is applied; ``trusted`` as in ``SeriesConfig``."""

    series: Series
    three_way: bool = False
    trusted: bool = False


@dataclass(frozen=True)
class Job:
    """One tree × series × variant with its suites.

    ``name`` is unique in a plan and fit for a folder. ``expect`` names the column of the expectations.
    ``tests`` are globs over test ids. ``upto`` stops the series after that many patches; None applies all.
    ``worktree`` names the work tree that the job builds in: jobs of one name follow each other there.
    ``isolate`` runs each test in a guest of its own.
    ``patches`` is what its series holds, and ``extra_series`` go on top of that, in order.
    ``prerequisites`` are series that are part of the tree. ``expected`` is what the suites must show, by suite.
    ``coverage``: which changed lines run is measured, where that is possible. ``kernel_for`` names what alone boots its
    kernel, and may remove it; empty: whoever asks for the same kernel gets this one.
    """

    name: str
    side: Side
    tree: str
    source: sources.Source
    series: str | None
    patches: Patches | None
    variant: str
    variant_config: schema.Variant
    suites: tuple[tuple[str, suites.Suite], ...]
    tests: tuple[str, ...]
    expect: str | None
    worktree: str
    upto: int | None = None
    repeat: int = 1
    isolate: bool = False
    extra_series: tuple[Patches, ...] = ()
    trial: Trial | None = None
    prerequisites: tuple[Series, ...] = ()
    expected: Mapping[str, Expectations] = field(default_factory=dict)
    coverage: bool = True
    kernel_for: str = ""

    @property
    def guests(self) -> int:
        """How many guests it has at once where there is room for them."""
        counts = (config.shards if isinstance(config.shards, int) else suites.MOST_GUESTS for _, config in self.suites)
        return suites.MOST_GUESTS if self.isolate else 1 if self.trial else max(counts, default=1)


@dataclass(frozen=True)
class Pair:
    """The same tree, variant and suites without and with a series."""

    base: Job
    patched: Job


@dataclass(frozen=True)
class Plan:
    """What a run does: pairs for series, and jobs that stand alone.

    ``label`` is the mode, or says that this is a part of it: runs of one label are held against one another.
    """

    mode: str
    label: str
    pairs: tuple[Pair, ...]
    singles: tuple[Job, ...]

    @property
    def jobs(self) -> tuple[Job, ...]:
        """Every job once, in the order of running: a base before its patched twin."""
        unique: dict[str, Job] = {}
        for job in [j for pair in self.pairs for j in (pair.base, pair.patched)] + list(self.singles):
            unique.setdefault(job.name, job)
        return tuple(unique.values())


@dataclass(frozen=True)
class Choice:
    """What the command line asks for instead of what the mode names; empty means: as the mode says.

    In a mode of several products each keeps what it names itself, and is left out where it names none of it.
    ``upto`` is how many patches of each series are applied; ``isolate`` runs each test in a guest of its own.
    ``shards`` is how many guests each suite is split over.
    """

    variants: tuple[str, ...] = ()
    suites: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
    repeat: int = 1
    upto: int | None = None
    isolate: bool = False
    shards: int | None = None

    def configured(self, suite: Suite) -> Suite:
        """Return a suite as it is to be run."""
        return suite if self.shards is None else suite.model_copy(update={"shards": self.shards})

    @property
    def words(self) -> tuple[str, ...]:
        """What is asked for, for people: ``variant main``. Tests are no part: nights of some are held together."""
        lists = (("variant", self.variants), ("suite", self.suites))
        named = tuple(f"{what}{'s' * (len(names) != 1)} {wording.some(names)}" for what, names in lists if names)
        times = (f"{self.repeat} times",) if self.repeat != 1 else ()
        isolated = ("isolated",) if self.isolate else ()
        return (*named, *times, *isolated, *((f"the first {self.upto} patches",) if self.upto is not None else ()))
