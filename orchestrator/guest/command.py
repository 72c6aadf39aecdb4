"""How a command in a guest went, and what it printed."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from orchestrator.errors import InfraError
from orchestrator.host.process import Deadline

CAP = 4 * 2**20
"""Bytes of a command's output that are kept unless something else is asked for."""


def opened(path: Path) -> IO[bytes]:
    """Open a file for the output of a command. Raises InfraError."""
    try:
        return path.open("wb", buffering=0)
    except OSError as error:
        raise InfraError(f"cannot write {path}: {error.strerror}") from error


@dataclass(frozen=True)
class CommandResult:
    """How a command in the guest went.

    ``exit_code`` is None where the command did not end; ``why`` then says in words what happened, and ``hung`` that
    the guest did not answer any more. ``truncated``: the output was over its cap, and the rest was dropped there.
    """

    exit_code: int | None
    stdout: str
    truncated: bool
    seconds: float
    why: str = ""
    hung: bool = False


@dataclass(frozen=True)
class Patience:
    """How long a command is waited for: up to a moment, and so many seconds without a line of it or of the console."""

    deadline: Deadline
    silence: float


@dataclass
class Output:
    """What a command printed so far, ``cap`` bytes at most, also in a file if there is one.

    The guest holds the output to its cap (see ``protocol.wrapped``): what sends more is not that guest any more.
    """

    cap: int
    file: Any = None
    over: bool = False
    data: bytearray = field(default_factory=bytearray)
    grew: float = field(default_factory=time.monotonic)

    def take(self, data: bytes) -> None:
        """Take more of it; what is over the cap is dropped."""
        self.over = self.over or len(self.data) + len(data) > self.cap
        data = data[: self.cap - len(self.data)]
        self.data += data
        self.grew = time.monotonic()
        if self.file:
            try:
                self.file.write(data)
            except OSError as error:
                raise InfraError(f"cannot write {self.file.name}: {error.strerror}") from error
