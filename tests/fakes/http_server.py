"""An HTTP server on the loopback that speaks Range, and breaks off when told to."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Site:
    """One file and how it is served.

    ``cuts`` are numbers of bytes after which each next connection is dropped; ``ranges`` says whether Range is
    understood; ``status`` answers every request with that code instead; ``headers`` are sent as well. With ``slow``
    the first bytes come one by one. ``says_size`` is whether a 416 has a Content-Range. ``asked`` collects the Range
    headers.
    """

    data: bytes
    cuts: list[int] = field(default_factory=list)
    ranges: bool = True
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    slow: int = 0
    says_size: bool = True
    asked: list[str | None] = field(default_factory=list)
    url: str = ""


@contextmanager
def served(site: Site) -> Iterator[Site]:
    """Serve the site while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            site.asked.append(wanted)
            start = int(re.sub(r"\D", "", wanted)) if wanted and site.ranges else 0
            self._head(start, bool(wanted) and site.ranges)
            body = site.data[start:] if self.status < 400 else b""
            if site.cuts:
                self.wfile.write(body[: site.cuts.pop(0)])
                self.close_connection = True
            else:
                with suppress(ConnectionError):
                    for byte in body[: site.slow]:
                        self.wfile.write(bytes([byte]))
                        time.sleep(0.05)
                    self.wfile.write(body[site.slow :])

        def _head(self, start: int, partial: bool) -> None:
            size = len(site.data)
            self.status = site.status if site.status != 200 else 206 if partial else 200
            if partial and start >= size:
                self.status = 416
            self.send_response(self.status)
            if self.status == 206:
                self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
            if self.status == 416 and site.says_size:
                self.send_header("Content-Range", f"bytes */{size}")
            self.send_header("Content-Length", str(size - start if self.status < 400 else 0))
            for name, value in site.headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    site.url = f"http://127.0.0.1:{server.server_address[1]}/linux-1.0.tar.xz"
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
