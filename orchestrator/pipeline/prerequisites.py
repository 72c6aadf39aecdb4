"""The series that a series names as applied before it, made part of its tree."""

from __future__ import annotations

from orchestrator.config.overrides import Options
from orchestrator.config.schema import Pipeline, TreeConfig
from orchestrator.errors import InfraError, PipelineError, UserError
from orchestrator.host.process import Deadline
from orchestrator.pipeline.context import Workspace
from orchestrator.series import apply, lore
from orchestrator.series import series as series_source
from orchestrator.series.series import Series
from orchestrator.text import wording
from orchestrator.trees import fetch


def applied(pipeline: Pipeline, name: str, options: Options, workspace: Workspace) -> Pipeline:
    """Make the mails that a series names as its prerequisites part of its tree, where it does not apply without them.

    They come from where its own mails come from. What cannot be had is a note: the series is not charged with it.
    """
    entry = pipeline.series[name]
    loaded, tree = series_source.load(entry.path, name=name), pipeline.trees[entry.tree]
    wanted = [each.value for each in loaded.prerequisites if each.kind == "message-id"]
    if not wanted or _applies(loaded, tree, entry.tree, workspace, three_way=entry.three_way):
        return pipeline
    paths = []
    for number, message in enumerate(wanted, 1):
        folder = workspace.directory / f"prerequisite-{number}"
        folder.mkdir()
        try:
            archive = options.archive or pipeline.lore
            paths.append(lore.fetch(f"<{message}>", folder, options.mbox, archive=archive, is_newest=False))
        except (InfraError, UserError) as error:
            workspace.progress.note(f"prerequisite-message-id {message} cannot be had: {error}")
            return pipeline
    workspace.progress.note(f"applied before the series, as it asks for: {wording.some(wanted)}")
    whole = tree.model_copy(update={"prerequisites": (*tree.prerequisites, *paths), "expect": None})
    return pipeline.model_copy(update={"trees": {**pipeline.trees, entry.tree: whole}})


def _applies(loaded: Series, config: TreeConfig, name: str, workspace: Workspace, *, three_way: bool) -> bool:
    deadline = Deadline.after(workspace.pipeline.limits.fetch)
    tree = fetch(config.source, name, workspace.cache, workspace.progress, deadline)
    try:
        apply.apply(tree, loaded, workspace.cache, workspace.progress, three_way=three_way)
    except PipelineError:
        return False
    return True
