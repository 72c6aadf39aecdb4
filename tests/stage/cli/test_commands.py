"""The commands that the documentation shows and no other test runs, as a user types them: on the fake kernel tree."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orchestrator.guest import qemu
from tests.stage.pipeline.test_run import GOOD, Bench

GUEST = "guest:"
PROJECT = Path(__file__).parents[3]


class Table(Bench):
    """A bench whose guests come up, and on which any command can be typed."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.configure(GUEST)

    def type(self, *argv: str, given: str = "") -> tuple[int, str]:
        """Type a command; return its exit code and what it printed."""
        return self.call(self.argv(*argv), given)

    def call(self, argv: list[str], given: str = "") -> tuple[int, str]:
        done = subprocess.run(
            argv, cwd=self.folder, env=self.environment, text=True, check=False, input=given,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        return done.returncode, done.stdout

    def tests(self, side: str) -> list[str]:
        job = next(job for job in self.result()["jobs"] if job["side"] == side)
        return [test["name"] for suite in job["suites"] for test in suite["tests"]]

    def script(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)


def refused(table: Table, argv: tuple[str, ...], message: str) -> None:
    """Type a command that is wrong usage: one line of these words, and no traceback."""
    code, output = table.type(*argv)
    assert code == 2 and message in " ".join(output.split()) and "Traceback" not in output, output


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return Table(tmp_path)


def test_a_folder_of_patches_on_ones_own_tree(table: Table) -> None:
    table.series(*GOOD)
    shutil.copytree(table.folder / "series", table.folder / "outgoing")
    code, output = table.type("run", "--tree", "tree", "--series", "outgoing")
    assert code == 0 and table.tests("patched") == ["T01", "T02"], output


def test_a_plain_diff_some_tests_and_a_variant(table: Table) -> None:
    table.series(GOOD[0])
    mail = next((table.folder / "series").iterdir()).read_text()
    (table.folder / "fix.diff").write_text(mail[mail.index("diff --git") :].partition("\n-- \n")[0] + "\n")
    code, output = table.type("run", "--series", "fix.diff", "--test", "T*1", "--variant", "small")
    assert code == 0 and table.tests("patched") == table.tests("base") == ["T01"], output


KSELFTEST = """\
  kselftest-mm:
    kind: tree
    directory: selftests/mm
    or_directories: [selftests/vm]
    absent: skip
    make: [all]
    programs: [{name: old, run: ./old.sh}, {name: new, run: ./new}]
"""


def test_the_selftests_of_the_tree_under_test(table: Table) -> None:
    folder = table.folder / "tree" / "selftests" / "vm"
    folder.mkdir(parents=True)
    (folder / "Makefile").write_text("all:\n\tcp old.sh $(OUTPUT)/old.sh\n")
    (folder / "old.sh").write_text("#!/bin/sh\n")
    (folder / "old.sh").chmod(0o755)
    table.git("add", "-fA")
    table.git("commit", "-qm", "toy: selftests")
    table.series(GOOD[0])
    pipeline = table.folder / "pipeline.yaml"
    pipeline.write_text(pipeline.read_text().replace("suites:\n", f"suites:\n{KSELFTEST}", 1))
    code, output = table.type("run", "--suite", "kselftest-mm")
    assert code == 0 and table.tests("patched") == table.tests("base") == ["new", "old"], output
    (job,) = [job for job in table.result()["jobs"] if job["side"] == "patched"]
    skipped = {t["name"]: t["reason"] for suite in job["suites"] for t in suite["tests"] if t["status"] == "skip"}
    assert skipped == {"new": "this tree has no new"}


def test_a_series_from_standard_input(table: Table) -> None:
    table.series(*GOOD)
    mbox = "".join(
        f"From {'0' * 40} Mon Sep 17 00:00:00 2001\n{path.read_text().partition(chr(10))[2]}"
        for path in sorted((table.folder / "series").iterdir())
    )
    code, output = table.type("run", "--tree", "tree", "--series", "-", given=mbox)
    assert code == 0, output
    patched = next(job for job in table.result()["jobs"] if job["side"] == "patched")
    assert patched["products"]["tree"]["patches"] == ["toy: edit 1", "toy: edit 2"]


def test_a_mode_with_a_variant_a_suite_and_a_test_of_ones_choice(table: Table) -> None:
    table.series(GOOD[0])
    code, output = table.type("run", "--mode", "smoke", "--variant", "small", "--suite", "own", "--test", "T02")
    assert code == 0 and table.tests("patched") == ["T02"], output
    assert "QEMU runs with all rights of this user: " in output and "none of the system's programs" in output, output


def come(port: int) -> None:
    """Come as gdb does, once QEMU waits for it."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.1)


def test_a_run_is_gone_back_to_with_a_shell_gdb_and_its_script(table: Table) -> None:
    table.series(GOOD[0])
    code, output = table.type("run")
    assert code == 0, output
    real = shutil.which("ssh")
    table.script("bin/ssh", f"exec {real} \"$@\" 'echo someone was here >/dev/kmsg'")
    code, output = table.type("shell", "--run", "last", "--side", "patched")
    assert code == 0 and "toy.three.small: the tests are under /tests" in output, output
    with ThreadPoolExecutor() as gdb:
        gdb.submit(come, qemu.Debugger().port)
        code, output = table.type("boot", "--run", "last", "--side", "patched", "--gdb")
    assert code == 0 and "waiting for: gdb" in output and "Linux version 5.10.0-fake" in output, output
    (script,) = (table.folder / "results" / "last" / "jobs").glob("toy.three.small/reproduce.sh")
    code, output = table.call([str(script), "T01"])
    assert code == 0 and "ok 1 T01" in output and "T02" not in output, output
    assert table.left_running() == []
    result = script.with_name("result.json")
    result.write_text(result.read_text().replace('"arch": "x86_64"', '"arch": "vax"'))
    code, output = table.type("boot", "--run", "last", "--side", "patched")
    assert code == 2 and "architecture vax: not one of x86_64" in output, output


def test_what_a_run_would_do_is_what_it_does(table: Table) -> None:
    table.series(GOOD[0])
    code, output = table.type("list")
    assert code == 0 and "mode smoke: 2 jobs" in output, output
    code, output = table.type("list", "--json")
    planned = [job["name"] for job in json.loads(output)]
    table.type("run")
    assert planned == [job["name"] for job in table.result()["jobs"]]


def test_a_list_of_tests_says_what_each_is_about(table: Table) -> None:
    text = '/* A page is there. It stays. */\nstatic void one(void)\n{\n}\nCASE("T01", one);\n'
    (table.folder / "programs" / "one.c").write_text(text)
    table.series(GOOD[0])
    code, output = table.type("list", "--tests")
    assert code == 0 and output.splitlines()[-3:] == ["own: 2 tests", "  T01  A page is there. (one.c:2)", "  T02  "], (
        output
    )
    code, output = table.type("list", "--tests", "--json", "--test", "T01")
    assert code == 0 and [test["name"] for test in json.loads(output)] == ["T01"], output
    code, output = table.type("list", "--tests", "--test", "T9")
    assert code == 2 and "no test matches 'T9'" in output, output


def test_saved_files_are_read_as_in_the_run(table: Table) -> None:
    path = table.folder / "tree" / "mm" / "memory.c"
    plays = ("not-ok T02", "splat T01 BUG: Bad page map in process x")
    path.write_text(path.read_text() + "".join(f'const char p{len(p)}[] = "play: {p}";\n' for p in plays))
    table.git("commit", "-qam", "toy: a bad day")
    assert table.type("run", "--mode", "base")[0] == 1
    job = table.folder / "results" / "last" / "jobs" / "toy.small"
    (output,) = (job / "own").glob("*.ktap")
    code, said = table.type("parse", str(output))
    assert code == 1 and said.splitlines() == ["pass     T01", "fail     T02"], said
    code, said = table.type("scan", str(job / "boot-1" / "console.log"))
    assert code == 1 and "Bad page map" in said and "[T01]" in said, said


def test_the_machine_is_looked_over(table: Table) -> None:
    code, output = table.type("doctor", "--json")
    lacks = [found for found in json.loads(output) if found["needed"] and not found["ok"]]
    assert code == (3 if lacks else 0)
    assert table.type("doctor")[0] == code
    assert table.type("doctor", "--config", "nowhere.yaml")[0] == 2
    for tool in ("dnf", "pacman", "apt-get"):
        table.script(f"bin/{tool}", f"echo {tool} was called")
    code, output = table.type("doctor", "--fix")
    assert code == 0 and ("no package lacks" in output or "was called" in output or os.geteuid()), output


def test_the_manual_is_made_from_the_help(table: Table) -> None:
    code, output = table.type("--man")
    assert code == 0 and output.startswith(".TH WPCI 1"), output
    for shown in ('.SS "wpci bundle', '.B "\\-\\-stop\\-at\\-first"', ".SH EXIT STATUS"):
        assert shown in output, shown
    assert "hunks" not in output and not [line for line in output.splitlines() if line.startswith("'")]
    if shutil.which("groff"):
        done = subprocess.run(
            ["groff", "-man", "-Tutf8", "-ww"], input=output, text=True, capture_output=True, check=True
        )
        assert not done.stderr and "wpci validate" in re.sub(".\b", "", done.stdout), done.stderr


def test_the_schema_is_one_for_editors(table: Table) -> None:
    code, output = table.type("schema")
    assert code == 0 and {"trees", "variants", "modes"} <= json.loads(output)["properties"].keys()


@pytest.fixture
def made(table: Table) -> Table:
    """The Makefile of the project over a set-up that is done, with tests of its own."""
    shutil.copy(PROJECT / "Makefile", table.folder)
    for name in ("pyproject.toml", "constraints.txt", ".venv/.ready"):
        (table.folder / name).parent.mkdir(exist_ok=True)
        (table.folder / name).touch()
    table.script("bin/dpkg-query", "echo ok installed")
    table.script(".venv/bin/python", f'exec {sys.executable} "$@"')
    table.script(".venv/bin/wpci", f'exec {sys.executable} -m orchestrator.cli "$@"')
    for tool in ("ruff", "mypy"):
        table.script(f".venv/bin/{tool}", f'echo "{tool} $*" >>called')
    return table


def test_make_run_is_the_run(made: Table) -> None:
    made.series(GOOD[0])
    code, output = made.call(["make", "run", "ARGS=--test T01"])
    assert code == 0 and made.tests("patched") == ["T01"], output


def test_make_doctor_says_what_this_machine_lacks(made: Table) -> None:
    code, output = made.call(["make", "doctor"])
    assert code in {0, 3} and "GiB free at" in output, output


def a_test(made: Table, name: str, text: str) -> None:
    path = made.folder / "tests" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"def test_it():\n    {text}\n")


def test_make_check_is_lint_types_and_the_unit_ring(made: Table) -> None:
    a_test(made, "unit/test_one.py", "pass")
    a_test(made, "stage/test_two.py", "assert False")
    code, output = made.call(["make", "check"])
    assert code == 0 and "1 passed" in output, output
    assert [line.split()[0] for line in (made.folder / "called").read_text().splitlines()] == ["ruff", "ruff", "mypy"]


def test_make_test_is_red_where_any_test_is(made: Table) -> None:
    a_test(made, "unit/test_one.py", "pass")
    code, output = made.call(["make", "test"])
    assert code == 0 and "1 passed" in output, output
    assert [line.split()[0] for line in (made.folder / "called").read_text().splitlines()] == ["ruff", "ruff", "mypy"]
    a_test(made, "boot/test_two.py", "assert False")
    code, output = made.call(["make", "test"])
    assert code != 0 and "1 failed, 1 passed" in output, output


@pytest.mark.nightly
def test_make_test_nightly_runs_what_make_test_leaves_out(made: Table) -> None:
    marked = "import pytest\npytestmark = pytest.mark.nightly\n"
    a_test(made, "unit/test_one.py", "assert False")
    a_test(made, "unit/test_two.py", "pass")
    path = made.folder / "tests" / "unit" / "test_two.py"
    path.write_text(marked + path.read_text())
    code, output = made.call(["make", "test-nightly"])
    assert code == 0 and "1 passed" in output, output
    path.write_text(path.read_text().replace("pass", "assert False"))
    code, output = made.call(["make", "test-nightly"])
    assert code != 0 and "1 failed" in output, output


def test_make_test_kvm_runs_that_ring_alone(made: Table) -> None:
    a_test(made, "unit/test_one.py", "assert False")
    a_test(made, "kvm/test_two.py", "pass")
    code, output = made.call(["make", "test-kvm"])
    assert code == 0 and "1 passed" in output, output


def test_make_test_slurm_runs_that_ring_alone(made: Table) -> None:
    a_test(made, "unit/test_one.py", "assert False")
    a_test(made, "slurm/test_two.py", "pass")
    code, output = made.call(["make", "test-slurm"])
    assert code == 0 and "1 passed" in output, output
