"""Which test ran what, from the trace of a guest and the markers on its console. Pure but for reading the console.

A marker ends a record of the trace. Where a command wrote to the kernel's log besides its markers nobody knows which
record is whose: then what ran belongs to all of its tests.
"""

from __future__ import annotations

import functools
import operator
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.errors import InfraError
from orchestrator.guest import console, protocol
from orchestrator.guest.plugin import trace
from orchestrator.guest.plugin.trace import Ran
from orchestrator.guest.protocol import Row
from orchestrator.parse import printk
from orchestrator.text import plain

Marker = tuple[str, str]
"""What a marker does (begin, end), and the test."""
Span = tuple[int, int | None]
"""The counts of records before and after a command; None where it did not end."""


@dataclass(frozen=True)
class Windows:
    """The pieces of code that ran, a bit each: by test, and ``outside`` of every test.

    Of the tests in ``by_program`` is known what their program ran, or several did, and not which of them ran it.
    """

    tests: Mapping[str, int] = field(default_factory=dict)
    outside: int = 0
    by_program: tuple[str, ...] = ()


def read(path: Path) -> Windows | None:
    """Return what ran in the guest of this console; None where it was not traced.

    Raises InfraError, also where the text of its kernel was not where the trace looked for it.
    """
    if (ran := trace.read(path.parent)) is None:
        return None
    rows = protocol.rows(path) or ()
    written = markers(_lines(path), rows)
    if any(written) and _is_blind(ran):
        raise InfraError(f"{path.parent.name}: the kernel did not run where its line tables have its code")
    return divided(rows, protocol.spans(path), written, ran)


def _is_blind(ran: Ran) -> bool:
    """Whether a trace shows nothing of a kernel that wrote markers: not even that it did."""
    return not (ran.records or ran.unrecorded or (ran.rest and not ran.has_writer))


def _lines(path: Path) -> list[str]:
    whole, rest = plain.split(console.text(path))
    return [*whole, rest]


def markers(lines: Iterable[str], rows: Sequence[Row]) -> tuple[tuple[Marker, ...], ...]:
    """Return the markers of each row, in their order.

    A program has words for the first run of each test only. A marker without one counts here as one of the row that
    wrote last: it proves no outcome, and nothing but which lines ran is taken from it.
    """
    of_word = {word: number for number, row in enumerate(rows) for word in row.words}
    markers: list[list[Marker]] = [[] for _ in rows]
    last: int | None = None
    for line in lines:
        marker = protocol.MARKER.search(line)
        if marker is None:
            continue
        if marker["word"] in of_word:
            last = of_word[marker["word"]]
        elif last is None or not printk.message(line).startswith(protocol.HEAD):
            continue
        if marker["test"].rstrip() in rows[last].tests:
            markers[last].append((marker["what"], marker["test"].rstrip()))
    return tuple(map(tuple, markers))


def divided(rows: Sequence[Row], spans: Sequence[Span], markers: Sequence[Sequence[Marker]], ran: Ran) -> Windows:
    """Return what each test ran. ``spans`` are the counts of records before and after each row.

    What is behind the last record belongs to the test in which the guest died, if any. Where there was no room for
    more records nobody knows whose that is: it belongs to all tests from there on.
    """
    share = _Share()
    kept = len(ran.records)
    starts = [*(start for start, _ in spans[1:]), kept + ran.unrecorded]
    done = 0
    for row, (start, end), written, following in zip(rows, spans, markers, starts, strict=False):
        share.outside |= _union(ran.records[done:start])
        done = following if end is None else end
        if done > kept:
            share.blur(row, _union(ran.records[start:]) | ran.rest)
        else:
            share.take(row, ran.records[start:done], written)
    share.charge(_union(ran.records[done:]) | ran.rest)
    return Windows(dict(share.tests), share.outside, tuple(dict.fromkeys(share.by_program)))


@dataclass
class _Share:
    """What is charged to whom so far; ``open`` are the tests that have begun in the last row, and not ended."""

    tests: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    outside: int = 0
    by_program: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)

    def take(self, row: Row, records: Sequence[int], markers: Sequence[Marker]) -> None:
        """Take the records of one command."""
        if len(records) != len(markers):
            self.blur(row, _union(records))
            return
        self.open = []
        for record, (what, test) in zip(records, markers, strict=True):
            self.charge(record)
            if what == "begin":
                self.open.append(test)
            elif test in self.open:
                del self.open[self.open.index(test) :]

    def blur(self, row: Row, ran: int) -> None:
        """Charge what ran to each test of a command."""
        self.open = []
        self.by_program += row.tests
        for test in row.tests:
            self.tests[test] |= ran

    def charge(self, record: int) -> None:
        """Charge a record to the innermost test that is open."""
        if self.open:
            self.tests[self.open[-1]] |= record
        else:
            self.outside |= record


def _union(records: Iterable[int]) -> int:
    return functools.reduce(operator.or_, records, 0)
