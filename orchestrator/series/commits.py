"""Commits of a user's own tree as a series: taken as they are, never by way of a mail.

A file holds one commit as ``git show --format=raw`` prints it. Its message is indented there, so that nothing in
it is taken for a diff; the diff is whole (``--binary --full-index``), with the bytes and line ends of the files.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import UserError
from orchestrator.series import bounds
from orchestrator.trees import foreign, repository
from orchestrator.trees.foreign import Opened

SUFFIX = ".commit"

_SHOW = (
    "show", "--format=raw", "--encoding=UTF-8", "--no-notes", "--no-color", "--binary", "--full-index", "--no-renames",
    "--no-ext-diff", "--no-textconv", "--submodule=short", "--ignore-submodules=none", "--src-prefix=a/",
    "--dst-prefix=b/", "--unified=3", "--inter-hunk-context=0", "--no-indent-heuristic", "--diff-algorithm=myers",
)  # fmt: skip
_HEAD = re.compile(rb"\Acommit [0-9a-f]{40,64}[^\n]*\ntree [0-9a-f]{40,64}\n")
_AUTHOR = re.compile(r"^author (?P<name>[^<\n]*?) ?<(?P<email>[^>\n]*)> (?P<date>-?\d+ [+-]\d+)$", re.M)
_NAMED = re.compile(r"[^\x00-\x20.,:;<>\"\\']")
"""What a name must have for git to commit with it (crud() in ident.c)."""
_PARENT = re.compile(r"^parent ([0-9a-f]{40,64})$", re.M)


@dataclass(frozen=True)
class Commit:
    """One commit. ``date`` is as git keeps it: seconds and zone. ``parent`` is empty for a first commit.

    Before 1970, and without a name, git commits nothing: such a commit has another date, or its address for a name.
    """

    name: str
    email: str
    date: str
    parent: str
    message: str
    diff: bytes

    @property
    def author(self) -> str:
        """The author as a mail has it."""
        return f"{self.name} <{self.email}>"


def is_commit(data: bytes) -> bool:
    """Whether a file holds a commit (pure)."""
    return _HEAD.match(data) is not None


def read(data: bytes) -> Commit:
    """Take a commit apart (pure)."""
    head, _, rest = data.partition(b"\n\n")
    lines = rest.split(b"\n")
    count = next((number for number, line in enumerate(lines) if line and not line.startswith(b"    ")), len(lines))
    message = b"\n".join(line.removeprefix(b"    ") for line in lines[:count]).decode(errors="replace")
    fields = head.decode(errors="replace")
    author, parent = _AUTHOR.search(fields), _PARENT.search(fields)
    name, email, date = (author["name"], author["email"], author["date"]) if author else ("", "", "0 +0000")
    return Commit(
        name=next((each for each in (name, email) if _NAMED.search(each)), "unknown"),
        email=email,
        date="0 +0000" if date.startswith("-") else date,
        parent=parent[1] if parent else "",
        message=message.rstrip("\n") + "\n",
        diff=b"\n".join(lines[count:]),
    )


def as_mail(data: bytes) -> bytes:
    """Return a commit as a mail, for programs that read nothing else (checkpatch). It is never applied. Pure."""
    commit = read(data)
    subject, _, text = commit.message.partition("\n")
    head = f"From: {commit.author}\nSubject: [PATCH] {subject}\n\n{text.strip()}\n---\n\n"
    return head.encode() + commit.diff


def export(tree: Path, revisions: str, of: Path | None = None) -> tuple[str, list[tuple[str, bytes]]]:
    """Return where a range of commits begins, and its commits as files with their names. The tree is only read.

    ``of`` is the tree of the user's that ``tree`` is a copy of: messages name that. Raises UserError for a range that
    git does not know, that is empty, that holds a merge, or of which an object cannot be read.
    """
    base, dots, tip = revisions.partition("..")
    tip = tip.removeprefix(".") or "HEAD"
    if not (base and dots) or base.startswith("-"):
        raise UserError(f"{revisions}: a range of commits is written base..tip")
    noted = foreign.damage_noted(tree) if of else contextlib.nullcontext()
    with foreign.opened(tree) as theirs, noted:
        return _exported(theirs, of or tree, revisions, base, tip)


def _exported(opened: Opened, tree: Path, revisions: str, base: str, tip: str) -> tuple[str, list[tuple[str, bytes]]]:
    """Export a range of a tree, which messages call ``tree``. Raises as ``export``."""
    theirs, objects = opened.git, opened.layout.common / "objects"
    first, last = (foreign.commit_of(opened, revision, str(tree)) for revision in (base, tip))
    fork = foreign.asks(opened, str(tree), "merge-base", first, last)
    if not fork:
        raise UserError(f"{revisions}: {base} and {tip} have no commit in common")
    with foreign.lost_named(str(tree), objects):
        walk = ("rev-list", "--reverse", "--topo-order", "--parents", f"{first}..{last}")
        listed = repository.git(theirs, *walk).splitlines()
    bounds.check_patches(revisions, len(listed))
    if not listed:
        raise UserError(f"{revisions} of {tree} holds no commits")
    if merges := [line for line in listed if line.count(" ") > 1]:
        raise UserError(f"{revisions} holds a merge ({merges[0][:12]}), which is no patch: name a range without one")
    files = []
    for number, commit in enumerate((line.split()[0] for line in listed), 1):
        with foreign.lost_named(f"{tree}: commit {commit[:12]} cannot be read", objects):
            files.append((f"{number:04}{SUFFIX}", repository.diff(theirs, *_SHOW, commit)))
    return fork, files
