"""Who is told of a validation: Patchwork, GitHub, a webhook. A failure here is a note, and changes no verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from orchestrator.config.validation import GithubNotice, Notice, PatchworkNotice, WebhookNotice
from orchestrator.notify import github, patchwork, webhook
from orchestrator.notify.http import NotifyError, Sender
from orchestrator.notify.news import News

_TELLERS: Mapping[type[Any], Callable[[Any, News, Sender], None]] = {
    PatchworkNotice: patchwork.tell,
    GithubNotice: github.tell,
    WebhookNotice: webhook.tell,
}


def tell(notices: Sequence[Notice], news: News, sender: Sender | None = None) -> list[str]:
    """Tell everybody who is configured; return a note for each who could not be told. No secret is in a note."""
    failed = []
    for notice in notices:
        try:
            _TELLERS[type(notice)](notice, news, sender or Sender())
        except NotifyError as error:
            failed.append(f"{notice.kind} was not told: {error}")
    return failed
