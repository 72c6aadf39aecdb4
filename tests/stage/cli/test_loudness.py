"""How much is said while a command works: all of it, what a person wants to know, or the verdict alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.stage.cli.test_commands import Table
from tests.stage.validate.test_run import ONE, plays

STAMP = re.compile(r"^ *\d+\.\ds ", re.M)
COMMANDS = [
    ("run",),
    ("validate", "series", "--skip", "sparse"),
    ("nightly", "--mode", "base"),
    ("mutate", "--budget", "0.5"),
    ("bisect", "--series", "series", "--symptom", "test:T02", "--runs", "1"),
]


@pytest.fixture
def table(tmp_path: Path) -> Table:
    table = Table(tmp_path)
    table.series(plays("not-ok T02"))
    return table


@pytest.mark.parametrize("command", COMMANDS)
def test_quiet_says_nothing_while_it_runs(table: Table, command: tuple[str, ...]) -> None:
    code, output = table.type(*command, "-q")
    assert code in (0, 1) and output and not STAMP.search(output) and "pipeline.yaml" not in output, output


@pytest.mark.parametrize("command", COMMANDS[:2])
def test_quiet_is_the_verdict_alone(table: Table, command: tuple[str, ...]) -> None:
    code, output = table.type(*command, "--quiet")
    assert code == 1 and re.fullmatch(r"verdict   FAIL   \(exit code 1, \d+ s\)\n", output), output


@pytest.mark.parametrize("command", COMMANDS)
def test_verbose_says_all(table: Table, command: tuple[str, ...]) -> None:
    code, output = table.type(*command, "-v")
    assert code in (0, 1) and STAMP.search(output), output
    begun = re.findall(r"^ *\d+\.\ds \S+: (?:source|build)$", output, re.M)
    assert begun or command[0] == "bisect", output  # a step of a bisect is one line


def test_a_stage_is_one_line_and_nothing_is_said_twice(table: Table) -> None:
    code, output = table.type("validate", "series", "--skip", "sparse")
    lines = [STAMP.sub("", line) for line in output.splitlines() if STAMP.match(line)]
    assert code == 1 and len(lines) == len(set(lines)), output
    assert sum(line.startswith("toy.small: source") for line in lines) == 1, output
    seconds = [float(line.partition("s ")[0]) for line in output.splitlines() if STAMP.match(line)]
    assert seconds == sorted(seconds), "the time since the beginning"


def test_what_is_optional_and_absent_is_said_once_a_run(table: Table) -> None:
    (table.folder / "small.config").write_text("CONFIG_64BIT=y\nCONFIG_SHMEM=y\nCONFIG_NOT_THERE=y # optional\n")
    table.series(ONE)
    _, output = table.type("run")
    assert output.count("NOT_THERE") == 1 and "it is optional" in output, output
