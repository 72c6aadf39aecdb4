"""Opening a run: its folder, its cache, and the series that is no file yet."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
from collections.abc import Iterator
from pathlib import Path

from orchestrator import arch
from orchestrator.config import overrides
from orchestrator.config.overrides import Options
from orchestrator.config.schema import Pipeline
from orchestrator.errors import InfraError, PipelineError, UserError
from orchestrator.guest import cage
from orchestrator.host import disk, prune
from orchestrator.host.cache import Cache
from orchestrator.host.process import sandbox
from orchestrator.parse import splat
from orchestrator.pipeline import context, own_tree, prerequisites
from orchestrator.pipeline.context import Workspace
from orchestrator.progress import HostFact, Progress
from orchestrator.series import commits, lore
from orchestrator.series import series as series_source
from orchestrator.text import textfile


@contextlib.contextmanager
def open_run(
    pipeline: Pipeline, mode: str | None, options: Options, *, results: Path, progress: Progress
) -> Iterator[tuple[Workspace, str]]:
    """Give a new run its folder and the workspace that its jobs share, for the block in which they run; and its mode.

    Raises UserError for options that do not fit together, InfraError where the folder cannot be made; and see
    ``workspace.opened_run`` for what becomes of the folder when the block raises.
    """
    with opened(pipeline, results, progress) as space:
        settled = written_out(placed(options, space), space.directory, pipeline, progress)
        changed, mode_name = overrides.overlay(pipeline, mode or pipeline.default_mode, settled)
        if settled.series and (own := changed.modes[mode_name].series):
            changed = prerequisites.applied(changed, own[0], settled, space)
        yield dataclasses.replace(space, pipeline=changed), mode_name


def placed(options: Options, space: Workspace) -> Options:
    """Return the options with the user's own tree in them, where that is what is meant. Raises UserError."""
    where = options.here if options.tree is None else Path(options.tree)
    if options.here is None and options.base is None:
        return options
    if where is None or not where.is_dir():
        raise UserError(f"--base {options.base}: name your kernel tree with --tree, or go there")
    return own_tree.taken(options, where.absolute(), space)


@contextlib.contextmanager
def opened(pipeline: Pipeline, results: Path, progress: Progress, *, caged: str = "") -> Iterator[Workspace]:
    """Give a new run its folder and hold the cache, for the block in which it runs. Raises as ``open_run``.

    ``caged`` says what happens where this host allows no cage; else the pipeline does.
    """
    with _in(context.opened_run(results), pipeline, progress, caged or pipeline.sandbox) as space:
        yield space


@contextlib.contextmanager
def reopened(pipeline: Pipeline, directory: Path, progress: Progress) -> Iterator[Workspace]:
    """Hold the cache for the block in which a run goes on whose folder is there. Raises InfraError."""
    with _in(context.reopened_run(directory), pipeline, progress, pipeline.sandbox) as space:
        yield space


@contextlib.contextmanager
def _in(
    folder: contextlib.AbstractContextManager[Path], pipeline: Pipeline, progress: Progress, caged: str
) -> Iterator[Workspace]:
    look_for_cage(caged, progress)
    rules = splat.load_rules(pipeline.splat_rules)
    with cache_in_use(pipeline, progress) as used, folder as directory:
        yield Workspace(pipeline, used, directory, progress, rules, datetime.date.today())


def look_for_cage(rule: str, progress: Progress) -> None:
    """Raise InfraError where a cage is required and cannot be had; say so where it is not required."""
    obstacle = sandbox.obstacle()
    if obstacle and rule == "required":
        raise InfraError(f"no cage for the programs of the tree under test: {obstacle} (sandbox: auto goes on without)")
    if obstacle:
        words = f"sandbox: none, programs of the tree under test run with all rights of this user: {obstacle}"
        progress.note(HostFact(words))
    elif loose := cage.obstacle(arch.DEFAULT.qemu):
        progress.note(HostFact(f"QEMU runs with all rights of this user: {loose}"))


@contextlib.contextmanager
def cache_in_use(pipeline: Pipeline, progress: Progress) -> Iterator[Cache]:
    """Keep the cache as it is for a run, between its jobs as well; behind it, remove kernels that are too many.

    Raises UserError where make could not build in it.
    """
    used = Cache.default()
    used.check_for_builds()
    try:
        with used.in_use(progress):
            yield used
    except PipelineError:  # a disk that is full stays so, unless something goes
        _remove_kernels(used, pipeline, progress)
        raise
    _remove_kernels(used, pipeline, progress)


def _remove_kernels(used: Cache, pipeline: Pipeline, progress: Progress) -> None:
    """Remove the kernels that are too many. What they were made for is over, however that ended: nothing is raised."""
    try:
        outcome = prune.kernels(used, pipeline.limits.kernels)
    except (InfraError, OSError) as error:
        outcome = f"there are kernels to remove, later: {error}"
    if outcome:
        progress.note(outcome)


def workspace_in(pipeline: Pipeline, directory: Path, progress: Progress) -> Workspace:
    """Return the workspace of a run whose folder is there."""
    rules = splat.load_rules(pipeline.splat_rules)
    return Workspace(pipeline, Cache.default(), directory, progress, rules, datetime.date.today())


def written_out(options: Options, directory: Path, pipeline: Pipeline, progress: Progress) -> Options:
    """Write a series that is no file yet (standard input, lore, a range of commits) into the folder of the run."""
    named = options.series
    if options.mbox and not (named and named not in pipeline.series and lore.names(named)):
        raise UserError(f"--mbox holds the thread of a message-id; {named} is none")
    if named is None or named in pipeline.series:
        return options
    if named == "-":
        path = directory / "stdin.mbox"
        disk.write_atomic(path, series_source.read_input())
        return _looked_over(options, path, "standard input", progress)
    if textfile.is_there(named):
        return _looked_over(options, Path(named), Path(named).stem, progress)
    if lore.names(named):
        archive, message = lore.place(named, pipeline.lore)
        progress.note(f"{message}: from {options.mbox or archive}")
        path = lore.fetch(named, directory, options.mbox, archive=archive)
        return _looked_over(dataclasses.replace(options, archive=archive), path, named, progress)
    return _range(options, directory, progress) if ".." in named else options


def _range(options: Options, directory: Path, progress: Progress) -> Options:
    """Write the commits of a range into the folder of the run, and begin where they do."""
    if options.tree is None or not (textfile.is_there(options.tree) and Path(options.tree).is_dir()):
        raise UserError(f"--series {options.series}: a range of commits needs --tree DIR, the repository it is in")
    fork, files = commits.export(Path(options.tree), str(options.series))
    folder = directory / "series" / overrides.label(str(options.series))
    for name, data in files:
        disk.write_atomic(folder / name, data)
    return dataclasses.replace(_looked_over(options, folder, str(options.series), progress), ref=fork)


def _looked_over(options: Options, path: Path, name: str, progress: Progress) -> Options:
    """Refuse what is no series now, and not after the job of the base. Raises UserError."""
    for note in series_source.load(path, name=name).notes:
        progress.note(note)
    return dataclasses.replace(options, series=str(path))
