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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from orchestrator import plain
from orchestrator.model import Status, TestResult
from orchestrator.parse.ktap_reader import MOST_DIAGNOSTICS, SEPARATOR, Level, Reader

SKIPPED = "(program)"
"""The name of the one result of a program that skips as a whole (``1..0 # SKIP``)."""


@dataclass(frozen=True)
class Report:
    """What one program said.

    ``problems`` are one line each: where the output breaks the format or its own plan. ``complete`` says that there was
    exactly one plan, that it was kept, and that the output ended by itself. A report that is not complete is not green.
    """

    tests: tuple[TestResult, ...]
    problems: tuple[str, ...]
    complete: bool


def parse(text: str, planned: Sequence[str] = ()) -> Report:
    """Read the output of one test program.

    ``planned`` are the names that the program is known to have (from its ``-l``): those without a line are MISSING,
    and with them no plan line is needed to know what is missing, but its absence is still a problem.
    """
    reader = Reader()
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


def _plan_problems(top: Level) -> list[str]:
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


KSELFTEST = {4: Status.SKIP}
"""What exit codes mean beside 0: KSFT_SKIP of tools/testing/selftests/kselftest.h."""
REPRODUCER = {**KSELFTEST, 77: Status.SKIP, 125: Status.ERROR}
"""And to programs of one's own: automake's skip, and what tells ``git bisect run`` that a commit cannot be judged."""
_MEANING = {Status.SKIP: "skip", Status.ERROR: "cannot judge"}


def plans(text: str) -> bool:
    """Whether a program prints KTAP: a line of it is a version or a plan."""
    return _PLANS.search(text) is not None


_PLANS = re.compile(r"^(?:K?TAP version \d+|1\.\.\d+(?: # .*)?)\s*$", re.M)


def from_exit_code(
    name: str,
    code: int,
    *,
    diagnostics: Sequence[str] = (),
    seconds: float | None = None,
    meanings: Mapping[int, Status] = KSELFTEST,
) -> TestResult:
    """Return the result of a program that has nothing but its exit code.

    0 is PASS; 128 + n, or -n, is death by signal n (CRASHED); all that ``meanings`` does not have is FAIL.
    """
    lines = tuple(plain.clean(line)[:400] for line in diagnostics)[-MOST_DIAGNOSTICS:]
    if code == 0:
        return TestResult(name, Status.PASS, "", lines, seconds)
    if status := meanings.get(code):
        return TestResult(name, status, f"exit code {code} ({_MEANING[status]})", lines, seconds)
    number = code - 128 if 128 < code < 193 else -code
    if 0 < number < 65:
        return TestResult(name, Status.CRASHED, f"killed by {_signal_name(number)}", lines, seconds)
    return TestResult(name, Status.FAIL, f"exit code {code}", lines, seconds)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
