"""kill -9 at moments drawn by lot, over every command that works for long: what comes next is judged rightly.

A round changes the tree and the series, so that there is something to build, kills a command somewhere in it, and lets
a series follow that is innocent, or guilty: its verdict is its own. WPCI_KILLS is the number of rounds, WPCI_SEED what
they are drawn by; both are in the message of a failure.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.stage.cli.test_commands import Table

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(6 * 3600)]

KILLS = int(os.environ.get("WPCI_KILLS", "10"))
SEED = os.environ.get("WPCI_SEED", "16")
GONE = 60.0
"""Seconds in which the children of a killed command must be gone."""


def defined(name: str, text: str) -> str:
    """Return a text that ends up in the kernel, as no checker minds it."""
    return f'extern const char {name}[];\nconst char {name}[] = "{text}";\n'


class Ground(Table):
    """A table whose tree and series are others in each round. The branch ``story`` has a fault to bisect."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.edit("init/main.c", "/* marks */\n")
        self.begin = self.git("rev-parse", "HEAD")
        self.git("checkout", "-q", "-b", "story")
        for number in range(5):
            play = 'const char play_bad[] = "play: not-ok T01";\n' if number == 3 else ""
            self.edit("mm/swap.c", f"{play}int step{number};\n", f"toy: step {number}")
        self.git("checkout", "-q", "main")

    def edit(self, name: str, more: str, subject: str = "toy: a day's work") -> None:
        path = self.folder / "tree" / name
        path.write_text(path.read_text() + more)
        self.git("add", "-fu")
        self.commit(subject)

    def turn(self, number: int, *, guilty: bool) -> None:
        """Let a day go by, and another series come."""
        self.edit("mm/swap.c", f"int day{number};\n")
        self.another(number, guilty=guilty)

    def another(self, number: int, *, guilty: bool) -> None:
        """Let another series come."""
        bad = defined(f"play{number}", "play: not-ok T01") if guilty else ""
        self.series(
            ("mm/memory.c", "int fault", f"{bad}{defined(f'round{number}', 'play: needs T02 SEEN')}int fault"),
            ("init/main.c", "/* marks */", f"{defined(f'mark{number}', 'SEEN')}/* marks */"),
        )

    def end(self, argv: tuple[str, ...], after: float) -> None:
        """Type a command, and kill it ``after`` so many seconds; what it started must be gone soon."""
        with subprocess.Popen(
            self.argv(*argv), cwd=self.folder, env=self.environment, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        ) as child:  # fmt: skip
            time.sleep(after)
            child.send_signal(signal.SIGKILL)
        limit = time.monotonic() + GONE
        while self.left_running() and time.monotonic() < limit:
            time.sleep(0.1)
        assert self.left_running() == []


@dataclass(frozen=True)
class Command:
    """What is killed, and what must come of it when it is let be: an exit code, and words in its output."""

    name: str
    argv: Callable[[Ground], tuple[str, ...]]
    code: Callable[[bool], int]
    words: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.name


COMMANDS = (
    Command("run", lambda ground: ("run",), int),
    Command("validate", lambda ground: ("validate", "series"), int),
    Command("nightly", lambda ground: ("nightly", "--mode", "base"), lambda guilty: 0),
    Command(
        "bisect",
        lambda ground: ("bisect", "--tree", "tree", "--good", ground.begin, "--bad", "story", "--symptom", "T01"),
        lambda guilty: 0,
        ("conclusive: the first bad commit is", "toy: step 3"),
    ),
    Command("mutate", lambda ground: ("mutate", "--late", "none"), lambda guilty: 1, ("1 killed", "survived")),
)  # fmt: skip


def judged(ground: Ground, guilty: bool) -> None:
    """Let the series of this round run: its verdict is its own."""
    code, output = ground.type("run")
    assert code == int(guilty), output
    (series,) = ground.result()["series"]
    assert series["verdict"] == ("fail" if guilty else "pass"), output
    assert {t["test"]: (t["base"], t["patched"]) for t in series["transitions"]} == {
        "T01": ("pass", "fail" if guilty else "pass"), "T02": ("pass", "pass"),
    }  # fmt: skip


def completed(ground: Ground, command: Command, guilty: bool) -> float:
    """Let the command come to its end; return how long it took."""
    started = time.monotonic()
    code, output = ground.type(*command.argv(ground))
    assert code == command.code(guilty), output
    assert "Traceback" not in output
    for words in command.words:
        assert words in output, output
    if command.name == "nightly":
        assert " regressed" not in output and "flaky" not in output.replace("0 flaky", ""), output
    return time.monotonic() - started


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_what_comes_after_a_kill_is_judged_rightly(command: Command, tmp_path: Path) -> None:
    lot = random.Random(f"{SEED}{command.name}")
    ground = Ground(tmp_path)
    ground.turn(0, guilty=False)
    took = completed(ground, command, False)
    for number in range(1, max(1, KILLS // len(COMMANDS)) + 1):
        guilty, after = lot.random() < 0.4 and command.name != "mutate", lot.uniform(0, took)
        print(f"{command.name}: seed {SEED}, round {number}, killed after {after:.2f} s, guilty {guilty}", flush=True)
        ground.turn(number, guilty=guilty)
        ground.end(command.argv(ground), after)
        judged(ground, guilty)
        if lot.random() < 0.4:
            completed(ground, command, guilty)
    for path in (ground.folder / "results").glob("*/result.json"):
        json.loads(path.read_text())
