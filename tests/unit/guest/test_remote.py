"""What is taken from a guest over SSH, which may be anybody: a file of any size it says, or does not say."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import paramiko
import pytest

from orchestrator.errors import InfraError
from orchestrator.guest import remote
from orchestrator.guest.channel import Lost
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


class Raw(socket.socket):
    """The socket of a connection; where it is shut down, what waits in the channel ends, as paramiko does it."""

    def __init__(self, channel: Any) -> None:
        super().__init__()
        self.channel = channel

    def shutdown(self, how: int) -> None:
        self.channel.cut.set()


class Quick:
    """The channel of a command that has ended before it is given anything, on paramiko's own terms."""

    closed = True
    exit_status = 0
    status_event = threading.Event()
    status_event.set()

    def __init__(self) -> None:
        self.cut = threading.Event()
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


def there(channel: Any) -> remote.Remote:
    """Return a connection to a guest in which this is the one channel."""
    transport = SimpleNamespace(open_session=lambda timeout=None: channel)
    connection = SimpleNamespace(transport=transport, is_connected=True, close=lambda: None)
    return remote.Remote(connection, Raw(channel))


def test_a_command_that_ends_before_it_is_given_its_input_has_ended_well() -> None:
    output: list[bytes] = []
    ended = there(Quick()).run("true", output.append, lambda: False, b"words")
    assert (ended.exit_code, output) == (0, [b"done\n"])


class Frozen(Quick):
    """The channel of a guest that never answers the request for a command."""

    def exec_command(self, command: str) -> None:
        self.cut.wait()
        raise paramiko.SSHException("Channel closed.")


def test_a_command_that_a_guest_does_not_take_is_left_when_its_time_is_up() -> None:
    channel, looks = Frozen(), iter([False, False])
    ended = there(channel).run("true", lambda data: None, lambda: next(looks, True))
    assert ended.exit_code is None and channel.cut.is_set()


def test_a_connection_that_ends_before_a_command_is_taken_is_lost() -> None:
    channel = Frozen()
    channel.cut.set()
    with pytest.raises(Lost, match=r"Channel closed\."):
        there(channel).run("true", lambda data: None, lambda: False)


class Late(Quick):
    """The channel of a command whose exit code comes some time after the end of its output."""

    def __init__(self) -> None:
        super().__init__()
        self.status_event = threading.Event()

    def exit_status_ready(self) -> bool:
        return self.status_event.is_set()


def test_an_exit_code_is_waited_for_as_long_as_its_command() -> None:
    channel, looks = Late(), iter(range(9))

    def give_up() -> bool:
        if next(looks) > 3:  # the output has ended at the second
            channel.status_event.set()
        return False

    assert there(channel).run("true", lambda data: None, give_up).exit_code == 0


def test_an_exit_code_that_never_comes_is_left_when_the_time_of_its_command_is_up() -> None:
    looks = iter([False, False, False])
    assert there(Late()).run("true", lambda data: None, lambda: next(looks, True)).exit_code is None
