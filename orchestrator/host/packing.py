"""Files and folders as archives that depend on what is in them alone, and back."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from backports import tarfile

from orchestrator.errors import InfraError


def pack(path: Path, to: Path, above: Path | None = None) -> None:
    """Write a file or a folder as an archive that depends on names, modes and bytes alone.

    Names are relative to ``above``, or to what ``path`` is in.
    """
    with tarfile.open(to, "w", format=tarfile.PAX_FORMAT) as archive:
        for member in _members(path):
            if member != above:
                archive.add(member, str(member.relative_to(above or path.parent)), recursive=False, filter=_anonymous)


def _members(path: Path) -> Iterator[Path]:
    yield path
    if path.is_dir() and not path.is_symlink():
        yield from sorted(path.rglob("*"))


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mtime = 0
    return member


def unpack(archive: IO[bytes], folder: Path) -> None:
    """Unpack an archive, packed or plain; nothing of it lies outside of the folder. Raises InfraError."""
    try:
        with tarfile.open(fileobj=archive) as opened:
            opened.extractall(folder, filter="data")
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise InfraError(f"no archive that can be unpacked: {error}") from error
