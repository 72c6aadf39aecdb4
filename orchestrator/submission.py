"""What is to be validated: a series, wherever it comes from, and the base that it belongs on."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from orchestrator import adhoc
from orchestrator.adhoc import Options
from orchestrator.config import Pipeline, Source, TreeConfig
from orchestrator.model import Tree
from orchestrator.process import Deadline
from orchestrator.source import base, fetch
from orchestrator.source import series as series_source
from orchestrator.source.base import Base
from orchestrator.source.series import Series
from orchestrator.workspace import Workspace


@dataclass(frozen=True)
class Submission:
    """A series and its base, and the pipeline and mode in which both have a name."""

    pipeline: Pipeline
    mode: str
    name: str
    series: Series
    base: Base


def settle(workspace: Workspace, mode: str, options: Options, said: str | None) -> Submission:
    """Find the base of the series that ``options`` name, and make entries of the pipeline of both.

    ``options.series`` is a name or a path; ``said`` is the base that the user named. Expectations hold for what
    pipeline.yaml itself names: a configured series on the configured commit of its tree.
    Raises UserError, KernelError for a series that is no series, InfraError where the tree cannot be had.
    """
    overlaid, chosen = adhoc.overlay(workspace.pipeline, mode, options)
    (name,) = overlaid.modes[chosen].series
    entry = overlaid.series[name]
    loaded = series_source.load(entry.path, name=name)
    found = base.find(loaded, _trees(overlaid, entry.tree, options), said, lambda s, n: _fetched(s, n, workspace))
    if options.ref and not said and found.commit == options.ref:
        found = dataclasses.replace(found, how="where the range of commits begins")
    keeps = found.name == entry.tree and not found.moved
    placed = entry.model_copy(update={"tree": found.name, "expect": entry.expect if keeps else None})
    update = {
        "trees": {**overlaid.trees, found.name: found.tree},
        "series": {**overlaid.series, name: placed},
    }
    return Submission(overlaid.model_copy(update=update), chosen, name, loaded, found)


def _trees(pipeline: Pipeline, first: str, options: Options) -> dict[str, TreeConfig]:
    """Return where to look for a base, the configured tree first; only there where the user named one."""
    others = {} if options.tree else pipeline.trees
    return {first: pipeline.trees[first], **others}


def _fetched(source: Source, name: str, workspace: Workspace) -> Tree:
    deadline = Deadline.after(workspace.pipeline.limits.fetch)
    return fetch(source, name, workspace.cache, workspace.progress, deadline)
