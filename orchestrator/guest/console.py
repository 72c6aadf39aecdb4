"""Read the console: bytes to lines, and a file that still grows."""

from __future__ import annotations

from pathlib import Path

from orchestrator.parse import printk

READY = "wpci: ready"
"""What init prints when SSH answers."""
END = "wpci: end"
"""What init prints when the guest ends because it was asked to."""
FAILED = "wpci: failed: "
"""What init prints, with a reason, when it cannot set the guest up."""


def marker(text: str) -> str | None:
    """Return which of init's markers a message is. Suites have markers of their own that begin like these."""
    if text in {READY, END}:
        return text
    return FAILED if text.startswith(FAILED) else None


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

    def read(self) -> list[str]:
        """Return the lines that were completed since the last call."""
        try:
            with self._path.open("rb") as file:
                file.seek(self.size)
                data = file.read()
        except FileNotFoundError:
            return []
        self.size += len(data)
        return self._lines.feed(data)

    def drain(self) -> list[str]:
        """Return what is left when nobody writes any more, the unended last line too."""
        return [*self.read(), *self._lines.close()]
