"""How far a night is, and how long its rest will take. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Rest:
    """The jobs of a night that have ``ended``, of all; ``known`` is how long each took the last time, in seconds."""

    known: Mapping[str, float | None]
    ended: frozenset[str] = frozenset()

    def without(self, job: str) -> Rest:
        """Return what is left after a job has ended."""
        return replace(self, ended=self.ended | {job})

    def left(self, elapsed: float) -> float | None:
        """Return the seconds that the rest will take at the pace of what ended in ``elapsed`` seconds.

        None where no pace is known, or a job of the rest was never seen.
        """
        behind = sum(self.known[name] or 0.0 for name in self.ended)
        ahead = [seconds for name, seconds in self.known.items() if name not in self.ended]
        if not behind or None in ahead:
            return None
        return sum(seconds or 0.0 for seconds in ahead) * elapsed / behind
