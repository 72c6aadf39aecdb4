"""JSON over HTTP to somebody else's server: tried again with back-off, never for long, and no secret in any fault."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.util.retry import Retry

_AGAIN = (429, 500, 502, 503, 504)
"""What may be another answer the next time. Other refusals are final."""

_LONGEST = 60
"""Seconds that a server may make us wait between two tries, whatever its Retry-After says."""


class NotifyError(Exception):
    """Somebody could not be told; ``str()`` is one line, with the name of a host and never an address or a secret."""


class _Bearer(AuthBase):
    """The Authorization header. An object of our own keeps requests from looking into ~/.netrc."""

    def __init__(self, value: str | None) -> None:
        self._value = value

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._value:
            request.headers["Authorization"] = self._value
        return request


@dataclass(frozen=True)
class Sender:
    """How patient we are. Seconds: to connect, to wait for an answer, and before the second try (doubled each time)."""

    connect: float = 10.0
    answer: float = 30.0
    pause: float = 1.0
    tries: int = 5

    def ask(
        self,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        authorization: str | None = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Any:
        """Return the JSON that a server answers with, or None where it answers with something else.

        Raises NotifyError where it cannot be reached, or refuses.
        """
        host = urlsplit(url).hostname or "that address"
        sent = {"User-Agent": "wpci", "Accept": "application/json", **(headers or {})}
        if body is not None:
            sent["Content-Type"] = "application/json"
        try:
            with self._session() as session:
                response = session.request(
                    method, url, data=body, headers=sent, params=params, auth=_Bearer(authorization),
                    timeout=(self.connect, self.answer), allow_redirects=False,
                )  # fmt: skip
        except requests.RequestException as error:
            raise NotifyError(f"{host}: {_words(error)}") from None  # the cause would tell the whole address
        if not 200 <= response.status_code < 300:
            raise NotifyError(f"{host} says {response.status_code} {response.reason}")
        try:
            return response.json()
        except ValueError:
            return None

    def _session(self) -> requests.Session:
        session = requests.Session()
        patience = Retry(
            total=self.tries - 1,
            status_forcelist=_AGAIN,
            allowed_methods=None,
            backoff_factor=self.pause,
            backoff_max=_LONGEST,
            retry_after_max=_LONGEST,
            raise_on_status=False,
        )
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(max_retries=patience))
        return session


def _words(error: requests.RequestException) -> str:
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not accepted"
    if isinstance(error, requests.Timeout) or "Read timed out" in str(error):
        return "no answer in time"
    if isinstance(error, requests.ConnectionError):
        return "no connection, or a broken one"
    return f"cannot be asked ({type(error).__name__})"
