"""A patch series as a value: read from a folder, an mbox, standard input or a range of commits, and looked over.

Nothing here touches a tree. Which mails are its patches, and in which order, is decided in ``thread``; what git would
refuse later stands in each patch, so that the stage that applies it says so.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.errors import UserError
from orchestrator.host import cache, disk
from orchestrator.series import bounds, commits, content, diffs, files, mail, thread
from orchestrator.series.files import File
from orchestrator.series.mail import Kind, Letter, Prerequisite


@dataclass(frozen=True)
class Patch:
    """One patch. ``raw`` is what git is given; ``files`` are the names it touches, sorted.

    ``subject`` is without ``[PATCH n/m]``. ``kind`` is ``diff`` for one that came without a mail around it, ``commit``
    for one that never was a mail. ``fault`` says why it cannot be applied to any tree. ``level`` is how many
    components its names lose, where whoever sent it says so. ``message_id`` is that of its header, without ``<>``.
    """

    subject: str
    author: str
    files: tuple[str, ...]
    diff: str
    raw: bytes
    kind: Kind = "mail"
    fault: str = ""
    level: int | None = None
    message_id: str = ""

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

    ``notes`` say which mails were left out; ``prerequisites`` is what it names as applied before it. ``messages`` are
    the message-ids of patches and cover letter.
    """

    name: str
    patches: tuple[Patch, ...]
    cover: str = ""
    base_commit: str | None = None
    notes: tuple[str, ...] = ()
    prerequisites: tuple[Prerequisite, ...] = ()
    messages: tuple[str, ...] = ()

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


def load(where: Path, *, name: str | None = None) -> Series:
    """Read a series: a folder of ``git format-patch`` files or of quilt, an mbox, one patch, or ``-``: standard input.

    Raises UserError where there is no series, a part of it is missing, or there is more of it than is read.
    """
    if str(where) == "-":
        return parse(name or "stdin", [("standard input", read_input())])
    try:
        title = name or files.title(where)
        entries, is_ordered = files.read(where, title)
    except OSError as error:
        raise UserError(f"{error.filename or where}: {error.strerror}") from error
    return assemble(title, entries, is_ordered=is_ordered)


def read_input() -> bytes:
    """Return standard input, as far as a series may go. Raises UserError where there is more."""
    data = sys.stdin.buffer.read(bounds.SERIES_BYTES + 1)
    bounds.check_size("standard input", len(data))
    return data


def write(patches: Iterable[Patch], folder: Path) -> None:
    """Write patches into a folder, in their order, as ``load`` reads them."""
    for number, patch in enumerate(patches, 1):
        suffix = commits.SUFFIX if patch.kind == "commit" else ".patch"
        disk.write_atomic(folder / f"{number:04}{suffix}", patch.raw)


def load_range(tree: Path, revisions: str, *, name: str | None = None, of: Path | None = None) -> Series:
    """Read the commits of a local git tree from ``base..tip`` (or ``base..``) as a series. Raises as commits.export."""
    fork, exported = commits.export(tree, revisions, of)
    title = name or (revisions.partition("..")[2].removeprefix(".") or "HEAD").replace("/", "-")
    return parse(title, exported, base_commit=fork)


def parse(name: str, entries: list[tuple[str, bytes]], *, base_commit: str | None = None) -> Series:
    """Make a series of named file contents; a file may hold one mail, a whole mbox, a plain diff, or a commit.

    Raises like ``load``.
    """
    return assemble(name, [File(*entry) for entry in entries], base_commit=base_commit)


def assemble(name: str, entries: list[File], *, base_commit: str | None = None, is_ordered: bool = False) -> Series:
    """Make a series of files; with ``is_ordered`` their order is that of the patches. Raises like ``load``."""
    texts = [(entry, content.plain(entry.name, entry.data)) for entry in entries]
    bounds.check_size(name, sum(len(text) for _, text in texts))
    bounds.check_lines(name, sum(text.count(b"\n") for _, text in texts))
    letters = [replace(letter, level=entry.level) for entry, text in texts for letter in mail.split(entry.name, text)]
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
        messages=tuple(letter.message_id for letter in (*covers, *chosen.patches) if letter.message_id),
    )


def _patch(letter: Letter) -> Patch:
    patch = Patch(
        letter.subject, letter.author, (), letter.diff, letter.raw, letter.kind, letter.refusal, letter.level,
        letter.message_id,
    )  # fmt: skip
    try:
        return replace(patch, files=diffs.files_of(letter.diff))
    except diffs.Damaged:
        return patch
    except ValueError as error:
        return replace(patch, fault=patch.fault or str(error))
