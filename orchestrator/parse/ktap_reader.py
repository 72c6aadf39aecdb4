"""One pass over the lines of a program's output: levels of nesting, and what belongs to which result.

The rules are those of ``ktap``. Nothing here raises, whatever the lines, and each line costs the same.
"""

from __future__ import annotations

import re

from orchestrator.model import Status, TestResult
from orchestrator.parse import ktap_lines as lines
from orchestrator.parse import printk
from orchestrator.parse.ktap_block import Block
from orchestrator.parse.ktap_level import Level, Notes, Problems
from orchestrator.parse.reasons import LONGEST

MOST_LEVELS = 16
MOST_TESTS = 50_000
MOST_TEXT = 2**24
"""Characters of diagnostics that are kept of all tests together."""
MOST_NAME = 300
MOST_LINE = 4096


class Reader:
    """The state of one pass over the lines."""

    def __init__(self) -> None:
        self.root = Level(0)
        self.levels = [self.root]
        self.problems = Problems()
        self.bailed = False
        self.torn = False
        self._count = 0
        self._begun = 0  # and have no result yet
        self._room = MOST_TEXT
        self._log: tuple[bool, bool] | None = None  # the stream comes through a log, as KUnit's does
        self._depths: set[int] = set()  # nested results stand behind so many '#', as kselftest's runner writes them
        self._last: lines.Line | None = None  # a result that a YAML block may follow
        self._block: Block | None = None

    def line(self, text: str) -> None:
        """Take one line."""
        unlogged = self._unlogged(text[:MOST_LINE])
        if unlogged is None or self._in_block(unlogged):
            return
        line = lines.cut(unlogged)
        if lines.VERSION.match(line.content):
            self._depths.add(line.hashes)
        if line.hashes and line.hashes not in self._depths:
            self._comment(line)
        elif not self._opens_block(line) and not self._structure(line):
            if line.hashes:
                self._comment(line)
            else:
                self.levels[-1].notes.take(unlogged, comment=False)

    def begin(self, test: str) -> None:
        """Take that a test begins: what was printed before is not about it."""
        self._begin(self.root, test)

    def quote(self, text: str) -> None:
        """Take a line that a test printed, and not its program: it is about that test, whatever it says."""
        text = text[:MOST_LINE]
        if not printk.is_stamped(text):
            line = lines.cut(text)
            self.root.notes.take(line.content if line.hashes else text, comment=line.hashes > 0)

    def _begin(self, level: Level, test: str) -> None:
        name = test[:MOST_NAME]
        if name not in level.begun and self._begun < MOST_TESTS:
            level.begun[name] = None
            self._begun += 1
        level.notes = Notes()

    def _unlogged(self, text: str) -> str | None:
        """Return a line of the stream; None for a line of the kernel's log, which runs through it."""
        if self._log or lines.VERSION.search(text):
            shape, rest = lines.logged(text)
            if self._log is None and any(shape) and lines.VERSION.match(rest.lstrip(" #")):
                self._log = shape
            if self._log:
                return rest if shape == self._log else None
        return None if printk.is_stamped(text) else text

    def _opens_block(self, line: lines.Line) -> bool:
        self._block = Block.opened(line, self._last, self.levels[-1])
        return self._block is not None

    def _in_block(self, text: str) -> bool:
        if self._block is None:
            return False
        if not self._block.holds(text):
            self._torn_block()
            return False
        if self._block.take(text):
            self._block = self._last = None
        return True

    def _torn_block(self) -> None:
        if self._block is not None:
            self.torn = True
            self.problems.add(f"the YAML block of {self._block.test} has no end")
        self._block = self._last = None

    def _comment(self, line: lines.Line) -> None:
        level = self._level_at(line.mark)
        if match := lines.BEGIN.match(line.content) or lines.HARNESS_RUN.match(line.content):
            self._begin(level, match[1].rstrip())
        elif match := lines.SUBTEST.match(line.content):
            self._announce(match[1].rstrip()[:MOST_NAME], line.mark)
        elif match := lines.SECONDS.match(line.content):
            level.notes.seconds = float(match[1])
        else:
            self.levels[-1].notes.take(line.content, comment=True)

    def _level_at(self, column: int) -> Level:
        return next((level for level in reversed(self.levels) if level.indent <= column), self.root)

    def _announce(self, name: str, column: int) -> None:
        """Take ``# Subtest: NAME``: inside the nested test (KTAP), or in front of it (TAP 14)."""
        self._descend(column)
        self._last = None
        level = self.levels[-1]
        in_front = len(self.levels) > 1 and self.levels[-2].announced and not level.opened
        if len(self.levels) > 1 and level.fresh and not in_front:
            level.opened = True
            level = self.levels[-2]
        self._settle(level)
        level.announced = name

    def _structure(self, line: lines.Line) -> bool:
        """Take a version, plan, result or bail-out line; return whether it was one."""
        content = line.content
        if lines.VERSION.match(content):
            self._open(line.indent)
        elif match := lines.PLAN.match(content):
            self._plan(int(match[1]), match[2] or "", line.indent)
        elif match := lines.RESULT.match(content):
            self._result(match, line)
            return True
        elif match := lines.BAIL.match(content):
            self.bailed = True
            self.problems.add(f"Bail out! {match[1]}".rstrip()[:LONGEST])
        else:
            return False
        self._last = None
        return True

    def _open(self, indent: int) -> None:
        if len(self.levels) == 1 and self.root.untouched:
            self.root.indent = indent  # something stands before every line
        self._descend(indent)
        if len(self.levels) > 1 and not self.levels[-1].fresh:  # the one before has no end
            self._ascend()
            self.levels.append(Level(indent))
        self.levels[-1].opened = True

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
        name = level.announced or ("(unnamed)" if level.children else "")
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

    def _plan(self, count: int, reason: str, indent: int) -> None:
        self._descend(indent)
        level = self.levels[-1]
        level.plan(count)
        if count == 0:
            level.empty = reason or "all of its tests were skipped"

    def _result(self, match: re.Match[str], line: lines.Line) -> None:
        if printk.holds_stamp(match[3]):
            self.problems.add(f"a kernel line runs through a result line, which is not counted: {match[3][:80]}")
            return
        if not self._is_one_more():
            return
        self._depths = {depth for depth in self._depths if depth <= line.hashes}
        if len(self.levels) > 1 and self.levels[-1].awaits_deeper(line.indent):
            self.levels[-1].indent = line.indent
        self._descend(line.indent)
        self._last = line
        level = self.levels[-1]
        wrong = level.count(match[2] or "")
        result = self._read(level, bool(match[1]), match[3])
        if wrong:
            self.problems.add(f"{wrong}, at {result.name}")
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

    def _read(self, level: Level, negative: bool, rest: str) -> TestResult:
        """Build the result of one line out of it and of the notes before it."""
        match = lines.COMMENT.search(rest)
        name, comment = (rest[: match.start()].strip(), match[1].strip()) if match else (rest.strip(), "")
        seconds, comment = lines.timed(comment)
        status, reason = lines.judge(negative, comment)
        name = (name or reason or f"test {level.number}").replace("\\#", "#")[:MOST_NAME]
        notes, level.notes = level.notes, Notes()
        if status.broken:
            reason = notes.finder.reason(reason)
        elif status is Status.SKIP:
            reason = reason or notes.finder.skipped
        if notes.crashed:
            status = Status.CRASHED
        if name in level.begun:
            del level.begun[name]
            self._begun -= 1
        seconds = notes.seconds if seconds is None else seconds
        return TestResult(name, status, reason[:LONGEST], self._kept(tuple(notes.lines)), seconds)

    def _kept(self, diagnostics: tuple[str, ...]) -> tuple[str, ...]:
        size = sum(map(len, diagnostics))
        if size > self._room:
            return ()
        self._room -= size
        return diagnostics

    def finish(self, rest: str) -> None:
        """Take the end of the output; ``rest`` stood after the last line end."""
        if rest.strip():
            self.problems.add(f"the output ends in the middle of a line, which is not counted: {rest.strip()[:80]}")
        self._torn_block()
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
            why = "began, and the output ends there"
            level.tests.append(TestResult(name, Status.CRASHED, why, tuple(level.notes.lines)))
