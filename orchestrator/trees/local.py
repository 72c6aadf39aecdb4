"""Git trees on this host, read and never written: a repository of ours takes their objects over, once.

It is a copy. To borrow the objects (git's alternates) would be free, but git renews the times of borrowed files when
it writes an object that is there already, and what the owner prunes would be gone from under us.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import UserError
from orchestrator.host import process, scratch
from orchestrator.host.cache import Cache, digest
from orchestrator.host.disk import new_directory
from orchestrator.host.process import Deadline
from orchestrator.progress import Progress
from orchestrator.text import wording
from orchestrator.trees import foreign, progress_lines, repository
from orchestrator.trees.foreign import Opened


def key_of(where: Path) -> str:
    """Return the name in the cache of a directory of this host; work trees of one repository share it."""
    shared = foreign.layout(where).common if is_git(where) else where
    return f"local-{(shared.parent if shared.name == '.git' else shared).name}-{digest(str(shared.resolve()))[:12]}"


def is_git(where: Path) -> bool:
    """Whether a directory is a git work tree or a bare repository, and not merely inside one."""
    return _has_git(where) or ((where / "HEAD").is_file() and (where / "objects").is_dir())


def _has_git(folder: Path) -> bool:
    """Whether a folder has a ``.git``. An empty folder of that name is none, for git neither."""
    git = folder / ".git"
    try:
        return any(git.iterdir()) if git.is_dir() else git.exists()
    except OSError:
        return True


def make(place: Path) -> None:
    """Make ``place`` a bare repository if it is none yet. Hold its lock."""
    repository.remove_scratch(place)
    if not place.is_dir():
        with new_directory(place) as made:
            repository.create(made)


def take(theirs: Opened, commit: str, cache: Cache, progress: Progress, deadline: Deadline) -> Path:
    """Return the repository of ours with a commit of a git tree, and its history. Hold its lock.

    Raises UserError where that is a partial clone that lacks some of the commit, or where an object is damaged.
    """
    place = cache.path("sources", key_of(theirs.where), "git")
    repository.remove_scratch(place)
    objects = theirs.layout.common / "objects"
    is_partial = foreign.is_partial(objects)
    if not place.is_dir():
        progress.note(f"copying the history of {theirs.where}, once")
        with new_directory(place) as made, foreign.lost_named(str(theirs.where), objects):
            _copy(theirs, made, progress, deadline)
    elif (place / foreign.DAMAGED).exists():
        progress.note(f"copying the history of {theirs.where} again, for an object of the copy is damaged")
        with foreign.lost_named(str(theirs.where), objects):
            _copy_again(theirs, place, progress, deadline)
    elif is_partial:
        _copy_new(objects, place)
    if repository.commit_of(place, commit) is None:
        fetch = ("fetch", "--progress", "--no-tags", "--force", "--update-shallow", "--")
        tell = progress_lines.git(progress, str(theirs.where))
        wanted = f"{commit}:refs/fetched/{commit}"
        with foreign.lost_named(str(theirs.where), objects), foreign.damage_noted(place):
            repository.git_telling(place, *fetch, theirs.git, wanted, tell=tell, deadline=deadline)
        repository.gather_packs(place, progress, deadline)
    if is_partial:
        _check_whole(theirs.where, commit, place)
    return place


def _copy_new(objects: Path, place: Path) -> None:
    """Copy the files of objects that are new: from a partial clone git fetches no history, for it lacks some of it."""
    files = [*objects.glob("pack/pack-*"), *objects.glob("[0-9a-f][0-9a-f]/*")]
    # git takes a pack for there once it has an index
    for path in sorted(files, key=lambda file: file.suffix == ".idx"):
        target = place / "objects" / path.relative_to(objects)
        if path.is_file() and not path.is_symlink() and not target.exists():
            with scratch.folder(place) as folder:
                shutil.copyfile(path, folder / path.name)
                target.parent.mkdir(exist_ok=True)
                (folder / path.name).replace(target)


def _copy_again(theirs: Opened, place: Path, progress: Progress, deadline: Deadline) -> None:
    """Put the files of a tree's objects in the place of those in its copy, which may be damaged; no other file goes."""
    with scratch.folder(place.parent) as folder:
        copied = folder / place.name
        _copy(theirs, copied, progress, deadline)
        files = [path for path in (copied / "objects").rglob("*") if path.is_file()]
        for path in sorted(files, key=lambda file: (file.suffix == ".idx", file.name == "multi-pack-index")):
            target = place / path.relative_to(copied)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)
    (place / foreign.DAMAGED).unlink()


def _check_whole(where: Path, commit: str, place: Path) -> None:
    """Raise UserError where a commit of a partial clone is not all there; what came before it need not be."""
    listed = repository.git(place, "rev-list", "--objects", "--no-walk", "--no-object-names", "--missing=print", commit)
    if lacking := sum(line.startswith("?") for line in listed.split("\n")):
        some = f"{lacking} object{'s' * (lacking != 1)} of commit {commit[:12]}"
        raise UserError(f"{where} is a partial clone that lacks {some}: git fetches them where it is checked out once")


def _copy(theirs: Opened, to: Path, progress: Progress, deadline: Deadline) -> None:
    """Make ``to`` a repository with all objects of a tree: as files, or packed anew where it borrows some itself."""
    objects = theirs.layout.common / "objects"
    tell = progress_lines.copying(progress, f"copy {theirs.where}", objects, to / "objects")
    if (objects / "info" / "alternates").exists():
        clone = ("clone", "--quiet", "--bare", "--no-local", "--no-tags", "--template=", "--")
        repository.git_telling(theirs.git, *clone, theirs.git, to, tell=tell, deadline=deadline)
        return
    repository.create(to)
    copy = ["cp", "-R", "-P", "--no-preserve=mode,ownership", "--", f"{objects}/.", str(to / "objects")]
    progress_lines.run(copy, tell, env=process.minimal_environment(), deadline=deadline)
    for path in (to / "objects").rglob("*"):
        if path.is_symlink():
            path.unlink()
    if (theirs.git / "shallow").exists():
        shutil.copyfile(theirs.git / "shallow", to / "shallow")


def resolve(theirs: Opened, revision: str) -> str:
    """Return the commit that a revision means in a tree. Raises UserError."""
    return foreign.commit_of(theirs, revision, str(theirs.where))


@dataclass(frozen=True)
class Changes:
    """What the work tree at a path has beyond its HEAD. ``untracked`` names new files that git does not ignore.

    Names are as git quotes them, which may be of any bytes; one that ends in ``/`` is a repository of its own.
    """

    tracked: tuple[str, ...]
    untracked: tuple[str, ...]


def changes(theirs: Opened) -> Changes:
    """Return the uncommitted changes of a git work tree. Raises UserError in the middle of a merge."""
    options = ("--porcelain=v1", "--no-renames", "--untracked-files=all", "--ignore-submodules=all")
    env = {"GIT_DIR": str(theirs.git), "GIT_WORK_TREE": str(theirs.where)}
    listed = repository.git(theirs.where, "-c", "core.quotePath=true", "status", *options, env=env)
    entries = [(entry[:2], entry[3:]) for entry in listed.split("\n") if entry]
    if unmerged := [name for code, name in entries if "U" in code or code in {"AA", "DD"}]:
        raise UserError(f"{theirs.where} is in the middle of a merge: {wording.some(unmerged)}")
    return Changes(
        tuple(name for code, name in entries if code != "??"), tuple(name for code, name in entries if code == "??")
    )


def commit_with(place: Path, theirs: Opened, head: str, files: tuple[str, ...], message: str) -> str:
    """Return a commit on ``head`` that has these files as they lie in the work tree. Only ``place`` is written.

    The names are those of ``changes``. Raises UserError where git does not take all of them.
    """
    where = theirs.where
    if inner := next((name for name in files if name.rstrip('"').endswith("/")), None):
        raise _of_its_own(where, inner)
    index = place.parent / "index"
    env = {**_outside(theirs.git, where, index), "GIT_OBJECT_DIRECTORY": str(place / "objects")}
    repository.git(where, "read-tree", head, env=env)
    update = ("update-index", "--add", "--remove", "--verbose", "--stdin")
    taken = repository.git(where, *update, env=env, input_text="".join(f"{name}\n" for name in files))
    if (count := f"\n{taken}".count("\nadd '")) != len(files):
        raise UserError(f"{where}: git takes {count} of {len(files)} uncommitted changes: {wording.some(files)}")
    content = repository.git(where, "write-tree", env=env)
    index.unlink()
    return repository.git(where, "commit-tree", content, "-p", head, "-m", message, env=env)


def snapshot(place: Path, where: Path, message: str) -> str:
    """Return a commit without a parent that has everything under a directory. The index stays, to be quick again.

    Raises UserError where a repository is inside: git would take a name for all its files.
    """
    for folder, folders, files in os.walk(where):
        if ".git" in (*folders, *files) and _has_git(Path(folder)):
            raise _of_its_own(where, str(Path(folder).relative_to(where)))
    index = place.parent / "snapshot.index"  # one of before, "snapshot-index", may have a repository in it
    env = _outside(place, where, index)
    repository.git(where, "add", "--force", "--all", env=env)
    content = repository.git(where, "write-tree", env=env)
    return repository.git(where, "commit-tree", content, "-m", message, env=env)


def _of_its_own(where: Path, inner: str) -> UserError:
    return UserError(
        f"{where}: {inner} is a git repository of its own, whose files git takes into no other: move it out"
    )


def _outside(place: Path, where: Path, index: Path) -> Mapping[str, str]:
    """Return the environment in which git reads ``where`` and writes elsewhere. A killed run's lock is removed."""
    index.with_name(f"{index.name}.lock").unlink(missing_ok=True)
    return {"GIT_DIR": str(place), "GIT_WORK_TREE": str(where), "GIT_INDEX_FILE": str(index)}
