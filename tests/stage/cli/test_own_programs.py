"""`--program`: one's own test on kernels that do as they are told: by exit code, KTAP, and what the console has."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stage.cli.test_commands import Table


class Lab(Table):
    """A table with a reproducer, and kernels that are told how it ends on them."""

    def __post_init__(self) -> None:
        super().__post_init__()
        (self.folder / "repro.c").write_text("int main(void) { return 0; }\n")

    def play(self, *plays: str, cured: bool = False) -> None:
        """Tell the base what happens; with ``cured`` the series takes that away."""
        path = self.folder / "tree" / "mm" / "memory.c"
        text = path.read_text()
        lines = "".join(f'const char play{len(text) + k}[] = "play: {play}";\n' for k, play in enumerate(plays))
        path.write_text(text + lines)
        self.git("commit", "-qam", "toy: a play")
        self.series(*([("mm/memory.c", "play: ", "gone: ")] if cured else [("mm/swap.c", "return", "/* */ return")]))

    def statuses(self, side: str) -> dict[str, str]:
        job = next(job for job in self.result()["jobs"] if job["side"] == side)
        return {test["name"]: test["status"] for suite in job["suites"] for test in suite["tests"]}

    def alone(self, *options: str) -> tuple[int, str]:
        """Run the reproducer on the base alone."""
        return self.type("run", "--mode", "base", "--program", "repro.c", *options)


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def test_a_series_that_cures_what_a_reproducer_shows_is_a_fix(lab: Lab) -> None:
    lab.play("exit repro 1 corrupted", cured=True)
    code, output = lab.type("run", "--program", "repro.c")
    assert code == 0 and "1 broken→works" in output, output
    assert lab.statuses("base") == {"repro": "fail"} and lab.statuses("patched") == {"repro": "pass"}
    (lab.folder / "repro.c").unlink()
    code, output = lab.type("bundle", "last", "--side", "base", "--out", "given")
    kept = lab.folder / "given" / "programs" / "repro" / "repro.c"
    assert code == 0 and kept.read_text().startswith("int main"), output


@pytest.mark.parametrize(
    ("ends", "status", "expected"),
    [
        ("0", "pass", 0),
        ("4", "skip", 4),
        ("77", "skip", 4),
        ("125", "error", 1),
        ("3", "fail", 1),
        ("139", "crashed", 1),
    ],
)
def test_the_exit_code_is_the_outcome(lab: Lab, ends: str, status: str, expected: int) -> None:
    lab.play(f"exit repro {ends}")
    code, output = lab.alone()
    assert code == expected and lab.statuses("base") == {"repro": status}, output


def test_the_cases_of_a_program_that_prints_ktap_count(lab: Lab) -> None:
    lab.play("exit repro 1 1..2|ok 1 one|not ok 2 two")
    code, output = lab.alone("-v")
    assert "program: repro: not ok 2 two" in output, output
    assert code == 1 and lab.statuses("base") == {"repro.one": "pass", "repro.two": "fail"}, output


def test_a_case_that_comes_with_the_series_is_charged_to_it_and_a_program_that_skipped_as_a_whole_is_not_lost(
    lab: Lab,
) -> None:
    lab.play("exit repro 4 1..0 # SKIP no feature")
    lab.series(("mm/memory.c", "exit repro 4 1..0 # SKIP no feature", "exit repro 0 1..2|ok 1 one|ok 2 two"))
    code, output = lab.type("run", "--program", "repro.c")
    assert code == 0 and "2 refused→works" in output, output
    (lab.folder / "series" / "0001-toy-edit-1.patch").unlink()
    lab.series(("mm/memory.c", "exit repro 4 1..0 # SKIP no feature", "exit repro 1 1..2|ok 1 one|not ok 2 two"))
    code, output = lab.type("run", "--program", "repro.c")
    assert code == 1 and "offered with the series, and broken" in output, output


def test_a_red_verdict_shows_why_and_two_runs_are_compared(lab: Lab) -> None:
    lab.play("exit repro 0")
    assert lab.alone()[0] == 0
    first = (lab.folder / "results" / "last").resolve().name
    lab.play("exit repro 1 expected|7", "splat repro BUG: Bad page map in process x")
    path = lab.folder / "tree" / "mm" / "memory.c"
    path.write_text(path.read_text().replace("play: exit repro 0", "gone"))
    lab.git("commit", "-qam", "toy: red")
    code, output = lab.alone()
    console = next((lab.folder / "results" / "last").resolve().glob("jobs/*/boot-1/console.log"))
    assert code == 1 and "toy.small: repro: fail: expected (exit code 1)\n" in output, output
    assert "\n    7\n    | [    1.000000] BUG: Bad page map in process x\n" in output and f"{console}:" in output
    code, output = lab.type("diff", first)
    assert code == 1 and "outcome  toy.small: program/repro: pass → fail" in output and "input" in output, output
    code, output = lab.type("diff", "last", "last", "--results", "results")
    assert code == 0 and output == "nothing differs\n"
    code, output = lab.type("diff", "last", "--json")
    assert code == 0 and output == "[]\n"
    code, output = lab.type("diff", "none")
    assert code == 2 and "no such run" in output


def test_a_splat_is_red_whatever_the_exit_code_is(lab: Lab) -> None:
    lab.play("splat repro BUG: Bad page map in process x")
    code, output = lab.alone()
    assert code == 1 and "Bad page map" in lab.reason(), output


@pytest.mark.parametrize("play", ["splat repro BUG: Bad page map in process x", "dies repro fatal Bad page map"])
def test_a_reproducer_that_is_meant_to_crash(lab: Lab, play: str) -> None:
    lab.play(play)
    code, output = lab.alone("--expect-splat", "*Bad page map*")
    assert code == 0 and lab.statuses("base") == {"repro": "pass"}, output


def test_a_splat_that_does_not_come_is_red(lab: Lab) -> None:
    lab.play("exit repro 0")
    code, output = lab.alone("--expect-splat", "*Bad page map*")
    assert code == 1 and lab.statuses("base") == {"repro": "fail"}, output


def test_one_failure_in_many_runs_is_a_failure(lab: Lab) -> None:
    lab.play("exits repro 0010")
    code, output = lab.alone("--repeat", "4")
    assert code == 1 and "1 of 4 runs failed" in str(lab.result()), output


@pytest.mark.nightly
def test_a_program_has_a_time_and_one_without_an_end_may_use_it_up(lab: Lab) -> None:
    lab.play("silent repro")
    code, output = lab.alone("--timeout", "1")
    assert code == 1 and lab.statuses("base") == {"repro": "timeout"}, output
    code, output = lab.alone("--timeout", "1", "--endless")
    assert code == 0 and lab.statuses("base") == {"repro": "pass"}, output


@pytest.mark.nightly
def test_a_program_that_says_nothing_has_the_time_that_it_was_given(lab: Lab) -> None:
    pipeline = lab.folder / "pipeline.yaml"
    pipeline.write_text(pipeline.read_text().replace("{alone", "{silence: 5s, tcg_scale: 1, alone"))
    lab.play("silent repro")
    code, output = lab.alone("--timeout", "8")
    assert code == 1 and lab.statuses("base") == {"repro": "timeout"}, output
    assert "out of time" in output and "no output" not in output, output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--program", "none.c"), "--program: no such file or folder: none.c"),
        (("--program", "repro.c", "--program", "tree/../repro.c"), "two programs are called repro"),
        (("--program", "repro.c", "--timeout", "soon"), "--timeout soon: a time like 90s or 5m"),
        (("--program", "broken.c"), "broken.c:1:1: error: unknown type name"),
        (("--program", "repro.cpp"), "repro.cpp: no C file"),
    ],
)
def test_what_is_wrong_with_a_program_is_one_line(lab: Lab, options: tuple[str, ...], message: str) -> None:
    (lab.folder / "broken.c").write_text("nonsense main(void) { return 0; }\n")
    (lab.folder / "repro.cpp").write_text("int main() { return 0; }\n")
    code, output = lab.type("run", "--mode", "base", *options)
    assert code == 2 and message in output and "Traceback" not in output, output


def test_its_arguments_reach_it_and_a_tree_is_named_with_its_base(lab: Lab) -> None:
    lab.play("exit repro 0")
    options = ("--program-args", "-v 3", "--tree", "tree", "--base", "HEAD", "--variant", "small")
    code, output = lab.type("run", "--program", "repro.c", *options)
    assert code == 0 and lab.statuses("base") == {"repro": "pass"} and "alone: " in output, output
    (log,) = (lab.folder / "results" / "last").glob("jobs/*/program/repro.log")
    assert log.read_text().startswith("called with -v 3\n")


def test_a_suite_of_programs_is_data_and_tests_are_named(lab: Lab) -> None:
    lab.play("exit other 1")
    (lab.folder / "other.sh").write_text("exit 1\n")
    pipeline = lab.folder / "pipeline.yaml"
    programs = "[{name: repro, file: repro.c}, {name: other, file: other.sh}]"
    text = pipeline.read_text().replace("modes:", f"  mine: {{kind: program, programs: {programs}}}\nmodes:")
    pipeline.write_text(text)
    code, output = lab.type("run", "--mode", "base", "--suite", "mine")
    assert code == 1 and lab.statuses("base") == {"repro": "pass", "other": "fail"}, output
    code, output = lab.type("run", "--mode", "base", "--suite", "mine", "--test", "repro")
    assert code == 0 and lab.statuses("base") == {"repro": "pass"}, output


def test_a_program_of_the_host_may_be_missing_until_its_suite_runs(lab: Lab) -> None:
    """The shipped pipeline packs the host's QEMU, and `wpci doctor` is to say that QEMU is missing."""
    pipeline = lab.folder / "pipeline.yaml"
    suite = "  mine: {kind: program, programs: [{name: qemu, file: /nonexistent/qemu}]}\nmodes:"
    pipeline.write_text(pipeline.read_text().replace("modes:", suite))
    code, output = lab.type("list", "--mode", "base")
    assert code == 0, output
    code, output = lab.type("run", "--mode", "base", "--suite", "mine")
    assert code == 2 and "suites.mine: qemu: no such file or folder: /nonexistent/qemu" in output, output


def test_a_program_runs_beside_a_suite(lab: Lab) -> None:
    lab.play("exit repro 0")
    code, output = lab.alone("--suite", "own")
    assert code == 0 and lab.statuses("base").keys() == {"repro", "T01", "T02"}, output


def history(lab: Lab, *plays: str) -> tuple[str, ...]:
    """Commit one play after the other; return the options that bisect from the first to the last."""
    path = lab.folder / "tree" / "mm" / "memory.c"
    for number, play in enumerate(plays):
        text = path.read_text().partition("const char play")[0]
        path.write_text(f'{text}const char play[] = "play: {play}"; /* {number} */\n')
        lab.git("commit", "-qam", f"toy: commit {number}")
    return ("--tree", "tree", "--good", f"HEAD~{len(plays) - 1}", "--bad", "HEAD", "--runs", "1", "--variant", "small")


@pytest.mark.nightly
def test_a_program_is_validated_with_and_bisected_with(lab: Lab) -> None:
    ends = history(lab, *(f"exit repro {end}" for end in (0, 0, 125, 0, 1, 1)))
    code, output = lab.type("bisect", *ends, "--program", "repro.c")
    assert code == 0 and "toy: commit 4" in output.splitlines()[-2] + output.splitlines()[-3], output
    lab.series(("mm/swap.c", "return", "/* */ return"))
    code, output = lab.type("validate", "series", "--program", "repro.c", "--skip", "checkpatch")
    assert "repro" in output and code == 0, output


def test_a_case_of_a_program_is_bisected_whatever_it_is_called(lab: Lab) -> None:
    green, red = (f"exit repro {n} 1..2|ok 1 a/b|{line} 2 key [0] of *p" for n, line in ((0, "ok"), (1, "not ok")))
    ends = history(lab, green, green, red, red)
    code, output = lab.type("bisect", *ends, "--program", "repro.c", "-s", "test:repro.key [0] of *p")
    assert code == 0 and "toy: commit 2" in output, output


ENDLESS = ("--program", "hog.sh", "--program", "repro.c", "--program-args", "-v 3", "--timeout", "1", "--endless")
SPLAT = ("--program", "repro.c", "--expect-splat", "*Bad page map*")
COMES = "splat repro BUG: Bad page map in process x"


def called_with(lab: Lab) -> set[str]:
    """Return what the logs of the last run say that the reproducer was called with."""
    logs = (lab.folder / "results" / "last").resolve().rglob("repro.log")
    return {log.read_text().splitlines()[0] for log in logs}


@pytest.fixture
def hog(lab: Lab) -> Lab:
    """A program besides that has no end, on every kernel."""
    (lab.folder / "hog.sh").write_text("while :; do :; done\n")
    path = lab.folder / "tree" / "mm" / "swap.c"
    path.write_text(path.read_text() + 'const char hogs[] = "play: silent hog";\n')
    lab.git("commit", "-qam", "toy: a hog")
    return lab


@pytest.mark.nightly
def test_a_validation_with_arguments_a_time_and_no_end(hog: Lab) -> None:
    hog.play("exit repro 0")
    code, output = hog.type("validate", "series", *ENDLESS, "--skip", "checkpatch")
    assert code == 0 and hog.statuses("patched") == {"repro": "pass", "hog": "pass"}, output
    assert called_with(hog) == {"called with -v 3"}


@pytest.mark.nightly
def test_a_bisect_with_arguments_a_time_and_no_end(hog: Lab) -> None:
    ends = history(hog, "exit repro 0", "exit repro 1", "exit repro 1")
    code, output = hog.type("bisect", *ends, *ENDLESS, "--symptom", "test:repro")
    assert code == 0 and "toy: commit 1" in output, output
    assert called_with(hog) == {"called with -v 3"}


@pytest.mark.nightly
def test_a_mutant_with_arguments_a_time_and_no_end(hog: Lab) -> None:
    hog.play("exit repro 1", cured=True)
    options = ("--report", "here", "--variant", "small", "--budget", "1")
    code, output = hog.type("mutate", *ENDLESS, *options)
    assert code == 0 and "1 killed" in output, output
    assert called_with(hog) == {"called with -v 3"}


@pytest.mark.nightly
def test_a_splat_that_is_meant_to_come_is_no_failure_of_a_series_a_commit_or_a_mutant(lab: Lab) -> None:
    ends = history(lab, COMES, "exit repro 0", "exit repro 0")
    code, output = lab.type("bisect", *ends, *SPLAT)
    assert code == 0 and "toy: commit 1" in output, output
    history(lab, COMES)
    lab.series(("mm/swap.c", "page - 1", "page - 2"))
    code, output = lab.type("validate", "series", *SPLAT, "--skip", "checkpatch")
    assert code == 0 and lab.statuses("patched") == {"repro": "pass"}, output
    code, output = lab.type("mutate", *SPLAT, "--report", "here", "--variant", "small", "--budget", "1")
    assert code == 1 and "1 survived" in output, output


@pytest.mark.nightly
def test_a_mutant_is_killed_by_a_reproducer(lab: Lab) -> None:
    lab.play("exit repro 1", cured=True)
    where = ("--config", "pipeline.yaml", "--report", "here", "--results", "there", "--variant", "small")
    code, output = lab.type("mutate", "--program", "repro.c", "--first", "repro", "--budget", "1", *where)
    assert code == 0 and "1 killed" in output, output
    code, output = lab.type("hunks", "--program", "repro.c", "--late", "R*", "--every-test", "--report", "here")
    assert code == 0, output
