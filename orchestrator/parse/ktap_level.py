"""One depth of nesting of a program's output while it is read, and what belongs to its next result line."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from orchestrator.model import Status, TestResult
from orchestrator.parse.reasons import LONGEST, Finder

SEPARATOR = "/"
"""Between the names of a parent and its nested test."""

MOST_DIAGNOSTICS = 60
"""Lines kept of each test: the last ones, which stand next to the result."""

_CRASHES = ("kunit test case crashed!", "try faulted")  # kunit_catch_run_case() of lib/kunit/test.c

_MOST_PLANS = 6

MOST_PROBLEMS = 50


class Problems:
    """What is wrong with an output, each once; of the same trouble without end only the beginning."""

    def __init__(self) -> None:
        self._texts: dict[str, None] = {}
        self._hidden = 0

    def add(self, text: str) -> None:
        """Note what is wrong."""
        if len(self._texts) < MOST_PROBLEMS or text in self._texts:
            self._texts[text] = None
        else:
            self._hidden += 1

    @property
    def all(self) -> list[str]:
        """What is wrong, in its order."""
        return [*self._texts, *([f"and {self._hidden} more problems"] if self._hidden else [])]


@dataclass
class Notes:
    """What was printed since the last result line, and is about the next one."""

    lines: deque[str] = field(default_factory=lambda: deque(maxlen=MOST_DIAGNOSTICS))
    finder: Finder = field(default_factory=Finder)
    seconds: float | None = None
    crashed: bool = False

    def take(self, text: str, comment: bool) -> None:
        """Take a line, without its ``#`` if it was a comment."""
        if text.strip():
            self.lines.append(text[:LONGEST])
            self.finder.take(text, comment)
            self.crashed = self.crashed or text.rstrip().endswith(_CRASHES)

    def absorb(self, inner: Notes) -> None:
        """Take what stood behind the last nested result."""
        self.lines += inner.lines
        self.finder.absorb(inner.finder)
        self.crashed = self.crashed or inner.crashed


@dataclass
class Level:
    """One depth of nesting.

    ``opened`` says that a version line, or its own announcement, began it. ``announced`` is the name of the nested test
    that is to come, or is under way; ``empty`` the reason that a plan of no tests gives. ``before`` are the results
    that kept a plan of their own, and are counted no more.
    """

    indent: int
    opened: bool = False
    tests: list[TestResult] = field(default_factory=list)
    plans: list[int] = field(default_factory=list)
    seen: int = 0
    number: int = 0
    before: int = 0
    announced: str = ""
    empty: str | None = None
    begun: dict[str, None] = field(default_factory=dict)
    notes: Notes = field(default_factory=Notes)
    inner: Level | None = None
    children: list[TestResult] = field(default_factory=list)

    @property
    def fresh(self) -> bool:
        """Whether nothing was printed of it but that it begins."""
        return not (self.plans or self.seen or self.announced)

    @property
    def under_way(self) -> str:
        """The test that began last and has no result line yet: one without a name is its own."""
        return next(reversed(self.begun), "")

    @property
    def untouched(self) -> bool:
        """Whether nothing at all was printed of it."""
        return self.fresh and not (self.opened or self.begun or self.children)

    def awaits_deeper(self, indent: int) -> bool:
        """Whether a result of that indentation is one of its own: a version and a plan stand before it, and no name."""
        return self.opened and bool(self.plans) and not (self.seen or self.announced) and indent > self.indent

    def count(self, number: str) -> str:
        """Count a result line; return what is wrong with its number."""
        self.seen += 1
        due, self.number = self.number + 1, int(number) if number else self.number + 1
        return "" if self.number == due else f"numbers out of sequence: {self.number} where {due} was due"

    def begin_anew(self) -> None:
        """Take that another output begins, with a plan of its own, where that of the one before was kept."""
        if self.plans == [self.seen]:
            self.before += self.seen
            self.plans, self.seen, self.number = [], 0, 0

    def plan(self, count: int) -> None:
        """Take a plan; of plans without end the first few and the largest."""
        self.plans.append(count)
        if len(self.plans) > _MOST_PLANS:
            self.plans.remove(min(self.plans[-2:]))

    def shortfalls(self, where: str = "") -> Iterator[str]:
        """Yield in words how the results do not keep the plan."""
        if len(self.plans) > 1:
            yield f"more than one plan{where}: " + ", ".join(f"1..{count}" for count in self.plans[:5])
        wanted = max(self.plans, default=self.seen)
        if self.seen < wanted:
            yield f"{self.seen} of {wanted} planned tests{where} have a result line"
        elif self.seen > wanted:
            yield f"{self.seen} result lines{where}, {wanted} planned"

    @property
    def lacking(self) -> int:
        """How many planned tests have no result line."""
        return max(max(self.plans, default=0) - self.seen, 0)

    def add(self, result: TestResult) -> None:
        """Take the result of a test of this level, and name the nested ones after it."""
        self.tests += under(result.name, self.children)
        self.tests.append(replace(self._bounded(result), number=self.before + self.seen))
        self.children, self.inner, self.announced = [], None, ""

    def _bounded(self, result: TestResult) -> TestResult:
        """Return the result of a test as what ran inside it says: nothing that ran is no pass."""
        inner = self.inner
        if inner is None or inner.seen or self.children:
            return result
        if inner.empty is not None and result.status in {Status.PASS, Status.SKIP}:
            return replace(result, status=Status.SKIP, reason=result.reason or inner.empty)
        if inner.opened and not inner.plans and result.status is Status.PASS:
            return replace(result, status=Status.ERROR, reason="its nested tests were announced, and none ran")
        return result


def under(parent: str, children: list[TestResult]) -> Iterator[TestResult]:
    """Yield nested tests under the name of their parent."""
    return (replace(child, name=f"{parent}{SEPARATOR}{child.name}", number=0) for child in children)
