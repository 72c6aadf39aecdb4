"""What a guest looked like when it died or hung."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from orchestrator.model.bounds import Bounded


@dataclass(frozen=True)
class Postmortem(Bounded):
    """One look at the memory of a guest: ``test`` ran, None before or between tests; ``occasion`` is why.

    ``lines`` are the first of ``text``. ``data`` has all of it as JSON, ``dump`` is the memory itself, which
    `wpci inspect` opens.
    """

    guest: str
    occasion: str
    test: str | None
    lines: tuple[str, ...]
    text: Path
    data: Path
    dump: Path

    @property
    def shown(self) -> tuple[str, ...]:
        """What is shown of it: its first lines, and where all of it is."""
        return (*self.lines, str(self.text), str(self.dump))
