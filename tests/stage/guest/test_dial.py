"""Sockets that come out of a cage: they reach who listens in there, and nobody out here is reached from there."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from orchestrator.guest import dial
from orchestrator.host import process
from orchestrator.host.cache import Cache
from orchestrator.host.process import Cage, sandbox

HOME = (Path(sys.base_prefix),)
SERVER = """
import socket
with socket.create_server(("127.0.0.1", 0)) as server:
    print(server.getsockname()[1], flush=True)
    while True:
        end, _ = server.accept()
        end.sendall(b"hello")
        end.close()
"""


@pytest.fixture(autouse=True)
def caged() -> None:
    if why := sandbox.obstacle():
        pytest.fail(f"no cage here: {why}")


def python(script: str) -> list[str]:
    return [str(Path(sys.executable).resolve()), "-ISc", script]


def test_each_socket_connects_once_to_a_port_that_is_not_of_this_host(tmp_path: Path) -> None:
    sender = dial.program(Cache(tmp_path))
    walls = Cage(readable=(*HOME, sender), user=sandbox.GUESTS)
    with (
        dial.link() as link,
        process.spawn(
            link.argv(sender, python(SERVER)), stdout=process.PIPE, cage=walls, descriptors=(link.inner.fileno(),)
        ) as child,
    ):
        link.inner.close()
        assert child.stdout
        port = int(child.stdout.readline())
        answers = []
        for _ in range(dial.COUNT):
            with link.dial(port, 60) as end:
                answers.append(end.recv(100))
        assert answers == [b"hello"] * dial.COUNT
        with pytest.raises(OSError, match="every connection to the guest was lost"):
            link.dial(port, 60)


def test_a_program_of_the_cage_reaches_nobody_of_this_host() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        script = f"import socket; socket.create_connection(('127.0.0.1', {port}), 20)"
        done = process.run(python(script), cage=Cage(readable=HOME, user=sandbox.GUESTS), check=False)
    assert "Connection refused" in done.stderr
