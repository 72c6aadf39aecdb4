"""Test output → results: KTAP 1, TAP 13 and 14, and programs that only have an exit code.

The rules, where the formats leave room or programs stray:

- A name is the text of the result line up to `` # ``. The name of a nested test is ``PARENT/CHILD``. A parent that has
  a result line of its own is a test of its own, so the set of names does not depend on outcomes.
- Nesting is by the column in which a line's content begins, be it behind blanks or behind ``#``: kselftest's runner
  puts ``# `` before all that a program prints, once for each level. A result behind ``#`` counts where a version line
  stood behind as many of them. What stands before a version line that comes first stands before every line.
- A diagnostic (``# text``, or any line that is nothing else) belongs to the next result line; a YAML block to the one
  before it, and no line in it is a result. ``# seconds: 0.123`` is the time of the next result; ``# time=12ms``,
  ``# 12ms`` and the like behind a result are its own. Lines of the kernel log belong to nothing, unless the output
  begins with a version line that came through a log: then only what has the log's prefix belongs to the output. In
  such a log each module of KUnit has its plan: a version line behind one that was kept begins another.
- The reason of a failure is what the result line says, else what ``reasons`` finds in the diagnostics.
- ``# begin: NAME``, or ``RUN`` of kselftest_harness.h, says that a test starts. Without a result line it is CRASHED
  when the output ends there, MISSING when the output goes on. What ``# Subtest: NAME`` announced, and has no result
  line, is MISSING; a parent that passes without any of its nested tests is an ERROR, and SKIP where they say ``1..0``.
- Planned tests without a line are MISSING: by name where ``planned`` has names, else as one line with their count.
- The numbers of the results of one level count from 1, each one more than the one before; they may be left out.
- A name that comes twice is kept twice, as ``NAME`` and ``NAME#2``.
- A last line without line end is not a result: ``not ok`` may have been meant to go on, and so may a name.
- A directive is in capitals: ``not ok 1 a # skipped 3 pages`` is a failure. Only ``ok 1 a # skip`` has any case.
- ``# XPASS`` is a failure, as in ``ksft_finished()`` of tools/testing/selftests/kselftest.h.

Nothing here raises, whatever the bytes, and the time is proportional to their number.
"""

from __future__ import annotations

import re
import signal
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.guest.protocol import Windows
from orchestrator.model import Status, TestResult, bounds
from orchestrator.parse import ktap_lines
from orchestrator.parse.ktap_level import MOST_DIAGNOSTICS, SEPARATOR
from orchestrator.parse.ktap_nesting import UNDER_WAY, UNNAMED
from orchestrator.parse.ktap_reader import Reader
from orchestrator.parse.reasons import Finder
from orchestrator.text import plain

MOST_STRANGE = 500
"""Results that are kept of those that nobody planned, where the names are known."""

MOST_NAMES = 20
"""Names that are listed of those of which the same is wrong."""

SKIPPED = "(program)"
"""The name of the one result of a program that skips as a whole (``1..0 # SKIP``)."""


@dataclass(frozen=True)
class Report:
    """The results of one program.

    ``problems`` are one line each: where the output breaks the format or its own plan. ``complete`` says that there was
    exactly one plan, that it was kept, and that the output ended by itself. A report that is not complete is not green.
    ``ended`` are the tests that came to a result under a name of their own: they stand, also where all is cut off.
    ``short`` are those of the problems that say no more than that the plan was not kept.
    """

    tests: tuple[TestResult, ...]
    problems: tuple[str, ...]
    complete: bool
    ended: tuple[TestResult, ...] = ()
    short: tuple[str, ...] = ()


def parse(text: str, planned: Sequence[str] = ()) -> Report:
    """Read the output of one test program.

    ``planned`` are the names that the program is known to have (from its ``-l``): those without a line are MISSING,
    and with them no plan line is needed to know what is missing, but its absence is still a problem.
    """
    return _report(plain.lines([text]), planned)


def parse_file(
    path: Path, planned: Sequence[str] = (), windows: Windows | None = None, *, repeated: bool = False
) -> Report:
    """Read the output of one test program from a file, as ``parse`` does, without holding all of it in memory.

    Where the program was given words of its own (``windows``) and uses them, what stands between the markers of a test
    was printed by the test: it is a diagnostic of that test, and no result. Names may be ``repeated`` where they are
    no more than texts, as in the selftests of the kernel: then that is no problem, and where the plan was kept each
    test has its number.
    """
    return _report(plain.lines(plain.pieces(path)), planned, windows, repeated)


def _report(
    lines: Iterable[tuple[str, bool]], planned: Sequence[str], windows: Windows | None = None, repeated: bool = False
) -> Report:
    reader, rest = Reader(), ""
    for line, ended in lines:
        if not ended:
            rest = line
        elif not line:
            continue
        elif windows and windows.take(line):
            if windows.last:
                reader.begin(windows.last)
        elif windows and windows.last:
            reader.quote(line)
        else:
            reader.line(line)
    reader.finish(rest)
    top, skipped = reader.root, reader.root.empty
    problems = dict.fromkeys(reader.problems.all)
    tests, doubles = apart(top.tests)
    if planned:
        tests = _few(tests, planned)
        tests += _missing(tests, planned, skipped)
        known = {*planned, *doubles}
        strange = [t.name for t in tests if t.name not in known and SEPARATOR not in t.name]
        problems |= dict.fromkeys(_some("unplanned test: {}", strange))
    elif skipped is not None and not tests:
        tests.append(TestResult(SKIPPED, Status.SKIP, skipped))
    elif top.lacking:
        name = f"({top.lacking} of {max(top.plans)} planned)"
        tests.append(TestResult(name, Status.MISSING, "planned, and not seen"))
    short = list(top.shortfalls()) or ([] if top.plans else ["no plan line"])
    twice = [] if repeated else dict.fromkeys(doubles.values())
    problems |= dict.fromkeys([*short, *_some("the name {} comes more than once", twice)])
    broken_off = bool(rest.strip()) or reader.bailed or reader.torn or any(t.status in _UNFINISHED for t in tests)
    complete = not short and not broken_off
    if not (repeated and complete):  # a number says which test it is where nothing else does, and none is left out
        tests = [replace(test, number=0) for test in tests]
    return Report(tuple(tests), tuple(problems), complete, tuple(filter(_has_ended, tests)), tuple(short))


_UNFINISHED = {Status.MISSING, Status.CRASHED}


def _has_ended(test: TestResult) -> bool:
    """Whether a test has a result line, and its name is known: that of a parent comes behind its nested tests."""
    is_open = test.status is Status.MISSING or (test.status is Status.CRASHED and test.reason == UNDER_WAY)
    return not is_open and UNNAMED not in test.name.split(SEPARATOR)


def _some(words: str, names: Iterable[str]) -> Iterator[str]:
    """Yield a problem for each of the first few names, and one for all others."""
    listed = list(names)
    yield from (words.replace("{}", name) for name in listed[:MOST_NAMES])
    if len(listed) > MOST_NAMES:
        yield words.replace("{}", f"of {len(listed) - MOST_NAMES} more")


def apart(tests: Iterable[TestResult]) -> tuple[list[TestResult], dict[str, str]]:
    """Rename the second and later tests of one name; return them all, and new name → old name of the renamed."""
    taken: set[str] = set()
    counts: Counter[str] = Counter()
    doubles: dict[str, str] = {}
    renamed = []
    for test in tests:
        name = test.name
        while name in taken:
            counts[test.name] += 1
            name = f"{test.name[:_STEM]}#{counts[test.name] + 1}"
        if name != test.name:
            doubles[name] = test.name
        taken.add(name)
        renamed.append(replace(test, name=name))
    return renamed, doubles


_STEM = bounds.LINE - 10
"""Characters of a name before a number that tells it from another of that name."""


def _few(tests: list[TestResult], planned: Sequence[str]) -> list[TestResult]:
    """Return the planned tests, and no more than ``MOST_STRANGE`` others: those are what is wrong with the output."""
    known = set(planned)
    strange = [test.name for test in tests if test.name not in known]
    left = set(strange[MOST_STRANGE:])
    return [test for test in tests if test.name not in left]


def _missing(tests: list[TestResult], planned: Sequence[str], skipped: str | None) -> list[TestResult]:
    seen = {test.name for test in tests}
    if skipped is not None and not tests:
        return [TestResult(name, Status.SKIP, skipped) for name in dict.fromkeys(planned)]
    return [
        TestResult(name, Status.MISSING, "planned, and not seen") for name in dict.fromkeys(planned) if name not in seen
    ]


KSELFTEST = {4: Status.SKIP}
"""What exit codes mean beside 0: KSFT_SKIP of tools/testing/selftests/kselftest.h."""
REPRODUCER = {**KSELFTEST, 77: Status.SKIP, 125: Status.ERROR}
"""And to programs of one's own: automake's skip, and what tells ``git bisect run`` that a commit cannot be judged."""
_MEANING = {Status.SKIP: "skip", Status.ERROR: "cannot judge"}


def plans(text: str) -> bool:
    """Whether a program prints KTAP: a line of it is a version or a plan, or a version that is indented or in a log."""
    return _PLANS.search(text) is not None or any(map(_is_version, _VERSIONS.findall(text)))


def _is_version(line: str) -> bool:
    return ktap_lines.VERSION.match(ktap_lines.logged(line)[1].lstrip()) is not None


def plans_in(path: Path) -> bool:
    """Whether a program printed KTAP into a file, as ``plans`` does."""
    return any(plans(line) for line, _ in plain.lines(plain.pieces(path)))


_PLANS = re.compile(r"^(?:K?TAP version \d+|1\.\.\d+(?: # .*)?)\s*$", re.M)
_VERSIONS = re.compile(r"^.{1,200}TAP version \d{1,4}[^\S\n]*$", re.M)


def first_failure(text: Iterable[str]) -> str:
    """Return the first line that says of itself that something failed, as a result of KTAP does; empty without one."""
    for line in text:
        if (match := ktap_lines.RESULT.match(ktap_lines.logged(line)[1].lstrip())) and match[1]:
            comment = ktap_lines.COMMENT.search(match[3])
            if ktap_lines.judge(True, comment[1].strip() if comment else "")[0].broken:
                return line
    return ""


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
    finder = Finder()
    for line in diagnostics:
        finder.take(plain.clean(line))
    lines = tuple(plain.clean(line)[:400] for line in diagnostics[-MOST_DIAGNOSTICS:])
    if code == 0:
        return TestResult(name, Status.PASS, "", lines, seconds)
    if status := meanings.get(code):
        why = finder.skipped if status is Status.SKIP else ""
        last = f": {lines[-1]}" if lines else ""
        return TestResult(name, status, why or f"exit code {code} ({_MEANING[status]}){last}", lines, seconds)
    number = code - 128 if 128 < code < 193 else -code
    if 0 < number < 65:
        why = finder.reason(f"killed by {_signal_name(number)}")
        return TestResult(name, Status.CRASHED, why, lines, seconds)
    return TestResult(name, Status.FAIL, finder.reason(f"exit code {code}"), lines, seconds)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
