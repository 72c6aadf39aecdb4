"""What there is to tell, in the words of no server. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.model import RunResult, Verdict
from orchestrator.text import wording


@dataclass(frozen=True)
class News:
    """The state of a validation. ``verdict`` is None while it runs.

    ``remarks`` says that something is green and still has findings. ``patches`` are ids at Patchwork that the user
    named, ``messages`` the message-ids of the patches, and ``commit`` what a status belongs on; each may be missing.
    """

    run: str
    series: str
    verdict: Verdict | None
    text: str
    remarks: bool = False
    patches: tuple[int, ...] = ()
    messages: tuple[str, ...] = ()
    commit: str | None = None
    result: RunResult | None = None


def summary(result: RunResult) -> str:
    """Return the outcome in one line: what is red, failures first, else what was seen."""
    if red := _lines_of(result, Verdict.FAIL) + _lines_of(result, Verdict.INFRA):
        return red[0] + (f" (and {len(red) - 1} more)" if len(red) > 1 else "")
    passed = sum(check.verdict is Verdict.PASS for check in result.checks)
    left_out = sum(check.verdict is Verdict.SKIP for check in result.checks)
    skipped = f", {left_out} not run" if left_out else ""
    return "; ".join([f"{passed} checks passed{skipped}", *(series.reason for series in result.series)])


def _lines_of(result: RunResult, verdict: Verdict) -> list[str]:
    """Return a line for each check and each pair that came to a verdict."""
    checks = [f"{c.name}: {c.subject}: {c.message}" for c in result.checks if c.verdict is verdict]
    return checks + [f"{series.variant}: {series.reason}" for series in result.series if series.verdict is verdict]


def cut(text: str, most: int) -> str:
    """Return one line of text that a server takes, of that many characters at most."""
    line = " ".join(text.split())
    return wording.cut(line, most)


def target(template: str | None, news: News) -> str | None:
    """Return where the results can be read, if anywhere."""
    return template.replace("{run}", news.run) if template else None
