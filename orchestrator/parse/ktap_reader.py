"""One pass over the lines of a program's output: what each line is, and what belongs to which result.

The rules are those of ``ktap``; ``ktap_nesting`` keeps the levels. Nothing here raises, whatever the lines, and each
line costs the same.
"""

from __future__ import annotations

import re
from dataclasses import replace

from orchestrator.model import Status, TestResult
from orchestrator.parse import ktap_lines as lines
from orchestrator.parse import printk
from orchestrator.parse.ktap_block import Block
from orchestrator.parse.ktap_level import MOST_DIAGNOSTICS, Level, Notes, Problems
from orchestrator.parse.ktap_nesting import MOST_NAME, Nesting
from orchestrator.parse.reasons import LONGEST, Finder

MOST_TEXT = 2**24
"""Characters of diagnostics that are kept of all tests together."""
MOST_LINE = 4096


class Reader:
    """The state of one pass over the lines."""

    def __init__(self) -> None:
        self._nesting = Nesting()
        self.bailed = False
        self.torn = False
        self._room = MOST_TEXT
        self._log: tuple[bool, bool] | None = None  # the stream comes through a log, as KUnit's does
        self._depths: set[int] = set()  # nested results stand behind so many '#', as kselftest's runner writes them
        self._last: lines.Line | None = None  # a result that a YAML block may follow
        self._block: Block | None = None
        self._behind: Finder | None = None  # what stands behind the last result is about it

    @property
    def root(self) -> Level:
        """The outermost level."""
        return self._nesting.root

    @property
    def problems(self) -> Problems:
        """What is wrong with the output."""
        return self._nesting.problems

    def line(self, text: str) -> None:
        """Take one line."""
        unlogged = self._unlogged(text[:MOST_LINE])
        if unlogged is None or self._in_block(unlogged):
            return
        line = lines.cut(unlogged)
        if self._stands_behind(line):
            return
        if lines.VERSION.match(line.content):
            self._depths.add(line.hashes)
        if line.hashes and line.hashes not in self._depths:
            self._comment(line)
        elif not self._opens_block(line) and not self._structure(line):
            if line.hashes:
                self._comment(line)
            else:
                self._nesting.innermost.notes.take(unlogged, comment=False)

    def _stands_behind(self, line: lines.Line) -> bool:
        """Take a line right behind a failure that is about it, as Test::More and bats write them."""
        if self._behind is None or line.hashes in self._depths or not lines.is_behind(line):
            self._behind = None
            return False
        before = self._behind.text
        self._behind.take(line.content)
        level = self._nesting.innermost
        result = level.tests[-1]
        diagnostics = (*result.diagnostics, line.content[:LONGEST])[-MOST_DIAGNOSTICS:]
        reason = self._behind.text if result.reason == before else result.reason
        level.tests[-1] = replace(result, reason=reason, diagnostics=diagnostics)
        return True

    def begin(self, test: str) -> None:
        """Take that a test begins: what was printed before is not about it."""
        self._nesting.begin(self.root, test)

    def quote(self, text: str) -> None:
        """Take a line that a test printed, and not its program: it is about that test, whatever it says."""
        text = text[:MOST_LINE]
        if not printk.is_stamped(text):
            line = lines.cut(text)
            self.root.notes.take(line.content if line.hashes else text, comment=line.hashes > 0)

    def _unlogged(self, text: str) -> str | None:
        """Return a line of the stream; None for a line of the kernel's log, which runs through it."""
        if self._log or lines.VERSION.search(text):
            shape, rest = lines.logged(text)
            begins = self._log is None and self._nesting.untouched  # later, a program prints somebody's log
            if begins and any(shape) and lines.VERSION.match(rest.lstrip(" #")):
                self._log = shape
            if self._log:
                return rest if shape == self._log else None
        return None if printk.is_stamped(text) else text

    def _opens_block(self, line: lines.Line) -> bool:
        self._block = Block.opened(line, self._last, self._nesting.innermost)
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
        level = self._nesting.at(line.mark)
        if match := lines.BEGIN.match(line.content) or lines.HARNESS_RUN.match(line.content):
            self._nesting.begin(level, match[1].rstrip())
        elif match := lines.SUBTEST.match(line.content):
            self._nesting.announce(match[1].rstrip()[:MOST_NAME], line.mark)
            self._last = None
        elif match := lines.SECONDS.match(line.content):
            level.notes.seconds = float(match[1])
        else:
            self._nesting.innermost.notes.take(line.content, comment=True)

    def _structure(self, line: lines.Line) -> bool:
        """Take a version, plan, result or bail-out line; return whether it was one."""
        content = line.content
        if lines.VERSION.match(content):
            self._nesting.open(line.indent, self._log is not None)
        elif match := lines.PLAN.match(content):
            self._nesting.plan(int(match[1]), match[2] or "", line.indent)
        elif match := lines.RESULT.match(content):
            self._result(match, line)
            return True
        elif not line.hashes and (match := lines.BAIL.match(content)):
            self.bailed = True
            self.problems.add(f"Bail out! {match[1]}".rstrip()[:LONGEST])
        else:
            return False
        self._last = None
        return True

    def _result(self, match: re.Match[str], line: lines.Line) -> None:
        if printk.holds_stamp(match[3]):
            self.problems.add(f"a kernel line runs through a result line, which is not counted: {match[3][:80]}")
            return
        level = self._nesting.level_of_result(line.indent)
        if level is None:
            return
        self._depths = {depth for depth in self._depths if depth <= line.hashes}
        self._last = line
        wrong = level.count(match[2] or "")
        result = self._read(level, bool(match[1]), match[3])
        if wrong:
            self.problems.add(f"{wrong}, at {result.name}")
        self._nesting.add(level, result)
        if result.status.broken:
            self._behind = Finder()

    def _read(self, level: Level, negative: bool, rest: str) -> TestResult:
        """Build the result of one line out of it and of the notes before it."""
        match = lines.COMMENT.search(rest)
        name, comment = (rest[: match.start()].strip(), match[1].strip()) if match else (rest.strip(), "")
        seconds, comment = lines.timed(comment)
        status, reason = lines.judge(negative, comment)
        name = (name or level.under_way or reason or f"test {level.number}").replace("\\#", "#")[:MOST_NAME]
        notes, level.notes = level.notes, Notes()
        if status.broken:
            reason = notes.finder.reason(reason)
        elif status is Status.SKIP:
            reason = reason or notes.finder.skipped or notes.finder.unmet
        if notes.crashed:
            status = Status.CRASHED
        self._nesting.end(level, name)
        seconds, reason = notes.seconds if seconds is None else seconds, reason.replace("\\#", "#")
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
        self._nesting.finish()
