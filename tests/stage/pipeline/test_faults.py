"""What a run must stand, stage by stage: interrupted, killed, out of disk, and what guests do in the middle of a suite.

After each: the right exit code, one line that says what happened, nothing left running; and the next run is good.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.host import cache
from orchestrator.host.cache import Cache
from orchestrator.progress import SILENT
from tests.stage.pipeline.test_run import GOOD, Bench, wait_for

pytestmark = pytest.mark.nightly

GUEST = "guest:"
QUICK = "limits: {silence: 15s, shutdown: 5s, tcg_scale: 1}\n"


class Held(Bench):
    """A bench whose tools stop at a wanted command and say so, until they are let go."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.configure(GUEST)
        for tool in ("git", "make", "dropbearkey", "cp"):
            real = shutil.which(tool)
            assert real
            path = self.folder / "bin" / tool
            path.write_text(
                f"""#!/bin/sh
hold=$(cat {self.held} 2>/dev/null) || exec {real} "$@"
case "{tool} $*" in $hold) exec tail -f {self.held} ;; esac
exec {real} "$@"
"""
            )
            path.chmod(0o755)

    @property
    def held(self) -> Path:
        """What is held, beside the tools: these are all that is seen in a cage, where nothing can be written."""
        return self.folder / "bin" / "hold"

    def hold(self, pattern: str) -> None:
        self.held.write_text(pattern)

    def wait_until_held(self) -> None:
        """Wait until a tool stands still."""
        end = time.monotonic() + 600
        while not any(f"tail -f {self.held}" in text for text in self.left_running()):
            assert time.monotonic() < end, "no tool stands still"
            time.sleep(0.05)

    def let_go(self) -> None:
        self.held.unlink(missing_ok=True)
        self.configure(GUEST)

    def play(self, words: str) -> None:
        """Make the kernel of the tree do something in its guest."""
        path = self.folder / "tree" / "mm" / "swap.c"
        path.write_text(path.read_text() + f'const char play[] = "play: {words}";\n')
        self.git("add", "-fu")
        self.commit(f"toy: {words}")

    def statuses(self) -> dict[str, str]:
        (job,) = self.result()["jobs"]
        return {t["name"]: t["status"] for suite in job["suites"] for t in suite["tests"]}

    def all_gone(self) -> bool:
        """Wait for the children of a killed run: the kernel ends them a moment later."""
        end = time.monotonic() + 60
        while self.left_running() and time.monotonic() < end:
            time.sleep(0.02)
        return not self.left_running()


@pytest.fixture
def bench(tmp_path: Path) -> Held:
    return Held(tmp_path)


MIDDLES = {
    "source": "cp -R *objects*",
    "series": "git * am *",
    "checkout": "git * checkout *",
    "build": "make *vmlinux*",
    "programs": "make *programs*",
    "rootfs": "dropbearkey *",
}


@pytest.mark.parametrize(
    ("where", "number"),
    [
        *((where, signal.SIGINT) for where in (*MIDDLES, "boot", "suite")),
        *((where, signal.SIGKILL) for where in ("checkout", "boot", "suite")),
    ],
)
def test_a_run_that_is_ended_in_any_stage_leaves_nothing_and_the_next_one_is_good(
    bench: Held, where: str, number: signal.Signals
) -> None:
    options = ["--mode", "base"]
    if where == "series":
        bench.series(*GOOD)
        options = []
    sign = ""
    if where in MIDDLES:
        bench.hold(MIDDLES[where])
    elif where == "boot":
        bench.configure("line:Linux+version+5.10,hang:")
        sign = "results/*/jobs/*/boot-1/console.log"
    else:
        bench.play("silent T01")
        sign = "results/*/jobs/*/own/*.ktap"
    with bench.start(*options) as child:
        wait_for(bench.folder, sign) if sign else bench.wait_until_held()
        child.send_signal(number)
        output, _ = child.communicate()
    assert bench.all_gone(), bench.left_running()
    if number is signal.SIGINT:
        assert child.returncode == 130, output
        assert output.strip().splitlines()[-1].startswith("wpci: interrupted;")
    bench.let_go()
    if where == "suite":
        bench.git("reset", "-q", "--hard", "HEAD~1")
    code, output = bench.run(*options)
    assert code == 0, output
    assert not list((bench.folder / "cache").rglob(".git.*")), "what was half made is gone"


@contextlib.contextmanager
def full(folder: Path, size: str = "16k") -> Iterator[None]:
    """Make a folder one on a disk that is full."""
    folder.mkdir(parents=True, exist_ok=True)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=False).returncode:
        pytest.skip("only root can mount a small file system to fill")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize(
    ("folder", "size", "stage"),
    [
        ("cache/sources", "16k", "source"),
        ("cache/work", "16k", "build"),
        ("cache/kernels", "16k", "build"),
        ("cache/programs", "4k", "rootfs"),
        ("cache/rootfs", "16k", "rootfs"),
    ],
)
def test_a_full_disk_is_the_hosts_fault_in_each_stage_and_nothing_half_written_is_believed(
    bench: Held, folder: str, size: str, stage: str
) -> None:
    with full(bench.folder / folder, size):
        code, output = bench.run("--mode", "base")
        assert code == 3, output
        assert "Traceback" not in output
        (job,) = bench.result()["jobs"]
        last = job["stages"][-1]
        assert (last["stage"], last["verdict"]) == (stage, "infra")
        assert "No space left on device" in last["message"], last
    assert bench.left_running() == []
    code, output = bench.run("--mode", "base")
    assert code == 0, output


def test_a_disk_that_fills_up_while_results_are_written_is_said_in_one_line(bench: Held) -> None:
    bench.run("--mode", "base")
    for size in ("16k", "64k", "256k", "512k"):
        with full(bench.folder / "small", size):
            code, output = bench.run("--mode", "base", "--results", "small")
        assert code == 3, (size, output)
        assert "No space left" in output and "Traceback" not in output, (size, output)
    assert bench.left_running() == []


def test_ssh_that_dies_in_a_suite_costs_one_test_and_is_not_the_kernels_fault(bench: Held) -> None:
    bench.configure(GUEST, QUICK)
    bench.play("deaf T01")
    code, output = bench.run("--mode", "base")
    assert code == 3, output
    assert bench.statuses() == {"T01": "error", "T02": "pass"}
    assert "(during T01)" in bench.reason()
    assert bench.left_running() == []


def test_a_qemu_that_is_killed_in_a_suite_costs_one_test_and_is_not_the_kernels_fault(bench: Held) -> None:
    bench.play("killed T01")
    code, output = bench.run("--mode", "base")
    assert code == 3, output
    assert bench.statuses() == {"T01": "error", "T02": "pass"}
    assert "killed by signal 9 (during T01)" in bench.reason()


def test_a_panic_in_a_suite_costs_one_test_and_is_the_kernels_fault(bench: Held) -> None:
    bench.play("dies T01 Fatal exception")
    code, output = bench.run("--mode", "base")
    assert code == 1, output
    assert bench.statuses() == {"T01": "crashed", "T02": "pass"}
    assert "Kernel panic" in bench.reason() and "during T01" in bench.reason()


@pytest.mark.parametrize("play", ["silent T01", "frozen T01"])
def test_a_guest_or_ssh_server_that_goes_silent_in_a_suite_costs_one_test(bench: Held, play: str) -> None:
    """The second takes a connection, and answers no request in it any more."""
    bench.configure(GUEST, QUICK)
    bench.play(play)
    code, output = bench.run("--mode", "base")
    assert code == 1, output
    assert bench.statuses() == {"T01": "timeout", "T02": "pass"}
    assert bench.left_running() == []


def test_an_ssh_server_that_is_slow_to_open_a_channel_costs_nothing(bench: Held) -> None:
    bench.configure(GUEST, QUICK)
    bench.play("slow 3")
    code, output = bench.run("--mode", "base")
    assert code == 0, output
    assert bench.statuses() == {"T01": "pass", "T02": "pass"}


def test_clean_leaves_a_run_alone_and_cleans_after_it(bench: Held) -> None:
    bench.play("silent T01")

    def clean() -> tuple[int, str]:
        done = subprocess.run(
            bench.argv("clean"), cwd=bench.folder, env=bench.environment, capture_output=True, text=True, check=False
        )
        return done.returncode, (done.stdout + done.stderr).strip()

    with bench.start("--mode", "base") as child:
        wait_for(bench.folder, "results/*/jobs/*/own/*.ktap")
        code, line = clean()
        assert (code, len(line.splitlines())) == (3, 1), line
        assert "in use by a run" in line and "nothing was removed" in line
        assert list((bench.folder / "cache" / "kernels").glob("*/kernel.json"))
        child.send_signal(signal.SIGINT)
        child.communicate()
    code, line = clean()
    assert (code, list((bench.folder / "cache").glob("kernels"))) == (0, []), line
    with Cache(bench.folder / "cache").in_use(SILENT):
        assert clean()[0] == 3
    assert cache.LOCKS in {path.name for path in (bench.folder / "cache").iterdir()}
