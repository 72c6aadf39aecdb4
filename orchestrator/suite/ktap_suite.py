"""Suites of programs that speak the protocol of ``ktap.h``: they list their tests, and run those that are named."""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.errors import KernelError
from orchestrator.guest import protocol
from orchestrator.host.process import Deadline
from orchestrator.model import Status, TestResult
from orchestrator.parse import ktap, ktap_lines
from orchestrator.progress import Minor, Progress
from orchestrator.suite import following, isolated, listing, parts
from orchestrator.suite.request import Boot, CommandResult, Guest, Request, matches, pick
from orchestrator.suite.state import Loss, State, seen

Pending = list[tuple[str, list[str]]]
"""Programs, and the tests that they are still to run, in order: with several rounds a program comes more than once."""

_MOST_LISTED = 2**20


def run(request: Request, boot: Boot, state: State, deadline: Deadline, progress: Progress) -> None:
    """Run the tests that were asked for, in as many guests as it takes."""
    if request.at_once:
        _run_isolated(request, boot, state, deadline, progress)
    elif request.split:
        _run_split(request, boot, state, deadline, progress)
    else:
        _go_on(request, None, boot, state, deadline, progress)


def _go_on(
    request: Request, pending: Pending | None, boot: Boot, state: State, deadline: Deadline, progress: Progress
) -> None:
    """Run what is pending, or else what the first guest lists, in one guest and in those that follow it."""

    def waiting() -> list[str]:
        return [test for _, tests in pending or [] for test in tests]

    total = _count(pending)
    while (pending is None or pending) and not state.given_up and not deadline.expired:
        if state.lost:
            progress.note(f"{request.name}: the guest is gone; {_count(pending)} tests go on in a new one")
        with state.missing(waiting), state.guest(boot) as guest:
            if pending is None:
                pending = _listed(request, guest, state, deadline)
                total = _count(pending)
                _say_what_to_expect(request, pending, progress)
            usable = True
            while pending and usable and not deadline.expired:
                program, tests = pending.pop(0)
                known, later = len(state.results), waiting()
                stream = _Stream(request, tests, later, known, total, progress)
                stream.show()
                with following.followed(_output(request, program, state), stream):
                    left, usable = _program(request, guest, program, tests, state, deadline)
                progress.advance(f"tests of {request.name}", len(state.results), total, request.left([*left, *later]))
                if red := request.first_red(state.results[known:]):
                    state.stopped_at = red
                    return
                ending = next(filter(request.enough, state.results[known:]), None)
                if ending and (not usable or _is_enough_again(request, guest, program, ending, state, deadline)):
                    return
                if _are_enough(request, state):
                    return
                pending = [(program, left), *pending] if left else pending
    state.give_up(waiting(), deadline)


def _run_isolated(request: Request, boot: Boot, state: State, deadline: Deadline, progress: Progress) -> None:
    """Run each test in a guest of its own."""
    with state.guest(boot) as guest:
        pending = _listed(request, guest, state, deadline)
    _say_what_to_expect(request, pending, progress)

    def perform(item: tuple[str, str], guest: Guest, own: State) -> None:
        program, test = item
        _program(request, guest, program, [test], own, deadline)

    items = [(program, test) for program, tests in pending for test in tests]
    tasks = isolated.Tasks(items, lambda item: item[1], perform)
    isolated.run(tasks, request, boot, state, deadline, progress)


def _run_split(request: Request, boot: Boot, state: State, deadline: Deadline, progress: Progress) -> None:
    """Run the tests in parts; the guest that lists them has the first one."""

    def perform(part: Sequence[tuple[str, str]], own: State, boot: Boot, on: Progress) -> None:
        _go_on(request, by_program(part), boot, own, deadline, on)

    with state.guest(boot) as guest:
        pending = _listed(request, guest, state, deadline)
        _say_what_to_expect(request, pending, progress)
        items = [
            parts.Item((program, test), test, request.last.get(test)) for program, tests in pending for test in tests
        ]
        parts.run(items, request, [parts.beginning_with(guest, boot), boot], state, perform, progress)


def by_program(tests: Sequence[tuple[str, str]]) -> Pending:
    """Return neighbours of one program together. Pure."""
    groups = itertools.groupby(tests, key=lambda test: test[0])
    return [(program, [test for _, test in group]) for program, group in groups]


def _output(request: Request, program: str, state: State) -> Path:
    return request.directory / f"{program}.{state.number + len(state.outputs) + 1}.ktap"


def _say_what_to_expect(request: Request, pending: Pending, progress: Progress) -> None:
    """Say how many tests there are, and how long they took the last time, where all of them ran then."""
    tests = [test for _, names in pending for test in names]
    if tests and all(test in request.last for test in tests):
        seconds = sum(request.last[test] for test in tests) * request.repeat
        progress.note(f"{request.name}: {len(tests)} tests, which took {seconds:.0f} s the last time")


@dataclass
class _Stream:
    """Shows tests as they end: called with each line that a program prints."""

    request: Request
    tests: Sequence[str]
    later: Sequence[str]
    known: int
    total: int
    progress: Progress
    _ended: set[str] = field(default_factory=set)

    def __call__(self, line: str) -> None:
        result = ktap_lines.RESULT.match(line)
        name = result[3].partition(" #")[0].strip() if result else ""
        if result is None or name not in self.tests or name in self._ended:
            return
        self._ended.add(name)
        self.progress.note(Minor(f"{self.request.name}: {line.strip()}"))
        self.show()

    def show(self) -> None:
        """Show how many tests have ended, and what the others will take."""
        done = self.known + len(self._ended)
        if done < self.total:  # whoever reads the results says the last one
            left = self.request.left([*(test for test in self.tests if test not in self._ended), *self.later])
            self.progress.advance(f"tests of {self.request.name}", done, self.total, left)


def _count(pending: Pending | None) -> int:
    return sum(len(tests) for _, tests in pending or [])


def _listed(request: Request, guest: Guest, state: State, deadline: Deadline) -> Pending:
    """Return the tests that were asked for, by round and program."""
    result = _list(request.name, guest, deadline.capped(60 * request.scale))
    available, problems = listing.read(result.stdout, request.programs)
    if result.exit_code is None:
        state.problems.append(f"the list of tests did not end: {result.why}")
    if result.truncated:
        state.problems.append(f"the list of tests was cut at {_MOST_LISTED} bytes")
    state.problems += problems
    request.check_globs([test for tests in available.values() for test in tests])
    wanted = {program: pick(tests, request.tests) for program, tests in available.items()}
    pending = by_rounds(wanted, request.rounds, request.trial.late if request.trial else ())
    pending = by_limit(pending, request.limit)
    return sliced(pending) if request.trial and request.trial.most else pending


def by_limit(pending: Pending, limit: Callable[[Sequence[str]], float]) -> Pending:
    """Return the same in commands of which each has tests of one limit, the short ones of a command first. Pure."""
    grouped = [
        (program, itertools.groupby(sorted(tests, key=lambda t: limit([t])), lambda t: limit([t])))
        for program, tests in pending
    ]
    return [(program, list(tests)) for program, groups in grouped for _, tests in groups]


def sliced(pending: Pending, size: int = 16) -> Pending:
    """Return the same in commands of a few tests, for between them it is seen how many differ. Pure."""
    return [(program, tests[k : k + size]) for program, tests in pending for k in range(0, len(tests), size)]


def by_rounds(
    available: Mapping[str, Sequence[str]], rounds: Sequence[Sequence[str]], late: Sequence[str] = ()
) -> Pending:
    """Return what to run: in each round program by program, each test once; late ones last. Pure."""
    pending: Pending = []
    taken: set[str] = set()
    for globs, is_late in [(globs, False) for globs in rounds] + [(globs, True) for globs in rounds]:
        for program, tests in available.items():
            fitting = (t for t in pick(tests, globs) if t not in taken)
            picked = [t for t in fitting if any(matches(t, g) for g in late) == is_late]
            taken.update(picked)
            pending += [(program, picked)] if picked else []
    return pending


def listed(suite: str, guest: Guest, deadline: Deadline) -> dict[str, list[str]]:
    """Ask every program of a suite for its tests; return program → test ids. Raises KernelError, see ``listing``."""
    return listing.read(_list(suite, guest, deadline).stdout)[0]


def _list(suite: str, guest: Guest, deadline: Deadline) -> CommandResult:
    result = guest.run(listing.script(suite), deadline=deadline, cap=_MOST_LISTED)
    if result.exit_code is None and guest.death:
        raise KernelError(result.why)
    return result


def _program(
    request: Request, guest: Guest, program: str, tests: list[str], state: State, deadline: Deadline
) -> tuple[list[str], bool]:
    """Run the named tests of one program and record their results.

    Returns the tests that are still to be run, and whether the guest is fit to run them.
    """
    output = _output(request, program, state)
    limit = deadline.capped(request.limit(tests) * (len(tests) * request.repeat + 1))
    row = protocol.Row.of(tests)
    command = _command(request, program, tests)
    result = state.perform(request, guest, command, limit, output, program, row)
    report = ktap.parse_file(output, tests, protocol.Windows([row]))
    if isinstance(result, Loss):
        return state.settle(program, report.tests, tests, seen(guest.console), result), result.usable
    state.check_exit(program, result.exit_code, report.tests)
    left = _left_by_an_early_end(report.tests) if request.stops_early else []
    state.problems += [f"{program}: {problem}" for problem in report.problems if not left]
    state.results += [t for t in report.tests if t.name not in left]
    return left, True


def _are_enough(request: Request, state: State) -> bool:
    """Whether as many tests differ as a trial allows."""
    most = request.trial.most if request.trial else None
    return most is not None and sum(map(request.differs, state.results)) >= most


def _is_enough_again(
    request: Request, guest: Guest, program: str, first: TestResult, state: State, deadline: Deadline
) -> bool:
    """Run a test that was enough once more; return whether it still is. Its first outcome is kept."""
    state.results.remove(first)
    state.earlier[first.name] = (first.status,)
    known = len(state.results)
    _program(request, guest, program, [first.name], state, deadline)
    return any(map(request.enough, state.results[known:]))


def _left_by_an_early_end(tests: Sequence[TestResult]) -> list[str]:
    """Return what a program did not run because it stopped at its first failure."""
    failed = any(t.status.broken and t.status is not Status.MISSING for t in tests)
    return [t.name for t in tests if failed and t.status is Status.MISSING]


def _command(request: Request, program: str, tests: list[str]) -> str:
    picks = " ".join(f"-r {shlex.quote(test)}" for test in tests)
    command = f"export {protocol.VARIABLE}={protocol.DESCRIPTOR}; "
    command += f"cd /tests/{request.name} && ./{program} -t {request.limit(tests):.0f} {picks}"
    if request.budget is not None:
        command += f" -b {request.budget:g}"
    if request.stops_early:
        command += " -x"
    return f"{command} -n {request.repeat}" if request.repeat > 1 else command
