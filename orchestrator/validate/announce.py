"""Notify of the begin and the outcome of a validation. What cannot be sent is a note, and changes no verdict."""

from __future__ import annotations

from orchestrator import notify
from orchestrator.model import RunResult, Verdict
from orchestrator.notify import news
from orchestrator.notify.http import Known, Sender
from orchestrator.notify.news import News
from orchestrator.pipeline.context import Workspace
from orchestrator.validate.request import Request

HASTY = Sender(connect=3, answer=5, tries=2, total=10, each=0.2)
"""How patient one is who was told to end."""


def begun(wanted: Request, workspace: Workspace, known: Known) -> list[str]:
    """Notify that a series is being validated; return a note for each receiver that could not be reached."""
    text = f"validating {len(wanted.series.patches)} patches"
    return notify.tell(wanted.settings.notify, _news(wanted, workspace.directory.name, None, text), known=known)


def failed(wanted: Request, workspace: Workspace, why: str, known: Known, sender: Sender | None = None) -> list[str]:
    """Notify that a validation came to no end; return a note for each receiver that could not be reached."""
    return _tell_all(wanted, _news(wanted, workspace.directory.name, Verdict.INFRA, why), known, sender)


def ended(wanted: Request, result: RunResult, known: Known) -> list[str]:
    """Notify of the outcome; return a note for each receiver that could not be reached."""
    return _tell_all(wanted, _news(wanted, result.run, result.verdict, news.summary(result), result), known)


def _tell_all(wanted: Request, message: News, known: Known, sender: Sender | None = None) -> list[str]:
    """Notify of an end. A signal changes nothing about it any more, but that all are notified once more, in haste."""
    try:
        return notify.tell(wanted.settings.notify, message, sender, known)
    except (KeyboardInterrupt, SystemExit):
        return notify.tell(wanted.settings.notify, message, HASTY, known)


def _news(wanted: Request, run: str, verdict: Verdict | None, text: str, result: RunResult | None = None) -> News:
    checks = result.checks if result else ()
    return News(
        run=run,
        series=wanted.series.name,
        verdict=verdict,
        text=text,
        remarks=any(check.verdict is Verdict.PASS and check.details for check in checks),
        patches=wanted.recipients.patches,
        messages=tuple(patch.message_id for patch in wanted.series.patches if patch.message_id),
        commit=wanted.recipients.commit,
        result=result,
    )
