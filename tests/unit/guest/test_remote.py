"""What is taken from a guest over SSH, which may be anybody: a file of any size it says, or does not say."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator.errors import InfraError
from orchestrator.guest import remote
from orchestrator.host.process import Deadline


class Source:
    """A file of zeros in a guest."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def read(self, most: int) -> bytes:
        piece = min(most, self.size)
        self.size -= piece
        return bytes(piece)


def link(size: int) -> remote.Remote:
    source: Any = Source(size)
    sftp = SimpleNamespace(open=lambda path, mode: source, stat=lambda path: SimpleNamespace(st_size=5))
    connection = SimpleNamespace(sftp=lambda: sftp, is_connected=True)
    return remote.Remote(connection, socket.socket())


def test_a_file_is_copied_whole(tmp_path: Path) -> None:
    link(100_000).get("/file", tmp_path / "copy", Deadline.after(60))
    assert (tmp_path / "copy").read_bytes() == bytes(100_000)


def test_a_file_without_end_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "MOST", 1 << 20)
    with pytest.raises(InfraError, match="/file: larger than 1 MiB"):
        link(1 << 40).get("/file", tmp_path / "copy", Deadline.after(60))
    assert list(tmp_path.iterdir()) == []


class Quick:
    """The channel of a command that has ended before it is given anything, on paramiko's own terms."""

    closed = True
    exit_status = 0
    status_event = threading.Event()
    status_event.set()

    def __init__(self) -> None:
        self.output = [b"done\n", b""]

    def settimeout(self, seconds: float) -> None:
        pass

    def exec_command(self, command: str) -> None:
        pass

    def send_ready(self) -> bool:
        return True

    def send(self, data: bytes) -> int:
        raise OSError("Socket is closed")

    def shutdown_write(self) -> None:
        pass

    def recv_stderr_ready(self) -> bool:
        return False

    def recv(self, most: int) -> bytes:
        return self.output.pop(0)

    def exit_status_ready(self) -> bool:
        return True

    def close(self) -> None:
        pass


def test_a_command_that_ends_before_it_is_given_its_input_has_ended_well() -> None:
    output: list[bytes] = []
    transport = SimpleNamespace(open_session=lambda timeout: Quick())
    there = remote.Remote(SimpleNamespace(transport=transport, is_connected=True), socket.socket())
    ended = there.run("true", output.append, lambda: False, b"words")
    assert (ended.exit_code, output) == (0, [b"done\n"])
