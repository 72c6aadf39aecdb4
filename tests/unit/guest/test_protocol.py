"""Who may open and close the window of a test, and what is read of what a guest says."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.guest import protocol
from orchestrator.guest.protocol import Row, Windows

ROW = Row(("a" * 12, "b" * 12, "c" * 12, "d" * 12), ("A01", "A02"))


def test_words_open_and_close_the_windows_of_their_tests() -> None:
    windows = Windows([ROW])
    assert windows.take(f"wpci: {'a' * 12} begin A01") and windows.last == "A01"
    assert windows.take(f"login: wpci: {'b' * 12} end A01") and windows.last is None
    assert windows.take(f"# wpci: {'c' * 12} begin A02") and windows.last == "A02"
    assert (windows.ended, windows.forged) == ({"A01"}, 0)


@pytest.mark.parametrize(
    "line",
    [
        "wpci: end A01",
        "wpci: begin A02",
        f"wpci: {'a' * 12} end A01",
        f"wpci: {'a' * 12} begin A01",
        f"wpci: {'b' * 12} end A02x",
        f"wpci: {'b' * 12} begin A01",
        f"wpci: {'0' * 12} end A01",
    ],
)
def test_a_marker_that_is_none_of_ours_changes_nothing_and_is_counted(line: str) -> None:
    windows = Windows([ROW])
    windows.take(f"wpci: {'a' * 12} begin A01")
    assert windows.take(line) and (windows.last, windows.ended, windows.forged) == ("A01", set(), 1)


def test_words_that_were_passed_over_are_used_up() -> None:
    windows = Windows([ROW])
    windows.take(f"wpci: {'c' * 12} begin A02")
    windows.take(f"wpci: {'b' * 12} end A01")
    assert windows.last == "A02" and not windows.ended


def test_a_task_that_is_named_like_a_marker_hides_no_line_of_the_kernel() -> None:
    for windows in (Windows([ROW]), Windows()):
        assert not windows.take("INFO: task wpci: end A01:99 blocked for more than 120 seconds.")
        assert windows.forged == 0


def test_on_a_console_from_elsewhere_markers_without_words_are_believed() -> None:
    windows = Windows()
    for line in ("wpci: begin A01", "login: wpci: end A01", f"wpci: {'f' * 12} begin A02"):
        assert windows.take(line)
    assert (windows.last, windows.ended) == ("A02", {"A01"})


@given(st.lists(st.sampled_from(["begin", "end"]), max_size=300))
def test_windows_that_are_never_closed_take_no_more_room(words: list[str]) -> None:
    windows = Windows()
    for number, word in enumerate(words):
        windows.take(f"wpci: {word} T{number}")
    assert len(windows.names) <= protocol.MOST_OPEN


def test_rows_are_kept_beside_the_console(tmp_path: Path) -> None:
    console = tmp_path / "console.log"
    assert protocol.rows(console) is None
    row = Row.of(["A01", "A02"])
    protocol.keep(row, console)
    protocol.keep(ROW, console)
    assert protocol.rows(console) == (row, ROW)
    assert len(set(row.words)) == 4 and row.text.split() == [word.encode() for word in row.words]


@pytest.mark.parametrize(
    ("facts", "number"),
    [
        ("wpci: session 99\n", 99),
        ("noise\nwpci: session 7\nwpci: truncated\n", 7),
        ("wpci: session ²\n", None),
        ("wpci: session " + "9" * 5000 + "\n", None),
        ("wpci: session -1\n", None),
        ("wpci: session 99", None),
        ("", None),
    ],
)
def test_a_session_is_a_number(facts: str, number: int | None) -> None:
    assert protocol.session(facts) == number


@pytest.mark.parametrize("notes", ["zz", "abc", "", "ab cd", "é", "ab" * 70_000])
def test_notes_that_are_no_hexadecimal_are_none(notes: str) -> None:
    assert protocol.identified(f"5.10.0\n{notes}\n") is None


def test_what_runs_is_a_release_and_its_notes() -> None:
    assert protocol.identified("5.10.0\n00ff\n") == ("5.10.0", b"\x00\xff")
    assert protocol.identified("\x1b[31m5.10\n00ff\n") is None


def test_a_line_of_the_rows_that_was_cut_short_was_never_given_out(tmp_path: Path) -> None:
    """Who writes it is killed, or the disk is full: wherever that happens, what stands before it counts."""
    console, row = tmp_path / "console.log", Row.of(["A01"])
    protocol.keep(row, console, 3)
    protocol.keep_end(console, 5)
    place = console.with_name(protocol.ROWS)
    whole = place.read_bytes()
    protocol.keep(ROW, console, 5)
    text = place.read_bytes()
    for cut in range(len(whole), len(text)):
        place.write_bytes(text[:cut])
        assert protocol.rows(console) == (row,)
        assert protocol.spans(console) == ((3, 5),)
    place.write_bytes(whole + b"\0\xff\n")
    assert protocol.rows(console) == (row,)


@pytest.fixture(params=["busybox", "bash"])
def tools(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder with the tools of a guest, and this as its shell."""
    shell, busybox = shutil.which(request.param), shutil.which("busybox")
    if not (shell and busybox):
        pytest.skip("busybox and bash are needed")
    for name in ("setsid", "dd", "wc", "sleep", "seq", "kill", "cat"):
        (tmp_path / name).symlink_to(busybox)
    (tmp_path / "sh").symlink_to(shell)
    return tmp_path


def run_wrapped(tools: Path, command: str, cap: int = 1 << 20, given: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command as in a guest. Whatever it leaves in its session is killed where the wrapper does not end."""
    shell = subprocess.Popen(
        ["sh", "-c", protocol.wrapped(command, cap)],
        env={"PATH": str(tools)},
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        output, facts = shell.communicate(given, timeout=30)
    except subprocess.TimeoutExpired:
        subprocess.run(["sh", "-c", protocol.killing(shell.pid)], env={"PATH": str(tools)}, check=True)
        raise
    return subprocess.CompletedProcess(command, shell.returncode, output, facts)


@pytest.mark.parametrize(
    "command",
    [
        "sleep 600 & echo here; exit 7",
        "sh -c 'sh -c \"sleep 600 & sleep 600\" & echo here; exit 7'",
        "echo here; exec sh -c 'sleep 600 & exit 7' 4>/dev/null 5>/dev/null",
        "(trap '' TERM HUP PIPE; while :; do sleep 1; done) & echo here; exit 7",
        "sh -c 'echo \"a\nb\" >/proc/self/comm; while :; do sleep 1; done' & echo here; exit 7",
    ],
)
def test_a_program_ends_with_its_own_code_though_its_children_stay(tools: Path, command: str) -> None:
    run = run_wrapped(tools, command)
    assert (run.returncode, run.stdout) == (7, "here\n")
    session = protocol.session(run.stderr)
    assert run.stderr.splitlines()[0] == f"{protocol.SESSION}{session}"


@pytest.mark.parametrize(("first", "truncated"), [("true", False), ("seq 1000", True)])
def test_a_daemon_with_a_session_of_its_own_does_not_keep_its_program_from_its_end(
    tools: Path, tmp_path: Path, first: str, truncated: bool
) -> None:
    (tmp_path / "daemon").write_text("echo $$ >$1\nexec sleep 600\n")
    try:
        run = run_wrapped(tools, f"setsid sh {tmp_path}/daemon {tmp_path}/pid & {first}; exit 7", cap=1000)
    finally:
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
    assert (run.returncode, protocol.TRUNCATED in run.stderr) == (7, truncated)
    assert run.stdout == "".join(f"{number}\n" for number in range(1, 1001) if truncated)[:1000]


def test_what_a_child_prints_soon_after_its_program_counts(tools: Path) -> None:
    run = run_wrapped(tools, "echo first; seq 30000 & exit 3")
    assert run.returncode == 3
    assert run.stdout.split() == ["first", *map(str, range(1, 30001))]


def test_what_does_not_hold_the_output_is_left_alone(tools: Path) -> None:
    run = run_wrapped(tools, "sleep 600 >/dev/null 2>&1 & echo $!")
    child = int(run.stdout)
    assert run.returncode == 0
    os.kill(child, 0)
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)


@pytest.mark.parametrize(
    ("command", "code", "output", "truncated"),
    [
        ("true", 0, "", False),
        ("false | true", 0, "", False),
        ("echo a; echo b >&2; exit 4", 4, "a\nb\n", False),
        ("seq 1000; exit 5", 5, "1\n2\n3\n4\n5\n", True),
        ("kill -9 $(sh -c 'echo $PPID')", 137, "", False),
        ("cat <&3; cat", 0, "row\n", False),
        ("for n in 4 5 6; do [ -e /proc/self/fd/$n ] && echo $n; done; true", 0, "", False),
    ],
)
def test_a_command_ends_with_its_code_and_the_output_that_the_cap_lets_through(
    tools: Path, command: str, code: int, output: str, truncated: bool
) -> None:
    run = run_wrapped(tools, command, cap=10, given="row\n")
    assert (run.returncode, run.stdout, protocol.TRUNCATED in run.stderr) == (code, output, truncated)
