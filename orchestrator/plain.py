"""Bytes that a terminal would act upon → plain lines. Both parsers read through this."""

from __future__ import annotations

import re
import unicodedata

_ESCAPE = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor
    r"|\x1b\][0-9]+;[^\x07\x1b]*(?:\x07|\x1b\\)"  # OSC: window titles
    r"|\x1b[@-Z\\^_]"  # two-byte C1
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_BREAK = re.compile(r"\r+\n?|\n")
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


def printable(text: str) -> str:
    """Return ``text`` without anything that XML or a terminal could choke on, and nothing hidden; line ends are LF."""
    return visible("\n".join(clean(line) for line in _BREAK.split(text)))
