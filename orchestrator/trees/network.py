"""What the fetching of sources needs of the network: its environment, and downloads that go on where they broke off."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.errors import InfraError
from orchestrator.host.cache import Cache
from orchestrator.host.process import Deadline
from orchestrator.progress import Progress

if TYPE_CHECKING:  # 45 ms, which most runs do without: they have their sources
    import requests

_CHUNK = 1 << 18
_IDLE = 60.0
"""Seconds without a byte after which a connection counts as broken."""
_FRUITLESS = 3
"""How many connections in a row may bring nothing."""

_PASSED_ON = (
    "http_proxy",
    "https_proxy",
    "ftp_proxy",
    "all_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "GIT_SSL_CAINFO",
)


def environment() -> dict[str, str]:
    """Return the variables that say how this host reaches the network: proxies and certificates."""
    return {name: os.environ[name] for name in _PASSED_ON if name in os.environ}


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def download(url: str, sha256: str, cache: Cache, progress: Progress, deadline: Deadline) -> Path:
    """Fetch a URL to ``downloads/<sha256>``, going on with what an earlier call left. Hold the lock of that sum.

    A file under its final name is whole and has that sum. Raises InfraError.
    """
    final = cache.path("downloads", sha256)
    if final.is_file():
        return final
    partial = final.with_name(f"{sha256}.partial")
    resumed = partial.exists() and partial.stat().st_size > 0
    try:
        _complete(url, partial, progress, deadline)
        if resumed and sha256_of(partial) != sha256:
            progress.note(f"what an earlier run left of {url} does not fit: fetching all of it")
            partial.unlink()
            _complete(url, partial, progress, deadline)
    except OSError as error:
        raise InfraError(f"cannot fetch {url}: {error.strerror or error}") from error
    if (actual := sha256_of(partial)) != sha256:
        partial.unlink()
        raise InfraError(f"{url} has sha256 {actual}, not {sha256}")
    partial.rename(final)
    return final


def _complete(url: str, partial: Path, progress: Progress, deadline: Deadline) -> None:
    """Connect until the file is whole; a connection that brings something pardons those that brought nothing."""
    import requests
    import urllib3

    fruitless = 0
    while True:
        before = partial.stat().st_size if partial.exists() else 0
        try:
            if _connect(url, partial, before, progress, deadline):
                return
            problem = "the connection broke off"
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            problem = _words(error)
        fruitless = 0 if partial.exists() and partial.stat().st_size > before else fruitless + 1
        if fruitless >= _FRUITLESS or deadline.expired:
            raise InfraError(f"cannot fetch {url}: {problem}")
        progress.note(f"{problem}: going on with {url}")


def _connect(url: str, partial: Path, have: int, progress: Progress, deadline: Deadline) -> bool:
    """Fetch what lacks over one connection; return whether the file is whole then."""
    import requests

    wait = max(0.1, min(_IDLE, deadline.remaining))
    headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={have}-"} if have else {})}
    with requests.get(url, headers=headers, stream=True, timeout=wait) as response:
        if response.status_code == 416 and have:
            return True  # nothing comes behind what is there: its sum says whether that is the file
        if not response.ok:
            raise InfraError(f"cannot fetch {url}: the server says {response.status_code} {response.reason}")
        start = have if response.status_code == 206 and _range_start(response) == have else 0
        if response.status_code == 206 and start != have:
            raise InfraError(f"cannot fetch {url}: the server sent another range than was asked for")
        length = response.headers.get("Content-Length")
        total = start + int(length) if length else None
        with partial.open("ab" if start else "wb") as file:
            done = start
            # whatever one recv(2) brings: to wait for a whole chunk is to look at no deadline meanwhile
            while chunk := response.raw.read1(_CHUNK, decode_content=False):
                file.write(chunk)
                done += len(chunk)
                progress.advance(f"download {url.rsplit('/', 1)[-1]}", done, total)
                if deadline.expired:
                    raise InfraError(f"out of time while fetching {url}")
    return total is None or done == total


def _range_start(response: requests.Response) -> int:
    match = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return int(match[1]) if match else -1


def _words(error: Exception) -> str:
    import requests
    import urllib3

    if isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError):
        return "the server is silent"
    if isinstance(error, requests.ConnectionError | urllib3.exceptions.ProtocolError):
        return "no connection, or a broken one"
    return str(error)
