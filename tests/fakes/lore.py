"""A public-inbox on loopback: a thread by the id of any of its mails, as ``t.mbox.gz``."""

from __future__ import annotations

import gzip
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote


class Archive:
    """Serves ``threads``, by message id, while its block runs: text, or bytes that are packed already."""

    def __init__(self) -> None:
        self.threads: dict[str, str | bytes] = {}
        self.requests: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.requests.append(self.path)
                data = outer._packed(unquote(self.path))
                self.send_response(404 if data is None else 200)
                self.send_header("Content-Type", "text/plain" if data is None else "application/gzip")
                self.send_header("Content-Length", str(len(data or b"not found")))
                self.end_headers()
                self.wfile.write(data or b"not found")

            do_HEAD = do_GET

            def log_message(self, *arguments: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}/mm"

    def _packed(self, path: str) -> bytes | None:
        match = re.fullmatch(r"/mm/(?P<id>[^/]+)/t\.mbox\.gz", path)
        thread = self.threads.get(match["id"]) if match else None
        return gzip.compress(thread.encode()) if isinstance(thread, str) else thread

    def __enter__(self) -> Archive:
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *arguments: object) -> None:
        self._http.shutdown()
        self._http.server_close()
