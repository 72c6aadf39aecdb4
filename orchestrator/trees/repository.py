"""git as the source stage uses it: bare repositories in the cache, one fixed identity, no configuration of the user's.

Two machines that import the same source, or apply the same series to it, get the same commit ids.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from orchestrator.errors import InfraError
from orchestrator.host import process, scratch
from orchestrator.host.cache import digest
from orchestrator.host.process import FOREVER, CommandFailed, Deadline
from orchestrator.model import Tree
from orchestrator.progress import Minor, Progress
from orchestrator.trees import progress_lines

CONFIG = Path(__file__).with_name("gitconfig")
IDENTITY = "wpci <wpci@localhost>"
EPOCH = "2000-01-01T00:00:00+0000"
"""The date of every commit that we make: an id must not depend on when it was made."""

MOST_PACKS = 50
"""Packs of a repository from which on they are packed together."""
_PACKING = 600.0
"""Seconds that this may take."""
_NEEDED = 2**20
"""Bytes without which a disk counts as full."""

_NAME, _EMAIL = "wpci", "wpci@localhost"


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a git command: our configuration alone, our identity, no prompt, no lazy fetch."""
    ours = {
        "GIT_CONFIG_GLOBAL": str(CONFIG),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_EDITOR": "false",
        "GIT_AUTHOR_NAME": _NAME,
        "GIT_AUTHOR_EMAIL": _EMAIL,
        "GIT_AUTHOR_DATE": EPOCH,
        "GIT_COMMITTER_NAME": _NAME,
        "GIT_COMMITTER_EMAIL": _EMAIL,
        "GIT_COMMITTER_DATE": EPOCH,
    }
    return process.minimal_environment({**ours, **(extra or {})})


def git(
    repository: Path,
    *arguments: str | Path,
    deadline: Deadline = FOREVER,
    env: Mapping[str, str] | None = None,
    input_text: str | bytes | None = None,
    offline: bool = True,
) -> str:
    """Run git in a repository and return what it printed, without the last newline. Raises CommandFailed."""
    argv = ["git", "-C", repository, *arguments]
    with _full_disk_named(repository):
        done = process.run(argv, deadline=deadline, env=environment(env), input_text=input_text, offline=offline)
    return done.stdout.rstrip("\n")


def diff(repository: Path, command: str, *arguments: str | Path) -> bytes:
    """Return what a git command prints that has ``--output``, to the byte: files are in any charset."""
    with scratch.folder() as folder:
        file = folder / "diff"
        git(repository, command, f"--output={file}", *arguments)
        return file.read_bytes()


@contextlib.contextmanager
def _full_disk_named(where: Path) -> Iterator[None]:
    """Say of a command that failed on a full disk that the disk is full: git does not."""
    try:
        yield
    except CommandFailed as error:
        if "No space left" in str(error) or shutil.disk_usage(where).free > _NEEDED:
            raise
        text = f"{os.strerror(errno.ENOSPC)}, on the disk of {where}: {error}"
        raise CommandFailed(text, output=error.output, returncode=error.returncode, log=error.log) from error


def git_telling(
    repository: Path,
    *arguments: str | Path,
    tell: progress_lines.Teller,
    deadline: Deadline,
    env: Mapping[str, str] | None = None,
    offline: bool = True,
) -> None:
    """Run git in a repository, and hand on the lines of its progress as they come. Raises CommandFailed."""
    argv = ["git", "-C", repository, *arguments]
    with _full_disk_named(repository):
        progress_lines.run(argv, tell, env=environment(env), deadline=deadline, offline=offline)


def asks(repository: Path, *arguments: str | Path, env: Mapping[str, str] | None = None) -> str | None:
    """Run a git command that may fail; return what it printed, or None where it failed."""
    argv = ["git", "-C", repository, *arguments]
    done = process.run(argv, env=environment(env), check=False, offline=True)
    return done.stdout.rstrip("\n") if done.ok else None


def gather_packs(repository: Path, progress: Progress, deadline: Deadline) -> None:
    """Pack anew what many fetches left, where there are many packs: git looks for each object in all of them.

    No object goes, not even one that nothing names: scratch repositories borrow them. The large packs stay as they are
    (``--geometric``). What fails is a note: the repository is as good as it was. Hold its lock.
    """
    folder = repository / "objects" / "pack"
    packs = len(list(folder.glob("*.pack")))
    if packs <= MOST_PACKS or any(folder.glob("*.promisor")):  # of a partial clone git would lose what is missing
        return
    progress.note(Minor(f"packing {packs} packs of {repository.parent.name} together"))
    limit = Deadline(min(deadline.at, Deadline.after(_PACKING).at))
    try:
        git(repository, "repack", "--geometric=2", "-d", "-n", "--quiet", deadline=limit)
    except InfraError as error:
        process.check_wanted()
        progress.note(f"{packs} packs of {repository.parent.name} could not be packed again: {error}")


def create(directory: Path) -> None:
    """Make an empty bare repository, without the samples of the host's template."""
    git(directory.parent, "init", "--quiet", "--bare", "--template=", directory)


def commit_of(repository: Path, revision: str, env: Mapping[str, str] | None = None) -> str | None:
    """Return the full commit id that a revision means, or None where the repository lacks it."""
    return asks(repository, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}", env=env)


def has_history(repository: Path, commit: str) -> bool:
    """Whether the commits before one are there: an archive has none, and a shallow repository not all."""
    is_shallow = git(repository, "rev-parse", "--is-shallow-repository").strip() == "true"
    return not is_shallow and commit_of(repository, f"{commit}^") is not None


def has(repository: Path, commit: str, path: str) -> bool:
    """Whether a commit has a file or a folder."""
    return asks(repository, "cat-file", "-e", f"{commit}:{path}") is not None


def tree_at(repository: Path, commit: str, label: str, notes: tuple[str, ...] = ()) -> Tree:
    """Return the value for a base commit that lies in a repository of the cache."""
    content = git(repository, "rev-parse", "--verify", f"{commit}^{{tree}}")
    return Tree(repository=repository, commit=commit, base=commit, content=content, label=label, notes=notes)


def contents(tree: Tree, paths: Sequence[str]) -> str:
    """Return one digest over files and folders of a tree; what it does not have counts as that."""
    names = "".join(f"{tree.commit}:{path}\n" for path in paths)
    listed = git(tree.repository, "cat-file", "--batch-check=%(objectname)", input_text=names)
    return digest(listed.replace(tree.commit, ""))


def remove_scratch(final: Path) -> None:
    """Remove what killed runs left beside ``final`` (see ``disk.new_directory``). Hold the lock of ``final``."""
    for left in final.parent.glob(f".{final.name}.*"):
        shutil.rmtree(left, ignore_errors=True)
