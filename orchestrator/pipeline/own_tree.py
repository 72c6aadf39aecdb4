"""The kernel tree that somebody works in: what stands on top of its base becomes the series that is tested."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from orchestrator.config import overrides
from orchestrator.config.overrides import Options
from orchestrator.config.sources import PathSource
from orchestrator.errors import UserError
from orchestrator.host.process import Deadline
from orchestrator.pipeline.context import Workspace
from orchestrator.series import series
from orchestrator.trees import foreign, local, path, repository

_UPSTREAMS = ("HEAD@{upstream}", "refs/remotes/origin/HEAD")
"""What a branch goes on where nobody says: what it follows, else what its origin calls its own."""


@dataclass(frozen=True)
class _Base:
    """Where the work on a branch begins: a commit, and the name of the branch or tag that it was found by."""

    branch: str
    commit: str
    name: str


def taken(options: Options, where: Path, workspace: Workspace) -> Options:
    """Return the options with the tree at ``where`` in them, and with its own commits as the series if none is named.

    The base is the merge base of HEAD and ``options.base``, else of HEAD and its upstream; uncommitted changes are the
    last patch where they are taken along. A tree with nothing on top has no series. Raises UserError.
    """
    if options.series is not None:
        return dataclasses.replace(options, tree=str(where), ref=_named_base(options, where))
    is_git = local.is_git(where)
    if options.base and not is_git:
        raise UserError(f"{where} is no git tree: it has no {options.base}")
    base = _base(where, options.base) if is_git else None
    if base is None:
        workspace.progress.note(f"{where} alone: it has no upstream (--base names what its commits go on)")
        return dataclasses.replace(options, tree=str(where))
    return _on_top(options, where, base, workspace)


def _named_base(options: Options, where: Path) -> str | None:
    if options.base is None:
        return None
    if ".." in str(options.series):
        raise UserError(f"--base {options.base}: the range {options.series} says itself where it begins")
    with foreign.opened(where) as theirs:
        return local.resolve(theirs, options.base)


def _on_top(options: Options, where: Path, base: _Base, workspace: Workspace) -> Options:
    """Write the commits on top of a base into the folder of the run, as a series."""
    source = PathSource(provider="path", path=where, dirty=options.dirty)
    deadline = Deadline.after(workspace.pipeline.limits.fetch)
    tip = path.fetch(source, where.name, workspace.cache, workspace.progress, deadline)
    if tip.commit == base.commit:
        workspace.progress.note(f"{tip.label} alone: nothing on top of {base.name}")
        return dataclasses.replace(options, tree=str(where))
    loaded = series.load_range(tip.repository, f"{base.commit}..{tip.commit}", name=base.branch, of=where)
    count = len(loaded.patches)
    workspace.progress.note(f"{tip.label}: {count} commit{'s' * (count != 1)} on {base.name} {base.commit[:12]}")
    folder = workspace.directory / "series" / overrides.label(base.branch)
    series.write(loaded.patches, folder)
    return dataclasses.replace(options, tree=str(where), series=str(folder), ref=base.commit, dirty=False)


def _base(where: Path, named: str | None) -> _Base | None:
    """Return the merge base of HEAD and what it goes on; None where nothing says what that is. Raises UserError."""
    with foreign.opened(where) as theirs:
        upstream = local.resolve(theirs, named) if named else _upstream(theirs.git)
        if upstream is None:
            return None
        commit = foreign.asks(theirs, str(where), "merge-base", "HEAD", upstream)
        name = named or repository.git(theirs.git, "rev-parse", "--abbrev-ref", upstream)
        branch = repository.asks(theirs.git, "symbolic-ref", "--quiet", "--short", "HEAD") or "HEAD"
    if commit is None:
        raise UserError(f"{where}: HEAD and {name} have no commit in common")
    return _Base(branch, commit, name)


def _upstream(theirs: Path) -> str | None:
    return next((name for name in _UPSTREAMS if repository.commit_of(theirs, name)), None)
