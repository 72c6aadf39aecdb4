"""git bisect in a repository of its own: it chooses the steps, and its log is the log.

The repository is bare and borrows the objects of the one that has the history, so nothing of the user's is written,
and skips, merges and merge bases are git's own affair. Its state can be replayed from our own: it may be thrown away.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import InfraError, UserError
from orchestrator.host import process, scratch
from orchestrator.host.disk import write_atomic
from orchestrator.model import Term
from orchestrator.model.bounds import Bounded
from orchestrator.trees import repository

_FIRST_BAD = re.compile(r"^# first bad commit: \[(\w+)\]", re.M)
_POSSIBLE = re.compile(r"^# possible first bad commit: \[(\w+)\]", re.M)
_GOODS = "refs/bisect/good-*"


@dataclass(frozen=True)
class Commit(Bounded):
    """What a reader wants to know of a commit. ``author`` is ``name <address>``."""

    id: str
    subject: str
    author: str
    parents: tuple[str, ...] = ()


@dataclass(frozen=True)
class Position:
    """Where a bisect stands: ``following`` is to be tested next.

    At the end it is None, and ``candidates`` has the first bad commit, or all that it may be where skips hide it;
    ``fault`` then says why there is none. ``left`` and ``steps`` are git's own estimate of what is to do.
    """

    following: str | None
    left: int = 0
    steps: int = 0
    candidates: tuple[str, ...] = ()
    fault: str = ""


def check_ends(objects: Path, good: str, bad: str) -> None:
    """Refuse two commits of ``objects`` that no walk leads between. Raises UserError."""
    common = repository.asks(objects, "merge-base", good, bad)
    if common is None:
        cut = ": the history is cut off, fetch more of it" if (objects / "shallow").exists() else ""
        raise UserError(f"--good {good[:12]} and --bad {bad[:12]} have no commit in common{cut}")
    if common == bad:
        raise UserError(f"--bad {bad[:12]} is older than the good one, {good[:12]}: is it the other way round?")


def begin(place: Path, objects: Path, good: str, bad: str) -> Position:
    """Make ``place`` the repository of a bisect between two commits of ``objects``; an older one there is dropped."""
    _emptied(place, objects)
    return begin_here(place, good, bad)


def begin_here(place: Path, good: str, bad: str) -> Position:
    """Begin between two commits that ``place`` itself has (see ``line``)."""
    repository.git(place, "update-ref", "--no-deref", "HEAD", bad)
    return _run_bisect(place, "start", bad, good)


def line(place: Path, names: Sequence[str]) -> tuple[str, ...]:
    """Make a history out of names alone: one commit each, empty, in a row; return their ids."""
    _emptied(place, None)
    empty = repository.git(place, "mktree", input_text="")
    ids: list[str] = []
    for name in names:
        parent = ("-p", ids[-1]) if ids else ()
        ids.append(repository.git(place, "commit-tree", empty, *parent, "-m", name))
    return tuple(ids)


def _emptied(place: Path, objects: Path | None) -> None:
    shutil.rmtree(place, ignore_errors=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    repository.create(place)
    if objects is not None:
        write_atomic(place / "objects" / "info" / "alternates", f"{objects / 'objects'}\n")
        if (objects / "shallow").exists():
            shutil.copyfile(objects / "shallow", place / "shallow")


def mark(place: Path, term: Term, commit: str) -> Position:
    """Tell what a commit is; return where that leads."""
    return _run_bisect(place, term.value, commit)


def _run_bisect(place: Path, *arguments: str) -> Position:
    argv: list[str | Path] = ["git", "-C", place, "bisect", *arguments]
    done = process.run(argv, env=repository.environment(), check=False, offline=True)
    output = log(place)
    if culprits := _FIRST_BAD.findall(output):
        return Position(None, candidates=(culprits[-1],))
    if possible := _POSSIBLE.findall(output):
        return Position(None, candidates=tuple(reversed(possible)))  # git lists the newest first
    text = " ".join((done.stdout + done.stderr).split())
    if done.returncode == 3:
        return Position(None, fault=f"git bisect: {text}")
    following = repository.asks(place, "rev-parse", "--verify", "--quiet", "BISECT_HEAD")
    if done.returncode or not following:
        raise InfraError(f"git bisect {arguments[0]} failed: {text}")
    return Position(following, *_estimate(place))


def _estimate(place: Path) -> tuple[int, int]:
    output = repository.git(place, "rev-list", "--bisect-vars", "refs/bisect/bad", "--not", f"--glob={_GOODS}")
    values = dict(re.findall(r"^(\w+)='?(\w*)'?$", output, re.M))
    return int(values["bisect_nr"]), int(values["bisect_steps"]) + 1


def possible_next(place: Path, commit: str) -> tuple[str, ...]:
    """Return what may come after ``commit``: if that is good, and if it is bad.

    That is a guess where histories branch or commits were skipped. (``rev-list --bisect`` cannot be used: it always
    adds the marks that are there.)
    """
    bad = repository.git(place, "rev-parse", "refs/bisect/bad")
    middles = (_middle(place, bad, f"^{commit}"), _middle(place, commit))
    return tuple(c for c in middles if c not in {commit, bad, ""})


def _middle(place: Path, bad: str, *more: str) -> str:
    listed = repository.git(place, "rev-list", "--topo-order", bad, *more, "--not", f"--glob={_GOODS}").split()
    return listed[len(listed) // 2] if listed else ""


def log(place: Path) -> str:
    """Return the log, as ``git bisect replay`` reads it."""
    path = place / "BISECT_LOG"
    return path.read_bytes().decode(errors="replace") if path.exists() else ""  # a CR in a subject ends no line


def described(place: Path, ids: Iterable[str]) -> tuple[Commit, ...]:
    """Return what there is to say of some commits, in their order."""
    wanted = list(ids)
    if not wanted:
        return ()
    output = repository.git(place, "show", "--no-patch", "--format=%H%x00%s%x00%an <%ae>%x00%P", *wanted)
    fields = [text.split("\0") for text in output.split("\n") if text]
    return tuple(Commit(commit, subject, author, tuple(parents.split())) for commit, subject, author, parents in fields)


def count(place: Path, good: str, bad: str) -> int:
    """Return how many commits are in ``bad`` and not in ``good``."""
    return int(repository.git(place, "rev-list", "--count", bad, f"^{good}"))


def reverted(place: Path, tip: str, culprit: Commit) -> bytes | None:
    """Return the diff that takes a commit out of ``tip``, or None where that is not clean (or it is a merge).

    It is a merge of ``tip`` and of a commit that undoes the culprit right on top of it, without any work tree.
    """
    if len(culprit.parents) != 1:
        return None
    before = repository.git(place, "rev-parse", "--verify", f"{culprit.parents[0]}^{{tree}}")
    undone = repository.git(place, "commit-tree", before, "-p", culprit.id, "-m", f"undo {culprit.id}")
    merged = repository.asks(place, "merge-tree", "--write-tree", "--no-messages", tip, undone)
    if merged is None:
        return None
    with scratch.folder() as folder:
        file = folder / "diff"
        repository.git(place, "diff", "--binary", "--no-renames", "--no-ext-diff", f"--output={file}", tip, merged)
        return file.read_bytes()
