"""How long work shows what it does: one protocol, so that the stages know nothing of terminals."""

from __future__ import annotations

from typing import Protocol


class Detail(str):
    """A line on how a stage of a job goes. What came of it is in the job's result: who shows that can leave it out."""


class JobDetail(Detail):
    """A detail that begins with the name of its job: who shows many jobs at a time need not add it."""


class Minor(Detail):
    """A detail that is only for those who want to see all of it (``-v``)."""


class Beginning(JobDetail, Minor):
    """That a stage of a job begins."""


class HostFact(str):
    """A line on the machine that works: it is of no job, so that many jobs have the same line, which is shown once."""


class Progress(Protocol):
    """What a stage may say while it works."""

    def note(self, text: str) -> None:
        """Say one line that stays."""

    def advance(self, what: str, done: float, total: float | None, left: float | None = None) -> None:
        """Show how far ``what`` has come; ``total`` is None where nobody knows. ``done == total`` ends it.

        ``left`` are the seconds that the rest will take, where there is an estimate.
        """


class Silent:
    """Says nothing."""

    def note(self, text: str) -> None:
        """Drop the line."""

    def advance(self, what: str, done: float, total: float | None, left: float | None = None) -> None:
        """Drop the figure."""


SILENT = Silent()
