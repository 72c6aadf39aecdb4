"""What a line of KTAP or TAP looks like, and what a result line says. Pure."""

from __future__ import annotations

import re

from orchestrator.model import Status

VERSION = re.compile(r"K?TAP version [0-9]+", re.I)
PLAN = re.compile(r"1\.\.([0-9]{1,9})(?:\s*#\s*(?:SKIP\S*\s*)?(.*))?$", re.I)
RESULT = re.compile(r"(not )?ok(?=\s|$)(?:\s+([0-9]{1,9})(?=\s|$))?(?:\s+-(?=\s|$))?\s*(.*)$")
COMMENT = re.compile(r"(?:^|\s)#(?:\s|(?=[A-Za-z]))\s*(.*)$")
_DIRECTIVE = re.compile(r"(SKIP(?:PED)?|XFAIL|XPASS|TODO|TIMEOUT|ERROR)\b[:\s]*(.*)$")
_SKIP_ANY_CASE = re.compile(r"(SKIP(?:PED)?|TODO)\b[:\s]*(.*)$", re.I)
BEGIN = re.compile(r"#\s*begin: (\S.*)$")
SUBTEST = re.compile(r"#\s*Subtest: (\S.*)$", re.I)
SECONDS = re.compile(r"#\s*seconds: ([0-9]{1,9}(?:\.[0-9]{1,9})?)$")
TIME = re.compile(r"(?:^|\s)time=([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|s)?(?=\s|$)")
BAIL = re.compile(r"Bail out!\s*(.*)$", re.I)

_DIRECTIVES = {
    "SKIP": Status.SKIP,
    "SKIPPED": Status.SKIP,
    "XFAIL": Status.XFAIL,
    "XPASS": Status.FAIL,
    "TIMEOUT": Status.TIMEOUT,
    "ERROR": Status.ERROR,
}


def judge(negative: bool, comment: str) -> tuple[Status, str]:
    """Return the status that a result line and its directive stand for, and the reason it gives."""
    found = _DIRECTIVE.match(comment) or (None if negative else _SKIP_ANY_CASE.match(comment))
    if not found:
        reason = TIME.sub("", comment).strip()
        return (Status.FAIL if negative else Status.PASS), reason
    word, reason = found[1].upper(), found[2].strip()
    if word == "TODO":
        return (Status.XFAIL if negative else Status.PASS), reason
    if word == "XPASS":
        reason = f"passed, and was expected to fail: {reason}".removesuffix(": ")
    return _DIRECTIVES[word], reason
