"""A patch series as a value: read from a folder, an mbox, standard input or a range of commits, and looked over.

Nothing here touches a tree. What git would refuse later, or silently take, is named here: paths that lead out of
the tree, binary hunks, damaged hunks, patches that are missing from the numbering.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from orchestrator.errors import KernelError, UserError
from orchestrator.host import cache
from orchestrator.series import mail
from orchestrator.trees import repository

Kind = Literal["mail", "diff"]


@dataclass(frozen=True)
class Patch:
    """One patch. ``raw`` is what git is given; ``files`` are the names it touches, sorted.

    ``subject`` is without ``[PATCH n/m]``. ``kind`` is ``diff`` for one that came without a mail around it.
    """

    subject: str
    author: str
    files: tuple[str, ...]
    diff: str
    raw: bytes
    kind: Kind = "mail"


@dataclass(frozen=True)
class Series:
    """Ordered patches and their cover letter. ``base_commit`` is the trailer of that name, if any."""

    name: str
    patches: tuple[Patch, ...]
    cover: str = ""
    base_commit: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def kind(self) -> Kind:
        """``mail`` where every patch came as one, else ``diff``."""
        return "diff" if any(patch.kind == "diff" for patch in self.patches) else "mail"

    @property
    def subjects(self) -> tuple[str, ...]:
        """The subjects, in order."""
        return tuple(patch.subject for patch in self.patches)

    @property
    def digest(self) -> str:
        """One sha256 over what git would be given: equal series, equal digest."""
        return cache.digest(*(patch.raw for patch in self.patches))


def load(where: Path, *, name: str | None = None) -> Series:
    """Read a series: a folder of ``git format-patch`` files, an mbox, one patch or diff, or ``-`` for standard input.

    Raises UserError where there is no series or a part of it is missing, KernelError where the series is broken.
    """
    if str(where) == "-":
        return parse(name or "stdin", [("standard input", sys.stdin.buffer.read())])
    title = name or where.stem if where.is_file() else name or where.absolute().name
    try:
        return parse(title, [(path.name, path.read_bytes()) for path in _files(where)])
    except OSError as error:
        raise UserError(f"{error.filename}: {error.strerror}") from error


def write(patches: Iterable[Patch], folder: Path) -> None:
    """Write patches into a folder, in their order, as ``load`` reads them."""
    for number, patch in enumerate(patches, 1):
        cache.write_atomic(folder / f"{number:04}.patch", patch.raw)


def _files(where: Path) -> list[Path]:
    if not where.is_dir():
        return [where]
    found = sorted(path for path in where.iterdir() if path.suffix in {".patch", ".diff", ".eml", ".mbox", ".mbx"})
    if not found:
        raise UserError(f"{where} holds no patch (*.patch, as git format-patch writes them)")
    return found


def load_range(tree: Path, revisions: str, *, name: str | None = None) -> Series:
    """Read the commits of a local git tree from ``base..tip`` (or ``base..``) as a series. The tree is only read.

    Raises UserError for a range that git does not know, that is empty, or that holds a merge.
    """
    base, dots, tip = revisions.partition("..")
    tip = tip.removeprefix(".") or "HEAD"
    if not (base and dots) or base.startswith("-"):
        raise UserError(f"{revisions}: a range of commits is written base..tip")
    span = f"{_commit(tree, base)}..{_commit(tree, tip)}"
    if merges := repository.git(tree, "rev-list", "--merges", "--abbrev-commit", span):
        raise UserError(f"{revisions} holds a merge ({merges.split()[0]}), which no patch can carry")
    fork = repository.git(tree, "merge-base", *span.split(".."))
    with tempfile.TemporaryDirectory() as scratch:
        options = ("--numbered", "--full-index", "--no-signature", "--no-renames", "--quiet")
        repository.git(tree, "format-patch", *options, "-o", scratch, span)
        letters = [(path.name, path.read_bytes()) for path in sorted(Path(scratch).iterdir())]
    if not letters:
        raise UserError(f"{revisions} of {tree} holds no commits")
    title = name or tip.replace("/", "-")
    return parse(title, letters, base_commit=fork)


def _commit(tree: Path, revision: str) -> str:
    if commit := repository.commit_of(tree, revision):
        return commit
    raise UserError(f"{tree} has no commit {revision}")


def parse(name: str, files: list[tuple[str, bytes]], *, base_commit: str | None = None) -> Series:
    """Make a series of named file contents; a file may hold one mail, a whole mbox, or a plain diff.

    Raises like ``load``. Pure.
    """
    letters = [letter for label, data in files for letter in mail.split(label, data)]
    covers = [letter for letter in letters if letter.is_cover]
    parts = [letter for letter in letters if letter.diff]
    if not parts:
        raise UserError(f"series {name} is empty: no patch in it")
    patches = tuple(_patch(part, index, len(parts)) for index, part in enumerate(_ordered(name, parts), 1))
    base = base_commit or next((letter.base_commit for letter in letters if letter.base_commit), None)
    return Series(
        name=name,
        patches=patches,
        cover="\n\n".join(f"{letter.subject}\n\n{letter.text}".strip() for letter in covers[:1]),
        base_commit=base,
        notes=() if base else (f"series {name} names no base-commit",),
    )


def _ordered(name: str, parts: list[mail.Letter]) -> list[mail.Letter]:
    """Return the patches in the order of their ``[PATCH n/m]``, or as they came. Raises UserError for a gap."""
    numbers = [part.number for part in parts]
    if not all(numbers):
        return parts
    total = max(part.total for part in parts)
    if twice := sorted({n for n in numbers if numbers.count(n) > 1}):
        raise UserError(f"series {name} has patch {twice[0]}/{total} more than once")
    if missing := sorted(set(range(1, total + 1)) - set(numbers)):
        listed = ", ".join(f"{n}/{total}" for n in missing)
        raise UserError(f"series {name} is not whole: patch {listed} is missing")
    return sorted(parts, key=lambda part: part.number)


def _patch(part: mail.Letter, index: int, count: int) -> Patch:
    try:
        files = mail.files_of(part.diff)
    except ValueError as error:
        raise KernelError(f'patch {index}/{count} "{part.subject}": {error}') from error
    return Patch(part.subject, part.author, files, part.diff, part.raw, "mail" if part.is_mail else "diff")
