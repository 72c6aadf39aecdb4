"""How we reach the SSH of a guest whose QEMU has a network of its own: by sockets that were made in there.

A socket belongs to the network that it was made in, and not to the process that connects it. A few are made in QEMU's
cage before QEMU begins, and are sent to us (unix(7), SCM_RIGHTS). No process stays there, and nothing is relayed.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import InfraError
from orchestrator.host import compiled
from orchestrator.host.cache import Cache
from orchestrator.host.process import FOREVER

COUNT = 32
"""Sockets of one guest: one for each try to connect to it, and most are reached by the first."""

Dial = Callable[[int, float], socket.socket]
"""Connects to a loopback port within so many seconds. Raises OSError."""

_SOURCE = Path(__file__).with_name("sockets.c")


def program(cache: Cache) -> Path:
    """Return the program that makes sockets where it runs, and sends them. Raises InfraError."""
    return compiled.built(_SOURCE, "sockets", ["-O2"], cache, FOREVER)


def of_this_host(port: int, seconds: float) -> socket.socket:
    """Connect to a loopback port of this host. Raises OSError."""
    return socket.create_connection(("127.0.0.1", port), timeout=seconds)


@dataclass(frozen=True)
class Link:
    """Two ends, over which sockets come out of a cage: ``inner`` is for the program in there alone."""

    outer: socket.socket
    inner: socket.socket

    def argv(self, sender: Path, command: Sequence[str]) -> list[str]:
        """Return a command that sends the sockets first; it must inherit the inner end."""
        return [str(sender), str(self.inner.fileno()), str(COUNT), *command]

    def dial(self, port: int, seconds: float) -> socket.socket:
        """Connect the next socket to a port. Raises OSError, also where there is none left.

        All were sent before the command of ``argv`` began; what runs around the cage holds the other end open.
        """
        try:
            _, descriptors, _, _ = socket.recv_fds(self.outer, 1, 1)
            end = socket.socket(fileno=descriptors[0])
        except (BlockingIOError, IndexError) as error:
            raise OSError("every connection to the guest was lost") from error
        try:
            end.settimeout(seconds)
            end.connect(("127.0.0.1", port))
        except OSError:
            end.close()
            raise
        return end


@contextlib.contextmanager
def link() -> Iterator[Link]:
    """Make both ends; what was not taken of the sockets is gone after the block. Raises InfraError."""
    try:
        outer, inner = socket.socketpair()
    except OSError as error:
        raise InfraError(f"no socket can be made: {error.strerror}") from error
    outer.setblocking(False)  # recv_fds of Python 3.11 does not look at its flags
    with outer, inner:
        yield Link(outer, inner)
