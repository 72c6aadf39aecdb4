"""Checks at Patchwork (REST API 1.2): one on every patch of the series, with its verdict."""

from __future__ import annotations

import json
from urllib.parse import urljoin

from orchestrator.config.validation import PatchworkNotice
from orchestrator.model import Verdict
from orchestrator.notify import news as newsroom
from orchestrator.notify import secret
from orchestrator.notify.http import Exchanges, NotifyError, NotifyRefused
from orchestrator.notify.news import News

MOST = 255
"""Characters of a description (patchwork/models.py takes more, its pages do not)."""

_MOST_OF_ONE = 10
"""Patches that one message-id may stand for: a mail that went to several lists is one of each project."""

_STATES = {None: "pending", Verdict.PASS: "success", Verdict.FAIL: "fail", Verdict.SKIP: "warning"}
"""Verdict → state. Where the host failed nothing is known of the patch: that is a warning, too."""


def state(news: News) -> str:
    """Return the state of a check: ``pending``, ``success``, ``warning`` or ``fail``."""
    if news.verdict is Verdict.PASS and news.remarks:
        return "warning"
    return _STATES.get(news.verdict, "warning")


def tell(notice: PatchworkNotice, news: News, exchanges: Exchanges) -> None:
    """Post the check. Raises NotifyError, also where the server does not know every patch of the series."""
    token = f"Token {secret.read(notice.token)}"
    api = urljoin(notice.url.rstrip("/") + "/", "api/1.2/")
    body = {
        "state": state(news),
        "context": notice.context,
        "description": newsroom.cut(news.text, MOST),
        "target_url": newsroom.target(notice.target_url, news),
    }
    known = [] if news.patches else [_known(api, message, token, exchanges) for message in news.messages]
    ids = news.patches or [number for numbers in known for number in numbers]
    if not ids:
        raise NotifyError("it knows no patch of this series (name them with --patchwork-id)")
    raw = json.dumps({key: value for key, value in body.items() if value is not None}).encode()
    faults = []
    for number in ids:
        try:
            exchanges.ask("POST", f"{api}patches/{number}/checks/", body=raw, authorization=token)
        except NotifyRefused as error:  # one of another project, perhaps
            faults.append(error)
    if faults and len(faults) == len(ids):
        raise faults[0]
    if faults:
        raise NotifyError(f"{faults[0]} of {len(faults)} of {len(ids)} patches, the others have the check")
    if lost := known.count([]):
        raise NotifyError(f"it does not know {lost} of {len(known)} patches, the others have the check")


def _known(api: str, message: str, token: str, exchanges: Exchanges) -> list[int]:
    """Return the ids of the patches with this message-id; a mail that has not arrived there is asked for again."""
    if ids := exchanges.known.get((api, message)):
        return ids
    answer = exchanges.ask("GET", f"{api}patches/", params={"msgid": message}, authorization=token)
    entries = answer[:_MOST_OF_ONE] if isinstance(answer, list) else []
    numbers = [entry.get("id") for entry in entries if isinstance(entry, dict)]
    ids = [n for n in numbers if isinstance(n, int) and not isinstance(n, bool) and n > 0]
    exchanges.known[api, message] = ids
    return ids
