"""What the fetching of sources needs of the network. Every later stage goes without one."""

from __future__ import annotations

import os

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
    "REQUESTS_CA_BUNDLE",
)


def environment() -> dict[str, str]:
    """Return the variables that say how this host reaches the network: proxies and certificates."""
    return {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
