"""Commands and files over SSH: the only user of fabric.

A command is read from its channel directly, not with ``Connection.run``: that decodes what must stay bytes, and on a
dead guest it waits for an hour. ``cut`` ends whatever is under way, from any thread.
"""

from __future__ import annotations

import base64
import contextlib
import logging
import shlex
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fabric
import paramiko

from orchestrator.errors import InfraError
from orchestrator.host.process import Deadline

_KEEPALIVE = 5
_TICK = 0.1
_AFTER = 5.0
"""Seconds that an exit status may come after the end of the output."""
_TRUNCATED = "wpci: truncated"
_SESSION = "wpci: session "

logging.getLogger("paramiko").addHandler(logging.NullHandler())  # it prints a traceback for each guest that dies


class Lost(InfraError):
    """The connection is gone, or never came."""


@dataclass(frozen=True)
class Address:
    """Where a guest answers, the key that opens it, and the key by which it is known."""

    port: int
    identity: Path
    host_key: str


@dataclass(frozen=True)
class Ended:
    """How a command ended. ``exit_code`` is None where it was left; ``session`` is its session id in the guest."""

    exit_code: int | None
    truncated: bool
    session: int | None


def wrapped(command: str, cap: int) -> str:
    """Return the shell text that runs a command in a session of its own and lets ``cap`` bytes of output through.

    What is over the cap is read and dropped, so that the program goes on. Facts about the run go to stderr.
    """
    script = (
        f'echo "{_SESSION}$$" >&2; set -o pipefail; ( set +o pipefail; eval {shlex.quote(command)} ) 2>&1 </dev/null | '
        f"{{ dd bs=64k iflag=count_bytes count={cap} 2>/dev/null; "
        f'[ "$(wc -c)" -eq 0 ] || echo "{_TRUNCATED}" >&2; }}'
    )
    # The SSH server is safe from the out-of-memory killer, and a test must not inherit that.
    return f"echo 0 >/proc/self/oom_score_adj; exec setsid sh -c {shlex.quote(script)}"


def killing(session: int) -> str:
    """Return the shell text that kills every process of a session, whatever process groups they made."""
    return (
        "for p in /proc/[0-9]*; do read -r s <$p/stat && set -- ${s##*) } && "
        f'[ "$4" = {session} ] && kill -9 ${{p##*/}}; done 2>/dev/null; true'
    )


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

    def run(self, command: str, sink: Callable[[bytes], None], give_up: Callable[[], bool]) -> Ended:
        """Run shell text (see ``wrapped``), hand its output to ``sink`` as it comes, leave it when told to.

        Raises Lost.
        """
        with self._faults(), contextlib.closing(self._channel(command)) as channel:
            while not (left := give_up()):
                data = _receive(channel)
                if data == b"":
                    break
                if data:
                    sink(data)
            if not left:
                channel.status_event.wait(_AFTER)
            facts = _facts(channel)
            exited = not left and channel.exit_status_ready()
            if not left and (not exited or channel.exit_status < 0):
                raise Lost("the connection to the guest was lost")
            return Ended(channel.exit_status if exited else None, _TRUNCATED in facts, _session(facts))

    def _channel(self, command: str) -> Any:
        channel = self._connection.transport.open_session(timeout=_AFTER)
        channel.settimeout(_TICK)
        channel.exec_command(command)
        return channel

    def put(self, local: Path, remote: str, deadline: Deadline) -> None:
        """Copy a file into the guest. Raises Lost, and InfraError where the guest refuses it."""
        with self._faults(remote), self._cut_at(deadline):
            sftp = self._connection.sftp()
            sftp.put(str(local), remote)
            sftp.chmod(remote, local.stat().st_mode & 0o777)

    def get(self, remote: str, local: Path, deadline: Deadline) -> None:
        """Copy a file from the guest; it appears whole or not at all. Raises as ``put``."""
        part = local.with_name(f".{local.name}.part")
        try:
            with self._faults(remote), self._cut_at(deadline):
                self._connection.sftp().get(remote, str(part))
            part.replace(local)
        finally:
            part.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _cut_at(self, deadline: Deadline) -> Iterator[None]:
        timer = threading.Timer(deadline.remaining, self.cut)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

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


def connect(address: Address, give_up: Callable[[], bool], deadline: Deadline, cutters: Callable[..., None]) -> Remote:
    """Open a connection. ``cutters`` is called with the function that ends the attempt, from any thread.

    Raises Lost when ``give_up`` says so or time is up, InfraError where the guest is not the one we made.
    """
    last: object = "no answer"
    while not (give_up() or deadline.expired):
        try:
            raw = socket.create_connection(("127.0.0.1", address.port), timeout=deadline.remaining)
            cutters(lambda raw=raw: _shut(raw))
            return _opened(address, raw, deadline)
        except (paramiko.BadHostKeyException, paramiko.AuthenticationException) as error:
            raise InfraError(f"SSH: what answers on port {address.port} is not our guest: {error}") from error
        except (paramiko.SSHException, EOFError, OSError) as error:
            last = error or type(error).__name__
            threading.Event().wait(min(_TICK, deadline.remaining))
    raise Lost(f"SSH does not answer: {last}")


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


def _receive(channel: Any) -> bytes | None:
    """Return what came, nothing at the end of the output, None where nothing came for a moment."""
    try:
        return bytes(channel.recv(65536))
    except TimeoutError:
        return None


def _facts(channel: Any) -> str:
    text = b""
    while channel.recv_stderr_ready():
        text += channel.recv_stderr(65536)
    return text.decode(errors="replace")


def _session(facts: str) -> int | None:
    words = facts.partition(_SESSION)[2].split()
    return int(words[0]) if words and words[0].isdigit() else None
