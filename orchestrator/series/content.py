"""What a file holds, as text that git reads (pure): unpacked, in UTF-8, without the colours of a terminal."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import re
import zlib
from collections.abc import Callable

from orchestrator.errors import UserError
from orchestrator.series import bounds

PACKED = {".gz", ".bz2", ".xz"}
_BROKEN = (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError)
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_COLOURED = re.compile(rb"^(?:\x1b\[[\d;]*m)+(?:diff --git |--- |commit |From )", re.M)
_COLOUR = re.compile(rb"\x1b\[[\d;]*[mK]")


def plain(name: str, data: bytes) -> bytes:
    """Return the text in a file. Raises UserError for one that is broken, or larger than is read."""
    data = _unpacked(name, data)
    if data.startswith(_UTF16):
        data = data.decode("utf-16", errors="replace").encode()
    data = data.removeprefix(codecs.BOM_UTF8)
    return _COLOUR.sub(b"", data) if _COLOURED.search(data) else data


def _unpacked(name: str, data: bytes) -> bytes:
    unpacked = _UNPACKERS.get(data[:3])
    if unpacked is None:
        return data
    try:
        with unpacked(io.BytesIO(data)) as file:
            data = file.read(bounds.SERIES_BYTES + 1)
    except _BROKEN as error:
        raise UserError(f"{name} cannot be unpacked: {error}") from error
    bounds.check_size(name, len(data))
    return data


_UNPACKERS: dict[bytes, Callable[[io.BytesIO], io.BufferedIOBase]] = {
    b"\x1f\x8b\x08": lambda stream: gzip.GzipFile(fileobj=stream),
    b"BZh": bz2.BZ2File,
    b"\xfd7z": lzma.LZMAFile,
}
"""By the first bytes of a file."""
