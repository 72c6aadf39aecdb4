"""wpci bisect as a user runs it: real git histories of a fake kernel tree, guests that do what their kernel says."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import time
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from orchestrator.trees import repository
from tests.stage.pipeline.test_run import Bench


class History(Bench):
    """A tree with a history, and fake guests that come up and do what their kernel says (see fakeguest.py)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.configure(f"lose:{self.folder}/lose,guest:")
        self.base = self.git("rev-parse", "HEAD")

    def lose(self, guests: int) -> None:
        """Let the next guests be killed with their QEMU."""
        (self.folder / "lose").write_text("guest\n" * guests)

    def commit_file(self, subject: str, name: str, text: str) -> str:
        (self.folder / "tree" / name).write_text(text)
        self.git("add", "-fu")
        self.commit(subject)
        return self.git("rev-parse", "HEAD")

    def change(self, subject: str, name: str = "mm/swap.c", **plays: str | None) -> str:
        """Commit a change of the kernel; ``plays`` are put into it, and taken out again, by name. Return its id."""
        text = (self.folder / "tree" / name).read_text()
        for key, play in plays.items():
            kept = [line for line in text.splitlines() if f"play_{key}[" not in line]
            text = "\n".join(kept + ([f'const char play_{key}[] = "play: {play}";'] if play else [])) + "\n"
        return self.commit_file(subject, name, text + f"int step{len(text)};\n")

    def words(self, *words: str) -> list[str]:
        """Commit a change a word: ok, same (the kernel), broken (does not build), mended, or what the kernel plays."""
        made = []
        for number, word in enumerate(words, 1):
            subject = f"mm: {number} {word}"
            text = (self.folder / "tree" / "mm" / "memory.c").read_text()
            if word == "same":
                made.append(self.commit_file(subject, "mm/memory.c", text + f"// {number}\n"))
            elif word == "broken":
                made.append(self.commit_file(subject, "mm/memory.c", text + "broken;;\n#error broken\n"))
            elif word == "mended":
                made.append(self.commit_file(subject, "mm/memory.c", text.replace("broken;;\n#error broken\n", "")))
            else:
                made.append(self.change(subject, **({} if word == "ok" else {f"p{number}": word})))
        return made

    def bisect(self, *options: str) -> tuple[int, str]:
        done = subprocess.run(
            self.argv("bisect", *options), cwd=self.folder, env=self.environment, text=True, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        return done.returncode, done.stdout

    def find(self, *options: str, symptom: str = "T01", bad: str = "main") -> tuple[int, str]:
        """Bisect the tree from its base."""
        ends = ("--good", self.base, "--bad", bad, "--symptom", symptom)
        return self.bisect("--tree", "tree", *ends, *options)

    @property
    def last(self) -> Path:
        return (self.folder / "results" / "last").resolve()

    @property
    def steps(self) -> list[dict[str, Any]]:
        state: dict[str, Any] = json.loads((self.last / "state.json").read_text())
        return list(state["steps"])

    def step(self, commit: str) -> dict[str, Any]:
        """Return the step that the search took on a commit."""
        return next(s for s in self.steps if s["commit"] == commit and s["role"] == "search")

    def guests(self) -> list[str]:
        """Return every guest that was booted in the last run."""
        return sorted(str(p.parent.relative_to(self.last)) for p in self.last.glob("jobs/*/boot-*/qemu.log"))


@pytest.fixture
def bench(tmp_path: Path) -> History:
    return History(tmp_path)


def test_a_fault_behind_a_merge_is_found_verified_and_replayed(bench: History) -> None:
    bench.words(*["ok"] * 9)
    bench.git("checkout", "-q", "-b", "side", "HEAD~3")
    for number in range(4):
        bench.change(f"drivers: side {number}", name="drivers/toy.c")
    bench.git("checkout", "-q", "main")
    bench.git("merge", "-q", "--no-edit", "side")
    culprit = bench.change("mm: the culprit", name="mm/userfaultfd.c", own="not-ok T01")
    culprit = bench.change("init: the culprit", name="init/main.c", own="not-ok T01")
    bench.words(*["ok"] * 5)
    before = bench.git("rev-parse", "HEAD"), bench.git("status", "--porcelain"), bench.git("for-each-ref")
    code, output = bench.find()
    assert code == 0, output
    assert f"conclusive: the first bad commit is {culprit[:12]} init: the culprit" in output
    assert "Dev <dev@example.org>" in output and "nor does the tip without it" in output
    roles = [step["role"] for step in bench.steps]
    assert roles[:2] == ["bad end", "good end"] and roles[-3:] == ["culprit again", "its parent", "tip without it"]
    assert (bench.git("rev-parse", "HEAD"), bench.git("status", "--porcelain"), bench.git("for-each-ref")) == before
    bench.git("bisect", "replay", str(bench.last / "bisect.log"))
    assert f"first bad commit: [{culprit}]" in bench.git("bisect", "log")
    document = ET.parse(bench.last / "junit.xml")
    assert [case.get("name") for case in document.iter("testcase")][-1] == "verdict"
    assert not list(document.iter("failure")) and not list(document.iter("skipped"))
    assert culprit in (bench.last / "summary.md").read_text()


def test_what_does_not_build_and_what_crashes_otherwise_is_skipped_and_said(bench: History) -> None:
    made = bench.words("ok", "broken", "mended", "dies T01 other bug", "ok", "not-ok T01", "ok")
    bench.change("mm: no crash any more", p4=None)
    code, output = bench.find("--runs", "1", bad=bench.git("rev-parse", "HEAD"))
    assert code == 4, output
    assert "not conclusive" in output and "another failure" in output
    others = {step["commit"]: step["why"] for step in bench.steps if step["term"] == "skip"}
    assert set(others.values()) <= {"another failure", "does not build"}
    assert others[made[3]] == "another failure" or others[made[4]] == "another failure"


def test_a_case_whose_text_tells_what_came_of_it_is_known_by_its_number(bench: History) -> None:
    (bench.folder / "repro.c").write_text("int main(void) { return 0; }\n")
    bench.change("mm: it works", own="exit repro 0 1..2|ok 1 No leak|ok 2 No leak")
    bench.words("ok")
    culprit = bench.change("mm: the culprit", own="exit repro 1 1..2|ok 1 No leak|not ok 2 Leak")
    bench.words("ok", "ok")
    options = ("--program", "repro.c", "--symptom", "test:repro.Leak", "--good", "HEAD~4", "--bad", "main")
    code, output = bench.bisect("--tree", "tree", *options)
    assert code == 0 and f"conclusive: the first bad commit is {culprit[:12]} mm: the culprit" in output, output


def test_a_case_whose_program_skips_all_is_bisected_to_what_took_the_feature_away(bench: History) -> None:
    (bench.folder / "repro.c").write_text("int main(void) { return 0; }\n")
    for number in (1, 2):
        bench.change(f"mm: {number} works", own=f"exit repro 0 1..2|ok 1 pid {number} is mapped|ok 2 other")
    culprit = bench.change("mm: the culprit", own="exit repro 4 1..0 # SKIP no userfaultfd")
    bench.words("ok")
    options = ("--program", "repro.c", "--symptom", "test:repro.pid 1 is mapped", "--good", "HEAD~3", "--bad", "main")
    code, output = bench.bisect("--tree", "tree", *options)
    assert code == 0 and f"conclusive: the first bad commit is {culprit[:12]} mm: the culprit" in output, output
    assert "did not run" not in output, "the case is known by its number, too"


def test_a_crash_is_bisected_by_its_title(bench: History) -> None:
    made = bench.words("ok", "dies T01 the bug", "ok")
    code, output = bench.find("--runs", "1")
    assert code == 0 and f"the first bad commit is {made[1][:12]}" in output, output
    assert "crashed: Kernel panic - not syncing: the bug" in output


def test_a_commit_that_does_not_build_does_not_hide_the_culprit(bench: History) -> None:
    made = bench.words("ok", "broken", "broken", "mended", "ok", "not-ok T01", "ok")
    code, output = bench.find("--runs", "1")
    assert code == 0, output
    assert f"the first bad commit is {made[5][:12]}" in output
    skipped = [step for step in bench.steps if step["term"] == "skip"]
    assert skipped and {step["why"] for step in skipped} == {"does not build"}
    assert "mm/memory.c" in skipped[0]["reason"]


def test_a_culprit_among_commits_that_do_not_build_is_a_range(bench: History) -> None:
    made = bench.words("ok", "broken", "not-ok T01", "mended", "ok")
    code, output = bench.find("--runs", "1")
    assert code == 4, output
    assert "the first bad commit is one of 3" in output and "2 does not build" in output
    assert re.findall(r"one of      (\w{12})", output) == [commit[:12] for commit in made[1:4]]
    document = ET.parse(bench.last / "junit.xml")
    assert len(list(document.iter("skipped"))) == 3


@pytest.mark.nightly
def test_a_kernel_that_was_run_is_not_run_again(bench: History) -> None:
    made = bench.words("same", "same", "same", "same", "not-ok T01", "same", "same")
    code, output = bench.find("--runs", "1")
    assert code == 0, output
    assert f"the first bad commit is {made[4][:12]}" in output
    searched = [step for step in bench.steps if step["role"] == "search"]
    assert searched and all(step["same_as"] in {1, 2} and step["term"] != "skip" for step in searched)
    assert len(bench.guests()) == 5  # both ends, the culprit again, its parent, the tip without it


@pytest.mark.nightly
def test_a_flaky_test_gets_as_many_runs_as_it_takes(bench: History) -> None:
    made = bench.words("ok", "ok", "flaky T01 0010100000", "ok", "ok")
    code, output = bench.find()
    assert code == 0, output
    assert f"the first bad commit is {made[2][:12]}" in output
    first = bench.steps[0]
    assert (first["count"]["shown"], first["count"]["clean"]) == (8, 32), "four guests of ten runs"
    good = [step for step in bench.steps if step["term"] == "good"]
    assert all(step["count"]["clean"] > 10 for step in good)
    assert all(step["sure"] > 0.99 for step in bench.steps[2:])


def test_a_commit_with_the_kernel_of_a_good_end_that_is_flaky_is_good(bench: History) -> None:
    good = bench.change("mm: flaky from here", own="flaky T01 0000000001")
    bench.words(*["same"] * 5)
    culprit = bench.change("mm: the culprit", own="not-ok T01")
    bench.words("same", "same")
    code, output = bench.bisect("--tree", "tree", "--good", good, "--bad", "main", "--symptom", "T01")
    assert code == 0 and culprit[:12] in output
    (end,) = (step for step in bench.steps if step["role"] == "good end")
    assert end["term"] == "good" and end["count"]["shown"] == 1
    assert {step["term"] for step in bench.steps if step["same_as"] == end["number"]} == {"good"}


@pytest.mark.nightly
def test_a_flaky_boot_of_a_patch_is_found_in_boots(bench: History) -> None:
    bench.series(
        ("mm/memory.c", "return", "/* one */ return 1 *"),
        ("init/main.c", "void start(void);", 'const char p[] = "play: panics 011 no init";\nvoid start(void);'),
    )
    code, output = bench.bisect("--series", "three", "--symptom", "boot", "--runs", "3")
    assert code == 0, output
    assert "the first bad commit is 2/2 toy: edit 2" in output
    assert [len(step["jobs"]) for step in bench.steps if step["role"] != "search"][:2] == [3, 3]
    repository.git(bench.last / "bisect.git", "bisect", "replay", bench.last / "bisect.log")
    first = bench.steps[0]
    assert (first["count"]["shown"], first["count"]["clean"]) == (2, 1)


@pytest.mark.nightly
def test_the_patches_of_a_series_are_walked_on_the_prerequisites_of_its_tree(bench: History) -> None:
    bench.series(
        ("mm/memory.c", "return page + 1", "return page + 2"),
        ("mm/memory.c", "return page + 2", "return page + 3"),
        ("init/main.c", "void start(void);", 'const char p[] = "play: not-ok T01";\nvoid start(void);'),
    )
    (bench.folder / "before").mkdir()
    first = next((bench.folder / "series").glob("0001*"))
    first.rename(bench.folder / "before" / first.name)
    for patch in (bench.folder / "series").iterdir():
        patch.write_text(re.sub(r"\[PATCH \d/3\]", "[PATCH]", patch.read_text()))
    pipeline = bench.folder / "pipeline.yaml"
    pipeline.write_text(pipeline.read_text().replace("path: tree}", "path: tree}\n    prerequisites: [before]"))
    code, output = bench.bisect("--series", "three", "--symptom", "T01", "--runs", "1")
    assert code == 0, output
    assert "the first bad commit is 2/2 toy: edit 3" in output


@pytest.mark.nightly
def test_a_host_that_fails_once_is_asked_again_and_twice_stops_the_bisect(bench: History) -> None:
    made = bench.words("ok", "not-ok T01", "ok")
    bench.lose(1)
    code, output = bench.find("--runs", "1")
    assert code == 0 and "the host failed, once more" in output, output
    assert len(bench.steps[0]["jobs"]) == 2
    bench.lose(2)
    code, output = bench.find("--runs", "1")
    assert code == 3, output
    assert "not conclusive: the host failed" in output and "--continue" in output
    assert bench.steps == []
    code, output = bench.bisect("--continue")
    assert code == 0 and f"the first bad commit is {made[1][:12]}" in output, output


@pytest.mark.nightly
def test_killed_in_every_step_it_goes_on_and_runs_no_finished_step_again(bench: History) -> None:
    made = bench.words("ok", "not-ok T01", "ok")
    argv = bench.argv("bisect", "--tree", "tree", "--good", bench.base, "--bad", "main", "-s", "T01", "--runs", "1")
    finished: list[dict[str, Any]] = []
    for number in range(1, 20):
        with subprocess.Popen(
            argv, cwd=bench.folder, env=bench.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as child:
            _until_a_guest_runs(bench, number, child)
            child.kill()
            output = child.communicate()[0]
        if child.returncode == 0:
            break
        assert child.returncode == -signal.SIGKILL, output
        assert bench.steps[: len(finished)] == finished and len(bench.steps) == number - 1
        finished = bench.steps
        argv = bench.argv("bisect", "--continue")
    assert child.returncode == 0 and len(finished) == number - 2 >= 5, output
    assert bench.steps[: len(finished)] == finished
    assert f"conclusive: the first bad commit is {made[1][:12]}" in output
    assert len(bench.guests()) == len(bench.steps)
    assert bench.left_running() == []


def test_interrupted_it_leaves_nothing_running_and_goes_on(bench: History) -> None:
    culprit = bench.words("not-ok T01")[0]
    argv = bench.argv("bisect", "--tree", "tree", "--good", bench.base, "--bad", "main", "-s", "T01", "--runs", "1")
    with subprocess.Popen(
        argv, cwd=bench.folder, env=bench.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as child:
        _until_a_guest_runs(bench, 2, child)
        child.send_signal(signal.SIGINT)
        output = child.communicate()[0]
    assert child.returncode == 130 and "wpci bisect --continue" in output, output
    assert bench.left_running() == [] and len(bench.steps) == 1
    bench.change("mm: a branch moves on")
    code, output = bench.bisect("--continue", bench.last.name)
    assert code == 0 and f"the first bad commit is {culprit[:12]}" in output, output


def test_one_that_is_at_work_is_not_gone_on_with(bench: History) -> None:
    bench.words("ok", "not-ok T01", "ok")
    argv = bench.argv("bisect", "--tree", "tree", "--good", bench.base, "--bad", "main", "-s", "T01", "--runs", "1")
    with subprocess.Popen(
        argv, cwd=bench.folder, env=bench.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True
    ) as child:
        _until_a_guest_runs(bench, 1, child)
        child.send_signal(signal.SIGSTOP)
        try:
            code, output = bench.bisect("--continue", bench.last.name)
        finally:
            child.kill()
    assert code == 3 and "another process is at work in this run" in " ".join(output.split()), output


def _until_a_guest_runs(bench: History, step: int, child: subprocess.Popen[str]) -> None:
    """Wait until the guest of a step is there, or the bisect has ended; ten minutes are for a very busy machine."""
    end = time.monotonic() + 600
    while not list(bench.folder.glob(f"results/*/jobs/{step:02}-*/boot-1/console.log")) and child.poll() is None:
        assert time.monotonic() < end, f"step {step} has no guest"
        time.sleep(0.02)


def test_ends_that_are_not_what_they_were_said_to_be_are_the_users_fault(bench: History) -> None:
    bench.words("not-ok T01", "ok")
    code, output = bench.find("--runs", "1", symptom="T02")
    assert code == 2 and "does not show test:T02: works" in output, output
    good = bench.git("rev-parse", "HEAD~1")
    code, output = bench.bisect("--tree", "tree", "--good", good, "--bad", "main", "--symptom", "T01", "--runs", "1")
    assert code == 2 and "shows test:T01 too" in output, output


def test_a_merge_that_is_the_culprit_is_not_reverted_and_that_is_said(bench: History) -> None:
    bench.git("checkout", "-q", "-b", "side")
    bench.change("drivers: side", name="drivers/toy.c")
    bench.git("checkout", "-q", "main")
    bench.change("mm: other")
    bench.git("merge", "-q", "--no-commit", "--no-ff", "side")
    merge = bench.change("Merge side, with a fault", own="not-ok T01")
    bench.change("mm: later")
    code, output = bench.find("--runs", "1")
    assert code == 0 and f"the first bad commit is {merge[:12]}" in output, output
    assert "it is a merge, and none is reverted" in " ".join(output.split())


def test_a_test_that_two_suites_have_is_not_chased_in_both(bench: History) -> None:
    shutil.copytree(bench.folder / "programs", bench.folder / "programs2")
    path, own = bench.folder / "pipeline.yaml", "own: {directory: programs}"
    text = path.read_text().replace(own, f"{own}\n  two: {{directory: programs2}}")
    path.write_text(text.replace("suites: [own]}", "suites: [own, two]}"))
    bench.words("ok", "not-ok T01")
    code, output = bench.find("--runs", "1")
    assert code == 2 and "is a test of several suites, own, two: name one with --suite" in " ".join(output.split())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--good", "HEAD", "--bad", "nonsense", "-s", "boot"), "has no commit nonsense"),
        (("--good", "HEAD", "--bad", "main", "-s", "boot"), "are the same commit"),
        (("--good", "HEAD", "-s", "boot"), "name both ends"),
        (("--good", "HEAD~1", "--bad", "HEAD", "-s", "T*"), "a symptom is one test"),
        (("--good", "HEAD~1", "--bad", "HEAD", "-s", "T77"), "no test matches 'T77'"),
        (("--good", "HEAD~1", "--bad", "HEAD", "-s", "boot", "--variant", "smal"), "did you mean 'small'"),
        (("--series", "three", "--bad", "7", "-s", "boot"), "has 1 patches"),
        (("--series", "three", "--bad", "1", "--good", "²", "-s", "boot"), "--good ²: the series has 1 patches"),
        (("--series", "three", "--bad", "1", "--good", "9" * 5000, "-s", "boot"), "wpci: --good 999"),
        (("--continue", "nowhere"), "there is no bisect to go on with"),
    ],
)
def test_what_cannot_be_bisected_is_one_line(bench: History, options: tuple[str, ...], said: str) -> None:
    bench.words("ok")
    bench.series(("mm/swap.c", "return", "/* one */ return"))
    tree = () if "--series" in options or "--continue" in options else ("--tree", "tree")
    code, output = bench.bisect(*tree, *options)
    assert code == 2, output
    assert output.splitlines()[-1].startswith("wpci: ") and said in output, output
    assert not list(bench.folder.glob("results/*")), "what was never looked at is no run, and not the last one"
    assert not list(bench.folder.glob("cache/kernels/*"))


@pytest.mark.nightly
def test_a_bare_repository_has_a_history_and_a_folder_without_one_has_none(bench: History) -> None:
    bench.git("clone", "--quiet", "--bare", ".", "../bare.git")
    ends = ("--good", "HEAD", "--bad", "main", "-s", "boot")
    code, output = bench.bisect("--tree", "bare.git", *ends)
    assert code == 2 and "are the same commit" in output, output
    shutil.rmtree(bench.folder / "tree" / ".git")
    (bench.folder / "tree" / ".git").mkdir()
    code, output = bench.bisect("--tree", "tree", *ends)
    assert code == 2 and "is no git tree: it has no history" in " ".join(output.split()), output


@pytest.mark.nightly
def test_a_test_that_the_good_end_refuses_is_bisected_all_the_same(bench: History) -> None:
    bench.base = bench.words("skip T01")[0]
    bench.change("mm: offered", p1=None)
    culprit = bench.change("mm: and broken", own="not-ok T01")
    bench.words("ok")
    code, output = bench.find("--runs", "1")
    assert code == 0 and f"the first bad commit is {culprit[:12]}" in output, output
    assert "the good end does not offer" in output


@pytest.mark.nightly
def test_a_series_on_top_of_each_step_and_where_it_does_not_apply(bench: History) -> None:
    bench.series(("mm/memory.c", "return page + 1;", "return page + 2;"))
    carried = (bench.folder / "tree" / "mm" / "memory.c").read_text()
    made = [bench.change("mm: fine")]
    made.append(bench.commit_file("mm: in its way", "mm/memory.c", carried.replace("page + 1", "1 + page")))
    made.append(bench.commit_file("mm: out of its way", "mm/memory.c", carried))
    made += bench.words("ok", "not-ok T01", "ok")
    code, output = bench.find("--runs", "1", "--carry", "three")
    assert code == 0 and f"the first bad commit is {made[4][:12]}" in output, output
    applied = [json.loads((bench.last / "jobs" / s["jobs"][0] / "result.json").read_text()) for s in bench.steps[:2]]
    assert all(job["result"]["products"]["tree"]["patches"] == ["toy: edit 1"] for job in applied)
    assert all(s["why"] == "does not apply" for s in bench.steps if s["term"] == "skip")


@pytest.mark.nightly
def test_a_build_that_broke_and_a_splat_are_symptoms_too(bench: History) -> None:
    made = bench.words("ok", "splat T01 BUG: Bad page map in process x", "ok", "broken", "ok")
    code, output = bench.find(symptom="build")
    assert code == 0 and f"the first bad commit is {made[3][:12]}" in output, output
    assert "100 %" in output and bench.guests() == []
    code, output = bench.find("--runs", "1", symptom="BUG: Bad page map*", bad=made[2])
    assert code == 0 and f"the first bad commit is {made[1][:12]}" in output, output


@pytest.mark.nightly
def test_a_fault_that_was_fixed_in_between_is_not_an_answer(bench: History) -> None:
    """The good end is on another branch, and where both part the fault is there."""
    fork = bench.words("not-ok T01")[0]
    bench.git("checkout", "-q", "-b", "fixed")
    good = bench.change("mm: fixed here", p1=None)
    bench.git("checkout", "-q", "main")
    bench.words("ok", "ok")
    code, output = bench.bisect("--tree", "tree", "--good", good, "--bad", "main", "-s", "T01", "--runs", "1")
    assert code == 1, output
    assert f"The merge base {fork} is bad" in output


@pytest.mark.nightly
def test_kernels_are_built_ahead_where_that_is_asked_for(bench: History) -> None:
    bench.words(*["ok"] * 6, "not-ok T01", "ok")
    code, output = bench.find("--runs", "1", "--ahead")
    assert code == 0, output
    assert list(bench.last.glob("jobs/ahead-*/result.json"))


@pytest.mark.nightly
def test_a_bisect_has_kernels_built_on_workers(bench: History) -> None:
    culprit = bench.words(*["ok"] * 6, "not-ok T01", "ok")[6]
    code, output = bench.find("--runs", "1", "--no-ahead")
    assert code == 0, output
    here = [(step["commit"], step["term"]) for step in bench.steps]
    assert not list(bench.last.glob("jobs/ahead-*"))
    shutil.rmtree(bench.folder / "cache" / "kernels")
    code, output = bench.find("--runs", "1", "--engine", "workers:2")
    assert code == 0 and culprit[:12] in output, output
    assert [(step["commit"], step["term"]) for step in bench.steps] == here
    ahead = [json.loads(path.read_text())["result"] for path in bench.last.glob("jobs/ahead-*/result.json")]
    assert ahead and all(job["stages"][-1]["stage"] == "build" for job in ahead)
    assert bench.left_running() == []
    code, output = bench.find("--ahead", "--engine", "workers:2")
    assert code == 2 and "--ahead is for one machine" in output


def test_the_outcome_is_json_for_scripts(bench: History) -> None:
    culprit = bench.words("not-ok T01")[0]
    done = subprocess.run(
        bench.argv(
            "bisect", "--tree", "tree", "--good", bench.base, "--bad", "main", "-s", "T01", "--runs", "1", "--json"
        ),
        cwd=bench.folder, env=bench.environment, text=True, capture_output=True, check=False,
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert done.returncode == found["exit_code"] == 0
    assert found["culprit"]["id"] == culprit and found["verdict"] == "pass"


def test_another_pipeline_is_another_bisect(bench: History) -> None:
    bench.words("ok", "not-ok T01", "ok")
    bench.lose(2)
    assert bench.find("--runs", "1")[0] == 3
    (bench.folder / "small.config").write_text("CONFIG_64BIT=y\nCONFIG_SWAP=y\n")
    shutil.copyfile(bench.last / "state.json", bench.folder / "state.json")
    code, output = bench.bisect("--continue")
    assert code == 2 and "have changed since" in output, output


def test_other_programs_are_another_bisect(bench: History) -> None:
    bench.words("ok", "not-ok T01", "ok")
    bench.lose(2)
    assert bench.find("--runs", "1")[0] == 3
    (bench.folder / "programs" / "t.sh").write_text("#!/bin/sh\necho T01\n")
    code, output = bench.bisect("--continue")
    assert code == 2 and "have changed since" in output, output
