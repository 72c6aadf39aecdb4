"""Git trees on this host, read and never written: a repository of ours takes their objects over, once.

It is a copy. To borrow the objects (git's alternates) would be free, but git renews the times of borrowed files when
it writes an object that is there already, and what the owner prunes would be gone from under us.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator import wording
from orchestrator.errors import UserError
from orchestrator.host.cache import Cache, digest, new_directory
from orchestrator.host.process import Deadline
from orchestrator.progress import Progress
from orchestrator.trees import progress_lines, repository

READ_ONLY = ("-c", "core.fsmonitor=false", "-c", "core.untrackedCache=false")
"""Options that keep git from starting a daemon, or refreshing a cache, in someone else's repository."""


def key_of(where: Path) -> str:
    """Return the name in the cache of a directory of this host; work trees of one repository share it."""
    common = (
        repository.asks(where, "rev-parse", "--path-format=absolute", "--git-common-dir") if is_git(where) else None
    )
    shared = Path(common) if common else where
    return f"local-{(shared.parent if shared.name == '.git' else shared).name}-{digest(str(shared.resolve()))[:12]}"


def is_git(where: Path) -> bool:
    """Whether a directory is a git work tree or a bare repository, and not merely inside one."""
    return (where / ".git").exists() or ((where / "HEAD").is_file() and (where / "objects").is_dir())


def make(place: Path) -> None:
    """Make ``place`` a bare repository if it is none yet. Hold its lock."""
    repository.remove_scratch(place)
    if not place.is_dir():
        with new_directory(place) as scratch:
            repository.create(scratch)


def take(where: Path, commit: str, cache: Cache, progress: Progress, deadline: Deadline) -> Path:
    """Return the repository of ours with a commit of the git tree at ``where``, and its history. Hold its lock."""
    place = cache.path("sources", key_of(where), "git")
    repository.remove_scratch(place)
    if not place.is_dir():
        progress.note(f"copying the history of {where}, once")
        with new_directory(place) as scratch:
            clone = ("clone", "--quiet", "--bare", "--no-hardlinks", "--no-tags", "--template=", "--")
            tell = progress_lines.copying(progress, f"copy {where}", _objects(where), scratch / "objects")
            repository.git_telling(where, *clone, where, scratch, tell=tell, deadline=deadline)
    if repository.commit_of(place, commit) is None:
        fetch = ("fetch", "--progress", "--no-tags", "--force", "--update-shallow", "--")
        tell = progress_lines.git(progress, str(where))
        repository.git_telling(place, *fetch, where, f"{commit}:refs/fetched/{commit}", tell=tell, deadline=deadline)
    return place


def _objects(where: Path) -> Path:
    return Path(repository.git(where, "rev-parse", "--path-format=absolute", "--git-path", "objects"))


def resolve(where: Path, revision: str) -> str:
    """Return the commit that a revision means in the tree at ``where``. Raises UserError."""
    if commit := repository.commit_of(where, revision):
        return commit
    raise UserError(f"{where} has no commit {revision}")


@dataclass(frozen=True)
class Changes:
    """What the work tree at a path has beyond its HEAD. ``untracked`` names new files that git does not ignore."""

    tracked: tuple[str, ...]
    untracked: tuple[str, ...]


def changes(where: Path) -> Changes:
    """Return the uncommitted changes of a git work tree. Raises UserError in the middle of a merge."""
    options = ("--porcelain=v1", "-z", "--no-renames", "--untracked-files=all", "--ignore-submodules=all")
    listed = repository.git(where, *READ_ONLY, "status", *options)
    entries = [(entry[:2], entry[3:]) for entry in listed.split("\0") if entry]
    if unmerged := [name for code, name in entries if "U" in code or code in {"AA", "DD"}]:
        raise UserError(f"{where} is in the middle of a merge: {wording.some(unmerged)}")
    return Changes(
        tuple(name for code, name in entries if code != "??"), tuple(name for code, name in entries if code == "??")
    )


def commit_with(place: Path, where: Path, head: str, files: tuple[str, ...], message: str) -> str:
    """Return a commit on ``head`` that has these files as they lie in the work tree. Only ``place`` is written."""
    index = place.parent / "index"
    env = _outside(place, where, index)
    repository.git(where, "read-tree", head, env=env)
    repository.git(where, "update-index", "-z", "--add", "--remove", "--stdin", env=env, input_text="\0".join(files))
    content = repository.git(where, "write-tree", env=env)
    index.unlink()
    return repository.git(where, "commit-tree", content, "-p", head, "-m", message, env=env)


def snapshot(place: Path, where: Path, message: str) -> str:
    """Return a commit without a parent that has everything under a directory. The index stays, to be quick again."""
    index = place.parent / "snapshot-index"
    env = _outside(place, where, index)
    repository.git(where, "add", "--force", "--all", env=env)
    content = repository.git(where, "write-tree", env=env)
    return repository.git(where, "commit-tree", content, "-m", message, env=env)


def _outside(place: Path, where: Path, index: Path) -> Mapping[str, str]:
    """Return the environment in which git reads ``where`` and writes elsewhere. A killed run's lock is removed."""
    index.with_name(f"{index.name}.lock").unlink(missing_ok=True)
    return {"GIT_DIR": str(place), "GIT_WORK_TREE": str(where), "GIT_INDEX_FILE": str(index)}
