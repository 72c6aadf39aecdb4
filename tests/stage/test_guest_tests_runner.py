"""The runner of the guest tests: every way a case can end has its line, and what a case leaves is taken away."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orchestrator.host import process

REPOSITORY = Path(__file__).parents[2]
GUEST_TESTS = REPOSITORY / "guest-tests"
CASES = REPOSITORY / "tests" / "stage" / "ktap" / "cases.c"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runner with the cases of ``ktap/cases.c``."""
    path = tmp_path_factory.mktemp("ktap") / "cases"
    flags = ["-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-pthread", f"-I{GUEST_TESTS / 'lib'}"]
    process.run(["gcc", *flags, CASES, GUEST_TESTS / "lib" / "ktap.c", "-o", path])
    return path


def _run(program: Path, *options: str, watchdog: float = 20, file: Path | None = None) -> process.Completed:
    env = process.minimal_environment({"KTAP_FILE": str(file)} if file else None)
    return process.run([program, "-t", str(watchdog), *options], env=env, check=False)


def _line(output: str, case: str) -> str:
    return next(line for line in output.splitlines() if re.search(rf"^(not )?ok \d+ {re.escape(case)}( |$)", line))


@pytest.mark.parametrize(
    ("case", "line"),
    [
        ("A01_passes", "ok 1 A01_passes"),
        ("A02_expects", "not ok 1 A02_expects"),
        ("A03_requires", "not ok 1 A03_requires"),
        ("A05_not-offered", "ok 1 A05_not-offered # SKIP CONFIG_NOTHING: not there"),
        ("A06_crashes", "not ok 1 A06_crashes # killed by signal 11 (Segmentation fault)"),
        ("A07_ends-early", "not ok 1 A07_ends-early # the case ended early, exit status 0"),
        ("A08_checks-nothing", "not ok 1 A08_checks-nothing # ERROR the case checked nothing"),
        ("A09_hangs", "not ok 1 A09_hangs # TIMEOUT"),
        ("A10_child-fails", "not ok 1 A10_child-fails"),
        ("A11_thread-skips", "ok 1 A11_thread-skips # SKIP CONFIG_THREAD: not there"),
        ("A12_leaves-a-child", "ok 1 A12_leaves-a-child"),
        ("B01_on-backing.good", "ok 1 B01_on-backing.good"),
        ("B01_on-backing.bad", "not ok 1 B01_on-backing.bad"),
    ],
)
def test_each_ending_has_its_line(program: Path, case: str, line: str) -> None:
    ended = _run(program, "-r", case, watchdog=1 if "hangs" in case else 20)
    assert _line(ended.stdout, case) == line
    assert ended.stdout.startswith("KTAP version 1\n1..1\n")
    assert ended.returncode == int(line.startswith("not"))


def test_a_set_up_that_fails_is_an_error_with_its_place_and_errno(program: Path) -> None:
    line = _line(_run(program, "-r", "A04*").stdout, "A04_cannot-set-up")
    assert re.search(r"^not ok 1 A04_cannot-set-up # ERROR .*cases\.c:\d+: .*No such file or directory$", line)


def test_a_failed_check_says_where_and_what(program: Path) -> None:
    output = _run(program, "-r", "A02*").stdout
    assert re.search(r"^# .*cases\.c:\d+: 1 is 1 \(0x1\), not 2 \(0x2\)$", output, re.M)
    assert "# it goes on\n" in output


def test_require_stops_the_case(program: Path) -> None:
    assert "not reached" not in _run(program, "-r", "A03*").stdout


@pytest.mark.parametrize("case", ["A13_fails-then-skips", "A16_fails-then-errs"])
def test_what_comes_later_does_not_hide_a_failure_and_is_not_its_reason(program: Path, case: str) -> None:
    """A kill is confirmed by the reason: the failed check, whatever cannot be set up behind it."""
    assert _line(_run(program, "-r", case).stdout, case) == f"not ok 1 {case}"


def test_a_hang_shows_where_its_tasks_sleep(program: Path) -> None:
    output = _run(program, "-r", "A09*", watchdog=1).stdout
    assert re.search(r"^#   \d+ stat: \d+ \(cases\) S$", output, re.M)
    assert re.search(r"^#   \d+ syscall: ", output, re.M)


def test_the_worst_of_several_runs_is_the_result(program: Path) -> None:
    ended = _run(program, "-n", "3", "-r", "A14*")
    assert _line(ended.stdout, "A14_fails-once") == "not ok 1 A14_fails-once"
    assert "# 1 of 3 runs failed\n" in ended.stdout
    assert _run(program, "-n", "3", "-s", "7", "-r", "A14*").returncode == 0


def test_a_changed_file_is_put_back_though_the_case_died(program: Path, tmp_path: Path) -> None:
    file = tmp_path / "setting"
    file.write_text("old")
    ended = _run(program, "-r", "A15*", file=file)
    assert "killed by signal 9" in ended.stdout
    assert file.read_text() == "old"


def test_a_time_budget_comes_on_top_of_the_watchdog(program: Path) -> None:
    assert _run(program, "-b", "4", "-r", "R01*", watchdog=3).returncode == 0


def test_it_stops_after_the_first_case_that_fails_if_told_to(program: Path) -> None:
    picks = [word for case in ("A01_passes", "A02_expects", "A05_not-offered", "B01_on-backing.good")
             for word in ("-r", case)]  # fmt: skip
    ended = _run(program, "-x", *picks)
    assert re.findall(r"^(?:not )?ok \d+ (\S+)", ended.stdout, re.M) == ["A01_passes", "A02_expects"]
    assert "1..4" in ended.stdout and ended.returncode == 1


def test_one_case_in_trouble_does_not_touch_the_others(program: Path, tmp_path: Path) -> None:
    ended = _run(program, "-b", "0.1", watchdog=3, file=tmp_path / "none")
    ids = process.run([program, "-l"]).stdout.split()
    assert re.findall(r"^(?:not )?ok \d+ (\S+)", ended.stdout, re.M) == ids == sorted(ids)
    assert f"1..{len(ids)}\n" in ended.stdout
    assert len(re.findall(r"^# begin: ", ended.stdout, re.M)) == len(ids)
    assert len(re.findall(r"^# seconds: \d+\.\d{3}$", ended.stdout, re.M)) == len(ids)


def test_a_pattern_that_picks_nothing_is_wrong_usage(program: Path) -> None:
    ended = _run(program, "-r", "A01*", "-r", "Q*")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "no such case: Q*" in ended.stderr


def test_make_leaves_the_programs_and_nothing_else(tmp_path: Path) -> None:
    process.run(["make", "-C", GUEST_TESTS, f"O={tmp_path / 'out'}", "GROUPS=copy"])
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["uffd-copy"]
    assert "C10_copy-ro-anon" in process.run([tmp_path / "out" / "uffd-copy", "-l"]).stdout.split()
