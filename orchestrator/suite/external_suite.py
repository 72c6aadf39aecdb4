"""Suites of programs that know nothing of us: the selftests of a kernel tree, and programs of the user's own."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from orchestrator.config.suites import ProgramConfig, Suite
from orchestrator.guest import protocol
from orchestrator.host.process import Deadline
from orchestrator.model import Status, TestResult
from orchestrator.parse import case_lines, ktap, ktap_lines
from orchestrator.progress import Minor, Progress
from orchestrator.suite import following, isolated, parts, repeats
from orchestrator.suite.request import Boot, CommandResult, Guest, Request, pick
from orchestrator.suite.state import Loss, State
from orchestrator.text import plain


def run(request: Request, boot: Boot, state: State, deadline: Deadline, progress: Progress) -> None:
    """Run the programs that were asked for, each between two markers, in as many guests as it takes."""
    names = [p.name for p in request.suite.programs]
    programs = [p for p in request.suite.programs if p.name in pick(names, request.tests)]
    request.check_globs(names)
    queue, absent = _there(request, programs)
    state.results += [TestResult(p.name, Status.SKIP, f"this tree has no {p.called}") for p in absent]
    if request.at_once:
        tasks = isolated.Tasks(queue, lambda program: program.name, partial(_isolated, request, deadline, progress))
        isolated.run(tasks, request, boot, state, deadline, progress)
        return
    if request.split:
        _run_split(request, queue, boot, state, deadline, progress)
        return
    _go_on(request, queue, boot, state, deadline, progress)


def _go_on(
    request: Request,
    programs: Sequence[ProgramConfig],
    boot: Boot,
    state: State,
    deadline: Deadline,
    progress: Progress,
) -> None:
    """Run programs in one guest and in those that follow it."""
    queue = list(programs)

    def waiting() -> list[str]:
        return [program.name for program in queue]

    while queue and not state.given_up and not deadline.expired:
        with state.missing(waiting), state.guest(boot) as guest:
            _set_up(request, guest, state, deadline)
            usable = True
            while queue and usable and not deadline.expired:
                known = len(state.results)
                usable = _program(request, guest, queue.pop(0), state, deadline, progress)
                done, left = len(programs) - len(queue), request.left(waiting())
                progress.advance(f"programs of {request.name}", done, len(programs), left)
                if red := request.first_red(state.results[known:]):
                    state.stopped_at = red
                    return
    state.give_up(waiting(), deadline)


def _run_split(
    request: Request,
    programs: Sequence[ProgramConfig],
    boot: Boot,
    state: State,
    deadline: Deadline,
    progress: Progress,
) -> None:
    """Run the programs in parts."""

    def perform(part: Sequence[ProgramConfig], own: State, boot: Boot, on: Progress) -> None:
        _go_on(request, part, boot, own, deadline, on)

    items = [parts.Item(program, program.name, request.took.get(program.name)) for program in programs]
    parts.run(items, request, [boot], state, perform, progress)


def _there(request: Request, programs: Sequence[ProgramConfig]) -> tuple[list[ProgramConfig], list[ProgramConfig]]:
    """Return the programs that can run, and those that the tree does not have, where that is allowed."""
    absent = [p for p in programs if request.suite.absent == "skip" and p.called not in request.programs]
    return [p for p in programs if p not in absent], absent


_MOST_SAID = 200
"""Characters of what a command printed that are part of a problem."""


def _set_up(request: Request, guest: Guest, state: State, deadline: Deadline) -> None:
    """Run the commands that come before the programs; one that does not do its part is a problem of the suite."""
    for command in request.suite.setup:
        limit = deadline.capped(60 * request.scale)
        result = guest.run(_within(request.name, command), deadline=limit, cap=2**16)
        if result.exit_code != 0:
            why = result.why if result.exit_code is None else f"exit code {result.exit_code}"
            state.problems.append(f"setup {command!r}: {why}")  # no word of its output: both kernels have one problem


def _isolated(
    request: Request, deadline: Deadline, progress: Progress, program: ProgramConfig, guest: Guest, state: State
) -> None:
    """Run one program in a guest of its own."""
    _set_up(request, guest, state, deadline)
    _program(request, guest, program, state, deadline, progress)


def _program(
    request: Request, guest: Guest, program: ProgramConfig, state: State, deadline: Deadline, progress: Progress
) -> bool:
    """Run one program, as often as that is wanted; return whether the guest is fit for the next one."""
    runs: list[Sequence[TestResult]] = []  # of one that is cut off, what it had printed by then
    lost: Loss | None = None
    count = request.repeat
    for number in range(1, count + 1):
        output = request.directory / (f"{program.name}.{number}.log" if count > 1 else f"{program.name}.log")
        limit = deadline.capped(request.test_seconds)
        command = _command(request, program)
        row = protocol.Row.of([program.name])
        with following.followed(output, _Stream(f"{request.name}: {program.name}", progress)):
            result = state.perform(request, guest, command, limit, output, program.name, row)
        if isinstance(result, Loss):
            ended = _ended(program, output)
            if _is_over(program, result) and not deadline.expired:
                whole = TestResult(program.name, Status.PASS, "ran until its time was up")
                runs.append([*(test for test in ended if test.status.broken), whole])
                continue
            lost = result
            runs_so_far = (f"run {number} of {count}; before, {number - 1} came to their end",) if number > 1 else ()
            runs.append([*ended, TestResult(program.name, lost.status, lost.why, runs_so_far)])
            break
        runs.append(_results(request, program, result, output, state))
    if lost is None:
        state.results += repeats.together(runs)
        return True
    state.lose(lost, repeats.together(runs), program.name)
    return lost.usable


_MOST_SHOWN = 5000
"""Result lines of one program that are shown as they come."""


@dataclass
class _Stream:
    """Shows the result lines of a program as they come."""

    name: str
    progress: Progress
    _count: int = 0

    def __call__(self, line: str) -> None:
        if ktap_lines.RESULT.match(line) and self._count < _MOST_SHOWN:
            self._count += 1
            self.progress.note(Minor(f"{self.name}: {line.strip()}"))


def _is_over(program: ProgramConfig, loss: Loss) -> bool:
    """Whether a program that never ends by itself was ended by us, in a guest that is well."""
    return program.endless and loss.status is Status.TIMEOUT and loss.usable


def called(name: str, suite: Suite, program: ProgramConfig) -> str:
    """Return the shell text that runs a program of a suite."""
    line = f"./{shlex.quote(program.name)} {program.args}" if suite.kind == "program" else program.run
    return _within(name, line)


def _within(name: str, line: str) -> str:
    """Return the shell text that runs a line in the folder of a suite."""
    return f"cd /tests/{name} && {{ {line}\n}}"


def _command(request: Request, program: ProgramConfig) -> str:
    return protocol.bracketed(called(request.name, request.suite, program), program.name)


def _without_rest(report: ktap.Report) -> ktap.Report:
    """Return a report without what is missing of its plan, where nothing but skips and no other problem is in it."""
    skips = tuple(test for test in report.tests if test.status is Status.SKIP)
    others = any(test.status not in (Status.SKIP, Status.MISSING) for test in report.tests)
    others = others or not set(report.problems) <= set(report.short)
    return report if others or not skips else ktap.Report(skips, (), complete=True)


_SKIPPED = 4
"""KSFT_SKIP: a program that ends so after its plan leaves the rest of that out, and says so (``ksft_exit_skip``)."""


def _results(
    request: Request, program: ProgramConfig, result: CommandResult, output: Path, state: State
) -> Sequence[TestResult]:
    """Return the results of a program that came to its end."""
    assert result.exit_code is not None
    is_own = request.suite.kind == "program"
    speaks = program.format == "ktap" or (program.format != "exit" and ktap.plans(result.stdout))
    if program.format == "exit" or (program.format == "auto" and not speaks):
        meanings = ktap.REPRODUCER if is_own else ktap.KSELFTEST
        tail = [line for line, _ in plain.lines([result.stdout])]
        test = ktap.from_exit_code(program.name, result.exit_code, diagnostics=tail, meanings=meanings)
        if program.format == "auto" and not test.status.broken and (failure := ktap.first_failure(tail)):
            why = f"exit code {result.exit_code}, and it printed: {failure[:_MOST_SAID]}"
            test = replace(test, status=Status.FAIL, reason=why)
        return [test]
    report = _report(program, output, speaks)
    if result.exit_code == _SKIPPED:
        report = _without_rest(report)
    state.problems += [f"{program.name}: {problem}" for problem in report.problems]
    state.check_exit(program.name, result.exit_code, report.tests)
    return _named(program, report.tests)


def _ended(program: ProgramConfig, output: Path) -> list[TestResult]:
    """Return the cases that a program ended before it was cut off.

    What is wrong with its output otherwise is that it was cut off, and no problem of its own.
    """
    if not output.exists() or program.format == "exit":
        return []
    speaks = program.format == "ktap" or ktap.plans_in(output)
    return _named(program, _report(program, output, speaks).ended) if speaks or program.format != "auto" else []


def _report(program: ProgramConfig, output: Path, speaks: bool) -> ktap.Report:
    """Read what a program printed that has cases: KTAP where it speaks that."""
    if speaks or isinstance(program.format, str):
        return ktap.parse_file(output, repeated=True)
    return case_lines.parse_file(output, program.format)


def _named(program: ProgramConfig, tests: Sequence[TestResult]) -> list[TestResult]:
    """Return the cases of a program with its name before theirs; one that stands for all of it has its name alone."""
    own = program.name
    return [replace(test, name=own if test.name == ktap.SKIPPED else f"{own}.{test.name}") for test in tests]
