"""Where an outcome is sent: Patchwork, GitHub, a webhook. A failure here is a note, and changes no verdict."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from orchestrator.config.validation import GithubNotice, Notice, PatchworkNotice, WebhookNotice
from orchestrator.notify import github, patchwork, webhook
from orchestrator.notify.http import Exchanges, Known, NotifyError, Sender
from orchestrator.notify.news import News

_TELLERS: Mapping[type[Any], Callable[[Any, News, Exchanges], None]] = {
    PatchworkNotice: patchwork.tell,
    GithubNotice: github.tell,
    WebhookNotice: webhook.tell,
}


def tell(notices: Sequence[Notice], news: News, sender: Sender | None = None, known: Known | None = None) -> list[str]:
    """Notify every configured receiver; return a note for each that could not be reached. No secret is in a note.

    What is ``known`` of patches is added to, and not asked for again.
    """
    failed, patience = [], sender or Sender()
    for notice in notices:
        exchanges = Exchanges(patience, {} if known is None else known)
        patches = len(news.patches or news.messages) if isinstance(notice, PatchworkNotice) else 0
        try:
            exchanges.within(
                patience.total + patience.each * patches,
                functools.partial(_TELLERS[type(notice)], notice, news, exchanges),
            )
        except NotifyError as error:
            failed.append(f"{notice.kind} was not told: {error}")
    return failed
