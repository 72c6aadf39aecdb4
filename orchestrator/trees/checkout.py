"""A work tree on disk that is moved from commit to commit: only files whose content differs are rewritten.

make looks at times, so a build that follows costs what the move changed. The index of the work tree is the truth:
whatever a killed run left half-written differs from it, and is put right by the next move.
"""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

from orchestrator.errors import InfraError
from orchestrator.host import scratch
from orchestrator.host.process import CommandFailed
from orchestrator.model import Tree
from orchestrator.progress import Progress
from orchestrator.trees import foreign, repository

_STALE = ("index.lock", "HEAD.lock")


def checkout(tree: Tree, where: Path, progress: Progress) -> None:
    """Make ``where`` a clean work tree at the tree's commit; a no-op when it is one.

    The caller holds the lock of ``where``. What git does not know there is removed, ignored or not: nothing of ours
    lies there. Raises InfraError where ``where`` holds something else than a work tree of ours.
    """
    with foreign.damage_noted(tree.repository):
        if not _is_linked(where, tree.repository):
            _rebuild(tree, where, progress)
            return
        try:
            _move(tree, where, progress)
        except CommandFailed as error:
            progress.note(f"{where} is damaged and is made anew ({error})")
            _rebuild(tree, where, progress)


def _move(tree: Tree, where: Path, progress: Progress) -> None:
    for name in _STALE:
        (_administration(where) / name).unlink(missing_ok=True)
    if not _is_at(tree, where):
        what = f"checkout {tree.label}"
        progress.advance(what, 0, None)
        repository.git(where, "checkout", "--quiet", "--force", "--detach", tree.commit)
        progress.advance(what, 1, 1)
    repository.git(where, "clean", "-ffdxq")


def _is_at(tree: Tree, where: Path) -> bool:
    """Whether the work tree is clean at the commit. git's notes on times are renewed: content counts."""
    changed = ["status", "--porcelain", "--untracked-files=no"]
    clean = repository.git(where, *changed, env={"GIT_OPTIONAL_LOCKS": "1"}) == ""
    return clean and repository.commit_of(where, "HEAD") == tree.commit


def _rebuild(tree: Tree, where: Path, progress: Progress) -> None:
    _remove(where)
    where.parent.mkdir(parents=True, exist_ok=True)
    _forget_damaged(tree.repository)
    repository.git(tree.repository, "worktree", "prune", "--expire=now")
    repository.git(tree.repository, "worktree", "add", "--quiet", "--no-checkout", "--detach", where, tree.commit)
    _move(tree, where, progress)


def _remove(where: Path) -> None:
    """Remove a work tree; it loses its name first, so that a killed removal leaves no half of it."""
    if not where.exists() or (where.is_dir() and not any(where.iterdir())):
        return
    if not (where / ".git").is_file():
        raise InfraError(f"{where} is in the way: it is not a work tree of ours")
    with scratch.folder(where.parent) as grave:
        where.rename(grave / "tree")


def _forget_damaged(owner: Path) -> None:
    """Forget work trees without the way back to their repository: git asks each for it, and stops where it is empty."""
    for way_back in (owner / "worktrees").glob("*/commondir"):
        if way_back.with_name("locked").exists():
            continue  # another run is adding it: git-worktree locks it until all is written
        with contextlib.suppress(OSError):
            if not way_back.read_bytes().strip():
                shutil.rmtree(way_back.parent)


def _administration(where: Path) -> Path:
    """Return the folder in the repository that a linked work tree names (see gitrepository-layout(5))."""
    return Path((where / ".git").read_text().removeprefix("gitdir:").strip())


def _is_linked(where: Path, owner: Path) -> bool:
    """Whether ``where`` and ``owner`` name each other as work tree and repository."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        admin = _administration(where)
        back = Path((admin / "gitdir").read_text().strip())
        return (
            admin.parent.resolve() == (owner / "worktrees").resolve() and back.resolve() == (where / ".git").resolve()
        )
    return False
