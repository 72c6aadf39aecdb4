"""A moment by which something must be done."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

_LONGEST = 1e6
"""Eleven days; poll(2) takes milliseconds in 31 bits, of which there are 24 days."""


@dataclass(frozen=True)
class Deadline:
    """A moment on the monotonic clock, handed down instead of a number of seconds that each level would re-arm."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """Return the deadline that many seconds from now."""
        return cls(time.monotonic() + seconds)

    @property
    def remaining(self) -> float:
        """Seconds left, never negative, and never more than the system's waits take."""
        return min(max(0.0, self.at - time.monotonic()), _LONGEST)

    @property
    def expired(self) -> bool:
        """Whether the moment has passed."""
        return time.monotonic() >= self.at

    def capped(self, seconds: float) -> Deadline:
        """Return the earlier of this deadline and the one ``seconds`` from now."""
        return Deadline(min(self.at, time.monotonic() + seconds))

    def __reduce__(self) -> tuple[Callable[[float], Deadline], tuple[float]]:
        """Travel as the seconds that are left: no two machines agree on the time of day. The way counts for none."""
        return Deadline.after, (self.at - time.monotonic(),)


FOREVER = Deadline(float("inf"))
