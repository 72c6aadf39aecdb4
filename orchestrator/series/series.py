"""A patch series as a value: read from a folder, an mbox, standard input or a range of commits, and looked over.

Nothing here touches a tree. Which mails are its patches, and in which order, is decided in ``thread``; what git would
refuse later stands in each patch, so that the stage that applies it says so.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.errors import UserError
from orchestrator.host import cache
from orchestrator.series import bounds, commits, diffs, mail, quilt, thread
from orchestrator.series.mail import Kind, Letter, Prerequisite

SUFFIXES = {".patch", ".diff", ".eml", ".mbox", ".mbx", commits.SUFFIX}


@dataclass(frozen=True)
class Patch:
    """One patch. ``raw`` is what git is given; ``files`` are the names it touches, sorted.

    ``subject`` is without ``[PATCH n/m]``. ``kind`` is ``diff`` for one that came without a mail around it, ``commit``
    for one that never was a mail. ``fault`` says why it cannot be applied to any tree. ``level`` is how many
    components its names lose, where whoever sent it says so.
    """

    subject: str
    author: str
    files: tuple[str, ...]
    diff: str
    raw: bytes
    kind: Kind = "mail"
    fault: str = ""
    level: int | None = None

    @property
    def mail(self) -> bytes:
        """The patch for a program that reads mails."""
        return commits.as_mail(self.raw) if self.kind == "commit" else self.raw

    @property
    def is_signed(self) -> bool:
        """Whether somebody signed it off."""
        return b"\nSigned-off-by:" in self.mail


@dataclass(frozen=True)
class Series:
    """Ordered patches and their cover letter. ``base_commit`` is the trailer of that name, if any.

    ``notes`` say which mails were left out; ``prerequisites`` is what it names as applied before it.
    """

    name: str
    patches: tuple[Patch, ...]
    cover: str = ""
    base_commit: str | None = None
    notes: tuple[str, ...] = ()
    prerequisites: tuple[Prerequisite, ...] = ()

    @property
    def kind(self) -> Kind:
        """``mail`` where every patch came as one, else ``diff``, or ``commit``."""
        return next((patch.kind for patch in self.patches if patch.kind != "mail"), "mail")

    @property
    def subjects(self) -> tuple[str, ...]:
        """The subjects, in order."""
        return tuple(patch.subject for patch in self.patches)

    @property
    def digest(self) -> str:
        """One sha256 over what git would be given: equal series, equal digest."""
        return cache.digest(*(patch.raw for patch in self.patches))


@dataclass(frozen=True)
class File:
    """A file that a series is read from; ``level`` as in ``Patch``."""

    name: str
    data: bytes
    level: int | None = None


def load(where: Path, *, name: str | None = None) -> Series:
    """Read a series: a folder of ``git format-patch`` files or of quilt, an mbox, one patch, or ``-``: standard input.

    Raises UserError where there is no series, a part of it is missing, or there is more of it than is read.
    """
    if str(where) == "-":
        return parse(name or "stdin", [("standard input", read_input())])
    try:
        title = name or (where.stem if where.is_file() else where.absolute().name)
        listed = quilt.read(where, _text(where / quilt.SERIES)) if (where / quilt.SERIES).is_file() else None
        entries = _files(where) if listed is None else [(where / entry.name, entry.level) for entry in listed]
        bounds.check_mails(title, len(entries))
        bounds.check_size(title, sum(path.stat().st_size for path, _ in entries))
        files = [File(path.name, _read(path), level) for path, level in entries]
    except OSError as error:
        raise UserError(f"{error.filename}: {error.strerror}") from error
    return assemble(title, files, is_ordered=listed is not None)


def read_input() -> bytes:
    """Return standard input, as far as a series may go. Raises UserError where there is more."""
    data = sys.stdin.buffer.read(bounds.SERIES_BYTES + 1)
    bounds.check_size("standard input", len(data))
    return data


def write(patches: Iterable[Patch], folder: Path) -> None:
    """Write patches into a folder, in their order, as ``load`` reads them."""
    for number, patch in enumerate(patches, 1):
        suffix = commits.SUFFIX if patch.kind == "commit" else ".patch"
        cache.write_atomic(folder / f"{number:04}{suffix}", patch.raw)


def _text(path: Path) -> str:
    return _read(path).decode(errors="replace")


def _read(path: Path) -> bytes:
    """Return what a file holds, as far as a series may go: a pipe or a device does not say how much that is."""
    with path.open("rb") as file:
        data = file.read(bounds.SERIES_BYTES + 1)
    bounds.check_size(str(path), len(data))
    return data


def _files(where: Path) -> list[tuple[Path, int | None]]:
    if not where.is_dir():
        return [(where, None)]
    paths = sorted((path for path in where.iterdir() if path.suffix.lower() in SUFFIXES), key=_natural)
    if not paths:
        raise UserError(f"{where} holds no patch (*.patch, as git format-patch writes them)")
    return [(path, None) for path in paths]


def _natural(path: Path) -> tuple[list[tuple[int, str]], str]:
    """Return what sorts ``2-b`` before ``10-a``: numbers by their value."""
    return [
        (int(part[:18]), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", path.name)
    ], path.name


def load_range(tree: Path, revisions: str, *, name: str | None = None) -> Series:
    """Read the commits of a local git tree from ``base..tip`` (or ``base..``) as a series. Raises as commits.export."""
    fork, files = commits.export(tree, revisions)
    title = name or (revisions.partition("..")[2].removeprefix(".") or "HEAD").replace("/", "-")
    return parse(title, files, base_commit=fork)


def parse(name: str, files: list[tuple[str, bytes]], *, base_commit: str | None = None) -> Series:
    """Make a series of named file contents; a file may hold one mail, a whole mbox, a plain diff, or a commit.

    Raises like ``load``.
    """
    return assemble(name, [File(*file) for file in files], base_commit=base_commit)


def assemble(name: str, files: list[File], *, base_commit: str | None = None, is_ordered: bool = False) -> Series:
    """Make a series of files; with ``is_ordered`` their order is that of the patches. Raises like ``load``."""
    bounds.check_size(name, sum(len(file.data) for file in files))
    letters = [replace(letter, level=file.level) for file in files for letter in mail.split(file.name, file.data)]
    bounds.check_mails(name, len(letters))
    chosen = thread.choose(name, letters, is_ordered=is_ordered)
    covers = [chosen.cover] if chosen.cover else []
    commits_in_order = [letter for letter in letters if letter.kind == "commit"]
    bases = (one.base_commit for one in (*covers, *commits_in_order, *chosen.patches))
    base = base_commit or next((commit for commit in bases if commit), None)
    return Series(
        name=name,
        patches=tuple(_patch(letter) for letter in chosen.patches),
        cover="\n\n".join(f"{letter.subject}\n\n{letter.text}".strip() for letter in covers),
        base_commit=base,
        notes=chosen.notes,
        prerequisites=tuple(dict.fromkeys(p for letter in (*covers, *chosen.patches) for p in letter.prerequisites)),
    )


def _patch(letter: Letter) -> Patch:
    patch = Patch(
        letter.subject, letter.author, (), letter.diff, letter.raw, letter.kind, letter.refusal, letter.level
    )  # fmt: skip
    try:
        return replace(patch, files=diffs.files_of(letter.diff))
    except diffs.Damaged:
        return patch
    except ValueError as error:
        return replace(patch, fault=patch.fault or str(error))
