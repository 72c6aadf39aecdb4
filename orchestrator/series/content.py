"""What a file holds, as text that git reads (pure): unpacked, in UTF-8, without the colours of a terminal."""

from __future__ import annotations

import codecs
import re

from orchestrator.series import bounds
from orchestrator.text import packed

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_COLOURED = re.compile(rb"^(?:\x1b\[[\d;]*m)+(?:diff --git |--- |commit |From )", re.M)
_COLOUR = re.compile(rb"\x1b\[[\d;]*[mK]")


def plain(name: str, data: bytes) -> bytes:
    """Return the text in a file. Raises UserError for one that is broken, or larger than is read."""
    if packed.is_packed(data):
        data = packed.unpacked(name, data, bounds.SERIES_BYTES + 1)
        bounds.check_size(name, len(data))
    if data.startswith(_UTF16):
        data = data.decode("utf-16", errors="replace").encode()
    data = data.removeprefix(codecs.BOM_UTF8)
    return _COLOUR.sub(b"", data) if _COLOURED.search(data) else data
