"""What a line of KTAP or TAP looks like, and what a result line says. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from orchestrator.model import Status
from orchestrator.parse import printk

VERSION = re.compile(r"K?TAP version [0-9]{1,4}\s*$", re.I)
PLAN = re.compile(r"1\.\.([0-9]{1,9})(?:\s*#\s*(?:SKIP\S*\s*)?(.*))?$", re.I)
RESULT = re.compile(r"(not )?ok(?=\s|$)(?:\s+([0-9]{1,9})(?=\s|$))?(?:\s+-(?=\s|$))?\s*(.*)$")
COMMENT = re.compile(r"(?:^|\s)#(?:\s|(?=[A-Za-z]))\s*(.*)$")
BEGIN = re.compile(r"begin: (\S.*)$")
HARNESS_RUN = re.compile(r"RUN {2,}(\S.*) \.\.\.$")  # __run_test() of kselftest_harness.h
SUBTEST = re.compile(r"Subtest: (\S.*)$", re.I)
SECONDS = re.compile(r"seconds: ([0-9]{1,9}(?:\.[0-9]{1,9})?)$")
BAIL = re.compile(r"Bail out!\s*(.*)$", re.I)

_PREFIX = re.compile(r"\s*(?:#\s*)*")
_DIRECTIVE = re.compile(r"(SKIP(?:PED)?|XFAIL|XPASS|TODO|TIMEOUT|ERROR)\b[:\s]*(.*)$")
_SKIP_ANY_CASE = re.compile(r"(SKIP(?:PED)?|TODO)\b[:\s]*(.*)$", re.I)
_NUMBER, _UNIT = r"(?P<number>[0-9]{1,9}(?:\.[0-9]{1,9})?)", r"(?P<unit>us|usecs?|ms|msecs?|s|secs?|seconds?)"
_TIMES = (
    re.compile(rf"(?:^|[\s,;])(?:time|duration|elapsed|runtime)[=:]\s*{_NUMBER}\s?{_UNIT}?(?=[\s,;]|$)"),
    re.compile(rf"(?:^|[\s,;])duration_(?P<unit>ms)[:=\s]\s*{_NUMBER}$"),
    re.compile(rf"^\(?(?:took |in )?{_NUMBER}\s?{_UNIT}\)?$"),
)
_SCALES = {"u": 1e-6, "m": 1e-3, "s": 1.0}

_DIRECTIVES = {
    "SKIP": Status.SKIP,
    "SKIPPED": Status.SKIP,
    "XFAIL": Status.XFAIL,
    "XPASS": Status.FAIL,
    "TIMEOUT": Status.TIMEOUT,
    "ERROR": Status.ERROR,
}


@dataclass(frozen=True)
class Line:
    """One line: how many ``#`` stand before its content, and in which columns the last of them and the content are."""

    hashes: int
    mark: int
    indent: int
    content: str


def cut(text: str) -> Line:
    """Take a line apart."""
    prefix = _PREFIX.match(text)
    assert prefix
    before = prefix[0]
    return Line(before.count("#"), before.rfind("#"), len(before), text[len(before) :].rstrip())


def is_behind(line: Line) -> bool:
    """Whether a comment is about the result before it: set off by three blanks (Test::More), or a place (bats)."""
    is_set_off = line.indent - line.mark > 3 and not any(each.match(line.content) for each in (HARNESS_RUN, SUBTEST))
    return line.hashes > 0 and (is_set_off or line.content.startswith("(in test file "))


def logged(text: str) -> tuple[tuple[bool, bool], str]:
    """Take off what a log puts before each line; return also its shape: whether it has a date, and printk's stamp."""
    line = printk.parse(text)
    return ((False, False), text) if line.before else ((line.outer, line.time is not None), line.message)


def timed(comment: str) -> tuple[float | None, str]:
    """Return the seconds that the comment of a result line names, and the comment without them."""
    for pattern in _TIMES:
        if match := pattern.search(comment):
            rest = (comment[: match.start()] + comment[match.end() :]).strip(" ,;#")
            return float(match["number"]) * _SCALES[(match["unit"] or "s")[0]], rest
    return None, comment


def judge(negative: bool, comment: str) -> tuple[Status, str]:
    """Return the status that a result line and its directive stand for, and the reason it gives."""
    directive = _DIRECTIVE.match(comment) or (None if negative else _SKIP_ANY_CASE.match(comment))
    if not directive:
        return (Status.FAIL if negative else Status.PASS), comment.strip()
    word, reason = directive[1].upper(), directive[2].strip()
    if word == "TODO":
        return (Status.XFAIL if negative else Status.PASS), reason
    if word == "XPASS":
        reason = f"passed, and was expected to fail: {reason}".removesuffix(": ")
    return _DIRECTIVES[word], reason
