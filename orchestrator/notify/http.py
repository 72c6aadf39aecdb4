"""JSON over HTTP to somebody else's server: tried again with back-off, never for long, and no secret in any fault.

No word of an answer gets into a fault: a server may echo what it was sent.
"""

from __future__ import annotations

import contextlib
import functools
import http
import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.util.retry import Retry

_AGAIN = (429, 500, 502, 503, 504)
"""What may be another answer the next time. Other refusals are final."""

_FOR_A_WHILE = Retry.RETRY_AFTER_STATUS_CODES | {403}
"""What is final but with a Retry-After: GitHub refuses so what comes too fast."""

_LONGEST = 60
"""Seconds that a server may make us wait between two tries, whatever its Retry-After says."""


MOST_ANSWER = 2**20
"""Bytes of an answer; what is longer is none."""


_LATE = "no end of it in time"


class NotifyError(Exception):
    """A receiver was not reached; ``str()`` is one line, with the name of a host and never an address or a secret."""


class NotifyRefused(NotifyError):
    """A receiver was reached, and refused what it was sent."""


class _Bearer(AuthBase):
    """The Authorization header. An object of our own keeps requests from looking into ~/.netrc."""

    def __init__(self, value: str | None) -> None:
        self._value = value

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._value:
            request.headers["Authorization"] = self._value
        return request


class _Retry(Retry):
    """Tries of a request, of which none follows once it was given up."""

    RETRY_AFTER_STATUS_CODES = _FOR_A_WHILE

    def __init__(self, *arguments: Any, given_up: threading.Event, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._given_up = given_up

    def new(self, **changes: Any) -> _Retry:
        return super().new(given_up=self._given_up, **changes)

    def sleep(self, response: Any = None) -> None:
        super().sleep(response)
        if self._given_up.is_set():
            raise NotifyError(_LATE)


@dataclass(frozen=True)
class Sender:
    """How patient we are, in seconds.

    To connect, to wait for an answer, and before the second try (doubled each time); and for all that one notice
    takes, however slow its exchanges are: ``total``, and ``each`` for every patch that a server is told of by itself.
    """

    connect: float = 10.0
    answer: float = 30.0
    pause: float = 1.0
    tries: int = 5
    total: float = 120.0
    each: float = 2.0


Known = dict[tuple[str, str], list[int]]
"""The numbers that a server gave to the patches with a message-id, by both: asked for once in a validation."""


@dataclass(frozen=True)
class Exchanges:
    """The exchanges of one notice with its server, over one connection; there are no more once it is given up."""

    sender: Sender
    known: Known
    given_up: threading.Event = field(default_factory=threading.Event)

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

        Raises NotifyError where it cannot be reached, refuses, or answers with more than ``MOST_ANSWER`` bytes.
        """
        if self.given_up.is_set():
            raise NotifyError(_LATE)
        host, sender = _host(url), self.sender
        sent = {"User-Agent": "wpci", "Accept": "application/json", "Accept-Encoding": "identity", **(headers or {})}
        if body is not None:
            sent["Content-Type"] = "application/json"
        try:
            with self.session.request(
                method, url, data=body, headers=sent, params=params, auth=_Bearer(authorization),
                timeout=(sender.connect, sender.answer), allow_redirects=False, stream=True,
            ) as response:  # fmt: skip
                raw = response.raw.read(MOST_ANSWER + 1, decode_content=False)
        except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError) as error:
            raise NotifyError(f"{host}: {_words(error)}") from None  # the cause would tell the whole address
        if not 200 <= response.status_code < 300:
            raise NotifyRefused(f"{host} says {_status(response.status_code)}")
        if len(raw) > MOST_ANSWER:
            raise NotifyError(f"{host}: the answer is longer than {MOST_ANSWER} bytes")
        with contextlib.suppress(ValueError, RecursionError):
            return json.loads(raw)
        return None

    @functools.cached_property
    def session(self) -> requests.Session:
        """What keeps the connection. It keeps no cookies: a server is to know us by the token alone."""
        session = requests.Session()
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        patience = _Retry(
            total=self.sender.tries - 1,
            status_forcelist=_AGAIN,
            allowed_methods=None,
            backoff_factor=self.sender.pause,
            backoff_max=_LONGEST,
            retry_after_max=_LONGEST,
            raise_on_status=False,
            given_up=self.given_up,
        )
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(max_retries=patience))
        return session

    def within(self, seconds: float, work: Callable[[], None]) -> None:
        """Do work with the server, and wait for its end no longer than that; what still hangs then is given up.

        A server that sends a byte now and then is in time for every wait of a socket. Raises what the work raises, as
        NotifyError where nobody foresaw it: no answer of a server is more than a note.
        """
        ended: list[NotifyError | None] = []

        def run() -> None:
            try:
                with self.session:
                    work()
                ended.append(None)
            except NotifyError as error:
                ended.append(error)
            except Exception as error:
                ended.append(NotifyError(f"unexpected {type(error).__name__}"))

        thread = threading.Thread(target=run, daemon=True, name="notify")
        thread.start()
        try:
            thread.join(seconds)
        finally:  # also where a signal ends the wait
            self.given_up.set()
        if not ended:
            raise NotifyError(_LATE)
        if ended[0]:
            raise ended[0]


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or "that address"
    except ValueError:
        return "that address"


def _status(code: int) -> str:
    """Return a status in the words of the standard: those of the server may be anything."""
    with contextlib.suppress(ValueError):
        return f"{code} {http.HTTPStatus(code).phrase}"
    return str(code)


def _words(error: Exception) -> str:
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not accepted: {cause.verify_message}"
        if isinstance(cause, ssl.SSLError):
            return f"no TLS with it: {(cause.reason or 'unknown').replace('_', ' ').lower()}"
    if isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError) or "Read timed out" in str(error):
        return "no answer in time"
    if isinstance(error, requests.ConnectionError | urllib3.exceptions.ProtocolError):
        return "no connection, or a broken one"
    return f"cannot be asked ({type(error).__name__})"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and what it was made of: requests and urllib3 put the cause among the arguments."""
    yield error
    inner = [part for part in (*error.args, getattr(error, "reason", None)) if isinstance(part, BaseException)]
    for part in inner[:1]:
        yield from _causes(part)
