"""The ``path`` provider: a kernel tree in a directory of this host. It is read, never written."""

from __future__ import annotations

from pathlib import Path

from orchestrator.config.sources import PathSource
from orchestrator.errors import UserError
from orchestrator.host.cache import Cache
from orchestrator.host.process import Deadline
from orchestrator.model import Tree
from orchestrator.progress import Progress
from orchestrator.text import textfile, wording
from orchestrator.trees import foreign, local, repository
from orchestrator.trees.foreign import Opened

_TAKEN = "refs/heads/taken"


def fetch(source: PathSource, name: str, cache: Cache, progress: Progress, deadline: Deadline) -> Tree:
    """Return a git work tree at ``ref``, or at its HEAD with the uncommitted changes where asked, or a plain directory.

    Raises UserError where there are uncommitted changes and ``dirty`` is not set.
    """
    where = textfile.expanded(source.path).absolute()
    if not where.is_dir():
        raise UserError(f"{where}: no such directory")
    bare = local.is_git(where) and not (where / ".git").exists()
    if not (source.ref or bare or (where / "Makefile").is_file()):
        raise UserError(f"{where} holds no Makefile: it is no kernel tree")
    with cache.lock(f"source-{local.key_of(where)}", progress):
        if not local.is_git(where):
            if source.ref:
                raise UserError(f"{where} is no git tree: it has no {source.ref}")
            return _plain(where, name, cache, progress)
        with foreign.opened(where) as theirs:
            if bare or source.ref:
                return _named(source.ref or "HEAD", theirs, name, cache, progress, deadline)
            return _head(source, theirs, name, cache, progress, deadline)


def _named(ref: str, theirs: Opened, name: str, cache: Cache, progress: Progress, deadline: Deadline) -> Tree:
    """Return a commit of the tree, whatever is checked out there or changed; a bare repository has nothing else."""
    commit = local.resolve(theirs, ref)
    if not repository.has(theirs.git, commit, "Makefile"):
        raise UserError(f"{theirs.where} holds no Makefile at {ref}: it is no kernel tree")
    place = local.take(theirs, commit, cache, progress, deadline)
    return repository.tree_at(place, commit, f"{name} {commit[:12]}")


def _head(source: PathSource, theirs: Opened, name: str, cache: Cache, progress: Progress, deadline: Deadline) -> Tree:
    where, head, changes = theirs.where, local.resolve(theirs, "HEAD"), local.changes(theirs)
    if changes.tracked and not source.dirty:
        raise UserError(
            f"{where} has uncommitted changes ({wording.some(changes.tracked)}): commit them, or take them with --dirty"
        )
    place = local.take(theirs, head, cache, progress, deadline)
    label, notes = f"{name} {head[:12]}", []
    taken = (*changes.tracked, *changes.untracked) if source.dirty else ()
    if taken:
        head = local.commit_with(place, theirs, head, taken, f"uncommitted changes on {head}")
        label += " with uncommitted changes"
        notes.append(f"uncommitted changes of {where} are taken along: {wording.some(taken)}")
    elif changes.untracked:
        notes.append(f"files of {where} that git does not track are left out: {wording.some(changes.untracked)}")
    repository.git(place, "update-ref", _TAKEN, head)
    return repository.tree_at(place, head, label, tuple(notes))


def _plain(where: Path, name: str, cache: Cache, progress: Progress) -> Tree:
    place = cache.path("sources", local.key_of(where), "git")
    local.make(place)
    progress.advance(f"import {where}", 0, None)
    commit = local.snapshot(place, where, f"snapshot of {where.name}")
    progress.advance(f"import {where}", 1, 1)
    repository.git(place, "update-ref", _TAKEN, commit)
    return repository.tree_at(place, commit, f"{name} {commit[:12]}", (f"{where} is no git tree: taken as it is",))
