"""The ``git`` provider: a repository, by URL or path, and a ref."""

from __future__ import annotations

import re
from pathlib import Path

from orchestrator.config.sources import GitSource
from orchestrator.errors import InfraError, UserError
from orchestrator.host.cache import Cache, digest
from orchestrator.host.process import CommandFailed, Deadline
from orchestrator.model import Tree
from orchestrator.progress import Progress
from orchestrator.text import textfile
from orchestrator.trees import foreign, local, network, progress_lines, repository

_NOT_THERE = ("find remote ref", "invalid refspec", "not our ref", "request for unadvertised object")
"""What git and the servers of its protocols say of a ref, or a commit id, that a repository does not have."""


def fetch(source: GitSource, name: str, cache: Cache, progress: Progress, deadline: Deadline) -> Tree:
    """Return the commit of a ref. A full commit id that is in the cache costs no network; a branch is looked up again.

    Raises UserError where the repository has no such ref, InfraError where it cannot be reached.
    """
    if source.ref.startswith("-") or source.url.startswith("-"):
        raise UserError(f"{source.url} {source.ref}: neither a git address nor a ref begins with '-'")
    where = textfile.expanded(source.url)
    if where.is_dir():
        return _taken(where.absolute(), source.ref, name, cache, progress, deadline)
    return _fetched(source, name, cache, progress, deadline)


def _taken(where: Path, ref: str, name: str, cache: Cache, progress: Progress, deadline: Deadline) -> Tree:
    with cache.lock(f"source-{local.key_of(where)}", progress), foreign.opened(where) as theirs:
        commit = local.resolve(theirs, ref)
        return repository.tree_at(
            local.take(theirs, commit, cache, progress, deadline), commit, f"{name} {ref} ({commit[:12]})"
        )


def _fetched(source: GitSource, name: str, cache: Cache, progress: Progress, deadline: Deadline) -> Tree:
    key = f"git-{digest(source.url)[:16]}"
    place = cache.path("sources", key, "git")
    with cache.lock(f"source-{key}", progress):
        local.make(place)
        whole_id = re.fullmatch(r"[0-9a-f]{40}", source.ref)
        commit = repository.commit_of(place, source.ref) if whole_id else None
        commit = commit or _fetch(source, place, progress, deadline)
    return repository.tree_at(place, commit, f"{name} {source.ref} ({commit[:12]})")


def _fetch(source: GitSource, place: Path, progress: Progress, deadline: Deadline) -> str:
    for left in (place / "objects" / "pack").glob("tmp_*"):
        left.unlink()
    kept = f"refs/fetched/{digest(source.ref)[:16]}"
    progress.note(f"fetching {source.ref} from {source.url}")
    try:
        repository.git_telling(
            place,
            *("fetch", "--progress", "--no-tags", "--force", "--end-of-options", source.url, f"{source.ref}:{kept}"),
            tell=progress_lines.git(progress, source.url),
            env=network.environment(),
            deadline=deadline,
            offline=False,
        )
    except CommandFailed as error:
        raise _fault(source, error) from error
    repository.gather_packs(place, progress, deadline)
    commit = repository.commit_of(place, kept)
    if commit is None:
        raise UserError(f"{source.ref} of {source.url} is no commit")
    return commit


def _fault(source: GitSource, error: CommandFailed) -> UserError | InfraError:
    fatal = [line.removeprefix("fatal: ") for line in error.output.splitlines() if line.startswith("fatal: ")]
    if any(words in error.output for words in _NOT_THERE):
        return UserError(f"{source.url} has no ref {source.ref}")
    return InfraError(f"cannot fetch {source.ref} from {source.url}: {fatal[0] if fatal else error}")
