"""One row an attack: what somebody brings, what the command must answer, and what it may cost.

Whatever the row, the answer is never a traceback, never a terminal's command, and its exit code says whose fault it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.hostile.campaign import MOST_MEMORY, Outcome, run
from tests.stage.cli.test_commands import Table


@dataclass(frozen=True)
class Attack:
    """``bring`` prepares it on a table; ``argv`` is what the user types then.

    ``code`` is the exit code, ``words`` must be in the output, ``verdict`` is that of the run (None: no run is judged).
    ``environment`` is added to that of the command. ``seconds`` and ``memory`` bound it as in ``campaign``.
    """

    name: str
    bring: Callable[[Table], object]
    argv: tuple[str, ...]
    code: int
    words: tuple[str, ...] = ()
    verdict: str | None = None
    environment: dict[str, str] = field(default_factory=dict)
    seconds: float = 240.0
    memory: int = MOST_MEMORY

    def __str__(self) -> str:
        return self.name


def strike(attack: Attack, table: Table) -> Outcome:
    """Let an attack happen, and hold the command to what its row says."""
    attack.bring(table)
    answer = answered(table, attack.argv, attack.environment)
    assert "Traceback" not in answer.output, answer.output
    assert not any(c < " " and c not in "\n\t" for c in answer.output), "a terminal would act upon this"
    assert answer.code == attack.code, answer.output
    for words in attack.words:
        assert words in answer.output, answer.output
    if attack.verdict is not None:
        assert table.result()["verdict"] == attack.verdict, answer.output
        assert table.result()["exit_code"] == attack.code
    assert answer.memory < attack.memory and answer.seconds < attack.seconds
    assert table.left_running() == []
    return answer


def answered(table: Table, argv: tuple[str, ...], environment: dict[str, str]) -> Outcome:
    """Type a command on a table."""
    return run(argv, table.folder, {**table.environment, **environment})
