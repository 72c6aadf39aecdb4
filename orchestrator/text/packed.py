"""Files that came packed, known by their first bytes: gzip, bzip2 and xz are read as what is in them (pure)."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable

from orchestrator.errors import UserError

SUFFIXES = {".gz", ".bz2", ".xz"}

_READERS: dict[bytes, Callable[[io.BytesIO], io.BufferedIOBase]] = {
    b"\x1f\x8b\x08": lambda stream: gzip.GzipFile(fileobj=stream),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ": lzma.LZMAFile,
}
_OTHERS = {b"\x28\xb5\x2f\xfd": "zstd", b"PK\x03\x04": "zip"}
_BROKEN = (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError)


def is_packed(data: bytes) -> bool:
    """Whether the first bytes of a file say that it is packed, be it in a way that is not read."""
    return data.startswith((*_READERS, *_OTHERS))


def unpacked(name: str, data: bytes, most: int) -> bytes:
    """Return up to ``most`` bytes of what is in a file. Raises UserError for one that is broken or packed otherwise."""
    if way := next((way for magic, way in _OTHERS.items() if data.startswith(magic)), None):
        raise UserError(f"{name} is packed with {way}: unpack it first")
    reader = next((reader for magic, reader in _READERS.items() if data.startswith(magic)), None)
    if reader is None:
        return data[:most]
    try:
        with reader(io.BytesIO(data)) as file:
            return file.read(most)
    except _BROKEN as error:
        raise UserError(f"{name} cannot be unpacked: {error}") from error
