"""Bytes that a terminal would act upon → plain lines. Both parsers read through this."""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path

LONGEST = 2**16
"""Characters of a line that are kept: what stands behind them is dropped."""

_ESCAPE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)"  # strings: titles, links
    r"|\x1b[ -/]+[0-~]"  # character sets
    r"|\x1b[0-~]"  # two bytes
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufeff\ufffe\uffff]")
_BREAK = re.compile(r"\r+\n?|\n")
_PIECE = 2**16
_WIDE = ((codecs.BOM_UTF16_LE, "utf-16-le", 1), (codecs.BOM_UTF16_BE, "utf-16-be", 0))  # with where high bytes stand
_KEPT = "\n\t"


def clean(line: str) -> str:
    """Remove escape sequences and control characters from one line; tabs become spaces."""
    if line.isascii() and line.isprintable():
        return line
    return _CONTROL.sub("", _ESCAPE.sub("", line)).expandtabs(8)


def split(text: str) -> tuple[list[str], str]:
    """Return the whole lines of ``text``, cleaned, and what stands after the last line end.

    A line ends at LF, CR LF or CR. The rest is not a line: the writer may have been cut off in the middle of it.
    """
    *whole, rest = _BREAK.split(text)
    return [clean(line) for line in whole], clean(rest)


def visible(text: str) -> str:
    """Return text in which nothing acts unseen: control characters, and what turns or hides text, spelt out."""
    if text.isprintable():
        return text
    return "".join(c if _is_seen(c) else ascii(c)[1:-1] for c in text.replace("\r\n", "\n"))


def _is_seen(character: str) -> bool:
    return character.isprintable() or character in _KEPT or unicodedata.category(character) == "Zs"


def lines(pieces: Iterable[str]) -> Iterator[tuple[str, bool]]:
    """Yield the lines of a text that comes in pieces, cleaned, no more than ``LONGEST`` of each.

    With each comes whether a line end stands behind it, see ``split``: only the last, if any, has none.
    """
    rest = ""
    for piece in pieces:
        text = rest + piece
        *whole, rest = _BREAK.split(text)
        if whole and text.endswith("\r"):  # the LF may be in the next piece
            rest = whole.pop() + "\r"
        for line in whole:
            yield clean(line[:LONGEST]), True
        if len(rest) > LONGEST:
            rest = rest[:LONGEST] + ("\r" if rest.endswith("\r") else "")
    if rest:
        ended = rest.endswith("\r")
        yield clean(rest[:LONGEST].rstrip("\r")), ended


def pieces(path: Path) -> Iterator[str]:
    """Yield the text of a file: UTF-8, or UTF-16 where it is that. What is no text becomes U+FFFD."""
    with path.open("rb") as file:
        head = file.read(_PIECE)
        mark, encoding = _encoding(head)
        decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
        yield decoder.decode(head[len(mark) :])
        while data := file.read(_PIECE):
            yield decoder.decode(data)
        yield decoder.decode(b"", final=True)


def _encoding(head: bytes) -> tuple[bytes, str]:
    """Return the byte-order mark with which a file begins, and its encoding.

    A mark alone makes no UTF-16: noise may look like it. In what is one most high bytes are zero.
    """
    for mark, encoding, place in _WIDE:
        high = head[2 + place :: 2]
        if head.startswith(mark) and high.count(0) * 2 >= len(high):
            return mark, encoding
    return (codecs.BOM_UTF8 if head.startswith(codecs.BOM_UTF8) else b""), "utf-8"


def printable(text: str) -> str:
    """Return ``text`` without anything that XML or a terminal could choke on, and nothing hidden; line ends are LF."""
    return visible("\n".join(clean(line) for line in _BREAK.split(text)))
