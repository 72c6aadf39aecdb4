"""Pipeline + mode → the jobs of a run, with all that is read for them: their series, and what their suites must show.

Both are read here and once: a mistake in them comes to light now and not after an hour, and every job of a run, on
whatever machine, has the same patches, even where their files change meanwhile.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from orchestrator.config import loader, schema
from orchestrator.config.schema import Mode, Pipeline, Product
from orchestrator.errors import UserError
from orchestrator.model import Side, expectations_file
from orchestrator.pipeline.values import Choice, Job, Pair, Patches, Plan
from orchestrator.series import series as series_source
from orchestrator.series.series import Series
from orchestrator.text import wording

_Read = Callable[[Path], Series]


def expand(pipeline: Pipeline, mode_name: str, choice: Choice | None = None) -> Plan:
    """Return the jobs of a mode.

    Raises UserError for a name that pipeline.yaml does not define, where nothing is left to run, or nothing of what was
    chosen by name, for a job that the mode asks for twice, with different suites or tests, for a program that is not
    there, and for a series or expectations that cannot be read.
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
    jobs = [job for pair in pairs for job in (pair.base, pair.patched)] + list(alone)
    _refuse_left_out(mode_name, jobs, choice)
    if choice.upto is not None and not pairs:
        raise UserError(f"--at {choice.upto}: mode {mode_name} applies no series")
    _refuse_twins(mode_name, jobs)
    bases = {pair.base.name for pair in pairs}
    label = "; ".join([mode_name, *choice.words])
    planned = Plan(mode_name, label, pairs, tuple(job for job in alone if job.name not in bases))
    _refuse_missing_programs(planned)
    planned = _with_expectations(planned)
    _refuse_unknown_columns(planned, pipeline)
    return planned


def _refuse_left_out(mode: str, jobs: Sequence[Job], choice: Choice) -> None:
    """Refuse a chosen variant or suite that is in none of the jobs: green results would seem to be of it, too."""
    variants, suites = {job.variant for job in jobs}, {name for job in jobs for name, _ in job.suites}
    for what, chosen, there, other in (
        ("variant", choice.variants, variants, "suite"),
        ("suite", choice.suites, suites, "variant"),
    ):
        for name in chosen:
            if name not in there:
                raise UserError(
                    f"mode {mode}: nothing would run of {what} {name}: no product has both that and a chosen {other}"
                )


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


def _refuse_unknown_columns(planned: Plan, pipeline: Pipeline) -> None:
    """Refuse an ``expect`` that is a column of no expectations: a misspelt one would expect nothing, in silence.

    Those of the other suites count, too: any tree may be run with a suite that knows nothing of it.
    """
    for job in planned.jobs:
        if job.expect is None or not job.expected or any(job.expect in e.columns for e in job.expected.values()):
            continue
        paths = {suite.expected for suite in pipeline.suites.values() if suite.expected}
        columns = {column for path in sorted(paths) for column in expectations_file.load(path).columns}
        if job.expect not in columns:
            place = f"series.{job.series}" if job.series else f"trees.{job.tree}"
            hint = wording.nearest(job.expect, columns)
            raise UserError(f"{place}.expect: the expectations of no suite have a column {job.expect}{hint}")


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
