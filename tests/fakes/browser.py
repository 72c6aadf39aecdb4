"""Headless Chromium over the pipe of its DevTools protocol: what a page asks for, says, and looks like."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any


class Browser:
    """One tab. ``requests`` are the addresses that it asked for, ``complaints`` what stands on its console."""

    def __init__(self, orders: IO[bytes], answers: IO[bytes]) -> None:
        self.orders, self.answers = orders, answers
        self.number = 0
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.events: list[str] = []
        target = self._send("Target.createTarget", url="about:blank")["targetId"]
        self.session: str | None = None
        self.session = self._send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self._send(f"{domain}.enable")

    def look(self, page: Path, width: int, *, dark: bool = False) -> None:
        """Load a page at a width, in a colour scheme, and wait until it is there."""
        self._send("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=True)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._send("Emulation.setEmulatedMedia", features=[scheme])
        self.events.clear()
        self._send("Page.navigate", url=page.as_uri())
        while "Page.loadEventFired" not in self.events:
            self._read()

    def value(self, expression: str) -> Any:
        """Return what an expression comes to in the page."""
        answer = self._send("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def picture(self, to: Path) -> None:
        """Write the whole page as a picture."""
        data = self._send("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        to.write_bytes(base64.b64decode(data))

    def _send(self, method: str, **params: Any) -> dict[str, Any]:
        self.number += 1
        order: dict[str, Any] = {"id": self.number, "method": method, "params": params}
        if getattr(self, "session", None):
            order["sessionId"] = self.session
        self.orders.write(json.dumps(order).encode() + b"\0")
        self.orders.flush()
        while (message := self._read()).get("id") != self.number:
            pass
        assert "error" not in message, (method, message)
        result: dict[str, Any] = message["result"]
        return result

    def _read(self) -> dict[str, Any]:
        raw = bytearray()
        while (byte := self.answers.read(1)) != b"\0":
            assert byte, "Chromium is gone"
            raw += byte
        message: dict[str, Any] = json.loads(raw)
        params = message.get("params", {})
        match message.get("method"):
            case "Network.requestWillBeSent":
                self.requests.append(params["request"]["url"])
            case "Runtime.consoleAPICalled" | "Runtime.exceptionThrown":
                self.complaints.append(str(params))
            case "Log.entryAdded":
                self.complaints.append(params["entry"]["text"])
            case str(method):
                self.events.append(method)
        return message


@contextlib.contextmanager
def chromium(folder: Path) -> Iterator[Browser]:
    """Start Chromium with a profile of its own in a folder; it ends with the block. One that is missing is an error."""
    program = shutil.which("chromium")
    assert program, "chromium is not installed: apt-get install chromium"
    order_out, order_in = os.pipe()
    answer_out, answer_in = os.pipe()

    def placed() -> None:
        """Put the pipes where Chromium looks for them: 3 to read from, 4 to write to."""
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 10) for fd in (order_out, answer_in)]
        for fd, place in zip(high, (3, 4), strict=True):
            os.dup2(fd, place)

    argv = [
        program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--hide-scrollbars",
        f"--user-data-dir={folder}", "--remote-debugging-pipe", "about:blank",
    ]  # fmt: skip
    with (folder / "chromium.log").open("wb") as log:
        child = subprocess.Popen(
            argv, preexec_fn=placed, close_fds=False, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            env={**os.environ, "HOME": str(folder)}, start_new_session=True,
        )  # fmt: skip
    for fd in (order_out, answer_in):
        os.close(fd)
    with os.fdopen(order_in, "wb") as orders, os.fdopen(answer_out, "rb") as answers:
        try:
            yield Browser(orders, answers)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, 15)
            child.wait(30)
