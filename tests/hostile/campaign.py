"""What every attack is measured by: its verdict, its exit code, and what it cost."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
MOST_MEMORY = 600
"""MiB that a command may take, whatever it is given."""


@dataclass(frozen=True)
class Attack:
    """One row: what must come of an input, or of a fault.

    ``name`` says what is done, ``code`` is the exit code and ``verdict`` that of the run, where there is one. ``says``
    must stand in what the command prints, or in its result. ``seconds`` (of processors) and ``memory`` (MiB) bound it.
    """

    name: str
    code: int
    verdict: str = ""
    says: str = ""
    seconds: float = 60.0
    memory: int = MOST_MEMORY

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Outcome:
    """How a command went.

    ``seconds`` are those of processors, its children's among them: what runs beside it does not lengthen them.
    ``memory`` is the most that it, or a child of it, held, in MiB.
    """

    code: int
    output: str
    seconds: float
    memory: float


def run(argv: Sequence[str], cwd: Path, env: Mapping[str, str] | None = None) -> Outcome:
    """Run `wpci` with arguments as a user does."""
    command = [sys.executable, "-m", "orchestrator.cli", *argv]
    with tempfile.TemporaryFile() as output:
        path = {"PYTHONPATH": str(ROOT)}
        child = subprocess.Popen(command, cwd=cwd, env={**(env or os.environ), **path}, stdout=output, stderr=output)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read(2**20).decode(errors="replace")
    return Outcome(child.returncode, text, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def check(attack: Attack, outcome: Outcome, result: str = "") -> None:
    """Check what came of an attack; ``result`` is the text of the run's result.json."""
    assert "Traceback" not in outcome.output, outcome.output[-3000:]
    assert outcome.code == attack.code, outcome.output[-3000:]
    assert attack.says in outcome.output + result, outcome.output[-3000:]
    assert "\x1b" not in outcome.output and "\0" not in outcome.output
    assert outcome.memory <= attack.memory, f"{outcome.memory:.0f} MiB"
    assert outcome.seconds <= attack.seconds, f"{outcome.seconds:.0f} s"
