"""Pipeline + mode → the jobs of a run. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator import config, configfile
from orchestrator.config import Pipeline
from orchestrator.model import Side


@dataclass(frozen=True)
class Job:
    """One tree × series × variant with its suites.

    ``name`` is unique in a plan and fit for a folder. ``expect`` names the column of the expectations.
    ``tests`` are globs over test ids. ``at`` stops the series after that many patches; None applies all.
    """

    name: str
    side: Side
    tree: str
    source: config.Source
    series: str | None
    series_config: config.SeriesConfig | None
    variant: str
    variant_config: config.Variant
    suites: tuple[tuple[str, config.Suite], ...]
    tests: tuple[str, ...]
    expect: str | None
    at: int | None = None
    repeat: int = 1


@dataclass(frozen=True)
class Pair:
    """The same tree, variant and suites without and with a series."""

    base: Job
    patched: Job


@dataclass(frozen=True)
class Plan:
    """What a run does: pairs for series, and jobs that stand alone."""

    mode: str
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
    """What the command line asks for instead of what the mode names; empty means: as the mode says."""

    variants: tuple[str, ...] = ()
    suites: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
    repeat: int = 1


def expand(pipeline: Pipeline, mode_name: str, choice: Choice | None = None) -> Plan:
    """Return the jobs of a mode. Raises UserError for a name that pipeline.yaml does not define."""
    configfile.check_name(mode_name, pipeline.modes, "mode")
    mode = pipeline.modes[mode_name]
    choice = choice or Choice()
    for name in choice.variants:
        configfile.check_name(name, pipeline.variants, "variant")
    for name in choice.suites:
        configfile.check_name(name, pipeline.suites, "suite")
    chosen = Choice(
        choice.variants or mode.variants, choice.suites or mode.suites, choice.tests or mode.tests, choice.repeat
    )
    pairs = tuple(
        Pair(_job(pipeline, tree, None, variant, chosen), _job(pipeline, tree, series, variant, chosen))
        for series, tree in ((name, pipeline.series[name].tree) for name in mode.series)
        for variant in chosen.variants
    )
    bases = {pair.base.name for pair in pairs}
    alone = (_job(pipeline, tree, None, variant, chosen) for tree in mode.trees for variant in chosen.variants)
    return Plan(mode_name, pairs, tuple(job for job in alone if job.name not in bases))


def _job(pipeline: Pipeline, tree: str, series: str | None, variant: str, choice: Choice) -> Job:
    tree_config = pipeline.trees[tree]
    series_config = pipeline.series[series] if series else None
    return Job(
        name=".".join(filter(None, (tree, series, variant))),
        side=Side.PATCHED if series else Side.BASE,
        tree=tree,
        source=tree_config.source,
        series=series,
        series_config=series_config,
        variant=variant,
        variant_config=pipeline.variants[variant],
        suites=tuple((name, pipeline.suites[name]) for name in choice.suites),
        tests=choice.tests,
        expect=series_config.expect if series_config else tree_config.expect,
        repeat=choice.repeat,
    )
