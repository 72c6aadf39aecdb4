"""The levels of nesting of a program's output, and what becomes of a test that was announced, began or was planned.

The rules are those of ``ktap``. ``ktap_reader`` says what a line is; here is where it belongs.
"""

from __future__ import annotations

from orchestrator.model import Status, TestResult
from orchestrator.parse.ktap_level import Level, Notes, Problems

MOST_LEVELS = 16
MOST_TESTS = 50_000
MOST_NAME = 300
UNNAMED = "(unnamed)"
"""Stands for the name of a parent that came to no result line, and was not announced."""
UNDER_WAY = "began, and the output ends there"
"""The reason of the test in which an output ends."""


class Nesting:
    """The levels that are open, outermost first, and what is wrong with the output so far."""

    def __init__(self) -> None:
        self.root = Level(0)
        self.levels = [self.root]
        self.problems = Problems()
        self._count = 0
        self._begun = 0  # and have no result yet

    @property
    def innermost(self) -> Level:
        """The level that the next line belongs to, unless its indentation says otherwise."""
        return self.levels[-1]

    @property
    def untouched(self) -> bool:
        """Whether nothing was printed yet that is about a test."""
        return len(self.levels) == 1 and self.root.untouched

    def begin(self, level: Level, test: str) -> None:
        """Take that a test of a level begins."""
        name = test[:MOST_NAME]
        if name not in level.begun and self._begun < MOST_TESTS:
            level.begun[name] = None
            self._begun += 1
        level.notes = Notes()

    def at(self, column: int) -> Level:
        """Return the innermost level that is no deeper than a column."""
        return next((level for level in reversed(self.levels) if level.indent <= column), self.root)

    def announce(self, name: str, column: int) -> None:
        """Take ``# Subtest: NAME``: inside the nested test (KTAP), or in front of it (TAP 14)."""
        self._descend(column)
        level = self.levels[-1]
        in_front = len(self.levels) > 1 and self.levels[-2].announced and not level.opened
        if len(self.levels) > 1 and level.fresh and not in_front:
            level.opened = True
            level = self.levels[-2]
        self._settle(level)
        level.announced = name

    def open(self, indent: int, logged: bool = False) -> None:
        """Take a version line: a level begins. At the root of a log it is that of another module."""
        if self.untouched:
            self.root.indent = indent  # something stands before every line
        self._descend(indent)
        if len(self.levels) > 1 and not self.levels[-1].fresh:  # the one before has no end
            self._ascend()
            self.levels.append(Level(indent))
        self.levels[-1].opened = True
        if logged and self.innermost is self.root:
            self.root.begin_anew()

    def _descend(self, indent: int) -> None:
        """Make the level of this indentation the innermost one."""
        if indent < self.root.indent:  # what began the output was nested
            self.root = Level(indent)
            self.levels.insert(0, self.root)
        while len(self.levels) > 1 and self.levels[-1].indent > indent:
            if self.levels[-2].indent < indent:  # a depth whose first line is that of its nested tests
                self.levels.insert(-1, Level(indent))
            self._ascend()
        if indent > self.levels[-1].indent and len(self.levels) < MOST_LEVELS:
            self.levels.append(Level(indent))

    def _ascend(self) -> None:
        """Close the innermost level and hand its tests to the one around it, which names them at its next result."""
        level = self.levels.pop()
        parent = self.levels[-1]
        self._close(level, f" of {parent.announced}" if parent.announced else " of a nested test")
        if level.lacking:
            why = f"{level.lacking} of {max(level.plans)} nested tests have no result line"
            level.tests.append(TestResult(f"({level.lacking} of {max(level.plans)} planned)", Status.MISSING, why))
        parent.children += level.tests
        parent.inner = level
        parent.notes.absorb(level.notes)

    def _close(self, level: Level, where: str) -> None:
        """Account for what a nested level began, announced and planned, and did not end."""
        self._settle(level)
        level.tests += [TestResult(name, Status.MISSING, "began, and has no result line") for name in level.begun]
        for shortfall in level.shortfalls(where):
            self.problems.add(shortfall)

    def _settle(self, level: Level) -> None:
        """Account for a nested test that has no result line of its own."""
        name = level.announced or (UNNAMED if level.children else "")
        if not name:
            return
        if level.children:
            self.problems.add(f"nested tests of {name} have no result line of their own")
            reason = "its nested tests have results, it has none"
        else:
            self.problems.add(f"the nested test {name} was announced, and has no result line")
            reason = "was announced, and has no result line"
        if self._is_one_more():
            level.add(TestResult(name, Status.MISSING, reason))
        else:
            level.announced, level.children, level.inner = "", [], None

    def _is_one_more(self) -> bool:
        """Count a test that has a result, or was announced and has none; return whether there is room for it."""
        self._count += 1
        if self._count > MOST_TESTS:
            self.problems.add(f"more than {MOST_TESTS} tests: what comes after them is not read")
        return self._count <= MOST_TESTS

    def plan(self, count: int, reason: str, indent: int) -> None:
        """Take a plan, and the reason that stands behind one of no tests."""
        self._descend(indent)
        level = self.levels[-1]
        level.plan(count)
        if count == 0:
            level.empty = reason or "all of its tests were skipped"

    def level_of_result(self, indent: int) -> Level | None:
        """Return the level that a result line of this indentation belongs to; None where there is room for no more."""
        if not self._is_one_more():
            return None
        if len(self.levels) > 1 and self.innermost.awaits_deeper(indent):
            self.innermost.indent = indent
        self._descend(indent)
        return self.innermost

    def end(self, level: Level, name: str) -> None:
        """Take that a test of a level has its result, if it began."""
        if name in level.begun:
            del level.begun[name]
            self._begun -= 1

    def add(self, level: Level, result: TestResult) -> None:
        """Take the result of a test of a level, which may end the nested tests that were announced."""
        if self._was_announced_within(level, result.name):
            self.levels[-2].announced = ""
        if level.announced and level.announced != result.name:
            self._mismatch(level, result.name)
        level.add(result)

    def _was_announced_within(self, level: Level, name: str) -> bool:
        """Whether a name at the head of a level was not the parent's, but that of its first test (TAP 14)."""
        nested = bool(level.children or level.inner) and not level.announced
        return nested and len(self.levels) > 1 and self.levels[-2].announced == name

    def _mismatch(self, level: Level, name: str) -> None:
        """Account for a nested test that was announced under another name than the result line has that follows."""
        if level.children or level.inner:
            self.problems.add(f"the nested tests of {level.announced} end with a result line of {name}")
        else:
            self._settle(level)

    def finish(self) -> None:
        """Take the end of the output: account for what is open."""
        self._crash()
        while len(self.levels) > 1:
            self._ascend()
        self._settle(self.root)
        self.root.tests += [TestResult(n, Status.MISSING, "began, and has no result line") for n in self.root.begun]

    def _crash(self) -> None:
        """Record the test that began last, and did not end: the output ends in it."""
        level = next((level for level in reversed(self.levels) if level.begun), None)
        if level:
            name, _ = level.begun.popitem()
            level.tests.append(TestResult(name, Status.CRASHED, UNDER_WAY, tuple(level.notes.lines)))
