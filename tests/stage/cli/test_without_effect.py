"""An option that would change nothing is refused in one line: whoever types it expects that it does something."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stage.cli.test_commands import Table, refused
from tests.stage.cli.test_own_tree import Desk
from tests.stage.pipeline.test_run import GOOD

ANYWHERE = [
    (("run", "--timeout", "5m"), "--timeout: only with --program"),
    (("mutate", "--endless", "--program-args", "x"), "--program-args, --endless: only with --program"),
    (("run", "--base", "HEAD"), "--base HEAD: name your kernel tree with --tree"),
    (("run", "--mode", "base", "--3way"), "--3way: mode base applies no series"),
    (("run", "--mode", "base", "--at", "1"), "--at 1: mode base applies no series"),
    (
        ("run", "--tree", "tree", "--base", "HEAD", "--series", "series", "--dirty"),
        "--dirty: a range names its commits",
    ),
    (("run", "--tree", "away", "--dirty"), "--dirty: the tree away is no folder with changes of yours"),
    (("validate", "series", "--patchwork-id", "1"), "--patchwork-id: validation: notify: names no patchwork"),
    (("validate", "series", "--commit", "a" * 40), "--commit: validation: notify: names no github"),
    (("bisect", "there", "--good", "a", "--bad", "b", "-s", "boot"), "run: only with --continue"),
    (("bisect", "--continue", "--runs", "3", "--no-ahead"), "--runs, --ahead: a bisect goes on as it began"),
    (("history", "--job", "toy.small"), "--job: only of one test"),
    (("inspect", "--live", "--guest", "boot-1"), "--guest: only of a guest that died"),
    (("boot", "--run", "last", "--variant", "small"), "--variant: only of a tree as it stands"),
    (("shell", "--run", "last", "--dirty", "--suite", "own"), "--suite, --dirty: only of a tree as it stands"),
    (("clean", "--config", "pipeline.yaml"), "--config: only with --old"),
    (("doctor", "--fix", "--json"), "--json: not with --fix"),
]
IN_A_TREE = [
    (("boot", "--side", "base"), "--side: only with --run"),
    (("shell", "--job", "toy.small"), "--job: only with --run"),
    (("boot", "--gdb", "--test", "T01"), "--gdb, --test: only with --run"),
]


OF_A_PROGRAM = ("--program-args", "-v", "--timeout", "60s", "--expect-splat", "BUG*", "--endless")


def shown(value: object) -> str:
    return " ".join(value) if isinstance(value, tuple) else "refused"


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    table = Table(tmp_path_factory.mktemp("table"))
    table.series(*GOOD)
    path = table.folder / "pipeline.yaml"
    away = "  away: {source: {provider: git, url: https://127.0.0.1:9/away.git, ref: main}}\n"
    path.write_text(path.read_text().replace("series:\n", f"{away}series:\n", 1))
    return table


@pytest.mark.parametrize(("argv", "message"), ANYWHERE, ids=shown)
def test_an_option_without_effect_is_refused(table: Table, argv: tuple[str, ...], message: str) -> None:
    refused(table, argv, message)


@pytest.mark.parametrize("command", [("run",), ("bisect",), ("validate", "series"), ("mutate",), ("hunks",)], ids=shown)
def test_what_is_said_of_a_program_goes_with_one(table: Table, command: tuple[str, ...]) -> None:
    refused(
        table, (*command, *OF_A_PROGRAM), "--program-args, --timeout, --expect-splat, --endless: only with --program"
    )


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return Desk(tmp_path_factory.mktemp("desk"))


@pytest.mark.parametrize(("argv", "message"), IN_A_TREE)
def test_what_an_earlier_run_has_is_refused_of_a_tree(desk: Desk, argv: tuple[str, ...], message: str) -> None:
    refused(desk, argv, message)


def test_uncommitted_changes_of_a_named_tree_are_taken_along(tmp_path: Path) -> None:
    table = Table(tmp_path)
    table.series(*GOOD)
    path = table.folder / "tree" / "mm" / "swap.c"
    path.write_text(path.read_text() + "/* not committed */\n")
    for named in ((), ("--tree", "toy")):
        code, output = table.type("run", "--mode", "base", *named)
        assert code == 2 and "--dirty" in output, output
        code, output = table.type("run", "--mode", "base", "--dirty", *named)
        assert code == 0 and "uncommitted changes" in str(table.result()), output
