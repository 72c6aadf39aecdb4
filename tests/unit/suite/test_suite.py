"""A suite over several guests: what a crash costs, what a hang costs, and what must never be lost."""

from __future__ import annotations

import contextlib
import contextvars
import dataclasses
import re
import shlex
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from orchestrator import suite
from orchestrator.config.suites import LineFormat, ProgramConfig, Suite
from orchestrator.errors import InfraError, KernelError, PipelineError, UserError
from orchestrator.guest import protocol
from orchestrator.guest.exit import Hung
from orchestrator.host import process
from orchestrator.host.process import Deadline
from orchestrator.model import (
    JobResult,
    SeriesResult,
    Side,
    Stage,
    StageResult,
    Status,
    SuiteRun,
    TestResult,
    Verdict,
    expectations_file,
)
from orchestrator.model.expectations import NONE, Expectations
from orchestrator.model.trial import Trial
from orchestrator.parse import ktap
from orchestrator.progress import SILENT, Silent
from orchestrator.suite.state import Loss, State
from orchestrator.verdict import series_verdict, verdict
from orchestrator.verdict.outcome import merged
from tests.fakes import results


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
    console: Path = Path("/dev/null")
    commands: list[str] = field(default_factory=list)
    death: str | None = None
    ending: PipelineError | None = None
    rows: list[protocol.Row | None] = field(default_factory=list)
    ran: list[str] = field(default_factory=list)
    quiet: list[float] = field(default_factory=list)
    endless: list[bool] = field(default_factory=list)

    def run(
        self,
        command: str,
        *,
        deadline: Deadline,
        output: Path | None = None,
        cap: int,
        row: protocol.Row | None = None,
        quiet: float = 0.0,
        endless: bool = False,
    ) -> Result:
        if command.endswith("; done"):
            lines = [line for name, tests in self.programs.items() for line in (f"== {name}", *tests)]
            return Result(0, "\n".join(lines) + "\n")
        _, _, call = command.partition(" && ")
        words = shlex.split(call)
        assert output is not None
        self.commands.append(command)
        self.rows.append(row)
        self.quiet.append(quiet)
        self.endless.append(endless)
        return self.perform(words[0].removeprefix("./"), words[1:], output)

    def perform(self, program: str, words: list[str], output: Path) -> Result:
        picked = [words[k + 1] for k, word in enumerate(words) if word == "-r"]
        lines = ["KTAP version 1", f"1..{len(picked)}"]
        end: Result = Result(0)
        for k, test in enumerate(picked, 1):
            lines.append(f"# begin: {test}")
            acts = self.programs[program][test].split(",")
            act = acts[min(self.ran.count(test), len(acts) - 1)]
            self.ran.append(test)
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
            if act == "not ok" and "-x" in words:
                break
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


def test_a_guest_that_lists_no_test_is_its_kernels_fault(tmp_path: Path) -> None:
    """The programs have some: that they were listed on this host is no matter of what was asked for."""
    with pytest.raises(KernelError, match="list no test in this guest"):
        request(tmp_path).check_globs([])


def test_foreign_programs_are_bracketed_with_markers(tmp_path: Path) -> None:
    class Foreign(FakeGuest):
        def perform(self, program: str, words: list[str], output: Path) -> Result:
            output.write_text("whatever\n")
            return Result({"good": 0, "skips": 4, "bad": 1}[words[0].removeprefix("./")])

    guests: list[Foreign] = []

    @contextlib.contextmanager
    def boot() -> Iterator[Foreign]:
        guests.append(Foreign({}))
        yield guests[-1]

    programs = tuple(ProgramConfig(name=n, run=f"./{n}") for n in ("good", "skips", "bad"))
    asked = suite.Request("tree", Suite(kind="tree", directory=tmp_path, programs=programs), ("*",), tmp_path / "out")
    run = performed(asked, boot)
    assert {t.name: t.status for t in run.tests} == {"good": Status.PASS, "skips": Status.SKIP, "bad": Status.FAIL}
    assert re.findall(r"(?:begin|end) \w+|\./\w+", guests[0].commands[0]) == [
        "begin good", "./good", "end good",
    ]  # fmt: skip


PRINTS = {
    "speaks": "1..2\nok 1 one\nnot ok 2 two\n",
    "lines": "case one: fine\nsum 1\n",
    "mute": "whatever\n",
    "shy": "1..5\nok 1 no # SKIP\n",
}
LINES = LineFormat(
    case="^case (?P<name>\\w+): (?P<outcome>\\w+)$", outcomes={"fine": "pass"}, total="^sum (?P<total>.)$"
)


def test_programs_of_a_tree_are_read_by_what_they_speak_and_those_that_it_lacks_are_skipped(tmp_path: Path) -> None:
    class Foreign(FakeGuest):
        def perform(self, program: str, words: list[str], output: Path) -> Result:
            program = words[0].removeprefix("./")
            output.write_text(PRINTS[program])
            return Result({"lines": 0, "shy": 4}.get(program, 1), PRINTS[program])

    @contextlib.contextmanager
    def boot() -> Iterator[Foreign]:
        yield Foreign({})

    programs = (
        ProgramConfig(name="a", run="./speaks"),
        ProgramConfig(name="b", run="./speaks", format=LINES),
        ProgramConfig(name="c", run="./lines", format=LINES),
        ProgramConfig(name="d", run="./speaks", format="exit"),
        ProgramConfig(name="e", run="./mute"),
        ProgramConfig(name="f", run="./newer"),
        ProgramConfig(name="g", run="./shy"),
    )
    config = Suite(kind="tree", directory=tmp_path, programs=programs, absent="skip")
    asked = suite.Request("tree", config, ("*",), tmp_path / "out", programs=tuple(PRINTS))
    run = performed(asked, boot)
    statuses = {t.name: t.status for t in run.tests}
    ok, bad = Status.PASS, Status.FAIL
    assert statuses == {
        "f": Status.SKIP, "a.one": ok, "a.two": bad, "b.one": ok, "b.two": bad, "c.one": ok, "d": bad, "e": bad,
        "g.no": Status.SKIP,
    }  # fmt: skip
    assert run.problems == ()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("1..3\nok 1 a # SKIP\nnot ok 2 b[   12.345678] foo\nok 3 c # SKIP\n", "p: a kernel line runs through"),
        ("TAP version 13\n1..3\nok 1 a # SKIP\nBail out! kernel is broken\n", "p: Bail out! kernel is broken"),
    ],
)
def test_a_skip_by_the_exit_code_excuses_no_more_than_what_is_missing_of_the_plan(
    tmp_path: Path, text: str, problem: str
) -> None:
    class Skipping(FakeGuest):
        def perform(self, program: str, words: list[str], output: Path) -> Result:
            output.write_text(text)
            return Result(4, text)

    programs = (ProgramConfig(name="p", file=tmp_path / "p.c"),)
    wanted = suite.Request("s", Suite(kind="program", programs=programs), ("*",), tmp_path / "out")
    run = performed(wanted, lambda: contextlib.nullcontext(Skipping({})))
    assert any(line.startswith(problem) for line in run.problems)
    assert Status.MISSING in {test.status for test in run.tests}


class Losing(FakeGuest):
    """A guest whose SSH is lost where a test says so; what the program printed last does not arrive."""

    def perform(self, program: str, words: list[str], output: Path) -> Result:
        result = super().perform(program, words, output)
        picked = [words[k + 1] for k, word in enumerate(words) if word == "-r"]
        if lost := next((t for t in picked if self.programs[program][t].startswith("lose")), None):
            kept = output.read_text().split(f"# begin: {lost}")[0]
            output.write_text("" if self.programs[program][lost] == "lose-all" else kept + f"# begin: {lost}\n")
            before = picked[: picked.index(lost)]
            marks = [f"wpci: {word} {test}\n" for test in before for word in ("begin", "end")]
            self.console.write_text("".join(marks) + f"wpci: begin {lost}\n")
            raise InfraError("the connection to the guest was lost; the kernel says nothing of it")
        return result


def lossy(
    tmp_path: Path, programs: dict[str, dict[str, str]], at_once: int = 0
) -> tuple[dict[str, Status], list[Losing], str]:
    """Run programs in guests that lose their connection; return the statuses, the guests, and the fault."""
    guests: list[Losing] = []

    @contextlib.contextmanager
    def boot() -> Iterator[Losing]:
        console = tmp_path / f"console-{len(guests)}"
        console.write_text("")
        guests.append(Losing(programs, console))
        yield guests[-1]

    said: list[SuiteRun] = []
    with pytest.raises(InfraError) as fault:
        suite.run(dataclasses.replace(request(tmp_path), at_once=at_once), boot, SILENT, said.append)
    return {t.name: t.status for t in said[0].tests}, guests, str(fault.value)


def test_a_lost_connection_costs_the_test_that_ran_and_names_it(tmp_path: Path) -> None:
    programs = {"a": {"A01": "ok", "A02": "lose", "A03": "ok"}, "b": {"B01": "not ok"}}
    seen, guests, fault = lossy(tmp_path, programs)
    assert seen == {"A01": Status.PASS, "A02": Status.ERROR, "A03": Status.PASS, "B01": Status.FAIL}
    assert len(guests) == 2
    assert fault == "the connection to the guest was lost; the kernel says nothing of it (during A02)"


def test_the_console_tells_who_ran_where_the_output_did_not_arrive(tmp_path: Path) -> None:
    """A01 had ended, and its result is lost on the way: it runs again, and A02 is charged."""
    seen, guests, fault = lossy(tmp_path, {"a": {"A01": "ok", "A02": "lose-all", "A03": "ok"}})
    assert seen == {"A01": Status.PASS, "A02": Status.ERROR, "A03": Status.PASS}
    assert "during A02" in fault
    assert len(guests) == 2


def test_a_host_that_loses_guest_after_guest_is_given_up(tmp_path: Path) -> None:
    tests = {f"A{k:02}": "lose" for k in range(9)}
    seen, guests, fault = lossy(tmp_path, {"a": tests})
    assert len(guests) == suite.MAX_FAULTS
    assert set(seen) == set(tests)
    assert list(seen.values()).count(Status.MISSING) == 9 - suite.MAX_FAULTS
    assert "during A00" in fault


def test_a_repetition_that_the_host_cut_off_is_no_outcome(tmp_path: Path) -> None:
    first = SuiteRun("own", (TestResult("A01", Status.FAIL), TestResult("A02", Status.FAIL)), (), 1.0)
    said: list[SuiteRun] = []

    @contextlib.contextmanager
    def boot() -> Iterator[Losing]:
        (tmp_path / "console").write_text("")
        yield Losing({"a": {"A01": "ok", "A02": "lose"}}, tmp_path / "console")

    with pytest.raises(InfraError):
        suite.run(request(tmp_path), boot, SILENT, said.append)
    both = merged(first, said[0])
    assert {t.name: t.status for t in both.tests} == {"A01": Status.PASS, "A02": Status.FAIL}
    assert dict(both.retried) == {"A01": (Status.FAIL,)}


def test_a_crash_is_charged_by_the_console_not_by_the_last_line_that_arrived(tmp_path: Path) -> None:
    """Each cut of what a guest said: the same test is charged, and none is lost."""
    whole = "KTAP version 1\n1..3\n# begin: A01\nok 1 A01\n# begin: A02\n"
    windows = protocol.Windows()
    for line in ("wpci: begin A01", "wpci: end A01", "wpci: begin A02", "Kernel panic"):
        windows.take(line)
    for cut in range(len(whole) + 1):
        report = ktap.parse(whole[:cut], planned=["A01", "A02", "A03"])
        state = State()
        left = state.settle("a", report.tests, ["A01", "A02", "A03"], windows, Loss(Status.CRASHED, "panic"))
        crashed = [t.name for t in state.results if t.status is Status.CRASHED]
        assert crashed == ["A02"] and state.problems == []
        assert sorted([*left, *(t.name for t in state.results)]) == ["A01", "A02", "A03"]


@pytest.mark.parametrize("done", [["A01", "A02"], ["A01", "A02", "A03"]])
@pytest.mark.parametrize(
    ("death", "end"),
    [
        ("reset", Result(None, why="the guest died: the guest reset itself")),
        (None, Result(None, why="no output and no console line for 60 s", hung=True)),
        (None, Result(None, why="out of time")),
        ("killed", InfraError("QEMU was killed by signal 9")),
    ],
)
def test_a_loss_while_no_test_ran_is_a_problem_and_the_hosts_fault_is_none(
    tmp_path: Path, done: list[str], death: str | None, end: Result | InfraError
) -> None:
    class Late(FakeGuest):
        def perform(self, program: str, words: list[str], output: Path) -> Result:
            if len(lab.guests) > 1 or self.ran:
                return super().perform(program, words, output)
            self.ran += done
            lines = [f"# begin: {test}\nok {k} {test}\n" for k, test in enumerate(done, 1)]
            output.write_text("KTAP version 1\n1..3\n" + "".join(lines))
            self.death = death
            if isinstance(end, InfraError):
                raise end
            return end

    class Ending(Lab):
        @contextlib.contextmanager
        def boot(self) -> Iterator[FakeGuest]:
            self.guests.append(Late(self.programs))
            yield self.guests[-1]

    lab = Ending({"a": {"A01": "ok", "A02": "ok", "A03": "ok"}})
    kept: list[SuiteRun] = []
    is_host = isinstance(end, InfraError)
    with pytest.raises(InfraError) if is_host else contextlib.nullcontext():
        suite.run(request(tmp_path), lab.boot, SILENT, kept.append)
    (run,) = kept
    assert {test.name: test.status for test in run.tests} == dict.fromkeys(["A01", "A02", "A03"], Status.PASS)
    assert run.problems == (() if isinstance(end, InfraError) else (f"a: {end.why}, while no test ran",))
    assert run.cut_off == ()
    assert verdict.judge_job((), (run,), ())[0] is (Verdict.PASS if is_host else Verdict.FAIL)


AVAILABLE = {"a": ["A01_x", "A02_y"], "r": ["R01_z"], "b": ["B01_q.m", "B01_q.n"]}


def test_rounds_run_each_test_once_and_the_late_ones_last() -> None:
    assert suite.by_rounds(AVAILABLE, (("B01_q.n", "R01"), ("A02",), ("*",)), ("R*",)) == [
        ("b", ["B01_q.n"]), ("a", ["A02_y"]), ("a", ["A01_x"]), ("b", ["B01_q.m"]), ("r", ["R01_z"]),
    ]  # fmt: skip
    assert suite.by_rounds(AVAILABLE, (("A01",),)) == [("a", ["A01_x"])]


def trying(folder: Path, **changes: Any) -> suite.Request:
    trial = Trial((("B01",), ("*",)), limit=2.0, budget=0.5)
    asked = dataclasses.replace(request(folder), trial=trial, scale=5.0, enough=lambda test: test.status.broken)
    return dataclasses.replace(asked, **changes)


def test_a_hunt_ends_with_the_first_test_that_is_enough(tmp_path: Path) -> None:
    lab = Lab({"a": {"A01_x": "ok"}, "b": {"B01_q": "ok", "B02_q": "not ok"}, "c": {"C01_q": "ok"}})
    assert outcome(lab, trying(tmp_path)) == {
        "B01_q": Status.PASS, "A01_x": Status.PASS, "B02_q": Status.FAIL,
    }  # fmt: skip
    assert trying(tmp_path).test_seconds == 10.0


def test_each_test_of_a_trial_has_the_time_that_it_needs(tmp_path: Path) -> None:
    lab = Lab({"b": {"B01_q": "ok", "B02_q": "ok", "B03_q": "ok"}})
    trial = Trial((("*",),), limit=20.0, budget=0.5, limits={"B01_q": 1.5, "B03_q": 1.5})
    outcome(lab, trying(tmp_path, trial=trial, scale=2.0))
    assert [command.partition("-t ")[2] for command in lab.guests[0].commands] == [
        "3 -r B01_q -r B03_q -b 0.5 -x", "40 -r B02_q -b 0.5 -x",
    ]  # fmt: skip


def test_a_suite_says_what_its_tests_get_that_work_for_a_time(tmp_path: Path) -> None:
    lab = Lab({"b": {"B01_q": "ok"}})
    config = Suite.model_validate({"test_timeout": "20s", "budget": "3s"})
    asked = dataclasses.replace(request(tmp_path), suite=config, scale=5.0)
    outcome(lab, asked)
    assert [command.partition("-t ")[2] for command in lab.guests[0].commands] == ["100 -r B01_q -b 3"]
    assert asked.quiet == 103.0, "on top of what any test may take"


def test_a_program_that_stops_at_its_first_failure_leaves_nothing_missing(tmp_path: Path) -> None:
    lab = Lab({"b": {"B01_q": "not ok", "B02_q": "ok"}})
    trial = Trial((("*",),), limit=2.0, budget=0.5)
    assert outcome(lab, trying(tmp_path, trial=trial)) == {"B01_q": Status.FAIL}
    never = trying(tmp_path, trial=trial, enough=lambda test: False)
    assert outcome(lab, never) == {"B01_q": Status.FAIL, "B02_q": Status.PASS}, "it was not enough: the rest runs"


def test_a_crash_ends_a_hunt_without_a_second_guest(tmp_path: Path) -> None:
    lab = Lab({"b": {"B01_q": "crash", "B02_q": "ok"}})
    assert outcome(lab, trying(tmp_path)) == {"B01_q": Status.CRASHED}
    assert len(lab.guests) == 1


def test_what_was_enough_once_and_not_again_does_not_end_a_hunt(tmp_path: Path) -> None:
    lab = Lab({"b": {"B01_q": "not ok,ok", "B02_q": "not ok", "B03_q": "ok"}})
    run = performed(trying(tmp_path), lab.boot)
    assert [(t.name, t.status) for t in run.tests] == [("B01_q", Status.PASS), ("B02_q", Status.FAIL)]
    assert dict(run.retried) == {"B01_q": (Status.FAIL,), "B02_q": (Status.FAIL,)}


def test_a_program_that_was_not_packed_is_not_our_guest(tmp_path: Path) -> None:
    lab = Lab({"../../../../etc/x": {"A01": "ok"}})
    with pytest.raises(KernelError, match="was not packed"):
        performed(request(tmp_path), lab.boot)
    lab = Lab({"a": {"A01": "ok"}, "b": {"B01": "ok"}})
    with pytest.raises(KernelError, match="was not packed: 'b'"):
        performed(dataclasses.replace(request(tmp_path), programs=("a",)), lab.boot)


def ends(lab: Lab, tmp_path: Path, ending: PipelineError) -> list[SuiteRun]:
    @contextlib.contextmanager
    def boot() -> Iterator[FakeGuest]:
        with lab.boot() as guest:
            yield guest
        guest.ending = ending

    done: list[SuiteRun] = []
    with contextlib.suppress(InfraError):
        suite.run(request(tmp_path), boot, SILENT, done.append)
        done.append(done[0])
    return done


def test_a_guest_that_ends_as_it_should_not_is_a_problem_of_the_suite(tmp_path: Path) -> None:
    lab = Lab({"a": {"A01": "ok"}})
    run, _ = ends(lab, tmp_path, KernelError("the guest did not end as it should"))
    assert run.problems == ("the guest did not end as it should",)
    assert len(ends(lab, tmp_path, InfraError("QEMU was killed by signal 9"))) == 1, "the fault of the host was raised"


@pytest.mark.parametrize(
    ("code", "acts", "problems"),
    [
        (0, "ok", ()),
        (3, "ok", ("a: exit code 3, and no test failed",)),
        (139, "ok", ("a: exit code 139: killed by signal 11 behind its results",)),
        (4, "ok", ("a: exit code 4, and no test failed",)),
        (1, "not ok", ()),
        (0, "not ok", ()),
        (139, "not ok", ("a: exit code 139: killed by signal 11 behind its results",)),
        (255, "not ok", ()),
    ],
)
def test_an_exit_code_and_result_lines_agree(tmp_path: Path, code: int, acts: str, problems: tuple[str, ...]) -> None:
    class Ending(FakeGuest):
        def perform(self, program: str, words: list[str], output: Path) -> Result:
            super().perform(program, words, output)
            return Result(code)

    @contextlib.contextmanager
    def boot() -> Iterator[FakeGuest]:
        yield Ending({"a": {"A01": acts}})

    assert performed(request(tmp_path), boot).problems == problems


def test_a_program_that_skips_everything_may_say_so_by_its_exit_code() -> None:
    state = State()
    state.check_exit("a", 4, [TestResult("A01", Status.SKIP)])
    assert state.problems == []


def test_a_red_case_explains_no_death_by_a_signal_behind_it() -> None:
    for status in (Status.FAIL, Status.XFAIL, Status.ERROR):
        state, results = State(), [TestResult("A01", Status.PASS), TestResult("A02", status)]
        state.check_exit("a", 134, results)
        assert state.problems == ["a: exit code 134: killed by signal 6 behind its results"]
    for status, problems in (
        (Status.CRASHED, []),  # it died in this one
        (Status.MISSING, ["a: exit code 134: killed by signal 6"]),  # or before it, or its result line is lost
    ):
        state = State()
        state.check_exit("a", 134, [TestResult("A01", Status.PASS), TestResult("A02", status)])
        assert state.problems == problems


def test_each_run_of_a_program_is_given_words_for_its_tests(tmp_path: Path) -> None:
    lab = Lab({"a": {"A01": "ok", "A02": "ok"}, "b": {"B01": "ok"}})
    performed(request(tmp_path), lab.boot)
    first, second = lab.guests[0].rows
    assert first and second
    assert (first.tests, second.tests, len(first.words)) == (("A01", "A02"), ("B01",), 4)
    assert len({*first.words, *second.words}) == 6
    assert not any(word in command for word in first.words for command in lab.guests[0].commands)


def test_so_many_differences_end_a_hunt_for_all(tmp_path: Path) -> None:
    tests = {f"B{number:02}_q": "not ok" for number in range(40)}
    trial = Trial((("*",),), limit=2.0, budget=0.5, every_test=True, most=5)
    asked = trying(tmp_path, trial=trial, enough=lambda test: False, differs=lambda test: test.status.broken)
    seen = outcome(Lab({"b": tests}), asked)
    assert set(seen.values()) == {Status.FAIL} and len(seen) == 16, "a command of a few tests, and then it is over"
    every = dataclasses.replace(asked, trial=dataclasses.replace(trial, most=41))
    assert len(outcome(Lab({"b": tests}), every)) == 40


class Figures(Silent):
    """Remembers what is left, each time that a figure is shown."""

    def __init__(self) -> None:
        self.left: list[tuple[float, float | None]] = []

    def advance(self, what: str, done: float, total: float | None, left: float | None = None) -> None:
        self.left.append((done, left))


def shown(asked: suite.Request, lab: Lab) -> list[tuple[float, float | None]]:
    progress = Figures()
    suite.run(asked, lab.boot, progress, lambda run: None)
    return list(dict.fromkeys(progress.left))


def test_what_is_left_is_what_the_rest_took_the_last_time(tmp_path: Path) -> None:
    lab = Lab({"a": {"A01_x": "ok", "A02_y": "ok"}, "b": {"B01_z": "ok"}})
    asked = dataclasses.replace(request(tmp_path), last={"A01_x": 40.0, "A02_y": 10.0, "B01_z": 7.0})
    assert shown(asked, lab) == [(0, 57.0), (1, 17.0), (2, 7.0), (3, None)]
    assert shown(dataclasses.replace(asked, repeat=2), lab)[0] == (0, 114.0)


def test_a_test_that_never_ran_takes_what_the_others_take_and_nobody_guesses_without_any(tmp_path: Path) -> None:
    asked = dataclasses.replace(request(tmp_path), last={"A01": 4.0, "A02": 2.0, "prog.one": 5.0, "prog.two": 6.0})
    assert asked.left(["A01", "A02", "new"]) == 9.0
    assert asked.left(["prog"]) == 11.0, "a program takes what its cases took"
    assert asked.left(["new"]) is None and asked.left([]) is None
    assert asked.left(["A01", "new", "newer"]) is None, "of most nothing is known"


def test_what_tests_took_is_added_up_once_and_not_at_each_result(tmp_path: Path) -> None:
    class Counted(dict[str, float]):
        looks = 0

        def items(self) -> Any:
            self.looks += 1
            return super().items()

    last = Counted({f"A{number}": 1.0 for number in range(50)})
    asked = dataclasses.replace(request(tmp_path), last=last)
    assert [asked.left([f"A{number}"] * number) for number in range(1, 50)] == list(range(1, 50))
    assert last.looks == 1
    assert {left for _, left in shown(request(tmp_path), Lab({"a": {"A01": "ok"}}))} == {None}


def test_several_guests_at_a_time_share_what_is_left(tmp_path: Path) -> None:
    lab = Lab({"a": {"A01": "ok", "A02": "ok", "A03": "ok"}})
    asked = dataclasses.replace(request(tmp_path), at_once=2, last={"A01": 8.0, "A02": 8.0, "A03": 8.0})
    assert shown(asked, lab) == [(1, 8.0), (2, 4.0), (3, None)]


def test_the_first_red_test_ends_the_suite_and_one_that_is_meant_to_fail_does_not(tmp_path: Path) -> None:
    lab = Lab({"a": {"A01": "not ok", "A02": "not ok", "A03": "ok"}, "b": {"B01": "ok"}})
    asked = dataclasses.replace(request(tmp_path), red=lambda test: test.name != "A01" and test.status.broken)
    run = performed(asked, lab.boot)
    assert {test.name: test.status for test in run.tests} == {"A01": Status.FAIL, "A02": Status.FAIL}
    assert run.stopped_at == "A02" and run.problems == ()
    assert performed(request(tmp_path), lab.boot).stopped_at == ""


def test_a_crash_is_a_first_red_too(tmp_path: Path) -> None:
    lab = Lab({"a": {"A01": "crash", "A02": "ok"}})
    run = performed(dataclasses.replace(request(tmp_path), red=lambda test: test.status.broken), lab.boot)
    assert run.stopped_at == "A01" and [test.name for test in run.tests] == ["A01"] and len(lab.guests) == 1


@pytest.mark.parametrize("at_once", [1, 2])
def test_the_first_red_ends_isolated_tests_and_no_other_guest_is_booted(tmp_path: Path, at_once: int) -> None:
    lab = Lab({"a": {"A01": "ok", "A02": "not ok"} | {f"A{k:02}": "ok" for k in range(3, 30)}})
    asked = dataclasses.replace(request(tmp_path), at_once=at_once, red=lambda test: test.status.broken)
    run = performed(asked, lab.boot)
    assert run.stopped_at == "A02" and run.problems == () and run.cut_off == ()
    seen = {test.name: test.status for test in run.tests}
    assert seen["A01"] is Status.PASS and seen["A02"] is Status.FAIL and Status.MISSING not in seen.values()
    assert len(lab.guests) == 1 + len(seen) and (at_once > 1 or len(seen) == 2)


class Beside(Lab):
    """Notes which tests run beside one another."""

    def __init__(self, programs: dict[str, dict[str, str]]) -> None:
        super().__init__(programs)
        self.at_work: set[str] = set()
        self.seen: list[frozenset[str]] = []

    @contextlib.contextmanager
    def boot(self) -> Iterator[FakeGuest]:
        with super().boot() as guest:
            perform = guest.perform

            def noted(program: str, words: list[str], output: Path) -> Result:
                self.at_work.add(words[-1])
                threading.Event().wait(0.05)
                self.seen.append(frozenset(self.at_work))
                threading.Event().wait(0.05)
                self.at_work.discard(words[-1])
                return perform(program, words, output)

            guest.perform = noted  # type: ignore[method-assign]
            yield guest


@pytest.mark.parametrize("most", [1, 2])
def test_isolated_tests_that_want_the_cores_to_themselves_run_behind_the_others(tmp_path: Path, most: int) -> None:
    lab = Beside({"a": {"R01": "ok", "A01": "ok", "R02": "ok", "A02": "ok"}})
    asked = dataclasses.replace(request(tmp_path, exclusive=["R*"]), at_once=2, exclusive_at_once=most)
    run = performed(asked, lab.boot)
    assert [test.name for test in run.tests] == ["R01", "A01", "R02", "A02"]
    assert max(len(names) for names in lab.seen[2:]) <= most
    assert {name for names in lab.seen[:2] for name in names} == {"A01", "A02"}
    assert {name for names in lab.seen[2:] for name in names} == {"R01", "R02"}


def test_isolated_a_kernel_that_always_crashes_costs_each_test_its_own_guest_alone(tmp_path: Path) -> None:
    tests = {f"A{k:02}": "crash" for k in range(suite.MAX_CRASHES + 5)}
    lab = Lab({"a": tests})
    run = performed(dataclasses.replace(request(tmp_path), at_once=2), lab.boot)
    assert {test.name: test.status for test in run.tests} == dict.fromkeys(tests, Status.CRASHED)


def test_isolated_a_host_that_loses_guest_after_guest_is_given_up(tmp_path: Path) -> None:
    tests = {f"A{k:02}": "lose" for k in range(9)}
    seen, _, fault = lossy(tmp_path, {"a": tests}, at_once=1)
    assert set(seen) == set(tests) and "during A00" in fault
    assert list(seen.values()).count(Status.MISSING) == 9 - suite.MAX_FAULTS


class Faulty(Lab):
    """Of its guests so many come up."""

    def __init__(self, programs: dict[str, dict[str, str]], number: int, fault: BaseException) -> None:
        super().__init__(programs)
        self.number, self.fault = number, fault

    @contextlib.contextmanager
    def boot(self) -> Iterator[FakeGuest]:
        if len(self.guests) >= self.number:
            raise self.fault
        with super().boot() as guest:
            yield guest


@pytest.mark.parametrize("at_once", [1, 2])
@pytest.mark.parametrize("fault", [InfraError("QEMU did not start"), KernelError("panic"), KeyboardInterrupt()])
def test_a_fault_of_one_isolated_test_keeps_what_the_others_showed(
    tmp_path: Path, at_once: int, fault: BaseException
) -> None:
    lab = Faulty({"a": {"A01": "not ok", "A02": "ok", "A03": "ok", "A04": "ok"}}, 3, fault)
    kept: list[SuiteRun] = []

    def run() -> None:
        process.use_group(process.ChildGroup())  # an interruption cuts it
        suite.run(dataclasses.replace(request(tmp_path), at_once=at_once), lab.boot, SILENT, kept.append)

    with pytest.raises(type(fault)):
        contextvars.copy_context().run(run)
    left = {test.name for test in kept[0].tests if test.status is Status.MISSING}
    seen = {test.name: test.status for test in kept[0].tests if test.name not in left}
    assert len(seen) >= 2 and set(seen.values()) == {Status.FAIL, Status.PASS} and seen["A01"] is Status.FAIL
    assert len(kept[0].outputs) == len(seen)
    assert left == (set() if isinstance(fault, KeyboardInterrupt) else lab.programs["a"].keys() - seen)
    assert set(kept[0].cut_off) == (left if isinstance(fault, InfraError) else set())


@pytest.mark.parametrize("fault", [InfraError("QEMU did not start"), Hung("no login in 300 s")])
@pytest.mark.parametrize("number", [1, 2])
def test_the_tests_for_which_no_guest_came_up_are_missing(tmp_path: Path, fault: PipelineError, number: int) -> None:
    tests = {"A01": "ok", "A02": "crash", "A03": "crash", "A04": "ok"}
    lab, kept = Faulty({"a": tests}, number, fault), list[SuiteRun]()
    with pytest.raises(type(fault)):
        suite.run(request(tmp_path), lab.boot, SILENT, kept.append)
    (run,) = kept
    left = ("A03", "A04")[number - 1 :]
    assert [test.name for test in run.tests] == list(tests)
    assert {test.name: test.reason for test in run.tests if test.status is Status.MISSING} == dict.fromkeys(
        left, f"did not run: {fault}"
    )
    assert run.cut_off == (left if isinstance(fault, InfraError) else ())


@pytest.mark.parametrize("shards", [1, 2])
def test_the_programs_for_which_no_guest_came_up_are_missing(tmp_path: Path, shards: int) -> None:
    class Dying(FakeGuest):
        def perform(self, program: str, words: list[str], output: Path) -> Result:
            self.death = "panic"
            return Result(None, why="the guest died: panic")

    class Once(Lab):
        @contextlib.contextmanager
        def boot(self) -> Iterator[FakeGuest]:
            if self.guests:
                raise Hung("no login in 300 s")
            self.guests.append(Dying({}))
            yield self.guests[-1]

    programs = tuple(ProgramConfig(name=name, run=f"./{name}") for name in ("p", "q", "r"))
    config = Suite(kind="tree", directory=tmp_path, programs=programs)
    asked = suite.Request("tree", config, ("*",), tmp_path / "out", split=suite.Split(shards, 1))
    kept: list[SuiteRun] = []
    with pytest.raises(Hung):
        suite.run(asked, Once({}).boot, SILENT, kept.append)
    assert [(test.name, test.status) for test in kept[0].tests] == [
        ("p", Status.CRASHED), ("q", Status.MISSING), ("r", Status.MISSING),
    ]  # fmt: skip


def test_a_base_of_which_a_later_guest_does_not_come_up_refuses_nothing(tmp_path: Path) -> None:
    """A series is not charged with a test that is red on both, nor credited with one that it refuses."""
    kept: list[SuiteRun] = []
    lab = Faulty({"a": {"A01": "ok", "A02": "crash", "A03": "not ok", "A04": "ok"}}, 1, Hung("no login in 300 s"))
    with pytest.raises(Hung):
        suite.run(request(tmp_path), lab.boot, SILENT, kept.append)
    (cut,) = kept
    shown = {"A01": Status.PASS, "A02": Status.CRASHED, "A03": Status.FAIL, "A04": Status.SKIP}
    whole = dataclasses.replace(cut, tests=tuple(TestResult(name, status) for name, status in shown.items()))
    fell = StageResult(Stage.SUITE, Verdict.FAIL, 1.0, "no login in 300 s")

    def ran(side: Side, run: SuiteRun) -> JobResult:
        return results.job(side, (), suites=(run,), stages=(fell,) if run is not whole else ())

    def judged(base: SuiteRun, patched: SuiteRun) -> SeriesResult:
        return series_verdict.judge(ran(Side.BASE, base), ran(Side.PATCHED, patched))

    made = judged(cut, whole)
    assert made.verdict is Verdict.INFRA
    notes = {change.test: (change.verdict, change.note) for change in made.transitions}
    assert notes["A03"] == (Verdict.INFRA, "not known on the base, which has no result of it")
    assert notes["A04"] == (Verdict.SKIP, "not known on the base, which has no result of it")
    assert judged(dataclasses.replace(cut, tests=()), whole).transitions[2].verdict is Verdict.INFRA
    assert judged(whole, cut).verdict is Verdict.FAIL


@pytest.mark.parametrize("kind", ["own", "program"])
def test_a_test_may_be_silent_as_long_as_it_may_run(tmp_path: Path, kind: str) -> None:
    class Quiet(FakeGuest):
        def perform(self, program: str, words: list[str], output: Path) -> Result:
            return super().perform(program, words, output) if self.programs else Result(0)

    guest = Quiet({"a": {"A01": "ok"}} if kind == "own" else {})
    programs = (ProgramConfig(name="a", file=tmp_path / "a.c"),) if kind == "program" else ()
    config = Suite.model_validate({"kind": kind, "programs": programs, "test_timeout": 400.0})
    asked = suite.Request("s", config, ("*",), tmp_path / "out", scale=2.0, repeat=3)
    performed(asked, lambda: contextlib.nullcontext(guest))
    assert guest.quiet == ([2400.0] if kind == "own" else [800.0] * 3), "ktap.h says nothing between runs"


@pytest.mark.parametrize(("timeout", "status"), [(600.0, Status.PASS), (0.01, Status.TIMEOUT)])
def test_an_endless_program_that_the_suite_cut_short_has_not_run_its_time(
    tmp_path: Path, timeout: float, status: Status
) -> None:
    class Endless(FakeGuest):
        def perform(self, program: str, words: list[str], output: Path) -> Result:
            threading.Event().wait(min(0.05, timeout))
            return Result(None, why="out of time")

    programs = (ProgramConfig(name="a", file=tmp_path / "a.c", endless=True),)
    config = Suite(kind="program", programs=programs, test_timeout=60.0, timeout=timeout)
    asked = suite.Request("s", config, ("*",), tmp_path / "out")
    guest = Endless({})
    run = performed(asked, lambda: contextlib.nullcontext(guest))
    assert [test.status for test in run.tests] == [status]
    assert guest.endless == [True], "its end is no reason to look at the guest"


class Listing(FakeGuest):
    """A guest in which what a command prints comes from busybox's shell, or some other."""

    def run(self, command: str, **options: Any) -> Result:
        if not command.endswith("; done"):
            return super().run(command, **options)
        script = command.replace("/tests/own", str(self.console.parent))
        done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False)
        return Result(done.returncode, done.stdout)


def test_a_program_that_dies_while_it_lists_its_tests_is_a_problem(tmp_path: Path) -> None:
    packed = tmp_path / "packed"
    packed.mkdir()
    for name, script in {"a": "echo A01", "b": "echo B01; kill -SEGV $$", "c": "", "notes": ""}.items():
        (packed / name).write_text(f"#!/bin/sh\n{script}\n")
        (packed / name).chmod(0o644 if name == "notes" else 0o755)
    guest = Listing({"a": {"A01": "ok"}, "b": {"B01": "ok"}}, packed / "console")
    asked = dataclasses.replace(request(tmp_path), programs=("a", "b", "c"))
    run = performed(asked, lambda: contextlib.nullcontext(guest))
    assert run.problems == ("b -l: exit code 139", "c -l: lists no test")
    assert [test.name for test in run.tests] == ["A01", "B01"]


@pytest.mark.parametrize(
    ("result", "problem"),
    [
        (Result(None, "== a\nA01\n", why="out of time"), "the list of tests did not end: out of time"),
        (Result(0, "== a\nA01\n", truncated=True), "the list of tests was cut at 1048576 bytes"),
    ],
)
def test_a_list_of_tests_that_is_not_whole_is_a_problem(tmp_path: Path, result: Result, problem: str) -> None:
    class Cut(FakeGuest):
        def run(self, command: str, **options: Any) -> Result:
            return result if command.endswith("; done") else super().run(command, **options)

    guest = Cut({"a": {"A01": "ok"}})
    assert performed(request(tmp_path), lambda: contextlib.nullcontext(guest)).problems == (problem,)


def test_a_case_that_is_called_as_another_program_hides_no_result(tmp_path: Path) -> None:
    class Foreign(FakeGuest):
        def perform(self, program: str, words: list[str], output: Path) -> Result:
            text = "1..1\nnot ok 1 b\n" if words[0] == "./a" else "whatever\n"
            output.write_text(text)
            return Result(int("not ok" in text), text)

    programs = tuple(ProgramConfig(name=name, run=f"./{name}") for name in ("a", "a.b"))
    config = Suite(kind="tree", directory=tmp_path, programs=programs)
    run = performed(
        suite.Request("tree", config, ("*",), tmp_path / "out"), lambda: contextlib.nullcontext(Foreign({}))
    )
    assert {test.name: test.status for test in run.tests} == {"a.b": Status.FAIL, "a.b#2": Status.PASS}
    assert len(run.tests) == 2


@pytest.mark.parametrize("at_once", [0, 2])
@pytest.mark.parametrize(
    ("result", "problem"),
    [
        (Result(0), None),
        (Result(32, "mounting none on /mnt failed: No such device\n"),
         "setup 'mount -t no none /mnt': exit code 32"),
        (Result(1), "setup 'mount -t no none /mnt': exit code 1"),
        (Result(None, why="out of time"), "setup 'mount -t no none /mnt': out of time"),
    ],
)  # fmt: skip
def test_a_command_that_does_not_set_a_suite_up_is_a_problem(
    tmp_path: Path, at_once: int, result: Result, problem: str | None
) -> None:
    class Bare(FakeGuest):
        def run(self, command: str, **options: Any) -> Result:
            return result if "mount" in command else super().run(command, **options)

        def perform(self, program: str, words: list[str], output: Path) -> Result:
            return Result(0)

    programs = tuple(ProgramConfig(name=name, run=f"./{name}") for name in "ab")
    config = Suite(kind="tree", directory=tmp_path, programs=programs, setup=("mount -t no none /mnt",))
    asked = suite.Request("tree", config, ("*",), tmp_path / "out", at_once=at_once)
    run = performed(asked, lambda: contextlib.nullcontext(Bare({})))
    assert run.problems == ((problem,) if problem else ())
    assert [test.name for test in run.tests] == ["a", "b"]


@pytest.mark.parametrize(
    ("form", "code", "status"),
    [
        ("auto", 0, Status.FAIL),
        ("auto", 77, Status.FAIL),
        ("auto", 1, Status.FAIL),
        ("auto", 125, Status.ERROR),
        ("exit", 0, Status.PASS),
    ],
)
def test_a_program_that_says_not_ok_without_a_plan_does_not_pass(
    tmp_path: Path, form: str, code: int, status: Status
) -> None:
    """Its name stays that of the program: where nothing fails it may print no result line at all."""

    class Own(FakeGuest):
        def perform(self, program: str, words: list[str], output: Path) -> Result:
            return Result(code, "ok 1 one\nnot ok 2 two\n")

    programs = (ProgramConfig.model_validate({"name": "a", "file": tmp_path / "a.c", "format": form}),)
    asked = suite.Request("s", Suite(kind="program", programs=programs), ("*",), tmp_path / "out")
    (test,) = performed(asked, lambda: contextlib.nullcontext(Own({}))).tests
    assert (test.name, test.status) == ("a", status)
    assert code not in (0, 77) or form == "exit" or test.reason == f"exit code {code}, and it printed: not ok 2 two"


CUT = Result(None, why="did not end in 60 s")


@dataclass
class Printing(FakeGuest):
    """A guest whose one program prints a text, one a run, and ends as it is told to."""

    texts: tuple[str, ...] = ("",)
    ends: tuple[Result | Exception, ...] = (CUT,)

    def perform(self, program: str, words: list[str], output: Path) -> Result:
        number = len(self.commands) - 1
        text, end = self.texts[min(number, len(self.texts) - 1)], self.ends[min(number, len(self.ends) - 1)]
        output.write_text(text)
        if isinstance(end, Exception):
            raise end
        self.death = "a panic" if end.why.startswith("the guest died") else None
        return dataclasses.replace(end, stdout=text)


def printed(
    folder: Path, *texts: str, ends: tuple[Result | Exception, ...] = (CUT,), repeat: int = 1, **config: Any
) -> SuiteRun:
    """Run a program of the user's that prints these texts, each in a run, and ends so."""
    program = ProgramConfig.model_validate({"name": "p.sh", "file": folder / "p.sh", **config})
    settings = Suite(kind="program", programs=(program,))
    asked = suite.Request("uffd", settings, ("*",), folder / "out", repeat=repeat)
    runs: list[SuiteRun] = []
    guest = Printing({}, texts=texts or ("",), ends=ends)
    with contextlib.suppress(InfraError):
        suite.run(asked, lambda: contextlib.nullcontext(guest), SILENT, runs.append)
    return runs[0]


def statuses(run: SuiteRun) -> dict[str, str]:
    return {test.name: test.status.value for test in run.tests}


def compared(base: SuiteRun, patched: SuiteRun, promised: Expectations = NONE) -> SeriesResult:
    before, after = (results.job(side, (), suites=(run,)) for side, run in ((Side.BASE, base), (Side.PATCHED, patched)))
    return series_verdict.judge(before, after, {"uffd": promised}, "stock", "patched")


KTAP = "TAP version 13\n1..3\nok 1 alpha\n{} 2 beta\n#  RUN           gamma ...\n"
OWN_WORDS = "case alpha: fine\ncase beta: {}\ncase gamma:\n"
WORDS = {
    "case": "^case (?P<name>\\w+):(?: (?P<outcome>\\w+))?$",
    "outcomes": {"fine": "pass", "bad": "fail"},
    "total": "^sum (?P<total>.)$",
}
DIED = Result(None, why="the guest died: a panic")


@pytest.mark.parametrize(("end", "status"), [(CUT, "timeout"), (DIED, "crashed"), (InfraError("SSH lost"), "error")])
@pytest.mark.parametrize(
    ("text", "bad", "form"), [(KTAP, "not ok", "auto"), (KTAP, "not ok", "ktap"), (OWN_WORDS, "bad", WORDS)]
)
def test_the_cases_that_a_program_had_ended_before_it_was_cut_off_count(
    tmp_path: Path, text: str, bad: str, form: object, end: Result | Exception, status: str
) -> None:
    run = printed(tmp_path, text.format(bad), ends=(end,), format=form)
    assert statuses(run) == {"p.sh.alpha": "pass", "p.sh.beta": "fail", "p.sh": status}
    assert run.problems == (), "that it was cut off is what is wrong with it, and no problem beside that"
    assert run.cut_off == (("p.sh",) if status == "error" else ())


@pytest.mark.parametrize(
    ("text", "form", "ended"),
    [
        (KTAP.format("ok"), "exit", []),
        ("ok 1 alpha\n", "auto", []),
        ("ok 1 alpha\n", "ktap", ["alpha"]),
        ("TAP version 13\n1..2\nok 1 alpha\nnot ok 2 be", "auto", ["alpha"]),
        ("case alpha: fine\ncase beta: bad", WORDS, ["alpha"]),
        ("case alpha:\ncase beta: strange\n", WORDS, ["alpha", "beta"]),
        ("TAP version 13\n1..1\n    ok 1 nested\n", "auto", []),
        ("TAP version 13\n1..1\n    # Subtest: all\n    ok 1 nested\n", "auto", ["all/nested"]),
        ("TAP version 13\n1..9\n# try faulted\nnot ok 1 alpha\n# begin: beta\n", "auto", ["alpha"]),
    ],
)
def test_what_had_not_ended_or_has_no_name_yet_when_a_program_is_cut_off_is_no_case(
    tmp_path: Path, text: str, form: object, ended: list[str]
) -> None:
    assert list(statuses(printed(tmp_path, text, format=form))) == [*(f"p.sh.{name}" for name in ended), "p.sh"]


def test_a_case_that_breaks_before_both_kernels_cut_its_program_off_is_a_regression(tmp_path: Path) -> None:
    base, patched = (printed(tmp_path, KTAP.format(word)) for word in ("ok", "not ok"))
    judged = compared(base, patched)
    assert (judged.verdict, judged.reason) == (Verdict.FAIL, "p.sh.beta: works→broken, regression")


WHOLE = "TAP version 13\n1..3\nok 1 alpha\n{beta} 2 beta\nok 3 gamma\n"


@pytest.mark.parametrize("beta", ["ok", "not ok"])
def test_where_a_program_is_cut_off_is_chance_and_a_case_that_ended_red_is_none(tmp_path: Path, beta: str) -> None:
    """Wherever the output of either kernel ends, only a case that ended red with the series is charged to it."""
    good, text = WHOLE.format(beta="ok"), WHOLE.format(beta=beta)
    ends_at = [k for k in range(len(good) + 1) if good[:k].endswith("\n") or k % 7 == 0]
    bases = [printed(tmp_path, good[:k]) for k in ends_at]
    for k in range(0, len(text) + 1, 3):
        patched = printed(tmp_path, text[:k])
        for base in bases:
            judged = compared(base, patched)
            is_red = "fail" in statuses(patched).values() and "p.sh.beta" in statuses(base)
            assert judged.verdict is Verdict.FAIL if is_red else judged.verdict in {Verdict.PASS, Verdict.SKIP}
            assert is_red or "works→broken" not in judged.reason


def test_a_program_that_only_the_series_cuts_off_is_charged_with_what_it_did_not_reach(tmp_path: Path) -> None:
    whole, cut = printed(tmp_path, WHOLE.format(beta="ok"), ends=(Result(0),)), printed(tmp_path, KTAP.format("ok"))
    charged = {t.test for t in compared(whole, cut).transitions if t.verdict is Verdict.FAIL}
    assert charged == {"p.sh", "p.sh.gamma"}
    back = compared(cut, whole)
    assert back.verdict is Verdict.PASS
    assert {t.test: t.note for t in back.transitions}["p.sh.gamma"] == "fixed by the series"


def test_a_program_that_ends_with_the_series_without_a_case_of_the_base_is_charged(tmp_path: Path) -> None:
    """Only the base cuts it off: with the series nothing kept it from its cases."""
    short = "TAP version 13\n1..1\nok 1 alpha\n"
    judged = compared(printed(tmp_path, KTAP.format("ok")), printed(tmp_path, short, ends=(Result(0),)))
    assert judged.reason.startswith("p.sh.beta: works→broken, regression")


def test_what_is_promised_is_charged_where_both_kernels_cut_the_program_off(tmp_path: Path) -> None:
    promised = expectations_file.parse(
        "columns: [stock, patched]\ntests:\n  p.sh.beta: {stock: pass, patched: pass}\n", "expected.yaml"
    )
    base, patched = printed(tmp_path, KTAP.format("ok")), printed(tmp_path, "TAP version 13\n1..3\nok 1 alpha\n")
    judged = compared(base, patched, promised)
    assert judged.reason.startswith("p.sh.beta: works→broken, expected pass on patched, got missing")


def test_an_endless_program_that_says_of_a_case_that_it_failed_does_not_hide_it(tmp_path: Path) -> None:
    run = printed(tmp_path, KTAP.format("not ok"), endless=True)
    assert statuses(run) == {"p.sh.beta": "fail", "p.sh": "pass"}


def test_a_program_of_a_tree_runs_as_often_as_is_asked_for(tmp_path: Path) -> None:
    program = ProgramConfig(name="ksm", run="./ksm_tests -M")
    settings = Suite(kind="tree", directory=Path("tools/testing/selftests/mm"), programs=(program,))
    guest = Printing({}, ends=(Result(0), Result(1), Result(0)))
    asked = suite.Request("mm", settings, ("*",), tmp_path / "out", repeat=3)
    run = performed(asked, lambda: contextlib.nullcontext(guest))
    (test,) = run.tests
    assert (test.name, test.status) == ("ksm", Status.FAIL) and test.diagnostics[-1] == "1 of 3 runs failed"
    assert [path.name for path in run.outputs] == ["ksm.1.log", "ksm.2.log", "ksm.3.log"]


@pytest.mark.parametrize("red", [Result(1), CUT])
def test_a_run_that_was_red_is_not_lost_where_the_host_fails_in_a_later_one(tmp_path: Path, red: Result) -> None:
    """A run that is out of time is the last one, whatever comes behind it."""
    ends = (Result(0), red, Result(0), InfraError("SSH lost"))
    run = printed(tmp_path, ends=ends, repeat=5)
    (test,) = run.tests
    assert test.status is (Status.FAIL if red.exit_code else Status.TIMEOUT)
    assert run.cut_off == (), "it is no work of the host"
    lost = StageResult(Stage.SUITE, Verdict.INFRA, 1.0, "SSH lost")
    assert verdict.judge_job((lost,), (run,), ())[0] is Verdict.FAIL


def test_runs_that_all_passed_before_the_host_failed_are_no_finding(tmp_path: Path) -> None:
    run = printed(tmp_path, ends=(Result(0), Result(0), InfraError("SSH lost")), repeat=5)
    (test,) = run.tests
    assert (test.status, run.cut_off) == (Status.ERROR, ("p.sh",))
    assert test.diagnostics == ("run 3 of 5; before, 2 came to their end", "1 of 3 runs in error")
    lost = StageResult(Stage.SUITE, Verdict.INFRA, 1.0, "SSH lost")
    assert verdict.judge_job((lost,), (run,), ())[0] is Verdict.INFRA


def test_a_case_that_says_something_else_in_a_later_run_is_the_same_case(tmp_path: Path) -> None:
    works = "TAP version 13\n1..2\nok 1 a\nok 2 b works\n"
    run = printed(tmp_path, works, works.replace("b works", "# SKIP no swap"), works, ends=(Result(0),), repeat=3)
    assert [(test.name, test.status.value, test.reason) for test in run.tests] == [
        ("p.sh.a", "pass", ""),
        ("p.sh.b works", "skip", "no swap, 1 of 3 runs skipped"),
    ]
