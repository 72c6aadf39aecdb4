"""Why git refused a patch, from its own words (pure): the file, the hunk and the reason, or what this host lacks."""

from __future__ import annotations

import errno
import os
import re
import signal

from orchestrator.series import diffs

_HUNK = re.compile(r"^error: patch failed: (?P<file>.+):(?P<line>\d+)$", re.M)
_CONFLICT = re.compile(r"^CONFLICT .*$", re.M)
_UNMERGED = re.compile(r"^U (?P<file>.+)$", re.M)
"""What git apply says of a merge that it could not finish."""
_ERROR = re.compile(r"^(?:error|fatal): (?P<text>.+)$", re.M)


_HOST = (errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EIO, errno.EROFS, errno.EMFILE, errno.ENFILE)
_WORDS = "|".join(os.strerror(code) for code in _HOST)
_HOST_FAULT = re.compile(rf"^(?:error|fatal): (?:.*: (?P<error>{_WORDS})$|(?P<memory>Out of memory), \w+ failed)", re.M)


def host_fault(code: int, output: str) -> str | None:
    """Return what this host lacked where git ended so, whatever it says of the patch; None if nothing."""
    number = -code if code < 0 else max(0, code - 128)
    if number in set(signal.Signals) - {signal.SIGHUP}:  # 129 is git's usage
        return f"git was killed by signal {number}"
    match = _HOST_FAULT.search(output)
    return (match["error"] or match["memory"]) if match else None


def reason(output: str, diff: str) -> str:
    """Return one line: ``mm/a.c, hunk 2 (line 40): patch does not apply``, or git's last complaint."""
    if conflicts := _CONFLICT.findall(output):
        return "; ".join(conflicts)
    if unmerged := _UNMERGED.findall(output):
        return f"the same lines of {', '.join(unmerged)} have changed in another way"
    if match := _HUNK.search(output):
        number, count = hunk_number(diff, match["file"], int(match["line"]))
        more = len(_HUNK.findall(output)) - 1
        others = f" ({more} more files are refused too)" if more else ""
        return f"{match['file']}, hunk {number}/{count} (line {match['line']}) finds other text there{others}"
    errors = [match["text"] for match in _ERROR.finditer(output)]
    return errors[0] if errors else (output.strip().splitlines() or ["git gave no reason"])[-1]


def hunk_number(diff: str, name: str, line: int) -> tuple[int, int]:
    """Return which hunk of a file begins at that line of the old file, and how many it has; 0 where unknown."""
    try:
        files = diffs.patched_files(diff)
    except diffs.Damaged:
        return 0, 0
    for file in files:
        if name in (file.path, file.path.partition("/")[2]):
            starts = [hunk.source_start for hunk in file]
            return (starts.index(line) + 1 if line in starts else 0), len(starts)
    return 0, 0
