"""A git tree of somebody else, read with a git of our own configuration.

The configuration of a repository names programs that git runs: filters, hooks, monitors of the file system, transports
for objects that are missing. So git never runs where it is in force. A repository of a moment has copies of what the
tree is at (its refs and its index) and of settings that name no program, and borrows its objects.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import UserError
from orchestrator.host import scratch
from orchestrator.host.process import CommandFailed, Deadline
from orchestrator.text import textfile
from orchestrator.trees import repository

_COPIED = ("HEAD", "index", "info/exclude", "info/sparse-checkout", "MERGE_HEAD", "ORIG_HEAD", "FETCH_HEAD")
_SHARED = ("packed-refs", "shallow", "info/exclude", "info/grafts")
_MOST = 2**20
_SETTINGS = (
    r"^(branch\..*\.(remote|merge)|remote\..*\.fetch|core\.(filemode|symlinks|autocrlf|eol)"
    r"|extensions\.(objectformat|refstorage|worktreeconfig))$"
)
"""What is read of a configuration: what a branch follows, how files differ from what git keeps, and the format."""
_EXTENSION = "extensions."
_PER_WORK_TREE = f"{_EXTENSION}worktreeconfig"
_SECONDS = 10.0
"""What git has for a configuration, which takes it milliseconds: one may include a pipe, or half the disk."""
_USUAL = {("extensions.objectformat", "sha1"), ("extensions.refstorage", "files")}
_LOST = re.compile(
    r"^.*(?:is corrupt|is empty|repository corruption|unable to (?:read|unpack|find)|bad object|bogus commit"
    r"|hash mismatch|missing (?:blob|tree|commit)|could not (?:fetch|parse|read)|lazy fetching disabled).*$",
    re.M | re.I,
)
"""What git says of objects that it cannot read."""
DAMAGED = "wpci-damaged"
"""The file in a repository of ours of which an object could not be read."""
_YES = {"true", "yes", "on", "1"}


@dataclass(frozen=True)
class Layout:
    """Where a tree keeps what: ``own`` is the git folder of this work tree, ``common`` that of the repository."""

    own: Path
    common: Path


def layout(where: Path) -> Layout:
    """Return the git folders of a work tree, of a linked one, or of a bare repository. Raises UserError."""
    try:
        own = _git_folder(where)
        named = own / "commondir"
        common = (own / textfile.read(named, _MOST).strip()).resolve() if named.is_file() else own
    except (OSError, ValueError) as error:  # no path has a null byte
        raise UserError(f"{where} is no git tree that can be read: {error}") from error
    for folder in (where, own, common):
        textfile.check_path(folder)
    if not (common / "objects").is_dir():
        raise UserError(f"{where} is no git tree: name the folder that holds its .git")
    return Layout(own, common)


def _git_folder(where: Path) -> Path:
    git = where / ".git"
    if git.is_file():
        return (where / textfile.read(git, _MOST).removeprefix("gitdir:").strip()).resolve()
    return (git if git.is_dir() else where).resolve()


@dataclass(frozen=True)
class _Setting:
    """A line of a configuration; ``is_included`` where it stands in another file that this one names."""

    key: str
    value: str
    is_included: bool


@dataclass(frozen=True)
class Opened:
    """The tree at ``where``, as it was at one moment. ``git`` is a bare repository that stands for it."""

    where: Path
    layout: Layout
    git: Path


@contextlib.contextmanager
def opened(where: Path) -> Iterator[Opened]:
    """Yield a tree with a repository that has its refs, its index and, borrowed, its objects.

    Raises UserError for a repository of another format than ours.
    """
    there = layout(where)
    with scratch.folder() as folder:
        settings = _settings(where, there, folder)
        ours = folder / "git"
        repository.git(folder, "init", "--quiet", "--bare", "--template=", ours)
        (ours / "info").mkdir()
        (ours / "objects" / "info" / "alternates").write_text(f"{there.common / 'objects'}\n")
        shutil.rmtree(ours / "refs")
        _copy_refs(there.common / "refs", ours / "refs")
        for source, names in ((there.common, _SHARED), (there.own, _COPIED)):
            for name in names:
                _copy(source / name, ours / name)
        for part in there.own.glob("sharedindex.*"):
            _copy(part, ours / part.name)
        with (ours / "config").open("a") as config:
            config.writelines(_written(setting) for setting in settings)
        yield Opened(where, there, ours)


def is_partial(objects: Path) -> bool:
    """Whether a folder of objects is that of a partial clone."""
    return any((objects / "pack").glob("*.promisor"))


class Damaged(UserError):
    """An object of a tree cannot be read."""


@contextlib.contextmanager
def lost_named(what: str, objects: Path) -> Iterator[None]:
    """Say of a git command that could not read an object of somebody's why that is. Raises UserError."""
    try:
        yield
    except CommandFailed as error:
        if not (lost := _LOST.search(error.output)):
            raise
        if is_partial(objects):
            why = "a partial clone lacks files that were never checked out"
            raise UserError(f"{what}: {why}: git fetches them where it is checked out once") from error
        line = lost[0].strip()
        raise Damaged(f"{what}: an object is corrupt or missing (git fsck looks for more): {line}") from error


@contextlib.contextmanager
def damage_noted(copy: Path) -> Iterator[None]:
    """Note in a repository of ours that git could not read an object of it: ``local.take`` copies the tree again."""
    try:
        yield
    except (CommandFailed, Damaged) as error:
        if isinstance(error, Damaged) or _LOST.search(error.output):
            with contextlib.suppress(OSError):
                (copy / DAMAGED).touch()
        raise


def asks(theirs: Opened, what: str, *arguments: str) -> str | None:
    """Run a git command that may fail in a tree; return what it printed, or None where it failed.

    Raises UserError with ``what`` where it failed for an object that cannot be read.
    """
    with contextlib.suppress(CommandFailed), lost_named(what, theirs.layout.common / "objects"):
        return repository.git(theirs.git, *arguments)
    return None


def commit_of(theirs: Opened, revision: str, what: str) -> str:
    """Return the commit that a revision means in a tree, which messages call ``what``. Raises UserError."""
    if commit := asks(theirs, what, "rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}"):
        return commit
    raise UserError(f"{what} has no commit {revision}")


def _settings(where: Path, there: Layout, folder: Path) -> list[_Setting]:
    """Return the settings that are taken over, those of the work tree last. Raises UserError for another format."""
    shared = _read(there.common / "config", folder)
    extensions = {one.key: one.value for one in shared if one.key.startswith(_EXTENSION) and not one.is_included}
    is_per_work_tree = extensions.pop(_PER_WORK_TREE, "false").lower() in _YES
    if other := extensions.items() - _USUAL:
        named = ", ".join(f"{key} = {value}" for key, value in sorted(other))
        raise UserError(f"{where}: a repository of another format is not read: {named}")
    own = _read(there.own / "config.worktree", folder) if is_per_work_tree else []
    return [setting for setting in (*shared, *own) if not setting.key.startswith(_EXTENSION)]


def _read(config: Path, folder: Path) -> list[_Setting]:
    """Return the settings in a file, and in those that it includes where git can read them all."""
    if not config.is_file():
        return []
    listed = _listed(config, folder, "--includes") or _listed(config, folder, "--no-includes")
    entries = iter(listed.split("\0"))
    pairs = ((origin, *entry.partition("\n")) for origin, entry in zip(entries, entries, strict=False))
    return [
        _Setting(key, value if separator else "true", is_included=origin != f"file:{config}")
        for origin, key, separator, value in pairs
    ]


def _listed(config: Path, folder: Path, includes: str) -> str:
    argv = ("config", "--file", config, includes, "--null", "--show-origin", "--get-regexp", _SETTINGS)
    with contextlib.suppress(CommandFailed):
        return repository.git(folder, *argv, deadline=Deadline.after(_SECONDS))
    return ""


def _written(setting: _Setting) -> str:
    """Return a setting as a configuration file has it (git-config(1), SYNTAX)."""
    section, _, rest = setting.key.partition(".")
    name, _, variable = rest.rpartition(".")
    head = f'{section} "{_escaped(name)}"' if name else section
    return f'[{head}]\n\t{variable} = "{_escaped(setting.value)}"\n'


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _copy(source: Path, to: Path) -> None:
    """Copy a file with its time: by that of the index git knows which files may have changed behind it.

    The time is that of before: git may write another one meanwhile, or take it away.
    """
    if source.is_file():
        with contextlib.suppress(FileNotFoundError):
            status = source.stat()
            shutil.copyfile(source, to)
            os.utime(to, ns=(status.st_atime_ns, status.st_mtime_ns))


def _copy_refs(source: Path, to: Path) -> None:
    to.mkdir()
    for path in sorted(source.rglob("*")) if source.is_dir() else []:
        target = to / path.relative_to(source)
        if path.is_dir():
            target.mkdir(parents=True, exist_ok=True)
        elif path.is_file():
            _copy(path, target)
