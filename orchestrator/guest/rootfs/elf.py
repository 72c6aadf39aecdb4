"""Read what the rootfs needs of ELF files: interpreter, needed libraries, search path.

Pure, for little-endian 64-bit files (man 5 elf).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

_PT_LOAD, _PT_DYNAMIC, _PT_INTERP = 1, 2, 3
_DT_NEEDED, _DT_STRTAB, _DT_RPATH, _DT_RUNPATH = 1, 5, 15, 29


@dataclass(frozen=True)
class Dynamic:
    """What a file asks of the dynamic loader; ``interpreter`` is None for libraries and static programs."""

    interpreter: str | None
    needed: tuple[str, ...]
    search: tuple[str, ...]


@dataclass(frozen=True)
class _Segment:
    kind: int
    offset: int
    address: int
    size: int


def is_elf(data: bytes) -> bool:
    """Whether the bytes begin like a little-endian 64-bit ELF file."""
    return data[:6] == b"\x7fELF\x02\x01"


def dynamic(data: bytes) -> Dynamic:
    """Return what the file asks of the dynamic loader. Raises ValueError where the file is damaged."""
    try:
        return _dynamic(data)
    except (struct.error, IndexError) as error:
        raise ValueError("damaged ELF file") from error


def _dynamic(data: bytes) -> Dynamic:
    segments = list(_segments(data))
    interpreter = next((_text(data, s.offset) for s in segments if s.kind == _PT_INTERP), None)
    tags = [tag for s in segments if s.kind == _PT_DYNAMIC for tag in _tags(data, s)]
    table = next((_file_offset(segments, value) for tag, value in tags if tag == _DT_STRTAB), 0)

    def texts(*wanted: int) -> list[str]:
        return [_text(data, table + value) for tag, value in tags if tag in wanted]

    search = tuple(part for text in texts(_DT_RPATH, _DT_RUNPATH) for part in text.split(":") if part)
    return Dynamic(interpreter, tuple(texts(_DT_NEEDED)), search)


def _segments(data: bytes) -> Iterator[_Segment]:
    table, size, count = *struct.unpack_from("<Q", data, 32), *struct.unpack_from("<HH", data, 54)
    for at in range(table, table + size * count, size):
        kind, _flags, offset, address, _physical, length = struct.unpack_from("<IIQQQQ", data, at)
        yield _Segment(kind, offset, address, length)


def _tags(data: bytes, segment: _Segment) -> Iterator[tuple[int, int]]:
    for at in range(segment.offset, segment.offset + segment.size, 16):
        tag, value = struct.unpack_from("<QQ", data, at)
        if tag == 0:
            return
        yield tag, value


def _file_offset(segments: list[_Segment], address: int) -> int:
    for s in segments:
        if s.kind == _PT_LOAD and s.address <= address < s.address + s.size:
            return address - s.address + s.offset
    raise IndexError(address)


def _text(data: bytes, at: int) -> str:
    return data[at : data.index(b"\0", at)].decode(errors="replace")
