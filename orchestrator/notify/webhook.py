"""The outcome as JSON, POSTed to whoever asked for it, and signed if there is a key.

The signature is the one that GitHub's webhooks made common: HMAC-SHA256 over the bytes of the body, in hexadecimal.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

from orchestrator.config.validation import Secret, WebhookNotice
from orchestrator.notify import news as newsroom
from orchestrator.notify import secret
from orchestrator.notify.http import Exchanges
from orchestrator.notify.news import News

SIGNATURE = "X-Wpci-Signature-256"
VERSION = 1


def tell(notice: WebhookNotice, news: News, exchanges: Exchanges) -> None:
    """Post the document. Raises NotifyError."""
    url = secret.read(notice.url) if isinstance(notice.url, Secret) else notice.url
    body = json.dumps(document(news, newsroom.target(notice.target_url, news)), sort_keys=True).encode()
    signed = {SIGNATURE: f"sha256={sign(body, secret.read(notice.secret))}"} if notice.secret else {}
    exchanges.ask("POST", url, body=body, headers=signed)


def sign(body: bytes, key: str) -> str:
    """Return the signature of a body."""
    return hmac.new(key.encode(), body, hashlib.sha256).hexdigest()


def document(news: News, url: str | None) -> dict[str, Any]:
    """Return what is sent: ``state`` is ``pending`` or ``done``; with ``done`` come verdict, exit code and checks."""
    message: dict[str, Any] = {
        "version": VERSION,
        "run": news.run,
        "series": news.series,
        "state": "done" if news.verdict else "pending",
        "text": news.text,
        "target_url": url,
    }
    if news.verdict and news.result:
        message["verdict"] = news.verdict.value
        message["exit_code"] = news.result.exit_code
        message["checks"] = [
            {"name": c.name, "subject": c.subject, "verdict": c.verdict.value, "message": c.message}
            for c in news.result.checks
        ]
        message["results"] = [
            {"tree": s.tree, "variant": s.variant, "verdict": s.verdict.value, "reason": s.reason}
            for s in news.result.series
        ]
    return message
