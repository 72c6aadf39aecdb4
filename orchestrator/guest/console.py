"""Read the console: bytes to lines, and a file that still grows."""

from __future__ import annotations

from pathlib import Path

from orchestrator.parse import printk

CAP = 16 * 2**20
"""Bytes of a console that are read; a guest that prints more is ended."""

_PIECE = 2**16  # small, for between pieces the watch looks whether the guest still lives


def text(path: Path) -> str:
    """Return what is read of a console: its first ``CAP`` bytes."""
    with path.open("rb") as file:
        return file.read(CAP).decode(errors="replace")


class Lines:
    """Put lines together from bytes that come in pieces cut anywhere.

    Of a line without an end, both ends are kept: a guest must not fill our memory, and a record may follow.
    """

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[str]:
        """Take more bytes; return the lines that they complete, without their ends."""
        *whole, rest = (self._rest + data).split(b"\n")
        self._rest = _bounded(rest)
        return [_decoded(line) for line in whole]

    def close(self) -> list[str]:
        """Return the last line, which no newline ended, if there is one."""
        rest, self._rest = self._rest, b""
        return [_decoded(rest)] if rest else []


def _bounded(line: bytes) -> bytes:
    half = 2 * printk.LONGEST  # of characters, which may have four bytes
    return line if len(line) <= 2 * half else line[:half] + line[-half:]


def _decoded(line: bytes) -> str:
    return printk.bounded(_bounded(line).decode(errors="replace").rstrip("\r"))


class Follower:
    """Read a file that another process appends to. It may not exist yet."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines = Lines()
        self.size = 0
        """Bytes read so far."""

    @property
    def flooded(self) -> bool:
        """Whether more was written than is read of any console."""
        try:
            return self._path.stat().st_size > CAP
        except FileNotFoundError:
            return False

    def read(self) -> list[str]:
        """Return more of the lines that were completed since the last call."""
        try:
            with self._path.open("rb") as file:
                file.seek(self.size)
                data = file.read(_PIECE)
        except FileNotFoundError:
            return []
        # by our own count, not the file's size: it may have grown since the read
        self.size += len(data)
        return self._lines.feed(data)

    def drain(self) -> list[str]:
        """Return what is left when nobody writes any more, the unended last line too, up to ``CAP`` bytes in all."""
        lines = []
        before = -1  # read() takes a piece: until one of them brings nothing
        while before < self.size < CAP:
            before = self.size
            lines += self.read()
        return [*lines, *self._lines.close()]
