"""How long work tells a person what it does: one protocol, so that the stages know nothing of terminals."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """What a stage may say while it works."""

    def note(self, text: str) -> None:
        """Say one line that stays."""

    def advance(self, what: str, done: float, total: float | None) -> None:
        """Show how far ``what`` has come; ``total`` is None where nobody knows. ``done == total`` ends it."""


class Silent:
    """Says nothing."""

    def note(self, text: str) -> None:
        """Drop the line."""

    def advance(self, what: str, done: float, total: float | None) -> None:
        """Drop the figure."""


SILENT = Silent()
