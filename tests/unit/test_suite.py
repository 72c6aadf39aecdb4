"""A suite over several guests: what a crash costs, what a hang costs, and what must never be lost."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from orchestrator import suite
from orchestrator.config import ProgramConfig, Suite
from orchestrator.errors import InfraError, UserError
from orchestrator.model import Status, SuiteRun
from orchestrator.process import Deadline
from orchestrator.progress import SILENT


@dataclass
class Result:
    exit_code: int | None
    stdout: str = ""
    truncated: bool = False
    seconds: float = 0.5
    why: str = ""
    hung: bool = False


@dataclass
class FakeGuest:
    """Runs programs that exist as tables: test id → what happens when it runs."""

    programs: dict[str, dict[str, str]]
    logged: list[str] = field(default_factory=list)
    death: str | None = None

    def log(self, text: str) -> None:
        self.logged.append(text)

    def run(self, command: str, *, deadline: Deadline, output: Path | None = None, cap: int) -> Result:
        if command.endswith("-l; done"):
            lines = [line for name, tests in self.programs.items() for line in (f"== {name}", *tests)]
            return Result(0, "\n".join(lines) + "\n")
        _, _, call = command.partition(" && ")
        words = shlex.split(call)
        assert output is not None
        return self.perform(words[0].removeprefix("./"), words[1:], output)

    def perform(self, program: str, words: list[str], output: Path) -> Result:
        picked = [words[k + 1] for k, word in enumerate(words) if word == "-r"]
        lines = ["KTAP version 1", f"1..{len(picked)}"]
        end: Result = Result(0)
        for k, test in enumerate(picked, 1):
            lines.append(f"# begin: {test}")
            act = self.programs[program][test]
            if act == "crash":
                self.death = "Kernel panic - not syncing"
                end = Result(None, why="the guest died: Kernel panic - not syncing")
                break
            if act == "hang":
                end = Result(None, why="out of time")
                break
            if act == "silence":
                end = Result(None, why="no output", hung=True)
                break
            if act == "vanish":
                break
            lines.append(f"{act} {k} {test}")
        output.write_text("\n".join(lines) + "\n")
        return end


class Lab:
    """Boots fake guests and counts them."""

    def __init__(self, programs: dict[str, dict[str, str]]) -> None:
        self.programs = programs
        self.guests: list[FakeGuest] = []

    @contextlib.contextmanager
    def boot(self) -> Iterator[FakeGuest]:
        self.guests.append(FakeGuest(self.programs))
        yield self.guests[-1]


def request(folder: Path, tests: tuple[str, ...] = ("*",), **changes: object) -> suite.Request:
    settings = {"directory": folder, **changes}
    return suite.Request("own", Suite.model_validate(settings), tests, folder / "out")


def performed(asked: suite.Request, boot: suite.Boot) -> SuiteRun:
    said: list[SuiteRun] = []
    suite.run(asked, boot, SILENT, said.append)
    (run,) = said
    return run


def outcome(lab: Lab, asked: suite.Request) -> dict[str, Status]:
    run = performed(asked, lab.boot)
    assert len({t.name for t in run.tests}) == len(run.tests)
    return {t.name: t.status for t in run.tests}


def test_programs_that_end_need_one_guest(tmp_path: Path) -> None:
    lab = Lab({"a": {"A01_x": "ok", "A02_y": "not ok"}, "b": {"B01_z": "ok"}})
    assert outcome(lab, request(tmp_path)) == {"A01_x": Status.PASS, "A02_y": Status.FAIL, "B01_z": Status.PASS}
    assert len(lab.guests) == 1


def test_a_crash_loses_only_the_test_that_crashed(tmp_path: Path) -> None:
    lab = Lab({"a": {"A01": "ok", "A02": "crash", "A03": "ok"}, "b": {"B01": "ok"}})
    seen = outcome(lab, request(tmp_path))
    assert seen == {"A01": Status.PASS, "A02": Status.CRASHED, "A03": Status.PASS, "B01": Status.PASS}
    assert len(lab.guests) == 2


def test_a_hang_that_leaves_the_guest_well_needs_no_new_one(tmp_path: Path) -> None:
    lab = Lab({"a": {"A01": "hang", "A02": "ok"}})
    assert outcome(lab, request(tmp_path)) == {"A01": Status.TIMEOUT, "A02": Status.PASS}
    assert len(lab.guests) == 1


def test_a_guest_that_does_not_answer_is_given_up(tmp_path: Path) -> None:
    lab = Lab({"a": {"A01": "silence", "A02": "ok"}})
    assert outcome(lab, request(tmp_path)) == {"A01": Status.TIMEOUT, "A02": Status.PASS}
    assert len(lab.guests) == 2


def test_a_program_that_stops_early_leaves_missing_tests(tmp_path: Path) -> None:
    lab = Lab({"a": {"A01": "ok", "A02": "vanish", "A03": "ok"}})
    seen = outcome(lab, request(tmp_path))
    assert seen["A01"] is Status.PASS
    assert {seen["A02"], seen["A03"]} <= {Status.CRASHED, Status.MISSING}


def test_a_kernel_that_always_crashes_ends_the_suite(tmp_path: Path) -> None:
    tests = {f"A{k:02}": "crash" for k in range(30)}
    lab = Lab({"a": tests})
    seen = outcome(lab, request(tmp_path))
    assert set(seen) == set(tests)
    assert len(lab.guests) == suite.MAX_CRASHES
    assert list(seen.values()).count(Status.MISSING) == 30 - suite.MAX_CRASHES


def test_a_suite_out_of_time_counts_what_did_not_run(tmp_path: Path) -> None:
    lab = Lab({"a": {"A01": "ok"}})
    asked = request(tmp_path, timeout=0.000001)
    run = performed(asked, lab.boot)
    assert run.tests == ()  # and a job in which no test ran is never green


@pytest.mark.parametrize(
    ("glob", "names"),
    [("A01", ["A01_x", "A01_x.shared"]), ("*.shared", ["A01_x.shared"]), ("A01_x", ["A01_x", "A01_x.shared"])],
)
def test_a_glob_names_by_pattern_or_by_the_start_of_the_name(glob: str, names: list[str]) -> None:
    assert suite.pick(["A01_x", "A01_x.shared", "A012_z"], [glob]) == names


def test_a_glob_that_names_nothing_is_refused(tmp_path: Path) -> None:
    lab = Lab({"a": {"A01": "ok"}})
    with pytest.raises(UserError, match=r"no test matches 'Q\*'"):
        performed(request(tmp_path, ("A01", "Q*")), lab.boot)


def test_foreign_programs_are_bracketed_with_markers(tmp_path: Path) -> None:
    class Foreign(FakeGuest):
        def perform(self, program: str, words: list[str], output: Path) -> Result:
            output.write_text("whatever\n")
            return Result({"good": 0, "skips": 4, "bad": 1}[program])

    guests: list[Foreign] = []

    @contextlib.contextmanager
    def boot() -> Iterator[Foreign]:
        guests.append(Foreign({}))
        yield guests[-1]

    programs = tuple(ProgramConfig(name=n, run=f"./{n}") for n in ("good", "skips", "bad"))
    asked = suite.Request("tree", Suite(kind="tree", directory=tmp_path, programs=programs), ("*",), tmp_path / "out")
    run = performed(asked, boot)
    assert {t.name: t.status for t in run.tests} == {"good": Status.PASS, "skips": Status.SKIP, "bad": Status.FAIL}
    assert guests[0].logged[:2] == ["wpci: begin good", "wpci: end good"]


def test_what_ran_before_the_connection_was_lost_is_kept(tmp_path: Path) -> None:
    class Losing(FakeGuest):
        def perform(self, program: str, words: list[str], output: Path) -> Result:
            if program == "b":
                raise InfraError("the connection to the guest was lost")
            return super().perform(program, words, output)

    @contextlib.contextmanager
    def boot() -> Iterator[Losing]:
        yield Losing({"a": {"A01": "ok"}, "b": {"B01": "ok"}})

    said: list[SuiteRun] = []
    with pytest.raises(InfraError):
        suite.run(request(tmp_path), boot, SILENT, said.append)
    assert [(t.name, t.status) for t in said[0].tests] == [("A01", Status.PASS)]
