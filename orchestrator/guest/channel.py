"""A command in a guest, while it runs at the other end of an SSH channel.

The channel is read directly, not with ``Connection.run``: that decodes what must stay bytes, and on a dead guest it
waits for an hour.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from orchestrator.errors import InfraError
from orchestrator.guest import protocol

TICK = 0.1
"""Seconds between two looks at a channel that is silent."""
_MOST_FACTS = 4096
"""Bytes of standard error that are read: what a command's wrapper says of it is short."""


class Lost(InfraError):
    """The connection is gone, or never came."""


@dataclass(frozen=True)
class Ended:
    """How a command ended. ``exit_code`` is None where it was left; ``session`` is its session id in the guest."""

    exit_code: int | None
    truncated: bool
    session: int | None


LEFT = Ended(None, False, None)
"""A command that was left before anything was known of it."""


def follow(channel: Any, sink: Callable[[bytes], None], give_up: Callable[[], bool], given: bytes) -> Ended:
    """Hand the output of a command to ``sink`` as it comes, and it its input, until it ends or ``give_up`` says so.

    Raises Lost.
    """
    facts = _Facts(channel)
    given = _give(channel, given)
    while not (left := give_up()):
        given = _give(channel, given) if given else given
        facts.read()
        data = _receive(channel)
        if data == b"":
            break
        if data:
            sink(data)
    while not (left or channel.status_event.wait(TICK)):
        left = give_up()
    facts.read()
    exited = not left and channel.exit_status_ready()
    if not left and (not exited or channel.exit_status < 0):
        raise Lost("the connection to the guest was lost")
    code = channel.exit_status if exited else None
    return Ended(code, protocol.TRUNCATED in facts.text, protocol.session(facts.text))


def _receive(channel: Any) -> bytes | None:
    """Return what came, nothing at the end of the output, None where nothing came for a moment."""
    try:
        return bytes(channel.recv(65536))
    except TimeoutError:
        return None


def _give(channel: Any, data: bytes) -> bytes:
    """Write what the command takes of its input now; return the rest, and end the input where there is none."""
    try:
        if data and channel.send_ready():
            data = data[channel.send(data) :]
    except OSError:
        if not channel.closed:
            raise
        data = b""  # a command that is quick has ended, and took none of it
    if not data:
        channel.shutdown_write()
    return data


class _Facts:
    """What a command's wrapper printed on standard error so far."""

    def __init__(self, channel: Any) -> None:
        self._channel = channel
        self._data = b""

    def read(self) -> None:
        """Take what there is; more than it can have to say is dropped."""
        while self._channel.recv_stderr_ready():
            self._data = (self._data + self._channel.recv_stderr(65536))[:_MOST_FACTS]

    @property
    def text(self) -> str:
        return self._data.decode(errors="replace")
