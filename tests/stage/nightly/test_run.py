"""wpci nightly as a user runs it: nights over a fake kernel tree, guests that do what their kernel says."""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from orchestrator.history import database, read
from orchestrator.history.values import Run
from tests.stage.pipeline.test_run import Bench, wait_for

PIPELINE = """
default_mode: full
trees:
  toy: {{source: {{provider: path, path: tree}}}}
variants:
  small:
    fragments: [small.config]
    machine: {{cpus: 1, memory: 64M, cmdline: ["fake=guest:"]}}
    accel: tcg
  other:
    fragments: [other.config]
    machine: {{cpus: 1, memory: 64M, cmdline: ["fake={other}"]}}
    accel: tcg
suites:
  own: {{directory: programs}}
modes:
  full: {{trees: [toy], variants: [small, other], suites: [own]}}
nightly: {{guests: 2}}
"""
GUEST = "guest:"
HANG = "line:Linux+version+5.10,hang:"


class Nights(Bench):
    """A tree that grows by day, and its nights."""

    def __post_init__(self) -> None:
        super().__post_init__()
        (self.folder / "other.config").write_text("CONFIG_64BIT=y\nCONFIG_SHMEM=y\n")
        self.variants(GUEST)

    def variants(self, other: str) -> None:
        """Let the guests of the variant ``other`` do this."""
        (self.folder / "pipeline.yaml").write_text(PIPELINE.format(other=other))

    def day(self, *plays: str) -> None:
        """Commit what the kernel tells its guest; only the variant ``small`` has this file in its kernel."""
        path = self.folder / "tree" / "mm" / "swap.c"
        text = path.read_text()
        for play in plays:
            text += f'const char play{len(text)}[] = "play: {play}";\n'
        path.write_text(f"{text}int day{len(text)};\n")
        self.git("add", "-fu")
        self.commit("toy: a day's work")

    def night(self, *options: str) -> tuple[int, str]:
        with self.begin(*options) as child:
            output, _ = child.communicate()
        return child.returncode, output

    def begin(self, *options: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.argv("nightly", *options), cwd=self.folder, env=self.environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def night_with(self, patch: str, *options: str) -> tuple[int, str]:
        """Return what becomes of a night in a process that was patched so."""
        program = f"import sys\n{patch}\nsys.argv = ['wpci', 'nightly', *sys.argv[1:]]\n"
        program += "from orchestrator.cli import main\nmain.main()\n"
        done = subprocess.run(
            [sys.executable, "-c", program, *options], cwd=self.folder, env=self.environment, text=True, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        return done.returncode, done.stdout

    @property
    def last(self) -> Path:
        return (self.folder / "results" / "last").resolve()

    def runs(self) -> tuple[Run, ...]:
        return read.runs(database.open_(database.place(None, self.folder / "results")))

    def listed(self) -> str:
        """Return what ``wpci history`` says of one night."""
        argv = self.argv("history")
        done = subprocess.run(argv, cwd=self.folder, env=self.environment, text=True, capture_output=True, check=True)
        (line,) = done.stdout.splitlines()
        return line

    def job(self, name: str) -> dict[str, Any]:
        return next(job for job in self.result()["jobs"] if job["name"] == name)


@pytest.fixture
def bench(tmp_path: Path) -> Nights:
    return Nights(tmp_path)


def told(output: str) -> list[str]:
    """Return what a night said of tests, with single blanks."""
    words = ("regressed", "fixed", "flaky", "missing", "persistent", "new")
    return [" ".join(line.split()) for line in output.splitlines() if line.startswith(words)]


def test_a_night_is_compared_with_the_last_and_what_differs_runs_once_more(bench: Nights) -> None:
    code, output = bench.night()
    assert code == 0, output
    assert "guests: 2 at a time, as asked for" in output
    assert "against the nights before: 10 new" in output  # of two variants: two tests; it applies, builds, boots
    bench.day("not-ok T01", "flaky T02 10")
    code, output = bench.night()
    assert code == 1, output
    assert told(output) == [
        "regressed own/T01 pass → fail in toy.small",
        "flaky own/T02 pass → fail (1 of 3 tries broken, rate 6% to 79%) in toy.small",
    ]
    assert (bench.last / "night.txt").read_text() in output
    (suite,) = bench.job("toy.small")["suites"]
    assert suite["retried"] == [["T01", ["fail"]], ["T02", ["fail"]]]
    assert [test["status"] for test in suite["tests"]] == ["fail", "pass"]
    assert [(seen["test"], seen["tries"]) for seen in bench.job("toy.small")["alone"]] == [("T01", ["fail"] * 3)]
    code, output = bench.night()
    assert code == 1 and "persistent own/T01 fail → fail in toy.small" in told(output), output
    bench.git("revert", "-n", "HEAD")
    bench.commit("toy: take it back")
    code, output = bench.night()
    assert code == 0 and "fixed own/T01 fail → pass in toy.small" in told(output), output
    assert [run.complete for run in bench.runs()] == [True] * 4


@pytest.mark.nightly
def test_a_terminal_shows_how_many_jobs_have_ended_and_when_the_rest_will_have(bench: Nights) -> None:
    bench.night()
    line = shlex.join(bench.argv("nightly", "--guests", "1"))  # so that one ends long before the other
    environment = {**bench.environment, "TERM": "xterm", "COLUMNS": "140"}
    done = subprocess.run(
        ["script", "-qec", line, "/dev/null"], cwd=bench.folder, env=environment, text=True, check=False,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    shown = [words for words in re.split(r"[\r\n]", done.stdout) if "jobs of the night" in words]
    assert any("0 of 2" in words for words in shown), done.stdout
    assert any("1 of 2, about" in words for words in shown), done.stdout


@pytest.mark.nightly
def test_a_night_of_some_tests_misses_none_of_the_others(bench: Nights) -> None:
    bench.night("--variant", "small")
    code, output = bench.night("--variant", "small", "--test", "T01")
    assert code == 0 and told(output) == [] and "other tests were asked for than in run" in output, output
    code, output = bench.night("--variant", "small")
    assert code == 0 and "against the nights before: 5 steady" in output, output


@pytest.mark.nightly
def test_a_crash_is_run_once_more_and_not_called_flaky(bench: Nights) -> None:
    bench.night()
    bench.day("dies T01 BUG")
    code, output = bench.night()
    assert code == 1, output
    assert "regressed own/T01 pass → crashed in toy.small" in told(output)
    (suite,) = bench.job("toy.small")["suites"]
    assert suite["retried"] == [["T01", ["crashed"]]]
    splats = [line for line in output.splitlines() if line.startswith("new        splat")]
    assert len(splats) == 1 and "Kernel panic" in splats[0]


@pytest.mark.nightly
@pytest.mark.parametrize("wanted", ["any", "fail"])
def test_a_test_that_gets_worse_as_it_is_expected_to_is_no_finding(bench: Nights, wanted: str) -> None:
    """Nor is it bisected: it may do that."""
    bench.night("--variant", "small")
    (bench.folder / "expected.yaml").write_text(f"columns: [stock]\ntests: {{T01: {{stock: {wanted}}}}}\n")
    path = bench.folder / "pipeline.yaml"
    text = path.read_text().replace("directory: programs", "directory: programs, expected: expected.yaml")
    path.write_text(text.replace("path: tree}", "path: tree}, expect: stock"))
    bench.day("not-ok T01", "not-ok T02")
    code, output = bench.night("--variant", "small", "--bisect")
    assert told(output) == ["regressed own/T02 pass → fail in toy.small"]
    assert "note: worse than it was, as expected: own/T01 in toy.small" in output
    assert code == 1 and "toy.small own/T01" not in output
    assert "1 tests regressed since the last night: see night.txt" in bench.result()["notes"]


def test_a_kernel_that_does_not_build_is_one_finding(bench: Nights) -> None:
    bench.night()
    path = bench.folder / "tree" / "mm" / "swap.c"
    path.write_text(path.read_text() + "this does not compile\n")
    bench.git("add", "-fu")
    bench.commit("toy: broken")
    code, output = bench.night()
    assert code == 1, output
    assert told(output) == ["regressed stage/build pass → fail in toy.small"]


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_night_that_is_cut_short_keeps_what_it_has_and_says_so(bench: Nights, number: signal.Signals) -> None:
    bench.variants(HANG)
    with bench.begin() as child:
        wait_for(bench.folder, "results/*/jobs/toy.other/boot-1/console.log")
        wait_for(bench.folder, "results/*/jobs/toy.small/job-junit.xml")
        child.send_signal(number)
        output, _ = child.communicate()
    assert child.returncode == 130, output
    assert bench.left_running() == []
    result = bench.result()
    assert (result["missing"], result["exit_code"], result["verdict"]) == (["toy.other"], 130, "infra")
    assert [job["name"] for job in result["jobs"]] == ["toy.small"]
    (run,) = bench.runs()
    assert run.missing == ("toy.other",) and run.exit_code == 130
    bench.variants(GUEST)
    code, output = bench.night()
    assert code == 0, output
    said = f"the last night, {run.id}, is incomplete: 1 of its jobs did not run: toy.other"
    assert said in " ".join(output.split()) and said in bench.result()["notes"]


def test_a_night_that_was_cut_short_goes_on_with_the_job_whose_guest_had_begun(bench: Nights) -> None:
    bench.variants(HANG)
    with bench.begin() as child:
        wait_for(bench.folder, "results/*/jobs/toy.other/boot-1/console.log")
        wait_for(bench.folder, "results/*/jobs/toy.small/job-junit.xml")
        child.send_signal(signal.SIGINT)
        child.communicate()
    bench.variants(GUEST)
    code, output = bench.night("--continue")
    assert code == 0 and "is incomplete" not in output, output
    assert bench.result()["missing"] == [] and len(bench.runs()) == 1


TERMINATED = """
import os, signal
from orchestrator.history import night
night.compare = lambda *_: os.kill(os.getpid(), signal.SIGTERM)
"""


def test_a_night_that_ends_before_it_was_compared_is_incomplete(bench: Nights) -> None:
    bench.night("--variant", "small")
    bench.day("not-ok T01")
    code, output = bench.night_with(TERMINATED, "--variant", "small")
    assert code == 130, output
    result = bench.result()
    assert result["exit_code"] == 130 and result["missing"] == []
    assert "did not come to its end: the comparison with the nights before" in result["notes"]
    code, output = bench.night("--variant", "small", "--continue")
    assert code == 1 and "regressed own/T01 pass → fail in toy.small" in told(output), output
    assert len(bench.runs()) == 2 and not any("did not come" in note for note in bench.result()["notes"])


def test_a_night_that_is_killed_is_known_to_be_incomplete_and_one_at_work_is_not(bench: Nights) -> None:
    bench.variants(HANG)
    with bench.begin() as child:
        wait_for(bench.folder, "results/*/jobs/toy.other/boot-1/console.log")
        wait_for(bench.folder, "results/*/jobs/toy.small/job-junit.xml")
        at_work = bench.listed()
        child.kill()
        child.communicate()
    assert re.search(r"  full  at work  \d+ s, 1 jobs to come$", at_work), at_work
    assert bench.runs()[0].missing
    assert re.search(r"  full  INFRA  \d+ s, incomplete: 1 jobs did not run$", bench.listed()), bench.listed()
    bench.variants(GUEST)
    code, output = bench.night()
    assert code == 0 and "is incomplete" in output, output


def test_a_second_night_at_once_says_so_in_one_line(bench: Nights) -> None:
    bench.variants(HANG)
    with bench.begin() as first:
        wait_for(bench.folder, "results/*/jobs/toy.other/boot-1/console.log")
        code, output = bench.night()
        first.terminate()
        first.communicate()
    assert code == 3 and output.endswith("\nwpci: another nightly is at work; this one does not begin\n"), output
    assert output.count("\n") == 2, "the pipeline file, and why nothing began"
    assert len(list((bench.folder / "results").glob("*/result.json"))) == 2  # that of the first, and 'last'


def test_a_job_that_asks_for_what_is_not_there_does_not_stop_the_others(bench: Nights) -> None:
    (bench.folder / "other.config").write_text("CONFIG_NO_SUCH_SYMBOL=y\n")
    code, output = bench.night()
    assert code == 3, output
    result = bench.result()
    assert result["missing"] == ["toy.other"] and [job["verdict"] for job in result["jobs"]] == ["pass"]
    assert any("NO_SUCH_SYMBOL" in note for note in result["notes"])


def test_values_for_scripts(bench: Nights) -> None:
    code, output = bench.night("--json", "--variant", "small")
    assert code == 0, output
    night = json.loads(output[output.index("{") :])
    assert [finding["change"] for finding in night["comparison"]["findings"]] == ["new"] * 5


@pytest.mark.nightly
def test_old_artifacts_go_and_results_stay(bench: Nights) -> None:
    bench.night()
    first = bench.last
    text = (bench.folder / "pipeline.yaml").read_text()
    (bench.folder / "pipeline.yaml").write_text(text.replace("guests: 2", "guests: 2, keep: {size: 1M}"))
    next(first.glob("jobs/*/boot-1")).joinpath("large").write_bytes(bytes(2 * 2**20))
    code, output = bench.night()
    assert code == 0 and "artifacts of 1 earlier runs removed" in output, output
    left = {path.name for path in first.rglob("*") if path.is_file()}
    of_the_run = {"result.json", "junit.xml", "summary.md", "report.html", "night.txt"}
    assert left == of_the_run | {"job-junit.xml", "reproduce.sh", "config"}
    assert list(bench.last.glob("jobs/*/boot-1/console.log"))


FULL = """
from orchestrator.engine import local
from orchestrator.errors import InfraError
def run(*_):
    raise InfraError("No space left on device")
local.LocalEngine.run = run
"""


def test_old_artifacts_go_before_a_night_writes_anything(bench: Nights) -> None:
    """Where the disk is full, no night comes to its end."""
    bench.night("--variant", "small")
    first = bench.last
    text = (bench.folder / "pipeline.yaml").read_text()
    (bench.folder / "pipeline.yaml").write_text(text.replace("guests: 2", "guests: 2, keep: {size: 1M}"))
    next(first.glob("jobs/*/boot-1")).joinpath("large").write_bytes(bytes(2 * 2**20))
    code, output = bench.night_with(FULL, "--variant", "small")
    assert code == 3 and "artifacts of 1 earlier runs removed" in output, output
    assert not list(first.glob("jobs/*/boot-1"))


def test_a_regression_is_bisected_of_itself(bench: Nights) -> None:
    bench.night("--variant", "small")
    bench.day()
    bench.day("not-ok T01")
    culprit = bench.git("rev-parse", "HEAD")
    bench.day()
    code, output = bench.night("--variant", "small", "--bisect")
    assert code == 1, output
    assert f"bisected: toy.small own/T01: the first bad commit is {culprit[:12]}" in " ".join(output.split())
    (note,) = [note for note in bench.result()["notes"] if note.startswith("bisected")]
    assert note in (bench.last / "night.txt").read_text()
    (folder,) = bench.last.parent.glob("*-bisect-1")
    assert (folder / "state.json").exists() and bench.runs()[0].notes[-1] == note


@pytest.mark.nightly
def test_a_case_whose_text_tells_what_came_of_it_regresses_and_is_bisected(bench: Nights) -> None:
    """The history stores the number of its line."""
    (bench.folder / "cow.c").write_text("int main(void) { return 0; }\n")
    pipeline = bench.folder / "pipeline.yaml"
    text = pipeline.read_text().replace("modes:", "  mm: {kind: program, programs: [{name: cow, file: cow.c}]}\nmodes:")
    pipeline.write_text(text.replace("suites: [own]", "suites: [own, mm]"))
    bench.day("exit cow 0 1..2|ok 1 No leak|ok 2 No leak")
    code, output = bench.night("--variant", "small")
    assert code == 0, output
    bench.day()
    path = bench.folder / "tree" / "mm" / "swap.c"
    path.write_text(
        path.read_text().replace("exit cow 0 1..2|ok 1 No leak|ok 2 No", "exit cow 1 1..2|ok 1 No leak|not ok 2 ")
    )
    bench.day()
    culprit = bench.git("rev-parse", "HEAD")
    bench.day()
    code, output = bench.night("--variant", "small", "--bisect")
    assert code == 1 and "regressed mm/cow.leak pass → fail in toy.small" in told(output), output
    assert f"bisected: toy.small mm/cow.leak: the first bad commit is {culprit[:12]}" in " ".join(output.split())


@pytest.mark.nightly
def test_a_regression_is_not_bisected_where_the_command_line_says_so(bench: Nights) -> None:
    path = bench.folder / "pipeline.yaml"
    path.write_text(path.read_text().replace("nightly: {", "nightly: {bisect: true, "))
    bench.night("--variant", "small")
    bench.day("not-ok T01")
    code, output = bench.night("--variant", "small", "--no-bisect")
    assert code == 1 and "regressed" in output and "bisect" not in output, output
