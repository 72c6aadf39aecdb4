"""The rows of tests beside a console: what cannot be written is the host's fault."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from orchestrator.errors import InfraError
from orchestrator.guest import command, protocol, window
from orchestrator.guest.plugin import trace


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("writer", ["keep", "keep_end"])
def test_a_full_disk_is_one_line(writer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "count", lambda folder: 3)
    monkeypatch.setattr(protocol, writer, full)
    with (
        pytest.raises(InfraError, match="No space left"),
        window.recorded(protocol.Row.of(["T01"]), tmp_path / "console.log"),
    ):
        pass


def test_a_file_for_output_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InfraError, match="cannot write"):
        command.opened(tmp_path / "none" / "output.txt")
