"""One pass over a console: where each splat begins, which lines are its own, where it ends. Private to ``splat``.

CPUs that complain at once are told apart by the caller that printk names, where it names one. A splat of lines that
are in doubt counts once a stack is seen in it: programs print the kernel's words, and rarely its stacks.
"""

from __future__ import annotations

import bisect
import re
from array import array
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from orchestrator.guest.protocol import Windows
from orchestrator.parse import printk, printk_log, stack
from orchestrator.parse.printk import Origin
from orchestrator.parse.splat_rules import Rule, Rules
from orchestrator.text import plain

GAP = 100
"""Lines of something else, by the same caller, that may stand inside a splat."""

MOST_LINES = 300
"""Lines of a splat's text that are kept, and how far the ``end`` of a rule may be."""

MOST_SPLATS = 5000
"""Splats of one rule that are kept of a console."""

_FLOOD = MOST_SPLATS // 2
"""So many of them are kept whatever they stand in; the rest is for the first in each test."""

_FIRST = 5
"""Splats of one rule that are the first in a test."""

_SPAN = 5000
"""Lines of a console, by any caller, that are looked at for those of one splat."""

_NEAR = 16
"""Splats that are looked back at for the one that a line belongs to: as many CPUs may complain at once."""

_LOST = 12
"""Lines after lost ones in which a stack shows that the first line of a report was among them."""

_SURE = 12
"""Lines with a new time, each beyond another one of before, that show a boot behind lines that were there before."""

_MOST_TIMES = 100_000
"""Times that are remembered."""

_DOUBTS = frozenset({Origin.USER, Origin.DOUBTFUL})

_END = re.compile(r"---\[ end (?:trace|Kernel panic)")


@dataclass(eq=False)
class Report:
    """A splat while it is read. Lines count from 0; ``count`` are those known to belong to it, the last is ``last``."""

    rule: Rule
    groups: Mapping[str, str]
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

    @property
    def end(self) -> int:
        """The last line that is looked at for what it says."""
        return min(self.last, self.first + _SPAN)

    def take(self, number: int) -> None:
        """Take a line as its own."""
        self.last, self.strange, self.count = number, 0, self.count + 1

    def extend(self, number: int, framed: bool, belongs: bool) -> bool:
        """Take a line as its own where it belongs to it; ``framed`` where it is one of a stack. Return ``belongs``."""
        if belongs:
            self.take(number)
            self.proven = self.proven or framed
        else:
            self.strange += 1
        return belongs


T = TypeVar("T")


class Reboots(Generic[T]):
    """Hold back what a second banner means until times show whether it is of a boot, or of the log printed again.

    A boot has times of its own, but for the first lines perhaps: it passes those of before by. A log that is printed
    again has them all, however many lines between them the console had lost.
    """

    def __init__(self) -> None:
        self._held: T | None = None
        self._times = array("d")  # of all lines before, sorted
        self._place = 0  # among these times, of the last line
        self._again = 0  # lines of before, since the banner
        self._passed = 0  # lines since the last of these, each beyond another time of before

    def hold(self, what: T | None) -> None:
        """Hold back what the banner means that was just read."""
        self._held, self._place, self._again, self._passed = what, 0, 0, 0

    def settle(self, line: printk.Line) -> T | None:
        """Take the next line; return what was held once it is known to be of a boot."""
        if not line.time:
            return None
        goes_on = not self._times or line.time >= self._times[-1]
        if self._held is not None:
            self._compare(line.origin, line.time, goes_on)
        if goes_on:
            self._remember(line.time)
        if not goes_on and not self._is_boot:
            return None
        held = self.held
        self._held = None
        return held

    def _compare(self, origin: Origin, time: float, goes_on: bool) -> None:
        if origin is Origin.USER:
            self._again, self._passed = self._again + 1, 0
            self._place = bisect.bisect_right(self._times, time)
        elif not (goes_on and self._again):  # what stands behind a log that was printed again shows nothing
            place = bisect.bisect_left(self._times, time)
            self._passed += place > self._place
            self._place = max(self._place, place)

    def _remember(self, time: float) -> None:
        if len(self._times) < _MOST_TIMES:
            self._times.append(time)
        else:
            self._times[-1] = time

    @property
    def _is_boot(self) -> bool:
        return self._passed >= (_SURE if self._again else 1)

    @property
    def held(self) -> T | None:
        """What is held back, if by now it seems to be of a boot."""
        return self._held if self._is_boot or not self._again else None


class Scanner:
    """The state of one pass. ``reported`` are the splats in the order of their first lines."""

    def __init__(self, rules: Rules, windows: Windows) -> None:
        self.rules = rules
        self._reports: list[Report] = []
        self._near: deque[Report] = deque(maxlen=_NEAR)  # newest first
        self._running = windows
        self._seen: Counter[str] = Counter()
        self._kept: Counter[str] = Counter()
        self._kept_of: Counter[tuple[str, str | None]] = Counter()  # by rule and test
        self._reboots: Reboots[Report] = Reboots()
        self._lost = -_LOST
        self._explained = -1  # the line up to which a report explains nothing more

    def line(self, number: int, line: printk.Line, whole: bool) -> None:
        """Take one line. The unfinished last line may start a splat; nobody knows whether it belongs to one."""
        if reboot := self._reboots.settle(line):
            self._boot(reboot)
        if self._running.take(line.message):
            return
        last = self._last(line)
        if last and self._closes(last, number, line.message):
            return
        if self._starts(last, number, line) or not whole:
            return
        framed = stack.belongs(line.message)
        if last and last.open:
            if last.extend(number, framed, framed or bool(self.rules.body.search(line.message))):
                self._lost = -_LOST
        elif framed and number - self._lost < _LOST and line.origin is not Origin.USER and self.rules.headless:
            self._begin(self.rules.headless, {}, number, line)
        elif last:
            last.strange += 1

    def reported(self) -> list[Report]:
        """Return the splats that came to be: one that only began is none."""
        held = [self._reboots.held] if self._reboots.held else []
        return sorted((report for report in (*self._reports, *held) if report.counts), key=lambda report: report.first)

    def _last(self, line: printk.Line) -> Report | None:
        """Return the newest splat that the line may belong to."""
        return next((report for report in self._near if report.concerns(line)), None)

    @staticmethod
    def _closes(last: Report, number: int, message: str) -> bool:
        end = last.rule.end
        if not last.open or not (_END.search(message) or (end and end.search(message))):
            return False
        last.take(number)
        last.closed = True
        return True

    def _starts(self, last: Report | None, number: int, line: printk.Line) -> bool:
        hit = self.rules.match(line)
        if not hit:
            return False
        rule, match = hit
        if rule.headless and last and last.open:
            return False
        self._seen[rule.id] += 1
        if self._seen[rule.id] < rule.nth:
            return True
        if rule.unexplained and self._explains(number):
            return True
        if last and rule.may_join(last.rule, last.strange, not last.open):
            last.take(number)
            last.closed, last.fatal = False, last.fatal or rule.fatal
            if rule.names:
                last.rule, last.groups = rule, match.groupdict(default="")
            return True
        if last and last.rule.headless and last.count == 1 and last.open and not rule.aside:
            self._drop(last)  # here is the line that it lacked
        self._begin(rule, match.groupdict(default=""), number, line)
        return True

    def _explains(self, number: int) -> bool:
        """Whether a splat that fails a run stands between the last line that asked for one, and this one."""
        before, self._explained = self._explained, number
        return any(report.first > before and not report.rule.harmless and report.counts for report in self._reports)

    def _begin(self, rule: Rule, groups: Mapping[str, str], number: int, line: printk.Line) -> None:
        report = Report(rule, groups, line, number, number, self._running.last, rule.fatal)
        self._lost = number if rule.loses else self._lost
        if not rule.aside:
            self._near.appendleft(report)
        if rule.nth == 1:
            self._keep(report)
        elif line.time is None:
            self._boot(report)
        else:
            self._reboots.hold(report)

    def _drop(self, report: Report) -> None:
        self._near.remove(report)
        recent = self._reports[-4 * _NEAR :]
        if report in recent:
            del self._reports[recent.index(report) - len(recent)]
            self._kept[report.rule.id] -= 1
            self._kept_of[report.rule.id, report.test] -= 1

    def _keep(self, report: Report) -> None:
        rule, of_test = report.rule.id, (report.rule.id, report.test)
        if self._kept[rule] < (MOST_SPLATS if self._kept_of[of_test] < _FIRST else _FLOOD):
            self._kept[rule] += 1
            self._kept_of[of_test] += 1
            self._reports.append(report)

    def _boot(self, report: Report) -> None:
        self._keep(report)
        self._running.names.clear()  # whatever ran is gone


class Watch:
    """Tell of each line of one guest's console whether the guest is lost with it; for a console that still grows."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self._windows = Windows()
        self._log = printk_log.Log()
        self._seen: Counter[str] = Counter()
        self._reboots: Reboots[Rule] = Reboots()

    def is_fatal(self, text: str) -> bool:
        """Take the next line."""
        line = self._log.take(plain.clean(printk.bounded(text)))
        rebooted = self._reboots.settle(line)
        hit = None if self._windows.take(line.message) else self.rules.match(line)
        if not hit or (line.origin is Origin.DOUBTFUL and not hit[0].bare):
            return rebooted is not None
        rule = hit[0]
        self._seen[rule.id] += 1
        if rule.nth > 1 and line.time is not None:
            self._reboots.hold(rule if rule.fatal and self._seen[rule.id] >= rule.nth else None)
            return False
        return rebooted is not None or (rule.fatal and self._seen[rule.id] >= rule.nth)
