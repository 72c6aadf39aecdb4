"""Whose the lines of one log are: what is known of a line only by the lines before it."""

from __future__ import annotations

from dataclasses import replace

from orchestrator.parse.printk import Line, Origin, parse


class Log:
    """Whose the lines of one log are, read in order.

    Where the kernel stamps its lines, one without a stamp is hardly the kernel's, whatever its words. Whether it does,
    the first stamp shows, or a banner that has none. A line that was there before, at the same time, and comes after
    later ones, is of a program that prints the log again; the same record twice in a row is of two consoles on one
    port. A record of JSON among plain lines is a program's, too.
    """

    _BANNER = "Linux version "
    _MOST = 500_000  # lines that are remembered

    def __init__(self) -> None:
        self._stamps: bool | None = None
        self._plain = 0  # lines that are no JSON, less those that are
        self._latest = 0.0
        self._seen: set[int] = set()
        self._last: int | None = None

    def take(self, line: str) -> Line:
        """Take the next line; its origin is unknown only where the kernel does not stamp its lines."""
        parsed = parse(line)
        if self._stamps is None:
            if parsed.origin is Origin.KERNEL:
                self._stamps = True
            elif parsed.origin is Origin.UNKNOWN and parsed.message.startswith(self._BANNER):
                self._stamps = False
        if self._is_aside(line, parsed) or self._again(parsed):
            return replace(parsed, origin=Origin.USER)
        is_doubtful = parsed.origin is Origin.UNKNOWN and self._stamps
        return replace(parsed, origin=Origin.DOUBTFUL) if is_doubtful else parsed

    def _is_aside(self, line: str, parsed: Line) -> bool:
        """Whether a record of JSON, of which it is not known whose it is, stands among lines that are plain."""
        if parsed.quoted:
            self._plain -= 1
        elif line.lstrip()[:1] not in ("", "{", "}", "[", "]", '"') or parsed.origin is not Origin.UNKNOWN:
            self._plain += 1
        return parsed.quoted and parsed.origin is Origin.UNKNOWN and self._plain >= 0

    def _again(self, line: Line) -> bool:
        key = None if line.time is None else hash((line.time, line.caller, line.message))
        doubled, self._last = key is not None and key == self._last, key
        if doubled or not line.time or key is None:  # at zero, all boots print the same
            return doubled
        again = line.time < self._latest and key in self._seen
        self._latest = max(self._latest, line.time)
        if len(self._seen) < self._MOST:
            self._seen.add(key)
        return again
