"""Pipeline + mode → the jobs of a run, with all that is read for them: their series, and what their suites must show.

Both are read here and once: a mistake in them comes to light now and not after an hour, and every job of a run, on
whatever machine, has the same patches, even where their files change meanwhile.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from orchestrator import wording
from orchestrator.config import loader, schema, sources, suites
from orchestrator.config.schema import Mode, Pipeline, Product
from orchestrator.config.suites import Suite
from orchestrator.errors import UserError
from orchestrator.model import Side, expectations_file
from orchestrator.model.expectations import Expectations
from orchestrator.model.trial import Trial
from orchestrator.series import series as series_source
from orchestrator.series.series import Series

_Read = Callable[[Path], Series]


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
    ``coverage``: which changed lines run is measured, where that is possible.
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


def expand(pipeline: Pipeline, mode_name: str, choice: Choice | None = None) -> Plan:
    """Return the jobs of a mode.

    Raises UserError for a name that pipeline.yaml does not define, where nothing is left to run, for a job that the
    mode asks for twice, with different suites or tests, for a program that is not there, and for a series or
    expectations that cannot be read.
    """
    choice = choice or Choice()
    check(pipeline, mode_name, choice)
    read: _Read = functools.cache(series_source.load)
    parts = _narrowed(pipeline, pipeline.modes[mode_name], choice)
    pairs = tuple(pair for part in parts for pair in _pairs(pipeline, part, choice, read))
    alone = tuple(
        _job(pipeline, tree, None, variant, part, choice, read)
        for part in parts
        for tree in part.trees
        for variant in part.variants
    )
    if not pairs and not alone:
        raise UserError(f"mode {mode_name}: nothing would run: none of its products has both the variant and the suite")
    if choice.upto is not None and not pairs:
        raise UserError(f"--at {choice.upto}: mode {mode_name} applies no series")
    _refuse_twins(mode_name, [job for pair in pairs for job in (pair.base, pair.patched)] + list(alone))
    bases = {pair.base.name for pair in pairs}
    label = "; ".join([mode_name, *choice.words])
    planned = Plan(mode_name, label, pairs, tuple(job for job in alone if job.name not in bases))
    _refuse_missing_programs(planned)
    return _with_expectations(planned)


def _refuse_missing_programs(planned: Plan) -> None:
    """Refuse a suite whose program is not on this host, before a kernel is built for it."""
    for name, config in (suite for job in planned.jobs for suite in job.suites):
        for program in config.programs:
            if program.file and not program.file.exists():
                raise UserError(f"suites.{name}: {program.name}: no such file or folder: {program.file}")


def _with_expectations(planned: Plan) -> Plan:
    """Read what the suites of each job must show, now: a mistake in that must not come to light after an hour."""
    paths = {config.expected for job in planned.jobs for _, config in job.suites if config.expected}
    known = {path: expectations_file.load(path) for path in sorted(paths)}

    def loaded(job: Job) -> Job:
        expected = {name: known[config.expected] for name, config in job.suites if config.expected}
        return replace(job, expected=expected)

    pairs = tuple(Pair(loaded(pair.base), loaded(pair.patched)) for pair in planned.pairs)
    return replace(planned, pairs=pairs, singles=tuple(map(loaded, planned.singles)))


def check(pipeline: Pipeline, mode_name: str, choice: Choice) -> None:
    """Refuse names that pipeline.yaml does not define, before anything else is done for them. Raises UserError."""
    loader.check_name(mode_name, pipeline.modes, "mode")
    for name in choice.variants:
        loader.check_name(name, pipeline.variants, "variant")
    for name in choice.suites:
        loader.check_name(name, pipeline.suites, "suite")


def _narrowed(pipeline: Pipeline, mode: Mode, choice: Choice) -> tuple[Product, ...]:
    """Return the products of a mode, each with what was chosen of its own; the first takes what none of them names."""
    variants = _dealt(choice.variants, [part.variants for part in mode.parts])
    suites = _dealt(choice.suites, [part.suites for part in mode.parts])
    return tuple(
        part.model_copy(
            update={
                "variants": variants[k],
                "suites": suites[k],
                "tests": choice.tests or _tests(pipeline, part, suites[k]),
            }
        )
        for k, part in enumerate(mode.parts)
        if suites[k]
    )


def _tests(pipeline: Pipeline, part: Product, suites: tuple[str, ...]) -> tuple[str, ...]:
    """Return the tests of a product where other suites were chosen: what it picks, it picks of its own."""
    others = [pipeline.suites[name] for name in suites if name not in part.suites]
    if len(others) == len(suites) or any(suite.kind == "own" for suite in others):
        return ("*",)
    return (*part.tests, *(program.name for suite in others for program in suite.programs))


def _dealt(chosen: tuple[str, ...], named: Sequence[tuple[str, ...]]) -> Sequence[tuple[str, ...]]:
    if not chosen:
        return named
    others = {name for part in named[1:] for name in part} - set(named[0])
    return [
        tuple(name for name in chosen if name not in others),
        *(tuple(name for name in chosen if name in part) for part in named[1:]),
    ]


def _pairs(pipeline: Pipeline, part: Product, choice: Choice, read: _Read) -> Iterator[Pair]:
    for series in part.series:
        tree = pipeline.series[series].tree
        for variant in part.variants:
            base = _job(pipeline, tree, None, variant, part, choice, read)
            patched = _job(pipeline, tree, series, variant, part, choice, read)
            yield Pair(base, patched if choice.upto is None else _cut(patched, choice.upto))


def _cut(job: Job, upto: int) -> Job:
    """Return the job with a part of its series: it has no expectations, but what works on the base must go on."""
    return replace(job, name=f"{job.name}.at-{upto}", upto=upto, expect=None, extra_series=())


def _refuse_twins(mode: str, jobs: Iterable[Job]) -> None:
    """Refuse jobs of one name that differ: only the first would run, and what the others ask for never would."""
    known: dict[str, Job] = {}
    for job in jobs:
        if known.setdefault(job.name, job) != job:
            raise UserError(f"mode {mode}: asks twice for {job.name}, with different suites or tests")


def _job(
    pipeline: Pipeline, tree: str, series: str | None, variant: str, part: Product, choice: Choice, read: _Read
) -> Job:
    tree_config = pipeline.trees[tree]
    series_config = pipeline.series[series] if series else None
    return Job(
        name=".".join(filter(None, (tree, series, variant))),
        side=Side.PATCHED if series else Side.BASE,
        tree=tree,
        source=tree_config.source,
        series=series,
        patches=_patches(series_config, series, read),
        variant=variant,
        variant_config=pipeline.variants[variant],
        suites=tuple((name, choice.configured(pipeline.suites[name])) for name in part.suites),
        tests=part.tests,
        expect=series_config.expect if series_config else tree_config.expect,
        repeat=choice.repeat,
        isolate=choice.isolate,
        worktree=(Side.PATCHED if series else Side.BASE).value,
        extra_series=_on_top(series_config, read),
        prerequisites=tuple(map(read, tree_config.prerequisites)),
    )


def _patches(config: schema.SeriesConfig | None, name: str | None, read: _Read) -> Patches | None:
    if config is None or name is None:
        return None
    return Patches(replace(read(config.path), name=name), three_way=config.three_way, trusted=config.trusted)


def _on_top(config: schema.SeriesConfig | None, read: _Read) -> tuple[Patches, ...]:
    return (Patches(read(config.on_top)),) if config and config.on_top else ()
