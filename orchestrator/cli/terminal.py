"""Progress on a terminal, or in a file, while a run works."""

from __future__ import annotations

import contextlib
import time
from types import TracebackType

from orchestrator.cli.screen import Screen, Styled
from orchestrator.errors import InfraError
from orchestrator.progress import Minor

_QUIET_STEP = 30.0
"""Seconds between two lines of one figure where the output is not a terminal."""


_COUNTED = 100_000
"""From here on a figure is one of bytes, which nobody counts."""


_MINUTES = 100.0
"""Seconds from which on a time is told in minutes."""


def figure(done: float, total: float | None, left: float | None = None) -> str:
    """Return how far something is, in words: ``12 of 147``, ``45 %``, ``310 MB``, with the seconds that are left."""
    return _so_far(done, total) + (f", about {_time(left)} left" if left else "")


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < _MINUTES else f"{seconds / 60:.0f} min"


def _so_far(done: float, total: float | None) -> str:
    if total is None:
        return f"{done:.0f}" if done < _COUNTED else f"{done / 1e6:.0f} MB"
    if total == 100 or total >= _COUNTED:
        return f"{100 * done / total:.0f} %"
    return f"{done:.0f} of {total:.0f}"


class Terminal:
    """Progress on a terminal as bars; elsewhere as lines, at most one each half minute for one figure.

    What was said before is not said again, and details are not said at all, but where that is ``verbose``.
    """

    def __init__(self, screen: Screen, *, verbose: bool = False, quiet: bool = False) -> None:
        self.screen = screen
        self.verbose, self.quiet = verbose, quiet
        self._began = time.monotonic()
        self._lines: set[str] = set()
        self._bars = screen.bars()
        self._noted: dict[str, float] = {}

    def __enter__(self) -> Terminal:
        if not self.quiet:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def note(self, text: str) -> None:
        """Print one line that stays, with the time. Where it cannot be written, the work goes on without."""
        is_old = isinstance(text, Minor) or text in self._lines
        if self.quiet or (is_old and not self.verbose):
            return
        self._lines.add(text)
        with contextlib.suppress(InfraError):
            self.screen.line(Styled(self._time(), "dim"), " ", text)

    def _time(self) -> str:
        """Return the time of day for who looks on, and for a file the time since the beginning."""
        if self.screen.is_terminal:
            return time.strftime("%H:%M:%S")
        return f"{time.monotonic() - self._began:7.1f}s"

    def advance(self, what: str, done: float, total: float | None, left: float | None = None) -> None:
        """Move the bar of ``what``; its end removes it."""
        if self.quiet:
            return
        if self.screen.is_terminal:
            self._bars.move(what, done, total, figure(done, total, left))
        else:
            self._say(what, figure(done, total, left))

    def _say(self, what: str, words: str) -> None:
        now = time.monotonic()
        if now - self._noted.get(what, now - _QUIET_STEP / 2) >= _QUIET_STEP:
            self.note(f"{what}: {words}")
            self._noted[what] = now
        self._noted.setdefault(what, now)
