"""What is to be validated: a series, wherever it comes from, and the base that it belongs on."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestrator.config import overrides
from orchestrator.config.overrides import Options
from orchestrator.config.schema import Pipeline, TreeConfig
from orchestrator.config.sources import Source
from orchestrator.host.process import Deadline
from orchestrator.model import Tree
from orchestrator.pipeline import opening, prerequisites
from orchestrator.pipeline.context import Workspace
from orchestrator.progress import Progress
from orchestrator.series import base
from orchestrator.series import series as series_source
from orchestrator.series.base import Base
from orchestrator.series.series import Series
from orchestrator.trees import fetch


@dataclass(frozen=True)
class Submission:
    """A series and its base, and the pipeline and mode in which both have a name."""

    pipeline: Pipeline
    mode: str
    name: str
    series: Series
    base: Base


@contextlib.contextmanager
def open_validation(
    pipeline: Pipeline, mode: str, options: Options, revision: str | None, *, results: Path, progress: Progress
) -> Iterator[tuple[Workspace, Submission]]:
    """Give a new run its folder, and settle what is validated in it: the series, and the base it belongs on.

    ``revision`` is the base that the user named. Raises as ``open_run`` and ``settle``.
    """
    with opening.opened(pipeline, results, progress, caged=pipeline.validation.sandbox) as space:
        settled = settle(space, mode, opening.written_out(options, space.directory, pipeline, progress), revision)
        progress.note(f"{settled.name}: {len(settled.series.patches)} patches on {settled.base.name}")
        progress.note(f"base {settled.base.commit[:12]}, found by: {settled.base.how}")
        yield dataclasses.replace(space, pipeline=settled.pipeline), settled


def settle(workspace: Workspace, mode: str, options: Options, revision: str | None) -> Submission:
    """Find the base of the series that ``options`` name, and make entries of the pipeline of both.

    ``options.series`` is a name or a path; ``revision`` is the base that the user named. Expectations hold for what
    pipeline.yaml itself names: a configured series on the configured commit of its tree.
    Raises UserError, KernelError for a series that is no series, InfraError where the tree cannot be had.
    """
    overlaid, chosen = overrides.overlay(workspace.pipeline, mode, options)
    (name,) = overlaid.modes[chosen].series
    entry = overlaid.series[name]
    loaded = series_source.load(entry.path, name=name)
    location = base.find(
        loaded, _trees(overlaid, entry.tree, options), revision, lambda s, n: _fetched(s, n, workspace)
    )
    if options.ref and not revision and location.commit == options.ref:
        location = dataclasses.replace(location, how="where the range of commits begins")
    whole = prerequisites.applied(placed(overlaid, name, location), name, options, workspace)
    return Submission(whole, chosen, name, loaded, location)


def placed(pipeline: Pipeline, series: str, location: Base) -> Pipeline:
    """Put a series on its base. Another commit of a tree from which suites are built has another name than that."""
    entry, tree = pipeline.series[series], location.name
    if location.moved and any(suite.tree == tree for suite in pipeline.suites.values()):
        tree += "-moved"  # one for all commits: its work tree and output folder are kept
    keeps = location.name == entry.tree and not location.moved
    moved = entry.model_copy(update={"tree": tree, "expect": entry.expect if keeps else None})
    update = {"trees": {**pipeline.trees, tree: location.tree}, "series": {**pipeline.series, series: moved}}
    return pipeline.model_copy(update=update)


def _trees(pipeline: Pipeline, first: str, options: Options) -> dict[str, TreeConfig]:
    """Return where to look for a base, the configured tree first; only there where the user named one."""
    others = {} if options.tree else pipeline.trees
    return {first: pipeline.trees[first], **others}


def _fetched(source: Source, name: str, workspace: Workspace) -> Tree:
    deadline = Deadline.after(workspace.pipeline.limits.fetch)
    return fetch(source, name, workspace.cache, workspace.progress, deadline)
