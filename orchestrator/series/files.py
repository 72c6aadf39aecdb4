"""The files that a series is read from: a file, a folder of patches or of quilt, a mailbox that is a folder."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import UserError
from orchestrator.series import bounds, commits, content, quilt
from orchestrator.text import packed

_COVER = ".cover"
"""What ``b4 am -o`` calls the cover letter, which it leaves beside the mailbox of the patches."""
_MAILBOXES = {".mbox", ".mbx"}
SUFFIXES = {".patch", ".diff", ".eml", *_MAILBOXES, _COVER, commits.SUFFIX}
_QUILT = ("", "patches", "debian/patches")
"""Where quilt, and a Debian package, keep the file ``series``."""
_MAILDIR = ("cur", "new")


@dataclass(frozen=True)
class File:
    """A file that a series is read from. ``level`` is how many components its names lose, where quilt says so."""

    name: str
    data: bytes
    level: int | None = None


def read(where: Path, title: str) -> tuple[list[File], bool]:
    """Return the files of a series, and whether they say their order. Raises UserError, and OSError.

    Where no name in a folder says patch or mail, all of its files are taken that have a size (those of ``/proc`` have
    none): a maildir, MH, numbered files.
    """
    ruled = _ruled(where) if where.is_dir() else None
    if ruled:
        text = content.plain(quilt.SERIES, _data(ruled / quilt.SERIES)).decode(errors="replace")
        entries = [(ruled / entry.name, entry.level) for entry in quilt.read(ruled, text)]
    else:
        entries = [(path, None) for path in (_folder(where) if where.is_dir() else _file(where))]
    bounds.check_mails(title, len(entries))
    bounds.check_size(title, sum(path.stat().st_size for path, _ in entries))
    return [File(path.name, _data(path), level) for path, level in entries], ruled is not None


def title(where: Path) -> str:
    """Return the name of a series by its file or folder."""
    if not where.is_file():
        return where.absolute().name
    return (where.with_suffix("") if where.suffix.lower() in packed.SUFFIXES else where).stem


def _ruled(where: Path) -> Path | None:
    """Return the folder whose file ``series`` rules: this one, or one within it where it holds no patches itself."""
    inside = _QUILT if not _named(_visible(where)) else _QUILT[:1]
    return next((where / name for name in inside if (where / name / quilt.SERIES).is_file()), None)


def _folder(where: Path) -> list[Path]:
    visible = _visible(where)
    mails = [path for box in _MAILDIR if (where / box).is_dir() for path in _visible(where / box)]
    if not (paths := _named(visible) or [path for path in mails or visible if path.stat().st_size]):
        raise UserError(f"{where} holds no patch (*.patch, as git format-patch writes them)")
    return sorted(paths, key=_natural)


def _file(where: Path) -> list[Path]:
    cover = where.with_suffix(_COVER)
    return [cover, where] if where.suffix.lower() in _MAILBOXES and cover.is_file() else [where]


def _visible(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")]


def _named(paths: list[Path]) -> list[Path]:
    return [path for path in paths if suffix(path) in SUFFIXES]


def suffix(path: Path) -> str:
    """Return the suffix of a file, without that of how it is packed."""
    return (path.with_suffix("") if path.suffix.lower() in packed.SUFFIXES else path).suffix.lower()


def _data(path: Path) -> bytes:
    """Return what a file holds, as far as a series may go: a pipe or a device does not say how much that is."""
    with path.open("rb") as file:
        data = file.read(bounds.SERIES_BYTES + 1)
    bounds.check_size(str(path), len(data))
    return data


def _natural(path: Path) -> tuple[list[tuple[int, str]], str]:
    """Return what sorts ``2-b`` before ``10-a``: numbers by their value."""
    return [
        (int(part[:18]), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", path.name)
    ], path.name
