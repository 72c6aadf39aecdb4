"""Write the ``newc`` archives that the kernel unpacks as its initramfs (Documentation/driver-api/early-userspace).

Pure: entries in, bytes out. Sorted, owned by root, dated 1970: equal entries give equal bytes.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

_ALIGN = 4


@dataclass(frozen=True)
class Entry:
    """One inode. ``mode`` has the file type in it; ``device`` is (major, minor) of a device node."""

    mode: int
    data: bytes = b""
    device: tuple[int, int] = (0, 0)


def directory(permissions: int = 0o755) -> Entry:
    """Return a folder."""
    return Entry(stat.S_IFDIR | permissions)


def file(data: bytes, permissions: int = 0o644) -> Entry:
    """Return a regular file."""
    return Entry(stat.S_IFREG | permissions, data)


def symlink(target: str) -> Entry:
    """Return a symbolic link."""
    return Entry(stat.S_IFLNK | 0o777, target.encode())


def character_device(major: int, minor: int, permissions: int = 0o600) -> Entry:
    """Return a character device node."""
    return Entry(stat.S_IFCHR | permissions, device=(major, minor))


def archive(entries: Mapping[str, Entry]) -> bytes:
    """Return the archive of the entries, by their path without a leading slash.

    Folders that are implied are added. The size is a multiple of four, so that archives can be concatenated:
    the kernel unpacks one after the other.
    """
    whole = {**{parent: directory() for parent in _parents(entries)}, **entries}
    parts = [_record(number, name, whole[name]) for number, name in enumerate(sorted(whole), start=1)]
    return b"".join([*parts, _record(0, "TRAILER!!!", Entry(0))])


def _parents(names: Iterable[str]) -> set[str]:
    return {str(parent) for name in names for parent in PurePosixPath(name).parents} - {"."}


def _record(number: int, name: str, entry: Entry) -> bytes:
    raw = name.encode() + b"\0"
    fields = (
        number,
        entry.mode,
        0,  # uid
        0,  # gid
        2 if stat.S_ISDIR(entry.mode) else 1,
        0,  # mtime
        len(entry.data),
        0,
        0,  # the device that the inode is on
        *entry.device,
        len(raw),
        0,  # checksum, of the other format
    )
    header = b"070701" + "".join(f"{field:08x}" for field in fields).encode()
    return _padded(header + raw) + _padded(entry.data)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % _ALIGN)
