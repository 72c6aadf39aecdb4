"""One pass over the lines of a program's output: levels of nesting, and what belongs to which result.

The rules are those of ``ktap``. Nothing here raises, whatever the lines.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from orchestrator.model import Status, TestResult
from orchestrator.parse import ktap_lines as lines
from orchestrator.parse import printk
from orchestrator.parse.printk import Origin

SEPARATOR = "/"
"""Between the names of a parent and its nested test."""

MOST_DIAGNOSTICS = 60
"""Lines kept of each test: the last ones, which stand next to the result."""


@dataclass
class Level:
    """One depth of nesting while it is read."""

    indent: int
    tests: list[TestResult] = field(default_factory=list)
    plans: list[int] = field(default_factory=list)
    seen: int = 0
    children: list[TestResult] = field(default_factory=list)
    subtest: str = ""


class Reader:
    """The state of one pass over the lines."""

    def __init__(self) -> None:
        self.levels = [Level(0)]
        self.problems: list[str] = []
        self.diagnostics: list[str] = []
        self.begun: list[str] = []
        self.seconds: float | None = None
        self.skipped: str | None = None
        self.bailed = False
        self.in_log = False  # the stream itself comes through the kernel log, as KUnit's does
        self.commented = False  # nested results stand behind '# ', as kselftest's runner writes them
        self.in_yaml = False

    def line(self, text: str) -> None:
        """Take one line."""
        record = printk.parse(text)
        if record.origin is Origin.KERNEL and not record.before:
            if not self.in_log and not lines.VERSION.search(record.message):
                return
            self.in_log, text = True, record.message
        content = text.lstrip()
        indent = len(text) - len(content)
        if content.startswith("#"):
            self._comment(content, indent)
        elif not self._yaml(content) and not self._structure(content, indent):
            self._diagnostic(content)

    def _yaml(self, content: str) -> bool:
        """Take a line of a YAML block, which tells of the result line before it."""
        tests = self.levels[-1].tests
        if not self.in_yaml:
            self.in_yaml = content == "---" and bool(tests)
            return self.in_yaml
        if (
            not tests or lines.RESULT.match(content) or lines.PLAN.match(content)
        ):  # a block that was never closed must not hide a result
            self.in_yaml = False
            return False
        self.in_yaml = content != "..."
        if self.in_yaml:
            tests[-1] = replace(tests[-1], diagnostics=(*tests[-1].diagnostics, content)[-MOST_DIAGNOSTICS:])
        return True

    def _comment(self, content: str, indent: int) -> None:
        inner = content[1:].lstrip()
        if self.commented or lines.VERSION.match(inner):
            self.commented = True
            if self._structure(inner, indent + len(content) - len(inner)):
                return
        if found := lines.BEGIN.match(content):
            self.begun.append(found[1].rstrip())
            self.diagnostics.clear()  # what was said before is not about this test
        elif found := lines.SUBTEST.match(content):
            self._descend(indent)
            self.levels[-2 if indent and len(self.levels) > 1 else -1].subtest = found[1].rstrip()
        elif found := lines.SECONDS.match(content):
            self.seconds = float(found[1])
        else:
            self._diagnostic(content[1:].removeprefix(" "))

    def _structure(self, content: str, indent: int) -> bool:
        """Take a version, plan, result or bail-out line; return whether it was one."""
        if lines.VERSION.match(content):
            self._descend(indent)
        elif found := lines.PLAN.match(content):
            self._plan(int(found[1]), found[2] or "", indent)
        elif found := lines.RESULT.match(content):
            self._result(bool(found[1]), found[2] or "", found[3], indent)
        elif found := lines.BAIL.match(content):
            self.bailed = True
            self.problems.append(f"Bail out! {found[1]}".rstrip())
        else:
            return False
        return True

    def _diagnostic(self, text: str) -> None:
        if text.strip():
            self.diagnostics.append(text[:400])

    def _descend(self, indent: int) -> None:
        """Make the level of this indentation the innermost one."""
        while len(self.levels) > 1 and self.levels[-1].indent > indent:
            self._ascend()
        if indent > self.levels[-1].indent:
            self.levels.append(Level(indent))

    def _ascend(self) -> None:
        """Close the innermost level and hand its tests to the one around it, which names them at its next result."""
        level = self.levels.pop()
        self._settle(level)
        short = max(level.plans, default=0) - level.seen
        if short > 0:
            why = f"{short} of {max(level.plans)} nested tests have no result line"
            self.problems.append(why)
            level.tests.append(TestResult(f"({short} of {max(level.plans)} planned)", Status.MISSING, why))
        self.levels[-1].children += level.tests

    def _settle(self, level: Level) -> None:
        """Account for what a level promised and did not give."""
        if level.children:
            name = level.subtest or "(unnamed)"
            self.problems.append(f"nested tests of {name} have no result line of their own")
            level.tests += self._under(name, level.children)
            level.tests.append(TestResult(name, Status.MISSING, "its nested tests have results, it has none"))
            level.children = []

    @staticmethod
    def _under(parent: str, children: list[TestResult]) -> Iterator[TestResult]:
        return (replace(child, name=f"{parent}{SEPARATOR}{child.name}") for child in children)

    def _plan(self, count: int, reason: str, indent: int) -> None:
        self._descend(indent)
        self.levels[-1].plans.append(count)
        if count == 0 and len(self.levels) == 1:
            self.skipped = reason or "the program skipped all of its tests"

    def _result(self, negative: bool, number: str, rest: str, indent: int) -> None:
        if printk.parse(rest).origin is Origin.KERNEL:
            self.problems.append(f"a kernel line runs through a result line, which is not counted: {rest[:80]}")
            return
        self.commented = self.commented and indent > 0
        self._descend(indent)
        level = self.levels[-1]
        level.seen += 1
        result = self._read(negative, number or str(level.seen), rest)
        level.tests += self._under(result.name, level.children)
        level.tests.append(result)
        level.children, level.subtest = [], ""

    def _read(self, negative: bool, number: str, rest: str) -> TestResult:
        """Build the result of one line out of it and of the diagnostics before it."""
        found = lines.COMMENT.search(rest)
        name, comment = (rest[: found.start()].strip(), found[1].strip()) if found else (rest.strip(), "")
        status, reason = lines.judge(negative, comment)
        name = (name or reason or f"test {number}").replace("\\#", "#")
        diagnostics, self.diagnostics = tuple(self.diagnostics[-MOST_DIAGNOSTICS:]), []
        seconds, self.seconds = self.seconds, None
        if timed := lines.TIME.search(comment):
            seconds = float(timed[1]) * (0.001 if timed[2] == "ms" else 1.0)
        if status.broken and not reason and diagnostics:
            reason = diagnostics[0].strip()
        self._ended(name)
        return TestResult(name, status, reason, diagnostics, seconds)

    def _ended(self, name: str) -> None:
        if name in self.begun:
            self.begun.remove(name)

    def finish(self, rest: str) -> None:
        """Take the end of the output; ``rest`` stood after the last line end."""
        if rest.strip():
            self.problems.append(f"the output ends in the middle of a line, which is not counted: {rest.strip()[:80]}")
        while len(self.levels) > 1:
            self._ascend()
        self._settle(self.levels[0])
        *earlier, last = self.begun or [""]
        tests = self.levels[0].tests
        tests += [TestResult(name, Status.MISSING, "began, and has no result line") for name in earlier]
        if last:
            why = "began, and the output ends there"
            tests.append(TestResult(last, Status.CRASHED, why, tuple(self.diagnostics[-MOST_DIAGNOSTICS:])))
