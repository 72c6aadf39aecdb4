"""What is taken from a guest over SSH, which may be anybody: a file of any size it says, or does not say."""

from __future__ import annotations

import socket
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
