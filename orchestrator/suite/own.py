"""Suites of programs that speak the protocol of ``ktap.h``: they list their tests, and run those that are named."""

from __future__ import annotations

import shlex
from pathlib import Path

from orchestrator.model import Status, TestResult
from orchestrator.process import Deadline
from orchestrator.progress import Progress
from orchestrator.results import ktap
from orchestrator.suite.ledger import Ledger, Loss
from orchestrator.suite.request import Boot, Guest, Request, pick

Pending = dict[str, list[str]]
"""Program → the tests of it that are still to be run."""


def run(request: Request, boot: Boot, ledger: Ledger, deadline: Deadline, progress: Progress) -> None:
    """Run the tests that were asked for, in as many guests as it takes."""
    pending: Pending | None = None
    total = 0
    while (pending is None or pending) and not ledger.given_up and not deadline.expired:
        if ledger.lost:
            progress.note(f"{request.name}: the guest is gone; {_count(pending)} tests go on in a new one")
        with boot() as guest:
            if pending is None:
                pending = _listed(request, guest, deadline)
                total = _count(pending)
            usable = True
            while pending and usable and not deadline.expired:
                program, tests = next(iter(pending.items()))
                left, usable = _program(request, guest, program, tests, ledger, deadline)
                pending.pop(program)
                pending = {program: left, **pending} if left else pending
                progress.advance(f"tests of {request.name}", len(ledger.results), total)
    reason = "the suite was out of time" if deadline.expired else f"{ledger.lost} guests were lost before"
    ledger.results += [
        TestResult(test, Status.MISSING, f"did not run: {reason}")
        for tests in (pending or {}).values()
        for test in tests
    ]


def _count(pending: Pending | None) -> int:
    return sum(len(tests) for tests in (pending or {}).values())


def _listed(request: Request, guest: Guest, deadline: Deadline) -> Pending:
    """Return program → the tests that were asked for."""
    available = listed(request.name, guest, deadline.capped(60 * request.scale))
    request.check_globs([test for tests in available.values() for test in tests])
    picked = {program: pick(tests, request.tests) for program, tests in available.items()}
    return {program: tests for program, tests in picked.items() if tests}


def listed(suite: str, guest: Guest, deadline: Deadline) -> Pending:
    """Ask every program of a suite for its tests; return program → test ids."""
    script = f'cd /tests/{suite} && for p in *; do [ -x "$p" ] && [ -f "$p" ] && echo "== $p" && "./$p" -l; done'
    available: Pending = {}
    for line in guest.run(script, deadline=deadline, cap=2**20).stdout.splitlines():
        if line.startswith("== "):
            available[line[3:]] = []
        elif line.strip() and available:
            next(reversed(available.values())).append(line.strip())
    return available


def _program(
    request: Request, guest: Guest, program: str, tests: list[str], ledger: Ledger, deadline: Deadline
) -> tuple[list[str], bool]:
    """Run the named tests of one program and record what they said.

    Returns the tests that are still to be run, and whether the guest is fit to run them.
    """
    output = request.directory / f"{program}.{len(ledger.outputs) + 1}.ktap"
    limit = deadline.capped(request.test_seconds * (len(tests) * request.repeat + 1))
    result = ledger.perform(guest, _command(request, program, tests), limit, output, request.suite.output_cap, program)
    report = ktap.parse(_text(output), planned=tests)
    if isinstance(result, Loss):
        return ledger.settle(report.tests, tests, _text(guest.console), result), result.usable
    ledger.problems += [f"{program}: {problem}" for problem in report.problems]
    ledger.results += report.tests
    return [], True


def _command(request: Request, program: str, tests: list[str]) -> str:
    picks = " ".join(f"-r {shlex.quote(test)}" for test in tests)
    command = f"cd /tests/{request.name} && ./{program} -t {request.test_seconds:.0f} {picks}"
    return f"{command} -n {request.repeat}" if request.repeat > 1 else command


def _text(path: Path) -> str:
    return path.read_bytes().decode(errors="replace")
