"""Tests are shown as they end, and not when their program does."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.stage.cli.test_commands import Table
from tests.stage.validate.test_run import plays


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return Table(tmp_path)


def test_a_test_is_shown_while_the_next_one_runs(table: Table) -> None:
    table.series(plays("holds T02 go-on"))
    with subprocess.Popen(
        table.argv("run", "-v"), cwd=table.folder, env=table.environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as child:  # fmt: skip
        assert child.stdout
        seen = []
        for line in child.stdout:
            seen.append(line)
            if "own: ok 1 T01" in line and sum("own: ok 1 T01" in one for one in seen) == 2:
                assert not any("patched" in one and "2 pass" in one for one in seen)
                (table.folder / "cache" / "work" / "go-on").touch()
    output = "".join(seen)
    assert child.returncode == 0, output
    assert output.count("own: ok 2 T02") == 2 and "tests of own" not in output, output


def test_a_run_says_how_long_its_tests_took_the_last_time(table: Table) -> None:
    table.series(plays("nothing"))
    _, output = table.type("run")
    assert "the last time" not in output, output
    base, patched = (table.folder / "cache" / "durations").glob("*.json")
    for kept in (base, patched):
        kept.write_text('{"T01": 2.0, "T02": 40}')
    _, output = table.type("run")
    assert "own: 2 tests, which took 42 s the last time" in output, output
