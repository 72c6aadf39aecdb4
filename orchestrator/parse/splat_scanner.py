"""One pass over a console: where each splat begins, which lines are its own, where it ends. Private to ``splat``.

CPUs that complain at once are told apart by the caller that printk names, where it names one. A splat of lines that
are in doubt counts once a stack is seen in it: programs print the kernel's words, and rarely its stacks.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.parse import markers, printk, stack
from orchestrator.parse.printk import Origin
from orchestrator.parse.splat_rules import Rule, Rules

GAP = 100
"""Lines of something else, by the same caller, that may stand inside a splat."""

MOST_LINES = 300
"""Lines of a splat's text that are kept, and how far the ``end`` of a rule may be."""

_NEAR = 16
"""Splats that are looked back at for the one that a line belongs to: as many CPUs may complain at once."""

_DOUBTS = frozenset({Origin.USER, Origin.DOUBTFUL})

_END = re.compile(r"---\[ end (?:trace|Kernel panic)")


@dataclass
class Found:
    """A splat while it is read. Lines count from 0; ``count`` are those known to belong to it, the last is ``last``."""

    rule: Rule
    match: re.Match[str]
    begin: printk.Line
    first: int
    last: int
    test: str | None
    fatal: bool
    count: int = 1
    strange: int = 0  # lines by the same caller since the last of its own
    closed: bool = False
    proven: bool = False  # a stack was seen in it

    @property
    def open(self) -> bool:
        """Whether more lines may belong to it."""
        return not self.closed and self.strange <= (MOST_LINES if self.rule.end else GAP)

    def concerns(self, line: printk.Line) -> bool:
        """Whether a line may be of this splat, by who printed it."""
        callers = {self.begin.caller, line.caller}
        doubts = {self.begin.origin, line.origin} & _DOUBTS
        return (len(callers) == 1 or "" in callers or self.rule.any_caller) and (
            not doubts or self.rule.bare or self.begin.origin is line.origin
        )

    @property
    def counts(self) -> bool:
        """Whether it is a splat, and not only the beginning of one, or words."""
        doubtful = self.begin.origin is Origin.DOUBTFUL and not self.rule.bare
        return self.count >= self.rule.least and (self.proven or not doubtful)

    def take(self, number: int) -> None:
        """Take a line as its own."""
        self.last, self.strange, self.count = number, 0, self.count + 1


class Scanner:
    """The state of one pass. ``found`` are the splats in the order of their first lines."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.found: list[Found] = []
        self._running = markers.Running()
        self._seen: Counter[str] = Counter()

    def line(self, number: int, line: printk.Line, whole: bool) -> None:
        """Take one line. The unfinished last line may start a splat; nobody knows whether it belongs to one."""
        if self._running.take(line.message):
            return
        last = self._last(line)
        if last and self._closes(last, number, line.message):
            return
        if not self._starts(last, number, line) and last and whole:
            self._extends(last, number, line.message)

    def reported(self) -> list[Found]:
        """Return the splats that came to be: one that only began is none."""
        return [found for found in self.found if found.counts]

    def _last(self, line: printk.Line) -> Found | None:
        """Return the newest splat that the line may belong to."""
        near = (found for found in reversed(self.found[-_NEAR:]) if not found.rule.aside)
        return next((found for found in near if found.concerns(line)), None)

    @staticmethod
    def _closes(last: Found, number: int, message: str) -> bool:
        end = last.rule.end
        if not last.open or not (_END.search(message) or (end and end.search(message))):
            return False
        last.take(number)
        last.closed = True
        return True

    def _starts(self, last: Found | None, number: int, line: printk.Line) -> bool:
        hit = self.rules.match(line)
        if not hit:
            return False
        rule, match = hit
        if rule.headless and last and last.open:
            return False
        self._seen[rule.id] += 1
        if self._seen[rule.id] < rule.nth:
            return True
        if last and rule.may_join(last.rule, last.strange, not last.open):
            last.take(number)
            last.closed, last.fatal = False, last.fatal or rule.fatal
            return True
        if last and last.rule.headless and last.count == 1 and last.open and not rule.aside:
            self.found.remove(last)  # here is the line that it lacked
        self.found.append(Found(rule, match, line, number, number, self._running.last, rule.fatal))
        if rule.nth > 1:  # a new boot: whatever ran is gone
            self._running.names.clear()
        return True

    def _extends(self, last: Found, number: int, message: str) -> None:
        framed = stack.belongs(message)
        if last.open and (framed or self.rules.body.search(message)):
            last.take(number)
            last.proven = last.proven or framed
        else:
            last.strange += 1


def started(rules: Rules, line: printk.Line, seen: Counter[str]) -> Rule | None:
    """Return the rule that a line starts a splat of, where ``seen`` counts the lines of each rule so far."""
    hit = None if markers.MARKER.search(line.message) else rules.match(line)
    if not hit or (line.origin is Origin.DOUBTFUL and not hit[0].bare):
        return None
    rule = hit[0]
    seen[rule.id] += 1
    return rule if seen[rule.id] >= rule.nth else None


def own_lines(found: Found, lines: Sequence[printk.Line]) -> list[int]:
    """Return the numbers of the lines that stand in a splat: those between that nobody else printed."""
    span = range(found.first, found.last + 1)
    return [number for number in span if found.concerns(lines[number]) or not lines[number].caller]
