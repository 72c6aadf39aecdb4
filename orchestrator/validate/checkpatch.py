"""The tree's own checkpatch.pl on each patch."""

from __future__ import annotations

import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from orchestrator.config.validation import Validation
from orchestrator.host import packages, process
from orchestrator.host.disk import write_atomic
from orchestrator.host.process import Cage, CommandFailed, Deadline
from orchestrator.kbuild import make
from orchestrator.model import CheckResult, Verdict
from orchestrator.series.series import Patch

NAME = "checkpatch"
SCRIPT = "scripts/checkpatch.pl"
OPTIONS = ("--strict", "--no-signoff", "--show-types", "--showfile")
"""A sign-off is a person's to give: its absence is a note of the run, never a finding."""

_LOOKS_UP = "UNKNOWN_COMMIT_ID"
"""The type of finding that a commit is not there. In a tree without history none is."""
_NAMES_COMMIT = re.compile(rb"^fixes:\s+[0-9a-f]{6,40}\b|\bcommit\s+[0-9a-f]{6,40}\b", re.I | re.M)

_KINDS = ("error", "warning", "check")
_FINDING = re.compile(r"(?:(?P<where>[^\s:]*:\d+): )?(?P<kind>ERROR|WARNING|CHECK):(?P<type>[A-Z0-9_]+): (?P<text>.+)")
_TOTAL = re.compile(r"total: (\d+) errors, (\d+) warnings, (\d+) checks, \d+ lines checked")
_GIT = process.minimal_environment(
    {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}
)
_SECONDS = 1800.0
"""A busy machine took over five minutes for one patch of 250 lines."""


@dataclass(frozen=True)
class Report:
    """The report of checkpatch.pl on one patch: how many of each kind, and a line for each finding."""

    counts: tuple[int, int, int]
    findings: tuple[str, ...]

    @property
    def text(self) -> str:
        """The counts in words."""
        return ", ".join(f"{n} {k}{'' if n == 1 else 's'}" for n, k in zip(self.counts, _KINDS, strict=True) if n)


def read(output: str, status: int) -> Report | None:
    """Read the output of checkpatch.pl, which exits with ``status``; None where nothing proves its end. Pure.

    The proof is its last line, with the counts that the status is made of: such a line may also be one of the mail,
    which it quotes.
    """
    lines = output.splitlines()
    total = next((end for line in reversed(lines) if (end := _TOTAL.fullmatch(line.rstrip()))), None)
    if total is None:
        return None
    counts = int(total[1]), int(total[2]), int(total[3])
    if status != int(any(counts)):
        return None
    matches = (match for line in lines if (match := _FINDING.fullmatch(line.rstrip())))
    return Report(counts, tuple(_line(match) for match in matches))


def _line(match: re.Match[str]) -> str:
    where = f"{match['where']}: " if match["where"] and not match["where"].startswith(":") else ""
    return f"{where}{match['kind']}:{match['type']}: {match['text']}"


def judge(report: Report, least: str) -> Verdict:
    """Return FAIL where there is a finding of the kind ``least``, or of a graver one."""
    return Verdict.FAIL if any(report.counts[: _KINDS.index(least) + 1]) else Verdict.PASS


def names_commits(patch: Patch) -> bool:
    """Whether checkpatch.pl would look for commits that a patch names."""
    return _NAMES_COMMIT.search(patch.mail) is not None


def check(
    patch: Patch,
    subject: str,
    tree: Path,
    log: Path,
    settings: Validation,
    repository: Path | None = None,
    has_history: bool = True,
) -> CheckResult:
    """Run the checkpatch.pl of a checked-out tree on one patch. Its own failure is INFRA, its absence SKIP.

    With its ``repository`` the script can look for the commits that a patch names; without history it is not to.
    """
    started = time.monotonic()
    if not (tree / SCRIPT).is_file():
        return CheckResult(NAME, subject, Verdict.SKIP, f"the tree has no {SCRIPT}", 0.0)
    if shutil.which("perl") is None:
        return CheckResult(NAME, subject, Verdict.INFRA, f"perl is not installed ({packages.hint('perl')})", 0.0)
    mail = log.with_suffix(".patch")
    write_atomic(mail, patch.mail)
    log.unlink(missing_ok=True)
    options = OPTIONS if has_history else (*OPTIONS, "--ignore", _LOOKS_UP)
    argv: list[str | Path] = ["perl", tree / SCRIPT, *options, mail]
    cage = Cage(readable=tuple(path.absolute() for path in (tree, mail, repository) if path))
    try:
        deadline = Deadline.after(_SECONDS)
        done = process.run(argv, cwd=tree, env=_GIT, log=log, check=False, deadline=deadline, cage=cage)
    except CommandFailed as error:
        why = f"{SCRIPT} did not come to its end: {str(error).partition(':')[0]}"
        return CheckResult(NAME, subject, Verdict.INFRA, why, time.monotonic() - started, log=log)
    seconds = time.monotonic() - started
    report = read(make.output(log), done.returncode)
    if report is None:
        return CheckResult(NAME, subject, Verdict.INFRA, f"{SCRIPT} did not come to its end", seconds, log=log)
    verdict = judge(report, settings.checkpatch)
    return CheckResult(NAME, subject, verdict, report.text or "clean", seconds, report.findings, log)
