"""Bytes that a terminal would act upon → plain lines. Both parsers read through this."""

from __future__ import annotations

import re

_ESCAPE = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor
    r"|\x1b\][0-9]+;[^\x07\x1b]*(?:\x07|\x1b\\)"  # OSC: window titles
    r"|\x1b[@-Z\\^_]"  # two-byte C1
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_BREAK = re.compile(r"\r+\n?|\n")


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


def printable(text: str) -> str:
    """Return ``text`` without anything that XML or a terminal could choke on; line ends stay as LF."""
    return "\n".join(clean(line) for line in _BREAK.split(text))
