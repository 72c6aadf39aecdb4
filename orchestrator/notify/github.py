"""A commit status at GitHub, or at a server that speaks as it does (POST /repos/OWNER/REPO/statuses/SHA)."""

from __future__ import annotations

import json
from urllib.parse import quote

from orchestrator.config.validation import GithubNotice
from orchestrator.model import Verdict
from orchestrator.notify import news as newsroom
from orchestrator.notify import secret
from orchestrator.notify.http import Exchanges, NotifyError
from orchestrator.notify.news import News

MOST = 140
"""Characters of a description; GitHub refuses more."""

_STATES = {None: "pending", Verdict.PASS: "success", Verdict.FAIL: "failure"}


def state(news: News) -> str:
    """Return the state: ``pending``, ``success``, ``failure``, or ``error`` where nothing is known."""
    return _STATES.get(news.verdict, "error")


def tell(notice: GithubNotice, news: News, exchanges: Exchanges) -> None:
    """Post the status. Raises NotifyError, also where there is no commit to put it on."""
    if news.commit is None:
        raise NotifyError("there is no commit to put a status on (name it with --commit)")
    body = {
        "state": state(news),
        "context": notice.context,
        "description": newsroom.cut(news.text, MOST),
        "target_url": newsroom.target(notice.target_url, news),
    }
    exchanges.ask(
        "POST",
        f"{notice.url.rstrip('/')}/repos/{notice.repository}/statuses/{quote(news.commit, safe='')}",
        body=json.dumps({key: value for key, value in body.items() if value is not None}).encode(),
        authorization=f"Bearer {secret.read(notice.token)}",
        headers={"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"},
    )
