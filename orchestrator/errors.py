"""Faults, sorted by whose they are at the moment they are raised.

``PipelineError`` is the root; ``str()`` of it is one line, and ``log`` is the file with the detail.
A caller catches the root in one place only, ``JobRecord.run``, and turns it into a ``StageResult``.

- ``UserError``: the configuration, an option or a name is wrong. Say what to change. Exit code 2.
- ``InfraError``: the host, the network or a tool failed. Nothing is known about the kernel. Exit code 3.
- ``KernelError``: the tree or the series is broken: does not apply, build or boot. Exit code 1.

Failed tests and splats are data, never exceptions.
"""

from __future__ import annotations

import enum
from pathlib import Path

LONGEST = 2000
"""Characters of a fault's line: what others wrote is quoted in it, and may be of any length."""


class Exit(enum.IntEnum):
    """The exit codes of the command."""

    PASS = 0
    FAIL = 1
    USER = 2
    INFRA = 3
    SKIP = 4
    INTERRUPTED = 130


MEANINGS = {
    Exit.PASS: "pass",
    Exit.FAIL: "the kernel or a test failed",
    Exit.USER: "wrong usage",
    Exit.INFRA: "the host failed",
    Exit.SKIP: "nothing but skips",
    Exit.INTERRUPTED: "interrupted",
}
"""What an exit code says, in words."""


class PipelineError(Exception):
    """One fault: a line for people, and where the detail lies."""

    exit_code = Exit.INFRA

    def __init__(self, message: str, *, log: Path | None = None) -> None:
        super().__init__(_one_line(message))
        self.log = log


def _one_line(message: str) -> str:
    line = " ".join(message[: 4 * LONGEST].split())
    return line if len(line) <= LONGEST else line[: LONGEST - 2] + " …"


class Cancelled(Exception):
    """Nobody wants this work any more. No fault: no stage records it, and whoever began the work takes it."""


class UserError(PipelineError):
    """What was asked for is wrong."""

    exit_code = Exit.USER


class InfraError(PipelineError):
    """The host could not do its part."""

    exit_code = Exit.INFRA


class KernelError(PipelineError):
    """The kernel tree, or the series on top of it, is at fault."""

    exit_code = Exit.FAIL
