"""One row an attack: what somebody brings, what the command must answer, and what it may cost.

Whatever the row, the answer is never a traceback, never a terminal's command, and its exit code says whose fault it is.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.stage.cli.test_commands import Table

MEGABYTES = 600
"""Resident memory that no outside input may make the command take."""


@dataclass(frozen=True)
class Attack:
    """``bring`` prepares it on a table; ``argv`` is what the user types then.

    ``code`` is the exit code, ``words`` must be in the output, ``verdict`` is that of the run (None: no run is judged).
    ``environment`` is added to that of the command. Its time is bounded generously, for machines are slow.
    """

    name: str
    bring: Callable[[Table], object]
    argv: tuple[str, ...]
    code: int
    words: tuple[str, ...] = ()
    verdict: str | None = None
    environment: dict[str, str] = field(default_factory=dict)
    seconds: float = 120.0
    megabytes: int = MEGABYTES

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Answer:
    """What a command did: exit code, output and error in one text, peak memory of itself alone."""

    code: int
    output: str
    megabytes: float


def strike(attack: Attack, table: Table) -> Answer:
    """Let an attack happen, and hold the command to what its row says."""
    attack.bring(table)
    answer = answered(table, attack.argv, attack.environment, attack.seconds)
    assert "Traceback" not in answer.output, answer.output
    assert not any(c < " " and c not in "\n\t" for c in answer.output), "a terminal would act upon this"
    assert answer.code == attack.code, answer.output
    for words in attack.words:
        assert words in answer.output, answer.output
    if attack.verdict is not None:
        assert table.result()["verdict"] == attack.verdict, answer.output
        assert table.result()["exit_code"] == attack.code
    assert answer.megabytes < attack.megabytes
    assert table.left_running() == []
    return answer


def answered(table: Table, argv: tuple[str, ...], environment: dict[str, str], seconds: float) -> Answer:
    """Type a command on a table; it is killed, with the test, when its time is over."""
    with tempfile.TemporaryFile() as out:
        child = subprocess.Popen(
            table.argv(*argv), cwd=table.folder, env={**table.environment, **environment}, stdin=subprocess.DEVNULL,
            stdout=out, stderr=subprocess.STDOUT,
        )  # fmt: skip
        timer = threading.Timer(seconds, child.kill)
        timer.start()
        try:
            _, status, usage = os.wait4(child.pid, 0)
        finally:
            timer.cancel()
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        text = out.read().decode(errors="replace")
    return Answer(child.returncode, text, usage.ru_maxrss / 1024)
