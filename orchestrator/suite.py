"""Run the programs of a suite in guests, and read what they said once each guest is gone.

A crash loses only the test that crashed: what had not run yet goes on in a new guest.
"""

from __future__ import annotations

import fnmatch
import shlex
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from orchestrator.config import ProgramConfig, Suite
from orchestrator.errors import UserError
from orchestrator.model import Status, SuiteRun, TestResult
from orchestrator.process import Deadline
from orchestrator.progress import Progress
from orchestrator.results import case_lines, ktap

MAX_CRASHES = 12
"""Guests that one suite may lose before the rest of its tests is given up as missing."""


class CommandResult(Protocol):
    """How a command in the guest ended; ``exit_code`` is None where it did not end."""

    @property
    def exit_code(self) -> int | None: ...

    @property
    def stdout(self) -> str: ...

    @property
    def truncated(self) -> bool: ...

    @property
    def seconds(self) -> float: ...

    @property
    def why(self) -> str: ...

    @property
    def hung(self) -> bool: ...


class Guest(Protocol):
    """What a suite asks of a running guest."""

    @property
    def death(self) -> object | None:
        """Why the guest is gone, or None while it lives."""

    def run(self, command: str, *, deadline: Deadline, output: Path | None = None, cap: int) -> CommandResult:
        """Run a shell command; its output streams into ``output``, no more than ``cap`` bytes of it."""

    def log(self, text: str) -> None:
        """Write one line to the kernel log."""


@dataclass(frozen=True)
class Request:
    """One suite to run. ``scale`` stretches its limits (TCG); ``directory`` takes the raw outputs.

    ``alone`` says that the job has no other suite in which a test could be that matches nothing here.
    """

    name: str
    suite: Suite
    tests: tuple[str, ...]
    directory: Path
    scale: float = 1.0
    repeat: int = 1
    alone: bool = True

    @property
    def test_seconds(self) -> float:
        """The limit of one test."""
        return self.suite.test_timeout * self.scale


@dataclass
class _Ledger:
    """What has been seen so far, over all guests of a suite."""

    results: list[TestResult] = field(default_factory=list)
    outputs: list[Path] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0


Boot = Callable[[], AbstractContextManager[Guest]]


def run(request: Request, boot: Boot, progress: Progress, done: Callable[[SuiteRun], None]) -> None:
    """Run a suite to its end, in as many guests as its crashes need, and hand what it said to ``done``.

    That happens also where a fault ends it: what ran before is not lost. Raises UserError where a test glob matches
    nothing, and whatever ``boot`` and its guests raise.
    """
    request.directory.mkdir(parents=True, exist_ok=True)
    ledger = _Ledger()
    deadline = Deadline.after(request.suite.timeout * request.scale)
    perform = _run_own if request.suite.kind == "own" else _run_foreign
    try:
        perform(request, boot, ledger, deadline, progress)
    finally:
        done(
            SuiteRun(
                suite=request.name,
                tests=tuple(ledger.results),
                outputs=tuple(ledger.outputs),
                seconds=ledger.seconds,
                problems=tuple(ledger.problems),
            )
        )


def pick(available: Iterable[str], globs: Sequence[str]) -> list[str]:
    """Return the test ids that a glob names, in their order; ``B01`` stands for ``B01_*``."""
    return [t for t in available if any(matches(t, g) for g in globs)]


def matches(test: str, glob: str) -> bool:
    """Whether a glob names this test: as a pattern, or as the start of its name up to ``_`` or ``.``."""
    return fnmatch.fnmatchcase(test, glob) or test.startswith((f"{glob}_", f"{glob}."))


def _run_own(request: Request, boot: Boot, ledger: _Ledger, deadline: Deadline, progress: Progress) -> None:
    pending: dict[str, list[str]] | None = None
    total, lost = 0, 0
    while (pending is None or pending) and lost < MAX_CRASHES and not deadline.expired:
        if lost:
            progress.note(f"{request.name}: the guest is gone; {_count(pending)} tests go on in a new one")
        with boot() as guest:
            if pending is None:
                pending = _listed(request, guest, deadline)
                total = _count(pending)
            usable = True
            while pending and usable and not deadline.expired:
                program, tests = next(iter(pending.items()))
                left, usable = _run_program(request, guest, program, tests, ledger, deadline)
                pending.pop(program)
                pending = {program: left, **pending} if left else pending
                progress.advance(f"tests of {request.name}", len(ledger.results), total)
            lost += not usable
    reason = "the suite was out of time" if deadline.expired else f"{lost} guests were lost before"
    ledger.results += [
        TestResult(test, Status.MISSING, f"did not run: {reason}")
        for tests in (pending or {}).values()
        for test in tests
    ]


def _count(pending: dict[str, list[str]] | None) -> int:
    return sum(len(tests) for tests in (pending or {}).values())


def _listed(request: Request, guest: Guest, deadline: Deadline) -> dict[str, list[str]]:
    """Return program → the tests that were asked for."""
    available = listed(request.name, guest, deadline.capped(60 * request.scale))
    _check_globs(request, [test for tests in available.values() for test in tests])
    picked = {program: pick(tests, request.tests) for program, tests in available.items()}
    return {program: tests for program, tests in picked.items() if tests}


def listed(suite: str, guest: Guest, deadline: Deadline) -> dict[str, list[str]]:
    """Ask every program of a suite for its tests; return program → test ids."""
    script = f'cd /tests/{suite} && for p in *; do [ -x "$p" ] && [ -f "$p" ] && echo "== $p" && "./$p" -l; done'
    available: dict[str, list[str]] = {}
    for line in guest.run(script, deadline=deadline, cap=2**20).stdout.splitlines():
        if line.startswith("== "):
            available[line[3:]] = []
        elif line.strip() and available:
            next(reversed(available.values())).append(line.strip())
    return available


def _check_globs(request: Request, available: Sequence[str]) -> None:
    """Refuse a glob that names nothing: a test that was asked for and does not exist must not look green."""
    for glob in request.tests if request.alone else ():
        if not any(matches(test, glob) for test in available):
            raise UserError(f"suite {request.name}: no test matches {glob!r} ({len(available)} tests there)")


def _run_program(
    request: Request, guest: Guest, program: str, tests: list[str], ledger: _Ledger, deadline: Deadline
) -> tuple[list[str], bool]:
    """Run the named tests of one program and record what they said.

    Returns the tests that are still to be run, and whether the guest is fit to run them.
    """
    output = request.directory / f"{program}.{len(ledger.outputs) + 1}.ktap"
    picks = " ".join(f"-r {shlex.quote(test)}" for test in tests)
    command = f"cd /tests/{request.name} && ./{program} -t {request.test_seconds:.0f} {picks}"
    if request.repeat > 1:
        command += f" -n {request.repeat}"
    limit = deadline.capped(request.test_seconds * (len(tests) * request.repeat + 1))
    result = guest.run(command, deadline=limit, output=output, cap=request.suite.output_cap)
    ledger.outputs.append(output)
    ledger.seconds += result.seconds
    report = ktap.parse(output.read_bytes().decode(errors="replace"), planned=tests)
    if result.truncated:
        ledger.problems.append(f"{program}: output was cut at {request.suite.output_cap} bytes")
    if result.exit_code is not None:
        ledger.problems += [f"{program}: {problem}" for problem in report.problems]
        ledger.results += report.tests
        return [], True
    return _after_a_loss(report.tests, guest, result.why, ledger), not (guest.death or result.hung)


def _after_a_loss(tests: Sequence[TestResult], guest: Guest, why: str, ledger: _Ledger) -> list[str]:
    """Record a program that did not end: what it had finished, and the test that was running; return the rest.

    Where no test was running, the first one that had not begun is charged: each guest must bring the suite on.
    """
    status = Status.CRASHED if guest.death else Status.TIMEOUT
    finished = [t for t in tests if t.status not in {Status.CRASHED, Status.MISSING}]
    running = [t.name for t in tests if t.status is Status.CRASHED]
    left = [t.name for t in tests if t.status is Status.MISSING]
    if not running and left:
        running = [left.pop(0)]
    ledger.results += [*finished, *(TestResult(name, status, why) for name in running)]
    return left


def _run_foreign(request: Request, boot: Boot, ledger: _Ledger, deadline: Deadline, progress: Progress) -> None:
    names = [p.name for p in request.suite.programs]
    programs = [p for p in request.suite.programs if p.name in pick(names, request.tests)]
    _check_globs(request, names)
    queue = list(programs)
    while queue and not deadline.expired:
        with boot() as guest:
            for command in request.suite.setup:
                guest.run(command, deadline=deadline.capped(60 * request.scale), cap=2**16)
            usable = True
            while queue and usable and not deadline.expired:
                usable = _run_foreign_program(request, guest, queue.pop(0), ledger, deadline)
                progress.advance(f"programs of {request.name}", len(programs) - len(queue), len(programs))
    ledger.results += [TestResult(p.name, Status.MISSING, "did not run: the suite was out of time") for p in queue]


def _run_foreign_program(
    request: Request, guest: Guest, program: ProgramConfig, ledger: _Ledger, deadline: Deadline
) -> bool:
    """Run one foreign program between two markers; return whether the guest is fit for the next one."""
    output = request.directory / f"{program.name}.log"
    guest.log(f"wpci: begin {program.name}")
    command = f"cd /tests/{request.name} && {program.run}"
    limit = deadline.capped(request.test_seconds)
    result = guest.run(command, deadline=limit, output=output, cap=request.suite.output_cap)
    ledger.outputs.append(output)
    ledger.seconds += result.seconds
    if result.exit_code is None:
        status = Status.CRASHED if guest.death else Status.TIMEOUT
        ledger.results.append(TestResult(program.name, status, result.why))
        return not (guest.death or result.hung)
    guest.log(f"wpci: end {program.name}")
    if program.format == "exit":
        tail = result.stdout.splitlines()
        ledger.results.append(ktap.from_exit_code(program.name, result.exit_code, diagnostics=tail))
        return True
    text = output.read_bytes().decode(errors="replace")
    report = ktap.parse(text) if program.format == "ktap" else case_lines.parse(text, program.format)
    ledger.problems += [f"{program.name}: {problem}" for problem in report.problems]
    ledger.results += [
        TestResult(f"{program.name}.{t.name}", t.status, t.reason, t.diagnostics, t.seconds) for t in report.tests
    ]
    return True
