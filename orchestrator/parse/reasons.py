"""Which line of a test's output says why it failed. Pure.

Programs print a lot before they fail. What an assertion printed comes first, then what names a place in a source file,
then a line that sounds like trouble, then any line that is no chatter of a test framework; of several alike the first.
"""

from __future__ import annotations

import enum
import re

LONGEST = 400
"""Characters of a reason."""

_FOLLOWING = 6
"""Lines after the first one of KUnit's that belong to the assertion."""


class Rank(enum.IntEnum):
    """How well a line says why."""

    ASSERTION = 0
    PLACE = 1
    TROUBLE = 2
    WORDS = 3


_FILE = r"\w\.(?:c|h|cc|cpp|rs|py|sh|S)"  # its end: what stands before it may be long
_KUNIT = re.compile(r"(?:EXPECTATION|ASSERTION) FAILED at (\S{1,200}:\d+)")  # lib/kunit/assert.c
_TROUBLE = re.compile(
    r"\b(?:fail(?:s|ed|ure|ing)?|errors?|errno|cannot|can't|couldn't|(?:could|did|does) not|unable|unexpected(?:ly)?"
    r"|mismatch\w*|wrong|invalid|expected|assert\w*|missing|timed? ?out|terminated|killed|crashed|corrupt\w*|panic)\b",
    re.IGNORECASE,
)
_RULES = (
    (Rank.ASSERTION, _KUNIT),
    (Rank.ASSERTION, re.compile(rf"{_FILE}:\d+:[^:\s]*: ?Expected ")),  # __EXPECT() of kselftest_harness.h
    (Rank.ASSERTION, re.compile(rf"{_FILE}:\d+: (?:TFAIL|TBROK)\b")),  # LTP, tst_res() and tst_brk()
    (Rank.ASSERTION, re.compile(r"\b(?:TFAIL|TBROK) {0,4}:")),  # LTP before 2016
    (Rank.ASSERTION, re.compile(r"Assertion .{1,300} failed\.?")),  # assert(3) of glibc and musl
    (Rank.ASSERTION, re.compile(r"Check failed\b|Exception\| [A-Za-z_][\w.]*: ")),  # net/lib/py/ksft.py
    (Rank.ASSERTION, re.compile(r"^[\w./-]{1,200}:FAIL:")),  # bpf/test_progs.h
    (Rank.PLACE, re.compile(rf"{_FILE}:\d+")),  # guest-tests/ktap.h, TH_LOG()
    (Rank.PLACE, re.compile(r"^\[?(?:FAIL(?:ED)?|ERROR)\]?\s*:?\s+\S")),
    (Rank.TROUBLE, re.compile(r"^Bail out!")),
    (Rank.TROUBLE, _TROUBLE),
    (Rank.WORDS, re.compile(r"[^\W_]")),
)
_CHATTER = re.compile(
    r"Starting \d+ tests? from|(?:RUN|OK|FAIL|SKIP|XFAIL|XPASS)\s{2,}\S+(?: \.\.\.)?$|\[[ A-Z=]{6,12}\]"  # the harness
    r"|(?:PASSED|FAILED): +\d+ */ *\d+|Totals?:|\d+ tests? (?:ran|failed|passed)|Planned tests != run tests"
    r"|timeout set to|selftests: |running \S+$|\[(?:RUN|FAIL|PASS|SKIP|OK)\]$|\[RUN\]"  # runner.sh, run_vmtests.sh
    r"|[\w-]+: (?:initializing|pass:\d+ fail:\d+)|module: |seed: "  # KUnit; guest-tests/ktap.c
    r"|\S{1,200}:\d+: (?:TINFO|TPASS|TCONF|TDEBUG)\b|\S+ +\d+ +(?:TINFO|TPASS|TCONF) *:",  # LTP
)
_SKIPPED = re.compile(r"(?:SKIP\s{2,}|\[SKIP\]\s+)(\S.*)$")
_UNMET = re.compile(
    r"\b(?:not (?:supported|available|enabled|configured|found|installed|present|permitted|enough)|unsupported"
    r"|unavailable|requires?|needs?|must be|as root|lacks?|missing|no such)\b"
    r"|\bskip\w*(?!\w)(?! (?:the |this )?tests?\b)[^\w]+\w",
    re.I,
)
"""What a program prints that goes without what it needs, and says so in a line of its own."""

_EXIT = re.compile(r"(?:exit|rc|rcode|status|ret)[= ]-?\d+|exit code -?\d+|\[?FAIL(?:ED)?\]?|killed by SIG\w+", re.I)


def rank(line: str) -> Rank | None:
    """Return how well a line says why a test failed; None where it says nothing."""
    if _CHATTER.match(line):
        return None
    return next((rank for rank, pattern in _RULES if pattern.search(line)), None)


class Finder:
    """Look for the reason in lines as they come."""

    def __init__(self) -> None:
        self.rank = len(Rank)
        self.text = ""
        self.skipped = self.unmet = ""
        self._following = 0
        self._before = ""

    def take(self, line: str, comment: bool = True) -> None:
        """Take a line, without its ``#``; ``comment`` says that it had one."""
        line = line.strip()[:LONGEST]
        if self._following and not comment:
            self._following -= 1
            self.text = f"{self.text}{' ' if self._following < _FOLLOWING - 1 else ': '}{line}"[:LONGEST]
            return
        self._following = 0
        how_well = rank(line)
        if match := _SKIPPED.match(line):
            self.skipped = match[1]
        elif line == "[SKIP]":  # run_vmtests.sh, behind what the program printed
            self.skipped = self.skipped or self._before
        elif line:
            self._before = line if how_well is not None else ""
            self.unmet = self.unmet or (line if how_well is not None and _UNMET.search(line) else "")
        if how_well is not None and how_well < self.rank:
            self.rank, self.text = how_well, line
            if place := _KUNIT.search(line):
                self.text, self._following = place[1], _FOLLOWING

    def absorb(self, inner: Finder) -> None:
        """Take what another one found after this one."""
        if inner.rank < self.rank:
            self.rank, self.text = inner.rank, inner.text
        self._following = 0

    def reason(self, comment: str) -> str:
        """Return why a test is broken, of whose end a result line, or an exit code, says ``comment``."""
        if not comment:
            return self.text
        if self.rank <= Rank.TROUBLE and _EXIT.fullmatch(comment):
            return f"{self.text} ({comment})"
        return comment
