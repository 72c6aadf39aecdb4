"""What each test must show on each kernel. Pure; ``expectations_file`` reads them from expected.yaml.

A full id is the most specific, then the glob with the most characters that are not wildcards, then the one that stands
first; a default stands behind all of them, the longest group first. Where an entry leaves a column out, it holds what
the entry says of the column that this one is like, and else the next entry that fits counts. What a test needs stands
before all of them: on a kernel whose .config lacks the symbol (``=n``: has it) the test must be skipped, in every
column. So a variant needs no entry of its own.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from orchestrator.model import Status

Expected = tuple[Status | None, bool]
"""The status that a test must show, None for pass or skip; and whether the outcome counts at all."""

_WILD = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class Entry:
    """What one id, glob or group must show, by column. ``why`` is for people."""

    pattern: str
    statuses: tuple[tuple[str, Expected], ...]
    why: str = ""

    def fits(self, test: str) -> bool:
        """Whether the entry is about this test."""
        return self.pattern == test or fnmatch.fnmatchcase(test, self.pattern)

    @property
    def weight(self) -> tuple[bool, int]:
        """How specific the pattern is; more is more."""
        return not _WILD.search(self.pattern), len(re.sub(r"\[[^]]*\]|[*?]", "", self.pattern))


@dataclass(frozen=True)
class Need:
    """Tests that run only where a symbol is in the .config, or only where it is not."""

    symbol: str
    present: bool
    globs: tuple[str, ...]

    def __str__(self) -> str:
        return f"CONFIG_{self.symbol}" + ("" if self.present else "=n")

    def fits(self, test: str) -> bool:
        """Whether the test has this need."""
        taken = (g for g in self.globs if not g.startswith("!"))
        left = (g[1:] for g in self.globs if g.startswith("!"))
        return any(fnmatch.fnmatchcase(test, g) for g in taken) and not any(fnmatch.fnmatchcase(test, g) for g in left)

    def met(self, symbols: frozenset[str]) -> bool:
        """Whether a kernel with these symbols has what is needed."""
        return (self.symbol in symbols) is self.present


@dataclass(frozen=True)
class Expectations:
    """The expectations of one suite. ``defaults`` and ``tests`` are in the order in which they count.

    ``like`` are pairs: a column, and the one whose word holds where an entry leaves the first out.
    ``symbols`` are those of the kernel that is judged; None where it is not known, and then no need counts.
    """

    columns: tuple[str, ...] = ()
    like: tuple[tuple[str, str], ...] = ()
    defaults: tuple[Entry, ...] = ()
    tests: tuple[Entry, ...] = ()
    needs: tuple[Need, ...] = ()
    symbols: frozenset[str] | None = None

    def on(self, symbols: Iterable[str]) -> Expectations:
        """Return what holds on a kernel with these symbols, built in or modules."""
        return replace(self, symbols=frozenset(symbols))

    def lacking(self, test: str) -> Need | None:
        """Return what the test needs and this kernel has not."""
        if self.symbols is None:
            return None
        return next((need for need in self.needs if need.fits(test) and not need.met(self.symbols)), None)

    def of(self, test: str, column: str | None) -> Status | None:
        """Return the status that the test must show in this column; None where nothing is expected."""
        return (self._find(test, column) or _NOTHING)[0]

    def broken_on(self, test: str) -> tuple[str, ...]:
        """Return the columns in which the test is known to be broken."""
        wanted = ((column, self.of(test, column)) for column in self.columns)
        return tuple(column for column, status in wanted if status and status.broken)

    def judged(self, test: str, column: str | None) -> bool:
        """Whether the outcome counts at all: False for ``any``."""
        return (self._find(test, column) or _NOTHING)[1]

    def why(self, test: str) -> str:
        """Return what the test lacks here, else the reason of the most specific entry that has one."""
        if need := self.lacking(test):
            return f"needs {need}"
        return next((entry.why for entry in self._entries(test) if entry.why), "")

    def _entries(self, test: str) -> Iterator[Entry]:
        yield from (entry for entry in self.tests if entry.fits(test))
        yield from (entry for entry in self.defaults if in_group(test, entry.pattern))

    def _find(self, test: str, column: str | None) -> Expected | None:
        if column in self.columns and self.lacking(test):
            return Status.SKIP, True
        names = self._names(column)
        for entry in self._entries(test):
            statuses = dict(entry.statuses)
            if name := next((name for name in names if name in statuses), None):
                return statuses[name]
        return None

    def _names(self, column: str | None) -> list[str]:
        """Return a column, the one it is like, the one that this is like, and so on."""
        like, names = dict(self.like), []
        while column:
            names.append(column)
            column = like.get(column)
        return names


_NOTHING: Expected = (None, True)
NONE = Expectations()
"""Nothing is expected: a test is judged by its own words alone."""


def in_group(test: str, group: str) -> bool:
    """Whether a test id starts with these letters, and no more letters follow: ``G01`` is in G, ``GUP1`` is not."""
    return test.startswith(group) and not test[len(group) : len(group) + 1].isalpha()
