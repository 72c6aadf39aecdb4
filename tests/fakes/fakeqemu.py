#!/usr/bin/env python3
"""A QEMU for tests: takes the real command line, speaks real QMP on the socket, writes the console file.

What it plays is in the kernel command line, as ``fake=STEP:ARGUMENT,STEP:ARGUMENT``; '+' stands for a space. The step
``guest:`` plays a guest that comes up, see fakeguest.py, and with an argument one that lies, see hostileguest.py;
``lose:FILE`` ends QEMU as often as the file has lines; ``held:`` waits to be let go on; with ``undumped:`` somewhere it
writes no dump, with ``slowly:`` it takes three seconds for one.

It can be saved, and a guest that it plays goes on from there without a word.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO


class Session:
    """The monitor's side of QMP (docs/interop/qmp-spec.txt)."""

    def __init__(self, path: str, ssh_port: int) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(path)
        self._lock = threading.Lock()
        self._ssh_port = ssh_port
        self._descriptors: list[int] = []
        self.running = threading.Event()
        self.send(
            {"QMP": {"version": {"qemu": {"major": 7, "minor": 2, "micro": 0}, "package": ""}, "capabilities": []}}
        )
        threading.Thread(target=self._serve, daemon=True).start()

    def send(self, message: dict[str, object]) -> None:
        with self._lock:
            self._socket.sendall(json.dumps(message).encode() + b"\r\n")

    def event(self, name: str, **data: object) -> None:
        stamp = {"seconds": int(time.time()), "microseconds": 0}
        self.send({"event": name, "data": data, "timestamp": stamp})

    def _serve(self) -> None:
        for request in self._requests():
            echoed = {"id": request["id"]} if "id" in request else {}
            if request["execute"] == "dump-guest-memory" and "undumped:" in " ".join(sys.argv):
                self.send({"error": {"class": "GenericError", "desc": "no dump today"}, **echoed})
                continue
            self.send({"return": self._answer(request), **echoed})
            if request["execute"] == "cont":
                self.running.set()
            if request["execute"] == "quit":
                self.event("SHUTDOWN", guest=False, reason="host-qmp-quit")
                os._exit(0)

    def _requests(self) -> Iterator[dict[str, object]]:
        """Read JSON objects; clients need not put anything between them."""
        text = ""
        while received := socket.recv_fds(self._socket, 65536, 4):
            data, descriptors, *_ = received
            self._descriptors += descriptors
            if not data:
                return
            text += data.decode()
            while text := text.lstrip():
                try:
                    request, end = json.JSONDecoder().raw_decode(text)
                except ValueError:
                    break
                yield request
                text = text[end:]

    def _answer(self, request: dict[str, object]) -> object:
        if request["execute"] == "query-version":
            return {"qemu": {"major": 7, "minor": 2, "micro": 0}, "package": "fake"}
        if request["execute"] == "query-kvm":
            return {"enabled": "kvm" in sys.argv, "present": True}
        if request["execute"] == "human-monitor-command":
            return f"  TCP[HOST_FORWARD]  12       127.0.0.1 {self._ssh_port}       10.0.2.15    22     0     0\r\n"
        if request["execute"] == "query-status":
            running = self.running.is_set()
            return {"status": "running" if running else "paused", "running": running}
        if request["execute"] == "query-migrate":
            return {"status": "completed"}
        if request["execute"] == "stop":
            self.running.clear()
            self.event("STOP")
        if request["execute"] == "migrate":
            os.write(self._descriptors[-1], STATE)
        if request["execute"] == "migrate-incoming":
            assert os.read(self._descriptors[-1], 100) == STATE
        if request["execute"] == "dump-guest-memory":
            time.sleep(3.0 * ("slowly:" in " ".join(sys.argv)))
            os.write(self._descriptors[-1], b"pieces")
        return {}


STATE = b"a fake guest, saved"


def option(pattern: str) -> str:
    return next(found[1] for word in sys.argv if (found := re.search(pattern, word)))


def debugged(port: int, running: threading.Event) -> None:
    """Let the guest go on when a debugger comes, as one does that is told to continue at once."""
    with socket.create_server(("127.0.0.1", port)) as server:
        server.accept()
        running.set()


def deaf_server() -> socket.socket:
    """Return a port that accepts, as QEMU's forward does for a dead guest, and never says a word."""
    server = socket.create_server(("127.0.0.1", 0))
    return server


def main() -> None:
    if "--version" in sys.argv:
        print("QEMU emulator version 7.2.0 (fake)")
        return
    steps = [(name, rest) for name, _, rest in (step.partition(":") for step in option(r"fake=(\S+)").split(","))]
    if steps[0][0] == "refuse":
        sys.exit("qemu-system-x86_64: " + steps[0][1].replace("+", " "))
    if "stdio,id=console,signal=on" in sys.argv:
        import fakeguest  # type: ignore[import-not-found]  # as below

        fakeguest.unattended(option(r"wpci_test=(\S+)"), os.fdopen(1, "wb", buffering=0, closefd=False))
        return
    server = deaf_server()
    session = Session(option(r"id=monitor,path=(.+)"), server.getsockname()[1])
    if "-gdb" in sys.argv:
        port = int(option(r"^tcp:127\.0\.0\.1:(\d+)$"))
        threading.Thread(target=debugged, args=(port, session.running), daemon=True).start()
    session.running.wait()
    with Path(option(r"id=console,path=(.+)")).open("ab", buffering=0) as console:
        play(steps, session, console, server)


def lose(counter: Path) -> None:
    """Take a line from a file and die; without one go on."""
    lines = counter.read_text().splitlines() if counter.exists() else []
    if lines:
        counter.write_text("".join(f"{line}\n" for line in lines[1:]))
        os.kill(os.getpid(), signal.SIGKILL)


def play(steps: list[tuple[str, str]], session: Session, console: IO[bytes], server: socket.socket) -> None:
    for name, argument in steps:
        text = argument.replace("+", " ")
        if name == "line":
            console.write(text.encode() + b"\r\n")
        elif name == "event":
            kind, _, reason = text.partition("/")
            session.event(kind, guest=True, reason=reason, action="run")
        elif name == "exit":
            os._exit(int(text))
        elif name == "die":
            os.kill(os.getpid(), signal.Signals[text])
        elif name == "lose":
            lose(Path(text))
        elif name == "guest":
            import fakeguest  # slow to import, and not every guest comes up

            guest = fakeguest.Guest(session, console)
            if argument:
                import hostileguest  # type: ignore[import-not-found]  # as above

                guest = hostileguest.Liar(session, console, argument)
            fakeguest.live(server, session, console, guest)
        elif name == "held":
            session.running.clear()
            session.running.wait()
        elif name == "hang":
            signal.pause()


if __name__ == "__main__":
    main()
