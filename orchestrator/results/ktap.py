"""Test output → results: KTAP 1, TAP 13 and 14, and programs that only have an exit code.

The rules, where the formats leave room or programs stray:

- A name is the text of the result line up to `` # ``. The name of a nested test is ``PARENT/CHILD``. A parent that has
  a result line of its own is a test of its own, so the set of names does not depend on outcomes.
- A diagnostic (``# text``, or any line that is nothing else) belongs to the next result line; a YAML block to the one
  before it. ``# seconds: 0.123`` is the time of the next result. Lines of the kernel log belong to nothing.
- ``# begin: NAME`` says that a test starts. Without a result line it is CRASHED when the output ends there, MISSING
  when the output goes on.
- Planned tests without a line are MISSING: by name where ``planned`` has names, else as one line with their count.
- A name that comes twice is kept twice, as ``NAME`` and ``NAME#2``.
- A last line without line end is not a result: ``not ok`` may have been meant to go on, and so may a name.
- A directive is in capitals: ``not ok 1 a # skipped 3 pages`` is a failure. Only ``ok 1 a # skip`` has any case.
- ``# XPASS`` is a failure, as in ``ksft_finished()`` of tools/testing/selftests/kselftest.h.

Nothing here raises, whatever the bytes.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from orchestrator.model import Status, TestResult
from orchestrator.results import plain

SEPARATOR = "/"
"""Between the names of a parent and its nested test."""

SKIPPED = "(program)"
"""The name of the one result of a program that skips as a whole (``1..0 # SKIP``)."""

MOST_DIAGNOSTICS = 60
"""Lines kept of each test: the last ones, which stand next to the result."""

_VERSION = re.compile(r"K?TAP version [0-9]+", re.I)
_PLAN = re.compile(r"1\.\.([0-9]{1,9})(?:\s*#\s*(?:SKIP\S*\s*)?(.*))?$", re.I)
_RESULT = re.compile(r"(not )?ok(?=\s|$)(?:\s+([0-9]{1,9})(?=\s|$))?(?:\s+-(?=\s|$))?\s*(.*)$")
_COMMENT = re.compile(r"(?:^|\s)#(?:\s|(?=[A-Za-z]))\s*(.*)$")
_DIRECTIVE = re.compile(r"(SKIP(?:PED)?|XFAIL|XPASS|TODO|TIMEOUT|ERROR)\b[:\s]*(.*)$")
_SKIP_ANY_CASE = re.compile(r"(SKIP(?:PED)?|TODO)\b[:\s]*(.*)$", re.I)
_BEGIN = re.compile(r"#\s*begin: (\S.*)$")
_SUBTEST = re.compile(r"#\s*Subtest: (\S.*)$", re.I)
_SECONDS = re.compile(r"#\s*seconds: ([0-9]{1,9}(?:\.[0-9]{1,9})?)$")
_TIME = re.compile(r"(?:^|\s)time=([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|s)?(?=\s|$)")
_BAIL = re.compile(r"Bail out!\s*(.*)$", re.I)
_KERNEL = re.compile(r"\[ *[0-9]+\.[0-9]{6}\](?:\[ *[TC][0-9]+\])? ?")

_DIRECTIVES = {
    "SKIP": Status.SKIP,
    "SKIPPED": Status.SKIP,
    "XFAIL": Status.XFAIL,
    "XPASS": Status.FAIL,
    "TIMEOUT": Status.TIMEOUT,
    "ERROR": Status.ERROR,
}


@dataclass(frozen=True)
class Report:
    """What one program said.

    ``problems`` are one line each: where the output breaks the format or its own plan. ``complete`` says that there was
    exactly one plan, that it was kept, and that the output ended by itself. A report that is not complete is not green.
    """

    tests: tuple[TestResult, ...]
    problems: tuple[str, ...]
    complete: bool


@dataclass
class _Level:
    """One depth of nesting while it is read."""

    indent: int
    tests: list[TestResult] = field(default_factory=list)
    plans: list[int] = field(default_factory=list)
    seen: int = 0
    children: list[TestResult] = field(default_factory=list)
    subtest: str = ""


class _Reader:
    """The state of one pass over the lines; private to ``parse``."""

    def __init__(self) -> None:
        self.levels = [_Level(0)]
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
        if self.in_log or (_VERSION.search(text) and _KERNEL.match(text)):
            self.in_log = True
            text = _KERNEL.sub("", text, count=1)
        if _KERNEL.match(text):
            return
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
            not tests or _RESULT.match(content) or _PLAN.match(content)
        ):  # a block that was never closed must not hide a result
            self.in_yaml = False
            return False
        self.in_yaml = content != "..."
        if self.in_yaml:
            tests[-1] = replace(tests[-1], diagnostics=(*tests[-1].diagnostics, content)[-MOST_DIAGNOSTICS:])
        return True

    def _comment(self, content: str, indent: int) -> None:
        inner = content[1:].lstrip()
        if self.commented or _VERSION.match(inner):
            self.commented = True
            if self._structure(inner, indent + len(content) - len(inner)):
                return
        if found := _BEGIN.match(content):
            self.begun.append(found[1].rstrip())
            self.diagnostics.clear()  # what was said before is not about this test
        elif found := _SUBTEST.match(content):
            self._descend(indent)
            self.levels[-2 if indent and len(self.levels) > 1 else -1].subtest = found[1].rstrip()
        elif found := _SECONDS.match(content):
            self.seconds = float(found[1])
        else:
            self._diagnostic(content[1:].removeprefix(" "))

    def _structure(self, content: str, indent: int) -> bool:
        """Take a version, plan, result or bail-out line; return whether it was one."""
        if _VERSION.match(content):
            self._descend(indent)
        elif found := _PLAN.match(content):
            self._plan(int(found[1]), found[2] or "", indent)
        elif found := _RESULT.match(content):
            self._result(bool(found[1]), found[2] or "", found[3], indent)
        elif found := _BAIL.match(content):
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
            self.levels.append(_Level(indent))

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

    def _settle(self, level: _Level) -> None:
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
        if _KERNEL.search(rest):
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
        found = _COMMENT.search(rest)
        name, comment = (rest[: found.start()].strip(), found[1].strip()) if found else (rest.strip(), "")
        status, reason = _judge(negative, comment)
        name = (name or reason or f"test {number}").replace("\\#", "#")
        diagnostics, self.diagnostics = tuple(self.diagnostics[-MOST_DIAGNOSTICS:]), []
        seconds, self.seconds = self.seconds, None
        if timed := _TIME.search(comment):
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


def _judge(negative: bool, comment: str) -> tuple[Status, str]:
    """Return the status that a result line and its directive stand for, and the reason it gives."""
    found = _DIRECTIVE.match(comment) or (None if negative else _SKIP_ANY_CASE.match(comment))
    if not found:
        reason = _TIME.sub("", comment).strip()
        return (Status.FAIL if negative else Status.PASS), reason
    word, reason = found[1].upper(), found[2].strip()
    if word == "TODO":
        return (Status.XFAIL if negative else Status.PASS), reason
    if word == "XPASS":
        reason = f"passed, and was expected to fail: {reason}".removesuffix(": ")
    return _DIRECTIVES[word], reason


def parse(text: str, planned: Sequence[str] = ()) -> Report:
    """Read the output of one test program.

    ``planned`` are the names that the program is known to have (from its ``-l``): those without a line are MISSING,
    and with them no plan line is needed to know what is missing, but its absence is still a problem.
    """
    reader = _Reader()
    whole, rest = plain.split(text)
    for line in whole:
        reader.line(line)
    reader.finish(rest)
    top = reader.levels[0]
    problems = list(reader.problems)
    tests, doubles = _apart(top.tests)
    if planned:
        tests += _missing(tests, planned, reader.skipped)
        known = {*planned, *doubles}
        problems += [f"unplanned test: {t.name}" for t in tests if t.name not in known and SEPARATOR not in t.name]
    elif reader.skipped is not None and not tests:
        tests.append(TestResult(SKIPPED, Status.SKIP, reader.skipped))
    short = _plan_problems(top)
    if not planned and top.plans and top.seen < (wanted := max(top.plans)):
        tests.append(TestResult(f"({wanted - top.seen} of {wanted} planned)", Status.MISSING, "planned, and not seen"))
    problems += short + [f"the name {name} comes more than once" for name in doubles.values()]
    broken_off = bool(rest.strip()) or reader.bailed or any(t.status is Status.MISSING for t in tests)
    complete = not short and not broken_off and not any(t.status is Status.CRASHED for t in tests)
    return Report(tuple(tests), tuple(dict.fromkeys(problems)), complete)


def _apart(tests: list[TestResult]) -> tuple[list[TestResult], dict[str, str]]:
    """Rename the second and later tests of one name; return them all, and new name → old name of the renamed."""
    taken: set[str] = set()
    doubles: dict[str, str] = {}
    apart = []
    for test in tests:
        name, count = test.name, 1
        while name in taken:
            count += 1
            name = f"{test.name}#{count}"
        if name != test.name:
            doubles[name] = test.name
        taken.add(name)
        apart.append(replace(test, name=name))
    return apart, doubles


def _missing(tests: list[TestResult], planned: Sequence[str], skipped: str | None) -> list[TestResult]:
    seen = {test.name for test in tests}
    if skipped is not None and not tests:
        return [TestResult(name, Status.SKIP, skipped) for name in dict.fromkeys(planned)]
    return [
        TestResult(name, Status.MISSING, "planned, and not seen") for name in dict.fromkeys(planned) if name not in seen
    ]


def _plan_problems(top: _Level) -> list[str]:
    if not top.plans:
        return ["no plan line"]
    problems = []
    if len(top.plans) > 1:
        problems.append("more than one plan: " + ", ".join(f"1..{count}" for count in top.plans[:5]))
    wanted = max(top.plans)
    if top.seen < wanted:
        problems.append(f"{top.seen} of {wanted} planned tests have a result line")
    elif top.seen > wanted:
        problems.append(f"{top.seen} result lines, {wanted} planned")
    return problems


def from_exit_code(
    name: str, code: int, *, diagnostics: Sequence[str] = (), seconds: float | None = None
) -> TestResult:
    """Return the result of a program that has nothing but its exit code.

    0 is PASS and 4 SKIP (KSFT_SKIP); 128 + n, or -n, is death by signal n (CRASHED); all else is FAIL.
    """
    lines = tuple(plain.clean(line)[:400] for line in diagnostics)[-MOST_DIAGNOSTICS:]
    if code == 0:
        return TestResult(name, Status.PASS, "", lines, seconds)
    if code == 4:
        return TestResult(name, Status.SKIP, "exit code 4 (skip)", lines, seconds)
    number = code - 128 if 128 < code < 193 else -code
    if 0 < number < 65:
        return TestResult(name, Status.CRASHED, f"killed by {_signal_name(number)}", lines, seconds)
    return TestResult(name, Status.FAIL, f"exit code {code}", lines, seconds)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
