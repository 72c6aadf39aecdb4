"""The GNU build id of a kernel, read from its vmlinux, or from the notes that a guest shows. Pure."""

from __future__ import annotations

import struct
from collections.abc import Iterator

_PT_NOTE = 4
_NT_GNU_BUILD_ID = 3


def of_file(image: bytes) -> str:
    """Return the GNU build id of a little-endian 64-bit ELF file in hex; empty where it has none.

    Raises ValueError for anything else. Layout: elf(5); a guest shows the same note in /sys/kernel/notes.
    """
    if image[:6] != b"\x7fELF\x02\x01":
        raise ValueError("not a little-endian 64-bit ELF file")
    try:
        (start,) = struct.unpack_from("<Q", image, 32)
        size, count = struct.unpack_from("<HH", image, 54)
        for number in range(count):
            kind, _, offset, _, _, length = struct.unpack_from("<IIQQQQ", image, start + number * size)
            if kind == _PT_NOTE and (identity := of_notes(image[offset : offset + length])):
                return identity
    except struct.error as error:
        raise ValueError(f"cut short: {error}") from error
    return ""


def of_notes(notes: bytes) -> str:
    """Return the GNU build id in a run of notes, such as /sys/kernel/notes; empty where there is none."""
    return next((text.hex() for owner, kind, text in _notes(notes) if (owner, kind) == _GNU), "")


_GNU = (b"GNU\0", _NT_GNU_BUILD_ID)


def _notes(data: bytes) -> Iterator[tuple[bytes, int, bytes]]:
    at = 0
    while at + 12 <= len(data):
        owner, text, kind = struct.unpack_from("<III", data, at)
        begin = at + 12 + _padded(owner)
        yield data[at + 12 : at + 12 + owner], kind, data[begin : begin + text]
        at = begin + _padded(text)


def _padded(length: int) -> int:
    return (length + 3) & ~3
