"""Commands and files over SSH: the only user of fabric.

``cut`` ends whatever is under way, from any thread.
"""

from __future__ import annotations

import base64
import contextlib
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fabric
import paramiko

from orchestrator.errors import InfraError, PipelineError
from orchestrator.guest.channel import LEFT, TICK, Ended, Lost, follow
from orchestrator.guest.dial import Dial
from orchestrator.host.process import Deadline

MOST = 256 << 20
"""Bytes of a file that are taken from a guest."""

_PIECE = 32 << 10
_KEEPALIVE = 5

logging.getLogger("paramiko").addHandler(logging.NullHandler())  # it prints a traceback for each guest that dies


@dataclass(frozen=True)
class Address:
    """Where a guest answers, how that is reached, the key that opens it, and the key by which it is known."""

    port: int
    dial: Dial
    identity: Path
    host_key: str


class Remote:
    """An open connection to a guest."""

    def __init__(self, connection: Any, raw: socket.socket) -> None:
        self._connection = connection
        self._raw = raw

    @property
    def usable(self) -> bool:
        """Whether the connection still stands, as far as anyone can tell."""
        return bool(self._connection.is_connected)

    def cut(self) -> None:
        """End the connection, and with it whatever waits for it. From any thread."""
        with contextlib.suppress(OSError):
            self._raw.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection."""
        self.cut()
        self._connection.close()

    def run(
        self, command: str, sink: Callable[[bytes], None], give_up: Callable[[], bool], given: bytes = b""
    ) -> Ended:
        """Run shell text (see ``protocol.wrapped``), hand its output to ``sink`` as it comes, leave it when told to.

        ``given`` is its standard input. One that is left before the guest has taken it costs the connection. Raises
        Lost.
        """
        with self._faults():
            channel = self._channel(command, give_up)
            if channel is None:
                return LEFT
            with contextlib.closing(channel):
                return follow(channel, sink, give_up, given)

    def _channel(self, command: str, give_up: Callable[[], bool]) -> Any:
        """Return the channel in which the guest runs a command; None where it was left before the guest took it.

        What paramiko does here waits for the guest for as long as the connection stands.
        """
        try:
            with self._cut_when(give_up):
                channel = self._connection.transport.open_session()
                channel.settimeout(TICK)
                channel.exec_command(command)
                return channel
        except (paramiko.SSHException, EOFError, OSError):
            if not give_up():
                raise
            self.close()  # it may seem to stand for a moment more
            return None

    def put(self, local: Path, remote: str, deadline: Deadline) -> None:
        """Copy a file into the guest. Raises Lost, and InfraError where the guest refuses it."""
        with self._faults(remote), self._cut_at(deadline):
            sftp = self._connection.sftp()
            sftp.put(str(local), remote)
            sftp.chmod(remote, local.stat().st_mode & 0o777)

    def get(self, remote: str, local: Path, deadline: Deadline) -> None:
        """Copy a file from the guest, up to ``MOST`` bytes; it appears whole or not at all. Raises as ``put``."""
        part = local.with_name(f".{local.name}.part")
        try:
            with self._faults(remote), self._cut_at(deadline):
                self._fetch(remote, part)
            part.replace(local)
        finally:
            part.unlink(missing_ok=True)

    def _fetch(self, remote: str, local: Path) -> None:
        """Copy a file piece by piece: what a guest says of its size may be a lie."""
        left = MOST
        with self._connection.sftp().open(remote, "rb") as source, local.open("wb") as file:
            while piece := source.read(_PIECE):
                left -= len(piece)
                if left < 0:
                    raise InfraError(f"{remote}: larger than {MOST >> 20} MiB, the most that is taken from a guest")
                file.write(piece)

    @contextlib.contextmanager
    def _cut_at(self, deadline: Deadline) -> Iterator[None]:
        timer = threading.Timer(deadline.remaining, self.cut)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    @contextlib.contextmanager
    def _cut_when(self, give_up: Callable[[], bool]) -> Iterator[None]:
        done = threading.Event()

        def watch() -> None:
            while not done.wait(TICK):
                if give_up():
                    self.cut()
                    return

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    @contextlib.contextmanager
    def _faults(self, what: str = "") -> Iterator[None]:
        try:
            yield
        except (paramiko.SSHException, EOFError, ConnectionError) as error:
            raise Lost(f"the connection to the guest was lost: {error or type(error).__name__}") from error
        except OSError as error:
            if not self.usable:
                raise Lost(f"the connection to the guest was lost: {error}") from error
            raise InfraError(f"{what}: {error}") from error
        except PipelineError:
            raise
        except Exception as error:  # what paramiko makes of a server that does not speak SSH as it should
            raise Lost(f"what answers does not speak SSH: {type(error).__name__}: {error}") from error


def connect(address: Address, give_up: Callable[[], bool], deadline: Deadline, cutters: Callable[..., None]) -> Remote:
    """Open a connection. ``cutters`` is called with the function that ends the attempt, from any thread.

    Raises Lost when ``give_up`` says so or time is up, InfraError where the guest is not the one we made.
    """
    last: object = "no answer"
    while not (give_up() or deadline.expired):
        try:
            raw = address.dial(address.port, deadline.remaining)
            cutters(lambda raw=raw: _shut(raw))
            return _opened(address, raw, deadline)
        except (paramiko.BadHostKeyException, paramiko.AuthenticationException) as error:
            raise InfraError(f"SSH: what answers on port {address.port} is not our guest: {error}") from error
        except (paramiko.SSHException, EOFError, OSError) as error:
            last = error or type(error).__name__
            threading.Event().wait(min(TICK, deadline.remaining))
    raise Lost(f"SSH does not answer: {last}")


def is_mute(address: Address, seconds: float, give_up: Callable[[], bool]) -> bool:
    """Whether a guest's port takes a connection, and for so many seconds neither says a word nor ends it.

    Of a guest whose kernel runs, an SSH server says its name, and without one the kernel refuses. False where
    ``give_up`` says so before.
    """
    deadline = Deadline.after(seconds)
    try:
        with contextlib.closing(address.dial(address.port, seconds)) as raw:
            raw.settimeout(TICK)
            while not (deadline.expired or give_up()):
                with contextlib.suppress(TimeoutError):
                    raw.recv(1)
                    return False
    except OSError:
        return False
    return deadline.expired


def _shut(raw: socket.socket) -> None:
    with contextlib.suppress(OSError):
        raw.shutdown(socket.SHUT_RDWR)


def _opened(address: Address, raw: socket.socket, deadline: Deadline) -> Remote:
    seconds = max(1.0, deadline.remaining)
    connection = fabric.Connection(
        "127.0.0.1",
        user="root",
        port=address.port,
        config=fabric.Config(ssh_config=paramiko.SSHConfig(), lazy=True),  # nothing from this user's files
        connect_timeout=seconds,
        connect_kwargs={
            "sock": raw,
            "key_filename": str(address.identity),
            "allow_agent": False,
            "look_for_keys": False,
            "banner_timeout": seconds,
            "auth_timeout": seconds,
        },
    )
    kind, text = address.host_key.split()[:2]
    key = paramiko.Ed25519Key(data=base64.b64decode(text))
    connection.client.get_host_keys().add(f"[127.0.0.1]:{address.port}", kind, key)
    connection.client.set_missing_host_key_policy(paramiko.RejectPolicy())
    connection.open()
    connection.transport.set_keepalive(_KEEPALIVE)
    return Remote(connection, raw)
