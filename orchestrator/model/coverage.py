"""Which changed lines of a series ran, and by which tests."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass, field

from orchestrator.model.bounds import WHOLE, Bounded


class Reach(enum.Enum):
    """What is known of a changed line. One without code is a declaration, a comment, or was optimised away."""

    RAN = "ran"
    MISSED = "did not run"
    NO_CODE = "no code"


@dataclass(frozen=True)
class DiffLine(Bounded):
    """A line of the diff from base to the whole series. ``number`` counts in the patched file; 0 where it is removed.

    ``reach`` is None for lines that the series did not change; ``tests`` are indices into ``LineCoverage.tests``.
    """

    mark: str
    number: int
    text: str
    reach: Reach | None = None
    tests: tuple[int, ...] = ()


@dataclass(frozen=True)
class DiffHunk(Bounded):
    """Lines that stand together. ``function`` is what git puts behind the ``@@``."""

    function: str
    lines: tuple[DiffLine, ...]


@dataclass(frozen=True)
class DiffFile(Bounded):
    """A file of the diff, as the tree calls it."""

    name: str
    hunks: tuple[DiffHunk, ...]

    @property
    def changed(self) -> Iterator[DiffLine]:
        """The lines that the series added or changed."""
        return (line for hunk in self.hunks for line in hunk.lines if line.mark == "+")


@dataclass(frozen=True)
class LineCoverage(Bounded):
    """The diff of a series with what is known of each line.

    ``tests`` are all that ran any of its lines. ``by_program`` names those of which it is known only that one of their
    program did: it, or one before it, writes to the kernel's log itself. ``by_guest``: of no line is known which test
    ran it, but that a guest did.
    """

    tests: tuple[str, ...] = field(metadata=WHOLE)
    files: tuple[DiffFile, ...]
    by_program: tuple[str, ...] = field(default=(), metadata=WHOLE)
    by_guest: bool = False

    @property
    def changed(self) -> Iterator[tuple[str, DiffLine]]:
        """Every changed line with its file."""
        return ((file.name, line) for file in self.files for line in file.changed)


@dataclass(frozen=True)
class Coverage(Bounded):
    """The counts of a job, and the lines that did not run: ``mm/shmem.c:12: text``.

    ``outside`` of the lines that ran did so in no test, which are ``untested``: while the guest booted, or in what runs
    besides. ``by_guest`` as in ``LineCoverage``. What ran in one of the ``unread`` guests alone, whose counters are
    lost, counts as not run.
    """

    changed: int
    code: int
    ran: int
    outside: int = 0
    missed: tuple[str, ...] = ()
    by_guest: bool = False
    untested: tuple[str, ...] = ()
    unread: int = 0

    @property
    def words(self) -> str:
        """The counts in words."""
        by = "; counted by gcov, in a kernel built for that" if self.by_guest else ""
        lost = f"; what {self.unread} of its guests ran is lost" if self.unread else ""
        missed = self.code - self.ran
        return f"{self.code} of {self.changed} changed lines have code, {self.ran} ran, {missed} did not{by}{lost}"

    @property
    def percent(self) -> float:
        """How many of a hundred lines with code ran; 100 where none has code."""
        return 100 * self.ran / self.code if self.code else 100.0
